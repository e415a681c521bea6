#pragma once

#include "CoreMinimal.h"
#include "DiffuseSubsystem.h"
#include "Kismet/BlueprintAsyncActionBase.h"
#include "UObject/WeakObjectPtrTemplates.h"

#include "DrawWithDiffuse.generated.h"

class UTexture2D;

DECLARE_DYNAMIC_MULTICAST_DELEGATE_ThreeParams(FDiffuseDrawn, UTexture2D*, Texture, float, Progress, const FString&, Error);

/**
 * A latent node: it draws while the game goes on, and hears of every estimate. Its pin Async Action is what Cancel
 * takes.
 */
UCLASS(BlueprintType, meta = (ExposedAsyncProxy = AsyncAction))
class DIFFUSE_API UDrawWithDiffuse : public UBlueprintAsyncActionBase
{
	GENERATED_BODY()

public:
	/** A new estimate is in the texture. */
	UPROPERTY(BlueprintAssignable)
	FDiffuseDrawn OnProgress;

	/** The picture is in the texture. */
	UPROPERTY(BlueprintAssignable)
	FDiffuseDrawn OnFinished;

	/** There is no picture; the error says why. */
	UPROPERTY(BlueprintAssignable)
	FDiffuseDrawn OnFailed;

	/** Draws. The texture grows from its first estimate on. */
	UFUNCTION(BlueprintCallable, Category = "diffuse", meta = (BlueprintInternalUseOnly = "true", WorldContext = "WorldContextObject"))
	static UDrawWithDiffuse* DrawWithDiffuse(UObject* WorldContextObject, const FDiffuseSettings& Settings);

	/** Cancels the drawing; nothing is heard of it any more. */
	UFUNCTION(BlueprintCallable, Category = "diffuse")
	void Cancel();

	virtual void Activate() override;

	void Progress(UTexture2D* Texture, float Share);
	void Finished(UTexture2D* Texture);
	void Failed(const FString& Why);

private:
	/** Not kept alive by this node, which it keeps alive itself. */
	TWeakObjectPtr<UDiffuseSubsystem> Subsystem;

	FDiffuseSettings Asked;
};
