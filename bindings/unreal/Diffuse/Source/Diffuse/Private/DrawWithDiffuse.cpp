#include "DrawWithDiffuse.h"

#include "Engine/Engine.h"
#include "Engine/GameInstance.h"
#include "Engine/World.h"

UDrawWithDiffuse* UDrawWithDiffuse::DrawWithDiffuse(UObject* WorldContextObject, const FDiffuseSettings& Settings)
{
	UDrawWithDiffuse* Node = NewObject<UDrawWithDiffuse>();
	Node->World = WorldContextObject;
	Node->Asked = Settings;
	Node->RegisterWithGameInstance(WorldContextObject);
	return Node;
}

void UDrawWithDiffuse::Activate()
{
	if (UDiffuseSubsystem* Owner = Subsystem())
	{
		Owner->Begin(this, Asked);
	}
	else
	{
		Failed(TEXT("there is no game instance"));
	}
}

void UDrawWithDiffuse::Cancel()
{
	if (UDiffuseSubsystem* Owner = Subsystem())
	{
		Owner->Cancel(this);
	}
	SetReadyToDestroy();
}

void UDrawWithDiffuse::Progress(UTexture2D* Texture, float Share)
{
	OnProgress.Broadcast(Texture, Share, FString());
}

void UDrawWithDiffuse::Finished(UTexture2D* Texture)
{
	OnFinished.Broadcast(Texture, 1.0f, FString());
	SetReadyToDestroy();
}

void UDrawWithDiffuse::Failed(const FString& Why)
{
	OnFailed.Broadcast(nullptr, 0.0f, Why);
	SetReadyToDestroy();
}

UDiffuseSubsystem* UDrawWithDiffuse::Subsystem() const
{
	const UWorld* Of = GEngine->GetWorldFromContextObject(World, EGetWorldErrorMode::LogAndReturnNull);
	UGameInstance* Instance = Of != nullptr ? Of->GetGameInstance() : nullptr;
	return Instance != nullptr ? Instance->GetSubsystem<UDiffuseSubsystem>() : nullptr;
}
