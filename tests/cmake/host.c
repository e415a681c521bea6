/* host MODEL PLUGIN PLUGIN: two plugins, each with diffuse of its own, draw the same in one process. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef int draw(const char *path, uint8_t *pixels);

int main(int argc, char **argv) {
  static uint8_t pixels[2][4 * 32 * 32];
  int i;

  if (argc != 4) return 2;
  for (i = 0; i < 2; i++) {
    /* Whatever a plugin exports beside its own is then in the way of the other's. */
    void *plugin = dlopen(argv[2 + i], RTLD_NOW | RTLD_GLOBAL);
    void *found = plugin ? dlsym(plugin, "plugin_draw") : NULL;
    draw *function;
    memcpy(&function, &found, sizeof function);
    if (found == NULL || function(argv[1], pixels[i]) != 0) {
      fprintf(stderr, "%s: %s\n", argv[2 + i], found ? "it does not draw" : dlerror());
      return 1;
    }
  }
  printf("two plugins draw %s\n", memcmp(pixels[0], pixels[1], sizeof pixels[0]) ? "different pictures" : "the same");
  return memcmp(pixels[0], pixels[1], sizeof pixels[0]) != 0;
}
