/* A plugin host: two copies of the library in one process, at work at the same time, and one that is loaded and
 * unloaded three times. Every one has to draw the same.
 *
 *     copies ONNXRUNTIME MODEL.onnx COPY COPY */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diffuse.h"

enum { LENGTH = 4 * 32 * 32 };

static const char *onnxruntime, *model_path;

static void require(int condition, const char *what) {
  if (!condition) {
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
  }
}
#define REQUIRE(condition) require(condition, #condition)

static void find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  if (symbol == NULL) fprintf(stderr, "%s: %s\n", name, dlerror());
  REQUIRE(symbol != NULL);
  memcpy(function, &symbol, sizeof symbol); /* ISO C has no cast for this */
}

/* Draws a sprite with the functions of `library`. */
static void draw(void *library, float *values) {
  int32_t (*runtime_open)(const char *, diffuse_runtime **), (*request_new)(diffuse_request **), (*job_run)(diffuse_job *);
  int32_t (*model_open)(const diffuse_runtime *, const char *, const diffuse_model_options *, diffuse_model **);
  int32_t (*request_set)(diffuse_request *, const char *, const char *);
  int32_t (*job_new)(const diffuse_model *, const diffuse_request *, diffuse_job **);
  int32_t (*job_read)(const diffuse_job *, float *, size_t);
  const char *(*error_message)(void);
  void (*runtime_free)(diffuse_runtime *), (*model_free)(diffuse_model *), (*request_free)(diffuse_request *), (*job_free)(diffuse_job *);
  diffuse_runtime *runtime;
  diffuse_model *model;
  diffuse_request *request;
  diffuse_job *job;
  int32_t status;
#define FIND(name) find(library, "diffuse_" #name, &name)
  FIND(runtime_open), FIND(request_new), FIND(job_run), FIND(model_open), FIND(request_set), FIND(job_new), FIND(job_read);
  FIND(error_message), FIND(runtime_free), FIND(model_free), FIND(request_free), FIND(job_free);
  status = runtime_open(onnxruntime, &runtime);
  if (status != DIFFUSE_OK) fprintf(stderr, "%s\n", error_message());
  REQUIRE(status == DIFFUSE_OK);
  REQUIRE(model_open(runtime, model_path, NULL, &model) == DIFFUSE_OK);
  REQUIRE(request_new(&request) == DIFFUSE_OK);
  REQUIRE(request_set(request, "steps", "5") == DIFFUSE_OK);
  /* An error leaves its message behind, in this copy. */
  REQUIRE(request_set(request, "steps", "many") == DIFFUSE_ARGUMENT && strstr(error_message(), "many") != NULL);
  REQUIRE(job_new(model, request, &job) == DIFFUSE_OK);
  REQUIRE(job_run(job) == DIFFUSE_OK);
  REQUIRE(job_read(job, values, LENGTH) == DIFFUSE_OK);
  job_free(job);
  request_free(request);
  model_free(model);
  runtime_free(runtime);
}

struct task {
  void *library;
  float values[LENGTH];
};

static void *work(void *task) {
  draw(((struct task *)task)->library, ((struct task *)task)->values);
  return NULL;
}

static void *load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  REQUIRE(library != NULL);
  return library;
}

int main(int argc, char **argv) {
  static struct task first, second;
  pthread_t threads[2];
  int i;
  REQUIRE(argc == 5);
  onnxruntime = argv[1];
  model_path = argv[2];

  first.library = load(argv[3]);
  second.library = load(argv[4]);
  REQUIRE(first.library != second.library);
  REQUIRE(dlsym(first.library, "diffuse_version") != dlsym(second.library, "diffuse_version"));
  REQUIRE(pthread_create(&threads[0], NULL, work, &first) == 0 && pthread_create(&threads[1], NULL, work, &second) == 0);
  REQUIRE(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
  REQUIRE(memcmp(first.values, second.values, sizeof first.values) == 0);

  /* The second goes on without the first. */
  REQUIRE(dlclose(first.library) == 0);
  memset(second.values, 0, sizeof second.values);
  draw(second.library, second.values);
  REQUIRE(memcmp(first.values, second.values, sizeof first.values) == 0);

  for (i = 0; i < 3; ++i) {
    first.library = load(argv[3]);
    memset(first.values, 0, sizeof first.values);
    draw(first.library, first.values);
    REQUIRE(memcmp(first.values, second.values, sizeof first.values) == 0);
    REQUIRE(dlclose(first.library) == 0);
  }
  REQUIRE(dlclose(second.library) == 0);
  return 0;
}
