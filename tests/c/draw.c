/* The scenario that tests/all/c_abi.rs runs through Rust as well: both have to draw the same bytes.
 *
 *     draw ONNXRUNTIME MODEL.onnx OUTPUT
 *
 * OUTPUT gets the values of all items, then the pixels of item 1 in three layouts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diffuse.h"

static void check(int32_t status, const char *call) {
  if (status != DIFFUSE_OK) {
    fprintf(stderr, "%s: %s: %s\n", call, diffuse_status_name(status), diffuse_error_message());
    exit(1);
  }
}
#define CHECK(call) check(call, #call)

static void require(int condition, const char *what) {
  if (!condition) {
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
  }
}
#define REQUIRE(condition) require(condition, #condition)

int main(int argc, char **argv) {
  diffuse_runtime *runtime = NULL;
  diffuse_model *model = NULL;
  diffuse_request *request = NULL;
  diffuse_job *job = NULL;
  int64_t classes[2];
  size_t axes[4], rank = 0, step = 0, steps = 0, length;
  int32_t finished = 0;
  float *values, *preview;
  uint8_t *pixels;
  FILE *output;

  REQUIRE(argc == 4);
  REQUIRE(diffuse_version_number() == DIFFUSE_VERSION);
  CHECK(diffuse_runtime_open(argv[1], &runtime));
  CHECK(diffuse_model_open(runtime, argv[2], NULL, &model));
  REQUIRE(strcmp(diffuse_model_name(model), "sprites") == 0);
  REQUIRE(diffuse_model_class_count(model) == 10);
  CHECK(diffuse_model_class(model, "heart", &classes[0]));
  CHECK(diffuse_model_class(model, "none", &classes[1]));

  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set_seed(request, 7));
  CHECK(diffuse_request_set_classes(request, classes, 2));
  CHECK(diffuse_request_set(request, "solver", "ddim"));
  CHECK(diffuse_request_set_number(request, "eta", 0.5));
  CHECK(diffuse_request_set_number(request, "steps", 6));
  CHECK(diffuse_job_new(model, request, &job));
  /* A job keeps what it needs. */
  diffuse_request_free(request);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);

  CHECK(diffuse_job_shape(job, axes, 4, &rank));
  REQUIRE(rank == 4 && axes[0] == 2 && axes[1] == 4 && axes[2] == 32 && axes[3] == 32);
  length = axes[0] * axes[1] * axes[2] * axes[3];
  values = (float *)calloc(length, sizeof *values);
  preview = (float *)calloc(length, sizeof *preview);
  pixels = (uint8_t *)calloc(32 * 160, 1);
  REQUIRE(values != NULL && preview != NULL && pixels != NULL);

  REQUIRE(diffuse_job_preview(job, preview, length) == DIFFUSE_NOT_YET);
  while (!finished) {
    CHECK(diffuse_job_step(job, &finished));
    CHECK(diffuse_job_progress(job, &step, &steps));
    REQUIRE(steps == 6 && finished == (step == steps));
  }
  CHECK(diffuse_job_run(job));
  CHECK(diffuse_job_read(job, values, length));
  CHECK(diffuse_job_preview(job, preview, length));
  /* The last step goes onto the estimate itself. */
  REQUIRE(memcmp(values, preview, length * sizeof *values) == 0);

  output = fopen(argv[3], "wb");
  REQUIRE(output != NULL);
  REQUIRE(fwrite(values, sizeof *values, length, output) == length);
  CHECK(diffuse_job_read_pixels(job, 1, pixels, 32 * 128, 128, 0));
  REQUIRE(fwrite(pixels, 1, 32 * 128, output) == 32 * 128);
  CHECK(diffuse_job_read_pixels(job, 1, pixels, 32 * 128, 128, DIFFUSE_BOTTOM_UP));
  REQUIRE(fwrite(pixels, 1, 32 * 128, output) == 32 * 128);
  memset(pixels, 7, 32 * 160);
  CHECK(diffuse_job_read_pixels(job, 1, pixels, 32 * 160, 160, DIFFUSE_BGRA));
  REQUIRE(fwrite(pixels, 1, 32 * 160, output) == 32 * 160);
  REQUIRE(fclose(output) == 0);

  CHECK(diffuse_job_cancel(job));
  REQUIRE(diffuse_job_step(job, &finished) == DIFFUSE_OK); /* it is over: nothing is left to cancel */
  diffuse_job_free(job);
  free(values);
  free(preview);
  free(pixels);
  return 0;
}
