/* float RUNTIME MODEL: a host with another floating-point environment gets the same bits, and has its own again, also
 * in callbacks and on workers. */
#define _GNU_SOURCE
#include <fenv.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "require.h"

enum { LENGTH = 4 * 32 * 32 };

/* What the host has set. */
static int traps, rounding, small;
static int calls, wrong;

static void set(int new_traps, int new_rounding, int flush) {
  feclearexcept(FE_ALL_EXCEPT);
  fedisableexcept(FE_ALL_EXCEPT);
  REQUIRE(fesetround(new_rounding) == 0);
  feenableexcept(new_traps);
#if defined(__x86_64__)
  _mm_setcsr((_mm_getcsr() & ~0x8040u) | (flush ? 0x8040u : 0));
#endif
  traps = new_traps, rounding = new_rounding, small = flush;
}

static int is_set(void) {
  int flushes = small;
#if defined(__x86_64__)
  flushes = (_mm_getcsr() & 0x8040u) == 0x8040u;
#endif
  return fegetexcept() == traps && fegetround() == rounding && flushes == small;
}

static int32_t look(const diffuse_estimate *estimate, float *values, size_t length, char *message, size_t capacity, void *data) {
  (void)values, (void)length, (void)message, (void)capacity, (void)data;
  double t, alpha, sigma;
  calls++;
  wrong += !is_set();
  /* A call within the callback has the usual one, and gives it back. */
  wrong += diffuse_estimate_level(estimate, &t, &alpha, &sigma) != DIFFUSE_OK || !is_set();
  /* What a callback leaves behind is its own affair. */
  fesetround(rounding == FE_UPWARD ? FE_DOWNWARD : FE_UPWARD);
  return 0;
}

static void draw(diffuse_runtime *runtime, const char *path, const char *solver, int on_worker, float *samples) {
  diffuse_model *model;
  diffuse_request *request;
  diffuse_job *job;
  int64_t heart = 0;
  CHECK(diffuse_model_open(runtime, path, NULL, &model));
  CHECK(diffuse_request_new(&request));
  if (diffuse_model_class_count(model) > 0) CHECK(diffuse_request_set_classes(request, &heart, 1));
  CHECK(diffuse_request_set(request, "steps", "5"));
  CHECK(diffuse_request_set(request, "solver", solver));
  CHECK(diffuse_request_set_guidance_callback(request, look, NULL));
  CHECK(diffuse_job_new(model, request, &job));
  calls = wrong = 0;
  if (on_worker) {
    int32_t state;
    CHECK(diffuse_job_start(job));
    CHECK(diffuse_job_wait(job, 60000, &state));
    REQUIRE(state == DIFFUSE_JOB_FINISHED);
  } else {
    CHECK(diffuse_job_run(job));
  }
  REQUIRE(calls >= 5 && wrong == 0);
  size_t axes[4], rank, length = 1;
  CHECK(diffuse_job_shape(job, axes, 4, &rank));
  for (size_t i = 0; i < rank; i++) length *= axes[i];
  REQUIRE(length <= LENGTH);
  memset(samples, 0, LENGTH * sizeof *samples);
  CHECK(diffuse_job_read(job, samples, length));
  diffuse_job_free(job);
  diffuse_request_free(request);
  diffuse_model_free(model);
}

int main(int count, char **arguments) {
  static float usual[LENGTH], samples[LENGTH];
  static const char *const solvers[] = {"ddim", "ddpm", "dpm-solver", "dpm-solver-2s", "unipc", "deis", "lms", "heun", "euler"};
  static const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  REQUIRE(count > 2);
  diffuse_runtime *runtime;
  /* From the first call on. */
  set(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW, FE_TONEAREST, 0);
  CHECK(diffuse_runtime_open(arguments[1], &runtime));
  for (int model = 2; model < count; model++) {
    for (size_t solver = 0; solver < sizeof solvers / sizeof *solvers; solver++) {
      set(0, FE_TONEAREST, 0);
      draw(runtime, arguments[model], solvers[solver], 0, usual);
      for (int i = 0; i < 4; i++) {
        set(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW, roundings[i], i % 2);
        draw(runtime, arguments[model], solvers[solver], i / 2, samples);
        REQUIRE(is_set());
        REQUIRE(memcmp(usual, samples, sizeof usual) == 0);
      }
    }
  }
  set(0, FE_TONEAREST, 0);
  diffuse_runtime_free(runtime);
  return 0;
}
