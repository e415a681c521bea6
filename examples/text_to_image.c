/* Draws what a prompt describes into picture.ppm, from a folder of a pipeline:
 *
 *     text_to_image FOLDER "PROMPT" [NEGATIVE PROMPT]
 *
 * A step is one evaluation: of a text encoder, of the predictor, or of a tile of the decoder. */
#include <diffuse.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int32_t status) {
  if (status == DIFFUSE_OK) return;
  fprintf(stderr, "%s: %s\n", diffuse_status_name(status), diffuse_error_message());
  exit(1);
}

int main(int argc, char **argv) {
  static const char *const stages[] = {"loading", "encoding", "sampling", "decoding"};
  diffuse_runtime *runtime;
  diffuse_model_options *options;
  diffuse_model *model;
  diffuse_request *request;
  diffuse_job *job;
  size_t shape[4], rank, done, total, i;
  int32_t finished = 0, stage;

  if (argc < 3) return 2;
  check(diffuse_runtime_open(NULL, &runtime));
  check(diffuse_model_options_new(&options));
  check(diffuse_model_options_set_memory(options, "stage")); /* one part of the pipeline is in memory at a time */
  check(diffuse_model_open(runtime, argv[1], options, &model));
  check(diffuse_request_new(&request));
  check(diffuse_request_set_prompt(request, DIFFUSE_ALL_ITEMS, argv[2]));
  if (argc > 3) check(diffuse_request_set_negative_prompt(request, DIFFUSE_ALL_ITEMS, argv[3]));
  check(diffuse_request_set_seed(request, 7));
  check(diffuse_job_new(model, request, &job));
  while (!finished) {
    check(diffuse_job_step(job, &finished));
    check(diffuse_job_stage(job, &stage, &done, &total));
    fprintf(stderr, "\r%s: %zu of %zu   ", stages[stage], done, total);
  }
  fputc('\n', stderr);

  check(diffuse_job_shape(job, shape, 4, &rank)); /* item, channels, height, width */
  size_t height = shape[2], width = shape[3], length = 4 * width * height;
  uint8_t *pixels = malloc(length);
  if (pixels == NULL) return 1;
  check(diffuse_job_read_pixels(job, 0, pixels, length, 4 * width, 0));
  FILE *file = fopen("picture.ppm", "wb");
  if (file == NULL) return 1;
  fprintf(file, "P6 %zu %zu 255\n", width, height);
  for (i = 0; i < length; i += 4) fwrite(pixels + i, 1, 3, file);
  if (fclose(file) != 0) return 1;
  free(pixels);
  diffuse_job_free(job);
  diffuse_request_free(request);
  diffuse_model_free(model);
  diffuse_model_options_free(options);
  diffuse_runtime_free(runtime);
  return 0;
}
