/* Several threads at jobs, for valgrind's helgrind: started, asked, paused, cancelled and freed, side by side on one
 * model, by the host's network and by ONNX Runtime.
 *
 *     threads ONNXRUNTIME MODEL.onnx ROUNDS */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "require.h"

enum { MOST = 4096, FOREVER = 600000 };

static int32_t network(const diffuse_estimate *estimate, float *output, size_t length, char *message, size_t capacity,
                       void *user_data) {
  const float *x = diffuse_estimate_x(estimate);
  size_t i;
  (void)message, (void)capacity, (void)user_data;
  for (i = 0; i < length; ++i) output[i] = x[i] / 2;
  return 0;
}

/* What a thread does with a model, and with a job of another's. */
struct task {
  const diffuse_model *model;
  const diffuse_job *watched;
  size_t length;
  int rounds;
};

static void *draw(void *data) {
  const struct task *task = (const struct task *)data;
  diffuse_request *request;
  int round;
  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set(request, "steps", "7"));
  for (round = 0; round < task->rounds; ++round) {
    float values[MOST];
    diffuse_job *job;
    int32_t state, finished;
    CHECK(diffuse_request_set_seed(request, (uint64_t)round));
    CHECK(diffuse_job_new(task->model, request, &job));
    if (round % 4 == 0) CHECK(diffuse_job_step(job, &finished));
    CHECK(diffuse_job_start(job));
    if (round % 3 == 0) {
      int32_t status;
      CHECK(diffuse_job_pause(job));
      status = diffuse_job_wait(job, FOREVER, &state);
      REQUIRE(status == DIFFUSE_OK && state != DIFFUSE_JOB_RUNNING);
      CHECK(diffuse_job_start(job));
    }
    if (round % 5 == 1) CHECK(diffuse_job_cancel(job));
    if (round % 2 == 0) {
      int32_t status = diffuse_job_wait(job, FOREVER, &state);
      REQUIRE(status == DIFFUSE_OK || status == DIFFUSE_CANCELLED);
      CHECK(diffuse_job_read(job, values, task->length));
    }
    /* Else freed while it runs. */
    diffuse_job_free(job);
  }
  diffuse_request_free(request);
  return NULL;
}

/* Asks about a job that another thread has. */
static void *watch(void *data) {
  const struct task *task = (const struct task *)data;
  float values[MOST];
  int32_t state = DIFFUSE_JOB_RUNNING, stage, status;
  size_t step, steps;
  char text[64];
  while (state == DIFFUSE_JOB_RUNNING) {
    CHECK(diffuse_job_poll(task->watched, &state));
    CHECK(diffuse_job_progress(task->watched, &step, &steps));
    CHECK(diffuse_job_stage(task->watched, &stage, &step, &steps));
    CHECK(diffuse_job_error(task->watched, &status, text, sizeof text));
    (void)diffuse_job_preview(task->watched, values, task->length);
    /* Those that it is busy for: they must not disturb it. */
    status = diffuse_job_read(task->watched, values, task->length);
    REQUIRE(status == DIFFUSE_BUSY || status == DIFFUSE_OK);
    status = diffuse_job_snapshot(task->watched, NULL, 0, &step);
    REQUIRE(status == DIFFUSE_BUSY || status == DIFFUSE_OK);
  }
  return NULL;
}

static void run(const diffuse_model *model, size_t length, int rounds, const char *steps) {
  pthread_t drawing[2], watching;
  struct task task;
  diffuse_request *request;
  diffuse_job *job;
  int32_t state;
  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set(request, "steps", steps));
  CHECK(diffuse_job_new(model, request, &job));
  task.model = model, task.watched = job, task.length = length, task.rounds = rounds;
  CHECK(diffuse_job_start(job));
  REQUIRE(pthread_create(&drawing[0], NULL, draw, &task) == 0);
  REQUIRE(pthread_create(&drawing[1], NULL, draw, &task) == 0);
  REQUIRE(pthread_create(&watching, NULL, watch, &task) == 0);
  pthread_join(drawing[0], NULL);
  pthread_join(drawing[1], NULL);
  pthread_join(watching, NULL);
  CHECK(diffuse_job_wait(job, FOREVER, &state));
  REQUIRE(state == DIFFUSE_JOB_FINISHED);
  diffuse_job_free(job);
  diffuse_request_free(request);
}

int main(int argc, char **argv) {
  static const char manifest[] =
      "{\"diffuse\": 1, \"sample\": {\"shape\": [16]}, \"schedule\": {\"kind\": \"cosine\", \"train_steps\": 1000},"
      " \"prediction\": \"epsilon\"}";
  diffuse_runtime *runtime;
  diffuse_model *model;
  int rounds;
  REQUIRE(argc == 4);
  rounds = atoi(argv[3]);
  CHECK(diffuse_model_open_callback(manifest, network, NULL, &model));
  run(model, 16, 10 * rounds, "400");
  diffuse_model_free(model);
  CHECK(diffuse_runtime_open(argv[1], &runtime));
  CHECK(diffuse_model_open(runtime, argv[2], NULL, &model));
  run(model, MOST, rounds, "12");
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  return 0;
}
