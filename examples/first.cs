// Draws a sprite on a worker thread, with a progress line, previews and a time limit:
//
//     first.exe MODEL.onnx [SECONDS]
//
// The picture grows in sprite.ppm. A run that takes longer than SECONDS is cancelled. Default: 60.
using System;
using System.Globalization;
using System.IO;
using System.Text;
using Diffuse;

static class First
{
    const int Size = 32;

    static void WritePicture(byte[] pixels)
    {
        using (var file = File.Create("sprite.ppm"))
        {
            var header = Encoding.ASCII.GetBytes($"P6 {Size} {Size} 255\n");
            file.Write(header, 0, header.Length);
            for (var i = 0; i < pixels.Length; i += 4)
                for (var c = 0; c < 3; c++)
                    file.WriteByte((byte)(255 - (255 - pixels[i + c]) * pixels[i + 3] / 255));  // on white
        }
    }

    static int Main(string[] arguments)
    {
        if (arguments.Length < 1) return 2;
        var seconds = arguments.Length > 1 ? double.Parse(arguments[1], CultureInfo.InvariantCulture) : 60;
        var end = DateTime.UtcNow.AddSeconds(seconds);
        var pixels = new byte[4 * Size * Size];
        ulong seen = 0;

        try
        {
            using (var request = new Request().SetClass("heart").SetSeed(7))
            using (var job = Job.Open(arguments[0], request))  // opens nothing yet
            {
                job.Start();  // a worker opens the model and draws
                while (job.Wait(TimeSpan.FromMilliseconds(16)) == JobState.Running)
                {
                    job.Steps(out var done, out var total);
                    Console.Error.Write($"\rstep {done} of {total}");
                    if (DateTime.UtcNow >= end) job.Cancel();
                    if (job.Estimates != seen && job.TryPreviewPixels(0, pixels, 4 * Size))
                    {
                        seen = job.Estimates;
                        WritePicture(pixels);
                    }
                }
                Console.Error.WriteLine();
                job.ReadPixels(0, pixels, 4 * Size);
                WritePicture(pixels);
            }
            return 0;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(error.Message);
            return 1;
        }
    }
}
