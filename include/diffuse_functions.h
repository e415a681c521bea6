/* The functions of diffuse.h as a table, for hosts that load the library by its path and link nothing. This header is
 * generated from the library's source. Do not edit it.
 *
 *     static void *find(void *library, const char *name) { return dlsym(library, name); }
 *
 *     diffuse_functions diffuse;
 *     void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
 *     const char *missing = diffuse_functions_load(&diffuse, find, library);
 *     if (missing != NULL) fail(library == NULL ? dlerror() : missing);
 *     diffuse.job_start(job);
 *
 * `find` wraps GetProcAddress() on Windows, or the engine's own function for it. This header needs C99 or C++. */

#ifndef DIFFUSE_FUNCTIONS_H
#define DIFFUSE_FUNCTIONS_H

#include <string.h>

#include "diffuse.h"

/* Each function of diffuse.h, by its name without `diffuse_`. */
typedef struct diffuse_functions {
  int32_t (*model_denoise)(const struct diffuse_model *model, const struct diffuse_request *request, const float *x, size_t length, size_t count, double t, double alpha, double sigma, const struct diffuse_cancel *cancel, float *denoised);
  int32_t (*model_log_density)(const struct diffuse_model *model, const struct diffuse_request *request, const float *x, size_t length, size_t count, size_t directions, double tolerance, uint64_t seed, const struct diffuse_cancel *cancel, double *log_densities);
  int32_t (*model_variational_bound)(const struct diffuse_model *model, const struct diffuse_request *request, const float *x, size_t length, size_t count, const char *variance, uint64_t seed, const struct diffuse_cancel *cancel, double *bits_per_dim);
  int32_t (*model_add_noise)(const struct diffuse_model *model, const struct diffuse_request *request, const float *x0, size_t length, size_t count, double time, uint64_t seed, float *x);
  int32_t (*cancel_new)(struct diffuse_cancel **cancel);
  void (*cancel_free)(struct diffuse_cancel *cancel);
  int32_t (*cancel_cancel)(const struct diffuse_cancel *cancel);
  const char *(*error_message)(void);
  const char *(*error_path)(void);
  int32_t (*error_errno)(void);
  const float *(*estimate_x)(const struct diffuse_estimate *estimate);
  int32_t (*estimate_level)(const struct diffuse_estimate *estimate, double *t, double *alpha, double *sigma);
  int32_t (*estimate_step)(const struct diffuse_estimate *estimate, size_t *step, size_t *items);
  int32_t (*estimate_shape)(const struct diffuse_estimate *estimate, size_t *axes, size_t capacity, size_t *rank);
  int32_t (*estimate_time)(const struct diffuse_estimate *estimate, double *time);
  int32_t (*estimate_input)(const struct diffuse_estimate *estimate, const float **values, size_t *length);
  const int64_t *(*estimate_classes)(const struct diffuse_estimate *estimate);
  int32_t (*estimate_condition)(const struct diffuse_estimate *estimate, const char *name, int32_t *element, const void **values, size_t *axes, size_t capacity, size_t *rank);
  int32_t (*estimate_is_cancelled)(const struct diffuse_estimate *estimate, int32_t *cancelled);
  int32_t (*job_new)(const struct diffuse_model *model, const struct diffuse_request *request, struct diffuse_job **job);
  int32_t (*job_open)(const struct diffuse_runtime *runtime, const char *path, const struct diffuse_model_options *options, const struct diffuse_request *request, struct diffuse_job **job);
  int32_t (*job_open_bytes)(const struct diffuse_runtime *runtime, const uint8_t *bytes, size_t length, const struct diffuse_model_options *options, const struct diffuse_request *request, struct diffuse_job **job);
  int32_t (*job_model)(const struct diffuse_job *job, struct diffuse_model **model);
  void (*job_free)(struct diffuse_job *job);
  int32_t (*job_start_from)(struct diffuse_job *job, const float *x, size_t length);
  int32_t (*job_step)(struct diffuse_job *job, int32_t *finished);
  int32_t (*job_run)(struct diffuse_job *job);
  int32_t (*job_advance)(struct diffuse_job *job, uint64_t microseconds, int32_t *finished);
  int32_t (*job_expected)(const struct diffuse_job *job, uint64_t *microseconds);
  int32_t (*job_start)(struct diffuse_job *job);
  int32_t (*job_start_for)(struct diffuse_job *job, uint64_t microseconds);
  int32_t (*job_pause)(const struct diffuse_job *job);
  int32_t (*job_poll)(const struct diffuse_job *job, int32_t *state);
  int32_t (*job_wait)(const struct diffuse_job *job, uint64_t milliseconds, int32_t *state);
  int32_t (*job_cancel)(const struct diffuse_job *job);
  int32_t (*job_progress)(const struct diffuse_job *job, size_t *step, size_t *steps);
  int32_t (*job_estimates)(const struct diffuse_job *job, uint64_t *estimates);
  int32_t (*job_stage)(const struct diffuse_job *job, int32_t *stage, size_t *done, size_t *total);
  int32_t (*job_error)(const struct diffuse_job *job, int32_t *status, char *message, size_t capacity);
  int32_t (*job_shape)(const struct diffuse_job *job, size_t *axes, size_t capacity, size_t *rank);
  int32_t (*job_read)(const struct diffuse_job *job, float *values, size_t length);
  int32_t (*job_latents)(const struct diffuse_job *job, float *values, size_t length, size_t *needed);
  int32_t (*job_read_pixels)(const struct diffuse_job *job, size_t item, uint8_t *pixels, size_t length, size_t stride, uint32_t flags);
  int32_t (*job_snapshot)(const struct diffuse_job *job, uint8_t *bytes, size_t capacity, size_t *length);
  int32_t (*job_restore)(struct diffuse_job *job, const uint8_t *bytes, size_t length);
  int32_t (*job_preview)(const struct diffuse_job *job, float *values, size_t length);
  int32_t (*job_preview_pixels)(const struct diffuse_job *job, size_t item, uint8_t *pixels, size_t length, size_t stride, uint32_t flags);
  int32_t (*log_set)(diffuse_log_sink sink, void *user_data);
  int32_t (*log_set_owned)(diffuse_log_sink sink, void *user_data, diffuse_release release);
  int32_t (*model_options_new)(struct diffuse_model_options **options);
  void (*model_options_free)(struct diffuse_model_options *options);
  int32_t (*model_options_set_threads)(struct diffuse_model_options *options, uint32_t threads);
  int32_t (*model_options_set_spinning)(struct diffuse_model_options *options, int32_t spinning);
  int32_t (*model_options_add_provider)(struct diffuse_model_options *options, const char *provider);
  int32_t (*model_options_add_provider_library)(struct diffuse_model_options *options, const char *provider, const char *path);
  int32_t (*model_options_set_provider_option)(struct diffuse_model_options *options, const char *provider, const char *key, const char *value);
  int32_t (*model_options_set_cpu_nodes)(struct diffuse_model_options *options, int32_t cpu_nodes);
  int32_t (*model_options_set_manifest)(struct diffuse_model_options *options, const char *json);
  int32_t (*model_options_add_external_data)(struct diffuse_model_options *options, const char *name, const uint8_t *bytes, size_t length);
  int32_t (*model_options_set_copy_weights)(struct diffuse_model_options *options, int32_t copy_weights);
  int32_t (*model_options_set_cancel)(struct diffuse_model_options *options, const struct diffuse_cancel *cancel);
  int32_t (*model_options_set_memory)(struct diffuse_model_options *options, const char *policy);
  int32_t (*model_options_set_priority)(struct diffuse_model_options *options, const char *priority);
  int32_t (*model_open)(const struct diffuse_runtime *runtime, const char *path, const struct diffuse_model_options *options, struct diffuse_model **model);
  int32_t (*model_open_bytes)(const struct diffuse_runtime *runtime, const uint8_t *bytes, size_t length, const struct diffuse_model_options *options, struct diffuse_model **model);
  int32_t (*model_open_parts)(const struct diffuse_runtime *runtime, const char *const *names, const uint8_t *const *bytes, const size_t *lengths, size_t count, const struct diffuse_model_options *options, struct diffuse_model **model);
  int32_t (*model_open_callback)(const char *manifest, diffuse_callback callback, void *user_data, struct diffuse_model **model);
  int32_t (*model_open_callback_owned)(const char *manifest, diffuse_callback callback, void *user_data, diffuse_release release, struct diffuse_model **model);
  int32_t (*model_trim)(const struct diffuse_model *model, const struct diffuse_cancel *cancel);
  void (*model_free)(struct diffuse_model *model);
  const char *(*model_name)(const struct diffuse_model *model);
  const char *(*model_manifest)(const struct diffuse_model *model);
  const char *(*model_provider)(const struct diffuse_model *model);
  const char *(*model_placement)(const struct diffuse_model *model);
  int32_t (*model_sha256)(const struct diffuse_model *model, const char **sha256);
  int32_t (*model_shape)(const struct diffuse_model *model, size_t *axes, size_t capacity, size_t *rank);
  size_t (*model_class_count)(const struct diffuse_model *model);
  const char *(*model_classes)(const struct diffuse_model *model);
  int32_t (*model_class)(const struct diffuse_model *model, const char *name, int64_t *class_index);
  int32_t (*model_level)(const struct diffuse_model *model, double t, double *alpha, double *sigma);
  int32_t (*model_values)(const struct diffuse_model *model, const uint8_t *pixels, size_t length, size_t stride, uint32_t flags, float *values, size_t capacity);
  int32_t (*request_new)(struct diffuse_request **request);
  int32_t (*request_cost)(const struct diffuse_request *request, const struct diffuse_model *model, const struct diffuse_cancel *cancel, struct diffuse_cost *cost);
  void (*request_free)(struct diffuse_request *request);
  int32_t (*request_set_seed)(struct diffuse_request *request, uint64_t seed);
  int32_t (*request_set_count)(struct diffuse_request *request, size_t count);
  int32_t (*request_set_classes)(struct diffuse_request *request, const int64_t *classes, size_t count);
  int32_t (*request_set_class)(struct diffuse_request *request, int64_t item, const char *name);
  int32_t (*request_set_negative_class)(struct diffuse_request *request, int64_t item, const char *name);
  int32_t (*request_set_shape)(struct diffuse_request *request, const size_t *axes, size_t rank);
  int32_t (*request_set)(struct diffuse_request *request, const char *key, const char *value);
  int32_t (*request_set_number)(struct diffuse_request *request, const char *key, double value);
  int32_t (*request_set_scheduler_config)(struct diffuse_request *request, const char *json);
  int32_t (*request_departures)(struct diffuse_request *request, const char **departures);
  int32_t (*request_unset)(struct diffuse_request *request, const char *key);
  const char *(*options)(void);
  int32_t (*request_set_prompt)(struct diffuse_request *request, int64_t item, const char *prompt);
  int32_t (*request_set_negative_prompt)(struct diffuse_request *request, int64_t item, const char *prompt);
  int32_t (*request_set_embeddings)(struct diffuse_request *request, const float *embeddings, size_t items, size_t tokens, size_t width, const float *pooled, size_t pooled_width, int32_t negative);
  int32_t (*request_set_negative_classes)(struct diffuse_request *request, const int64_t *classes, size_t count);
  int32_t (*request_set_condition)(struct diffuse_request *request, const char *name, int32_t element, const void *values, const size_t *axes, size_t rank, int32_t negative);
  int32_t (*request_set_classifier)(struct diffuse_request *request, const struct diffuse_model *classifier, const int64_t *classes, size_t count);
  int32_t (*request_set_guidance_callback)(struct diffuse_request *request, diffuse_callback callback, void *user_data);
  int32_t (*request_set_guidance_callback_owned)(struct diffuse_request *request, diffuse_callback callback, void *user_data, diffuse_release release);
  int32_t (*request_set_image)(struct diffuse_request *request, const float *values, size_t length);
  int32_t (*request_set_mask)(struct diffuse_request *request, const float *values, size_t length);
  int32_t (*runtime_open)(const char *path, struct diffuse_runtime **runtime);
  int32_t (*runtime_of_host)(const void *base, struct diffuse_runtime **runtime);
  void (*runtime_free)(struct diffuse_runtime *runtime);
  const char *(*runtime_path)(const struct diffuse_runtime *runtime);
  const char *(*runtime_version)(const struct diffuse_runtime *runtime);
  const char *(*runtime_providers)(const struct diffuse_runtime *runtime);
  const char *(*status_name)(int32_t status);
  const char *(*version)(void);
  uint32_t (*version_number)(void);
} diffuse_functions;

/* Fills `functions` with what `find` finds in `library`. Returns NULL, or the name of a function that the library does
 * not have. A library that is older than this header may lack one, and a NULL library lacks all. All of `functions`
 * are NULL then. */
static inline const char *diffuse_functions_load(diffuse_functions *functions,
                                                 void *(*find)(void *library, const char *name),
                                                 void *library) {
  static const char *const names[] = {
    "diffuse_model_denoise",
    "diffuse_model_log_density",
    "diffuse_model_variational_bound",
    "diffuse_model_add_noise",
    "diffuse_cancel_new",
    "diffuse_cancel_free",
    "diffuse_cancel_cancel",
    "diffuse_error_message",
    "diffuse_error_path",
    "diffuse_error_errno",
    "diffuse_estimate_x",
    "diffuse_estimate_level",
    "diffuse_estimate_step",
    "diffuse_estimate_shape",
    "diffuse_estimate_time",
    "diffuse_estimate_input",
    "diffuse_estimate_classes",
    "diffuse_estimate_condition",
    "diffuse_estimate_is_cancelled",
    "diffuse_job_new",
    "diffuse_job_open",
    "diffuse_job_open_bytes",
    "diffuse_job_model",
    "diffuse_job_free",
    "diffuse_job_start_from",
    "diffuse_job_step",
    "diffuse_job_run",
    "diffuse_job_advance",
    "diffuse_job_expected",
    "diffuse_job_start",
    "diffuse_job_start_for",
    "diffuse_job_pause",
    "diffuse_job_poll",
    "diffuse_job_wait",
    "diffuse_job_cancel",
    "diffuse_job_progress",
    "diffuse_job_estimates",
    "diffuse_job_stage",
    "diffuse_job_error",
    "diffuse_job_shape",
    "diffuse_job_read",
    "diffuse_job_latents",
    "diffuse_job_read_pixels",
    "diffuse_job_snapshot",
    "diffuse_job_restore",
    "diffuse_job_preview",
    "diffuse_job_preview_pixels",
    "diffuse_log_set",
    "diffuse_log_set_owned",
    "diffuse_model_options_new",
    "diffuse_model_options_free",
    "diffuse_model_options_set_threads",
    "diffuse_model_options_set_spinning",
    "diffuse_model_options_add_provider",
    "diffuse_model_options_add_provider_library",
    "diffuse_model_options_set_provider_option",
    "diffuse_model_options_set_cpu_nodes",
    "diffuse_model_options_set_manifest",
    "diffuse_model_options_add_external_data",
    "diffuse_model_options_set_copy_weights",
    "diffuse_model_options_set_cancel",
    "diffuse_model_options_set_memory",
    "diffuse_model_options_set_priority",
    "diffuse_model_open",
    "diffuse_model_open_bytes",
    "diffuse_model_open_parts",
    "diffuse_model_open_callback",
    "diffuse_model_open_callback_owned",
    "diffuse_model_trim",
    "diffuse_model_free",
    "diffuse_model_name",
    "diffuse_model_manifest",
    "diffuse_model_provider",
    "diffuse_model_placement",
    "diffuse_model_sha256",
    "diffuse_model_shape",
    "diffuse_model_class_count",
    "diffuse_model_classes",
    "diffuse_model_class",
    "diffuse_model_level",
    "diffuse_model_values",
    "diffuse_request_new",
    "diffuse_request_cost",
    "diffuse_request_free",
    "diffuse_request_set_seed",
    "diffuse_request_set_count",
    "diffuse_request_set_classes",
    "diffuse_request_set_class",
    "diffuse_request_set_negative_class",
    "diffuse_request_set_shape",
    "diffuse_request_set",
    "diffuse_request_set_number",
    "diffuse_request_set_scheduler_config",
    "diffuse_request_departures",
    "diffuse_request_unset",
    "diffuse_options",
    "diffuse_request_set_prompt",
    "diffuse_request_set_negative_prompt",
    "diffuse_request_set_embeddings",
    "diffuse_request_set_negative_classes",
    "diffuse_request_set_condition",
    "diffuse_request_set_classifier",
    "diffuse_request_set_guidance_callback",
    "diffuse_request_set_guidance_callback_owned",
    "diffuse_request_set_image",
    "diffuse_request_set_mask",
    "diffuse_runtime_open",
    "diffuse_runtime_of_host",
    "diffuse_runtime_free",
    "diffuse_runtime_path",
    "diffuse_runtime_version",
    "diffuse_runtime_providers",
    "diffuse_status_name",
    "diffuse_version",
    "diffuse_version_number",
  };
  size_t i;
  for (i = 0; i < sizeof names / sizeof names[0]; ++i) {
    void *address = library ? find(library, names[i]) : NULL;
    if (!address) {
      memset(functions, 0, sizeof *functions);
      return names[i];
    }
    memcpy((char *)functions + i * sizeof address, &address, sizeof address);
  }
  return NULL;
}

#endif /* DIFFUSE_FUNCTIONS_H */
