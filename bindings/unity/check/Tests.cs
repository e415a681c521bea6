// The package in a player loop on the stub: Tests.exe MODELS PIPELINES OUTPUT. It writes the pixels of a sprite and of a
// pipeline's picture, as they are shown.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using Diffuse;
using Diffuse.Unity;
using Diffuse.Unity.Editor;
using UnityEditor;
using UnityEngine;

static class Tests
{
    static int Main(string[] arguments)
    {
        string models = Path.GetFullPath(arguments[0]), pipelines = Path.GetFullPath(arguments[1]), output = arguments[2];
        Engine.OnMain("the tests");
        Application.streamingAssetsPath = models;

        // A sprite that grows.
        var uploads = 0;
        var player = Player("sprites.onnx", made =>
        {
            made.className = "heart";
            made.changed.AddListener(texture => uploads++);
        });
        var sprite = player.gameObject;
        sprite.Parts.Add(new SpriteRenderer());
        Play(player);
        Require(player.Texture.width == 32 && uploads > 0 && player.Progress == 1 && player.Stage == Stage.Sampling, "the sprite: " + uploads + " uploads");
        Require(player.Texture.Shown.Any(value => value != 0), "nothing was uploaded");
        File.WriteAllBytes(Path.Combine(output, "sprite.rgba"), Rows(player.Texture));
        Console.WriteLine($"a sprite, {uploads} uploads before the last");

        // Frames: what the component takes of one, while others are drawn.
        player.options.Add(new DiffuseOption { name = "steps", value = "300" });
        player.Play();
        var times = new List<double>();
        while (player.IsPlaying)
        {
            var watch = Stopwatch.StartNew();
            Engine.Frame();
            times.Add(watch.Elapsed.TotalMilliseconds);
            Thread.Sleep(1);
        }
        times.Sort();
        Console.WriteLine($"a frame takes {times[times.Count / 2] * 1000:0} µs (median of {times.Count})");
        player.options.Clear();

        // Drawn again after a cancel, with guidance of the game's.
        player.options.Add(new DiffuseOption { name = "steps", value = "5" });
        player.Play();
        player.Cancel();
        Require(!player.IsPlaying && DiffuseOwner.Count == 0, "it is cancelled");
        var calls = 0;
        player.Guidance = (estimate, values) => calls++;
        player.Play();
        Play(player);
        Require(calls == 5, calls + " calls");
        player.Guidance = (estimate, values) => { throw new InvalidOperationException("the game's own"); };
        player.Play();
        Play(player);
        Require(player.Error.Contains("the game's own"), player.Error);
        player.Guidance = null;

        // What is missing is said, and the game goes on.
        foreach (var path in new[] { "nothing.onnx", "right_half_mask.png" })
        {
            var lost = Player(path, made => { });
            Play(lost);
            Require(lost.Error.Contains(path) && Engine.Console.Last().StartsWith("error: diffuse: ") && Engine.Console.Last().Contains(path), Engine.Console.Last());
            Engine.Remove(lost);
        }
        player.className = "no such class";
        player.Play();
        Play(player);
        Require(player.Error.Contains("no such class"), player.Error);
        player.className = "heart";
        player.options.Add(new DiffuseOption { name = "stepz", value = "3" });
        player.Play();
        Play(player);
        Require(player.Error.Contains("stepz"), player.Error);
        player.options.Clear();

        // Unloaded while it draws, and while it opens.
        for (var frames = 0; frames < 4; frames++)
        {
            var brief = Player("sprites.onnx", made => made.options.Add(new DiffuseOption { name = "steps", value = "1000" }));
            for (var i = 0; i < frames; i++) Engine.Frame();
            Engine.Remove(brief);
            Require(DiffuseOwner.Count == 0, "a job of a scene that is gone");
        }

        // Text to image from a folder.
        Application.streamingAssetsPath = pipelines;
        var painter = Player("sd", made => made.prompt = "a fox");
        Play(painter);
        Require(painter.Error == "" && painter.Texture.width == 64, painter.Error);
        File.WriteAllBytes(Path.Combine(output, "picture.rgba"), Rows(painter.Texture));
        var picture = painter.Texture.Shown.ToArray();

        // The same from an Android package, where nothing is a file.
        Application.streamingAssetsPath = "jar:file://" + pipelines;
        painter.model.files = Directory.GetFiles(Path.Combine(pipelines, "sd"), "*", SearchOption.AllDirectories).Select(file => file.Substring(Path.Combine(pipelines, "sd").Length + 1)).ToList();
        painter.Play();
        Play(painter);
        Require(painter.Error == "" && painter.Texture.Shown.SequenceEqual(picture), "from a package: " + painter.Error);
        painter.model.files = new List<string> { "model_index.json", "nowhere.onnx" };
        painter.Play();
        Play(painter);
        Require(painter.Error.Contains("nowhere.onnx") && painter.Error.Contains("StreamingAssets"), painter.Error);
        Application.streamingAssetsPath = "jar:file://" + models;
        player.Play();
        Play(player);
        Require(player.Error == "" && Rows(player.Texture).SequenceEqual(File.ReadAllBytes(Path.Combine(output, "sprite.rgba"))), "a file from a package: " + player.Error);
        Application.streamingAssetsPath = models;

        // The inspector.
        Require(DiffusePlayerEditor.Options().Any(option => option.name == "guidance_scale" && option.text.EndsWith(".")), "its options");
        var inspector = new DiffusePlayerEditor { target = player };
        GUILayout.Pressed = "Read the model's classes";
        inspector.OnInspectorGUI();
        GUILayout.Pressed = "Add the option";
        EditorGUILayout.Chosen = 2;
        inspector.OnInspectorGUI();
        GUILayout.Pressed = "";
        EditorGUILayout.Chosen = -1;
        inspector.OnInspectorGUI();
        Require(player.className.Length > 0 && player.className != "heart" && player.options.Count == 1 && EditorGUILayout.Boxes.Any(box => box.StartsWith(player.options[0].name + ": ")), "the inspector");
        player.options.Clear();
        player.className = "heart";

        // The samples.
        var shown = new SpriteFromPlayer { gameObject = sprite };
        Call(shown, "Awake");
        player.Play();
        Play(player);
        Require(player.GetComponent<SpriteRenderer>().sprite.texture == player.Texture, "the sprite's texture");
        var window = new PromptWindow { gameObject = painter.gameObject };
        Call(window, "Awake");
        Call(window, "OnGUI");
        var seamless = Player("sprites.onnx", made => { made.playOnEnable = false; made.className = "star"; });
        seamless.gameObject.Parts.Add(new Renderer());
        Call(new TileableGuidance { gameObject = seamless.gameObject }, "Start");
        Play(seamless);
        Require(seamless.Error == "" && seamless.GetComponent<Renderer>().material.mainTexture == seamless.Texture, "the tile: " + seamless.Error);

        // Scripts are reloaded, and the game ends, in the middle of it.
        player.options.Add(new DiffuseOption { name = "steps", value = "1000" });
        player.Guidance = (estimate, values) => { };
        player.Play();
        for (var i = 0; i < 3; i++) Engine.Frame();
        var reload = Stopwatch.StartNew();
        AssemblyReloadEvents.Reload();
        Console.WriteLine($"a reload of scripts waits {reload.ElapsedMilliseconds} ms");
        Require(DiffuseOwner.Count == 0, "jobs after a reload");
        Engine.Frame();
        Require(!player.IsPlaying && player.Error == "", "after a reload: " + player.Error);
        player.Play();
        Engine.Frame();
        Engine.Quit();
        Require(DiffuseOwner.Count == 0 && !Engine.Console.Any(line => line.StartsWith("exception")), string.Join("\n", Engine.Console));
        Console.WriteLine("all of it holds");
        return 0;
    }

    static DiffusePlayer Player(string path, Action<DiffusePlayer> set)
    {
        return Engine.Add<DiffusePlayer>(made =>
        {
            made.model = ScriptableObject.CreateInstance<DiffuseModel>();
            made.model.path = path;
            set(made);
        });
    }

    static void Play(DiffusePlayer player)
    {
        var watch = Stopwatch.StartNew();
        while (player.IsPlaying)
        {
            Engine.Frame();
            Thread.Sleep(1);
            if (watch.Elapsed > TimeSpan.FromMinutes(2)) throw new TimeoutException("it draws for ever");
        }
    }

    // From the top, as others have them.
    static byte[] Rows(Texture2D texture)
    {
        var stride = 4 * texture.width;
        return Enumerable.Range(0, texture.height).Reverse().SelectMany(row => texture.Shown.Skip(row * stride).Take(stride)).ToArray();
    }

    static void Call(object on, string method)
    {
        on.GetType().GetMethod(method, System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic).Invoke(on, null);
    }

    static void Require(bool condition, string what)
    {
        if (!condition) throw new InvalidOperationException("not so: " + what);
    }
}
