// Draws a sprite on a worker thread, with a progress line, previews and a time limit:
//
//     first MODEL.onnx [SECONDS]
//
// The picture grows in sprite.ppm. A run that takes longer than SECONDS is cancelled. Default: 60.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <diffuse.hpp>
#include <exception>
#include <fstream>
#include <vector>

constexpr std::size_t size = 32;

void write_picture(const std::vector<std::uint8_t> &pixels) {
  std::ofstream file("sprite.ppm", std::ios::binary);
  file.exceptions(std::ios::failbit | std::ios::badbit);
  file << "P6 " << size << ' ' << size << " 255\n";
  for (auto p = pixels.begin(); p != pixels.end(); p += 4)
    for (int c = 0; c < 3; ++c) file.put(static_cast<char>(255 - (255 - p[c]) * p[3] / 255));  // on white
}

int main(int argc, char **argv) try {
  if (argc < 2) return 2;
  const std::chrono::duration<double> limit(argc > 2 ? std::atof(argv[2]) : 60);
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::uint8_t> pixels(4 * size * size);
  std::uint64_t seen = 0;

  diffuse::Request request;
  request.class_name("heart");
  request.seed(7);
  auto job = diffuse::Job::open(diffuse::Runtime(), argv[1], request);  // opens nothing yet
  job.start();                                                          // a worker opens the model and draws
  while (job.wait(16) == DIFFUSE_JOB_RUNNING) {
    const auto progress = job.stage();
    std::fprintf(stderr, "\rstep %zu of %zu", progress.done, progress.total);
    if (std::chrono::steady_clock::now() - begun >= limit) job.cancel();
    if (job.estimates() != seen) {
      seen = job.estimates();
      job.preview_pixels(0, pixels.data(), pixels.size(), 4 * size);
      write_picture(pixels);
    }
  }
  std::fputc('\n', stderr);
  job.read_pixels(0, pixels.data(), pixels.size(), 4 * size);
  write_picture(pixels);
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
