/* The system refuses threads another priority, by a filter of system calls: refused MODEL says so once to the log, and
   draws as it does otherwise. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "require.h"

#define VALUES (4 * 32 * 32)

static atomic_int warnings;

static void hear(int32_t severity, const char *message, void *user_data) {
  (void)user_data;
  if (severity == 2 && strstr(message, "background") && strstr(message, "Operation not permitted"))
    atomic_fetch_add(&warnings, 1);
}

static void draw(const char *path, const char *priority, float *values) {
  diffuse_model_options *options = NULL;
  diffuse_request *request = NULL;
  diffuse_job *job = NULL;
  int32_t state;
  CHECK(diffuse_model_options_new(&options));
  CHECK(diffuse_model_options_set_priority(options, priority));
  CHECK(diffuse_model_options_set_threads(options, 2));
  CHECK(diffuse_request_new(&request));
  CHECK(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, "heart"));
  CHECK(diffuse_request_set_number(request, "steps", 5));
  CHECK(diffuse_job_open(NULL, path, options, request, &job));
  diffuse_model_options_free(options);
  diffuse_request_free(request);
  CHECK(diffuse_job_start(job));
  CHECK(diffuse_job_wait(job, 600000, &state));
  REQUIRE(state == DIFFUSE_JOB_FINISHED);
  CHECK(diffuse_job_read(job, values, VALUES));
  diffuse_job_free(job);
}

int main(int argc, char **argv) {
  static float normal[VALUES], background[VALUES];
  struct sock_filter refuse[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setpriority, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof refuse / sizeof refuse[0], refuse};

  REQUIRE(argc == 2);
  CHECK(diffuse_log_set(hear, NULL));
  REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
  REQUIRE(setpriority(PRIO_PROCESS, 0, 1) != 0);

  draw(argv[1], "normal", normal);
  REQUIRE(warnings == 0);
  draw(argv[1], "background", background);
  REQUIRE(warnings == 1);
  REQUIRE(memcmp(normal, background, sizeof normal) == 0);
  return 0;
}
