/* All that a host sees of it is plugin_draw(). */
#include <diffuse.h>
#include <stdio.h>

#define STEP(call)                                              \
  if (status == DIFFUSE_OK) {                                   \
    status = (call);                                            \
    if (status != DIFFUSE_OK) fprintf(stderr, "%s: %s\n", #call, diffuse_error_message()); \
  }

/* Draws a heart of 32 by 32 pixels; 0 is success. */
__attribute__((visibility("default"))) int plugin_draw(const char *path, uint8_t *pixels) {
  diffuse_request *request = NULL;
  diffuse_job *job = NULL;
  int32_t status = DIFFUSE_OK, state;

  STEP(diffuse_request_new(&request))
  STEP(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, "heart"))
  STEP(diffuse_request_set_number(request, "steps", 4))
  STEP(diffuse_job_open(NULL, path, NULL, request, &job))
  STEP(diffuse_job_start(job))
  STEP(diffuse_job_wait(job, UINT64_MAX, &state))
  STEP(diffuse_job_read_pixels(job, 0, pixels, 4 * 32 * 32, 4 * 32, 0))
  diffuse_job_free(job);
  diffuse_request_free(request);
  return status;
}
