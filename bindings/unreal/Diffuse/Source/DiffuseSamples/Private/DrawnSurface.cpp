#include "DrawnSurface.h"

#include "Components/StaticMeshComponent.h"
#include "DrawWithDiffuse.h"
#include "Engine/Texture2D.h"
#include "Materials/MaterialInstanceDynamic.h"
#include "Modules/ModuleManager.h"

IMPLEMENT_MODULE(FDefaultModuleImpl, DiffuseSamples)

ADrawnSurface::ADrawnSurface()
{
	Mesh = CreateDefaultSubobject<UStaticMeshComponent>(TEXT("Mesh"));
	RootComponent = Mesh;
}

void ADrawnSurface::BeginPlay()
{
	Super::BeginPlay();
	Material = Mesh->CreateAndSetMaterialInstanceDynamic(0);
	Draw();
}

void ADrawnSurface::EndPlay(const EEndPlayReason::Type Reason)
{
	Cancel();
	Super::EndPlay(Reason);
}

void ADrawnSurface::Draw()
{
	Cancel();
	Node = UDrawWithDiffuse::DrawWithDiffuse(this, Settings);
	Node->OnProgress.AddDynamic(this, &ADrawnSurface::Show);
	Node->OnFinished.AddDynamic(this, &ADrawnSurface::Show);
	Node->Activate();
}

void ADrawnSurface::Cancel()
{
	if (Node != nullptr)
	{
		Node->Cancel();
	}
	Node = nullptr;
}

void ADrawnSurface::Show(UTexture2D* Texture, float Progress, const FString&)
{
	Share = Progress;
	if (Material != nullptr)
	{
		Material->SetTextureParameterValue(TEXT("Picture"), Texture);
	}
}
