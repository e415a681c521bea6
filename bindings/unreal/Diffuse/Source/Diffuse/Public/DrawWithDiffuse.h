#pragma once

#include "CoreMinimal.h"
#include "DiffuseSubsystem.h"
#include "Kismet/BlueprintAsyncActionBase.h"
#include "UObject/WeakObjectPtrTemplates.h"

#include "DrawWithDiffuse.generated.h"

class UTexture2D;

DECLARE_DYNAMIC_MULTICAST_DELEGATE_ThreeParams(FDiffuseDrawn, UTexture2D*, Texture, float, Progress, const FString&, Error);

/**
 * A latent node that draws while the game goes on. It reports every estimate. Cancel takes its pin Async Action.
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

	/** There is no picture. The error has the reason. */
	UPROPERTY(BlueprintAssignable)
	FDiffuseDrawn OnFailed;

	/** Draws. The texture has the picture from its first estimate on. */
	UFUNCTION(BlueprintCallable, Category = "diffuse", meta = (BlueprintInternalUseOnly = "true", WorldContext = "WorldContextObject"))
	static UDrawWithDiffuse* DrawWithDiffuse(UObject* WorldContextObject, const FDiffuseSettings& Settings);

	/** Cancels the drawing. The node reports nothing of it any more. */
	UFUNCTION(BlueprintCallable, Category = "diffuse")
	void Cancel();

	virtual void Activate() override;

	void Progress(UTexture2D* Texture, float Share);
	void Finished(UTexture2D* Texture);
	void Failed(const FString& Why);

private:
	/** The subsystem keeps this node alive, and this node does not keep the subsystem. */
	TWeakObjectPtr<UDiffuseSubsystem> Subsystem;

	FDiffuseSettings Asked;
};
