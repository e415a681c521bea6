// As picture.c, in C++: picture MODEL OUTPUT.
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

#include "diffuse.hpp"

int main(int argc, char **argv) try {
  if (argc != 3) return 2;
  const std::string path = argv[1];
  diffuse::Request request;
  request.seed(7);
  if (path.find(".onnx") != std::string::npos) request.class_name("heart");
  else request.prompt("a fox");
  auto job = diffuse::Job::open(diffuse::Runtime(), path, request);
  job.run();
  const auto shape = job.shape();
  std::vector<std::uint8_t> pixels(4 * shape.at(2) * shape.at(3));
  job.read_pixels(0, pixels.data(), pixels.size(), 4 * shape.at(3));
  std::ofstream file(argv[2], std::ios::binary);
  file.write(reinterpret_cast<const char *>(pixels.data()), static_cast<std::streamsize>(pixels.size()));
  return file.flush() ? 0 : 1;
} catch (const std::exception &error) {
  std::fprintf(stderr, "picture: %s\n", error.what());
  return 1;
}
