#pragma once

#include "CoreMinimal.h"
#include "DiffuseSubsystem.h"
#include "GameFramework/Actor.h"

#include "DrawnSurface.generated.h"

class UDrawWithDiffuse;
class UMaterialInstanceDynamic;
class UStaticMeshComponent;
class UTexture2D;

/**
 * Two samples in one. With a class it shows a sprite that grows, and with a prompt a picture. Its mesh's material has a
 * texture parameter called Picture.
 */
UCLASS()
class DIFFUSESAMPLES_API ADrawnSurface : public AActor
{
	GENERATED_BODY()

public:
	ADrawnSurface();

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "diffuse")
	FDiffuseSettings Settings;

	UPROPERTY(VisibleAnywhere, Category = "diffuse")
	UStaticMeshComponent* Mesh;

	/** How much is done, from 0 to 1: for a bar. */
	UPROPERTY(BlueprintReadOnly, Category = "diffuse")
	float Share = 0;

	UFUNCTION(BlueprintCallable, Category = "diffuse")
	void Draw();

	UFUNCTION(BlueprintCallable, Category = "diffuse")
	void Cancel();

	virtual void BeginPlay() override;
	virtual void EndPlay(const EEndPlayReason::Type Reason) override;

private:
	UFUNCTION()
	void Show(UTexture2D* Texture, float Progress, const FString& Error);

	UPROPERTY()
	UDrawWithDiffuse* Node = nullptr;

	UPROPERTY()
	UMaterialInstanceDynamic* Material = nullptr;
};
