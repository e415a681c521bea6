enum {
  DIFFUSE_ELEMENT_F32 = 0,
  DIFFUSE_ELEMENT_F16 = 1,
  DIFFUSE_ELEMENT_BF16 = 2,
  DIFFUSE_ELEMENT_F64 = 3,
  DIFFUSE_ELEMENT_I64 = 4,
  DIFFUSE_ELEMENT_I32 = 5,
  DIFFUSE_ELEMENT_I16 = 6,
  DIFFUSE_ELEMENT_I8 = 7,
  DIFFUSE_ELEMENT_U64 = 8,
  DIFFUSE_ELEMENT_U32 = 9,
  DIFFUSE_ELEMENT_U16 = 10,
  DIFFUSE_ELEMENT_U8 = 11,
  DIFFUSE_ELEMENT_BOOL = 12,
  DIFFUSE_JOB_IDLE = 0,
  DIFFUSE_JOB_RUNNING = 1,
  DIFFUSE_JOB_FINISHED = 2,
  DIFFUSE_JOB_STOPPED = 3,
  DIFFUSE_JOB_PAUSED = 4,
  DIFFUSE_STAGE_LOADING = 0,
  DIFFUSE_STAGE_ENCODING = 1,
  DIFFUSE_STAGE_SAMPLING = 2,
  DIFFUSE_STAGE_DECODING = 3,
  DIFFUSE_BOTTOM_UP = 1,
  DIFFUSE_BGRA = 2,
  DIFFUSE_ALL_ITEMS = -1,
  DIFFUSE_OK = 0,
  DIFFUSE_ARGUMENT = 1,
  DIFFUSE_MODEL = 2,
  DIFFUSE_RUNTIME = 3,
  DIFFUSE_EVALUATION = 4,
  DIFFUSE_IO = 5,
  DIFFUSE_CANCELLED = 6,
  DIFFUSE_BUSY = 7,
  DIFFUSE_PANIC = 8,
  DIFFUSE_PROVIDER = 9,
  DIFFUSE_CALLBACK = 10,
  DIFFUSE_MEMORY = 11,
  DIFFUSE_NOT_YET = 12,
  DIFFUSE_VERSION = 100
};
typedef struct diffuse_cancel diffuse_cancel;
typedef struct diffuse_estimate diffuse_estimate;
typedef struct diffuse_job diffuse_job;
typedef struct diffuse_model diffuse_model;
typedef struct diffuse_model_options diffuse_model_options;
typedef struct diffuse_request diffuse_request;
typedef struct diffuse_runtime diffuse_runtime;
typedef void (*diffuse_log_sink)(int32_t severity, const char *message, void *user_data);
typedef void (*diffuse_release)(void *user_data);
typedef int32_t (*diffuse_callback)(const struct diffuse_estimate *estimate, float *values, size_t length, char *message, size_t capacity, void *user_data);
typedef struct diffuse_cost { uint32_t struct_size; uint32_t reserved; uint64_t evaluations; uint64_t peak_bytes; double milliseconds; double encoding_milliseconds; double decoding_milliseconds; } diffuse_cost;
int32_t diffuse_model_denoise(const struct diffuse_model *model, const struct diffuse_request *request, const float *x, size_t length, size_t count, double t, double alpha, double sigma, const struct diffuse_cancel *cancel, float *denoised);
int32_t diffuse_model_log_density(const struct diffuse_model *model, const struct diffuse_request *request, const float *x, size_t length, size_t count, size_t directions, double tolerance, uint64_t seed, const struct diffuse_cancel *cancel, double *log_densities);
int32_t diffuse_model_variational_bound(const struct diffuse_model *model, const struct diffuse_request *request, const float *x, size_t length, size_t count, const char *variance, uint64_t seed, const struct diffuse_cancel *cancel, double *bits_per_dim);
int32_t diffuse_model_add_noise(const struct diffuse_model *model, const struct diffuse_request *request, const float *x0, size_t length, size_t count, double time, uint64_t seed, float *x);
int32_t diffuse_cancel_new(struct diffuse_cancel **cancel);
void diffuse_cancel_free(struct diffuse_cancel *cancel);
int32_t diffuse_cancel_cancel(const struct diffuse_cancel *cancel);
const char *diffuse_error_message(void);
const char *diffuse_error_path(void);
int32_t diffuse_error_errno(void);
const float *diffuse_estimate_x(const struct diffuse_estimate *estimate);
int32_t diffuse_estimate_level(const struct diffuse_estimate *estimate, double *t, double *alpha, double *sigma);
int32_t diffuse_estimate_step(const struct diffuse_estimate *estimate, size_t *step, size_t *items);
int32_t diffuse_estimate_shape(const struct diffuse_estimate *estimate, size_t *axes, size_t capacity, size_t *rank);
int32_t diffuse_estimate_time(const struct diffuse_estimate *estimate, double *time);
int32_t diffuse_estimate_input(const struct diffuse_estimate *estimate, const float **values, size_t *length);
const int64_t *diffuse_estimate_classes(const struct diffuse_estimate *estimate);
int32_t diffuse_estimate_condition(const struct diffuse_estimate *estimate, const char *name, int32_t *element, const void **values, size_t *axes, size_t capacity, size_t *rank);
int32_t diffuse_estimate_is_cancelled(const struct diffuse_estimate *estimate, int32_t *cancelled);
int32_t diffuse_job_new(const struct diffuse_model *model, const struct diffuse_request *request, struct diffuse_job **job);
int32_t diffuse_job_open(const struct diffuse_runtime *runtime, const char *path, const struct diffuse_model_options *options, const struct diffuse_request *request, struct diffuse_job **job);
int32_t diffuse_job_open_bytes(const struct diffuse_runtime *runtime, const uint8_t *bytes, size_t length, const struct diffuse_model_options *options, const struct diffuse_request *request, struct diffuse_job **job);
int32_t diffuse_job_model(const struct diffuse_job *job, struct diffuse_model **model);
void diffuse_job_free(struct diffuse_job *job);
int32_t diffuse_job_start_from(struct diffuse_job *job, const float *x, size_t length);
int32_t diffuse_job_step(struct diffuse_job *job, int32_t *finished);
int32_t diffuse_job_run(struct diffuse_job *job);
int32_t diffuse_job_advance(struct diffuse_job *job, uint64_t microseconds, int32_t *finished);
int32_t diffuse_job_expected(const struct diffuse_job *job, uint64_t *microseconds);
int32_t diffuse_job_start(struct diffuse_job *job);
int32_t diffuse_job_start_for(struct diffuse_job *job, uint64_t microseconds);
int32_t diffuse_job_pause(const struct diffuse_job *job);
int32_t diffuse_job_poll(const struct diffuse_job *job, int32_t *state);
int32_t diffuse_job_wait(const struct diffuse_job *job, uint64_t milliseconds, int32_t *state);
int32_t diffuse_job_cancel(const struct diffuse_job *job);
int32_t diffuse_job_progress(const struct diffuse_job *job, size_t *step, size_t *steps);
int32_t diffuse_job_estimates(const struct diffuse_job *job, uint64_t *estimates);
int32_t diffuse_job_stage(const struct diffuse_job *job, int32_t *stage, size_t *done, size_t *total);
int32_t diffuse_job_error(const struct diffuse_job *job, int32_t *status, char *message, size_t capacity);
int32_t diffuse_job_shape(const struct diffuse_job *job, size_t *axes, size_t capacity, size_t *rank);
int32_t diffuse_job_read(const struct diffuse_job *job, float *values, size_t length);
int32_t diffuse_job_latents(const struct diffuse_job *job, float *values, size_t length, size_t *needed);
int32_t diffuse_job_read_pixels(const struct diffuse_job *job, size_t item, uint8_t *pixels, size_t length, size_t stride, uint32_t flags);
int32_t diffuse_job_snapshot(const struct diffuse_job *job, uint8_t *bytes, size_t capacity, size_t *length);
int32_t diffuse_job_restore(struct diffuse_job *job, const uint8_t *bytes, size_t length);
int32_t diffuse_job_preview(const struct diffuse_job *job, float *values, size_t length);
int32_t diffuse_job_preview_pixels(const struct diffuse_job *job, size_t item, uint8_t *pixels, size_t length, size_t stride, uint32_t flags);
int32_t diffuse_log_set(diffuse_log_sink sink, void *user_data);
int32_t diffuse_log_set_owned(diffuse_log_sink sink, void *user_data, diffuse_release release);
int32_t diffuse_model_options_new(struct diffuse_model_options **options);
void diffuse_model_options_free(struct diffuse_model_options *options);
int32_t diffuse_model_options_set_threads(struct diffuse_model_options *options, uint32_t threads);
int32_t diffuse_model_options_set_spinning(struct diffuse_model_options *options, int32_t spinning);
int32_t diffuse_model_options_add_provider(struct diffuse_model_options *options, const char *provider);
int32_t diffuse_model_options_add_provider_library(struct diffuse_model_options *options, const char *provider, const char *path);
int32_t diffuse_model_options_set_provider_option(struct diffuse_model_options *options, const char *provider, const char *key, const char *value);
int32_t diffuse_model_options_set_cpu_nodes(struct diffuse_model_options *options, int32_t cpu_nodes);
int32_t diffuse_model_options_set_manifest(struct diffuse_model_options *options, const char *json);
int32_t diffuse_model_options_add_external_data(struct diffuse_model_options *options, const char *name, const uint8_t *bytes, size_t length);
int32_t diffuse_model_options_set_copy_weights(struct diffuse_model_options *options, int32_t copy_weights);
int32_t diffuse_model_options_set_cancel(struct diffuse_model_options *options, const struct diffuse_cancel *cancel);
int32_t diffuse_model_options_set_memory(struct diffuse_model_options *options, const char *policy);
int32_t diffuse_model_options_set_priority(struct diffuse_model_options *options, const char *priority);
int32_t diffuse_model_open(const struct diffuse_runtime *runtime, const char *path, const struct diffuse_model_options *options, struct diffuse_model **model);
int32_t diffuse_model_open_bytes(const struct diffuse_runtime *runtime, const uint8_t *bytes, size_t length, const struct diffuse_model_options *options, struct diffuse_model **model);
int32_t diffuse_model_open_parts(const struct diffuse_runtime *runtime, const char *const *names, const uint8_t *const *bytes, const size_t *lengths, size_t count, const struct diffuse_model_options *options, struct diffuse_model **model);
int32_t diffuse_model_open_callback(const char *manifest, diffuse_callback callback, void *user_data, struct diffuse_model **model);
int32_t diffuse_model_open_callback_owned(const char *manifest, diffuse_callback callback, void *user_data, diffuse_release release, struct diffuse_model **model);
int32_t diffuse_model_trim(const struct diffuse_model *model, const struct diffuse_cancel *cancel);
void diffuse_model_free(struct diffuse_model *model);
const char *diffuse_model_name(const struct diffuse_model *model);
const char *diffuse_model_manifest(const struct diffuse_model *model);
const char *diffuse_model_provider(const struct diffuse_model *model);
const char *diffuse_model_placement(const struct diffuse_model *model);
int32_t diffuse_model_sha256(const struct diffuse_model *model, const char **sha256);
int32_t diffuse_model_shape(const struct diffuse_model *model, size_t *axes, size_t capacity, size_t *rank);
size_t diffuse_model_class_count(const struct diffuse_model *model);
const char *diffuse_model_classes(const struct diffuse_model *model);
int32_t diffuse_model_class(const struct diffuse_model *model, const char *name, int64_t *class_index);
int32_t diffuse_model_level(const struct diffuse_model *model, double t, double *alpha, double *sigma);
int32_t diffuse_model_values(const struct diffuse_model *model, const uint8_t *pixels, size_t length, size_t stride, uint32_t flags, float *values, size_t capacity);
int32_t diffuse_request_new(struct diffuse_request **request);
int32_t diffuse_request_cost(const struct diffuse_request *request, const struct diffuse_model *model, const struct diffuse_cancel *cancel, struct diffuse_cost *cost);
void diffuse_request_free(struct diffuse_request *request);
int32_t diffuse_request_set_seed(struct diffuse_request *request, uint64_t seed);
int32_t diffuse_request_set_count(struct diffuse_request *request, size_t count);
int32_t diffuse_request_set_classes(struct diffuse_request *request, const int64_t *classes, size_t count);
int32_t diffuse_request_set_class(struct diffuse_request *request, int64_t item, const char *name);
int32_t diffuse_request_set_negative_class(struct diffuse_request *request, int64_t item, const char *name);
int32_t diffuse_request_set_shape(struct diffuse_request *request, const size_t *axes, size_t rank);
int32_t diffuse_request_set(struct diffuse_request *request, const char *key, const char *value);
int32_t diffuse_request_set_number(struct diffuse_request *request, const char *key, double value);
int32_t diffuse_request_set_scheduler_config(struct diffuse_request *request, const char *json);
int32_t diffuse_request_departures(struct diffuse_request *request, const char **departures);
int32_t diffuse_request_unset(struct diffuse_request *request, const char *key);
const char *diffuse_options(void);
int32_t diffuse_request_set_prompt(struct diffuse_request *request, int64_t item, const char *prompt);
int32_t diffuse_request_set_negative_prompt(struct diffuse_request *request, int64_t item, const char *prompt);
int32_t diffuse_request_set_embeddings(struct diffuse_request *request, const float *embeddings, size_t items, size_t tokens, size_t width, const float *pooled, size_t pooled_width, int32_t negative);
int32_t diffuse_request_set_negative_classes(struct diffuse_request *request, const int64_t *classes, size_t count);
int32_t diffuse_request_set_condition(struct diffuse_request *request, const char *name, int32_t element, const void *values, const size_t *axes, size_t rank, int32_t negative);
int32_t diffuse_request_set_classifier(struct diffuse_request *request, const struct diffuse_model *classifier, const int64_t *classes, size_t count);
int32_t diffuse_request_set_guidance_callback(struct diffuse_request *request, diffuse_callback callback, void *user_data);
int32_t diffuse_request_set_guidance_callback_owned(struct diffuse_request *request, diffuse_callback callback, void *user_data, diffuse_release release);
int32_t diffuse_request_set_image(struct diffuse_request *request, const float *values, size_t length);
int32_t diffuse_request_set_mask(struct diffuse_request *request, const float *values, size_t length);
int32_t diffuse_runtime_open(const char *path, struct diffuse_runtime **runtime);
int32_t diffuse_runtime_of_host(const void *base, struct diffuse_runtime **runtime);
void diffuse_runtime_free(struct diffuse_runtime *runtime);
const char *diffuse_runtime_path(const struct diffuse_runtime *runtime);
const char *diffuse_runtime_version(const struct diffuse_runtime *runtime);
const char *diffuse_runtime_providers(const struct diffuse_runtime *runtime);
const char *diffuse_status_name(int32_t status);
const char *diffuse_version(void);
uint32_t diffuse_version_number(void);
