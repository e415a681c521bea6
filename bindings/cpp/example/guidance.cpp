// Guidance and a network of the program's own:  guidance MODEL.onnx
#include <diffuse.hpp>

#include <cmath>
#include <cstdio>

/// Draws a heart whose every estimate is brought to a palette.
static std::vector<float> with_a_palette(const diffuse::Model &model) {
  diffuse::Request request;
  request.class_name("heart");
  request.guidance([](const diffuse::Estimate &, float *denoised, std::size_t length) -> std::string {
    for (std::size_t i = 0; i < length; ++i) denoised[i] = std::round(denoised[i] * 4) / 4;
    return "";
  });
  auto job = diffuse::Job::make(model, request);
  job.run();
  return job.read();
}

/// Points that are normally distributed around a mean, by a formula in place of a network.
static std::vector<float> normal_points() {
  const char *const manifest =
      "{\"diffuse\": 1, \"sample\": {\"shape\": [1]}, \"prediction\": \"x0\","
      " \"schedule\": {\"kind\": \"cosine\", \"train_steps\": 1000}, \"conditions\": {\"mean\": {\"shape\": []}}}";
  const auto network = [](const diffuse::Estimate &estimate, float *output, std::size_t length) -> std::string {
    const float *x = estimate.x();
    const double *mean = estimate.condition("mean").as<double>();
    double t, alpha, sigma;
    estimate.level(t, alpha, sigma);
    for (std::size_t i = 0; i < length; ++i) {
      const double share = alpha / (alpha * alpha + sigma * sigma);
      output[i] = static_cast<float>(mean[i] + share * (x[i] - alpha * mean[i]));
    }
    return "";
  };
  const auto model = diffuse::Model::open(manifest, network);
  diffuse::Request request;
  request.count(1000);
  request.condition("mean", 5.0);  // one number for every item
  request.set("steps", 50);
  auto job = diffuse::Job::make(model, request);
  job.run();
  return job.read();
}

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: guidance MODEL.onnx\n");
    return 2;
  }
  int off = 0;
  for (const float value : with_a_palette(diffuse::Model::open(diffuse::Runtime::open(), argv[1]))) {
    if (std::round(value * 4) / 4 != value) ++off;
  }
  double mean = 0;
  for (const float value : normal_points()) mean += static_cast<double>(value) / 1000;
  std::printf("%d values off the palette, mean %.1f\n", off, mean);
  return off == 0 && std::fabs(mean - 5) < 0.2 ? 0 : 1;
} catch (const diffuse::Error &error) {
  // DIFFUSE_IO: the file, and the number that the system gave.
  if (error.status() == DIFFUSE_IO) std::fprintf(stderr, "%s: %d\n", error.path().c_str(), error.number());
  std::fprintf(stderr, "%s: %s\n", diffuse_status_name(error.status()), error.what());
  return 1;
}
