/* As a plugin draws: nothing is opened on the host's thread, classes are named, and a frame uploads what is new.
   plugin MODEL; ONNX Runtime is found by itself. */
#define _POSIX_C_SOURCE 200809L
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "require.h"

#define STEPS 9
#define VALUES (4 * 32 * 32)

static atomic_int released;

static void release(void *user_data) {
  (void)user_data;
  atomic_fetch_add(&released, 1);
}

static int32_t leave(const diffuse_estimate *estimate, float *values, size_t length, char *message, size_t capacity,
                     void *user_data) {
  (void)estimate, (void)values, (void)length, (void)message, (void)capacity;
  atomic_fetch_add((atomic_int *)user_data, 1);
  return 0;
}

static void hear(int32_t severity, const char *message, void *user_data) {
  (void)severity, (void)message, (void)user_data;
}

static diffuse_request *request_of(const char *name) {
  diffuse_request *request = NULL;
  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, name));
  CHECK(diffuse_request_set_seed(request, 7));
  CHECK(diffuse_request_set(request, "solver", "ddim"));
  CHECK(diffuse_request_set_number(request, "steps", STEPS));
  return request;
}

int main(int argc, char **argv) {
  diffuse_model *model = NULL, *same = NULL;
  diffuse_job *job = NULL;
  diffuse_request *request;
  float first[VALUES], second[VALUES], preview[VALUES];
  uint64_t estimates = 1, before = 0;
  int32_t state = DIFFUSE_JOB_IDLE;
  int64_t heart, sword;
  int uploads = 0;
  atomic_int calls = 0;
  size_t step, steps;

  REQUIRE(argc == 2);
  /* What an inspector shows. */
  REQUIRE(strstr(diffuse_options(), "\"name\":\"guidance_scale\"") != NULL);

  /* A worker opens ONNX Runtime and the model, and draws. */
  request = request_of("heart");
  CHECK(diffuse_job_open(NULL, argv[1], NULL, request, &job));
  diffuse_request_free(request);
  REQUIRE(diffuse_job_model(job, &model) == DIFFUSE_NOT_YET && model == NULL);
  CHECK(diffuse_job_estimates(job, &estimates));
  REQUIRE(estimates == 0);
  CHECK(diffuse_job_start(job));
  while (state != DIFFUSE_JOB_FINISHED) {
    const struct timespec frame = {0, 1000000};
    CHECK(diffuse_job_poll(job, &state));
    REQUIRE(state == DIFFUSE_JOB_RUNNING || state == DIFFUSE_JOB_FINISHED);
    CHECK(diffuse_job_estimates(job, &estimates));
    if (estimates != before) {
      REQUIRE(estimates > before && estimates <= STEPS);
      CHECK(diffuse_job_preview(job, preview, VALUES));
      before = estimates;
      uploads++;
    }
    nanosleep(&frame, NULL);
  }
  REQUIRE(uploads > 0);
  CHECK(diffuse_job_estimates(job, &estimates));
  REQUIRE(estimates == STEPS);
  CHECK(diffuse_job_read(job, first, VALUES));

  /* The model that it has opened outlives it, and knows its classes. */
  CHECK(diffuse_job_model(job, &model));
  CHECK(diffuse_job_model(job, &same));
  diffuse_job_free(job);
  diffuse_model_free(same);
  REQUIRE(strncmp(diffuse_model_classes(model), "[\"", 2) == 0);
  REQUIRE(strstr(diffuse_model_classes(model), "\"heart\"") != NULL);
  CHECK(diffuse_model_class(model, "heart", &heart));
  CHECK(diffuse_model_class(model, "sword", &sword));
  request = request_of("heart");
  CHECK(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, NULL));
  CHECK(diffuse_request_set_classes(request, &heart, 1));
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_run(job));
  CHECK(diffuse_job_read(job, second, VALUES));
  REQUIRE(memcmp(first, second, sizeof first) == 0);
  /* What is refused, and no name at all, leave the numbers; numbers take the place of a name. */
  REQUIRE(diffuse_request_set_class(request, 1, "sword") == DIFFUSE_ARGUMENT);
  CHECK(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, NULL));
  CHECK(diffuse_request_set_number(request, "guidance_scale", 3));
  CHECK(diffuse_request_set_negative_class(request, DIFFUSE_ALL_ITEMS, "key"));
  CHECK(diffuse_request_set_negative_classes(request, &sword, 1));
  diffuse_job_free(job);
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_run(job));
  CHECK(diffuse_job_read(job, first, VALUES));
  CHECK(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, "heart"));
  CHECK(diffuse_request_set_negative_class(request, DIFFUSE_ALL_ITEMS, "sword"));
  diffuse_job_free(job);
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_run(job));
  CHECK(diffuse_job_read(job, second, VALUES));
  REQUIRE(memcmp(first, second, sizeof first) == 0);
  diffuse_job_free(job);
  diffuse_request_free(request);

  /* What is set for the first item is not for all of them. */
  request = request_of("heart");
  CHECK(diffuse_request_set_count(request, 3));
  CHECK(diffuse_job_new(model, request, &job));
  diffuse_job_free(job);
  CHECK(diffuse_request_set_class(request, 0, "sword"));
  REQUIRE(diffuse_job_new(model, request, &job) == DIFFUSE_ARGUMENT && strstr(diffuse_error_message(), "1 items of 3"));
  CHECK(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, "sword"));
  CHECK(diffuse_request_set_negative_class(request, 0, "key"));
  REQUIRE(diffuse_job_open(NULL, argv[1], NULL, request, &job) == DIFFUSE_ARGUMENT);
  REQUIRE(diffuse_request_set_class(request, -2, "key") == DIFFUSE_ARGUMENT);
  /* So many that there is no room for their numbers. */
  CHECK(diffuse_request_set_negative_class(request, DIFFUSE_ALL_ITEMS, NULL));
  CHECK(diffuse_request_set_count(request, SIZE_MAX / 8));
  REQUIRE(diffuse_job_new(model, request, &job) == DIFFUSE_ARGUMENT);
  diffuse_request_free(request);

  /* One name for each item, or one that is wrong. */
  request = request_of("heart");
  CHECK(diffuse_request_set_count(request, 2));
  CHECK(diffuse_request_set_class(request, 0, "sword"));
  REQUIRE(diffuse_request_set_class(request, 2, "key") == DIFFUSE_ARGUMENT);
  CHECK(diffuse_request_set_class(request, 1, "none"));
  CHECK(diffuse_job_new(model, request, &job));
  diffuse_job_free(job);
  CHECK(diffuse_request_set_class(request, 1, "house of cards"));
  REQUIRE(diffuse_job_new(model, request, &job) == DIFFUSE_ARGUMENT);
  REQUIRE(strstr(diffuse_error_message(), "house of cards") != NULL && strstr(diffuse_error_message(), "sword") != NULL);
  diffuse_request_free(request);

  /* An option that is taken back is as if it had not been set. */
  request = request_of("heart");
  CHECK(diffuse_request_unset(request, "steps"));
  CHECK(diffuse_request_unset(request, "guidance_scale"));
  REQUIRE(diffuse_request_unset(request, "step") == DIFFUSE_ARGUMENT);
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_progress(job, &step, &steps));
  REQUIRE(steps != STEPS && step == 0);
  diffuse_job_free(job);

  /* What a callback is called with is let go of once: by what replaces it, by the last job, and where it is refused. */
  CHECK(diffuse_request_set_number(request, "steps", 2));
  CHECK(diffuse_request_set_guidance_callback_owned(request, leave, &calls, release));
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_request_set_guidance_callback_owned(request, NULL, NULL, NULL));
  diffuse_request_free(request);
  REQUIRE(atomic_load(&released) == 0);
  CHECK(diffuse_job_run(job));
  REQUIRE(atomic_load(&calls) == 2);
  diffuse_job_free(job);
  REQUIRE(atomic_load(&released) == 1);
  REQUIRE(diffuse_request_set_guidance_callback_owned(NULL, leave, &calls, release) == DIFFUSE_ARGUMENT);
  REQUIRE(atomic_load(&released) == 2);
  REQUIRE(diffuse_model_open_callback_owned("{}", leave, &calls, release, &same) == DIFFUSE_MODEL && same == NULL);
  REQUIRE(atomic_load(&released) == 3);
  CHECK(diffuse_log_set_owned(hear, &calls, release));
  CHECK(diffuse_log_set(NULL, NULL));
  REQUIRE(atomic_load(&released) == 4);
  diffuse_model_free(model);

  /* A job that opens a model, and that is all. */
  CHECK(diffuse_job_open(NULL, argv[1], NULL, NULL, &job));
  CHECK(diffuse_job_start(job));
  CHECK(diffuse_job_wait(job, 60000, &state));
  REQUIRE(state == DIFFUSE_JOB_FINISHED);
  CHECK(diffuse_job_stage(job, &state, &step, &steps));
  REQUIRE(state == DIFFUSE_STAGE_LOADING && step == 1 && steps == 1);
  REQUIRE(diffuse_job_read(job, first, VALUES) == DIFFUSE_ARGUMENT);
  REQUIRE(diffuse_job_shape(job, &step, 1, &steps) == DIFFUSE_ARGUMENT);
  REQUIRE(diffuse_job_preview(job, first, VALUES) == DIFFUSE_ARGUMENT);
  REQUIRE(diffuse_job_snapshot(job, NULL, 0, &steps) == DIFFUSE_ARGUMENT);
  REQUIRE(strstr(diffuse_error_message(), "without a request") != NULL);
  CHECK(diffuse_job_model(job, &model));
  diffuse_job_free(job);
  REQUIRE(diffuse_model_class_count(model) > 2);
  diffuse_model_free(model);
  return 0;
}
