#include "DiffuseSubsystem.h"

#include "DiffuseModule.h"
#include "DrawWithDiffuse.h"
#include "Engine/Texture2D.h"
#include "GenericPlatform/GenericPlatformFile.h"
#include "HAL/UnrealMemory.h"
#include "Misc/FileHelper.h"
#include "Misc/Paths.h"
#include "TextureResource.h"

diffuse_core::Settings FDiffuseSettings::Core() const
{
	diffuse_core::Settings Core;
	Core.class_name = TCHAR_TO_UTF8(*ClassName);
	Core.prompt = TCHAR_TO_UTF8(*Prompt);
	Core.negative_prompt = TCHAR_TO_UTF8(*NegativePrompt);
	Core.seed = static_cast<uint64>(Seed);
	for (const TPair<FString, FString>& Option : Options)
	{
		Core.options.emplace_back(TCHAR_TO_UTF8(*Option.Key), TCHAR_TO_UTF8(*Option.Value));
	}
	Core.background = bBackground;
	Core.memory = TCHAR_TO_UTF8(*Memory);
	for (const FString& Provider : Providers)
	{
		Core.providers.emplace_back(TCHAR_TO_UTF8(*Provider));
	}
	return Core;
}

void UDiffuseSubsystem::Initialize(FSubsystemCollectionBase& Collection)
{
	Super::Initialize(Collection);
	Ticker = FTSTicker::GetCoreTicker().AddTicker(FTickerDelegate::CreateUObject(this, &UDiffuseSubsystem::Tick));
}

void UDiffuseSubsystem::Deinitialize()
{
	FTSTicker::GetCoreTicker().RemoveTicker(Ticker);
	// Each cancels its worker and waits for it, which takes milliseconds.
	Drawings.Empty();
	Nodes.Empty();
	Textures.Empty();
	Super::Deinitialize();
}

void UDiffuseSubsystem::Begin(UDrawWithDiffuse* Node, const FDiffuseSettings& Settings)
{
	Cancel(Node);
	TUniquePtr<diffuse_core::Drawing> Core = MakeUnique<diffuse_core::Drawing>(FDiffuseModule::Get().Library());
	const FString Path = FPaths::ConvertRelativePathToFull(FPaths::Combine(FPaths::ProjectContentDir(), Settings.Model));
	diffuse_core::Settings Asked = Settings.Core();
	IPlatformFile& Disk = IPlatformFile::GetPlatformPhysical();
	TArray<uint8> Bytes;
	if (Disk.FileExists(*Path) || Disk.DirectoryExists(*Path) || !FFileHelper::LoadFileToArray(Bytes, *Path))
	{
		// The worker reads it. If there is nothing at this path, the library reports that.
		Core->begin(TCHAR_TO_UTF8(*Path), Asked);
	}
	else
	{
		// A model in a pak is no file for the library, and neither is a manifest beside it.
		TArray<uint8> Manifest;
		if (FFileHelper::LoadFileToArray(Manifest, *FPaths::ChangeExtension(Path, TEXT("diffuse.json"))))
		{
			Asked.manifest.assign(reinterpret_cast<const char*>(Manifest.GetData()), static_cast<std::size_t>(Manifest.Num()));
		}
		Core->begin(Bytes.GetData(), static_cast<std::size_t>(Bytes.Num()), Asked);
	}
	Nodes.Add(Node);
	Drawings.Add(FDrawing{Node, MoveTemp(Core), nullptr});
}

void UDiffuseSubsystem::Cancel(UDrawWithDiffuse* Node)
{
	for (const FDrawing& Drawing : Drawings)
	{
		if (Drawing.Node == Node)
		{
			Textures.Remove(Drawing.Texture);
		}
	}
	Drawings.RemoveAll([Node](const FDrawing& Drawing) { return Drawing.Node == Node; });
	Nodes.Remove(Node);
}

bool UDiffuseSubsystem::Tick(float)
{
	// A node may begin another one when it ends, so the list is not iterated while nodes are called.
	for (int32 Index = Drawings.Num() - 1; Index >= 0; --Index)
	{
		if (!Drawings.IsValidIndex(Index) || Look(Drawings[Index]))
		{
			continue;
		}
		FDrawing Over = MoveTemp(Drawings[Index]);
		Drawings.RemoveAt(Index);
		Nodes.Remove(Over.Node);
		if (Over.Core->state() == diffuse_core::State::Failed)
		{
			const FString Why = UTF8_TO_TCHAR(Over.Core->error().c_str());
			UE_LOG(LogDiffuse, Error, TEXT("%s"), *Why);
			Over.Node->Failed(Why);
		}
		else
		{
			Over.Node->Finished(Over.Texture);
		}
		Textures.Remove(Over.Texture);
	}
	return true;
}

/** False when it is over. */
bool UDiffuseSubsystem::Look(FDrawing& Drawing)
{
	diffuse_core::Drawing& Core = *Drawing.Core;
	const diffuse_core::State State = Core.tick();
	if (Core.has_news())
	{
		const int32 Width = static_cast<int32>(Core.width()), Height = static_cast<int32>(Core.height());
		if (Drawing.Texture == nullptr)
		{
			Drawing.Texture = UTexture2D::CreateTransient(Width, Height, PF_B8G8R8A8);
			Drawing.Texture->UpdateResource();
			Textures.Add(Drawing.Texture);
		}
		// The renderer copies from it later, on its own thread, and frees it then.
		const uint32 Stride = static_cast<uint32>(4 * Width);
		uint8* Pixels = static_cast<uint8*>(FMemory::Malloc(static_cast<SIZE_T>(Stride) * static_cast<SIZE_T>(Height)));
		if (Core.read(Pixels, static_cast<std::size_t>(Stride) * static_cast<std::size_t>(Height), Stride))
		{
			FUpdateTextureRegion2D* Region = new FUpdateTextureRegion2D(0, 0, 0, 0, static_cast<uint32>(Width), static_cast<uint32>(Height));
			Drawing.Texture->UpdateTextureRegions(0, 1, Region, Stride, 4, Pixels, [](uint8* Data, const FUpdateTextureRegion2D* Regions)
			{
				FMemory::Free(Data);
				delete Regions;
			});
			if (State == diffuse_core::State::Drawing)
			{
				Drawing.Node->Progress(Drawing.Texture, Core.progress());
			}
		}
		else
		{
			FMemory::Free(Pixels);
		}
	}
	return State == diffuse_core::State::Drawing;
}
