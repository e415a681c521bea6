// Nothing is linked: the module loads the library by its path. What lies in Binaries/ThirdParty is staged with the game.
using System.IO;
using UnrealBuildTool;

public class Diffuse : ModuleRules
{
    public Diffuse(ReadOnlyTargetRules Target) : base(Target)
    {
        PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;
        PublicDependencyModuleNames.AddRange(new[] { "Core", "CoreUObject", "Engine" });
        PrivateDependencyModuleNames.AddRange(new[] { "Projects", "RenderCore", "RHI" });
        // diffuse.h and diffuse_functions.h.
        PublicSystemIncludePaths.Add(Path.Combine(PluginDirectory, "Source", "ThirdParty"));

        string folder = Path.Combine(PluginDirectory, "Binaries", "ThirdParty", Target.Platform.ToString());
        if (!Directory.Exists(folder)) return;
        foreach (string library in Directory.GetFiles(folder)) RuntimeDependencies.Add(library);
    }
}
