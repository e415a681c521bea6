/* Every export with every kind of bad argument: a status and a message, never a crash. It prints
 * include/BAD_ARGUMENTS.md's table.
 *
 *     bad_arguments ONNXRUNTIME MODEL.onnx */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diffuse.h"

static int wrong = 0;

/* `expected` is the status that the call has to return; failures need a message. */
static void row(const char *call, const char *bad, int32_t status, int32_t expected) {
  const char *message = status == DIFFUSE_OK ? "" : diffuse_error_message();
  int good = status == expected && (status == DIFFUSE_OK || message[0] != '\0');
  printf("| `%s` | %s | %s | %s |\n", call, bad, diffuse_status_name(status), message);
  if (!good) {
    fprintf(stderr, "%s, %s: %s, expected %s: %s\n", call, bad, diffuse_status_name(status), diffuse_status_name(expected),
            message);
    wrong = 1;
  }
}
#define BAD(call, bad) row(#call, bad, call, DIFFUSE_ARGUMENT)
#define GOOD(call, what) row(#call, what, call, DIFFUSE_OK)
#define GIVES(call, bad, status) row(#call, bad, call, status)

static void require(int condition, const char *what) {
  if (!condition) {
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
  }
}
#define REQUIRE(condition) require(condition, #condition)

static const char *const not_utf8 = "\xff\xfe";

static void sink(int32_t severity, const char *message, void *user_data) {
  (void)severity;
  (void)message;
  ++*(int *)user_data;
}

/* What a callback does. */
struct mode {
  int what;
  diffuse_job *job;
};

static int32_t callback(const diffuse_estimate *estimate, float *denoised, size_t length, char *message, size_t capacity,
                        void *user_data) {
  const struct mode *mode = (const struct mode *)user_data;
  double time, alpha, sigma;
  size_t step, items;
  const float *input;
  size_t axes[4];
  int32_t cancelled, element;
  const void *condition;
  switch (mode->what) {
    case 1: snprintf(message, capacity, "the palette is empty"); return 7;
    case 2: return -1;
    case 3: denoised[5] = (float)strtod("nan", NULL); return 0;
    case 4: snprintf(message, capacity, "%s", diffuse_status_name(diffuse_job_step(mode->job, NULL))); return 1;
    case 5: diffuse_job_free(mode->job); return 0;
    case 6:
      BAD(diffuse_estimate_shape(NULL, axes, 4, &items), "NULL handle");
      BAD(diffuse_estimate_shape(estimate, axes, 4, NULL), "NULL rank");
      BAD(diffuse_estimate_shape(estimate, axes, 1, &items), "too little room");
      GOOD(diffuse_estimate_shape(estimate, axes, 4, &items), "");
      REQUIRE(items == 4 && axes[0] == 1 && axes[1] == 4 && axes[3] == 32);
      BAD(diffuse_estimate_level(estimate, NULL, &alpha, &sigma), "NULL t");
      BAD(diffuse_estimate_level(estimate, &time, NULL, &sigma), "NULL alpha");
      BAD(diffuse_estimate_level(estimate, &time, &alpha, NULL), "NULL sigma");
      BAD(diffuse_estimate_level((const diffuse_estimate *)(const void *)mode->job, &time, &alpha, &sigma), "a handle of another type");
      BAD(diffuse_estimate_step(estimate, NULL, &items), "NULL step");
      BAD(diffuse_estimate_step(estimate, &step, NULL), "NULL items");
      BAD(diffuse_estimate_step(NULL, &step, &items), "NULL handle");
      BAD(diffuse_estimate_level(NULL, &time, &alpha, &sigma), "NULL handle");
      GOOD(diffuse_estimate_level(estimate, &time, &alpha, &sigma), "");
      REQUIRE(diffuse_estimate_x(NULL) == NULL && diffuse_estimate_x(estimate) != NULL);
      BAD(diffuse_estimate_time(estimate, &time), "in a guidance callback");
      BAD(diffuse_estimate_input(estimate, &input, &items), "in a guidance callback");
      BAD(diffuse_estimate_is_cancelled(estimate, &cancelled), "in a guidance callback");
      return 0;
    case 7:
      BAD(diffuse_estimate_time(NULL, &time), "NULL handle");
      BAD(diffuse_estimate_time((const diffuse_estimate *)(const void *)mode->job, &time), "a handle of another type");
      BAD(diffuse_estimate_time(estimate, NULL), "NULL time");
      BAD(diffuse_estimate_input(NULL, &input, &items), "NULL handle");
      BAD(diffuse_estimate_input(estimate, NULL, &items), "NULL values");
      BAD(diffuse_estimate_input(estimate, &input, NULL), "NULL length");
      BAD(diffuse_estimate_condition(NULL, "text", &element, &condition, axes, 4, &items), "NULL handle");
      BAD(diffuse_estimate_condition((const diffuse_estimate *)(const void *)mode->job, "text", &element, &condition, axes, 4, &items), "a handle of another type");
      BAD(diffuse_estimate_condition(estimate, NULL, &element, &condition, axes, 4, &items), "NULL name");
      BAD(diffuse_estimate_condition(estimate, not_utf8, &element, &condition, axes, 4, &items), "a name that is not UTF-8");
      BAD(diffuse_estimate_condition(estimate, "image", &element, &condition, axes, 4, &items), "a condition that is not there");
      BAD(diffuse_estimate_condition(estimate, "text", NULL, &condition, axes, 4, &items), "NULL element");
      BAD(diffuse_estimate_condition(estimate, "text", &element, NULL, axes, 4, &items), "NULL values");
      BAD(diffuse_estimate_condition(estimate, "text", &element, &condition, NULL, 4, &items), "NULL axes");
      BAD(diffuse_estimate_condition(estimate, "text", &element, &condition, axes, 1, &items), "too little room");
      BAD(diffuse_estimate_condition(estimate, "text", &element, &condition, axes, 4, NULL), "NULL rank");
      BAD(diffuse_estimate_is_cancelled(NULL, &cancelled), "NULL handle");
      BAD(diffuse_estimate_is_cancelled(estimate, NULL), "NULL output");
      GOOD(diffuse_estimate_time(estimate, &time), "");
      GOOD(diffuse_estimate_input(estimate, &input, &items), "");
      GOOD(diffuse_estimate_condition(estimate, "text", &element, &condition, NULL, 0, &items), "no room asks for the rank");
      REQUIRE(items == 2);
      GOOD(diffuse_estimate_condition(estimate, "text", &element, &condition, axes, 4, &items), "");
      REQUIRE(element == DIFFUSE_ELEMENT_F64 && items == 2 && axes[0] == 1 && axes[1] == 3);
      REQUIRE(((const double *)condition)[2] == 0.75);
      GOOD(diffuse_estimate_condition(estimate, "word", &element, &condition, axes, 4, &items), "one for all items");
      REQUIRE(element == DIFFUSE_ELEMENT_I64 && items == 0 && *(const int64_t *)condition == 2);
      GOOD(diffuse_estimate_is_cancelled(estimate, &cancelled), "");
      REQUIRE(diffuse_estimate_classes(NULL) == NULL && diffuse_estimate_classes(estimate) == NULL);
      memset(denoised, 0, length * sizeof *denoised);
      return 0;
    case 8: return 0;
    case 9: return diffuse_job_start(mode->job) == DIFFUSE_BUSY ? 0 : 1;
    default: return 0;
  }
}

int main(int argc, char **argv) {
  diffuse_runtime *runtime = NULL, *no_runtime = NULL;
  diffuse_model_options *options = NULL;
  diffuse_model *model = NULL, *no_model = NULL;
  diffuse_request *request = NULL;
  diffuse_job *job = NULL, *no_job = NULL;
  diffuse_cancel *cancel = NULL;
  /* A handle of another type. */
  diffuse_request *other;
  /* What a model is told without a job. */
  diffuse_request *told;
  const char *library, *path, *hash;
  float values[2 * 4096];
  double text[3] = {0.25, 0.5, 0.75};
  uint64_t beyond[2] = {1, (uint64_t)1 << 63};
  uint8_t pixels[4096], flags[3] = {1, 0, 2};
  int64_t classes[2] = {0, 1}, found;
  size_t axes[4] = {4, 32, 32, 1}, none[2] = {4, 0}, most[2] = {(size_t)-1 / 2, 3}, length[1] = {4}, one[3] = {1, 2, 3}, rank, step, steps;
  double alpha, sigma;
  int32_t finished;
  uint64_t microseconds;
  int messages = 0;
  struct mode mode = {0, NULL};
  diffuse_cost cost;
  char said[9];
  void *misaligned;

  REQUIRE(argc == 3);
  library = argv[1];
  path = argv[2];
  memset(values, 0, sizeof values);
  REQUIRE(diffuse_request_new(&other) == DIFFUSE_OK);
  REQUIRE(diffuse_request_new(&told) == DIFFUSE_OK && diffuse_request_set_classes(told, classes, 1) == DIFFUSE_OK);
  misaligned = (char *)values + 1;
#define AS(type) ((type *)(void *)other)

  printf("| call | bad argument | status | message |\n|---|---|---|---|\n");

  GOOD(diffuse_log_set(sink, &messages), "");
  GOOD(diffuse_log_set(NULL, NULL), "no sink");

  GOOD(diffuse_log_set_owned(sink, &messages, NULL), "NULL releases nothing");
  GOOD(diffuse_log_set_owned(NULL, NULL, NULL), "no sink");

  BAD(diffuse_runtime_open(library, NULL), "NULL output");
  GIVES(diffuse_runtime_of_host(NULL, &no_runtime), "NULL base", DIFFUSE_RUNTIME);
  BAD(diffuse_runtime_of_host(&messages, NULL), "NULL output");
  GIVES(diffuse_runtime_open("/no/such/file", &no_runtime), "a missing library", DIFFUSE_RUNTIME);
  GIVES(diffuse_runtime_open("", &no_runtime), "an empty path", DIFFUSE_RUNTIME);
  BAD(diffuse_runtime_open(not_utf8, &no_runtime), "a path that is not UTF-8");
  REQUIRE(no_runtime == NULL);
  GOOD(diffuse_runtime_open(library, &runtime), "");
  GIVES(diffuse_runtime_open(path, &no_runtime), "another library while one runs", DIFFUSE_RUNTIME);
  REQUIRE(diffuse_runtime_path(NULL) == NULL && diffuse_runtime_version(NULL) == NULL);
  REQUIRE(diffuse_runtime_path(AS(diffuse_runtime)) == NULL && diffuse_runtime_version(AS(diffuse_runtime)) == NULL);
  REQUIRE(diffuse_runtime_providers(NULL) == NULL && diffuse_runtime_providers(AS(diffuse_runtime)) == NULL);
  REQUIRE(strstr(diffuse_runtime_providers(runtime), "cpu") != NULL);
  diffuse_runtime_free(NULL);
  diffuse_runtime_free(AS(diffuse_runtime));

  BAD(diffuse_model_options_new(NULL), "NULL output");
  GOOD(diffuse_model_options_new(&options), "");
  BAD(diffuse_model_options_set_threads(NULL, 1), "NULL handle");
  BAD(diffuse_model_options_set_threads(AS(diffuse_model_options), 1), "a handle of another type");
  BAD(diffuse_model_options_set_threads(options, 1000000), "absurd threads");
  BAD(diffuse_model_options_set_spinning(NULL, 1), "NULL handle");
  BAD(diffuse_model_options_set_spinning(AS(diffuse_model_options), 1), "a handle of another type");
  BAD(diffuse_model_options_set_priority(NULL, "normal"), "NULL handle");
  BAD(diffuse_model_options_set_priority(AS(diffuse_model_options), "normal"), "a handle of another type");
  BAD(diffuse_model_options_set_priority(options, NULL), "NULL priority");
  BAD(diffuse_model_options_set_priority(options, "urgent"), "an unknown priority");
  GOOD(diffuse_model_options_set_priority(options, "background"), "");
  GOOD(diffuse_model_options_set_priority(options, "normal"), "");
  BAD(diffuse_model_options_set_memory(NULL, "keep"), "NULL handle");
  BAD(diffuse_model_options_set_memory(AS(diffuse_model_options), "keep"), "a handle of another type");
  BAD(diffuse_model_options_set_memory(options, NULL), "NULL policy");
  BAD(diffuse_model_options_set_memory(options, "plenty"), "a policy that there is not");
  GOOD(diffuse_model_options_set_memory(options, "4G"), "");
  BAD(diffuse_model_options_set_copy_weights(NULL, 1), "NULL handle");
  BAD(diffuse_model_options_set_copy_weights(AS(diffuse_model_options), 1), "a handle of another type");
  BAD(diffuse_model_options_set_manifest(NULL, "{}"), "NULL handle");
  BAD(diffuse_model_options_set_manifest(AS(diffuse_model_options), "{}"), "a handle of another type");
  BAD(diffuse_model_options_set_manifest(options, NULL), "NULL string");
  BAD(diffuse_model_options_set_manifest(options, not_utf8), "a string that is not UTF-8");
  BAD(diffuse_model_options_add_external_data(NULL, "a", pixels, 1), "NULL handle");
  BAD(diffuse_model_options_add_external_data(AS(diffuse_model_options), "a", pixels, 1), "a handle of another type");
  BAD(diffuse_model_options_add_external_data(options, NULL, pixels, 1), "NULL name");
  BAD(diffuse_model_options_add_external_data(options, not_utf8, pixels, 1), "a name that is not UTF-8");
  BAD(diffuse_model_options_add_external_data(options, "a", NULL, 1), "NULL bytes");
  BAD(diffuse_model_options_add_external_data(options, "a", pixels, (size_t)-1), "an absurd length");
  BAD(diffuse_model_options_set_cpu_nodes(NULL, 1), "NULL handle");
  BAD(diffuse_model_options_set_cpu_nodes(AS(diffuse_model_options), 1), "a handle of another type");
  BAD(diffuse_model_options_add_provider(NULL, "cpu"), "NULL handle");
  BAD(diffuse_model_options_add_provider(AS(diffuse_model_options), "cpu"), "a handle of another type");
  BAD(diffuse_model_options_add_provider(options, NULL), "NULL name");
  BAD(diffuse_model_options_add_provider(options, not_utf8), "a name that is not UTF-8");
  BAD(diffuse_model_options_add_provider(options, "CUDAExecutionProvider"), "an unknown name");
  BAD(diffuse_model_options_add_provider_library(NULL, "mine", path), "NULL handle");
  BAD(diffuse_model_options_add_provider_library(AS(diffuse_model_options), "mine", path), "a handle of another type");
  BAD(diffuse_model_options_add_provider_library(options, NULL, path), "NULL name");
  BAD(diffuse_model_options_add_provider_library(options, "", path), "an empty name");
  BAD(diffuse_model_options_add_provider_library(options, not_utf8, path), "a name that is not UTF-8");
  BAD(diffuse_model_options_add_provider_library(options, "mine", NULL), "NULL path");
  BAD(diffuse_model_options_add_provider_library(options, "mine", not_utf8), "a path that is not UTF-8");
  BAD(diffuse_model_options_set_provider_option(NULL, "cuda", "device_id", "0"), "NULL handle");
  BAD(diffuse_model_options_set_provider_option(AS(diffuse_model_options), "cuda", "device_id", "0"), "a handle of another type");
  BAD(diffuse_model_options_set_provider_option(options, "cuda", "device_id", "0"), "a provider that was not added");
  GOOD(diffuse_model_options_add_provider(options, "cuda"), "");
  BAD(diffuse_model_options_set_provider_option(options, NULL, "device_id", "0"), "NULL name");
  BAD(diffuse_model_options_set_provider_option(options, "cuda", NULL, "0"), "NULL key");
  BAD(diffuse_model_options_set_provider_option(options, "cuda", "device_id", NULL), "NULL value");
  BAD(diffuse_model_options_set_provider_option(options, not_utf8, "device_id", "0"), "a name that is not UTF-8");
  BAD(diffuse_model_options_set_provider_option(options, "cuda", not_utf8, "0"), "a key that is not UTF-8");
  BAD(diffuse_model_options_set_provider_option(options, "cuda", "device_id", not_utf8), "a value that is not UTF-8");
  BAD(diffuse_model_options_set_provider_option(options, "cuda", "devise_id", "0"), "an unknown key");
  BAD(diffuse_model_options_set_provider_option(options, "cuda", "device_id", "first"), "a value of another type");
  BAD(diffuse_model_options_set_provider_option(options, "cuda", "device_id", ""), "an empty value");
  GOOD(diffuse_model_options_set_provider_option(options, "cuda", "device_id", "0"), "");
  GIVES(diffuse_model_open(runtime, path, options, &no_model), "a provider that is not there", DIFFUSE_PROVIDER);
  GOOD(diffuse_model_options_add_provider(options, "cuda"), "");
  BAD(diffuse_model_open(runtime, path, options, &no_model), "a provider named twice");
  REQUIRE(no_model == NULL);
  diffuse_model_options_free(options);
  GOOD(diffuse_model_options_new(&options), "");
  GOOD(diffuse_model_options_add_provider(options, "cpu"), "");
  GOOD(diffuse_model_options_add_provider(options, "cuda"), "");
  BAD(diffuse_model_open(runtime, path, options, &no_model), "a provider after cpu");
  diffuse_model_options_free(options);
  GOOD(diffuse_model_options_new(&options), "");
  GOOD(diffuse_model_options_add_provider_library(options, "mine", path), "");
  GIVES(diffuse_model_open(runtime, path, options, &no_model), "a plugin that is no library", DIFFUSE_PROVIDER);
  diffuse_model_options_free(options);
  GOOD(diffuse_model_options_new(&options), "");
  GOOD(diffuse_model_options_add_provider_library(options, "mine", library), "");
  GIVES(diffuse_model_open(runtime, path, options, &no_model), "a plugin that is another library", DIFFUSE_PROVIDER);
  diffuse_model_options_free(options);
  GOOD(diffuse_model_options_new(&options), "");

  BAD(diffuse_model_open(NULL, path, NULL, &no_model), "NULL runtime");
  BAD(diffuse_model_open(AS(diffuse_runtime), path, NULL, &no_model), "a handle of another type");
  BAD(diffuse_model_open(runtime, NULL, NULL, &no_model), "NULL path");
  BAD(diffuse_model_open(runtime, not_utf8, NULL, &no_model), "a path that is not UTF-8");
  BAD(diffuse_model_open(runtime, path, AS(diffuse_model_options), &no_model), "options of another type");
  BAD(diffuse_model_open(runtime, path, NULL, NULL), "NULL output");
  GIVES(diffuse_model_open(runtime, "/no/such/model.onnx", NULL, &no_model), "a missing file", DIFFUSE_IO);
  GIVES(diffuse_model_open(runtime, "/", NULL, &no_model), "a folder", DIFFUSE_MODEL);
  GIVES(diffuse_model_open(runtime, library, NULL, &no_model), "a file that is no model", DIFFUSE_MODEL);
  BAD(diffuse_model_open_bytes(NULL, pixels, 1, NULL, &no_model), "NULL runtime");
  BAD(diffuse_model_open_bytes(runtime, NULL, 1, NULL, &no_model), "NULL bytes");
  BAD(diffuse_model_open_bytes(runtime, pixels, (size_t)-1, NULL, &no_model), "an absurd length");
  BAD(diffuse_model_open_bytes(runtime, pixels, 1, AS(diffuse_model_options), &no_model), "options of another type");
  BAD(diffuse_model_open_bytes(runtime, pixels, 1, NULL, NULL), "NULL output");
  GIVES(diffuse_model_open_bytes(runtime, NULL, 0, NULL, &no_model), "no bytes", DIFFUSE_MODEL);
  {
    const char *name = "unet/model.onnx", *none = NULL;
    const uint8_t *bytes = (const uint8_t *)"model", *nothing = NULL;
    size_t length = 5, absurd = (size_t)-1;
    BAD(diffuse_model_open_parts(NULL, &name, &bytes, &length, 1, NULL, &no_model), "NULL runtime");
    BAD(diffuse_model_open_parts(runtime, NULL, &bytes, &length, 1, NULL, &no_model), "NULL names");
    BAD(diffuse_model_open_parts(runtime, &none, &bytes, &length, 1, NULL, &no_model), "a name that is NULL");
    BAD(diffuse_model_open_parts(runtime, &name, NULL, &length, 1, NULL, &no_model), "NULL bytes");
    BAD(diffuse_model_open_parts(runtime, &name, &nothing, &length, 1, NULL, &no_model), "bytes that are NULL");
    BAD(diffuse_model_open_parts(runtime, &name, &bytes, NULL, 1, NULL, &no_model), "NULL lengths");
    BAD(diffuse_model_open_parts(runtime, &name, &bytes, &absurd, 1, NULL, &no_model), "an absurd length");
    BAD(diffuse_model_open_parts(runtime, &name, &bytes, &length, 1, AS(diffuse_model_options), &no_model), "options of another type");
    BAD(diffuse_model_open_parts(runtime, &name, &bytes, &length, 1, NULL, NULL), "NULL output");
    GIVES(diffuse_model_open_parts(runtime, &name, &bytes, &length, 1, NULL, &no_model), "bytes that are no model", DIFFUSE_MODEL);
    GIVES(diffuse_model_open_parts(runtime, NULL, NULL, NULL, 0, NULL, &no_model), "no parts", DIFFUSE_MODEL);
  }
  GIVES(diffuse_model_open_bytes(runtime, (const uint8_t *)"model", 5, NULL, &no_model), "bytes that are no model", DIFFUSE_MODEL);
  GOOD(diffuse_model_options_set_manifest(options, "{\"diffuse\": 1}"), "");
  GIVES(diffuse_model_open(runtime, path, options, &no_model), "a manifest that does not hold", DIFFUSE_MODEL);
  REQUIRE(no_model == NULL);
  GOOD(diffuse_model_open(runtime, path, NULL, &model), "");
  REQUIRE(diffuse_model_name(NULL) == NULL && diffuse_model_manifest(NULL) == NULL && diffuse_model_class_count(NULL) == 0);
  REQUIRE(diffuse_model_name(AS(diffuse_model)) == NULL && diffuse_model_class_count(AS(diffuse_model)) == 0);
  REQUIRE(diffuse_model_classes(NULL) == NULL && diffuse_model_classes(AS(diffuse_model)) == NULL && diffuse_options() == diffuse_options());
  REQUIRE(diffuse_model_manifest(AS(diffuse_model)) == NULL && diffuse_model_manifest(model)[0] == '{');
  REQUIRE(diffuse_model_provider(NULL) == NULL && diffuse_model_provider(AS(diffuse_model)) == NULL);
  REQUIRE(diffuse_model_placement(NULL) == NULL && diffuse_model_placement(AS(diffuse_model)) == NULL);
  REQUIRE(strcmp(diffuse_model_provider(model), "cpu") == 0 && diffuse_model_placement(model)[0] == '{');
  diffuse_model_free(NULL);
  diffuse_model_free(AS(diffuse_model));
  BAD(diffuse_model_sha256(NULL, &hash), "NULL handle");
  BAD(diffuse_model_sha256(AS(diffuse_model), &hash), "a handle of another type");
  BAD(diffuse_model_sha256(model, NULL), "NULL output");
  BAD(diffuse_model_shape(NULL, axes, 4, &rank), "NULL handle");
  BAD(diffuse_model_shape(AS(diffuse_model), axes, 4, &rank), "a handle of another type");
  BAD(diffuse_model_shape(model, NULL, 4, &rank), "NULL axes");
  BAD(diffuse_model_shape(model, axes, 2, &rank), "too little room");
  BAD(diffuse_model_shape(model, axes, 4, NULL), "NULL rank");
  GOOD(diffuse_model_shape(model, NULL, 0, &rank), "no room asks for the rank");
  BAD(diffuse_model_class(NULL, "heart", &found), "NULL handle");
  BAD(diffuse_model_class(AS(diffuse_model), "heart", &found), "a handle of another type");
  BAD(diffuse_model_class(model, NULL, &found), "NULL name");
  BAD(diffuse_model_class(model, not_utf8, &found), "a name that is not UTF-8");
  BAD(diffuse_model_class(model, "zebra", &found), "an unknown class");
  BAD(diffuse_model_class(model, "heart", NULL), "NULL output");
  BAD(diffuse_model_level(NULL, 0, &alpha, &sigma), "NULL handle");
  BAD(diffuse_model_level(AS(diffuse_model), 0, &alpha, &sigma), "a handle of another type");
  BAD(diffuse_model_level(model, strtod("nan", NULL), &alpha, &sigma), "a time that is no number");
  BAD(diffuse_model_level(model, strtod("inf", NULL), &alpha, &sigma), "a time without end");
  BAD(diffuse_model_level(model, -strtod("inf", NULL), &alpha, &sigma), "a time without a beginning");
  BAD(diffuse_model_level(model, 1000, &alpha, &sigma), "a time beyond the schedule's");
  BAD(diffuse_model_level(model, 1e308, &alpha, &sigma), "an absurd time");
  GOOD(diffuse_model_level(model, -1, &alpha, &sigma), "the clean sample");
  REQUIRE(alpha == 1 && sigma == 0);
  BAD(diffuse_model_level(model, 0, NULL, &sigma), "NULL output");
  BAD(diffuse_model_level(model, 0, &alpha, NULL), "NULL output");
  BAD(diffuse_cancel_new(NULL), "NULL output");
  GOOD(diffuse_cancel_new(&cancel), "");
  BAD(diffuse_cancel_cancel(NULL), "NULL handle");
  BAD(diffuse_cancel_cancel(AS(diffuse_cancel)), "a handle of another type");
  BAD(diffuse_model_options_set_cancel(NULL, cancel), "NULL handle");
  BAD(diffuse_model_options_set_cancel(AS(diffuse_model_options), cancel), "a handle of another type");
  BAD(diffuse_model_options_set_cancel(options, AS(diffuse_cancel)), "a cancel of another type");
  GOOD(diffuse_model_options_set_cancel(options, cancel), "");
  BAD(diffuse_model_variational_bound(model, told, values, 4096, 1, "beta", 0, AS(diffuse_cancel), &alpha), "a cancel of another type");
  BAD(diffuse_model_log_density(model, told, values, 4096, 1, 1, 0.1, 0, AS(diffuse_cancel), &alpha), "a cancel of another type");
  BAD(diffuse_model_denoise(model, told, values, 4096, 1, 500, 0.7, 0.7, AS(diffuse_cancel), values), "a cancel of another type");
  BAD(diffuse_model_trim(model, AS(diffuse_cancel)), "a cancel of another type");
  GOOD(diffuse_model_trim(model, cancel), "a cancel that was not cancelled");
  GOOD(diffuse_cancel_cancel(cancel), "");
  GOOD(diffuse_cancel_cancel(cancel), "once more");
  GIVES(diffuse_model_variational_bound(model, told, values, 4096, 1, "beta", 0, cancel, &alpha), "a cancel that was cancelled", DIFFUSE_CANCELLED);
  GIVES(diffuse_model_log_density(model, told, values, 4096, 1, 1, 0.1, 0, cancel, &alpha), "a cancel that was cancelled", DIFFUSE_CANCELLED);
  GIVES(diffuse_model_denoise(model, told, values, 4096, 1, 500, 0.7, 0.7, cancel, values), "a cancel that was cancelled", DIFFUSE_CANCELLED);
  GIVES(diffuse_model_trim(model, cancel), "a cancel that was cancelled", DIFFUSE_CANCELLED);
  GIVES(diffuse_model_open(runtime, path, options, &no_model), "options whose cancel was cancelled", DIFFUSE_CANCELLED);
  GOOD(diffuse_model_options_set_cancel(options, NULL), "no cancel");
  BAD(diffuse_model_variational_bound(NULL, told, values, 4096, 1, "beta", 0, NULL, &alpha), "NULL handle");
  BAD(diffuse_model_variational_bound(AS(diffuse_model), told, values, 4096, 1, "beta", 0, NULL, &alpha), "a handle of another type");
  BAD(diffuse_model_variational_bound(model, told, NULL, 4096, 1, "beta", 0, NULL, &alpha), "NULL x");
  BAD(diffuse_model_variational_bound(model, told, values, 1, 1, "beta", 0, NULL, &alpha), "a length that does not fit");
  BAD(diffuse_model_variational_bound(model, (diffuse_request *)(void *)model, values, 4096, 1, "beta", 0, NULL, &alpha), "a request of another type");
  BAD(diffuse_model_variational_bound(model, told, values, 4096, 1, NULL, 0, NULL, &alpha), "NULL variance");
  BAD(diffuse_model_variational_bound(model, told, values, 4096, 1, "gamma", 0, NULL, &alpha), "an unknown variance");
  BAD(diffuse_model_variational_bound(model, told, values, 4096, 1, "learned", 0, NULL, &alpha), "a variance that the network does not predict");
  BAD(diffuse_model_variational_bound(model, told, values, 4096, 1, "beta", 0, NULL, NULL), "NULL output");
  BAD(diffuse_model_log_density(NULL, told, values, 4096, 1, 1, 0.1, 0, NULL, &alpha), "NULL handle");
  BAD(diffuse_model_log_density(AS(diffuse_model), told, values, 4096, 1, 1, 0.1, 0, NULL, &alpha), "a handle of another type");
  BAD(diffuse_model_log_density(model, told, NULL, 4096, 1, 1, 0.1, 0, NULL, &alpha), "NULL x");
  BAD(diffuse_model_log_density(model, told, values, 4095, 1, 1, 0.1, 0, NULL, &alpha), "a length that does not fit");
  BAD(diffuse_model_log_density(model, told, values, 4097, 1, 1, 0.1, 0, NULL, &alpha), "more values than the items have");
  BAD(diffuse_model_log_density(model, (diffuse_request *)(void *)model, values, 4096, 1, 1, 0.1, 0, NULL, &alpha), "a request of another type");
  BAD(diffuse_model_log_density(model, told, values, 4096, 1, 1, 0, 0, NULL, &alpha), "no tolerance");
  BAD(diffuse_model_log_density(model, told, values, 4096, 1, (size_t)-1, 0.1, 0, NULL, &alpha), "absurdly many directions");
  BAD(diffuse_model_log_density(model, told, values, 4096, 1, 1, 0.1, 0, NULL, NULL), "NULL output");
  BAD(diffuse_model_denoise(NULL, told, values, 4096, 1, 500, 0.7, 0.7, NULL, values), "NULL handle");
  BAD(diffuse_model_denoise(AS(diffuse_model), told, values, 4096, 1, 500, 0.7, 0.7, NULL, values), "a handle of another type");
  BAD(diffuse_model_denoise(model, told, NULL, 4096, 1, 500, 0.7, 0.7, NULL, values), "NULL x");
  BAD(diffuse_model_denoise(model, told, values, 4095, 1, 500, 0.7, 0.7, NULL, values), "a length that does not fit");
  BAD(diffuse_model_denoise(model, told, values, 2 * 4096, 1, 500, 0.7, 0.7, NULL, values), "more values than the items have");
  BAD(diffuse_model_denoise(model, told, values, 0, 0, 500, 0.7, 0.7, NULL, values), "no items");
  BAD(diffuse_model_denoise(model, told, values, 4096, (size_t)-1, 500, 0.7, 0.7, NULL, values), "an absurd count");
  BAD(diffuse_model_denoise(model, (diffuse_request *)(void *)model, values, 4096, 1, 500, 0.7, 0.7, NULL, values), "a request of another type");
  BAD(diffuse_model_denoise(model, told, values, 4096, 1, 500, 0.7, 0.7, NULL, NULL), "NULL output");
  BAD(diffuse_model_denoise(model, told, values, 2 * 4096, 2, 500, 0.7, 0.7, NULL, values), "classes of fewer items");
  REQUIRE(diffuse_request_set_shape(told, axes + 1, 3) == DIFFUSE_OK);
  BAD(diffuse_model_denoise(model, told, values, 1024, 1, 500, 0.7, 0.7, NULL, values), "a shape that does not fit");
  BAD(diffuse_model_denoise(model, told, values, 4096, 1, 500, 0.7, 0.7, NULL, values), "samples of another shape than the request's");
  BAD(diffuse_model_add_noise(model, told, values, 4096, 1, 500, 0, values), "samples of another shape than the request's");
  REQUIRE(diffuse_request_set_shape(told, axes, 3) == DIFFUSE_OK);
  GOOD(diffuse_model_denoise(model, told, values, 4096, 1, 500, 0.7, 0.7, NULL, values + 4096), "the shape that it has anyway");
  GOOD(diffuse_model_denoise(model, NULL, values, 4096, 1, 500, 0.7, 0.7, NULL, values + 4096), "no request, for a model with a null class");
  REQUIRE(diffuse_request_set_condition(told, "mask", DIFFUSE_ELEMENT_F32, values, length, 1, 0) == DIFFUSE_OK);
  BAD(diffuse_model_denoise(model, told, values, 4096, 1, 500, 0.7, 0.7, NULL, values), "a condition that the model has not");
  diffuse_request_free(told);
  BAD(diffuse_model_denoise(model, NULL, (float *)misaligned, 4096, 1, 500, 0.7, 0.7, NULL, values), "a pointer that is not aligned");

  BAD(diffuse_request_new(NULL), "NULL output");
  GOOD(diffuse_request_new(&request), "");
#define SETTER(name, value)                                                  \
  BAD(diffuse_request_set_##name(NULL, value), "NULL handle");               \
  BAD(diffuse_request_set_##name((diffuse_request *)(void *)model, value), "a handle of another type")
  SETTER(seed, 1);
  SETTER(count, 1);
  BAD(diffuse_request_set(NULL, "steps", "1"), "NULL handle");
  BAD(diffuse_request_set((diffuse_request *)(void *)model, "steps", "1"), "a handle of another type");
  BAD(diffuse_request_set(request, NULL, "1"), "NULL key");
  BAD(diffuse_request_set(request, not_utf8, "1"), "a key that is not UTF-8");
  BAD(diffuse_request_set(request, "stepz", "1"), "an unknown key");
  BAD(diffuse_request_set(request, "steps", NULL), "NULL value");
  BAD(diffuse_request_set(request, "solver", not_utf8), "a value that is not UTF-8");
  BAD(diffuse_request_set(request, "steps", ""), "an empty value");
  BAD(diffuse_request_set(request, "steps", "0"), "no steps");
  BAD(diffuse_request_set(request, "steps", "-1"), "a negative whole number");
  BAD(diffuse_request_set(request, "steps", "1.5"), "half a step");
  BAD(diffuse_request_set(request, "steps", "99999999999999999999"), "a number that no type holds");
  BAD(diffuse_request_set(request, "eta", "0.5 "), "a number and more");
  BAD(diffuse_request_set(request, "eta", "inf"), "a number without an end");
  BAD(diffuse_request_set(request, "solver", "dimm"), "an unknown solver");
  BAD(diffuse_request_set(request, "grid", "no such thing"), "an unknown word");
  BAD(diffuse_request_set_number(NULL, "steps", 1), "NULL handle");
  BAD(diffuse_request_set_number((diffuse_request *)(void *)model, "steps", 1), "a handle of another type");
  BAD(diffuse_request_set_number(request, NULL, 1), "NULL key");
  BAD(diffuse_request_set_number(request, not_utf8, 1), "a key that is not UTF-8");
  BAD(diffuse_request_set_number(request, "grid", 1), "a number for a word");
  BAD(diffuse_request_set_number(request, "steps", 1.5), "half a step");
  BAD(diffuse_request_set_number(request, "eta", 1.5), "too much noise");
  BAD(diffuse_request_set_number(request, "eta", -1e-300), "a share below none");
  BAD(diffuse_request_set_number(request, "eta", values[0] / values[0]), "no number");

  BAD(diffuse_request_set_scheduler_config(NULL, "{}"), "NULL handle");
  BAD(diffuse_request_set_scheduler_config((diffuse_request *)(void *)model, "{}"), "a handle of another type");
  BAD(diffuse_request_set_scheduler_config(request, NULL), "NULL json");
  BAD(diffuse_request_set_scheduler_config(request, not_utf8), "text that is not UTF-8");
  BAD(diffuse_request_set_scheduler_config(request, "{"), "no JSON");
  BAD(diffuse_request_set_scheduler_config(request, "{\"_class_name\": \"AnyScheduler\"}"), "another class");
  BAD(diffuse_request_set_scheduler_config(request, "{\"_class_name\": \"DDIMScheduler\", \"clip_samples\": true}"), "a field that no class has");
  BAD(diffuse_request_set_scheduler_config(request, "{\"_class_name\": \"DDIMScheduler\", \"beta_start\": NaN}"), "a field that is no number");
  BAD(diffuse_request_departures(NULL, &hash), "NULL handle");
  BAD(diffuse_request_departures((diffuse_request *)(void *)model, &hash), "a handle of another type");
  BAD(diffuse_request_departures(request, NULL), "NULL output");
  GOOD(diffuse_request_departures(request, &hash), "without a configuration");
  require(hash[0] == 0, "hash[0] == 0");
  BAD(diffuse_request_set_classes(NULL, classes, 2), "NULL handle");
  BAD(diffuse_request_set_classes((diffuse_request *)(void *)model, classes, 2), "a handle of another type");
  BAD(diffuse_request_set_classes(request, NULL, 2), "NULL classes");
  BAD(diffuse_request_set_classes(request, classes, (size_t)-1), "an absurd count");
  BAD(diffuse_request_set_classes(request, (int64_t *)misaligned, 2), "a pointer that is not aligned");
  BAD(diffuse_request_set_class(NULL, DIFFUSE_ALL_ITEMS, "heart"), "NULL handle");
  BAD(diffuse_request_set_class((diffuse_request *)(void *)model, DIFFUSE_ALL_ITEMS, "heart"), "a handle of another type");
  BAD(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, not_utf8), "a name that is not UTF-8");
  BAD(diffuse_request_set_class(request, -2, "heart"), "no item");
  BAD(diffuse_request_set_class(request, 1, "heart"), "an item before the first");
  BAD(diffuse_request_set_negative_class(NULL, DIFFUSE_ALL_ITEMS, "heart"), "NULL handle");
  BAD(diffuse_request_set_negative_class((diffuse_request *)(void *)model, DIFFUSE_ALL_ITEMS, "heart"), "a handle of another type");
  BAD(diffuse_request_set_negative_class(request, DIFFUSE_ALL_ITEMS, not_utf8), "a name that is not UTF-8");
  BAD(diffuse_request_set_negative_class(request, INT64_MAX, "heart"), "an absurd item");
  GOOD(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, "no such class"), "which is seen with the model");
  BAD(diffuse_job_new(model, request, &no_job), "a class that the model does not have");
  GOOD(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, NULL), "NULL takes it back");
  BAD(diffuse_request_unset(NULL, "steps"), "NULL handle");
  BAD(diffuse_request_unset((diffuse_request *)(void *)model, "steps"), "a handle of another type");
  BAD(diffuse_request_unset(request, NULL), "NULL key");
  BAD(diffuse_request_unset(request, "no such option"), "an unknown option");
  BAD(diffuse_request_set_shape(NULL, axes, 3), "NULL handle");
  BAD(diffuse_request_set_shape((diffuse_request *)(void *)model, axes, 3), "a handle of another type");
  BAD(diffuse_request_set_shape(request, NULL, 3), "NULL axes");
  BAD(diffuse_request_set_shape(request, axes, (size_t)-1), "an absurd rank");
  BAD(diffuse_request_set_negative_classes(NULL, classes, 1), "NULL handle");
  BAD(diffuse_request_set_negative_classes((diffuse_request *)(void *)model, classes, 1), "a handle of another type");
  BAD(diffuse_request_set_negative_classes(request, NULL, 1), "NULL classes");
  BAD(diffuse_request_set_negative_classes(request, classes, (size_t)-1), "an absurd count");
  BAD(diffuse_request_set_condition(NULL, "mask", DIFFUSE_ELEMENT_F32, values, length, 1, 0), "NULL handle");
  BAD(diffuse_request_set_condition((diffuse_request *)(void *)model, "mask", DIFFUSE_ELEMENT_F32, values, length, 1, 0), "a handle of another type");
  BAD(diffuse_request_set_condition(request, NULL, DIFFUSE_ELEMENT_F32, values, length, 1, 0), "NULL name");
  BAD(diffuse_request_set_condition(request, not_utf8, DIFFUSE_ELEMENT_F32, values, length, 1, 0), "a name that is not UTF-8");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_F32, values, length, 1, 2), "neither positive nor negative");
  BAD(diffuse_request_set_condition(request, "mask", -1, values, length, 1, 0), "no type");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_BOOL + 1, values, length, 1, 0), "an unknown type");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_F32, values, NULL, 1, 0), "NULL axes");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_F32, values, (size_t *)misaligned, 1, 0), "axes that are not aligned");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_F32, values, length, (size_t)-1, 0), "an absurd rank");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_F32, values, none, 2, 0), "an axis of no values");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_F32, values, most, 1, 0), "an absurd axis");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_U8, pixels, most, 2, 0), "axes whose product is no number");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_F32, misaligned, length, 1, 0), "a pointer that is not aligned");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_F16, misaligned, length, 1, 0), "a pointer that is not aligned");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_I64, misaligned, length, 1, 0), "a pointer that is not aligned");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_BOOL, flags, &one[2], 1, 0), "a truth value of 2");
  BAD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_U64, beyond, &one[1], 1, 0), "a number of 64 bits");
  GOOD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_BOOL, flags, &one[1], 1, 0), "");
  GOOD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_U64, beyond, &one[0], 1, 0), "");
  GOOD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_I8, misaligned, length, 1, 0), "bytes lie anywhere");
  GOOD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_F32, values, NULL, 0, 1), "one number");
  GOOD(diffuse_request_set_condition(request, "mask", DIFFUSE_ELEMENT_F32, NULL, NULL, 0, 1), "NULL takes it back");
  GOOD(diffuse_request_set_condition(request, "mask", -1, NULL, NULL, 1, 0), "NULL takes it back, whatever its type");
  BAD(diffuse_request_set_classifier(NULL, model, classes, 1), "NULL handle");
  BAD(diffuse_request_set_classifier((diffuse_request *)(void *)model, model, classes, 1), "a handle of another type");
  BAD(diffuse_request_set_classifier(request, AS(diffuse_model), classes, 1), "a classifier of another type");
  BAD(diffuse_request_set_classifier(request, model, NULL, 1), "NULL classes");
  GOOD(diffuse_request_set_classifier(request, NULL, NULL, 0), "NULL takes it back");
  BAD(diffuse_request_set_guidance_callback(NULL, callback, NULL), "NULL handle");
  BAD(diffuse_request_set_guidance_callback((diffuse_request *)(void *)model, callback, NULL), "a handle of another type");
  GOOD(diffuse_request_set_guidance_callback(request, NULL, NULL), "NULL takes it back");
  BAD(diffuse_request_set_guidance_callback_owned(NULL, callback, NULL, NULL), "NULL handle");
  BAD(diffuse_request_set_guidance_callback_owned((diffuse_request *)(void *)model, callback, NULL, NULL), "a handle of another type");
  GOOD(diffuse_request_set_guidance_callback_owned(request, NULL, NULL, NULL), "NULL takes it back");
  BAD(diffuse_request_set_image(NULL, values, 4096), "NULL handle");
  BAD(diffuse_request_set_image((diffuse_request *)(void *)model, values, 4096), "a handle of another type");
  BAD(diffuse_request_set_image(request, values, (size_t)-1), "an absurd length");
  GOOD(diffuse_request_set_image(request, NULL, 0), "NULL takes it back");
  BAD(diffuse_request_set_prompt(NULL, 0, "a cat"), "NULL handle");
  BAD(diffuse_request_set_prompt((diffuse_request *)(void *)model, 0, "a cat"), "a handle of another type");
  BAD(diffuse_request_set_prompt(request, 65536, "a cat"), "an absurd item");
  BAD(diffuse_request_set_prompt(request, DIFFUSE_ALL_ITEMS, "\xff\xfe"), "no UTF-8");
  GOOD(diffuse_request_set_prompt(request, DIFFUSE_ALL_ITEMS, NULL), "NULL takes it back");
  BAD(diffuse_request_set_negative_prompt(NULL, 0, "blurry"), "NULL handle");
  BAD(diffuse_request_set_negative_prompt((diffuse_request *)(void *)model, 0, "blurry"), "a handle of another type");
  BAD(diffuse_request_set_negative_prompt(request, 65536, "blurry"), "an absurd item");
  GOOD(diffuse_request_set_negative_prompt(request, 0, NULL), "NULL takes it back");
  BAD(diffuse_request_set_embeddings(NULL, values, 1, 4, 8, NULL, 0, 0), "NULL handle");
  BAD(diffuse_request_set_embeddings((diffuse_request *)(void *)model, values, 1, 4, 8, NULL, 0, 0), "a handle of another type");
  BAD(diffuse_request_set_embeddings(request, values, (size_t)-1, 4, 8, NULL, 0, 0), "an absurd number of items");
  BAD(diffuse_request_set_embeddings(request, values, 1, 4, 8, NULL, 0, 2), "neither 0 nor 1");
  GOOD(diffuse_request_set_embeddings(request, NULL, 0, 0, 0, NULL, 0, 0), "NULL takes them back");
  BAD(diffuse_request_set_mask(NULL, values, 1024), "NULL handle");
  BAD(diffuse_request_set_mask((diffuse_request *)(void *)model, values, 1024), "a handle of another type");
  BAD(diffuse_request_set_mask(request, values, (size_t)-1), "an absurd length");
  GOOD(diffuse_request_set_mask(request, NULL, 0), "NULL takes it back");
  BAD(diffuse_model_add_noise(NULL, NULL, values, 4096, 1, 500, 0, values), "NULL handle");
  BAD(diffuse_model_add_noise(AS(diffuse_model), NULL, values, 4096, 1, 500, 0, values), "a handle of another type");
  BAD(diffuse_model_add_noise(model, (diffuse_request *)(void *)model, values, 4096, 1, 500, 0, values), "a request of another type");
  BAD(diffuse_model_add_noise(model, NULL, NULL, 4096, 1, 500, 0, values), "NULL samples");
  BAD(diffuse_model_add_noise(model, NULL, values, 4095, 1, 500, 0, values), "a length that does not fit");
  BAD(diffuse_model_add_noise(model, NULL, values, 2 * 4096, 1, 500, 0, values), "more values than the items have");
  BAD(diffuse_model_add_noise(model, NULL, values, 4096, 1, 500, 0, NULL), "NULL output");
  BAD(diffuse_model_add_noise(model, NULL, values, 4096, 1, 1000, 0, values), "a time beyond the schedule");
  BAD(diffuse_model_add_noise(model, NULL, values, 4096, 0, 500, 0, values), "no items");
  GOOD(diffuse_model_add_noise(model, NULL, values, 4096, 1, 500, 0, values), "in place");
  BAD(diffuse_model_values(NULL, pixels, 4096, 128, 0, values, 4096), "NULL handle");
  BAD(diffuse_model_values(AS(diffuse_model), pixels, 4096, 128, 0, values, 4096), "a handle of another type");
  BAD(diffuse_model_values(model, NULL, 4096, 128, 0, values, 4096), "NULL pixels");
  BAD(diffuse_model_values(model, pixels, 4095, 128, 0, values, 4096), "too few pixels");
  BAD(diffuse_model_values(model, pixels, 4096, 127, 0, values, 4096), "rows that overlap");
  BAD(diffuse_model_values(model, pixels, 4096, 128, 8, values, 4096), "an unknown flag");
  BAD(diffuse_model_values(model, pixels, 4096, 128, 0, NULL, 4096), "NULL output");
  BAD(diffuse_model_values(model, pixels, 4096, 128, 0, values, 4095), "too little room");
  GOOD(diffuse_model_values(model, pixels, 4096, 128, 0, values, 4096), "");
  diffuse_request_free(NULL);
  diffuse_request_free((diffuse_request *)(void *)model);

  BAD(diffuse_job_new(NULL, request, &no_job), "NULL model");
  BAD(diffuse_job_new(AS(diffuse_model), request, &no_job), "a handle of another type");
  BAD(diffuse_job_new(model, NULL, &no_job), "NULL request");
  BAD(diffuse_job_new(model, (diffuse_request *)(void *)model, &no_job), "a handle of another type");
  BAD(diffuse_job_new(model, request, NULL), "NULL output");
#define REFUSED(set, why)                        \
  REQUIRE(diffuse_request_new(&other) == DIFFUSE_OK); \
  REQUIRE(set == DIFFUSE_OK);                    \
  row("diffuse_job_new after " #set, why, diffuse_job_new(model, other, &no_job), DIFFUSE_ARGUMENT); \
  diffuse_request_free(other)
  diffuse_request_free(other);
  REFUSED(diffuse_request_set_count(other, 0), "no items");
  REFUSED(diffuse_request_set_count(other, (size_t)-1), "absurd items");
  REFUSED(diffuse_request_set_number(other, "steps", 1001), "more steps than training");
  REFUSED(diffuse_request_set(other, "variance", "beta"), "an option of another solver");
  REFUSED(diffuse_request_set(other, "steps_offset", "5"), "an offset on another grid");
  REFUSED(diffuse_request_set_shape(other, axes + 1, 3), "a shape that does not fit");
  REFUSED(diffuse_request_set_shape(other, axes, 0), "an empty shape");
  REFUSED(diffuse_request_set_classes(other, classes, 0), "no classes");
  classes[1] = 77;
  REFUSED(diffuse_request_set_classes(other, classes, 2), "a class that is not there");
  REFUSED(diffuse_request_set_image(other, values, 4095), "an image of another size");
  REFUSED(diffuse_request_set_prompt(other, DIFFUSE_ALL_ITEMS, "a cat"), "a prompt for a model that reads none");
  REFUSED(diffuse_request_set(other, "width", "64"), "a size for a model that takes a shape");
  REFUSED(diffuse_request_set_mask(other, values, 1024), "a mask without an image");
  REFUSED(diffuse_request_set(other, "invert", "1"), "an inversion without an image");
  REFUSED(diffuse_request_set_condition(other, "mask", DIFFUSE_ELEMENT_F32, values, length, 1, 0), "a condition that the model has not");
  REFUSED(diffuse_request_set_classifier(other, model, classes, 1), "a classifier that is none");
  REFUSED(diffuse_request_set(other, "guidance_scale", "2"), "guidance without classes");
  REFUSED(diffuse_request_set(other, "guidance_rescale", "0.5"), "a part of guidance without a scale");
  REFUSED(diffuse_request_set_negative_classes(other, classes, 1), "a negative class without guidance");
  REFUSED(diffuse_request_set(other, "strength", "0"), "no part of the run");
  REFUSED(diffuse_request_set(other, "variation_strength", "0.5"), "variations of no seed");
  REFUSED(diffuse_request_set(other, "interpolate_to", "5"), "an interpolation of one item");
  REFUSED(diffuse_request_set(other, "classifier_scale", "5"), "a scale without a classifier");
  REQUIRE(no_job == NULL && diffuse_request_new(&other) == DIFFUSE_OK);
  GOOD(diffuse_request_set_guidance_callback(other, callback, &mode), "");
  GOOD(diffuse_request_set(other, "steps", "6"), "");
  GOOD(diffuse_job_new(model, other, &job), "");
  mode.job = job;
  mode.what = 1;
  GIVES(diffuse_job_step(job, &finished), "a callback that fails with a message", DIFFUSE_CALLBACK);
  mode.what = 2;
  GIVES(diffuse_job_step(job, &finished), "a callback that fails without one", DIFFUSE_CALLBACK);
  mode.what = 3;
  GIVES(diffuse_job_step(job, &finished), "a callback that writes what is no number", DIFFUSE_CALLBACK);
  mode.what = 4;
  GIVES(diffuse_job_step(job, &finished), "a callback that steps its job and fails with what that says", DIFFUSE_CALLBACK);
  mode.what = 0;
  GOOD(diffuse_job_step(job, &finished), "the same job afterwards");
  mode.what = 6;
  GOOD(diffuse_job_step(job, &finished), "a callback that asks wrongly");
  mode.what = 9;
  GOOD(diffuse_job_step(job, &finished), "a callback that starts its job, which is DIFFUSE_BUSY");
  mode.what = 5;
  GIVES(diffuse_job_run(job), "a callback that frees its job", DIFFUSE_CANCELLED);

  /* Networks of the host's. */
#define MANIFEST                                                                                                      \
  "{\"diffuse\": 1, \"sample\": {\"shape\": [1, 2, 2]}, \"schedule\": {\"kind\": \"cosine\", \"train_steps\": 100}," \
  " \"prediction\": \"epsilon\", \"conditions\": {\"text\": {\"shape\": [3]}, \"word\": {\"shape\": [], \"batch\": false}}}"
  BAD(diffuse_model_open_callback(NULL, callback, NULL, &no_model), "NULL manifest");
  BAD(diffuse_model_open_callback(not_utf8, callback, NULL, &no_model), "a manifest that is not UTF-8");
  BAD(diffuse_model_open_callback("{}", NULL, NULL, &no_model), "NULL callback");
  BAD(diffuse_model_open_callback("{}", callback, NULL, NULL), "NULL output");
  BAD(diffuse_model_open_callback_owned(NULL, callback, NULL, NULL, &no_model), "NULL manifest");
  BAD(diffuse_model_open_callback_owned("{}", NULL, NULL, NULL, &no_model), "NULL callback");
  BAD(diffuse_model_open_callback_owned("{}", callback, NULL, NULL, NULL), "NULL output");
  GIVES(diffuse_model_open_callback("{}", callback, NULL, &no_model), "an empty manifest", DIFFUSE_MODEL);
  GIVES(diffuse_model_open_callback("{\"diffuse\": 1", callback, NULL, &no_model), "a manifest that is cut off", DIFFUSE_MODEL);
  REQUIRE(no_model == NULL);
  row("diffuse_model_open_callback(…)", "", diffuse_model_open_callback(MANIFEST, callback, &mode, &no_model), DIFFUSE_OK);
  /* What it leaves to a default is filled in. */
  REQUIRE(strstr(diffuse_model_manifest(no_model), "\"solver\":\"unipc\"") && strstr(diffuse_model_manifest(no_model), "\"clamp\":false"));
  diffuse_request_free(other);
  GOOD(diffuse_request_new(&other), "");
  BAD(diffuse_job_new(no_model, other, &job), "a condition that is missing");
  BAD(diffuse_model_denoise(no_model, NULL, values, 4, 1, 50, 0.7, 0.7, NULL, values), "no request, for a model with a condition");
  BAD(diffuse_model_log_density(no_model, NULL, values, 4, 1, 1, 0.1, 0, NULL, &alpha), "no request, for a model with a condition");
  BAD(diffuse_model_variational_bound(no_model, NULL, values, 4, 1, "beta", 0, NULL, &alpha), "no request, for a model with a condition");
  REQUIRE(diffuse_request_set_condition(other, "word", DIFFUSE_ELEMENT_U8, flags + 2, NULL, 0, 0) == DIFFUSE_OK);
  REQUIRE(diffuse_request_set_condition(other, "text", DIFFUSE_ELEMENT_F32, values, length, 1, 0) == DIFFUSE_OK);
  BAD(diffuse_job_new(no_model, other, &job), "a condition of another shape");
  GOOD(diffuse_request_set_condition(other, "text", DIFFUSE_ELEMENT_F64, text, &one[2], 1, 0), "");
  GOOD(diffuse_job_new(no_model, other, &job), "");
  mode.job = job;
  mode.what = 8;
  GIVES(diffuse_job_step(job, &finished), "a network of the host's that writes nothing", DIFFUSE_CALLBACK);
  mode.what = 1;
  GIVES(diffuse_job_step(job, &finished), "a network of the host's that fails", DIFFUSE_CALLBACK);
  mode.what = 7;
  GOOD(diffuse_job_step(job, &finished), "a network of the host's that asks wrongly");
  mode.what = 5;
  GIVES(diffuse_job_run(job), "a network of the host's that frees its job", DIFFUSE_CANCELLED);
  mode.what = 0;
  GOOD(diffuse_model_trim(no_model, NULL), "a network of the host's");
  diffuse_model_free(no_model);
  diffuse_request_free(other);
  GOOD(diffuse_request_new(&other), "");
#define FREE                                                                                                          \
  "{\"diffuse\": 1, \"sample\": {\"shape\": [1, \"T\"]}, \"schedule\": {\"kind\": \"cosine\", \"train_steps\": 100},"    \
  " \"prediction\": \"epsilon\", \"classes\": {\"count\": 2}}"
  row("diffuse_model_open_callback(… a free size)", "", diffuse_model_open_callback(FREE, callback, &mode, &no_model), DIFFUSE_OK);
  GOOD(diffuse_model_shape(no_model, axes, 4, &rank), "a free size");
  REQUIRE(rank == 2 && axes[0] == 1 && axes[1] == 0);
  BAD(diffuse_model_denoise(no_model, NULL, values, 4, 1, 50, 0.7, 0.7, NULL, values), "a free size that is unknown");
  BAD(diffuse_model_add_noise(no_model, NULL, values, 4, 1, 50, 0, values), "a free size that is unknown");
  BAD(diffuse_job_new(no_model, other, &job), "a free size that is unknown");
  BAD(diffuse_model_values(no_model, pixels, 4096, 128, 0, values, 4096), "a model without a size");
  GOOD(diffuse_request_set_shape(other, axes, 2), "an axis of no values, which is seen later");
  BAD(diffuse_model_denoise(no_model, other, values, 4, 1, 50, 0.7, 0.7, NULL, values), "an axis of no values");
  BAD(diffuse_model_add_noise(no_model, other, values, 0, 1, 50, 0, values), "an axis of no values");
  axes[1] = 4;
  GOOD(diffuse_request_set_shape(other, axes, 2), "");
  GOOD(diffuse_model_add_noise(no_model, other, values, 4, 1, 50, 0, values), "");
  BAD(diffuse_model_denoise(no_model, other, values, 4, 1, 50, 0.7, 0.7, NULL, values), "no classes, for a model without a null class");
  BAD(diffuse_model_log_density(no_model, other, values, 4, 1, 1, 0.1, 0, NULL, &alpha), "no classes, for a model without a null class");
  BAD(diffuse_model_variational_bound(no_model, other, values, 4, 1, "beta", 0, NULL, &alpha), "no classes, for a model without a null class");
  diffuse_model_free(no_model);
  no_model = NULL;
  diffuse_request_free(other);
  GOOD(diffuse_request_new(&other), "");

  cost.struct_size = sizeof cost;
  BAD(diffuse_request_cost(NULL, model, NULL, &cost), "NULL handle");
  BAD(diffuse_request_cost((diffuse_request *)(void *)model, model, NULL, &cost), "a handle of another type");
  BAD(diffuse_request_cost(request, NULL, NULL, &cost), "NULL model");
  BAD(diffuse_request_cost(request, AS(diffuse_model), NULL, &cost), "a model of another type");
  BAD(diffuse_request_cost(request, model, NULL, NULL), "NULL output");
  BAD(diffuse_request_cost(request, model, AS(diffuse_cancel), &cost), "a cancel of another type");
  cost.struct_size = 8;
  BAD(diffuse_request_cost(request, model, NULL, &cost), "a struct_size that is too small");
  cost.struct_size = sizeof cost;
  GOOD(diffuse_request_set(request, "steps", "2"), "");
  GOOD(diffuse_request_cost(request, model, NULL, &cost), "");
  GIVES(diffuse_request_cost(request, model, cancel, &cost), "a cancel that was cancelled", DIFFUSE_CANCELLED);
  diffuse_cancel_free(cancel);
  diffuse_cancel_free(NULL);
  diffuse_cancel_free(AS(diffuse_cancel));
  REQUIRE(cost.evaluations == 2 && cost.milliseconds > 0 && cost.peak_bytes > 100000 && cost.struct_size == sizeof cost);
  BAD(diffuse_model_trim(NULL, NULL), "NULL handle");
  BAD(diffuse_model_trim(AS(diffuse_model), NULL), "a handle of another type");
  GOOD(diffuse_model_trim(model, NULL), "");

  GOOD(diffuse_job_open(NULL, path, NULL, request, &no_job), "NULL has the runtime found");
  diffuse_job_free(no_job);
  BAD(diffuse_job_open(AS(diffuse_runtime), path, NULL, request, &no_job), "a runtime of another type");
  BAD(diffuse_job_open(runtime, NULL, NULL, request, &no_job), "NULL path");
  BAD(diffuse_job_open(runtime, not_utf8, NULL, request, &no_job), "a path that is not UTF-8");
  BAD(diffuse_job_open(runtime, path, AS(diffuse_model_options), request, &no_job), "options of another type");
  BAD(diffuse_job_open(runtime, path, NULL, (diffuse_request *)(void *)model, &no_job), "a request of another type");
  GOOD(diffuse_job_open(runtime, path, NULL, NULL, &no_job), "NULL draws nothing");
  GIVES(diffuse_job_model(no_job, &no_model), "before it is open", DIFFUSE_NOT_YET);
  GOOD(diffuse_job_run(no_job), "");
  GOOD(diffuse_job_model(no_job, &no_model), "");
  diffuse_model_free(no_model);
  diffuse_job_free(no_job);
  BAD(diffuse_job_open(runtime, path, NULL, request, NULL), "NULL output");
  GOOD(diffuse_job_open_bytes(NULL, pixels, 4096, NULL, request, &no_job), "NULL has the runtime found");
  diffuse_job_free(no_job);
  BAD(diffuse_job_open_bytes(runtime, NULL, 4096, NULL, request, &no_job), "NULL bytes");
  BAD(diffuse_job_open_bytes(runtime, pixels, (size_t)-1, NULL, request, &no_job), "an absurd length");
  BAD(diffuse_job_open_bytes(runtime, pixels, 4096, AS(diffuse_model_options), request, &no_job), "options of another type");
  GOOD(diffuse_job_open_bytes(runtime, pixels, 4096, NULL, NULL, &no_job), "NULL draws nothing");
  diffuse_job_free(no_job);
  no_job = NULL;
  BAD(diffuse_job_open_bytes(runtime, pixels, 4096, NULL, request, NULL), "NULL output");
  GOOD(diffuse_job_open_bytes(runtime, pixels, 4096, NULL, request, &no_job), "bytes that are no model, which is seen later");
  GIVES(diffuse_job_step(no_job, &finished), "bytes that are no model", DIFFUSE_MODEL);
  diffuse_job_free(no_job);
  GOOD(diffuse_job_open(runtime, "/no/such/file", NULL, request, &no_job), "a file that is not there, which is seen later");
  GIVES(diffuse_job_shape(no_job, axes, 4, &rank), "before its model is open", DIFFUSE_NOT_YET);
  GIVES(diffuse_job_read(no_job, values, 4096), "before its model is open", DIFFUSE_NOT_YET);
  GIVES(diffuse_job_snapshot(no_job, NULL, 0, &step), "before its model is open", DIFFUSE_NOT_YET);
  GIVES(diffuse_job_restore(no_job, pixels, 4096), "before its model is open", DIFFUSE_NOT_YET);
  GIVES(diffuse_job_start_from(no_job, values, 4096), "before its model is open", DIFFUSE_NOT_YET);
  GOOD(diffuse_job_progress(no_job, &step, &steps), "before its model is open");
  REQUIRE(step == 0 && steps == 0);
  GOOD(diffuse_job_stage(no_job, &finished, &step, &steps), "before its model is open");
  REQUIRE(finished == DIFFUSE_STAGE_LOADING && step == 0 && steps == 1);
  GIVES(diffuse_job_step(no_job, &finished), "a file that is not there", DIFFUSE_IO);
  GOOD(diffuse_job_start(no_job), "a file that is not there");
  GIVES(diffuse_job_wait(no_job, 600000, &finished), "a file that is not there", DIFFUSE_IO);
  REQUIRE(diffuse_error_errno() == ENOENT && strcmp(diffuse_error_path(), "/no/such/file") == 0);
  BAD(diffuse_job_wait(NULL, 0, &finished), "NULL handle");
  REQUIRE(diffuse_error_errno() == 0 && diffuse_error_path() == NULL);
  GOOD(diffuse_job_error(no_job, &finished, NULL, 0), "no room for the message");
  REQUIRE(finished == DIFFUSE_IO);
  GOOD(diffuse_job_error(no_job, &finished, said, sizeof said), "room for a part of it");
  REQUIRE(strcmp(said, "/no/such") == 0);
  BAD(diffuse_job_error(NULL, &finished, said, sizeof said), "NULL handle");
  BAD(diffuse_job_error(AS(diffuse_job), &finished, said, sizeof said), "a handle of another type");
  BAD(diffuse_job_error(no_job, NULL, said, sizeof said), "NULL status");
  BAD(diffuse_job_error(no_job, &finished, NULL, sizeof said), "NULL message");
  diffuse_job_free(no_job);
  GOOD(diffuse_job_new(model, request, &job), "");

  BAD(diffuse_job_start_from(NULL, values, 4096), "NULL handle");
  BAD(diffuse_job_start_from(AS(diffuse_job), values, 4096), "a handle of another type");
  BAD(diffuse_job_start_from(job, NULL, 4096), "NULL values");
  BAD(diffuse_job_start_from(job, values, 4095), "a length that does not fit");
  BAD(diffuse_job_start_from(job, values, 2 * 4096), "more values than the samples have");
  BAD(diffuse_job_step(NULL, &finished), "NULL handle");
  BAD(diffuse_job_step(AS(diffuse_job), &finished), "a handle of another type");
  GIVES(diffuse_job_preview(job, values, 4096), "before the first step", DIFFUSE_NOT_YET);
  GIVES(diffuse_job_preview_pixels(job, 0, pixels, 4096, 128, 0), "before the first step", DIFFUSE_NOT_YET);
  GOOD(diffuse_job_step(job, NULL), "NULL finished is allowed");
  BAD(diffuse_job_start_from(job, values, 4096), "after the first step");
  BAD(diffuse_job_expected(NULL, &microseconds), "NULL handle");
  BAD(diffuse_job_expected(AS(diffuse_job), &microseconds), "a handle of another type");
  BAD(diffuse_job_expected(job, NULL), "NULL output");
  GOOD(diffuse_job_expected(job, &microseconds), "");
  BAD(diffuse_job_advance(NULL, 0, &finished), "NULL handle");
  BAD(diffuse_job_advance(AS(diffuse_job), 0, &finished), "a handle of another type");
  GOOD(diffuse_job_advance(job, 0, NULL), "no time, and NULL finished");
  BAD(diffuse_job_start(NULL), "NULL handle");
  BAD(diffuse_job_start(AS(diffuse_job)), "a handle of another type");
  BAD(diffuse_job_start_for(NULL, 0), "NULL handle");
  BAD(diffuse_job_start_for(AS(diffuse_job), 0), "a handle of another type");
  BAD(diffuse_job_pause(NULL), "NULL handle");
  BAD(diffuse_job_pause(AS(diffuse_job)), "a handle of another type");
  GOOD(diffuse_job_pause(job), "of one that does not run");
  BAD(diffuse_job_model(NULL, &no_model), "NULL handle");
  BAD(diffuse_job_model(AS(diffuse_job), &no_model), "a handle of another type");
  BAD(diffuse_job_model(job, NULL), "NULL output");
  BAD(diffuse_job_estimates(NULL, &microseconds), "NULL handle");
  BAD(diffuse_job_estimates(AS(diffuse_job), &microseconds), "a handle of another type");
  BAD(diffuse_job_estimates(job, NULL), "NULL output");
  BAD(diffuse_job_stage(NULL, &finished, &step, &steps), "NULL handle");
  BAD(diffuse_job_stage(AS(diffuse_job), &finished, &step, &steps), "a handle of another type");
  BAD(diffuse_job_stage(job, NULL, &step, &steps), "NULL stage");
  BAD(diffuse_job_stage(job, &finished, NULL, &steps), "NULL done");
  BAD(diffuse_job_stage(job, &finished, &step, NULL), "NULL total");
  BAD(diffuse_job_poll(NULL, &finished), "NULL handle");
  BAD(diffuse_job_poll(AS(diffuse_job), &finished), "a handle of another type");
  BAD(diffuse_job_poll(job, NULL), "NULL state");
  BAD(diffuse_job_wait(NULL, 0, &finished), "NULL handle");
  BAD(diffuse_job_wait(AS(diffuse_job), 0, &finished), "a handle of another type");
  BAD(diffuse_job_wait(job, 0, NULL), "NULL state");
  BAD(diffuse_job_run(NULL), "NULL handle");
  BAD(diffuse_job_run(AS(diffuse_job)), "a handle of another type");
  BAD(diffuse_job_progress(NULL, &step, &steps), "NULL handle");
  BAD(diffuse_job_progress(AS(diffuse_job), &step, &steps), "a handle of another type");
  BAD(diffuse_job_progress(job, NULL, &steps), "NULL output");
  BAD(diffuse_job_progress(job, &step, NULL), "NULL output");
  BAD(diffuse_job_shape(NULL, axes, 4, &rank), "NULL handle");
  BAD(diffuse_job_shape(AS(diffuse_job), axes, 4, &rank), "a handle of another type");
  BAD(diffuse_job_shape(job, NULL, 4, &rank), "NULL axes");
  BAD(diffuse_job_shape(job, axes, 3, &rank), "too little room");
  BAD(diffuse_job_shape(job, axes, 4, NULL), "NULL rank");
#define READS(name)                                                                             \
  BAD(diffuse_job_##name(NULL, values, 4096), "NULL handle");                                   \
  BAD(diffuse_job_##name(AS(diffuse_job), values, 4096), "a handle of another type");           \
  BAD(diffuse_job_##name(job, NULL, 4096), "NULL buffer");                                      \
  BAD(diffuse_job_##name(job, values, 4095), "too little room");                                \
  BAD(diffuse_job_##name(job, values, 4097), "too much room");                                  \
  BAD(diffuse_job_##name(job, (float *)misaligned, 4096), "a pointer that is not aligned");     \
  GOOD(diffuse_job_##name(job, values, 4096), "");                                              \
  BAD(diffuse_job_##name##_pixels(NULL, 0, pixels, 4096, 128, 0), "NULL handle");               \
  BAD(diffuse_job_##name##_pixels(AS(diffuse_job), 0, pixels, 4096, 128, 0), "a handle of another type"); \
  BAD(diffuse_job_##name##_pixels(job, 1, pixels, 4096, 128, 0), "an item that is not there");  \
  BAD(diffuse_job_##name##_pixels(job, 0, NULL, 4096, 128, 0), "NULL buffer");                  \
  BAD(diffuse_job_##name##_pixels(job, 0, pixels, 4095, 128, 0), "too little room");            \
  BAD(diffuse_job_##name##_pixels(job, 0, pixels, 4096, 127, 0), "rows that overlap");          \
  BAD(diffuse_job_##name##_pixels(job, 0, pixels, 4096, (size_t)-1, 0), "an absurd stride");    \
  BAD(diffuse_job_##name##_pixels(job, 0, pixels, 4096, 128, 4), "an unknown flag");            \
  GOOD(diffuse_job_##name##_pixels(job, 0, pixels, 4096, 128, 0), "")
  READS(read);
  READS(preview);
  BAD(diffuse_job_latents(NULL, values, 4096, &step), "NULL handle");
  BAD(diffuse_job_latents(AS(diffuse_job), values, 4096, &step), "a handle of another type");
  BAD(diffuse_job_latents(job, NULL, 4096, &step), "NULL buffer");
  BAD(diffuse_job_latents(job, values, 4095, &step), "too little room");
  BAD(diffuse_job_latents(job, values, 4096, NULL), "NULL output");
  GOOD(diffuse_job_latents(job, NULL, 0, &step), "only how many there are");
  REQUIRE(step == 4096);
  BAD(diffuse_job_snapshot(NULL, pixels, 4096, &step), "NULL handle");
  BAD(diffuse_job_snapshot(AS(diffuse_job), pixels, 4096, &step), "a handle of another type");
  BAD(diffuse_job_snapshot(job, pixels, 4096, NULL), "NULL length");
  BAD(diffuse_job_snapshot(job, NULL, (size_t)1 << 20, &step), "NULL buffer");
  BAD(diffuse_job_snapshot(job, pixels, 4096, &step), "too little room");
  GOOD(diffuse_job_snapshot(job, NULL, 0, &step), "only how long it is");
  BAD(diffuse_job_restore(NULL, pixels, 4096), "NULL handle");
  BAD(diffuse_job_restore(AS(diffuse_job), pixels, 4096), "a handle of another type");
  BAD(diffuse_job_restore(job, NULL, 4096), "NULL bytes");
  BAD(diffuse_job_restore(job, pixels, 0), "no bytes");
  BAD(diffuse_job_restore(job, pixels, (size_t)-1), "an absurd length");
  BAD(diffuse_job_restore(job, pixels, 4096), "bytes that are no snapshot");
  BAD(diffuse_job_cancel(NULL), "NULL handle");
  BAD(diffuse_job_cancel(AS(diffuse_job)), "a handle of another type");
  GOOD(diffuse_job_cancel(job), "");
  GIVES(diffuse_job_step(job, &finished), "a job that was cancelled", DIFFUSE_CANCELLED);
  GIVES(diffuse_job_run(job), "a job that was cancelled", DIFFUSE_CANCELLED);
  GIVES(diffuse_job_start(job), "a job that was cancelled", DIFFUSE_CANCELLED);
  GIVES(diffuse_job_advance(job, 1000000, &finished), "a job that was cancelled", DIFFUSE_CANCELLED);
  diffuse_job_free(job);
  GOOD(diffuse_job_new(model, request, &job), "");
  GOOD(diffuse_job_cancel(job), "");
  GIVES(diffuse_job_wait(job, 600000, &finished), "a job that was cancelled before its start", DIFFUSE_CANCELLED);
  diffuse_job_free(NULL);
  diffuse_job_free(AS(diffuse_job));

  REQUIRE(strcmp(diffuse_status_name(1234), "unknown") == 0 && strcmp(diffuse_status_name(-1), "unknown") == 0);
  diffuse_job_free(job);
  diffuse_request_free(other);
  diffuse_request_free(request);
  diffuse_model_options_free(options);
  diffuse_model_options_free(NULL);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  return wrong;
}
