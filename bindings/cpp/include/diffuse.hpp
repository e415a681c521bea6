// diffuse in C++14 and later: the C interface of diffuse.h with owners, strings and vectors. It is this header alone.
// Link libdiffuse.
//
// diffuse.h documents each function, under the same name. The comments here state only what differs. Objects own their
// handle. They move, and do not copy. Several threads may call a const method at once.
//
// With exceptions a failure is thrown as diffuse::Error. Without them methods return diffuse::Result<T>:
// `if (!result) puts(result.error().what());`. They are off with -fno-exceptions, and where DIFFUSE_NO_EXCEPTIONS is
// defined before this header.
#ifndef DIFFUSE_HPP
#define DIFFUSE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "diffuse.h"

#if !defined(DIFFUSE_NO_EXCEPTIONS) && !defined(__cpp_exceptions) && !defined(_CPPUNWIND)
#define DIFFUSE_NO_EXCEPTIONS
#endif

#ifndef DIFFUSE_NO_EXCEPTIONS
#include <stdexcept>
#endif

#if defined(__has_cpp_attribute) && __cplusplus >= 201703L
#define DIFFUSE_NODISCARD [[nodiscard]]
#else
#define DIFFUSE_NODISCARD
#endif

namespace diffuse {

#ifndef DIFFUSE_NO_EXCEPTIONS

/// A failure: one of the statuses of diffuse.h (DIFFUSE_ARGUMENT, DIFFUSE_MODEL, ...), and its message.
class Error : public std::runtime_error {
 public:
  Error(std::int32_t status, const std::string &message, const char *path = nullptr, std::int32_t number = 0)
      : std::runtime_error(message), status_(status), number_(number), path_(path ? path : "") {}
  std::int32_t status() const noexcept { return status_; }
  /// The file that could not be read or written, and the system's number for why: diffuse_error_path(),
  /// diffuse_error_errno(). "" and 0 where it was none.
  const std::string &path() const noexcept { return path_; }
  std::int32_t number() const noexcept { return number_; }

 private:
  std::int32_t status_, number_;
  std::string path_;
};

/// With exceptions a result is the value itself.
template <class T>
using Result = T;

#else

class Error {
 public:
  Error() = default;
  Error(std::int32_t status, std::string message, const char *path = nullptr, std::int32_t number = 0)
      : status_(status), number_(number), message_(std::move(message)), path_(path ? path : "") {}
  std::int32_t status() const noexcept { return status_; }
  const char *what() const noexcept { return message_.c_str(); }
  /// The file that could not be read or written, and the system's number for why: diffuse_error_path(),
  /// diffuse_error_errno(). "" and 0 where it was none.
  const std::string &path() const noexcept { return path_; }
  std::int32_t number() const noexcept { return number_; }

 private:
  std::int32_t status_ = DIFFUSE_OK, number_ = 0;
  std::string message_, path_;
};

/// A value, or an error in its place.
template <class T>
class DIFFUSE_NODISCARD Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::move(error)) {}
  explicit operator bool() const noexcept { return error_.status() == DIFFUSE_OK; }
  const Error &error() const noexcept { return error_; }
  /// The value. After a failure it is a default T.
  T &operator*() & { return value_; }
  T &&operator*() && { return std::move(value_); }
  T *operator->() { return &value_; }

 private:
  T value_{};
  Error error_;
};

template <>
class DIFFUSE_NODISCARD Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  explicit operator bool() const noexcept { return error_.status() == DIFFUSE_OK; }
  const Error &error() const noexcept { return error_; }

 private:
  Error error_;
};

#endif

namespace detail {

/// The error of the latest failed call on this thread.
inline Error failure(std::int32_t status) {
  return Error(status, diffuse_error_message(), diffuse_error_path(), diffuse_error_errno());
}

#ifdef DIFFUSE_NO_EXCEPTIONS
inline Result<void> checked(std::int32_t status) {
  return status == DIFFUSE_OK ? Result<void>() : Result<void>(failure(status));
}
template <class T>
Result<T> checked(std::int32_t status, T value) {
  if (status != DIFFUSE_OK) return failure(status);
  return value;
}
#else
inline void checked(std::int32_t status) {
  if (status != DIFFUSE_OK) throw failure(status);
}
template <class T>
T checked(std::int32_t status, T value) {
  checked(status);
  return value;
}
#endif

/// An error that the C interface would not notice.
template <class T>
Result<T> refused(const char *message) {
#ifdef DIFFUSE_NO_EXCEPTIONS
  return Error(DIFFUSE_ARGUMENT, message);
#else
  throw Error(DIFFUSE_ARGUMENT, message);
#endif
}

/// The DIFFUSE_ELEMENT_ number of a type of numbers.
template <class T>
struct Element {
  static_assert(std::is_arithmetic<T>::value && sizeof(T) <= 8, "a number of at most 64 bits, or bool");
  static constexpr bool is_signed = std::is_signed<T>::value;
  static constexpr std::int32_t value =
      std::is_same<T, bool>::value         ? DIFFUSE_ELEMENT_BOOL
      : std::is_floating_point<T>::value   ? (sizeof(T) == 8 ? DIFFUSE_ELEMENT_F64 : DIFFUSE_ELEMENT_F32)
      : sizeof(T) == 8                     ? (is_signed ? DIFFUSE_ELEMENT_I64 : DIFFUSE_ELEMENT_U64)
      : sizeof(T) == 4                     ? (is_signed ? DIFFUSE_ELEMENT_I32 : DIFFUSE_ELEMENT_U32)
      : sizeof(T) == 2                     ? (is_signed ? DIFFUSE_ELEMENT_I16 : DIFFUSE_ELEMENT_U16)
                                           : (is_signed ? DIFFUSE_ELEMENT_I8 : DIFFUSE_ELEMENT_U8);
};

template <class Handle, void (*Free)(Handle *)>
struct Deleter {
  void operator()(Handle *handle) const noexcept { Free(handle); }
};

template <class Handle, void (*Free)(Handle *)>
using Owner = std::unique_ptr<Handle, Deleter<Handle, Free>>;

template <class Handle>
Result<std::vector<std::size_t>> shape_of(std::int32_t (*shape)(const Handle *, std::size_t *, std::size_t, std::size_t *),
                                          const Handle *handle) {
  std::size_t rank = 0;
  std::int32_t status = shape(handle, nullptr, 0, &rank);
  std::vector<std::size_t> axes(rank);
  if (status == DIFFUSE_OK) status = shape(handle, axes.data(), axes.size(), &rank);
  return checked(status, std::move(axes));
}

inline std::string text(const char *string) { return string ? string : ""; }

}  // namespace detail

/// The version of the library that is linked, such as "0.1.0".
inline std::string version() { return diffuse_version(); }

/// The options that Request::set() takes, as a JSON array: diffuse_options().
inline std::string options() { return detail::text(diffuse_options()); }

/// ONNX Runtime: diffuse_runtime_open().
class Runtime {
 public:
  Runtime() = default;

  /// `path` is its library, or the folder of that. "" finds it.
  static Result<Runtime> open(const std::string &path = "") {
    diffuse_runtime *handle = nullptr;
    const std::int32_t status = diffuse_runtime_open(path.empty() ? nullptr : path.c_str(), &handle);
    return detail::checked(status, Runtime(handle));
  }

  /// The ONNX Runtime that the program has already. `base` is the result of its OrtGetApiBase().
  static Result<Runtime> of_host(const void *base) {
    diffuse_runtime *handle = nullptr;
    const std::int32_t status = diffuse_runtime_of_host(base, &handle);
    return detail::checked(status, Runtime(handle));
  }

  std::string path() const { return detail::text(diffuse_runtime_path(get())); }
  std::string version() const { return detail::text(diffuse_runtime_version(get())); }
  std::string providers() const { return detail::text(diffuse_runtime_providers(get())); }
  diffuse_runtime *get() const noexcept { return handle_.get(); }

 private:
  explicit Runtime(diffuse_runtime *handle) : handle_(handle) {}
  detail::Owner<diffuse_runtime, diffuse_runtime_free> handle_;
};

/// A condition of an Estimate. It is valid during the callback.
struct Condition {
  /// DIFFUSE_ELEMENT_F32, DIFFUSE_ELEMENT_F64 or DIFFUSE_ELEMENT_I64.
  std::int32_t element = DIFFUSE_ELEMENT_F32;
  const void *values = nullptr;
  /// Items first, unless the manifest has one for all items.
  std::vector<std::size_t> shape;

  /// The values. T is float, double or std::int64_t. It is nullptr if they have another type.
  template <class T>
  const T *as() const {
    return element == detail::Element<T>::value ? static_cast<const T *>(values) : nullptr;
  }
};

/// What an estimate of the clean samples is made from. It is valid during the callback.
class Estimate {
 public:
  explicit Estimate(const diffuse_estimate *handle) : handle_(handle) {}
  /// The noisy samples, of the shape().
  const float *x() const { return diffuse_estimate_x(handle_); }
  /// Batch first. Under guidance a network gets twice the request's items.
  Result<std::vector<std::size_t>> shape() const {
    return detail::shape_of<diffuse_estimate>(diffuse_estimate_shape, handle_);
  }
  /// The noise level: the time of the schedule, alpha and sigma.
  Result<void> level(double &t, double &alpha, double &sigma) const {
    return detail::checked(diffuse_estimate_level(handle_, &t, &alpha, &sigma));
  }
  /// The step of the run, counted from 0, and the number of items.
  Result<void> step(std::size_t &step, std::size_t &items) const {
    return detail::checked(diffuse_estimate_step(handle_, &step, &items));
  }
  /// The time as the network's input has it. For networks of the host alone.
  Result<double> time() const {
    double time = 0;
    const std::int32_t status = diffuse_estimate_time(handle_, &time);
    return detail::checked(status, time);
  }
  /// The samples as the network's input has them. For networks of the host alone.
  Result<const float *> input(std::size_t &length) const {
    const float *values = nullptr;
    const std::int32_t status = diffuse_estimate_input(handle_, &values, &length);
    return detail::checked(status, values);
  }
  /// The class of every item. nullptr for a model without classes.
  const std::int64_t *classes() const { return diffuse_estimate_classes(handle_); }
  /// The condition called `name` in the manifest.
  Result<Condition> condition(const std::string &name) const {
    Condition found;
    std::size_t rank = 0;
    std::int32_t status =
        diffuse_estimate_condition(handle_, name.c_str(), &found.element, &found.values, nullptr, 0, &rank);
    found.shape.resize(rank);
    if (status == DIFFUSE_OK) {
      status = diffuse_estimate_condition(handle_, name.c_str(), &found.element, &found.values, found.shape.data(), rank,
                                          &rank);
    }
    return detail::checked(status, std::move(found));
  }
  /// Whether the job was cancelled. A network of the host may then return early, with anything.
  Result<bool> is_cancelled() const {
    std::int32_t cancelled = 0;
    const std::int32_t status = diffuse_estimate_is_cancelled(handle_, &cancelled);
    return detail::checked(status, cancelled != 0);
  }

 private:
  const diffuse_estimate *handle_;
};

/// The host's code that makes or changes an estimate: `values`, `length` of them. It returns "", or what went wrong. An
/// exception counts as the latter. It lives for as long as a model, a request or a job needs it. It may own a model,
/// which is freed with it.
using Callback = std::function<std::string(const Estimate &estimate, float *values, std::size_t length)>;

namespace detail {

/// A callback. The library releases it when nothing calls it any more.
struct Held {
  explicit Held(Callback callback) : function(std::move(callback)) {}
  Callback function;

  static void release(void *user_data) noexcept { delete static_cast<Held *>(user_data); }

  static std::int32_t call(const diffuse_estimate *estimate, float *values, std::size_t length, char *message,
                           std::size_t capacity, void *user_data) noexcept {
    const auto *held = static_cast<const Held *>(user_data);
    std::string said;
#ifndef DIFFUSE_NO_EXCEPTIONS
    try {
      said = held->function(Estimate(estimate), values, length);
    } catch (const std::exception &error) {
      said = std::string("an exception: ") + error.what();
    } catch (...) {
      said = "an exception";
    }
#else
    said = held->function(Estimate(estimate), values, length);
#endif
    if (said.empty()) return 0;
    std::size_t count = said.size() < capacity ? said.size() : capacity - 1;
    // Cut between two characters of UTF-8.
    while (count > 0 && count < said.size() && (static_cast<unsigned char>(said[count]) & 0xC0u) == 0x80u) --count;
    std::memcpy(message, said.data(), count);
    message[count] = 0;
    return 1;
  }
};

}  // namespace detail

/// It ends calls without a job from another thread: diffuse_cancel_new(). It may be destroyed while they run.
class Cancel {
 public:
  Cancel() {
    diffuse_cancel *handle = nullptr;
    (void)diffuse_cancel_new(&handle);
    handle_.reset(handle);
  }
  Result<void> cancel() const { return detail::checked(diffuse_cancel_cancel(get())); }
  diffuse_cancel *get() const noexcept { return handle_.get(); }

 private:
  detail::Owner<diffuse_cancel, diffuse_cancel_free> handle_;
};

namespace detail {
inline const diffuse_cancel *handle_of(const Cancel *cancel) { return cancel ? cancel->get() : nullptr; }
}  // namespace detail

/// How a model is opened: diffuse_model_options_new() and what sets it.
class ModelOptions {
 public:
  ModelOptions() {
    // It fails only for an output that is NULL. Whatever uses a handle that is none reports it.
    diffuse_model_options *handle = nullptr;
    (void)diffuse_model_options_new(&handle);
    handle_.reset(handle);
  }
  Result<void> threads(std::uint32_t count) {
    return detail::checked(diffuse_model_options_set_threads(get(), count));
  }
  Result<void> spinning(bool on) { return detail::checked(diffuse_model_options_set_spinning(get(), on ? 1 : 0)); }
  Result<void> copy_weights(bool on) {
    return detail::checked(diffuse_model_options_set_copy_weights(get(), on ? 1 : 0));
  }
  Result<void> add_provider(const std::string &name) {
    return detail::checked(diffuse_model_options_add_provider(get(), name.c_str()));
  }
  Result<void> add_provider_library(const std::string &name, const std::string &library) {
    return detail::checked(diffuse_model_options_add_provider_library(get(), name.c_str(), library.c_str()));
  }
  Result<void> provider_option(const std::string &name, const std::string &key, const std::string &value) {
    return detail::checked(
        diffuse_model_options_set_provider_option(get(), name.c_str(), key.c_str(), value.c_str()));
  }
  Result<void> cpu_nodes(bool allowed) {
    return detail::checked(diffuse_model_options_set_cpu_nodes(get(), allowed ? 1 : 0));
  }
  Result<void> manifest(const std::string &json) {
    return detail::checked(diffuse_model_options_set_manifest(get(), json.c_str()));
  }
  Result<void> external_data(const std::string &name, const void *bytes, std::size_t length) {
    return detail::checked(
        diffuse_model_options_add_external_data(get(), name.c_str(), static_cast<const std::uint8_t *>(bytes), length));
  }
  /// What becomes of a pipeline's parts between their stages: "keep", "stage", or a number of bytes. Default: "keep".
  Result<void> memory(const std::string &policy) {
    return detail::checked(diffuse_model_options_set_memory(get(), policy.c_str()));
  }
  /// "normal", or "background" for work that gives way to the host. Default: "normal".
  Result<void> priority(const std::string &priority) {
    return detail::checked(diffuse_model_options_set_priority(get(), priority.c_str()));
  }
  /// It ends an opening with these options. nullptr takes it back.
  Result<void> cancel(const Cancel *cancel) {
    return detail::checked(diffuse_model_options_set_cancel(get(), detail::handle_of(cancel)));
  }
  diffuse_model_options *get() const noexcept { return handle_.get(); }

 private:
  detail::Owner<diffuse_model_options, diffuse_model_options_free> handle_;
};

class Model;

/// What is drawn, and how. A Request that was moved from, or that could not be made, is an error where it is used.
class Request {
 public:
  Request() {
    diffuse_request *handle = nullptr;
    (void)diffuse_request_new(&handle);
    handle_.reset(handle);
  }

  Result<void> seed(std::uint64_t seed) { return detail::checked(diffuse_request_set_seed(get(), seed)); }
  Result<void> count(std::size_t count) { return detail::checked(diffuse_request_set_count(get(), count)); }
  Result<void> classes(const std::vector<std::int64_t> &classes) {
    return detail::checked(diffuse_request_set_classes(get(), classes.data(), classes.size()));
  }
  /// The class of all items, or of one, by its name: diffuse_request_set_class().
  Result<void> class_name(const std::string &name, std::int64_t item = DIFFUSE_ALL_ITEMS) {
    return detail::checked(diffuse_request_set_class(get(), item, name.c_str()));
  }
  /// The class that guidance leads away from.
  Result<void> negative_class_name(const std::string &name, std::int64_t item = DIFFUSE_ALL_ITEMS) {
    return detail::checked(diffuse_request_set_negative_class(get(), item, name.c_str()));
  }
  Result<void> shape(const std::vector<std::size_t> &axes) {
    return detail::checked(diffuse_request_set_shape(get(), axes.data(), axes.size()));
  }
  /// One of the options that diffuse.h lists.
  Result<void> set(const std::string &key, const std::string &value) {
    return detail::checked(diffuse_request_set(get(), key.c_str(), value.c_str()));
  }
  Result<void> set(const std::string &key, double value) {
    return detail::checked(diffuse_request_set_number(get(), key.c_str(), value));
  }
  /// Takes back what an option is set to.
  Result<void> unset(const std::string &key) { return detail::checked(diffuse_request_unset(get(), key.c_str())); }
  Result<void> scheduler_config(const std::string &json) {
    return detail::checked(diffuse_request_set_scheduler_config(get(), json.c_str()));
  }
  /// Where diffusers differs from this request with its scheduler's configuration, a line each.
  Result<std::string> departures() {
    const char *lines = nullptr;
    const std::int32_t status = diffuse_request_departures(get(), &lines);
    return detail::checked(status, detail::text(lines));
  }
  /// The prompt of all items, or of one, for a model that reads text.
  Result<void> prompt(const std::string &text, std::int64_t item = DIFFUSE_ALL_ITEMS) {
    return detail::checked(diffuse_request_set_prompt(get(), item, text.c_str()));
  }
  /// The prompt that guidance leads away from.
  Result<void> negative_prompt(const std::string &text, std::int64_t item = DIFFUSE_ALL_ITEMS) {
    return detail::checked(diffuse_request_set_negative_prompt(get(), item, text.c_str()));
  }
  /// Embeddings of the host's own text encoder, in place of prompts: diffuse_request_set_embeddings(). They are
  /// `tokens` vectors for each of `items` items, or for all if that is 1. `pooled` has a vector for each, where the
  /// model takes one. No values take them back.
  Result<void> embeddings(const std::vector<float> &values, std::size_t items, std::size_t tokens,
                          const std::vector<float> &pooled = {}, bool negative = false) {
    const bool none = values.empty() || items == 0 || tokens == 0;
    if (!none && (values.size() / items % tokens != 0 || values.size() % items != 0 || pooled.size() % items != 0)) {
      const std::string counts = std::to_string(values.size()) + " values and " + std::to_string(pooled.size()) +
                                 " pooled ones of " + std::to_string(items) + " items with " + std::to_string(tokens);
      return detail::refused<void>(("embeddings: " + counts + " tokens; as many for each item, and each token").c_str());
    }
    return detail::checked(diffuse_request_set_embeddings(
        get(), none ? nullptr : values.data(), items, tokens, none ? 0 : values.size() / items / tokens,
        none || pooled.empty() ? nullptr : pooled.data(), none ? 0 : pooled.size() / items, negative ? 1 : 0));
  }
  Result<void> negative_classes(const std::vector<std::int64_t> &classes) {
    return detail::checked(diffuse_request_set_negative_classes(get(), classes.data(), classes.size()));
  }
  /// A condition by its name in the manifest: numbers of any type, or bool. Without a shape they are a list, of one
  /// item or of all one after the other. No values take it back.
  template <class T>
  Result<void> condition(const std::string &name, const std::vector<T> &values,
                         const std::vector<std::size_t> &shape = {}, bool negative = false) {
    return shaped(name, detail::Element<T>::value, values.data(), values.size(), shape, negative);
  }
  Result<void> condition(const std::string &name, const std::vector<bool> &values,
                         const std::vector<std::size_t> &shape = {}, bool negative = false) {
    const std::vector<std::uint8_t> bytes(values.begin(), values.end());
    return shaped(name, DIFFUSE_ELEMENT_BOOL, bytes.data(), bytes.size(), shape, negative);
  }
  template <class T>
  Result<void> condition(const std::string &name, std::initializer_list<T> values,
                         const std::vector<std::size_t> &shape = {}, bool negative = false) {
    return shaped(name, detail::Element<T>::value, values.begin(), values.size(), shape, negative);
  }
  /// One number, for every item.
  template <class T, class = typename std::enable_if<std::is_arithmetic<T>::value>::type>
  Result<void> condition(const std::string &name, T value, bool negative = false) {
    return condition(name, detail::Element<T>::value, &value, {}, negative);
  }
  /// Values of the type `element`, one of the DIFFUSE_ELEMENT_ numbers, as many as the shape has. It is for 16-bit
  /// floats, for which C++ has no type.
  Result<void> condition(const std::string &name, std::int32_t element, const void *values,
                         const std::vector<std::size_t> &shape, bool negative = false) {
    return detail::checked(diffuse_request_set_condition(get(), name.c_str(), element, values, shape.data(),
                                                         shape.size(), negative ? 1 : 0));
  }
  Result<void> classifier(const Model &classifier, const std::vector<std::int64_t> &classes);
  /// Code that sees every estimate of the clean samples and may change it. nullptr takes it back.
  Result<void> guidance(Callback callback) {
    auto *held = callback ? new detail::Held(std::move(callback)) : nullptr;
    return detail::checked(diffuse_request_set_guidance_callback_owned(get(), held ? detail::Held::call : nullptr, held,
                                                                       detail::Held::release));
  }
  /// Clean samples to start from. No values take them back.
  Result<void> image(const std::vector<float> &values) {
    return detail::checked(diffuse_request_set_image(get(), values.empty() ? nullptr : values.data(), values.size()));
  }
  /// Where the image is drawn anew (1) and kept (0). No values take it back.
  Result<void> mask(const std::vector<float> &values) {
    return detail::checked(diffuse_request_set_mask(get(), values.empty() ? nullptr : values.data(), values.size()));
  }
  /// What drawing this is expected to take.
  Result<diffuse_cost> cost(const Model &model, const Cancel *cancel = nullptr) const;
  diffuse_request *get() const noexcept { return handle_.get(); }

 private:
  Result<void> shaped(const std::string &name, std::int32_t element, const void *values, std::size_t length,
                      const std::vector<std::size_t> &shape, bool negative) {
    if (length == 0) return condition(name, element, nullptr, shape, negative);
    if (shape.empty()) return condition(name, element, values, {length}, negative);
    // Divided, since the product may overflow.
    std::size_t left = length;
    for (const std::size_t axis : shape) left = axis != 0 && left % axis == 0 ? left / axis : 0;
    if (left != 1) return detail::refused<void>("values: they are not as many as their shape says");
    return condition(name, element, values, shape, negative);
  }

  detail::Owner<diffuse_request, diffuse_request_free> handle_;
};

/// A model. It may be destroyed while jobs of it live.
class Model {
 public:
  Model() = default;

  static Result<Model> open(const Runtime &runtime, const std::string &path, const ModelOptions &options = {}) {
    diffuse_model *handle = nullptr;
    const std::int32_t status = diffuse_model_open(runtime.get(), path.c_str(), options.get(), &handle);
    return detail::checked(status, Model(handle));
  }
  static Result<Model> open(const Runtime &runtime, const void *bytes, std::size_t length,
                            const ModelOptions &options = {}) {
    diffuse_model *handle = nullptr;
    const auto *first = static_cast<const std::uint8_t *>(bytes);
    const std::int32_t status = diffuse_model_open_bytes(runtime.get(), first, length, options.get(), &handle);
    return detail::checked(status, Model(handle));
  }
  /// A pipeline from the files of its folder, by their paths in it: diffuse_model_open_parts().
  static Result<Model> open(const Runtime &runtime,
                            const std::vector<std::pair<std::string, std::vector<std::uint8_t>>> &files,
                            const ModelOptions &options = {}) {
    std::vector<const char *> names;
    std::vector<const std::uint8_t *> bytes;
    std::vector<std::size_t> lengths;
    for (const auto &file : files) {
      names.push_back(file.first.c_str());
      bytes.push_back(file.second.data());
      lengths.push_back(file.second.size());
    }
    diffuse_model *handle = nullptr;
    const std::int32_t status = diffuse_model_open_parts(runtime.get(), names.data(), bytes.data(), lengths.data(),
                                                         files.size(), options.get(), &handle);
    return detail::checked(status, Model(handle));
  }
  /// A model whose network is `network`: diffuse_model_open_callback_owned().
  static Result<Model> open(const std::string &manifest, Callback network) {
    diffuse_model *handle = nullptr;
    const std::int32_t status =
        diffuse_model_open_callback_owned(manifest.c_str(), detail::Held::call,
                                          new detail::Held(std::move(network)), detail::Held::release, &handle);
    return detail::checked(status, Model(handle));
  }

  std::string name() const { return detail::text(diffuse_model_name(get())); }
  std::string manifest() const { return detail::text(diffuse_model_manifest(get())); }
  std::string provider() const { return detail::text(diffuse_model_provider(get())); }
  std::string placement() const { return detail::text(diffuse_model_placement(get())); }
  Result<std::string> sha256() const {
    const char *hash = nullptr;
    const std::int32_t status = diffuse_model_sha256(get(), &hash);
    return detail::checked(status, detail::text(hash));
  }
  /// Channels, height and width of an image, without the batch. 0 is a size that the manifest leaves free.
  Result<std::vector<std::size_t>> shape() const {
    return detail::shape_of<diffuse_model>(diffuse_model_shape, get());
  }
  std::size_t class_count() const { return diffuse_model_class_count(get()); }
  /// The names of the classes, as a JSON array: diffuse_model_classes().
  std::string classes() const { return detail::text(diffuse_model_classes(get())); }
  Result<std::int64_t> class_index(const std::string &name) const {
    std::int64_t index = 0;
    const std::int32_t status = diffuse_model_class(get(), name.c_str(), &index);
    return detail::checked(status, index);
  }
  Result<void> level(double time, double &alpha, double &sigma) const {
    return detail::checked(diffuse_model_level(get(), time, &alpha, &sigma));
  }
  /// One estimate of the clean samples behind `x`, `count` items: diffuse_model_denoise(). `request` has their classes
  /// and conditions. `cancel` may be nullptr.
  Result<std::vector<float>> denoise(const Request &request, const std::vector<float> &x, std::size_t count, double time,
                                     double alpha, double sigma, const Cancel *cancel = nullptr) const {
    if (!request.get()) return detail::refused<std::vector<float>>(no_request);
    return denoised(request.get(), x, count, time, alpha, sigma, cancel);
  }
  /// The same for a model without classes and conditions.
  Result<std::vector<float>> denoise(const std::vector<float> &x, std::size_t count, double time, double alpha,
                                     double sigma, const Cancel *cancel = nullptr) const {
    return denoised(nullptr, x, count, time, alpha, sigma, cancel);
  }
  /// diffuse_model_add_noise(). `request` has the items' shape, where the model leaves it free.
  Result<std::vector<float>> add_noise(const Request &request, const std::vector<float> &x0, std::size_t count,
                                       double time, std::uint64_t seed) const {
    if (!request.get()) return detail::refused<std::vector<float>>(no_request);
    return noisy(request.get(), x0, count, time, seed);
  }
  Result<std::vector<float>> add_noise(const std::vector<float> &x0, std::size_t count, double time,
                                       std::uint64_t seed) const {
    return noisy(nullptr, x0, count, time, seed);
  }
  /// diffuse_model_log_density() of each of `count` samples, in nats. `request` and `cancel` are as in denoise().
  Result<std::vector<double>> log_density(const Request &request, const std::vector<float> &x, std::size_t count,
                                          std::size_t directions, double tolerance, std::uint64_t seed,
                                          const Cancel *cancel = nullptr) const {
    if (!request.get()) return detail::refused<std::vector<double>>(no_request);
    return densities(request.get(), x, count, directions, tolerance, seed, cancel);
  }
  Result<std::vector<double>> log_density(const std::vector<float> &x, std::size_t count, std::size_t directions,
                                          double tolerance, std::uint64_t seed, const Cancel *cancel = nullptr) const {
    return densities(nullptr, x, count, directions, tolerance, seed, cancel);
  }
  /// diffuse_model_variational_bound() of each of `count` samples, in bits per value. `request` and `cancel` are as in
  /// denoise().
  Result<std::vector<double>> variational_bound(const Request &request, const std::vector<float> &x, std::size_t count,
                                                const std::string &variance, std::uint64_t seed,
                                                const Cancel *cancel = nullptr) const {
    if (!request.get()) return detail::refused<std::vector<double>>(no_request);
    return bounds(request.get(), x, count, variance, seed, cancel);
  }
  Result<std::vector<double>> variational_bound(const std::vector<float> &x, std::size_t count,
                                                const std::string &variance, std::uint64_t seed,
                                                const Cancel *cancel = nullptr) const {
    return bounds(nullptr, x, count, variance, seed, cancel);
  }
  /// The values of RGBA pixels: diffuse_model_values().
  Result<std::vector<float>> values(const std::uint8_t *pixels, std::size_t length, std::size_t stride,
                                    std::uint32_t flags = 0) const {
    std::size_t axes[3] = {0, 0, 0}, rank = 0;
    std::vector<float> values;
    if (diffuse_model_shape(get(), nullptr, 0, &rank) == DIFFUSE_OK && rank == 3 &&
        diffuse_model_shape(get(), axes, 3, &rank) == DIFFUSE_OK) {
      values.resize(axes[0] * axes[1] * axes[2]);
    }
    const std::int32_t status =
        diffuse_model_values(get(), pixels, length, stride, flags, values.data(), values.size());
    return detail::checked(status, std::move(values));
  }
  Result<void> trim(const Cancel *cancel = nullptr) const {
    return detail::checked(diffuse_model_trim(get(), detail::handle_of(cancel)));
  }
  diffuse_model *get() const noexcept { return handle_.get(); }

 private:
  friend class Job;
  explicit Model(diffuse_model *handle) : handle_(handle) {}

  /// The C interface takes NULL for no request. A Request that was moved from must not pass as that.
  static constexpr const char *no_request = "request: is NULL";

  Result<std::vector<float>> denoised(const diffuse_request *request, const std::vector<float> &x, std::size_t count,
                                      double time, double alpha, double sigma, const Cancel *cancel) const {
    std::vector<float> denoised(x.size());
    const std::int32_t status = diffuse_model_denoise(get(), request, x.data(), x.size(), count, time, alpha, sigma,
                                                      detail::handle_of(cancel), denoised.data());
    return detail::checked(status, std::move(denoised));
  }
  Result<std::vector<float>> noisy(const diffuse_request *request, const std::vector<float> &x0, std::size_t count,
                                   double time, std::uint64_t seed) const {
    std::vector<float> x(x0.size());
    const std::int32_t status =
        diffuse_model_add_noise(get(), request, x0.data(), x0.size(), count, time, seed, x.data());
    return detail::checked(status, std::move(x));
  }
  Result<std::vector<double>> densities(const diffuse_request *request, const std::vector<float> &x, std::size_t count,
                                        std::size_t directions, double tolerance, std::uint64_t seed,
                                        const Cancel *cancel) const {
    std::vector<double> densities(count);
    const std::int32_t status = diffuse_model_log_density(get(), request, x.data(), x.size(), count, directions,
                                                          tolerance, seed, detail::handle_of(cancel), densities.data());
    return detail::checked(status, std::move(densities));
  }
  Result<std::vector<double>> bounds(const diffuse_request *request, const std::vector<float> &x, std::size_t count,
                                     const std::string &variance, std::uint64_t seed, const Cancel *cancel) const {
    std::vector<double> bounds(count);
    const std::int32_t status = diffuse_model_variational_bound(get(), request, x.data(), x.size(), count,
                                                                variance.c_str(), seed, detail::handle_of(cancel),
                                                                bounds.data());
    return detail::checked(status, std::move(bounds));
  }

  detail::Owner<diffuse_model, diffuse_model_free> handle_;
};

inline Result<void> Request::classifier(const Model &classifier, const std::vector<std::int64_t> &classes) {
  return detail::checked(
      diffuse_request_set_classifier(get(), classifier.get(), classes.data(), classes.size()));
}

inline Result<diffuse_cost> Request::cost(const Model &model, const Cancel *cancel) const {
  diffuse_cost cost{};
  cost.struct_size = sizeof cost;
  const std::int32_t status = diffuse_request_cost(get(), model.get(), detail::handle_of(cancel), &cost);
  return detail::checked(status, cost);
}

/// How far a job is: diffuse_job_stage().
struct Stage {
  std::int32_t stage;
  std::size_t done, total;
};

/// A run. Destroying it cancels it and waits for its worker, but not in a callback of its own.
class Job {
 public:
  Job() = default;

  static Result<Job> make(const Model &model, const Request &request) {
    diffuse_job *handle = nullptr;
    const std::int32_t status = diffuse_job_new(model.get(), request.get(), &handle);
    return detail::checked(status, Job(handle));
  }
  /// A job that opens its model when it is first stepped or started: diffuse_job_open(). With a default Runtime() the
  /// job also finds and opens ONNX Runtime.
  static Result<Job> open(const Runtime &runtime, const std::string &path, const Request &request,
                          const ModelOptions &options = {}) {
    diffuse_job *handle = nullptr;
    const std::int32_t status =
        diffuse_job_open(runtime.get(), path.c_str(), options.get(), request.get(), &handle);
    return detail::checked(status, Job(handle));
  }
  /// A job that opens a model and draws nothing. model() has the model at its end.
  static Result<Job> open(const Runtime &runtime, const std::string &path, const ModelOptions &options = {}) {
    diffuse_job *handle = nullptr;
    const std::int32_t status = diffuse_job_open(runtime.get(), path.c_str(), options.get(), nullptr, &handle);
    return detail::checked(status, Job(handle));
  }
  /// A job that opens its model from the bytes of a file: diffuse_job_open_bytes().
  static Result<Job> open(const Runtime &runtime, const void *bytes, std::size_t length, const Request &request,
                          const ModelOptions &options = {}) {
    diffuse_job *handle = nullptr;
    const auto *first = static_cast<const std::uint8_t *>(bytes);
    const std::int32_t status =
        diffuse_job_open_bytes(runtime.get(), first, length, options.get(), request.get(), &handle);
    return detail::checked(status, Job(handle));
  }

  Result<void> start_from(const std::vector<float> &x) {
    return detail::checked(diffuse_job_start_from(get(), x.data(), x.size()));
  }
  /// Makes one step. True with the last one.
  Result<bool> step() {
    std::int32_t finished = 0;
    const std::int32_t status = diffuse_job_step(get(), &finished);
    return detail::checked(status, finished != 0);
  }
  Result<void> run() { return detail::checked(diffuse_job_run(get())); }
  /// Makes as many steps as are expected to fit. True with the last one.
  Result<bool> advance(std::uint64_t microseconds) {
    std::int32_t finished = 0;
    const std::int32_t status = diffuse_job_advance(get(), microseconds, &finished);
    return detail::checked(status, finished != 0);
  }
  /// What the next step is expected to take, in microseconds. 0 before the first.
  Result<std::uint64_t> expected() const {
    std::uint64_t microseconds = 0;
    const std::int32_t status = diffuse_job_expected(get(), &microseconds);
    return detail::checked(status, microseconds);
  }
  Result<void> start() { return detail::checked(diffuse_job_start(get())); }
  Result<void> start_for(std::uint64_t microseconds) {
    return detail::checked(diffuse_job_start_for(get(), microseconds));
  }
  Result<void> pause() const { return detail::checked(diffuse_job_pause(get())); }
  Result<void> cancel() const { return detail::checked(diffuse_job_cancel(get())); }
  /// DIFFUSE_JOB_IDLE, _RUNNING, _FINISHED, _STOPPED or _PAUSED.
  Result<std::int32_t> poll() const {
    std::int32_t state = DIFFUSE_JOB_IDLE;
    const std::int32_t status = diffuse_job_poll(get(), &state);
    return detail::checked(status, state);
  }
  /// The state when the worker has ended, or after `milliseconds`. If the run failed, that is the error.
  Result<std::int32_t> wait(std::uint64_t milliseconds = UINT64_MAX) const {
    std::int32_t state = DIFFUSE_JOB_IDLE;
    const std::int32_t status = diffuse_job_wait(get(), milliseconds, &state);
    return detail::checked(status, state);
  }
  /// How many estimates there were: diffuse_job_estimates(). Another number means a new preview.
  Result<std::uint64_t> estimates() const {
    std::uint64_t estimates = 0;
    const std::int32_t status = diffuse_job_estimates(get(), &estimates);
    return detail::checked(status, estimates);
  }
  /// The model that it draws from, also one that it has opened.
  Result<Model> model() const {
    diffuse_model *handle = nullptr;
    const std::int32_t status = diffuse_job_model(get(), &handle);
    return detail::checked(status, Model(handle));
  }
  Result<Stage> stage() const {
    Stage stage{0, 0, 0};
    const std::int32_t status = diffuse_job_stage(get(), &stage.stage, &stage.done, &stage.total);
    return detail::checked(status, stage);
  }
  /// The error of the latest step that failed. Its status is DIFFUSE_OK if none has.
  Error error() const {
    std::int32_t status = DIFFUSE_OK;
    std::vector<char> message(4096);
    if (diffuse_job_error(get(), &status, message.data(), message.size()) != DIFFUSE_OK) {
      return Error(DIFFUSE_ARGUMENT, diffuse_error_message());
    }
    return Error(status, message.data());
  }
  Result<std::vector<std::size_t>> shape() const { return detail::shape_of<diffuse_job>(diffuse_job_shape, get()); }
  /// The samples as they are now, all items one after the other.
  Result<std::vector<float>> read() const { return values(diffuse_job_read); }
  /// The latents of a pipeline, of which its pictures are made.
  Result<std::vector<float>> latents() const {
    std::size_t needed = 0;
    std::int32_t status = diffuse_job_latents(get(), nullptr, 0, &needed);
    std::vector<float> values(needed);
    if (status == DIFFUSE_OK) status = diffuse_job_latents(get(), values.data(), values.size(), &needed);
    return detail::checked(status, std::move(values));
  }
  /// The latest estimate of the clean samples, also while a step is running.
  Result<std::vector<float>> preview() const { return values(diffuse_job_preview); }
  Result<void> read_pixels(std::size_t item, std::uint8_t *pixels, std::size_t length, std::size_t stride,
                           std::uint32_t flags = 0) const {
    return detail::checked(diffuse_job_read_pixels(get(), item, pixels, length, stride, flags));
  }
  Result<void> preview_pixels(std::size_t item, std::uint8_t *pixels, std::size_t length, std::size_t stride,
                              std::uint32_t flags = 0) const {
    return detail::checked(diffuse_job_preview_pixels(get(), item, pixels, length, stride, flags));
  }
  Result<std::vector<std::uint8_t>> snapshot() const {
    std::size_t length = 0;
    std::int32_t status = diffuse_job_snapshot(get(), nullptr, 0, &length);
    std::vector<std::uint8_t> bytes(length);
    if (status == DIFFUSE_OK) status = diffuse_job_snapshot(get(), bytes.data(), bytes.size(), &length);
    return detail::checked(status, std::move(bytes));
  }
  Result<void> restore(const std::vector<std::uint8_t> &bytes) {
    return detail::checked(diffuse_job_restore(get(), bytes.data(), bytes.size()));
  }
  diffuse_job *get() const noexcept { return handle_.get(); }

 private:
  explicit Job(diffuse_job *handle) : handle_(handle) {}

  Result<std::vector<float>> values(std::int32_t (*copy)(const diffuse_job *, float *, std::size_t)) const {
    std::size_t axes[16] = {0}, rank = 0, length = 1;
    std::vector<float> values;
    std::int32_t status = diffuse_job_shape(get(), axes, 16, &rank);
    if (status == DIFFUSE_OK) {
      for (std::size_t axis = 0; axis < rank; ++axis) length *= axes[axis];
      values.resize(length);
      status = copy(get(), values.data(), values.size());
    }
    return detail::checked(status, std::move(values));
  }

  detail::Owner<diffuse_job, diffuse_job_free> handle_;
};

}  // namespace diffuse

#endif
