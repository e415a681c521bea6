/* Calls without a job, cancelled by another thread in the middle of a network that does not end, and while they wait
 * for their turn at it.
 *
 *     cancel ONNXRUNTIME ENDLESS.onnx */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "require.h"

enum { CALLS = 5, ITEM = 4 };

static diffuse_model *model;
static diffuse_request *request;

struct task {
  int call;
  const diffuse_cancel *cancel;
  int32_t status;
};

static void *work(void *data) {
  struct task *task = (struct task *)data;
  float x[ITEM] = {0}, out[ITEM];
  double number;
  diffuse_cost cost;
  memset(&cost, 0, sizeof cost);
  cost.struct_size = sizeof cost;
  switch (task->call) {
    case 0: task->status = diffuse_request_cost(request, model, task->cancel, &cost); break;
    case 1: task->status = diffuse_model_trim(model, task->cancel); break;
    case 2: task->status = diffuse_model_denoise(model, request, x, ITEM, 1, 500, 0.8, 0.6, task->cancel, out); break;
    case 3: task->status = diffuse_model_log_density(model, request, x, ITEM, 1, 0, 1e-3, 0, task->cancel, &number); break;
    default: task->status = diffuse_model_variational_bound(model, NULL, x, ITEM, 1, "posterior", 0, task->cancel, &number);
  }
  return NULL;
}

static void a_moment(void) {
  struct timespec moment = {0, 20000000};
  nanosleep(&moment, NULL);
}

int main(int argc, char **argv) {
  diffuse_runtime *runtime;
  diffuse_cancel *cancel;
  pthread_t threads[CALLS];
  struct task tasks[CALLS];
  int call;

  REQUIRE(argc == 3);
  CHECK(diffuse_runtime_open(argv[1], &runtime));
  CHECK(diffuse_model_open(runtime, argv[2], NULL, &model));
  CHECK(diffuse_request_new(&request));

  /* Each by itself, in the middle of its evaluation. */
  for (call = 0; call < CALLS; ++call) {
    CHECK(diffuse_cancel_new(&cancel));
    tasks[call].call = call;
    tasks[call].cancel = cancel;
    REQUIRE(pthread_create(&threads[call], NULL, work, &tasks[call]) == 0);
    a_moment();
    CHECK(diffuse_cancel_cancel(cancel));
    REQUIRE(pthread_join(threads[call], NULL) == 0);
    REQUIRE(tasks[call].status == DIFFUSE_CANCELLED);
    /* It stays cancelled. */
    work(&tasks[call]);
    REQUIRE(tasks[call].status == DIFFUSE_CANCELLED);
    diffuse_cancel_free(cancel);
  }

  /* All by one, of which all but one wait for their turn; freed while they use it. */
  CHECK(diffuse_cancel_new(&cancel));
  for (call = 0; call < CALLS; ++call) {
    tasks[call].cancel = cancel;
    REQUIRE(pthread_create(&threads[call], NULL, work, &tasks[call]) == 0);
  }
  a_moment();
  CHECK(diffuse_cancel_cancel(cancel));
  diffuse_cancel_free(cancel);
  for (call = 0; call < CALLS; ++call) {
    REQUIRE(pthread_join(threads[call], NULL) == 0);
    REQUIRE(tasks[call].status == DIFFUSE_CANCELLED);
  }

  diffuse_request_free(request);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  return 0;
}
