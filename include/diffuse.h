/* diffuse: draws from diffusion models. This header is generated from the library's source; do not edit it.
 *
 * Most functions return a status: DIFFUSE_OK (0) or a code that says what the caller can do. diffuse_error_message() then says what
 * was wrong. A function that fails changes nothing but the outputs that it says it clears.
 *
 * Handles are made by _new and _open and freed by _free; freeing NULL is fine. A handle must not be used after it was freed; that, and a
 * handle of another type, is noticed where it can be, and is DIFFUSE_ARGUMENT. A `const` handle may be used by several threads at once, any
 * other by one at a time, but for what diffuse_job says of itself. The library has no other state than ONNX Runtime and the log sink.
 *
 * Pointers must be NULL (which is DIFFUSE_ARGUMENT unless it is allowed) or valid. Strings are UTF-8, end in a zero byte, and are copied
 * where they are kept. Buffers belong to the caller and are not kept. Times t are those of the model's training, 0 the cleanest; alpha and
 * sigma are the shares of the clean sample and of the noise: x = alpha*x0 + sigma*noise.
 *
 * Bad input never crashes, and no function writes to stdout or stderr, exits, or installs a signal handler.
 *
 * The options of diffuse_request_set():
 *
 *     solver: ddpm, ddim
 *         The solver; the model's unless set.
 *
 *     steps: a whole number from 1
 *         How many steps, up to the number of training steps; the model's unless set.
 *
 *     grid: leading, trailing, linspace
 *         How the steps are spread over those of training; the model's unless set.
 *         - leading: Multiples of ⌊T/N⌋ from 0 up: the first step is missed at the noisy end.
 *         - trailing: Back from the last training step in strides of T/N.
 *         - linspace: Evenly spaced with both ends.
 *
 *     steps_offset: a whole number from 0
 *         What is added to the times of the leading grid; the model's unless set.
 *
 *     ending: clean, first
 *         The level that the run ends at; clean unless set.
 *         - clean: At the clean sample (α = 1, σ = 0).
 *         - first: At the least noisy level of training, t = 0; Stable Diffusion's configuration.
 *
 *     clipping: model, off, on, keep-noise
 *         Whether the denoised sample is kept in the data's range at every step; model unless set.
 *         - model: As the model's manifest says.
 *         - off: Never.
 *         - on: At every step, to the range in the manifest; ε̂ is taken from the clipped x̂₀.
 *         - keep-noise: At every step; ε̂ is as the network said.
 *
 *     likeness: papers, diffusers
 *         Whose arithmetic is followed where diffusers departs from the papers; papers unless set.
 *         - papers: The papers'.
 *         - diffusers: diffusers': tables rounded to f32, ε̂ from the unclipped x̂₀, and DDIM's moves by ⌊T/N⌋ training steps whatever the grid. For pictures equal to those of its pipelines.
 *
 *     noise: counter, torch, torch-per-item
 *         Where the noise comes from; counter unless set.
 *         - counter: diffuse's own: the noise of an item depends on its seed and the step alone.
 *         - torch: torch's, one generator for the batch: torch.Generator().manual_seed(seed) in a pipeline of diffusers.
 *         - torch-per-item: torch's, one generator for every item: a list of them with the seeds seed, seed + 1, …
 *
 *     variance: posterior, beta
 *         The variance of the noise; posterior unless set.
 *         - posterior: β̃, the variance of the posterior q(x_{t−1} | x_t, x₀) (eq. 7): right for data that is a single point.
 *         - beta: β: right for data that is standard normal, and the larger of the two.
 *
 *     eta: a number from 0 to 1
 *         η, the share of fresh noise: 0 is deterministic, 1 as much as DDPM. The model's unless set.
 */

#ifndef DIFFUSE_H
#define DIFFUSE_H

#include <stddef.h>
#include <stdint.h>

/*
 Pixel rows from the bottom up (Unity) instead of from the top down.
 */
#define DIFFUSE_BOTTOM_UP 1

/*
 Pixels as blue, green, red, alpha (Unreal) instead of red, green, blue, alpha.
 */
#define DIFFUSE_BGRA 2

/*
 It worked.
 */
#define DIFFUSE_OK 0

/*
 An argument cannot be used: change the call.
 */
#define DIFFUSE_ARGUMENT 1

/*
 The model, or its manifest, does not fit: change the model.
 */
#define DIFFUSE_MODEL 2

/*
 ONNX Runtime is missing, too old, or did not start.
 */
#define DIFFUSE_RUNTIME 3

/*
 The network failed, or said something that is not a number.
 */
#define DIFFUSE_EVALUATION 4

/*
 A file could not be read.
 */
#define DIFFUSE_IO 5

/*
 The job was cancelled.
 */
#define DIFFUSE_CANCELLED 6

/*
 Another thread is working on the job: wait for it.
 */
#define DIFFUSE_BUSY 7

/*
 A bug in diffuse: free the handle involved.
 */
#define DIFFUSE_PANIC 8

/*
 An execution provider that was asked for cannot be used: install what it lacks, or ask for another.
 */
#define DIFFUSE_PROVIDER 9

/*
 The version of the header: major·10000 + minor·100 + patch. Compare it with `diffuse_version_number()`, the library's.
 */
#define DIFFUSE_VERSION 100

/*
 A run. It works only inside of diffuse_job_step() and diffuse_job_run(), on the calling thread. While it does, other threads may
 call diffuse_job_cancel(), diffuse_job_progress() and the previews; every other call of theirs returns DIFFUSE_BUSY, but for
 diffuse_job_free(), after which no thread may use the job any more.
 */
typedef struct diffuse_job diffuse_job;

/*
 A model: a network in ONNX Runtime and its manifest. Several threads may use it at once; evaluations take turns. Jobs keep what
 they need of it, so it may be freed while they live.
 */
typedef struct diffuse_model diffuse_model;

/*
 How a model is opened. A fresh one is right for a program that does other things as well.
 */
typedef struct diffuse_model_options diffuse_model_options;

/*
 What is to be drawn, and how. What is not set is as the model's manifest says. Values are checked against each other and the model when
 a job is made.
 */
typedef struct diffuse_request diffuse_request;

/*
 ONNX Runtime, loaded and started. There is one in a process: all handles refer to it, and freeing them does not stop it.
 */
typedef struct diffuse_runtime diffuse_runtime;

/*
 What ONNX Runtime's messages go to: the severity (0 verbose, 1 information, 2 warning, 3 error, 4 fatal) and a text that is
 valid during the call. It may be called from any thread, also from several at once, and must not call diffuse.
 */
typedef void (*diffuse_log_sink)(int32_t severity, const char *message, void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Makes a job that draws `request` from `model`; both may be freed or changed afterwards. DIFFUSE_ARGUMENT with the field of the
 request that does not fit. On success `*job` is to be freed with diffuse_job_free(); on failure it is NULL.
 */
int32_t diffuse_job_new(const struct diffuse_model *model,
                        const struct diffuse_request *request,
                        struct diffuse_job **job);

/*
 Cancels a job and frees it, waiting for a step that another thread is in, which ends soon. NULL is fine.
 */
void diffuse_job_free(struct diffuse_job *job);

/*
 Starts from `x`, `length` values, instead of from drawn noise: the noisy samples at the first level of the run, before the first
 step. They are copied.
 */
int32_t diffuse_job_start_from(struct diffuse_job *job,
                               const float *x,
                               size_t length);

/*
 Does one step: one estimate of the clean samples, and every move that it allows. `*finished` becomes 1 with the last step and is 0
 before; it may be NULL. Steps after the last do nothing. A step that fails leaves the samples as they were.

 DIFFUSE_CANCELLED after diffuse_job_cancel(), DIFFUSE_EVALUATION if the network fails.
 */
int32_t diffuse_job_step(struct diffuse_job *job,
                         int32_t *finished);

/*
 Steps to the end. As diffuse_job_step().
 */
int32_t diffuse_job_run(struct diffuse_job *job);

/*
 Cancels a job, from any thread, also before it has started: the step that is running and every later one return
 DIFFUSE_CANCELLED, as soon as the node of the network that is running ends. OpenVINO and TensorRT make one node of all that they
 take; there it is after the evaluation. It cannot be taken back.
 */
int32_t diffuse_job_cancel(const struct diffuse_job *job);

/*
 How many steps are done, and how many there are in all. Any thread may ask.
 */
int32_t diffuse_job_progress(const struct diffuse_job *job, size_t *step, size_t *steps);

/*
 The shape of the samples, batch first. As diffuse_model_shape().
 */
int32_t diffuse_job_shape(const struct diffuse_job *job,
                          size_t *axes,
                          size_t capacity,
                          size_t *rank);

/*
 Copies the samples as they stand, all items one after the other: noisy before the end of the run, the result after it. `length` is
 the number of values that there is room for, exactly that of the samples.
 */
int32_t diffuse_job_read(const struct diffuse_job *job,
                         float *values,
                         size_t length);

/*
 Draws item `item` of the samples as pixels of four bytes, for an image model. Rows are `stride` bytes apart, at least
 4·width; `length` is the size of `pixels` in bytes, at least stride·(height−1) + 4·width. `flags` is 0 or a sum of
 DIFFUSE_BOTTOM_UP and DIFFUSE_BGRA. Values are in the encoding that the model was trained on (sRGB as a rule), alpha is straight, 255 where
 the image has none. Bytes between the rows are left alone.
 */
int32_t diffuse_job_read_pixels(const struct diffuse_job *job,
                                size_t item,
                                uint8_t *pixels,
                                size_t length,
                                size_t stride,
                                uint32_t flags);

/*
 Copies the latest estimate of what the samples will be, which after the last step is the result, from any thread, also while a step is running. As diffuse_job_read().
 DIFFUSE_ARGUMENT before the first step.
 */
int32_t diffuse_job_preview(const struct diffuse_job *job,
                            float *values,
                            size_t length);

/*
 Draws item `item` of the latest estimate as pixels, from any thread, also while a step is running. As diffuse_job_read_pixels().
 DIFFUSE_ARGUMENT before the first step.
 */
int32_t diffuse_job_preview_pixels(const struct diffuse_job *job,
                                   size_t item,
                                   uint8_t *pixels,
                                   size_t length,
                                   size_t stride,
                                   uint32_t flags);

/*
 Sends ONNX Runtime's messages to `sink`, together with `user_data`; NULL, the default, drops them. Errors that diffuse reports
 by a status are said there and need no sink. When the call returns the former sink is not called any more.
 */
int32_t diffuse_log_set(diffuse_log_sink sink,
                        void *user_data);

/*
 Makes options: one thread per core, no spinning, the model's own manifest. Free them with diffuse_model_options_free().
 */
int32_t diffuse_model_options_new(struct diffuse_model_options **options);

/*
 Frees options. NULL is fine.
 */
void diffuse_model_options_free(struct diffuse_model_options *options);

/*
 How many threads one evaluation uses, up to 1024; 0 is one per core.
 */
int32_t diffuse_model_options_set_threads(struct diffuse_model_options *options, uint32_t threads);

/*
 Whether idle threads spin while they wait (not 0) or sleep (0). Spinning makes evaluations that follow each other at once a
 little faster and burns a core between those that do not.
 */
int32_t diffuse_model_options_set_spinning(struct diffuse_model_options *options,
                                           int32_t spinning);

/*
 Adds the execution provider called `provider`, such as "cuda", to those that evaluate the network; the file PROVIDERS.md beside the
 header has them. They are wanted in the order in which they are added: the first that can be had takes the nodes that it can, the next ones the rest. Without
 any it is the processor alone. One that cannot be had is passed over only if there is another after it, and
 diffuse_model_placement() says so; to go on with the processor, add "cpu" last.
 */
int32_t diffuse_model_options_add_provider(struct diffuse_model_options *options,
                                           const char *provider);

/*
 Adds a provider that comes as a plugin library for ONNX Runtime, at `path`, and is called `provider` from here on. The library is
 loaded when a model is first opened with it, and stays as long as the process.
 */
int32_t diffuse_model_options_add_provider_library(struct diffuse_model_options *options,
                                                   const char *provider,
                                                   const char *path);

/*
 Sets the option `key` of `provider`, which was added before, to `value`. The file PROVIDERS.md lists the options. One that the provider
 does not have, or a value that it cannot have, is DIFFUSE_ARGUMENT; those of plugin libraries are checked when a model is opened.
 */
int32_t diffuse_model_options_set_provider_option(struct diffuse_model_options *options,
                                                  const char *provider,
                                                  const char *key,
                                                  const char *value);

/*
 Whether the processor may take the nodes that none of the providers takes (not 0), without being one of them. Networks with free
 axes often have a few that compute shapes.
 */
int32_t diffuse_model_options_set_cpu_nodes(struct diffuse_model_options *options,
                                            int32_t cpu_nodes);

/*
 A manifest, as JSON, to use instead of the model's own.
 */
int32_t diffuse_model_options_set_manifest(struct diffuse_model_options *options, const char *json);

/*
 For a model from bytes whose weights are in files of their own: a file's name, as the model spells it, and its bytes, which are
 copied.
 */
int32_t diffuse_model_options_add_external_data(struct diffuse_model_options *options,
                                                const char *name,
                                                const uint8_t *bytes,
                                                size_t length);

/*
 Opens the model file at `path` (UTF-8). Its manifest is that of `options`, else the file beside it (model.diffuse.json for
 model.onnx), else the one in its metadata. `options` may be NULL.

 DIFFUSE_IO if a file cannot be read, DIFFUSE_MODEL if it is no model, has no manifest, or the two do not fit, DIFFUSE_PROVIDER if none of
 the providers can be had, with the library that is missing, or if they leave nodes of the network to the processor, which was not
 asked for: add "cpu" last, or allow it with diffuse_model_options_set_cpu_nodes(). On success
 `*model` is to be freed with diffuse_model_free(); on failure it is NULL.
 */
int32_t diffuse_model_open(const struct diffuse_runtime *runtime,
                           const char *path,
                           const struct diffuse_model_options *options,
                           struct diffuse_model **model);

/*
 Opens a model from the bytes of its file, which are not needed afterwards. As diffuse_model_open() otherwise.
 */
int32_t diffuse_model_open_bytes(const struct diffuse_runtime *runtime,
                                 const uint8_t *bytes,
                                 size_t length,
                                 const struct diffuse_model_options *options,
                                 struct diffuse_model **model);

/*
 Frees a model. NULL is fine. Jobs of it go on.
 */
void diffuse_model_free(struct diffuse_model *model);

/*
 The model's name in its manifest, else that of its file without the ending, else "model"; NULL if `model` is none. The string lives as long as the handle.
 */
const char *diffuse_model_name(const struct diffuse_model *model);

/*
 The manifest, as JSON with all defaults filled in; NULL if `model` is none. The string lives as long as the handle.
 */
const char *diffuse_model_manifest(const struct diffuse_model *model);

/*
 The execution provider in use, by the name it was added with: the first of those added that evaluates a part of the network; NULL if
 `model` is none. The string lives as long as the handle.
 */
const char *diffuse_model_provider(const struct diffuse_model *model);

/*
 The same in full, as JSON: {"provider": "cpu", "nodes": [{"provider": "cpu", "nodes": 123}], "skipped": [{"provider": "cuda",
 "reason": "…"}]}, where `nodes` is empty if no provider was added; NULL if `model` is none. The string lives as long as the handle.
 */
const char *diffuse_model_placement(const struct diffuse_model *model);

/*
 The SHA-256 of the model file in hexadecimal, in `*sha256`; the string lives as long as the handle. A file is read for it when
 it is first asked for: DIFFUSE_IO if it is gone.
 */
int32_t diffuse_model_sha256(const struct diffuse_model *model,
                             const char **sha256);

/*
 The shape of one item, without the batch; for an image channels, height, width. It is the manifest's, which a network with free axes need not
 keep to. Its axes go into `axes`, which has room for `capacity`, and their number into `*rank`. With a `capacity` of 0 only the number is
 given.
 */
int32_t diffuse_model_shape(const struct diffuse_model *model,
                            size_t *axes,
                            size_t capacity,
                            size_t *rank);

/*
 How many classes the model has, without the null class; 0 if it has none or `model` is none.
 */
size_t diffuse_model_class_count(const struct diffuse_model *model);

/*
 The number of the class called `name` (or spelled as a number, or "none" for the null class) in `*class_index`.
 */
int32_t diffuse_model_class(const struct diffuse_model *model,
                            const char *name,
                            int64_t *class_index);

/*
 The noise level at time `t` of the model's schedule (0 the cleanest; below 0 the clean sample): x = alpha·x₀ + sigma·ε.
 */
int32_t diffuse_model_level(const struct diffuse_model *model,
                            double t,
                            double *alpha,
                            double *sigma);

/*
 One question to the network, for a process of the host's own: the estimate `denoised` of the clean samples behind the noisy samples
 `x`, both `count` items of the model's shape, at the noise level (t, alpha, sigma). `length` is the number of values in each of
 the two, which may be the same. `classes` has one class per item, and is NULL for a model without classes.
 */
int32_t diffuse_model_denoise(const struct diffuse_model *model,
                              const float *x,
                              size_t length,
                              size_t count,
                              double t,
                              double alpha,
                              double sigma,
                              const int64_t *classes,
                              float *denoised);

/*
 Makes a request for one item with seed 0. Free it with diffuse_request_free().
 */
int32_t diffuse_request_new(struct diffuse_request **request);

/*
 Frees a request. NULL is fine.
 */
void diffuse_request_free(struct diffuse_request *request);

/*
 The seed of the first item; item i has seed + i, wrapping.
 */
int32_t diffuse_request_set_seed(struct diffuse_request *request, uint64_t seed);

/*
 How many items are drawn at once.
 */
int32_t diffuse_request_set_count(struct diffuse_request *request, size_t count);

/*
 The class of every item, `count` of them, which becomes the number of items; a number that is set later has to agree. They are copied.
 Without classes a model that has a null class draws every item with that one, and a model that has none refuses the job.
 */
int32_t diffuse_request_set_classes(struct diffuse_request *request,
                                    const int64_t *classes,
                                    size_t count);

/*
 The shape of one item, for a model that leaves it free. It is copied.
 */
int32_t diffuse_request_set_shape(struct diffuse_request *request, const size_t *axes, size_t rank);

/*
 Sets the option `key` to `value`, as text. The options are listed below the description of this header.

 DIFFUSE_ARGUMENT if there is no such option or if it cannot have this value. Whether it fits the model, the solver and the other
 options shows when a job is made.
 */
int32_t diffuse_request_set(struct diffuse_request *request,
                            const char *key,
                            const char *value);

/*
 As diffuse_request_set(), with a number.
 */
int32_t diffuse_request_set_number(struct diffuse_request *request, const char *key, double value);

/*
 Loads ONNX Runtime (1.24 or newer) and starts it, or refers to the one that this process has started already.

 `path` is its shared library, or the folder that the library lies in. NULL takes what the environment variable ORT_DYLIB_PATH
 names, else the library beside this one (beside the program, if it is linked in), else, except on Windows, the system's.

 Call it before other threads read or change environment variables: it sets ORT_DISABLE_TELEMETRY=1 unless that variable is set,
 since ONNX Runtime's official builds send telemetry otherwise.

 DIFFUSE_RUNTIME if there is none, or another one is already running. On success `*runtime` is to be freed with
 diffuse_runtime_free(); on failure it is NULL.
 */
int32_t diffuse_runtime_open(const char *path,
                             struct diffuse_runtime **runtime);

/*
 Frees a handle. NULL is fine.
 */
void diffuse_runtime_free(struct diffuse_runtime *runtime);

/*
 The file that was loaded; NULL if `runtime` is none. The string lives as long as the handle.
 */
const char *diffuse_runtime_path(const struct diffuse_runtime *runtime);

/*
 Its version, such as "1.31.1"; NULL if `runtime` is none. The string lives as long as the handle.
 */
const char *diffuse_runtime_version(const struct diffuse_runtime *runtime);

/*
 The names of the execution providers that it was built with, separated by commas; NULL if `runtime` is none. Whether one works is
 known when a model is opened: it may lack libraries, a driver or a device. The string lives as long as the handle.
 */
const char *diffuse_runtime_providers(const struct diffuse_runtime *runtime);

/*
 The name of a status, such as "DIFFUSE_ARGUMENT"; "unknown" for numbers that are none. The string is static.
 */
const char *diffuse_status_name(int32_t status);

/*
 What went wrong in the last call on this thread that failed, in English, with the argument, file or tensor and the remedy;
 "" if none has failed. The string is valid until the next call that fails on this thread.
 */
const char *diffuse_error_message(void);

/*
 The library's version, such as "0.1.0". The string is static.
 */
const char *diffuse_version(void);

/*
 The library's version as a number, as DIFFUSE_VERSION.
 */
uint32_t diffuse_version_number(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DIFFUSE_H */
