// The C++ header, with exceptions and without: what it draws, how it fails, and who owns what.
//
//     everything ONNXRUNTIME MODEL.onnx OUTPUT
#include <diffuse.hpp>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>

static void require(bool condition, const char *what) {
  if (!condition) {
    std::fprintf(stderr, "not so: %s (%s)\n", what, diffuse_error_message());
    std::exit(1);
  }
}
#define REQUIRE(condition) require(condition, #condition)

#ifdef DIFFUSE_NO_EXCEPTIONS
template <class T>
static T taken(diffuse::Result<T> result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().what());
  REQUIRE(static_cast<bool>(result));
  return *std::move(result);
}
static void taken(diffuse::Result<void> result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().what());
  REQUIRE(static_cast<bool>(result));
}
#define TAKEN(expression) taken(expression)
#define FAILS(expression, expected)                            \
  do {                                                         \
    auto result = expression;                                  \
    REQUIRE(!result && result.error().status() == (expected)); \
    REQUIRE(result.error().what()[0] != 0);                    \
  } while (0)
#else
#define TAKEN(expression) expression
#define FAILS(expression, expected)                                    \
  do {                                                                 \
    std::int32_t status = DIFFUSE_OK;                                  \
    try {                                                              \
      (void)expression;                                                \
    } catch (const diffuse::Error &error) {                            \
      status = error.what()[0] != 0 ? error.status() : DIFFUSE_OK;     \
    }                                                                  \
    REQUIRE(status == (expected));                                     \
  } while (0)
#endif

int main(int argc, char **argv) {
  using namespace diffuse;
  REQUIRE(argc == 5);
  FAILS(Runtime::open("/nowhere"), DIFFUSE_RUNTIME);
  Runtime runtime = TAKEN(Runtime::open(argv[1]));
  REQUIRE(!runtime.version().empty() && runtime.path().find("onnxruntime") != std::string::npos);
  REQUIRE(runtime.providers().find("cpu") != std::string::npos && version() == DIFFUSE_TEST_VERSION);

  ModelOptions options;
  TAKEN(options.threads(1));
  TAKEN(options.spinning(false));
  TAKEN(options.copy_weights(true));
  FAILS(options.threads(1u << 20), DIFFUSE_ARGUMENT);
  FAILS(Model::open(runtime, "/nowhere.onnx"), DIFFUSE_IO);
#ifdef DIFFUSE_NO_EXCEPTIONS
  {
    const Result<Model> none = Model::open(runtime, "/nowhere.onnx");
    REQUIRE(none.error().path() == "/nowhere.onnx" && none.error().number() == ENOENT);
  }
#else
  try {
    Model::open(runtime, "/nowhere.onnx");
  } catch (const Error &none) {
    REQUIRE(none.path() == "/nowhere.onnx" && none.number() == ENOENT);
  }
#endif
  FAILS(Model::open(runtime, "x", 1), DIFFUSE_MODEL);
  Model model = TAKEN(Model::open(runtime, argv[2], options));
  REQUIRE(model.name() == "sprites" && model.provider() == "cpu" && model.class_count() == 10);
  REQUIRE((TAKEN(model.shape()) == std::vector<std::size_t>{4, 32, 32}));
  REQUIRE(TAKEN(model.sha256()).size() == 64);

  Request request;
  TAKEN(request.seed(7));
  TAKEN(request.classes({TAKEN(model.class_index("heart")), TAKEN(model.class_index("none"))}));
  TAKEN(request.set("solver", "ddim"));
  TAKEN(request.set("eta", 0.5));
  TAKEN(request.set("steps", 6));
  FAILS(request.set("steps", "many"), DIFFUSE_ARGUMENT);
  FAILS(model.class_index("unicorn"), DIFFUSE_ARGUMENT);
  REQUIRE(TAKEN(request.cost(model)).evaluations == 6);

  Job job = TAKEN(Job::make(model, request));
  FAILS(job.preview(), DIFFUSE_NOT_YET);
  REQUIRE(TAKEN(job.expected()) == 0 && !TAKEN(job.step()) && TAKEN(job.expected()) > 0);
  const std::vector<std::uint8_t> snapshot = TAKEN(job.snapshot());
  while (!TAKEN(job.advance(1000000))) {
  }
  const std::vector<float> drawn = TAKEN(job.read());
  REQUIRE((TAKEN(job.shape()) == std::vector<std::size_t>{2, 4, 32, 32}) && drawn.size() == 2 * 4096);
  REQUIRE(TAKEN(job.preview()).size() == drawn.size());

  // What it is moved into frees what was there before.
  job = TAKEN(Job::make(model, request));
  TAKEN(job.restore(snapshot));
  TAKEN(job.start());
  REQUIRE(TAKEN(job.wait()) == DIFFUSE_JOB_FINISHED && TAKEN(job.poll()) == DIFFUSE_JOB_FINISHED);
  REQUIRE(TAKEN(job.read()) == drawn);
  FAILS(job.restore({1, 2, 3}), DIFFUSE_ARGUMENT);
  const Stage stage = TAKEN(job.stage());
  REQUIRE(stage.stage == DIFFUSE_STAGE_SAMPLING && stage.done == 6 && stage.total == 6);

  std::vector<std::uint8_t> pixels(4 * 32 * 32);
  TAKEN(job.read_pixels(1, pixels.data(), pixels.size(), 128, DIFFUSE_BOTTOM_UP));
  const std::vector<float> values = TAKEN(model.values(pixels.data(), pixels.size(), 128, DIFFUSE_BOTTOM_UP));
  TAKEN(request.image(values));
  TAKEN(request.set("strength", 0.5));
  TAKEN(TAKEN(Job::make(model, request)).run());
  TAKEN(request.image({}));

  // Guidance, kept by the job when the request is gone; one that fails, and one that throws.
  std::atomic<int> calls{0};
  {
    Request guided;
    TAKEN(guided.set("steps", 3));
    TAKEN(guided.guidance([&calls](const Estimate &estimate, float *, std::size_t length) -> std::string {
      std::size_t step = 0, items = 0;
      double time = 0, alpha = 0, sigma = 0;
      TAKEN(estimate.step(step, items));
      TAKEN(estimate.level(time, alpha, sigma));
      REQUIRE(items == 1 && length == 4096 && estimate.x() != nullptr && estimate.classes() != nullptr);
      return ++calls == 2 ? "enough" : "";
    }));
    job = TAKEN(Job::make(model, guided));
  }
  FAILS(job.run(), DIFFUSE_CALLBACK);
  REQUIRE(calls == 2 && std::string(job.error().what()).find("enough") != std::string::npos);
  TAKEN(job.run());
  REQUIRE(calls == 4);
#ifndef DIFFUSE_NO_EXCEPTIONS
  TAKEN(request.guidance([](const Estimate &, float *, std::size_t) -> std::string { throw std::runtime_error("lost"); }));
  job = TAKEN(Job::make(model, request));
  FAILS(job.run(), DIFFUSE_CALLBACK);
  REQUIRE(std::string(job.error().what()).find("lost") != std::string::npos);
#endif
  // Running jobs that others take the place of: what they call goes after them.
  for (int round = 0; round < 20; ++round) {
    Request guided;
    auto values = std::make_shared<std::vector<float>>(4096, 1.0f);
    TAKEN(guided.guidance([values](const Estimate &, float *denoised, std::size_t length) -> std::string {
      for (std::size_t i = 0; i < length; ++i) denoised[i] *= (*values)[i];
      return "";
    }));
    TAKEN(guided.set("steps", 1000));
    job = TAKEN(Job::make(model, guided));
    TAKEN(job.start());
    while (TAKEN(job.stage()).done == 0) {
    }
  }
  job = Job();

  // A classifier of the host's, kept by the job when it and the request are gone, and a network that destroys the job
  // that guidance would be called in.
  {
    const char *const classifying =
        "{\"diffuse\": 1, \"sample\": {\"shape\": [2]}, \"prediction\": \"class_gradient\", \"classes\": {\"count\": 2},"
        " \"schedule\": {\"kind\": \"cosine\", \"train_steps\": 100}}";
    const char *const plain =
        "{\"diffuse\": 1, \"sample\": {\"shape\": [2]}, \"prediction\": \"x0\","
        " \"schedule\": {\"kind\": \"cosine\", \"train_steps\": 100}}";
    auto led = std::make_shared<Job>();
    std::atomic<int> guided{0};
    {
      auto grows = std::make_shared<std::vector<float>>(2, 0.5f);
      Request request_of_points;
      Model classifier = TAKEN(Model::open(classifying, [grows](const Estimate &, float *output, std::size_t length) {
        for (std::size_t i = 0; i < length; ++i) output[i] = (*grows)[i % 2];
        return std::string();
      }));
      TAKEN(request_of_points.classifier(classifier, {1}));
      Model points = TAKEN(Model::open(plain, [grows](const Estimate &estimate, float *output, std::size_t length) {
        REQUIRE((TAKEN(estimate.shape()) == std::vector<std::size_t>{1, 2}));
        for (std::size_t i = 0; i < length; ++i) output[i] = (*grows)[i % 2];
        return std::string();
      }));
      *led = TAKEN(Job::make(points, request_of_points));
    }
    TAKEN(led->run());
    {
      Request both;
      TAKEN(both.guidance([&guided](const Estimate &, float *, std::size_t) -> std::string {
        ++guided;
        return "";
      }));
      Model ending = TAKEN(Model::open(plain, [led](const Estimate &, float *output, std::size_t length) {
        for (std::size_t i = 0; i < length; ++i) output[i] = 0;
        *led = Job();
        return std::string();
      }));
      *led = TAKEN(Job::make(ending, both));
    }
    // The handle is gone with the step that it ends.
    FAILS(led->step(), DIFFUSE_CANCELLED);
    REQUIRE(guided == 0);
  }

  // One that destroys its own job, and with it the last owner of itself.
  auto own = std::make_shared<Job>();
  {
    Request guided;
    TAKEN(guided.guidance([&own, &calls](const Estimate &, float *, std::size_t) -> std::string {
      *own = Job();
      ++calls;
      return "";
    }));
    *own = TAKEN(Job::make(model, guided));
  }
  TAKEN(own->start());
  while (calls < 5) {
  }

  // A network of the host's, kept by its jobs when the model is gone.
  Job of_host;
  {
    const std::string manifest =
        "{\"diffuse\": 1, \"sample\": {\"shape\": [2]}, \"prediction\": \"x0\","
        " \"schedule\": {\"kind\": \"cosine\", \"train_steps\": 100}}";
    Model host = TAKEN(Model::open(manifest, [](const Estimate &estimate, float *output, std::size_t length) {
      std::size_t seen = 0;
      const float *input = TAKEN(estimate.input(seen));
      REQUIRE(seen == length && input == estimate.x() && TAKEN(estimate.time()) >= 0 && !TAKEN(estimate.is_cancelled()));
      for (std::size_t i = 0; i < length; ++i) output[i] = 0.25f;
      return std::string();
    }));
    REQUIRE(host.provider() == "host");
    of_host = TAKEN(Job::make(host, Request()));
  }
  TAKEN(of_host.run());
  REQUIRE((TAKEN(of_host.read()) == std::vector<float>{0.25f, 0.25f}));

  // Conditions of every type, and a size that one of them says.
  {
    const std::string manifest =
        "{\"diffuse\": 1, \"sample\": {\"shape\": [2, \"T\"]}, \"prediction\": \"x0\","
        " \"schedule\": {\"kind\": \"cosine\", \"train_steps\": 100}, \"conditions\": {\"text\": {\"shape\": [3, \"T\"]},"
        " \"speaker\": {\"shape\": []}, \"mask\": {\"shape\": [\"T\"]}, \"all\": {\"shape\": [2], \"batch\": false}}}";
    std::vector<Condition> seen;
    Model host = TAKEN(Model::open(manifest, [&seen](const Estimate &estimate, float *output, std::size_t length) {
      seen.clear();
      for (const char *name : {"text", "speaker", "mask", "all"}) seen.push_back(TAKEN(estimate.condition(name)));
      FAILS(estimate.condition("image"), DIFFUSE_ARGUMENT);
      const double *text = seen[0].as<double>();
      REQUIRE(text != nullptr && seen[0].as<float>() == nullptr && seen[0].as<std::int64_t>() == nullptr);
      for (std::size_t i = 0; i < length; ++i) output[i] = static_cast<float>(text[i % 6]);
      return std::string();
    }));
    REQUIRE((TAKEN(host.shape()) == std::vector<std::size_t>{2, 0}));
    Request told;
    TAKEN(told.count(2));
    FAILS(Job::make(host, told), DIFFUSE_ARGUMENT);
    TAKEN(told.condition("text", std::vector<double>{0.25, 0.5, 0.75, 1, 1.25, 1.5}, {3, 2}));
    TAKEN(told.condition("speaker", std::vector<std::uint16_t>{7, 8}));
    TAKEN(told.condition("mask", std::vector<bool>{true, false}));
    TAKEN(told.condition("all", {1.5f, 2.5f}));
    job = TAKEN(Job::make(host, told));
    TAKEN(job.run());
    REQUIRE((TAKEN(job.shape()) == std::vector<std::size_t>{2, 2, 2}) && TAKEN(job.read())[1] == 0.5f);
    REQUIRE((seen[0].shape == std::vector<std::size_t>{2, 3, 2}));
    REQUIRE((seen[1].shape == std::vector<std::size_t>{2}) && seen[1].element == DIFFUSE_ELEMENT_I64);
    REQUIRE((seen[2].shape == std::vector<std::size_t>{2, 2}) && seen[2].element == DIFFUSE_ELEMENT_I64);
    REQUIRE((seen[3].shape == std::vector<std::size_t>{2}) && seen[3].element == DIFFUSE_ELEMENT_F32);
    // Halves, one number, and what does not fit; none takes it back.
    const std::uint16_t one_and_two[] = {0x3c00, 0x4000};
    TAKEN(told.condition("all", DIFFUSE_ELEMENT_F16, one_and_two, {2}));
    TAKEN(told.condition("speaker", -3));
    const std::vector<float> x(8, 0.5f);
    REQUIRE(TAKEN(host.denoise(told, x, 2, 50, 0.7, 0.7))[7] == 0.5f);
    REQUIRE(TAKEN(host.add_noise(told, x, 2, 50, 1)).size() == 8);
    FAILS(host.add_noise(x, 2, 50, 1), DIFFUSE_ARGUMENT);
    FAILS(told.condition("text", std::vector<float>(6), {3, 3}), DIFFUSE_ARGUMENT);
    FAILS(told.condition("text", std::vector<float>(6), {6, 0}), DIFFUSE_ARGUMENT);
    FAILS(told.condition("text", std::vector<float>(6), {SIZE_MAX, 2}), DIFFUSE_ARGUMENT);
    FAILS(told.condition("text", 99, x.data(), {2}), DIFFUSE_ARGUMENT);
    TAKEN(told.condition("speaker", {}));
    FAILS(host.denoise(told, x, 2, 50, 0.7, 0.7), DIFFUSE_ARGUMENT);
  }

  // Opened on the worker, cancelled there, and gone while it runs.
  Job opened = TAKEN(Job::open(runtime, argv[2], request));
  FAILS(opened.shape(), DIFFUSE_NOT_YET);
  TAKEN(opened.start());
  TAKEN(opened.cancel());
  FAILS(opened.wait(), DIFFUSE_CANCELLED);
  TAKEN(request.guidance(nullptr));
  opened = TAKEN(Job::open(runtime, argv[2], request));
  TAKEN(opened.start());

  // A plugin opens nothing itself, names classes, and uploads what is new.
  {
    FAILS(Runtime::of_host(nullptr), DIFFUSE_RUNTIME);
    REQUIRE(diffuse::options().find("\"name\":\"guidance_scale\"") != std::string::npos);
    const auto kept = std::make_shared<int>(0);
    Request named;
    TAKEN(named.class_name("heart"));
    TAKEN(named.set("guidance_scale", 3));
    TAKEN(named.negative_class_name("sword", 0));
    TAKEN(named.set("steps", 3));
    TAKEN(named.set("eta", 0.5));
    TAKEN(named.unset("eta"));
    FAILS(named.unset("no such option"), DIFFUSE_ARGUMENT);
    TAKEN(named.guidance([kept](const Estimate &, float *, std::size_t) -> std::string { return ++*kept, ""; }));
    Job own = TAKEN(Job::open(Runtime(), argv[2], named));
    TAKEN(named.guidance(nullptr));
    FAILS(own.model(), DIFFUSE_NOT_YET);
    TAKEN(own.run());
    REQUIRE(TAKEN(own.estimates()) == 3 && *kept == 3 && kept.use_count() == 2);
    const Model found = TAKEN(own.model());
    own = TAKEN(Job::open(runtime, argv[2]));
    REQUIRE(kept.use_count() == 1);
    TAKEN(own.run());
    REQUIRE(TAKEN(own.model()).classes() == found.classes() && found.classes().find("\"heart\"") != std::string::npos);
    // What a callback holds may be a model, which goes with it, whoever is the last to let go.
    auto held = std::make_shared<Model>(TAKEN(Model::open(runtime, argv[2])));
    const std::weak_ptr<Model> watched = held;
    TAKEN(named.guidance([held](const Estimate &, float *, std::size_t) -> std::string { return ""; }));
    own = TAKEN(Job::make(*held, named));
    held.reset();
    TAKEN(named.guidance(nullptr));
    TAKEN(own.start());
    REQUIRE(!watched.expired());
    own = Job();
    REQUIRE(watched.expired());
  }

  // What was moved from, or never made, is refused and not used.
  Request moved = std::move(request);
  FAILS(request.seed(1), DIFFUSE_ARGUMENT);
  FAILS(Job::make(model, request), DIFFUSE_ARGUMENT);
  FAILS(model.denoise(request, drawn, 2, 500, 0.7, 0.7), DIFFUSE_ARGUMENT);
  FAILS(model.add_noise(request, drawn, 2, 500, 0), DIFFUSE_ARGUMENT);
  FAILS(model.log_density(request, drawn, 2, 1, 1e-3, 0), DIFFUSE_ARGUMENT);
  FAILS(model.variational_bound(request, drawn, 2, "posterior", 0), DIFFUSE_ARGUMENT);
  FAILS(Job().step(), DIFFUSE_ARGUMENT);
  TAKEN(model.trim());

  // What was cancelled stays so, and belongs to the calls that it was handed to.
  {
    Cancel cancel;
    TAKEN(options.cancel(&cancel));
    TAKEN(Model::open(runtime, argv[2], options));
    TAKEN(model.trim(&cancel));
    TAKEN(cancel.cancel());
    FAILS(model.trim(&cancel), DIFFUSE_CANCELLED);
    FAILS(model.denoise(moved, drawn, 2, 500, 0.7, 0.7, &cancel), DIFFUSE_CANCELLED);
    FAILS(model.denoise(drawn, 2, 500, 0.7, 0.7, &cancel), DIFFUSE_CANCELLED);
    FAILS(model.log_density(moved, drawn, 2, 1, 1e-3, 0, &cancel), DIFFUSE_CANCELLED);
    FAILS(model.log_density(drawn, 2, 1, 1e-3, 0, &cancel), DIFFUSE_CANCELLED);
    FAILS(model.variational_bound(moved, drawn, 2, "posterior", 0, &cancel), DIFFUSE_CANCELLED);
    FAILS(model.variational_bound(drawn, 2, "posterior", 0, &cancel), DIFFUSE_CANCELLED);
    FAILS(moved.cost(model, &cancel), DIFFUSE_CANCELLED);
    FAILS(Model::open(runtime, argv[2], options), DIFFUSE_CANCELLED);
  }
  FAILS(Model::open(runtime, argv[2], options), DIFFUSE_CANCELLED);
  TAKEN(options.cancel(nullptr));
  TAKEN(Model::open(runtime, argv[2], options));
  const std::vector<float> noisy = TAKEN(model.add_noise(drawn, 2, 500, 1));
  REQUIRE(noisy.size() == drawn.size() && TAKEN(model.add_noise(moved, drawn, 2, 500, 1)) == noisy);
  const std::vector<float> denoised = TAKEN(model.denoise(moved, noisy, 2, 500, 0.7, 0.7));
  REQUIRE(denoised.size() == drawn.size() && TAKEN(model.denoise(noisy, 2, 500, 0.7, 0.7)) != denoised);
  TAKEN(moved.classes({1}));
  FAILS(model.denoise(moved, noisy, 2, 500, 0.7, 0.7), DIFFUSE_ARGUMENT);

  // A model of several parts: from its folder, and from the bytes of its files.
  {
    const std::string folder = argv[4];
    std::vector<std::pair<std::string, std::vector<std::uint8_t>>> files;
    for (const char *name :
         {"model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json", "text_encoder/model.onnx",
          "tokenizer/merges.txt", "tokenizer/tokenizer_config.json", "tokenizer/vocab.json", "unet/config.json",
          "unet/model.onnx", "vae_decoder/config.json", "vae_decoder/model.onnx"}) {
      std::ifstream file(folder + "/" + name, std::ios::binary);
      REQUIRE(file.good());
      files.emplace_back(name, std::vector<std::uint8_t>(std::istreambuf_iterator<char>(file), {}));
    }
    ModelOptions staged;
    TAKEN(staged.memory("stage"));
    FAILS(staged.memory("all"), DIFFUSE_ARGUMENT);
    const Model painter = TAKEN(Model::open(runtime, folder, staged)), same = TAKEN(Model::open(runtime, files));
    Request painting;
    TAKEN(painting.prompt("a cat"));
    TAKEN(painting.negative_prompt("blurry"));
    TAKEN(painting.prompt("a dog", 1));
    TAKEN(painting.count(2));
    for (const char *side : {"width", "height"}) TAKEN(painting.set(side, 64));
    TAKEN(painting.set("steps", 2));
    Job first = TAKEN(Job::make(painter, painting)), second = TAKEN(Job::make(same, painting));
    FAILS(first.latents(), DIFFUSE_NOT_YET);
    TAKEN(first.run());
    TAKEN(second.run());
    REQUIRE((TAKEN(first.shape()) == std::vector<std::size_t>{2, 3, 64, 64}));
    REQUIRE(TAKEN(first.read()) == TAKEN(second.read()) && TAKEN(first.latents()) == TAKEN(second.latents()));
    const std::vector<float> vectors(2 * 5 * 32, 0.5f);
    FAILS(painting.embeddings(vectors, 2, 7), DIFFUSE_ARGUMENT);
    FAILS(painting.embeddings(vectors, 3, 5), DIFFUSE_ARGUMENT);
    FAILS(painting.embeddings(vectors, 2, 5, {1, 2, 3}), DIFFUSE_ARGUMENT);
    TAKEN(painting.embeddings(vectors, 2, 5));
    Job third = TAKEN(Job::make(painter, painting));
    TAKEN(third.run());
    REQUIRE(TAKEN(third.read()) != TAKEN(first.read()));
    TAKEN(painting.embeddings({}, 0, 0));
    third = TAKEN(Job::make(painter, painting));
    TAKEN(third.run());
    REQUIRE(TAKEN(third.read()) == TAKEN(first.read()));
  }

  std::ofstream(argv[3], std::ios::binary)
      .write(reinterpret_cast<const char *>(drawn.data()), static_cast<std::streamsize>(drawn.size() * sizeof(float)));
  return 0;
}
