// The plugin's core as a game uses it: core LIBRARY MODELS PIPELINES OUTPUT.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <thread>

#include "DiffuseCore.h"

using diffuse_core::Drawing;
using diffuse_core::Library;
using diffuse_core::Settings;
using diffuse_core::State;
using Clock = std::chrono::steady_clock;

static void require(bool condition, const std::string &what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what.c_str());
  std::exit(1);
}

static void *find(void *library, const char *name) { return dlsym(library, name); }

static std::vector<std::uint8_t> file(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return std::vector<std::uint8_t>(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

/// Plays frames until it is over, and returns the pixels.
static std::vector<std::uint8_t> play(Drawing &drawing, std::vector<double> *times = nullptr, int *uploads = nullptr) {
  std::vector<std::uint8_t> pixels;
  for (;;) {
    const auto start = Clock::now();
    const State state = drawing.tick();
    if (drawing.has_news()) {
      pixels.resize(4 * drawing.width() * drawing.height());
      require(drawing.read(pixels.data(), pixels.size(), 4 * drawing.width()) && !drawing.has_news(), "news to read");
      if (uploads) ++*uploads;
    }
    if (times) times->push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    if (state != State::Drawing) return pixels;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

static void write(const std::string &path, std::vector<std::uint8_t> pixels) {
  for (std::size_t i = 0; i < pixels.size(); i += 4) std::swap(pixels[i], pixels[i + 2]);
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char *>(pixels.data()), static_cast<std::streamsize>(pixels.size()));
}

int main(int count, char **arguments) {
  require(count == 5, "four arguments");
  const std::string models = arguments[2], pipelines = arguments[3], output = arguments[4];
  Library none;
  require(none.load("nowhere.so", nullptr, find).find("Binaries/ThirdParty") != std::string::npos, "no library");
  require(none.options() == "[]", "options of none");
  Drawing without(none);
  require(without.begin(models + "/sprites.onnx", {}) == State::Failed && !without.error().empty(), "drawn by none");
  void *own = dlopen(nullptr, RTLD_NOW);
  require(none.load("the program", own, find).find("has no diffuse_") != std::string::npos, "another library");

  Library library;
  const std::string wrong = library.load(arguments[1], dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL), find);
  require(wrong.empty(), wrong);
  require(library.options().find("guidance_scale") != std::string::npos, "the options");

  Settings heart;
  heart.class_name = "heart";
  std::vector<double> times;
  int uploads = 0;
  Drawing drawing(library);
  require(drawing.tick() == State::Idle && !drawing.read(nullptr, 0, 0), "idle");
  require(drawing.begin(models + "/sprites.onnx", heart) == State::Drawing, drawing.error());
  const auto sprite = play(drawing, &times, &uploads);
  require(drawing.state() == State::Finished && drawing.width() == 32 && drawing.progress() == 1.0f, drawing.error());
  require(drawing.stage() == DIFFUSE_STAGE_SAMPLING && uploads > 1, "uploads");
  write(output + "/sprite.rgba", sprite);
  // From bytes, by the same drawing again.
  const auto bytes = file(models + "/sprites.onnx");
  require(drawing.begin(bytes.data(), bytes.size(), heart) == State::Drawing && play(drawing) == sprite, "from bytes");

  Settings longer = heart;
  longer.options = {{"steps", "400"}};
  times.clear();
  require(drawing.begin(models + "/sprites.onnx", longer) == State::Drawing, drawing.error());
  play(drawing, &times);
  std::sort(times.begin(), times.end());
  std::printf("a frame takes %.0f us (median of %zu, %.0f at most)\n", times[times.size() / 2], times.size(), times.back());

  Settings fox;
  fox.prompt = "a fox";
  fox.memory = "stage";
  require(drawing.begin(pipelines + "/sd", fox) == State::Drawing, drawing.error());
  const auto picture = play(drawing);
  require(drawing.state() == State::Finished && drawing.width() == 64, drawing.error());
  write(output + "/picture.rgba", picture);

  // What is missing is said, at once or by a tick.
  const auto fails = [&](const std::string &path, const Settings &settings, const std::string &said) {
    Drawing lost(library);
    if (lost.begin(path, settings) == State::Drawing) play(lost);
    require(lost.state() == State::Failed && lost.error().find(said) != std::string::npos, said + " in: " + lost.error());
    require(lost.tick() == State::Failed && !lost.has_news() && !lost.read(nullptr, 0, 0), "after a failure");
  };
  fails(models + "/nothing.onnx", heart, "nothing.onnx");
  fails(models, heart, "");
  fails(models + "/swiss_roll.onnx", {}, "no pictures");
  Settings odd = heart;
  odd.options = {{"stepz", "3"}};
  fails(models + "/sprites.onnx", odd, "stepz");
  odd = heart;
  odd.class_name = "no such class";
  fails(models + "/sprites.onnx", odd, "no such class");
  odd = heart;
  odd.providers = {"warp"};
  fails(models + "/sprites.onnx", odd, "warp");
  odd = heart;
  odd.memory = "little";
  fails(models + "/sprites.onnx", odd, "little");
  Drawing empty(library);
  require(empty.begin(nullptr, 0, heart) == State::Failed || (play(empty), empty.state() == State::Failed), "no bytes");

  // Cancelled and destroyed at any moment.
  double most = 0;
  for (int i = 0; i < 12; ++i) {
    auto brief = std::make_unique<Drawing>(library);
    require(brief->begin(models + "/sprites.onnx", longer) == State::Drawing, brief->error());
    for (int frame = 0; frame < i * i; ++frame) {
      brief->tick();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const auto start = Clock::now();
    if (i % 2 == 0) {
      brief->cancel();
      require(brief->state() == State::Idle, "cancelled");
    }
    brief.reset();
    most = std::max(most, std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::printf("cancelled and destroyed within %.1f ms at most\n", most);
  return 0;
}
