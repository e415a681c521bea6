// The plugin without the engine: a drawing, from its request to its pixels. It is C++17 without exceptions and without
// run-time types. All of it is for one thread, the game's. The library draws on a worker of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "diffuse_functions.h"

// The engine defines it to export from the module. Elsewhere it is empty.
#ifndef DIFFUSE_API
#define DIFFUSE_API
#endif

namespace diffuse_core {

/// The functions of a library that was loaded by its path.
class DIFFUSE_API Library {
 public:
  /// Fills the table with `find`. It returns "", or the error with its remedy.
  std::string load(const std::string &path, void *library, void *(*find)(void *library, const char *name));
  bool is_loaded() const { return is_loaded_; }
  const diffuse_functions &functions() const { return functions_; }
  /// All options as JSON: diffuse_options().
  std::string options() const;

 private:
  diffuse_functions functions_{};
  bool is_loaded_ = false;
};

/// What is drawn, and how.
struct Settings {
  std::string class_name, prompt, negative_prompt;
  std::uint64_t seed = 7;
  /// Options of the library by their names.
  std::vector<std::pair<std::string, std::string>> options;
  /// Whether the worker gives way to the game's frames.
  bool background = true;
  /// What becomes of a pipeline's parts between their stages: keep, stage, or a number of bytes.
  std::string memory = "keep";
  /// Execution providers in the order wanted. Default: the CPU.
  std::vector<std::string> providers;
  /// A manifest, as JSON, instead of the model's own. Default: the model's own.
  std::string manifest;
};

enum class State { Idle, Drawing, Finished, Failed };

/// A drawing. Destroying it cancels it, and waits until the running node of the network ends.
class DIFFUSE_API Drawing {
 public:
  explicit Drawing(const Library &library) : library_(library) {}
  ~Drawing() { cancel(); }
  Drawing(const Drawing &) = delete;
  Drawing &operator=(const Drawing &) = delete;

  /// Begins a drawing from the model at `path`: a file, or the folder of a pipeline. On failure the state is Failed,
  /// and error() has the reason.
  State begin(const std::string &path, const Settings &settings);
  /// Begins a drawing from the bytes of a model's file, which are copied. It is for models in a package.
  State begin(const std::uint8_t *bytes, std::size_t length, const Settings &settings);

  /// Call it once a frame.
  State tick();
  /// Whether the last tick() found an estimate, or the result, that read() has not read yet.
  bool has_news() const { return has_news_; }
  /// The picture's size. 0 before it is known.
  std::size_t width() const { return width_; }
  std::size_t height() const { return height_; }
  /// Writes the latest estimate, or the result, as rows of BGRA from the top. False if there is none, or too little
  /// room.
  bool read(std::uint8_t *pixels, std::size_t length, std::size_t stride);

  State state() const { return state_; }
  /// How much of its stage is done, from 0 to 1.
  float progress() const { return progress_; }
  /// DIFFUSE_STAGE_LOADING, _ENCODING, _SAMPLING or _DECODING.
  std::int32_t stage() const { return stage_; }
  /// Why there is no picture.
  const std::string &error() const { return error_; }
  void cancel();

 private:
  struct Handles;
  bool prepare(const Settings &settings, Handles &handles);
  template <class Open>
  State begin_by(const Settings &settings, const Open &open);
  State failed(const std::string &why);
  bool taken(std::int32_t status);
  bool know_size();

  const Library &library_;
  diffuse_job *job_ = nullptr;
  State state_ = State::Idle;
  std::uint64_t seen_ = 0, estimates_ = 0;
  std::size_t width_ = 0, height_ = 0;
  bool has_news_ = false;
  float progress_ = 0;
  std::int32_t stage_ = DIFFUSE_STAGE_LOADING;
  std::string error_;
};

}  // namespace diffuse_core
