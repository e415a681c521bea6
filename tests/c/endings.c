/* endings RUNTIME MODEL ENDLESS SCENARIO MICROSECONDS: ends the process, or forks it, so long after something was
 * begun. tests/all/endings.rs runs it. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "require.h"

static const char *path, *endless;
static diffuse_runtime *runtime;
static diffuse_model *model;
static diffuse_request *request;
static diffuse_job *job;

static void wait_for(long microseconds) {
  struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
  nanosleep(&time, NULL);
}

static void open_model(void) { CHECK(diffuse_model_open(runtime, path, NULL, &model)); }

static void new_request(const char *steps) {
  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set(request, "steps", steps));
  int64_t heart = 0;
  CHECK(diffuse_request_set_classes(request, &heart, 1));
}

static void open_job(void) {
  new_request("500");
  CHECK(diffuse_job_open(runtime, path, NULL, request, &job));
  CHECK(diffuse_job_start(job));
}

static void start_job(void) {
  open_model();
  new_request("500");
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_start(job));
}

static void *run_job(void *unused) {
  diffuse_job_run(job);
  return unused;
}

static void *open_runtimes(void *library_path) {
  for (;;) {
    diffuse_runtime *other = NULL;
    if (diffuse_runtime_open((const char *)library_path, &other) == DIFFUSE_OK) diffuse_runtime_free(other);
  }
  return NULL;
}

static void *open_models(void *unused) {
  for (;;) {
    diffuse_model *one = NULL;
    if (diffuse_model_open(runtime, path, NULL, &one) != DIFFUSE_OK) return unused;
    diffuse_model_free(one);
  }
}

static void begin_thread(void *(*body)(void *), void *argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, body, argument) != 0) abort();
}

/* The main thread never calls the library. */
static void *do_all(void *library) {
  /* What is opened as the process ends may be an error. */
  if (diffuse_runtime_open(library, &runtime) == DIFFUSE_OK) open_job();
  return NULL;
}

static int32_t exits(const diffuse_estimate *estimate, float *values, size_t length, char *message, size_t capacity, void *data) {
  (void)estimate, (void)values, (void)length, (void)message, (void)capacity, (void)data;
  exit(0);
}

static int32_t never_returns(const diffuse_estimate *estimate, float *values, size_t length, char *message, size_t capacity, void *data) {
  (void)estimate, (void)values, (void)length, (void)message, (void)capacity, (void)data;
  for (;;) pause();
  return 0;
}

static void start_with(diffuse_callback callback) {
  open_model();
  new_request("500");
  CHECK(diffuse_request_set_guidance_callback(request, callback, NULL));
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_start(job));
}

static void start_endless(void) {
  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set(request, "steps", "2"));
  CHECK(diffuse_job_open(runtime, endless, NULL, request, &job));
  CHECK(diffuse_job_start(job));
}

/* Every call on a handle of another process is refused at once, in its name. */
static void refused(int32_t status) {
  REQUIRE(status == DIFFUSE_ARGUMENT);
  char number[32];
  snprintf(number, sizeof number, "process %ld", (long)getppid());
  REQUIRE(strstr(diffuse_error_message(), number) != NULL);
}

static void draw(float *values, size_t length) {
  new_request("2");
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_run(job));
  CHECK(diffuse_job_read(job, values, length));
}

static float samples[4 * 32 * 32], again[4 * 32 * 32];

static void inherited(void) {
  int32_t number;
  size_t size;
  double real;
  const char *text;
  refused(diffuse_job_poll(job, &number));
  refused(diffuse_job_wait(job, 1000, &number));
  refused(diffuse_job_step(job, &number));
  refused(diffuse_job_start(job));
  refused(diffuse_job_cancel(job));
  refused(diffuse_job_pause(job));
  refused(diffuse_job_progress(job, &size, &size));
  refused(diffuse_job_preview(job, samples, 4096));
  refused(diffuse_job_read(job, samples, 4096));
  refused(diffuse_model_level(model, 5, &real, &real));
  refused(diffuse_model_sha256(model, &text));
  refused(diffuse_request_set(request, "steps", "3"));
  diffuse_job *other_job;
  refused(diffuse_job_new(model, request, &other_job));
  diffuse_model *other;
  refused(diffuse_model_open(runtime, path, NULL, &other));
  REQUIRE(!diffuse_model_name(model) && !diffuse_runtime_version(runtime));
}

static void free_all(void) {
  diffuse_job_free(job);
  diffuse_request_free(request);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* The child frees what it has inherited, or tries it, or draws on its own; and ends as any program does. A fork that
 * waited for a second on another thread's opening, as on a machine that has too much to do, is the one after which it
 * cannot draw, and it is told so. */
static int forked(const char *what, const char *library, double waited) {
  alarm(60);
  if (strcmp(what, "fork_frees") == 0) free_all();
  if (strcmp(what, "fork_calls") == 0) inherited();
  if (strncmp(what, "fork_opens", 10) == 0) {
    free_all();
    int32_t status = diffuse_runtime_open(library, &runtime);
    if (status == DIFFUSE_RUNTIME && waited >= 1 && strstr(diffuse_error_message(), "as this process was forked"))
      return 0;
    REQUIRE(status == DIFFUSE_OK);
    open_model();
    draw(again, 4096);
    REQUIRE(memcmp(samples, again, sizeof samples) == 0);
    free_all();
  }
  return 0;
}

int main(int count, char **arguments) {
  if (count != 6) return 2;
  path = arguments[2], endless = arguments[3];
  const char *scenario = arguments[4];
  /* A hang is a death. */
  alarm(100);
  if (strcmp(scenario, "elsewhere") == 0) {
    begin_thread(do_all, arguments[1]);
    wait_for(atol(arguments[5]));
    return 0;
  }
  CHECK(diffuse_runtime_open(arguments[1], &runtime));
  if (strcmp(scenario, "loading") == 0) open_job();
  if (strcmp(scenario, "sampling") == 0) start_job();
  if (strcmp(scenario, "endless") == 0) start_endless();
  if (strcmp(scenario, "host_opens") == 0) begin_thread(open_models, NULL);
  if (strcmp(scenario, "exit_in_callback") == 0) start_with(exits);
  if (strcmp(scenario, "stuck_callback") == 0) start_with(never_returns);
  if (strcmp(scenario, "host_samples") == 0) {
    open_model();
    new_request("500");
    CHECK(diffuse_job_new(model, request, &job));
    begin_thread(run_job, NULL);
  }
  int forks = strncmp(scenario, "fork", 4) == 0;
  if (forks) {
    if (strncmp(scenario, "fork_opens", 10) == 0) {
      open_model();
      draw(samples, 4096);
      free_all();
      CHECK(diffuse_runtime_open(arguments[1], &runtime));
    }
    if (strcmp(scenario, "fork_opens_while_opening") == 0) open_job();
    else if (strcmp(scenario, "fork_opens_beside") == 0) begin_thread(open_runtimes, arguments[1]);
    else start_job();
  }
  wait_for(atol(arguments[5]));
  if (forks) {
    double start = now();
    pid_t child = fork();
    if (child == 0) return forked(scenario, arguments[1], now() - start);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) fprintf(stderr, "the child died of signal %d\n", WTERMSIG(status));
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free_all();
  }
  return 0;
}
