// Draws a sprite without a thread, within the frames of a game that is saved and loaded:  frames MODEL.onnx
#include <diffuse.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>

/// As many steps as are expected to fit into four milliseconds, and at least one; true with the last.
static bool in_a_frame(diffuse::Job &job) {
  const std::uint64_t budget = 4000, step = job.expected();  // microseconds; 0 before the first step
  return job.advance(std::max(budget, step));
}

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: frames MODEL.onnx\n");
    return 2;
  }
  const auto model = diffuse::Model::open(diffuse::Runtime::open(), argv[1]);
  diffuse::Request request;
  request.class_name("heart");
  request.seed(7);
  request.set("steps", 20);

  auto job = diffuse::Job::make(model, request);
  int frames = 1;
  in_a_frame(job);
  const std::vector<std::uint8_t> saved = job.snapshot();
  auto loaded = diffuse::Job::make(model, request);
  loaded.restore(saved);
  for (; !in_a_frame(loaded); ++frames) {
  }

  job.run();
  std::printf("%d frames, %s\n", frames + 1, job.read() == loaded.read() ? "the same bits" : "other bits");
  return job.read() == loaded.read() ? 0 : 1;
} catch (const std::exception &error) {
  std::fprintf(stderr, "frames: %s\n", error.what());
  return 1;
}
