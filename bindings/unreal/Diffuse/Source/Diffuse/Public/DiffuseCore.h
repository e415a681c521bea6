// What the plugin does of itself, without the engine: a drawing, from its request to its pixels. C++17 without
// exceptions and without run-time types. All of it is for one thread, the game's; the library draws on a worker of its
// own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "diffuse_functions.h"

// What the engine exports from the module; nothing elsewhere.
#ifndef DIFFUSE_API
#define DIFFUSE_API
#endif

namespace diffuse_core {

/// The library's functions, from a library that was loaded by its path.
class DIFFUSE_API Library {
 public:
  /// Fills the table by `find`. It returns "", or what is wrong and what to do.
  std::string load(const std::string &path, void *library, void *(*find)(void *library, const char *name));
  bool is_loaded() const { return is_loaded_; }
  const diffuse_functions &functions() const { return functions_; }
  /// The options as data: diffuse_options().
  std::string options() const;

 private:
  diffuse_functions functions_{};
  bool is_loaded_ = false;
};

/// What is to be drawn, and how.
struct Settings {
  std::string class_name, prompt, negative_prompt;
  std::uint64_t seed = 7;
  /// Options of the library by their names.
  std::vector<std::pair<std::string, std::string>> options;
  /// Whether the worker gives way to the game's frames.
  bool background = true;
  /// keep, stage, or a number of bytes: what becomes of a pipeline's parts between their stages.
  std::string memory = "keep";
  /// Execution providers in the order wanted; none is the CPU.
  std::vector<std::string> providers;
  /// A manifest, as JSON, instead of the model's own; "" is that.
  std::string manifest;
};

enum class State { Idle, Drawing, Finished, Failed };

/// A picture that is drawn. Destroying it cancels it and waits until the node of the network that is running ends.
class DIFFUSE_API Drawing {
 public:
  explicit Drawing(const Library &library) : library_(library) {}
  ~Drawing() { cancel(); }
  Drawing(const Drawing &) = delete;
  Drawing &operator=(const Drawing &) = delete;

  /// Draws from the model at `path`: a file, or a pipeline's folder. The state is Failed where it cannot, and error()
  /// says why.
  State begin(const std::string &path, const Settings &settings);
  /// Draws from the bytes of a model's file, which are copied: for what lies in a package.
  State begin(const std::uint8_t *bytes, std::size_t length, const Settings &settings);

  /// To be called once a frame.
  State tick();
  /// Whether the last tick() found an estimate, or the result, that was not read yet.
  bool has_news() const { return has_news_; }
  /// The picture's size; 0 before anything of it is known.
  std::size_t width() const { return width_; }
  std::size_t height() const { return height_; }
  /// Writes the latest estimate, or the result, as rows of BGRA from the top. False if there is none, or no room for
  /// it.
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
