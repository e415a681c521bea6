/* Draws what the tests of the engines draw, for comparison: a heart from a model's file, a fox from a folder.
 * picture MODEL OUTPUT; the output is rows of RGBA, without a header. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diffuse.h"

static void check(int32_t status) {
  if (status == DIFFUSE_OK) return;
  fprintf(stderr, "%s\n", diffuse_error_message());
  exit(1);
}

int main(int argc, char **argv) {
  diffuse_request *request = NULL;
  diffuse_job *job = NULL;
  size_t axes[4], rank, length;
  uint8_t *pixels;
  FILE *file;
  if (argc != 3) return 2;
  check(diffuse_request_new(&request));
  check(diffuse_request_set_seed(request, 7));
  if (strstr(argv[1], ".onnx")) check(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, "heart"));
  else check(diffuse_request_set_prompt(request, DIFFUSE_ALL_ITEMS, "a fox"));
  check(diffuse_job_open(NULL, argv[1], NULL, request, &job));
  check(diffuse_job_run(job));
  check(diffuse_job_shape(job, axes, 4, &rank));
  length = axes[2] * axes[3] * 4;
  pixels = (uint8_t *)malloc(length);
  check(diffuse_job_read_pixels(job, 0, pixels, length, axes[3] * 4, 0));
  diffuse_job_free(job);
  diffuse_request_free(request);
  file = fopen(argv[2], "wb");
  if (file == NULL || fwrite(pixels, 1, length, file) != length || fclose(file) != 0) return 1;
  free(pixels);
  return 0;
}
