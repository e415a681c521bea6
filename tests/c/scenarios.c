/* Runs the scenarios of a file and writes the samples of all of them, one after the other:
 *
 *     scenarios ONNXRUNTIME MODELS SCENARIOS.txt OUTPUT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diffuse.h"

static void check(int32_t status, const char *call) {
  if (status != DIFFUSE_OK) {
    fprintf(stderr, "%s: %s: %s\n", call, diffuse_status_name(status), diffuse_error_message());
    exit(1);
  }
}
#define CHECK(call) check(call, #call)

static void require(int condition, const char *what) {
  if (!condition) {
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
  }
}
#define REQUIRE(condition) require(condition, #condition)

/* Halves what is clean, and counts its calls. */
static int32_t halve(const diffuse_estimate *estimate, float *denoised, size_t length, char *message, size_t capacity,
                     void *user_data) {
  double time, alpha, sigma;
  size_t step, items, i;
  (void)message;
  CHECK(diffuse_estimate_level(estimate, &time, &alpha, &sigma));
  CHECK(diffuse_estimate_step(estimate, &step, &items));
  REQUIRE(diffuse_estimate_x(estimate) != NULL && items == 2 && capacity >= 256 && step == (size_t)*(int *)user_data);
  REQUIRE(time >= 0 && alpha > 0 && sigma > 0 && alpha * alpha + sigma * sigma < 1.0001);
  for (i = 0; i < length; ++i) denoised[i] *= 0.5f;
  ++*(int *)user_data;
  return 0;
}

/* Leaves every job after its first step, and goes on with another one. */
static diffuse_job *taken_up(const diffuse_model *model, const diffuse_request *request) {
  diffuse_job *job, *next;
  size_t length, again;
  int32_t finished;
  uint8_t *bytes;
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_step(job, &finished));
  CHECK(diffuse_job_snapshot(job, NULL, 0, &length));
  bytes = (uint8_t *)malloc(length);
  REQUIRE(bytes != NULL);
  CHECK(diffuse_job_snapshot(job, bytes, length, &again));
  REQUIRE(again == length);
  diffuse_job_free(job);
  CHECK(diffuse_job_new(model, request, &next));
  CHECK(diffuse_job_restore(next, bytes, length));
  free(bytes);
  return next;
}

/* The pipeline in the folder `folder`, from the bytes of its files. */
static void open_parts(const diffuse_runtime *runtime, const char *folder, diffuse_model **model) {
  static const char *const names[] = {
      "model_index.json",           "scheduler/scheduler_config.json", "text_encoder/config.json",
      "text_encoder/model.onnx",    "tokenizer/merges.txt",            "tokenizer/tokenizer_config.json",
      "tokenizer/vocab.json",       "unet/config.json",                "unet/model.onnx",
      "vae_decoder/config.json",    "vae_decoder/model.onnx",          "vae_encoder/config.json",
      "vae_encoder/model.onnx",
  };
  enum { COUNT = sizeof names / sizeof *names };
  uint8_t *bytes[COUNT];
  size_t lengths[COUNT], i;
  char path[4096];
  for (i = 0; i < COUNT; ++i) {
    FILE *file;
    long length;
    REQUIRE(snprintf(path, sizeof path, "%s/%s", folder, names[i]) < (int)sizeof path);
    file = fopen(path, "rb");
    REQUIRE(file != NULL && fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) > 0);
    rewind(file);
    lengths[i] = (size_t)length;
    bytes[i] = (uint8_t *)malloc(lengths[i]);
    REQUIRE(bytes[i] != NULL && fread(bytes[i], 1, lengths[i], file) == lengths[i]);
    fclose(file);
  }
  CHECK(diffuse_model_open_parts(runtime, names, (const uint8_t *const *)bytes, lengths, COUNT, NULL, model));
  for (i = 0; i < COUNT; ++i) free(bytes[i]);
}

static void run(const diffuse_model *model, const diffuse_request *request, FILE *output) {
  diffuse_job *job;
  size_t axes[8], rank, length = 1, i;
  float *values;
  job = taken_up(model, request);
  CHECK(diffuse_job_shape(job, axes, 8, &rank));
  for (i = 0; i < rank; ++i) length *= axes[i];
  values = (float *)malloc(length * sizeof *values);
  REQUIRE(values != NULL);
  CHECK(diffuse_job_run(job));
  CHECK(diffuse_job_read(job, values, length));
  REQUIRE(fwrite(values, sizeof *values, length, output) == length);
  free(values);
  diffuse_job_free(job);
}

int main(int argc, char **argv) {
  diffuse_runtime *runtime;
  diffuse_model *model = NULL;
  diffuse_request *request = NULL;
  FILE *scenarios, *output;
  static float image[4 * 32 * 32], mask[32 * 32], picture[3 * 64 * 64], window[64 * 64];
  int i, calls = 0;
  char line[256], path[4096];

  REQUIRE(argc == 5);
  CHECK(diffuse_runtime_open(argv[1], &runtime));
  scenarios = fopen(argv[3], "r");
  output = fopen(argv[4], "wb");
  REQUIRE(scenarios != NULL && output != NULL);
  for (i = 0; i < 4 * 32 * 32; ++i) image[i] = (float)(i * 37 % 256) / 128.0f - 1.0f;
  for (i = 0; i < 32 * 32; ++i) mask[i] = i % 32 < 16 ? 0.0f : 1.0f;
  for (i = 0; i < 3 * 64 * 64; ++i) picture[i] = (float)(i * 37 % 256) / 128.0f - 1.0f;
  for (i = 0; i < 64 * 64; ++i) window[i] = i % 64 < 30 ? 0.0f : 1.0f;
  while (fgets(line, sizeof line, scenarios) != NULL) {
    char *key = strtok(line, " \n"), *value = strtok(NULL, " \n");
    if (key == NULL) { /* an empty line */
      if (request != NULL) run(model, request, output);
      diffuse_request_free(request);
      diffuse_model_free(model);
      request = NULL;
      model = NULL;
    } else if (key[0] == '#') {
      continue;
    } else if (strcmp(key, "model") == 0) {
      REQUIRE(snprintf(path, sizeof path, "%s/%s.onnx", argv[2], value) < (int)sizeof path);
      CHECK(diffuse_model_open(runtime, path, NULL, &model));
      CHECK(diffuse_request_new(&request));
    } else if (strcmp(key, "folder") == 0) {
      REQUIRE(snprintf(path, sizeof path, "%s/../pipelines/%s", argv[2], value) < (int)sizeof path);
      CHECK(diffuse_model_open(runtime, path, NULL, &model));
      CHECK(diffuse_request_new(&request));
    } else if (strcmp(key, "parts") == 0) {
      REQUIRE(snprintf(path, sizeof path, "%s/../pipelines/%s", argv[2], value) < (int)sizeof path);
      open_parts(runtime, path, &model);
      CHECK(diffuse_request_new(&request));
    } else if (strcmp(key, "embeddings") == 0) {
      size_t items = strtoul(value, NULL, 10), tokens = strtoul(strtok(NULL, " \n"), NULL, 10);
      CHECK(diffuse_request_set_embeddings(request, picture, items, tokens, 32, NULL, 0, 0));
      CHECK(diffuse_request_set_embeddings(request, picture + 1, 1, tokens, 32, NULL, 0, 1));
      CHECK(diffuse_request_set_count(request, items));
    } else if (strcmp(key, "prompts") == 0) {
      int64_t item = 0;
      for (; value != NULL; value = strtok(NULL, " \n")) CHECK(diffuse_request_set_prompt(request, item++, value));
      CHECK(diffuse_request_set_count(request, (size_t)item));
    } else if (strcmp(key, "negative_prompt") == 0) {
      CHECK(diffuse_request_set_negative_prompt(request, DIFFUSE_ALL_ITEMS, value));
    } else if (strcmp(key, "picture") == 0) {
      CHECK(diffuse_request_set_image(request, picture, 3 * 64 * 64));
    } else if (strcmp(key, "window") == 0) {
      CHECK(diffuse_request_set_mask(request, window, 64 * 64));
    } else if (strcmp(key, "seed") == 0) {
      CHECK(diffuse_request_set_seed(request, strtoull(value, NULL, 10)));
    } else if (strcmp(key, "count") == 0) {
      CHECK(diffuse_request_set_count(request, strtoul(value, NULL, 10)));
    } else if (strcmp(key, "classes") == 0) {
      int64_t classes[8];
      size_t count = 0;
      for (; value != NULL; value = strtok(NULL, " \n")) CHECK(diffuse_model_class(model, value, &classes[count++]));
      CHECK(diffuse_request_set_classes(request, classes, count));
    } else if (strcmp(key, "negative") == 0) {
      int64_t negative;
      CHECK(diffuse_model_class(model, value, &negative));
      CHECK(diffuse_request_set_negative_classes(request, &negative, 1));
    } else if (strcmp(key, "image") == 0) {
      CHECK(diffuse_request_set_image(request, image, 4 * 32 * 32));
    } else if (strcmp(key, "mask") == 0) {
      CHECK(diffuse_request_set_mask(request, mask, 32 * 32));
    } else if (strcmp(key, "callback") == 0) {
      CHECK(diffuse_request_set_guidance_callback(request, halve, &calls));
    } else if (strcmp(key, "classifier") == 0) {
      diffuse_model *classifier;
      int64_t toward;
      REQUIRE(snprintf(path, sizeof path, "%s/%s.onnx", argv[2], value) < (int)sizeof path);
      CHECK(diffuse_model_open(runtime, path, NULL, &classifier));
      CHECK(diffuse_model_class(classifier, strtok(NULL, " \n"), &toward));
      CHECK(diffuse_request_set_classifier(request, classifier, &toward, 1));
      diffuse_model_free(classifier);
    } else if (strcmp(key, "shape") == 0) {
      size_t axes[8], rank = 0;
      for (; value != NULL; value = strtok(NULL, " \n")) axes[rank++] = strtoul(value, NULL, 10);
      CHECK(diffuse_request_set_shape(request, axes, rank));
    } else {
      CHECK(diffuse_request_set(request, key, value));
    }
  }
  if (request != NULL) run(model, request, output);
  diffuse_request_free(request);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  REQUIRE(calls == 5);
  fclose(scenarios);
  REQUIRE(fclose(output) == 0);
  return 0;
}
