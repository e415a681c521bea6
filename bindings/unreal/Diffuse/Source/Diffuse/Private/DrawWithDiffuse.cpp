#include "DrawWithDiffuse.h"

#include "Engine/Engine.h"
#include "Engine/GameInstance.h"
#include "Engine/World.h"

UDrawWithDiffuse* UDrawWithDiffuse::DrawWithDiffuse(UObject* WorldContextObject, const FDiffuseSettings& Settings)
{
	UDrawWithDiffuse* Node = NewObject<UDrawWithDiffuse>();
	const UWorld* World = GEngine->GetWorldFromContextObject(WorldContextObject, EGetWorldErrorMode::LogAndReturnNull);
	UGameInstance* Instance = World != nullptr ? World->GetGameInstance() : nullptr;
	Node->Subsystem = Instance != nullptr ? Instance->GetSubsystem<UDiffuseSubsystem>() : nullptr;
	Node->Asked = Settings;
	Node->RegisterWithGameInstance(WorldContextObject);
	return Node;
}

void UDrawWithDiffuse::Activate()
{
	if (UDiffuseSubsystem* Owner = Subsystem.Get())
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
	if (UDiffuseSubsystem* Owner = Subsystem.Get())
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
