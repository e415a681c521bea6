#include "DiffuseModule.h"

#include "HAL/PlatformProcess.h"
#include "Interfaces/IPluginManager.h"
#include "Misc/Paths.h"

DEFINE_LOG_CATEGORY(LogDiffuse);

IMPLEMENT_MODULE(FDiffuseModule, Diffuse)

namespace
{
#if PLATFORM_WINDOWS
	const TCHAR* const File = TEXT("Binaries/ThirdParty/Win64/diffuse.dll");
#elif PLATFORM_MAC
	const TCHAR* const File = TEXT("Binaries/ThirdParty/Mac/libdiffuse.dylib");
#else
	const TCHAR* const File = TEXT("Binaries/ThirdParty/Linux/libdiffuse.so");
#endif

	void* Find(void* Library, const char* Name)
	{
		return FPlatformProcess::GetDllExport(Library, UTF8_TO_TCHAR(Name));
	}
}

void FDiffuseModule::StartupModule()
{
	const FString Folder = IPluginManager::Get().FindPlugin(TEXT("Diffuse"))->GetBaseDir();
	const FString Path = FPaths::ConvertRelativePathToFull(FPaths::Combine(Folder, File));
	// ONNX Runtime lies beside it, where the library finds it.
	void* Handle = FPaths::FileExists(Path) ? FPlatformProcess::GetDllHandle(*Path) : nullptr;
	const std::string Wrong = Loaded.load(TCHAR_TO_UTF8(*Path), Handle, Find);
	Why = UTF8_TO_TCHAR(Wrong.c_str());
	if (!Wrong.empty())
	{
		UE_LOG(LogDiffuse, Error, TEXT("%s"), *Why);
	}
}

void FDiffuseModule::ShutdownModule()
{
	// The library stays in the process, since ONNX Runtime cannot be unloaded. The subsystem with the drawings is gone.
}

FDiffuseModule& FDiffuseModule::Get()
{
	return FModuleManager::GetModuleChecked<FDiffuseModule>(TEXT("Diffuse"));
}
