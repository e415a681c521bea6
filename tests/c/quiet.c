/* quiet RUNTIME MODEL SECONDS FILE: draws for so long, on a worker and by steps, writes what it has drawn, and returns.
 * tests/quiet/run watches it. */
#include <time.h>

#include "require.h"

int main(int count, char **arguments) {
  static float samples[4 * 32 * 32];
  REQUIRE(count == 5);
  time_t end = time(NULL) + atol(arguments[3]);
  diffuse_runtime *runtime;
  diffuse_model *model;
  diffuse_request *request;
  int64_t heart = 0;
  CHECK(diffuse_runtime_open(arguments[1], &runtime));
  CHECK(diffuse_model_open(runtime, arguments[2], NULL, &model));
  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set_classes(request, &heart, 1));
  for (int run = 0; time(NULL) < end; run++) {
    diffuse_job *job;
    int32_t state;
    CHECK(diffuse_job_new(model, request, &job));
    if (run % 2) CHECK(diffuse_job_start(job));
    if (run % 2) CHECK(diffuse_job_wait(job, 60000, &state));
    if (run % 2 == 0) CHECK(diffuse_job_run(job));
    CHECK(diffuse_job_read(job, samples, sizeof samples / sizeof *samples));
    diffuse_job_free(job);
  }
  FILE *file = fopen(arguments[4], "wb");
  REQUIRE(file != NULL);
  REQUIRE(fwrite(samples, sizeof samples, 1, file) == 1 && fclose(file) == 0);
  diffuse_request_free(request);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  return 0;
}
