/* A game at 60 frames a second, in which a sprite is drawn on a worker thread and grows on the screen:
 *
 *     game_loop MODEL.onnx [FRAMES]
 *
 * The space bar draws another sprite, also in the middle of a run. Escape ends the game, and so do FRAMES. A frame does
 * microseconds of work for diffuse: it looks at a counter, and copies a preview when there is a new one. After the last
 * step the preview is the result. */
#include <SDL.h>
#include <diffuse.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 32, WINDOW = 512, BALLS = 24 };

static SDL_Renderer *renderer;
static SDL_Texture *texture;
static long frames, frames_wanted = -1;
static int wants_another;

static void check(int32_t status) {
  if (status == DIFFUSE_OK) return;
  fprintf(stderr, "%s\n", diffuse_error_message());
  exit(1);
}

/* Handles the keys, and is 0 when the game ends. */
static int next_frame(void) {
  SDL_Event event;
  while (SDL_PollEvent(&event)) {
    if (event.type == SDL_QUIT) return 0;
    if (event.type == SDL_KEYDOWN && event.key.keysym.sym == SDLK_ESCAPE) return 0;
    if (event.type == SDL_KEYDOWN && event.key.keysym.sym == SDLK_SPACE) wants_another = 1;
  }
  return frames++ != frames_wanted;
}

/* Balls that never stutter, behind the sprite. The frame ends a sixtieth of a second after the last one. */
static void draw_world(void) {
  SDL_Rect place = {WINDOW / 4, WINDOW / 4, WINDOW / 2, WINDOW / 2};
  SDL_SetRenderDrawColor(renderer, 24, 26, 38, 255);
  SDL_RenderClear(renderer);
  SDL_SetRenderDrawColor(renderer, 90, 120, 200, 255);
  for (int i = 0; i < BALLS; i++) {
    long along = (frames * (3 + i % 5) + 67L * i) % (2 * (WINDOW - 16));
    SDL_Rect ball = {(int)(along < WINDOW - 16 ? along : 2 * (WINDOW - 16) - along), i * WINDOW / BALLS, 16, 16};
    SDL_RenderFillRect(renderer, &ball);
  }
  SDL_RenderCopy(renderer, texture, NULL, &place);
  SDL_RenderPresent(renderer);
  static Uint32 last;
  Uint32 now = SDL_GetTicks();
  if (now - last < 16) SDL_Delay(16 - (now - last));
  last = SDL_GetTicks();
}

/* Whether the worker is done. What it failed with is printed once, and the game goes on. */
static int has_ended(const diffuse_job *job) {
  static int is_reported;
  char message[1024];
  int32_t state, status;
  diffuse_job_poll(job, &state);
  if (state == DIFFUSE_JOB_STOPPED && !is_reported) {
    diffuse_job_error(job, &status, message, sizeof message);
    if (status != DIFFUSE_CANCELLED) fprintf(stderr, "%s\n", message);
  }
  is_reported = state == DIFFUSE_JOB_STOPPED;
  return state != DIFFUSE_JOB_RUNNING;
}

/* A job with the next seed, in place of one that has ended. It takes over the model if that is open. */
static diffuse_job *another(diffuse_job *job, const char *path, const diffuse_model_options *options, diffuse_request *request) {
  static uint64_t seed = 7;
  diffuse_model *model;
  int is_open = diffuse_job_model(job, &model) == DIFFUSE_OK;
  diffuse_job_free(job);
  check(diffuse_request_set_seed(request, ++seed));
  if (is_open) {
    check(diffuse_job_new(model, request, &job));
    diffuse_model_free(model);
  } else {
    check(diffuse_job_open(NULL, path, options, request, &job));
  }
  check(diffuse_job_start(job));
  wants_another = 0;
  return job;
}

int main(int argc, char **argv) {
  static uint8_t pixels[4 * SIZE * SIZE];
  diffuse_model_options *options;
  diffuse_request *request;
  diffuse_job *job;
  uint64_t seen = 0, estimates = 0;

  if (argc < 2) return 2;
  if (argc > 2) frames_wanted = atol(argv[2]);
  if (SDL_Init(SDL_INIT_VIDEO) != 0) return fprintf(stderr, "%s\n", SDL_GetError()), 1;
  SDL_Window *window = SDL_CreateWindow("diffuse", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, WINDOW, WINDOW, 0);
  renderer = window == NULL ? NULL : SDL_CreateRenderer(window, -1, SDL_RENDERER_PRESENTVSYNC);
  if (renderer == NULL) return fprintf(stderr, "%s\n", SDL_GetError()), 1;
  texture = SDL_CreateTexture(renderer, SDL_PIXELFORMAT_RGBA32, SDL_TEXTUREACCESS_STREAMING, SIZE, SIZE);
  SDL_SetTextureBlendMode(texture, SDL_BLENDMODE_BLEND);

  check(diffuse_model_options_new(&options));
  check(diffuse_model_options_set_priority(options, "background")); /* the library's threads give way to the game's */
  check(diffuse_request_new(&request));
  check(diffuse_request_set_class(request, DIFFUSE_ALL_ITEMS, "heart"));
  check(diffuse_request_set_seed(request, 7));

  check(diffuse_job_open(NULL, argv[1], options, request, &job)); /* opens nothing yet */
  check(diffuse_job_start(job));                                  /* a worker opens the model and draws */
  while (next_frame()) {
    diffuse_job_estimates(job, &estimates);
    if (estimates != seen) { /* the picture has grown */
      diffuse_job_preview_pixels(job, 0, pixels, sizeof pixels, 4 * SIZE, 0);
      SDL_UpdateTexture(texture, NULL, pixels, 4 * SIZE);
      seen = estimates;
    }
    if (wants_another) diffuse_job_cancel(job); /* does not wait */
    if (has_ended(job) && wants_another) job = another(job, argv[1], options, request), seen = 0;
    draw_world();
  }
  printf("%ld frames, %llu previews\n", frames - 1, (unsigned long long)seen);
  diffuse_job_free(job); /* cancels a run, and returns when the node that is running ends */

  diffuse_request_free(request);
  diffuse_model_options_free(options);
  SDL_Quit();
  return 0;
}
