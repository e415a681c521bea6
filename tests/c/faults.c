/* Memory that runs out: every large allocation of a run fails once, and each time there is a status, and the library
 * works afterwards.
 *
 *     faults ONNXRUNTIME MODEL.onnx CLASSIFIER.onnx */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "require.h"

/* What is large: the samples of a batch, and what an evaluation of them takes. Small allocations are the standard
 * library's, which ends the process. */
enum { LARGE = 100000, ITEMS = 16, LENGTH = ITEMS * 4 * 32 * 32 };

static atomic_long until = -1;
static atomic_int failed;

static int fails(size_t size) {
  if (size < LARGE || atomic_load(&until) < 0 || atomic_fetch_sub(&until, 1) != 0) return 0;
  atomic_store(&failed, 1);
  errno = ENOMEM;
  return 1;
}

/* The allocator of the process: the C library's, but for what fails. */
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
void *malloc(size_t size) { return fails(size) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails(count * size) ? NULL : __libc_calloc(count, size); }
void *realloc(void *at, size_t size) { return fails(size) ? NULL : __libc_realloc(at, size); }
void *memalign(size_t alignment, size_t size) { return fails(size) ? NULL : __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) {
  void *at = memalign(alignment, size);
  if (at == NULL) return ENOMEM;
  *out = at;
  return 0;
}

static float values[LENGTH], mask[32 * 32], image[4 * 32 * 32];
static int statuses[64];

static int32_t callback(const diffuse_estimate *estimate, float *denoised, size_t length, char *message, size_t capacity, void *user_data) {
  (void)estimate, (void)denoised, (void)length, (void)message, (void)capacity, (void)user_data;
  return 0;
}

/* What a host does; the first status that is not DIFFUSE_OK ends it. */
static int32_t run(diffuse_runtime *runtime, const char *path, const char *classifier, int scenario) {
  static const char *const solvers[] = {"ddpm", "heun", "dpm-solver", "unipc"};
  diffuse_model *model = NULL, *guiding = NULL;
  diffuse_request *request = NULL;
  diffuse_job *job = NULL;
  int64_t classes[ITEMS] = {0};
  uint8_t *bytes = NULL, pixels[4096];
  size_t length;
  int32_t state, finished = 0, status;
  diffuse_cost cost = {sizeof cost, 0, 0, 0, 0, 0, 0};
#define TRY(call) if ((status = (call)) != DIFFUSE_OK) goto end
  TRY(diffuse_model_open(runtime, path, NULL, &model));
  TRY(diffuse_request_new(&request));
  TRY(diffuse_request_set_classes(request, classes, ITEMS));
  TRY(diffuse_request_set(request, "solver", solvers[scenario % 4]));
  TRY(diffuse_request_set(request, "steps", "3"));
  if (scenario % 2 == 1) TRY(diffuse_request_set(request, "guidance_scale", "2"));
  if (scenario == 1) TRY(diffuse_request_set(request, "guidance_form", "apg"));
  if (scenario == 2) {
    TRY(diffuse_model_open(runtime, classifier, NULL, &guiding));
    TRY(diffuse_request_set_classifier(request, guiding, classes, 1));
    TRY(diffuse_request_set(request, "noise", "torch"));
  }
  if (scenario == 3) {
    TRY(diffuse_request_set_image(request, image, 4096));
    TRY(diffuse_request_set_mask(request, mask, 1024));
    TRY(diffuse_request_set(request, "clipping", "dynamic"));
    TRY(diffuse_request_set_guidance_callback(request, callback, NULL));
  }
  TRY(diffuse_job_new(model, request, &job));
  TRY(diffuse_job_step(job, &finished));
  TRY(diffuse_job_snapshot(job, NULL, 0, &length));
  bytes = (uint8_t *)__libc_malloc(length);
  TRY(diffuse_job_snapshot(job, bytes, length, &length));
  TRY(diffuse_job_restore(job, bytes, length));
  TRY(diffuse_job_start(job));
  TRY(diffuse_job_wait(job, 600000, &state));
  TRY(diffuse_job_read(job, values, LENGTH));
  TRY(diffuse_job_preview_pixels(job, ITEMS - 1, pixels, sizeof pixels, 128, 0));
  if (scenario == 0) {
    TRY(diffuse_model_denoise(model, request, values, LENGTH, ITEMS, 500, 0.7, 0.7, NULL, values));
    TRY(diffuse_model_add_noise(model, request, values, LENGTH, ITEMS, 500, 1, values));
    TRY(diffuse_request_cost(request, model, NULL, &cost));
  }
end:
  if (bytes != NULL) free(bytes);
  diffuse_job_free(job);
  diffuse_request_free(request);
  diffuse_model_free(guiding);
  diffuse_model_free(model);
  return status;
}

int main(int argc, char **argv) {
  diffuse_runtime *runtime;
  int scenario, i;
  REQUIRE(argc == 4);
  for (i = 0; i < 1024; ++i) mask[i] = i % 2 ? 1.0f : 0.0f;
  CHECK(diffuse_runtime_open(argv[1], &runtime));
  for (scenario = 0; scenario < 4; ++scenario) {
    long place = 0;
    CHECK(run(runtime, argv[2], argv[3], scenario));
    do {
      int32_t status;
      atomic_store(&failed, 0);
      atomic_store(&until, place);
      status = run(runtime, argv[2], argv[3], scenario);
      atomic_store(&until, -1);
      if (getenv("VERBOSE")) fprintf(stderr, "%d %ld: %s %s\n", scenario, place, diffuse_status_name(status), status ? diffuse_error_message() : "");
      REQUIRE(status == DIFFUSE_OK || status == DIFFUSE_MEMORY);
      /* One that failed has said so, unless somebody could do without. */
      REQUIRE(status == DIFFUSE_OK || diffuse_error_message()[0] != 0);
      ++statuses[status];
      ++place;
    } while (atomic_load(&failed));
    REQUIRE(place > 10);
    CHECK(run(runtime, argv[2], argv[3], scenario));
  }
  REQUIRE(statuses[DIFFUSE_MEMORY] > 0);
  for (i = 0; i < 64; ++i) {
    if (statuses[i] > 0) printf("%s %d\n", diffuse_status_name(i), statuses[i]);
  }
  diffuse_runtime_free(runtime);
  return 0;
}
