/* Whether the table of functions is that of the library that this is linked to, and is empty where one is missing. */
#define _GNU_SOURCE
#include <dlfcn.h>

#include "diffuse_functions.h"
#include "require.h"

static void *find(void *library, const char *name) { return dlsym(library, name); }

static void *find_in_an_older_one(void *library, const char *name) {
  return strcmp(name, "diffuse_version_number") == 0 ? NULL : dlsym(library, name);
}

static int is_empty(const diffuse_functions *functions) {
  static const diffuse_functions none;
  return memcmp(functions, &none, sizeof none) == 0;
}

int main(void) {
  diffuse_functions functions;
  void *library = dlopen("libdiffuse.so.0", RTLD_NOW | RTLD_NOLOAD);
  const char *missing;
  REQUIRE(library != NULL);
  REQUIRE(diffuse_functions_load(&functions, find, library) == NULL);
  REQUIRE(functions.job_run == diffuse_job_run && functions.model_denoise == diffuse_model_denoise);
  REQUIRE(functions.version_number == diffuse_version_number && functions.version_number() == DIFFUSE_VERSION);
  missing = diffuse_functions_load(&functions, find_in_an_older_one, library);
  REQUIRE(missing != NULL && strcmp(missing, "diffuse_version_number") == 0 && is_empty(&functions));
  /* To the system's loader NULL is whatever the program is linked to. */
  memset(&functions, 1, sizeof functions);
  REQUIRE(diffuse_functions_load(&functions, find, NULL) != NULL && is_empty(&functions));
  return 0;
}
