/* A host that has ONNX Runtime linked into it, and no file of it for diffuse: host_runtime MODEL. */
#include <string.h>

#include "require.h"

/* onnxruntime_c_api.h, as far as this goes. */
struct base {
  const void *(*get_api)(uint32_t version);
  const char *(*get_version)(void);
};
extern const struct base *OrtGetApiBase(void);

static const void *no_api(uint32_t version) {
  (void)version;
  return NULL;
}
static const char *old(void) { return "1.20.1"; }
static const char *current(void) { return "1.32.0"; }
static const char *nothing(void) { return NULL; }

int main(int argc, char **argv) {
  const struct base too_old = {no_api, old}, hollow = {no_api, current}, mute = {no_api, nothing}, empty = {NULL, NULL};
  diffuse_runtime *runtime = NULL, *again = NULL;
  diffuse_model *model = NULL;
  diffuse_request *request = NULL;
  diffuse_job *job = NULL;
  static float samples[2 * 4 * 32 * 32];

  REQUIRE(argc == 2);
  REQUIRE(diffuse_runtime_of_host(NULL, &runtime) == DIFFUSE_RUNTIME && runtime == NULL);
  REQUIRE(diffuse_runtime_of_host(&too_old, &runtime) == DIFFUSE_RUNTIME);
  REQUIRE(strstr(diffuse_error_message(), "1.20.1; 1.24 or newer") != NULL);
  REQUIRE(diffuse_runtime_of_host(&hollow, &runtime) == DIFFUSE_RUNTIME);
  REQUIRE(diffuse_runtime_of_host(&mute, &runtime) == DIFFUSE_RUNTIME);
  REQUIRE(diffuse_runtime_of_host(&empty, &runtime) == DIFFUSE_RUNTIME);
  REQUIRE(diffuse_runtime_of_host(OrtGetApiBase(), NULL) == DIFFUSE_ARGUMENT);
  CHECK(diffuse_runtime_of_host(OrtGetApiBase(), &runtime));
  CHECK(diffuse_runtime_of_host(OrtGetApiBase(), &again));
  diffuse_runtime_free(again);
  REQUIRE(diffuse_runtime_of_host(&hollow, &again) == DIFFUSE_RUNTIME);
  REQUIRE(strcmp(diffuse_runtime_path(runtime), "the host's") == 0);
  REQUIRE(strcmp(diffuse_runtime_version(runtime), OrtGetApiBase()->get_version()) == 0);
  /* Without a name it is the one that runs. */
  CHECK(diffuse_runtime_open(NULL, &again));
  REQUIRE(strcmp(diffuse_runtime_path(again), "the host's") == 0);
  diffuse_runtime_free(again);

  CHECK(diffuse_model_open(runtime, argv[1], NULL, &model));
  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set_count(request, 2));
  CHECK(diffuse_request_set_class(request, 0, "heart"));
  CHECK(diffuse_request_set_class(request, 1, "none"));
  CHECK(diffuse_request_set_seed(request, 7));
  CHECK(diffuse_request_set(request, "solver", "ddim"));
  CHECK(diffuse_request_set(request, "eta", "0.5"));
  CHECK(diffuse_request_set_number(request, "steps", 6));
  CHECK(diffuse_job_new(model, request, &job));
  CHECK(diffuse_job_run(job));
  CHECK(diffuse_job_read(job, samples, sizeof samples / sizeof *samples));
  REQUIRE(fwrite(samples, sizeof *samples, sizeof samples / sizeof *samples, stdout) > 0);
  diffuse_job_free(job);
  diffuse_request_free(request);
  diffuse_model_free(model);
  diffuse_runtime_free(runtime);
  return 0;
}
