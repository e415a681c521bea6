// As picture.c, in C#: Picture.exe MODEL OUTPUT.
using System.IO;
using Diffuse;

static class Picture
{
    static void Main(string[] arguments)
    {
        using (var request = new Request().SetSeed(7))
        {
            if (arguments[0].EndsWith(".onnx")) request.SetClass("heart");
            else request.SetPrompt("a fox");
            using (var job = Job.Open(arguments[0], request))
            {
                job.RunAsync().GetAwaiter().GetResult();
                File.WriteAllBytes(arguments[1], job.ReadPixels());
            }
        }
    }
}
