/* Guidance by the host: a texture that can be laid beside itself without a seam.
 *
 *     tileable MODEL.onnx OUTPUT.ppm
 *
 * A run starts from a picture that is red on the left and blue on the right. At every step the host's callback mixes
 * what lies near an edge with what lies as near to the opposite one, so that the two edges become one and the model
 * draws what fits both. */
#include <stdio.h>
#include <stdlib.h>

#include "diffuse.h"

enum { SIZE = 32, CHANNELS = 4, SEAM = 8 };

/* Mixes `a`, which is `distance` pixels from its edge, with `b` at the other: half and half at the edge, not at all
 * SEAM pixels from it. */
static void mix(float *a, float *b, int distance) {
  float share = 0.5f * (float)(SEAM - distance) / (float)SEAM, mean = *a + share * (*b - *a);
  *b += share * (*a - *b);
  *a = mean;
}

static int32_t close_the_seam(const diffuse_estimate *estimate, float *denoised, size_t length, char *message, size_t capacity,
                              void *user_data) {
  size_t plane, i;
  int d;
  (void)estimate, (void)user_data;
  if (length % (SIZE * SIZE) != 0) {
    snprintf(message, capacity, "the callback is for images of %d by %d", SIZE, SIZE);
    return 1;
  }
  for (plane = 0; plane < length; plane += SIZE * SIZE) {
    float *p = denoised + plane;
    for (i = 0; i < SIZE; ++i) {
      for (d = 0; d < SEAM; ++d) {
        mix(&p[i * SIZE + d], &p[i * SIZE + SIZE - 1 - d], d);
      }
    }
    for (i = 0; i < SIZE; ++i) {
      for (d = 0; d < SEAM; ++d) {
        mix(&p[d * SIZE + i], &p[(SIZE - 1 - d) * SIZE + i], d);
      }
    }
  }
  return 0;
}

static void check(int32_t status) {
  if (status != DIFFUSE_OK) {
    fprintf(stderr, "%s: %s\n", diffuse_status_name(status), diffuse_error_message());
    exit(1);
  }
}

int main(int argc, char **argv) {
  diffuse_runtime *runtime;
  diffuse_model *model;
  diffuse_request *request;
  diffuse_job *job;
  static float picture[CHANNELS * SIZE * SIZE];
  static uint8_t pixels[4 * SIZE * SIZE];
  FILE *file;
  int i;

  if (argc != 3) return 2;
  check(diffuse_runtime_open(NULL, &runtime));
  check(diffuse_model_open(runtime, argv[1], NULL, &model));
  for (i = 0; i < SIZE * SIZE; ++i) {
    float right = (float)(i % SIZE) / (SIZE - 1);
    picture[i] = 1 - 2 * right;
    picture[SIZE * SIZE + i] = -0.5f;
    picture[2 * SIZE * SIZE + i] = 2 * right - 1;
    picture[3 * SIZE * SIZE + i] = 1; /* opaque */
  }
  check(diffuse_request_new(&request));
  check(diffuse_request_set_image(request, picture, CHANNELS * SIZE * SIZE));
  check(diffuse_request_set_seed(request, 3));
  check(diffuse_request_set(request, "strength", "0.6"));
  check(diffuse_request_set_guidance_callback(request, close_the_seam, NULL));
  check(diffuse_job_new(model, request, &job));
  check(diffuse_job_run(job));
  check(diffuse_job_read_pixels(job, 0, pixels, sizeof pixels, 4 * SIZE, 0));

  file = fopen(argv[2], "wb");
  if (file == NULL) return 1;
  fprintf(file, "P6 %d %d 255\n", SIZE, SIZE);
  for (i = 0; i < SIZE * SIZE; ++i) fwrite(&pixels[4 * i], 1, 3, file);
  if (fclose(file) != 0) return 1;
  diffuse_job_free(job);
  diffuse_request_free(request);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  return 0;
}
