#pragma once

#include "CoreMinimal.h"
#include "DiffuseCore.h"
#include "Modules/ModuleManager.h"

DECLARE_LOG_CATEGORY_EXTERN(LogDiffuse, Log, All);

/** Loads the library by its path in the plugin. If that fails, the game goes on and the log names what is missing. */
class DIFFUSE_API FDiffuseModule : public IModuleInterface
{
public:
	virtual void StartupModule() override;
	virtual void ShutdownModule() override;

	static FDiffuseModule& Get();

	/** The library's functions. They are not loaded where something is missing. */
	const diffuse_core::Library& Library() const { return Loaded; }

	/** Why it is not loaded. Empty if it is loaded. */
	const FString& Error() const { return Why; }

private:
	diffuse_core::Library Loaded;
	FString Why;
};
