using UnrealBuildTool;

public class DiffuseSamples : ModuleRules
{
    public DiffuseSamples(ReadOnlyTargetRules Target) : base(Target)
    {
        PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;
        PublicDependencyModuleNames.AddRange(new[] { "Core", "CoreUObject", "Engine", "Diffuse" });
    }
}
