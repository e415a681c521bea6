/* A network of the host's own. This one asks the sprite model, so that what is drawn has to be the same, bit for bit;
 * yours would ask your engine.
 *
 *     host_network ONNXRUNTIME MODEL.onnx */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "require.h"

enum { ITEM = 4 * 32 * 32, COUNT = 2, FOREVER = 600000 };

static int32_t network(const diffuse_estimate *estimate, float *output, size_t length, char *message, size_t capacity,
                       void *user_data) {
  const diffuse_model *model = (const diffuse_model *)user_data;
  double time, t, alpha, sigma;
  size_t step, items, seen;
  const float *input;
  diffuse_request *told;
  int32_t cancelled, status;
  CHECK(diffuse_estimate_time(estimate, &time));
  CHECK(diffuse_estimate_level(estimate, &t, &alpha, &sigma));
  CHECK(diffuse_estimate_step(estimate, &step, &items));
  CHECK(diffuse_estimate_input(estimate, &input, &seen));
  CHECK(diffuse_estimate_is_cancelled(estimate, &cancelled));
  REQUIRE(seen == length && length == items * ITEM && time == (double)(int)time && cancelled == 0);
  REQUIRE(memcmp(input, diffuse_estimate_x(estimate), length * sizeof *input) == 0);
  CHECK(diffuse_request_new(&told));
  CHECK(diffuse_request_set_classes(told, diffuse_estimate_classes(estimate), items));
  status = diffuse_model_denoise(model, told, input, length, items, t, alpha, sigma, NULL, output);
  if (status != DIFFUSE_OK) snprintf(message, capacity, "%s", diffuse_error_message());
  diffuse_request_free(told);
  return status;
}

/* Draws two sprites with `model`, on a worker. */
static void draw(const diffuse_model *model, const diffuse_request *request, float *out) {
  diffuse_job *job;
  int32_t state;
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_start(job));
  CHECK(diffuse_job_wait(job, FOREVER, &state));
  REQUIRE(state == DIFFUSE_JOB_FINISHED);
  CHECK(diffuse_job_read(job, out, (size_t)COUNT * ITEM));
  diffuse_job_free(job);
}

int main(int argc, char **argv) {
  /* What the sprites' own manifest says, for a network that answers with the clean sample. */
  static const char manifest[] =
      "{\"diffuse\": 1, \"sample\": {\"shape\": [4, 32, 32], \"kind\": \"image\", \"range\": [-1, 1]},"
      " \"schedule\": {\"kind\": \"cosine\", \"train_steps\": 1000}, \"prediction\": \"x0\","
      " \"classes\": {\"count\": 10, \"null\": 10}}";
  static const int64_t classes[COUNT] = {3, 8};
  static float expected[COUNT * ITEM], drawn[COUNT * ITEM];
  diffuse_runtime *runtime;
  diffuse_model *model, *own;
  diffuse_request *request;

  REQUIRE(argc == 3);
  CHECK(diffuse_runtime_open(argv[1], &runtime));
  CHECK(diffuse_model_open(runtime, argv[2], NULL, &model));
  CHECK(diffuse_model_open_callback(manifest, network, model, &own));
  REQUIRE(strcmp(diffuse_model_provider(own), "host") == 0);
  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set_classes(request, classes, COUNT));
  CHECK(diffuse_request_set(request, "solver", "dpm-solver"));
  CHECK(diffuse_request_set(request, "steps", "8"));
  CHECK(diffuse_request_set(request, "guidance_scale", "2"));
  draw(model, request, expected);
  draw(own, request, drawn);
  REQUIRE(memcmp(expected, drawn, sizeof expected) == 0);
  diffuse_request_free(request);
  diffuse_model_free(own);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  return 0;
}
