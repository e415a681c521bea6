#include "DiffuseCore.h"

namespace diffuse_core {

std::string Library::load(const std::string &path, void *library, void *(*find)(void *library, const char *name)) {
  is_loaded_ = false;
  if (library == nullptr) {
    return path + " cannot be loaded; it belongs into the plugin's Binaries/ThirdParty, with ONNX Runtime beside it";
  }
  const char *missing = diffuse_functions_load(&functions_, find, library);
  if (missing != nullptr) return path + " has no " + missing + "; it is older than the plugin, and has to be replaced";
  is_loaded_ = true;
  return std::string();
}

std::string Library::options() const {
  const char *options = is_loaded_ ? functions_.options() : nullptr;
  return options != nullptr ? options : "[]";
}

/// A request and its options, freed together.
struct Drawing::Handles {
  explicit Handles(const diffuse_functions &functions_of) : functions(functions_of) {}
  ~Handles() {
    functions.request_free(request);
    functions.model_options_free(options);
  }
  Handles(const Handles &) = delete;
  Handles &operator=(const Handles &) = delete;

  const diffuse_functions &functions;
  diffuse_request *request = nullptr;
  diffuse_model_options *options = nullptr;
};

State Drawing::failed(const std::string &why) {
  cancel();
  error_ = why;
  return state_ = State::Failed;
}

bool Drawing::taken(std::int32_t status) {
  if (status == DIFFUSE_OK) return true;
  failed(library_.functions().error_message());
  return false;
}

bool Drawing::prepare(const Settings &settings, Handles &handles) {
  const diffuse_functions &call = library_.functions();
  if (!taken(call.request_new(&handles.request)) || !taken(call.model_options_new(&handles.options)) ||
      !taken(call.request_set_seed(handles.request, settings.seed)) ||
      !taken(call.model_options_set_priority(handles.options, settings.background ? "background" : "normal")) ||
      !taken(call.model_options_set_memory(handles.options, settings.memory.c_str()))) {
    return false;
  }
  for (const std::string &provider : settings.providers) {
    if (!taken(call.model_options_add_provider(handles.options, provider.c_str()))) return false;
  }
  if (!settings.manifest.empty() && !taken(call.model_options_set_manifest(handles.options, settings.manifest.c_str())))
    return false;
  const std::string &class_name = settings.class_name, &prompt = settings.prompt, &negative = settings.negative_prompt;
  if (!class_name.empty() && !taken(call.request_set_class(handles.request, DIFFUSE_ALL_ITEMS, class_name.c_str())))
    return false;
  if (!prompt.empty() && !taken(call.request_set_prompt(handles.request, DIFFUSE_ALL_ITEMS, prompt.c_str())))
    return false;
  if (!negative.empty() && !taken(call.request_set_negative_prompt(handles.request, DIFFUSE_ALL_ITEMS, negative.c_str())))
    return false;
  for (const auto &option : settings.options) {
    if (!taken(call.request_set(handles.request, option.first.c_str(), option.second.c_str()))) return false;
  }
  return true;
}

template <class Open>
State Drawing::begin_by(const Settings &settings, const Open &open) {
  cancel();
  if (!library_.is_loaded()) return failed("diffuse's library is not loaded; the log says why");
  Handles handles(library_.functions());
  if (!prepare(settings, handles)) return state_;
  if (!taken(open(handles)) || !taken(library_.functions().job_start(job_))) return state_;
  return state_ = State::Drawing;
}

State Drawing::begin(const std::string &path, const Settings &settings) {
  // The worker finds ONNX Runtime beside the library.
  return begin_by(settings, [&](const Handles &handles) {
    return library_.functions().job_open(nullptr, path.c_str(), handles.options, handles.request, &job_);
  });
}

State Drawing::begin(const std::uint8_t *bytes, std::size_t length, const Settings &settings) {
  return begin_by(settings, [&](const Handles &handles) {
    return library_.functions().job_open_bytes(nullptr, bytes, length, handles.options, handles.request, &job_);
  });
}

State Drawing::tick() {
  if (job_ == nullptr || state_ != State::Drawing) return state_;
  const diffuse_functions &call = library_.functions();
  std::int32_t state = DIFFUSE_JOB_IDLE;
  std::size_t done = 0, total = 0;
  if (!taken(call.job_poll(job_, &state)) || !taken(call.job_stage(job_, &stage_, &done, &total)) ||
      !taken(call.job_estimates(job_, &estimates_))) {
    return state_;
  }
  progress_ = total > 0 ? static_cast<float>(done) / static_cast<float>(total) : 0.0f;
  if (state == DIFFUSE_JOB_STOPPED) {
    std::int32_t status = DIFFUSE_OK;
    std::vector<char> message(4096);
    if (!taken(call.job_error(job_, &status, message.data(), message.size()))) return state_;
    return failed(message.data());
  }
  if (state == DIFFUSE_JOB_FINISHED) {
    if (!know_size()) return state_;
    has_news_ = true;
    return state_ = State::Finished;
  }
  if (estimates_ != seen_) {
    if (!know_size()) return state_;
    has_news_ = true;
  }
  return state_;
}

bool Drawing::know_size() {
  if (width_ != 0) return true;
  std::size_t axes[8] = {0}, rank = 0;
  if (!taken(library_.functions().job_shape(job_, axes, 8, &rank))) return false;
  if (rank != 4) {
    failed("the model draws no pictures, but values of " + std::to_string(rank) + " axes");
    return false;
  }
  height_ = axes[2];
  width_ = axes[3];
  return true;
}

bool Drawing::read(std::uint8_t *pixels, std::size_t length, std::size_t stride) {
  if (job_ == nullptr || width_ == 0) return false;
  const diffuse_functions &call = library_.functions();
  const std::uint32_t flags = DIFFUSE_BGRA;
  const std::int32_t status = state_ == State::Finished
                                  ? call.job_read_pixels(job_, 0, pixels, length, stride, flags)
                                  : call.job_preview_pixels(job_, 0, pixels, length, stride, flags);
  if (status == DIFFUSE_NOT_YET || !taken(status)) return false;
  seen_ = estimates_;
  has_news_ = false;
  return true;
}

void Drawing::cancel() {
  if (job_ != nullptr) library_.functions().job_free(job_);
  job_ = nullptr;
  state_ = State::Idle;
  seen_ = estimates_ = 0;
  width_ = height_ = 0;
  has_news_ = false;
  progress_ = 0;
  stage_ = DIFFUSE_STAGE_LOADING;
  error_.clear();
}

}  // namespace diffuse_core
