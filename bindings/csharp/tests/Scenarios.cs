// Runs the scenarios of a file and writes the samples of all of them, one after the other, as tests/c/scenarios.c does:
// Scenarios.exe ONNXRUNTIME MODELS SCENARIOS.txt OUTPUT
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using Diffuse;

static class Scenarios
{
    static readonly string[] Parts =
    {
        "model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json", "text_encoder/model.onnx",
        "tokenizer/merges.txt", "tokenizer/tokenizer_config.json", "tokenizer/vocab.json", "unet/config.json",
        "unet/model.onnx", "vae_decoder/config.json", "vae_decoder/model.onnx", "vae_encoder/config.json", "vae_encoder/model.onnx",
    };

    static int calls;

    static void Main(string[] arguments)
    {
        var models = arguments[1];
        var image = Values(4 * 32 * 32);
        var mask = Enumerable.Range(0, 32 * 32).Select(i => i % 32 < 16 ? 0f : 1f).ToArray();
        var picture = Values(3 * 64 * 64);
        var window = Enumerable.Range(0, 64 * 64).Select(i => i % 64 < 30 ? 0f : 1f).ToArray();
        using (var runtime = Runtime.Open(arguments[0]))
        using (var output = new BinaryWriter(File.Create(arguments[3])))
        {
            Model model = null;
            Request request = null;
            foreach (var line in File.ReadAllLines(arguments[2]).Concat(new[] { "" }))
            {
                if (line.StartsWith("#", StringComparison.Ordinal)) continue;
                var words = line.Split(new[] { ' ' }, StringSplitOptions.RemoveEmptyEntries);
                if (words.Length == 0)
                {
                    if (request == null) continue;
                    Run(model, request, output);
                    request.Dispose();
                    model.Dispose();
                    request = null;
                    continue;
                }
                var values = words.Skip(1).ToArray();
                var value = values.FirstOrDefault();
                switch (words[0])
                {
                    case "model":
                        model = Model.Open(Path.Combine(models, value + ".onnx"), runtime: runtime);
                        request = new Request();
                        break;
                    case "folder":
                        model = Model.Open(Path.Combine(models, "..", "pipelines", value), runtime: runtime);
                        request = new Request();
                        break;
                    case "parts":
                        var folder = Path.Combine(models, "..", "pipelines", value);
                        model = Model.Open(Parts.ToDictionary(part => part, part => File.ReadAllBytes(Path.Combine(folder, part))), runtime: runtime);
                        request = new Request();
                        break;
                    case "embeddings":
                        int items = int.Parse(value, CultureInfo.InvariantCulture), tokens = int.Parse(values[1], CultureInfo.InvariantCulture);
                        request.SetEmbeddings(picture.Take(items * tokens * 32).ToArray(), items, tokens);
                        request.SetEmbeddings(picture.Skip(1).Take(tokens * 32).ToArray(), 1, tokens, negative: true);
                        request.SetCount(items);
                        break;
                    case "prompts":
                        for (var item = 0; item < values.Length; item++) request.SetPrompt(values[item], item);
                        request.SetCount(values.Length);
                        break;
                    case "negative_prompt": request.SetNegativePrompt(value); break;
                    case "picture": request.SetImage(picture); break;
                    case "window": request.SetMask(window); break;
                    case "seed": request.SetSeed(ulong.Parse(value, CultureInfo.InvariantCulture)); break;
                    case "count": request.SetCount(int.Parse(value, CultureInfo.InvariantCulture)); break;
                    case "classes": request.SetClasses(values.Select(name => model.ClassIndex(name)).ToArray()); break;
                    case "negative": request.SetNegativeClasses(model.ClassIndex(value)); break;
                    case "image": request.SetImage(image); break;
                    case "mask": request.SetMask(mask); break;
                    case "callback": request.SetGuidance(Halve); break;
                    case "classifier":
                        using (var classifier = Model.Open(Path.Combine(models, value + ".onnx"), runtime: runtime))
                            request.SetClassifier(classifier, classifier.ClassIndex(values[1]));
                        break;
                    case "shape": request.SetShape(values.Select(axis => int.Parse(axis, CultureInfo.InvariantCulture)).ToArray()); break;
                    default: request.Set(words[0], value); break;
                }
            }
        }
        Require(calls == 5, "the callback was called " + calls + " times");
    }

    static float[] Values(int count) => Enumerable.Range(0, count).Select(i => i * 37 % 256 / 128.0f - 1.0f).ToArray();

    // Halves what is clean, and counts its calls.
    static void Halve(Estimate estimate, Floats denoised)
    {
        estimate.Level(out double time, out double alpha, out double sigma);
        Require(estimate.Items == 2 && estimate.Step == calls && estimate.X.Length == denoised.Length, "the estimate's items and step");
        Require(time >= 0 && alpha > 0 && sigma > 0 && alpha * alpha + sigma * sigma < 1.0001, "the estimate's level");
        for (var i = 0; i < denoised.Length; i++) denoised[i] *= 0.5f;
        calls++;
    }

    // Leaves every job after its first step, and goes on with another one.
    static void Run(Model model, Request request, BinaryWriter output)
    {
        byte[] snapshot;
        using (var job = new Job(model, request))
        {
            job.Step();
            snapshot = job.Snapshot();
        }
        using (var job = new Job(model, request))
        {
            job.Restore(snapshot);
            job.Run();
            foreach (var value in job.Read()) output.Write(value);
        }
    }

    static void Require(bool condition, string what)
    {
        if (!condition) throw new InvalidOperationException("not so: " + what);
    }
}
