/* Loads the library by its path, linked to nothing of it, and draws a heart: by_path LIBRARY MODEL OUTPUT. The output
 * is 32 rows of 32 pixels of RGBA, without a header. */
#include <stdio.h>

#include <diffuse_functions.h>

#ifdef _WIN32
#include <windows.h>

static void *load(const char *path) { return (void *)LoadLibraryA(path); }

static void *find(void *library, const char *name) {
  void *address;
  FARPROC found = GetProcAddress((HMODULE)library, name);
  memcpy(&address, &found, sizeof address);
  return address;
}
#else
#include <dlfcn.h>

static void *load(const char *path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL); }

static void *find(void *library, const char *name) { return dlsym(library, name); }
#endif

int main(int argc, char **argv) {
  diffuse_functions diffuse;
  diffuse_request *request = NULL;
  diffuse_job *job = NULL;
  uint8_t pixels[32 * 32 * 4];
  const char *missing;
  void *library;
  FILE *file;

  if (argc != 4) {
    fprintf(stderr, "usage: by_path LIBRARY MODEL OUTPUT\n");
    return 2;
  }
  library = load(argv[1]);
  if (library == NULL) {
    fprintf(stderr, "%s cannot be loaded\n", argv[1]);
    return 1;
  }
  missing = diffuse_functions_load(&diffuse, find, library);
  if (missing != NULL) {
    fprintf(stderr, "%s has no %s\n", argv[1], missing);
    return 1;
  }
  /* NULL is the default ONNX Runtime, here the one beside the library. */
  if (diffuse.request_new(&request) || diffuse.request_set_class(request, DIFFUSE_ALL_ITEMS, "heart") ||
      diffuse.request_set_seed(request, 7) || diffuse.job_open(NULL, argv[2], NULL, request, &job) ||
      diffuse.job_run(job) || diffuse.job_read_pixels(job, 0, pixels, sizeof pixels, 32 * 4, 0)) {
    fprintf(stderr, "%s\n", diffuse.error_message());
    return 1;
  }
  diffuse.job_free(job);
  diffuse.request_free(request);
  file = fopen(argv[3], "wb");
  if (file == NULL || fwrite(pixels, 1, sizeof pixels, file) != sizeof pixels || fclose(file) != 0) {
    fprintf(stderr, "%s cannot be written\n", argv[3]);
    return 1;
  }
  return 0;
}
