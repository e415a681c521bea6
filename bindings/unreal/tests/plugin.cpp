// The plugin in a game's frames, on the stub: plugin PLUGIN MODELS PIPELINES OUTPUT.
#include <chrono>

#include "DiffuseModule.h"
#include "DrawWithDiffuse.h"
#include "DrawnSurface.h"
#include "Unreal.h"

static void require(bool condition, const std::string &what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what.c_str());
  std::exit(1);
}

static FString text(const std::string &utf8) { return FString(UTF8_TO_TCHAR(utf8.c_str())); }

static void frame() {
  FTSTicker::GetCoreTicker().Tick();
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

static void write(const std::string &path, std::vector<uint8> pixels) {
  for (std::size_t i = 0; i < pixels.size(); i += 4) std::swap(pixels[i], pixels[i + 2]);
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char *>(pixels.data()), static_cast<std::streamsize>(pixels.size()));
}

struct Heard {
  int progress = 0;
  UTexture2D *texture = nullptr;
  std::string error;
  bool is_over = false;
};

static UDrawWithDiffuse *node(UObject *world, const FDiffuseSettings &settings, Heard &heard) {
  UDrawWithDiffuse *made = UDrawWithDiffuse::DrawWithDiffuse(world, settings);
  made->OnProgress.heard.push_back([&heard](UTexture2D *texture, float, const FString &) {
    ++heard.progress;
    heard.texture = texture;
  });
  made->OnFinished.heard.push_back([&heard](UTexture2D *texture, float share, const FString &) {
    require(share == 1.0f, "its share");
    heard.texture = texture;
    heard.is_over = true;
  });
  made->OnFailed.heard.push_back([&heard](UTexture2D *texture, float, const FString &error) {
    require(texture == nullptr, "a texture");
    heard.error = TCHAR_TO_UTF8(*error);
    heard.is_over = true;
  });
  made->Activate();
  return made;
}

static Heard play(UObject *world, const FDiffuseSettings &settings) {
  Heard heard;
  UDrawWithDiffuse *made = node(world, settings, heard);
  while (!heard.is_over) frame();
  frame();
  require(made->is_over, "the node is done");
  delete made;
  return heard;
}

int main(int count, char **arguments) {
  require(count == 5, "four arguments");
  const std::string models = arguments[2], pipelines = arguments[3], output = arguments[4];
  FDiffuseModule &module = FDiffuseModule::Get();

  // A plugin without its library: the game goes on.
  engine::plugin = "/nowhere";
  module.StartupModule();
  require(!module.Library().is_loaded() && engine::log.size() == 1 && engine::log[0].find("Error: /nowhere/") == 0, "the log");
  UGameInstance instance;
  UWorld world;
  world.instance = &instance;
  GEngine->world = &world;
  UDiffuseSubsystem *subsystem = new UDiffuseSubsystem;
  FSubsystemCollectionBase collection;
  instance.subsystem = subsystem;
  subsystem->Initialize(collection);
  engine::content = models;
  FDiffuseSettings heart;
  heart.Model = text("sprites.onnx");
  heart.ClassName = text("heart");
  require(play(&world, heart).error.find("not loaded") != std::string::npos, "without its library");

  engine::plugin = arguments[1];
  module.StartupModule();
  require(module.Library().is_loaded() && std::string(TCHAR_TO_UTF8(*module.Error())).empty(), TCHAR_TO_UTF8(*module.Error()));

  const Heard sprite = play(&world, heart);
  require(sprite.error.empty() && sprite.progress > 0 && sprite.texture->width == 32, sprite.error);
  bool is_shown = false;
  for (const uint8 value : sprite.texture->shown) is_shown = is_shown || value != 0;
  require(is_shown, "nothing was uploaded");
  write(output + "/sprite.rgba", sprite.texture->shown);
  std::printf("a sprite, %d uploads before the last\n", sprite.progress);

  engine::content = pipelines;
  FDiffuseSettings fox;
  fox.Model = text("sd");
  fox.Prompt = text("a fox");
  const Heard picture = play(&world, fox);
  require(picture.error.empty() && picture.texture->width == 64, picture.error);
  write(output + "/picture.rgba", picture.texture->shown);

  // From a pak, with a manifest beside it.
  engine::content = models;
  engine::is_packed = true;
  const Heard packed = play(&world, heart);
  require(packed.error.empty() && packed.texture->shown == sprite.texture->shown, packed.error);
  engine::content = output;
  std::ofstream(output + "/own.onnx", std::ios::binary) << std::ifstream(models + "/sprites.onnx", std::ios::binary).rdbuf();
  std::ofstream(output + "/own.diffuse.json") << "{\"nothing\": 1}";
  FDiffuseSettings own = heart;
  own.Model = text("own.onnx");
  const std::string refused = play(&world, own).error;
  require(refused.find("manifest") != std::string::npos, "its manifest: " + refused);
  engine::is_packed = false;

  // What is missing.
  engine::content = models;
  FDiffuseSettings lost = heart;
  lost.Model = text("n\xC3\xBC" "chts.onnx");
  require(play(&world, lost).error.find("n\xC3\xBC" "chts.onnx") != std::string::npos && engine::log.back().find("chts.onnx") != std::string::npos, "a file that is not there");
  lost = heart;
  lost.ClassName = text("\xF0\x9F\x96\xBC");
  require(play(&world, lost).error.find("\xF0\x9F\x96\xBC") != std::string::npos, "a class that is not there");
  lost = heart;
  lost.Options.Add(text("stepz"), text("3"));
  require(play(&world, lost).error.find("stepz") != std::string::npos, "an option that is not there");
  Heard nowhere;
  GEngine->world = nullptr;
  delete node(&world, heart, nowhere);
  require(nowhere.error.find("game instance") != std::string::npos, "without a game");
  GEngine->world = &world;

  // Two at once; one is cancelled, one begun anew from within what it hears.
  FDiffuseSettings longer = heart;
  longer.Options.Add(text("steps"), text("300"));
  Heard one, other, third;
  UDrawWithDiffuse *first = node(&world, longer, one), *second = node(&world, heart, other);
  second->OnFinished.heard.push_back([&](UTexture2D *, float, const FString &) { node(&world, heart, third); });
  for (int i = 0; i < 5; ++i) frame();
  first->Cancel();
  require(first->is_over && !one.is_over, "cancelled");
  while (!third.is_over) frame();
  require(subsystem->Count() == 0 && !one.is_over && third.texture->width == 32, "the others");

  // The sample, which is destroyed while it draws.
  ADrawnSurface *surface = new ADrawnSurface;
  surface->Settings = heart;
  surface->BeginPlay();
  while (surface->Share < 1.0f) frame();
  frame();
  require(surface->Mesh->material->texture != nullptr, "the sample's texture");
  surface->Settings = longer;
  surface->Draw();
  frame();
  surface->EndPlay(EEndPlayReason::Destroyed);
  require(subsystem->Count() == 0, "the sample's drawing");

  // The game ends in the middle of it.
  Heard last;
  node(&world, longer, last);
  for (int i = 0; i < 3; ++i) frame();
  const auto start = std::chrono::steady_clock::now();
  subsystem->Deinitialize();
  std::printf("a game that ends waits %.1f ms\n", std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  frame();
  require(subsystem->Count() == 0 && !last.is_over, "after its end");
  module.ShutdownModule();
  std::printf("all of it holds\n");
  return 0;
}
