/* Draws a sprite on a worker thread, with a progress line, previews and a time limit:
 *
 *     first MODEL.onnx [SECONDS]
 *
 * The picture grows in sprite.ppm. A run that takes longer than SECONDS is cancelled. Default: 60. */
#include <diffuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SIZE = 32 };

static int check(int32_t status) {
  if (status != DIFFUSE_OK) fprintf(stderr, "%s\n", diffuse_error_message());
  return status == DIFFUSE_OK;
}

static void write_picture(const uint8_t *pixels) {
  FILE *file = fopen("sprite.ppm", "wb");
  if (file == NULL) exit(1);
  fprintf(file, "P6 %d %d 255\n", SIZE, SIZE);
  for (const uint8_t *p = pixels; p < pixels + 4 * SIZE * SIZE; p += 4)
    for (int c = 0; c < 3; c++) fputc(255 - (255 - p[c]) * p[3] / 255, file); /* on white */
  if (fclose(file) != 0) exit(1);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  double seconds = argc > 2 ? atof(argv[2]) : 60;
  time_t begun = time(NULL);
  uint8_t pixels[4 * SIZE * SIZE];
  uint64_t seen = 0, estimates = 0;
  size_t done, steps;
  int32_t state = DIFFUSE_JOB_RUNNING, status = DIFFUSE_OK;
  diffuse_request *request;
  diffuse_job *job;

  if (!check(diffuse_request_new(&request))) return 1;
  if (!check(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, "heart"))) return 1;
  if (!check(diffuse_request_set_seed(request, 7))) return 1;
  if (!check(diffuse_job_open(NULL, argv[1], NULL, request, &job))) return 1; /* opens nothing yet */
  if (!check(diffuse_job_start(job))) return 1;                               /* a worker opens the model and draws */
  while (state == DIFFUSE_JOB_RUNNING && status == DIFFUSE_OK) {
    status = diffuse_job_wait(job, 16, &state);
    diffuse_job_progress(job, &done, &steps);
    fprintf(stderr, "\rstep %zu of %zu", done, steps);
    if (difftime(time(NULL), begun) >= seconds) diffuse_job_cancel(job);
    diffuse_job_estimates(job, &estimates);
    if (estimates != seen && diffuse_job_preview_pixels(job, 0, pixels, sizeof pixels, 4 * SIZE, 0) == DIFFUSE_OK) {
      write_picture(pixels);
      seen = estimates;
    }
  }
  fputc('\n', stderr);
  if (!check(status) || !check(diffuse_job_read_pixels(job, 0, pixels, sizeof pixels, 4 * SIZE, 0))) return 1;
  write_picture(pixels);
  diffuse_job_free(job);
  diffuse_request_free(request);
  return 0;
}
