// Draws a sprite on a worker, with a bar, into sprite.ppm:  draw MODEL.onnx [CLASS [SEED]]
#include <diffuse.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>

int main(int argc, char **argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: draw MODEL.onnx [CLASS [SEED]]\n");
    return 2;
  }
  // ONNX Runtime is found beside the program or by ORT_DYLIB_PATH; name it to be sure.
  const auto runtime = diffuse::Runtime::open();
  diffuse::Request request;
  request.seed(argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 7);
  const auto model = diffuse::Model::open(runtime, argv[1]);
  if (argc > 2) request.classes({model.class_index(argv[2])});

  auto job = diffuse::Job::make(model, request);
  job.start();
  // A game would do this once in a frame, and draw the preview.
  while (job.wait(16) == DIFFUSE_JOB_RUNNING) {
    const auto stage = job.stage();
    std::fprintf(stderr, "\r%zu of %zu", stage.done, stage.total);
  }
  std::fprintf(stderr, "\n");

  const auto shape = job.shape();  // item, channels, height, width
  const std::size_t height = shape.at(2), width = shape.at(3);
  std::vector<std::uint8_t> pixels(4 * width * height);
  job.read_pixels(0, pixels.data(), pixels.size(), 4 * width);
  std::ofstream file("sprite.ppm", std::ios::binary);
  file << "P6 " << width << ' ' << height << " 255\n";
  for (std::size_t i = 0; i < pixels.size(); i += 4) {
    // On white.
    for (std::size_t c = 0; c < 3; ++c) {
      const int alpha = pixels[i + 3];
      file.put(static_cast<char>((pixels[i + c] * alpha + 255 * (255 - alpha)) / 255));
    }
  }
  return file.flush() ? 0 : 1;
} catch (const std::exception &error) {
  std::fprintf(stderr, "draw: %s\n", error.what());
  return 1;
}
