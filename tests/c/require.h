/* What a test has to find: it ends the program with the line and the library's message otherwise. */
#ifndef REQUIRE_H
#define REQUIRE_H

#include <stdio.h>
#include <stdlib.h>

#include "diffuse.h"

static void require(int condition, const char *what) {
  if (!condition) {
    fprintf(stderr, "not so: %s (%s)\n", what, diffuse_error_message());
    exit(1);
  }
}
#define REQUIRE(condition) require(condition, #condition)
#define CHECK(call) REQUIRE((call) == DIFFUSE_OK)

#endif
