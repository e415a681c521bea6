/* An execution provider in a plugin library of its own, for tests/all/plugin.rs: it runs nothing, and does one thing
 * wrong or right.
 *
 *     -DNAME=\"MyExecutionProvider\"   its name
 *     -DIDLE     it takes no node
 *     -DGREEDY   it takes all nodes, and fails when they are to run
 *     -DBROKEN   it cannot be created
 *     -DABSENT   it finds no device
 *
 * ONNX Runtime's header does not come with its library, so what is used of its ABI (version 24) is declared here. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct Status Status;
typedef struct Graph Graph;
typedef struct Node Node;
typedef struct Device Device;
typedef struct Hardware Hardware;
typedef struct Support Support;
struct Computation;
typedef void (*Function)(void);

/* OrtApi and OrtEpApi are tables of functions; these are the places in them. */
enum { CREATE_STATUS = 0, HARDWARE_TYPE = 307, GET_EP_API = 317, GRAPH_NODE_COUNT = 344, GRAPH_NODES = 345 };
enum { EP_CREATE_DEVICE = 0, EP_ADD_NODES_TO_FUSE = 2 };
enum { VERSION = 24 };

static const Function *api;

struct ApiBase {
  const Function *(*get_api)(uint32_t version);
  const char *(*get_version)(void);
};

struct Provider {
  uint32_t version;
  const char *(*get_name)(const struct Provider *);
  Status *(*get_capability)(struct Provider *, const Graph *, Support *);
  Status *(*compile)(struct Provider *, const Graph **, const Node **, size_t, struct Computation **, Node **);
  void (*release_computations)(struct Provider *, struct Computation **, size_t);
  Function others[16];
};

struct Computation {
  uint32_t version;
  Status *(*create_state)(struct Computation *, void *, void **);
  Status *(*compute)(struct Computation *, void *, void *);
  void (*release_state)(struct Computation *, void *);
};

struct Factory {
  uint32_t version;
  const char *(*get_name)(const struct Factory *);
  const char *(*get_vendor)(const struct Factory *);
  Status *(*get_devices)(struct Factory *, const Hardware *const *, size_t, Device **, size_t, size_t *);
  Status *(*create)(struct Factory *, const Hardware *const *, const void *const *, size_t, const void *, const void *, struct Provider **);
  void (*release)(struct Factory *, struct Provider *);
  uint32_t (*get_vendor_id)(const struct Factory *);
  const char *(*get_version)(const struct Factory *);
  Function compatibility;
  Status *(*create_allocator)(struct Factory *, const void *, const void *, void **);
  void (*release_allocator)(struct Factory *, void *);
  Status *(*create_transfer)(struct Factory *, void **);
  _Bool (*is_stream_aware)(const struct Factory *);
  Status *(*create_stream)(struct Factory *, const void *, const void *, void **);
  Function others[16];
};

static Status *fail(const char *message) { return ((Status * (*)(int, const char *)) api[CREATE_STATUS])(1, message); }

static const Function *ep_api(void) { return ((const Function *(*)(void))api[GET_EP_API])(); }

static const char *provider_name(const struct Provider *provider) { return (void)provider, NAME; }

static Status *get_capability(struct Provider *provider, const Graph *graph, Support *support) {
  (void)provider;
#ifdef GREEDY
  const Node *nodes[1024];
  size_t count = 0;
  Status *status = ((Status * (*)(const Graph *, size_t *)) api[GRAPH_NODE_COUNT])(graph, &count);
  if (status == NULL && count > 1024) return fail("too many nodes");
  if (status == NULL) status = ((Status * (*)(const Graph *, const Node **, size_t)) api[GRAPH_NODES])(graph, nodes, count);
  if (status != NULL) return status;
  return ((Status * (*)(Support *, const Node *const *, size_t, const void *)) ep_api()[EP_ADD_NODES_TO_FUSE])(support, nodes, count, NULL);
#else
  return (void)graph, (void)support, NULL;
#endif
}

static Status *create_state(struct Computation *self, void *context, void **state) { return (void)context, *state = self, NULL; }
static Status *compute(struct Computation *self, void *state, void *kernel) {
  return (void)self, (void)state, (void)kernel, fail("the mock was run");
}
static void release_state(struct Computation *self, void *state) { (void)self, (void)state; }
static struct Computation computation = {VERSION, create_state, compute, release_state};

static Status *compile(struct Provider *provider, const Graph **graphs, const Node **nodes, size_t count, struct Computation **out, Node **contexts) {
  (void)provider, (void)graphs, (void)nodes, (void)contexts;
  for (size_t i = 0; i < count; ++i) out[i] = &computation;
  return NULL;
}
static void release_computations(struct Provider *provider, struct Computation **list, size_t count) {
  (void)provider, (void)list, (void)count;
}

static const char *factory_name(const struct Factory *factory) { return (void)factory, NAME; }
static const char *vendor(const struct Factory *factory) { return (void)factory, "diffuse"; }
static uint32_t vendor_id(const struct Factory *factory) { return (void)factory, 0; }
static const char *version(const struct Factory *factory) { return (void)factory, "1.0.0"; }

static Status *get_devices(struct Factory *factory, const Hardware *const *hardware, size_t count, Device **out, size_t room, size_t *found) {
  *found = 0;
#ifndef ABSENT
  for (size_t i = 0; i < count && *found < room; ++i) {
    if (((int (*)(const Hardware *))api[HARDWARE_TYPE])(hardware[i]) != 0) continue; /* not a CPU */
    Status *status = ((Status * (*)(struct Factory *, const Hardware *, const void *, const void *, Device **))
                          ep_api()[EP_CREATE_DEVICE])(factory, hardware[i], NULL, NULL, &out[*found]);
    if (status != NULL) return status;
    ++*found;
  }
#else
  (void)factory, (void)hardware, (void)count, (void)out, (void)room;
#endif
  return NULL;
}

static Status *create(struct Factory *factory, const Hardware *const *hardware, const void *const *metadata, size_t count, const void *options,
                      const void *logger, struct Provider **out) {
  (void)factory, (void)hardware, (void)metadata, (void)count, (void)options, (void)logger;
  *out = NULL;
#ifdef BROKEN
  return fail("the mock is out of order");
#else
  struct Provider *provider = calloc(1, sizeof *provider);
  if (provider == NULL) return fail("out of memory");
  provider->version = VERSION;
  provider->get_name = provider_name;
  provider->get_capability = get_capability;
  provider->compile = compile;
  provider->release_computations = release_computations;
  *out = provider;
  return NULL;
#endif
}

static void release(struct Factory *factory, struct Provider *provider) { (void)factory, free(provider); }
static Status *create_allocator(struct Factory *factory, const void *memory, const void *options, void **out) {
  return (void)factory, (void)memory, (void)options, *out = NULL, NULL;
}
static void release_allocator(struct Factory *factory, void *allocator) { (void)factory, (void)allocator; }
static Status *create_transfer(struct Factory *factory, void **out) { return (void)factory, *out = NULL, NULL; }
static _Bool is_stream_aware(const struct Factory *factory) { return (void)factory, 0; }
static Status *create_stream(struct Factory *factory, const void *device, const void *options, void **out) {
  return (void)factory, (void)device, (void)options, *out = NULL, NULL;
}

static struct Factory factory = {
    VERSION, factory_name,     vendor,            get_devices,     create,          release,      vendor_id, version,
    NULL,    create_allocator, release_allocator, create_transfer, is_stream_aware, create_stream, {NULL}};

Status *CreateEpFactories(const char *name, const struct ApiBase *base, const void *logger, struct Factory **out, size_t room, size_t *count) {
  (void)name, (void)logger;
  api = base->get_api(VERSION);
  *count = 0;
  if (room == 0) return fail("no room");
  out[0] = &factory;
  *count = 1;
  return NULL;
}

Status *ReleaseEpFactory(struct Factory *released) { return (void)released, NULL; }
