// What of Unreal Engine's public API reference the plugin uses, and no more, written for its tests: each part with its
// page (https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/PAGE), beside what the tests need to
// play the engine themselves. It keeps two of the engine's
// rules that a plugin can break: a texture shows what UpdateTextureRegions() was given once the renderer has copied it,
// which is a frame later, and its data has to live until then; and objects are touched on the game's thread alone. No
// file of the engine's was read.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <dlfcn.h>
#include <sys/stat.h>

// ---- the tests' own: what the engine is otherwise ----

namespace engine {
inline std::thread::id game_thread = std::this_thread::get_id();
inline std::vector<std::string> log;
inline std::vector<std::function<void()>> render_commands;
inline std::string plugin, content;

inline void on_game_thread(const char *what) {
  if (std::this_thread::get_id() == game_thread) return;
  std::fprintf(stderr, "%s outside of the game's thread\n", what);
  std::exit(1);
}

/// The renderer copies what it was given.
inline void render() {
  for (const auto &command : render_commands) command();
  render_commands.clear();
}
}  // namespace engine

// ---- Core ----

// Core/HAL/Platform
typedef std::int32_t int32;
typedef std::int64_t int64;
typedef std::uint8_t uint8;
typedef std::uint32_t uint32;
typedef std::uint64_t uint64;
typedef std::size_t SIZE_T;
typedef char16_t TCHAR;
#define TEXT(text) u##text
#define PLATFORM_WINDOWS 0
#define PLATFORM_MAC 0
#define DIFFUSE_API __attribute__((visibility("default")))
#define DIFFUSESAMPLES_API

namespace engine {
inline std::string narrow(const TCHAR *text) {
  std::string out;
  for (; *text; ++text) {
    std::uint32_t code = *text;
    if (code >= 0xD800 && code < 0xDC00 && text[1]) code = 0x10000 + ((code - 0xD800) << 10) + (*++text - 0xDC00u);
    const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) put(code);
    else if (code < 0x800) put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
    else if (code < 0x10000) put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
    else put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F)), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  }
  return out;
}
inline std::u16string widen(const char *text) {
  std::u16string out;
  for (auto at = reinterpret_cast<const unsigned char *>(text); *at;) {
    const int more = *at >= 0xF0 ? 3 : *at >= 0xE0 ? 2 : *at >= 0xC0 ? 1 : 0;
    std::uint32_t code = more == 0 ? *at : *at & (0x3Fu >> more);
    ++at;
    for (int i = 0; i < more && *at; ++i) code = code << 6 | (*at++ & 0x3Fu);
    if (code >= 0x10000) {
      out.push_back(static_cast<char16_t>(0xD800 + ((code - 0x10000) >> 10)));
      code = 0xDC00 + ((code - 0x10000) & 0x3FF);
    }
    out.push_back(static_cast<char16_t>(code));
  }
  return out;
}
}  // namespace engine

// Core/Containers/StringConv: for the length of the expression alone.
#define TCHAR_TO_UTF8(text) (engine::narrow(text).c_str())
#define UTF8_TO_TCHAR(text) (engine::widen(text).c_str())

// Core/Containers/FString
class FString {
 public:
  FString() = default;
  FString(const TCHAR *text) : text_(text) {}
  const TCHAR *operator*() const { return text_.c_str(); }
  bool operator<(const FString &other) const { return text_ < other.text_; }

 private:
  std::u16string text_;
};

// Core/Containers/TArray
template <class T>
class TArray {
 public:
  void Add(const T &item) { items_.push_back(item); }
  void Add(T &&item) { items_.push_back(std::move(item)); }
  void Empty() { items_.clear(); }
  int32 Num() const { return static_cast<int32>(items_.size()); }
  bool IsValidIndex(int32 at) const { return at >= 0 && at < Num(); }
  T &operator[](int32 at) { return items_[static_cast<std::size_t>(at)]; }
  void RemoveAt(int32 at) { items_.erase(items_.begin() + at); }
  int32 Remove(const T &item) { return RemoveAll([&item](const T &other) { return other == item; }); }
  template <class P>
  int32 RemoveAll(P which) {
    int32 removed = 0;
    for (int32 at = Num() - 1; at >= 0; --at) {
      if (which(items_[static_cast<std::size_t>(at)])) RemoveAt(at), ++removed;
    }
    return removed;
  }
  T *GetData() { return items_.data(); }
  void SetNum(int32 count) { items_.resize(static_cast<std::size_t>(count)); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<T> items_;
};

// Core/Containers/TMap, Core/Templates/TTuple (TPair)
template <class K, class V>
struct TPair {
  K Key;
  V Value;
};
template <class K, class V>
class TMap {
 public:
  void Add(const K &key, const V &value) { items_.push_back({key, value}); }
  void Empty() { items_.clear(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<TPair<K, V>> items_;
};

// Core/Templates/TUniquePtr, Core/Templates/MoveTemp
template <class T>
using TUniquePtr = std::unique_ptr<T>;
template <class T, class... A>
TUniquePtr<T> MakeUnique(A &&...arguments) {
  return std::make_unique<T>(std::forward<A>(arguments)...);
}
template <class T>
typename std::remove_reference<T>::type &&MoveTemp(T &&thing) {
  return static_cast<typename std::remove_reference<T>::type &&>(thing);
}
template <class T>
using TFunction = std::function<T>;

// Core/HAL/FMemory
struct FMemory {
  static void *Malloc(SIZE_T count) { return std::malloc(count); }
  static void Free(void *original) { std::free(original); }
};

// Core/Logging
struct FLogCategory {};
#define DECLARE_LOG_CATEGORY_EXTERN(name, verbosity, compiled) extern FLogCategory name
#define DEFINE_LOG_CATEGORY(name) FLogCategory name
#define UE_LOG(category, verbosity, format, text) ((void)category, engine::log.push_back(#verbosity ": " + engine::narrow(text)))

// Core/Misc/FPaths
struct FPaths {
  static FString Combine(const FString &one, const FString &other) {
    return FString(UTF8_TO_TCHAR((engine::narrow(*one) + "/" + engine::narrow(*other)).c_str()));
  }
  static FString ConvertRelativePathToFull(const FString &path) {
    char full[4096];
    const std::string text = engine::narrow(*path);
    return realpath(text.c_str(), full) ? FString(UTF8_TO_TCHAR(full)) : path;
  }
  static FString ProjectContentDir() { return FString(UTF8_TO_TCHAR(engine::content.c_str())); }
  static FString ChangeExtension(const FString &path, const FString &extension) {
    const std::string text = engine::narrow(*path);
    return FString(UTF8_TO_TCHAR((text.substr(0, text.rfind('.') + 1) + engine::narrow(*extension)).c_str()));
  }
  static bool FileExists(const FString &path) { return is(path, S_IFREG); }
  static bool DirectoryExists(const FString &path) { return is(path, S_IFDIR); }

 private:
  static bool is(const FString &path, mode_t kind) {
    struct stat found;
    return stat(engine::narrow(*path).c_str(), &found) == 0 && (found.st_mode & S_IFMT) == kind;
  }
};

// Core/GenericPlatform/IPlatformFile: what lies on the disk, and not in a pak.
namespace engine {
inline bool is_packed;
}
class IPlatformFile {
 public:
  static IPlatformFile &GetPlatformPhysical() {
    static IPlatformFile disk;
    return disk;
  }
  bool FileExists(const TCHAR *path) { return !engine::is_packed && FPaths::FileExists(FString(path)); }
  bool DirectoryExists(const TCHAR *path) { return !engine::is_packed && FPaths::DirectoryExists(FString(path)); }
};

// Core/Misc/FFileHelper
struct FFileHelper {
  static bool LoadFileToArray(TArray<uint8> &result, const TCHAR *path) {
    std::ifstream file(engine::narrow(path), std::ios::binary);
    if (!file) return false;
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    result.SetNum(static_cast<int32>(bytes.size()));
    if (!bytes.empty()) std::memcpy(result.GetData(), bytes.data(), bytes.size());
    return true;
  }
};

// Core/HAL/FGenericPlatformProcess
struct FPlatformProcess {
  static void *GetDllHandle(const TCHAR *path) { return dlopen(engine::narrow(path).c_str(), RTLD_NOW | RTLD_LOCAL); }
  static void *GetDllExport(void *library, const TCHAR *name) { return dlsym(library, engine::narrow(name).c_str()); }
};

// Core/Modules
class IModuleInterface {
 public:
  virtual ~IModuleInterface() {}
  virtual void StartupModule() {}
  virtual void ShutdownModule() {}
};
class FDefaultModuleImpl : public IModuleInterface {};
namespace engine {
inline std::map<std::string, IModuleInterface *> modules;
template <class T>
struct Registered {
  explicit Registered(const char *name) { modules[name] = new T; }
};
}  // namespace engine
#define IMPLEMENT_MODULE(type, name) static const engine::Registered<type> Registered##name(#name);
struct FModuleManager {
  template <class T>
  static T &GetModuleChecked(const TCHAR *name) {
    return static_cast<T &>(*engine::modules.at(engine::narrow(name)));
  }
};

// Projects/Interfaces/IPluginManager, IPlugin
class IPlugin {
 public:
  FString GetBaseDir() const { return FString(UTF8_TO_TCHAR(engine::plugin.c_str())); }
};
class IPluginManager {
 public:
  static IPluginManager &Get() {
    static IPluginManager manager;
    return manager;
  }
  std::shared_ptr<IPlugin> FindPlugin(const TCHAR *) { return std::make_shared<IPlugin>(); }
};

// Core/Containers/FTSTicker, FTickerDelegate
struct FTickerDelegate {
  std::function<bool(float)> call;
  template <class T>
  static FTickerDelegate CreateUObject(T *object, bool (T::*method)(float)) {
    return FTickerDelegate{[object, method](float delta) { return (object->*method)(delta); }};
  }
};
class FTSTicker {
 public:
  typedef int FDelegateHandle;
  static FTSTicker &GetCoreTicker() {
    static FTSTicker ticker;
    return ticker;
  }
  FDelegateHandle AddTicker(FTickerDelegate delegate) {
    tickers_[++last_] = delegate;
    return last_;
  }
  void RemoveTicker(FDelegateHandle handle) { tickers_.erase(handle); }
  // The tests' own.
  void Tick() {
    const auto now = tickers_;
    for (const auto &one : now) one.second.call(1.0f / 60);
    engine::render();
  }

 private:
  std::map<int, FTickerDelegate> tickers_;
  int last_ = 0;
};

// ---- CoreUObject, Engine ----

// The header tool's marks.
#define UCLASS(...)
#define USTRUCT(...)
#define UPROPERTY(...)
#define UFUNCTION(...)
#define GENERATED_BODY()

// CoreUObject/UObject
class UObject {
 public:
  virtual ~UObject() {}
};
template <class T>
T *NewObject() {
  engine::on_game_thread("NewObject");
  return new T;
}

// CoreUObject/UObject/ScriptDelegates
template <class... A>
class TDynamicMulticastDelegate {
 public:
  void Broadcast(A... arguments) const {
    const auto now = heard;
    for (const auto &one : now) one(arguments...);
  }
  template <class T>
  void AddDynamic(T *object, void (T::*method)(A...)) {
    heard.push_back([object, method](A... arguments) { (object->*method)(arguments...); });
  }
  std::vector<std::function<void(A...)>> heard;
};
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_ThreeParams(name, a, an, b, bn, c, cn) \
  class name : public TDynamicMulticastDelegate<a, b, c> {}

// RHI/FUpdateTextureRegion2D
struct FUpdateTextureRegion2D {
  FUpdateTextureRegion2D(uint32, uint32, int32, int32, uint32 width, uint32 height) : Width(width), Height(height) {}
  uint32 Width, Height;
};

// CoreUObject/EPixelFormat
enum EPixelFormat { PF_B8G8R8A8 = 2 };

// Engine/UTexture2D
class UTexture2D : public UObject {
 public:
  static UTexture2D *CreateTransient(int32 width, int32 height, EPixelFormat) {
    engine::on_game_thread("CreateTransient");
    UTexture2D *made = new UTexture2D;
    made->width = static_cast<uint32>(width);
    made->height = static_cast<uint32>(height);
    return made;
  }
  void UpdateResource() { shown.resize(static_cast<std::size_t>(4) * width * height); }
  void UpdateTextureRegions(int32, uint32, const FUpdateTextureRegion2D *regions, uint32 pitch, uint32 bytes, uint8 *data,
                            TFunction<void(uint8 *, const FUpdateTextureRegion2D *)> cleanup) {
    engine::on_game_thread("UpdateTextureRegions");
    engine::render_commands.push_back([this, regions, pitch, bytes, data, cleanup] {
      if (shown.empty() || pitch != regions->Width * bytes) std::abort();
      std::memcpy(shown.data(), data, shown.size());
      cleanup(data, regions);
    });
  }
  // The tests' own: what the renderer has.
  std::vector<uint8> shown;
  uint32 width = 0, height = 0;
};

// CoreUObject/UObject/TWeakObjectPtr
template <class T>
class TWeakObjectPtr {
 public:
  TWeakObjectPtr() = default;
  TWeakObjectPtr(T *object) : object_(object) {}
  T *Get() const { return object_; }

 private:
  T *object_ = nullptr;
};

// Engine/Subsystems
class FSubsystemCollectionBase {};
class UGameInstanceSubsystem : public UObject {
 public:
  typedef UGameInstanceSubsystem Super;
  virtual void Initialize(FSubsystemCollectionBase &) {}
  virtual void Deinitialize() {}
};

// Engine/UGameInstance, UWorld, UEngine
class UGameInstance : public UObject {
 public:
  template <class T>
  T *GetSubsystem() const {
    return static_cast<T *>(subsystem);
  }
  UGameInstanceSubsystem *subsystem = nullptr;
};
class UWorld : public UObject {
 public:
  UGameInstance *GetGameInstance() const { return instance; }
  UGameInstance *instance = nullptr;
};
enum class EGetWorldErrorMode { ReturnNull, LogAndReturnNull, Assert };
class UEngine : public UObject {
 public:
  UWorld *GetWorldFromContextObject(const UObject *object, EGetWorldErrorMode) const { return object ? world : nullptr; }
  UWorld *world = nullptr;
};
inline UEngine *GEngine = new UEngine;

// Engine/Kismet/UBlueprintAsyncActionBase
class UBlueprintAsyncActionBase : public UObject {
 public:
  virtual void Activate() {}
  void RegisterWithGameInstance(const UObject *) {}
  void SetReadyToDestroy() { is_over = true; }
  bool is_over = false;
};

// Engine/Components, Engine/Materials, Engine/GameFramework/AActor
class UMaterialInstanceDynamic : public UObject {
 public:
  void SetTextureParameterValue(const TCHAR *, UTexture2D *value) { texture = value; }
  UTexture2D *texture = nullptr;
};
class USceneComponent : public UObject {};
class UStaticMeshComponent : public USceneComponent {
 public:
  UMaterialInstanceDynamic *CreateAndSetMaterialInstanceDynamic(int32) { return material = new UMaterialInstanceDynamic; }
  UMaterialInstanceDynamic *material = nullptr;
};
namespace EEndPlayReason {
enum Type { Destroyed, LevelTransition, EndPlayInEditor, RemovedFromWorld, Quit };
}
class AActor : public UObject {
 public:
  typedef AActor Super;
  virtual void BeginPlay() {}
  virtual void EndPlay(const EEndPlayReason::Type) {}

 protected:
  template <class T>
  T *CreateDefaultSubobject(const TCHAR *) {
    return new T;
  }
  USceneComponent *RootComponent = nullptr;
};
