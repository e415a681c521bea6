#pragma once

#include "Containers/Ticker.h"
#include "CoreMinimal.h"
#include "DiffuseCore.h"
#include "Subsystems/GameInstanceSubsystem.h"
#include "Templates/UniquePtr.h"

#include "DiffuseSubsystem.generated.h"

class UDrawWithDiffuse;
class UTexture2D;

/** What is drawn, and how. */
USTRUCT(BlueprintType)
struct DIFFUSE_API FDiffuseSettings
{
	GENERATED_BODY()

	/**
	 * A model's file or a pipeline's folder, by its path in the project's Content folder. Add that folder to
	 * "Additional Non-Asset Directories to Package", or to those "to Copy", in the project's settings.
	 */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "diffuse")
	FString Model;

	/** The class, for a model with classes. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "diffuse")
	FString ClassName;

	/** The prompt, for a model that reads text. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "diffuse")
	FString Prompt;

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "diffuse")
	FString NegativePrompt;

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "diffuse")
	int64 Seed = 7;

	/** Options of the library by their names, such as steps and guidance_scale. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "diffuse")
	TMap<FString, FString> Options;

	/** Whether the worker gives way to the game's frames. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "diffuse")
	bool bBackground = true;

	/** What becomes of a pipeline's parts between their stages: keep, stage, or a number of bytes such as 4G. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "diffuse")
	FString Memory = TEXT("keep");

	/** Execution providers in the order wanted. Default: the CPU. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "diffuse")
	TArray<FString> Providers;

	diffuse_core::Settings Core() const;
};

/** It owns the drawings, and looks at them once a frame. */
UCLASS()
class DIFFUSE_API UDiffuseSubsystem : public UGameInstanceSubsystem
{
	GENERATED_BODY()

public:
	virtual void Initialize(FSubsystemCollectionBase& Collection) override;
	virtual void Deinitialize() override;

	/** Begins a drawing for a node, and reports to that. */
	void Begin(UDrawWithDiffuse* Node, const FDiffuseSettings& Settings);

	/** Cancels the node's drawing. */
	void Cancel(UDrawWithDiffuse* Node);

	/** How many drawings there are. */
	int32 Count() const { return Drawings.Num(); }

private:
	struct FDrawing
	{
		UDrawWithDiffuse* Node;
		TUniquePtr<diffuse_core::Drawing> Core;
		UTexture2D* Texture;
	};

	bool Tick(float DeltaTime);
	bool Look(FDrawing& Drawing);

	/** Kept from the garbage collector while they draw. */
	UPROPERTY()
	TArray<UDrawWithDiffuse*> Nodes;

	UPROPERTY()
	TArray<UTexture2D*> Textures;

	TArray<FDrawing> Drawings;
	FTSTicker::FDelegateHandle Ticker;
};
