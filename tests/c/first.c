/* Draws one sprite into sprite.ppm: first sprites.onnx. The README says how it is built. */
#include <stdio.h>

#include <diffuse.h>

static int failed(int32_t status) {
  if (status != DIFFUSE_OK) fprintf(stderr, "%s\n", diffuse_error_message());
  return status != DIFFUSE_OK;
}

int main(int argc, char **argv) {
  diffuse_runtime *runtime = NULL;
  diffuse_model *model = NULL;
  diffuse_request *request = NULL;
  diffuse_job *job = NULL;
  int64_t heart;
  uint8_t pixels[32 * 32 * 4];
  FILE *file;
  int i;

  if (argc < 2 || failed(diffuse_runtime_open(NULL, &runtime)) ||
      failed(diffuse_model_open(runtime, argv[1], NULL, &model)) || failed(diffuse_model_class(model, "heart", &heart)) ||
      failed(diffuse_request_new(&request)) || failed(diffuse_request_set_classes(request, &heart, 1)) ||
      failed(diffuse_request_set_seed(request, 7)) || failed(diffuse_job_new(model, request, &job)) ||
      failed(diffuse_job_run(job)) || failed(diffuse_job_read_pixels(job, 0, pixels, sizeof pixels, 32 * 4, 0)))
    return 1;

  file = fopen("sprite.ppm", "wb");
  if (file == NULL) return 1;
  fprintf(file, "P6 32 32 255\n");
  for (i = 0; i < 32 * 32; i++) fwrite(pixels + 4 * i, 1, 3, file);
  diffuse_job_free(job);
  diffuse_request_free(request);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  return fclose(file) != 0;
}
