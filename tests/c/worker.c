/* A job on its worker: started, polled, waited for, cancelled, and freed while it runs.
 *
 *     worker ONNXRUNTIME MODEL.onnx */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "require.h"

enum { LENGTH = 4 * 32 * 32, FOREVER = 600000 };

/* Frees its job at the second call, on the worker; fails at the third of another. */
struct host {
  diffuse_job *job;
  int calls, free_at, fail_at;
};

static int32_t guide(const diffuse_estimate *estimate, float *denoised, size_t length, char *message, size_t capacity,
                     void *user_data) {
  struct host *host = (struct host *)user_data;
  int32_t state;
  (void)estimate, (void)denoised, (void)length;
  ++host->calls;
  if (host->calls == 1) {
    /* Within the run it can be asked how it goes, but not be waited for or started. */
    REQUIRE(diffuse_job_poll(host->job, &state) == DIFFUSE_OK);
    if (state == DIFFUSE_JOB_RUNNING) {
      REQUIRE(diffuse_job_start(host->job) == DIFFUSE_BUSY);
      REQUIRE(diffuse_job_wait(host->job, FOREVER, &state) == DIFFUSE_ARGUMENT);
    }
  }
  if (host->calls == host->free_at) diffuse_job_free(host->job);
  if (host->calls == host->fail_at) {
    snprintf(message, capacity, "the host has had enough");
    return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  diffuse_runtime *runtime;
  diffuse_model *model;
  diffuse_request *request;
  diffuse_job *job;
  struct host host = {NULL, 0, 0, 0};
  static float alone[LENGTH], worked[LENGTH];
  int32_t state, finished, stage;
  size_t step, steps;
  diffuse_cost cost;
  int i;

  REQUIRE(argc == 3);
  CHECK(diffuse_runtime_open(argv[1], &runtime));
  CHECK(diffuse_model_open(runtime, argv[2], NULL, &model));
  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set(request, "steps", "20"));
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_poll(job, &state));
  REQUIRE(state == DIFFUSE_JOB_IDLE);
  CHECK(diffuse_job_wait(job, FOREVER, &state));
  REQUIRE(state == DIFFUSE_JOB_IDLE);
  CHECK(diffuse_job_run(job));
  CHECK(diffuse_job_read(job, alone, LENGTH));
  diffuse_job_free(job);

  /* Begun by the host, and ended by the worker: the same bits. */
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_step(job, &finished));
  CHECK(diffuse_job_start(job));
  do {
    int32_t status = diffuse_job_step(job, &finished);
    REQUIRE(status == DIFFUSE_BUSY || status == DIFFUSE_OK);
    CHECK(diffuse_job_poll(job, &state));
    CHECK(diffuse_job_progress(job, &step, &steps));
  } while (state == DIFFUSE_JOB_RUNNING);
  REQUIRE(state == DIFFUSE_JOB_FINISHED);
  CHECK(diffuse_job_wait(job, 0, &state));
  CHECK(diffuse_job_progress(job, &step, &steps));
  REQUIRE(step == 20 && steps == 20);
  CHECK(diffuse_job_read(job, worked, LENGTH));
  REQUIRE(memcmp(alone, worked, sizeof alone) == 0);
  /* Once more does nothing. */
  CHECK(diffuse_job_start(job));
  CHECK(diffuse_job_wait(job, FOREVER, &state));
  REQUIRE(state == DIFFUSE_JOB_FINISHED);
  diffuse_job_free(job);

  /* A callback that fails ends it; started again it goes on. */
  CHECK(diffuse_request_set_guidance_callback(request, guide, &host));
  CHECK(diffuse_job_new(model, request, &job));
  host.job = job;
  host.fail_at = 3;
  CHECK(diffuse_job_start(job));
  REQUIRE(diffuse_job_wait(job, FOREVER, &state) == DIFFUSE_CALLBACK && state == DIFFUSE_JOB_STOPPED);
  REQUIRE(strstr(diffuse_error_message(), "had enough") != NULL);
  REQUIRE(diffuse_job_wait(job, FOREVER, &state) == DIFFUSE_CALLBACK);
  CHECK(diffuse_job_start(job));
  CHECK(diffuse_job_wait(job, FOREVER, &state));
  REQUIRE(state == DIFFUSE_JOB_FINISHED);
  CHECK(diffuse_job_read(job, worked, LENGTH));
  REQUIRE(memcmp(alone, worked, sizeof alone) == 0);
  diffuse_job_free(job);

  /* Cancelled a thousand times, at any moment; a wait that is too short says that it runs. */
  CHECK(diffuse_request_set_guidance_callback(request, NULL, NULL));
  CHECK(diffuse_request_set(request, "steps", "1000"));
  for (i = 0; i < 1000; ++i) {
    /* Up to some four milliseconds, an evaluation or two. */
    uint32_t spins = (uint32_t)i * 2654435761u >> 12;
    CHECK(diffuse_job_new(model, request, &job));
    CHECK(diffuse_job_start(job));
    CHECK(diffuse_job_wait(job, (uint64_t)(i % 4), &state));
    REQUIRE(state == DIFFUSE_JOB_RUNNING);
    for (spins %= 50000; spins > 0; --spins) CHECK(diffuse_job_poll(job, &state));
    if (i % 2 == 0) {
      CHECK(diffuse_job_cancel(job));
      REQUIRE(diffuse_job_wait(job, FOREVER, &state) == DIFFUSE_CANCELLED && state == DIFFUSE_JOB_STOPPED);
    }
    /* Else freed while it runs. */
    diffuse_job_free(job);
  }

  /* Paused, read and kept in between, and ended the same. */
  CHECK(diffuse_request_set(request, "steps", "20"));
  CHECK(diffuse_job_new(model, request, &job));
  do {
    CHECK(diffuse_job_start(job));
    CHECK(diffuse_job_pause(job));
    CHECK(diffuse_job_wait(job, FOREVER, &state));
    CHECK(diffuse_job_read(job, worked, LENGTH));
  } while (state == DIFFUSE_JOB_PAUSED);
  REQUIRE(state == DIFFUSE_JOB_FINISHED && memcmp(alone, worked, sizeof alone) == 0);
  diffuse_job_free(job);

  /* What it will take, in a struct that may grow. */
  memset(&cost, 0x55, sizeof cost);
  cost.struct_size = sizeof cost;
  CHECK(diffuse_request_cost(request, model, NULL, &cost));
  REQUIRE(cost.evaluations == 20 && cost.peak_bytes > 100000 && cost.milliseconds > 0 && cost.milliseconds < 600000);

  /* With a deadline: the best estimate by then. */
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_start_for(job, 0));
  CHECK(diffuse_job_wait(job, FOREVER, &state));
  CHECK(diffuse_job_progress(job, &step, &steps));
  REQUIRE(state == DIFFUSE_JOB_PAUSED && step == 1);
  CHECK(diffuse_job_preview(job, worked, LENGTH));
  CHECK(diffuse_job_start_for(job, 600000000));
  CHECK(diffuse_job_wait(job, FOREVER, &state));
  CHECK(diffuse_job_read(job, worked, LENGTH));
  REQUIRE(state == DIFFUSE_JOB_FINISHED && memcmp(alone, worked, sizeof alone) == 0);
  diffuse_job_free(job);

  /* Opened by the worker as well. */
  CHECK(diffuse_job_open(runtime, argv[2], NULL, request, &job));
  CHECK(diffuse_job_stage(job, &stage, &step, &steps));
  REQUIRE(stage == DIFFUSE_STAGE_LOADING && step == 0 && steps == 1);
  CHECK(diffuse_job_start(job));
  CHECK(diffuse_job_wait(job, FOREVER, &state));
  CHECK(diffuse_job_stage(job, &stage, &step, &steps));
  REQUIRE(stage == DIFFUSE_STAGE_SAMPLING && step == 20 && steps == 20);
  CHECK(diffuse_job_read(job, worked, LENGTH));
  REQUIRE(memcmp(alone, worked, sizeof alone) == 0);
  diffuse_job_free(job);
  for (i = 0; i < 20; ++i) {
    CHECK(diffuse_job_open(runtime, argv[2], NULL, request, &job));
    CHECK(diffuse_job_start(job));
    CHECK(diffuse_job_wait(job, (uint64_t)i, &state));
    diffuse_job_free(job);
  }

  /* Freed by its own callback, on the worker. */
  CHECK(diffuse_request_set(request, "steps", "1000"));
  CHECK(diffuse_request_set_guidance_callback(request, guide, &host));
  for (i = 0; i < 5; ++i) {
    CHECK(diffuse_job_new(model, request, &job));
    host.job = job;
    host.calls = host.fail_at = 0;
    host.free_at = 2;
    CHECK(diffuse_job_start(job));
    while (*(volatile int *)&host.calls < 2) {
    }
  }
  diffuse_request_free(request);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  return 0;
}
