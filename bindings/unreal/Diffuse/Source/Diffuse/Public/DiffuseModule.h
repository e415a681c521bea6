#pragma once

#include "CoreMinimal.h"
#include "DiffuseCore.h"
#include "Modules/ModuleManager.h"

DECLARE_LOG_CATEGORY_EXTERN(LogDiffuse, Log, All);

/** Loads the library, by its path in the plugin. Where that fails the game goes on; the log says what is missing. */
class DIFFUSE_API FDiffuseModule : public IModuleInterface
{
public:
	virtual void StartupModule() override;
	virtual void ShutdownModule() override;

	static FDiffuseModule& Get();

	/** The library's functions; not loaded where something is missing. */
	const diffuse_core::Library& Library() const { return Loaded; }

	/** Why it is not loaded; empty if it is. */
	const FString& Error() const { return Why; }

private:
	diffuse_core::Library Loaded;
	FString Why;
};
