/* Where an image is not normal: noised by an inversion, drawn again under a classifier that leads to "normal", and
 * compared.
 *
 *     counterfactual MODEL.onnx CLASSIFIER.onnx
 *
 * The image is one that the model draws, with a spot planted on it. It prints the mean difference in the spot and
 * elsewhere. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "diffuse.h"

enum { SIZE = 32, LENGTH = 4 * SIZE * SIZE };

static void check(int32_t status) {
  if (status != DIFFUSE_OK) {
    fprintf(stderr, "%s: %s\n", diffuse_status_name(status), diffuse_error_message());
    exit(1);
  }
}

/* Runs the request, from `start` if there is one, and reads the samples. */
static void run(const diffuse_model *model, const diffuse_request *request, const float *start, float *samples) {
  diffuse_job *job;
  check(diffuse_job_new(model, request, &job));
  if (start != NULL) check(diffuse_job_start_from(job, start, LENGTH));
  check(diffuse_job_run(job));
  check(diffuse_job_read(job, samples, LENGTH));
  diffuse_job_free(job);
}

static int in_spot(int i) {
  int y = i / SIZE % SIZE, x = i % SIZE;
  return y >= 14 && y < 19 && x >= 14 && x < 18;
}

int main(int argc, char **argv) {
  static float image[LENGTH], noise[LENGTH], normal[LENGTH];
  static const float spot[4] = {0.9f, -0.2f, -0.8f, 1.0f};
  diffuse_runtime *runtime;
  diffuse_model *model, *classifier;
  diffuse_request *request;
  double inside = 0, outside = 0;
  int64_t toward;
  int i, count = 0;

  if (argc != 3) return 2;
  check(diffuse_runtime_open(NULL, &runtime));
  check(diffuse_model_open(runtime, argv[1], NULL, &model));
  check(diffuse_model_open(runtime, argv[2], NULL, &classifier));
  check(diffuse_model_class(classifier, "normal", &toward));

  /* The image. */
  check(diffuse_request_new(&request));
  check(diffuse_request_set_seed(request, 4));
  check(diffuse_request_set_classifier(request, classifier, &toward, 1));
  check(diffuse_request_set_number(request, "classifier_scale", 0.3));
  run(model, request, NULL, image);
  for (i = 0; i < LENGTH; ++i)
    if (in_spot(i)) image[i] = spot[i / (SIZE * SIZE)];
  diffuse_request_free(request);

  /* Half the way up to the noise behind it, without guidance, and down again with it. */
  check(diffuse_request_new(&request));
  check(diffuse_request_set(request, "strength", "0.5"));
  check(diffuse_request_set_image(request, image, LENGTH));
  check(diffuse_request_set(request, "invert", "1"));
  run(model, request, NULL, noise);
  check(diffuse_request_set(request, "invert", "0"));
  check(diffuse_request_set_image(request, NULL, 0));
  check(diffuse_request_set_classifier(request, classifier, &toward, 1));
  check(diffuse_request_set_number(request, "classifier_scale", 50));
  run(model, request, noise, normal);

  for (i = 0; i < LENGTH; ++i) {
    double apart = fabs((double)image[i] - normal[i]);
    if (in_spot(i)) {
      inside += apart;
      ++count;
    } else {
      outside += apart;
    }
  }
  printf("in the spot %.3f, elsewhere %.3f\n", inside / count, outside / (LENGTH - count));
  diffuse_request_free(request);
  diffuse_model_free(classifier);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  return inside / count > 8 * outside / (LENGTH - count) ? 0 : 1;
}
