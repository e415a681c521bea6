// What a C# programmer relies on, on Mono and on CoreCLR: Tests.exe MODELS. It prints each test with its figures. With
// another argument it ends from within a callback, with 3.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using Diffuse;

static class Tests
{
    static string sprites;

    static int Main(string[] arguments)
    {
        sprites = Path.Combine(arguments[0], "sprites.onnx");
        if (arguments.Length > 1)
        {
            // A callback on the worker ends the process.
            new Job(Model.Open(sprites), Heart().SetGuidance((estimate, values) => Environment.Exit(3))).Start();
            Thread.Sleep(20000);
            return 1;
        }
        var tests = new Action[]
        {
            Versions, Logs, Draws, Opens, NullsAndSizes, Disposed, Messages, CallbackThrows, CallbackThrowsOnTheWorker, CallbackIsLetGoOf,
            Cancels, CancelsAnOpening, IsBusy, TextsOfTheDisposed, Failures, Reports, Previews, Snapshots, HostNetwork, Calls, Page, Finalizes, Frames, Domains,
        };
        var failed = 0;
        foreach (var test in tests)
        {
            try
            {
                test();
                Console.WriteLine("ok      " + test.Method.Name + figures);
            }
            catch (Exception exception)
            {
                failed++;
                Console.WriteLine("FAILED  " + test.Method.Name + "\n" + exception);
            }
            figures = "";
        }
        // A process ends while a job runs; nothing is disposed of.
        var last = Job.Open(sprites, new Request().SetClass("heart").SetCount(16).Set("steps", 1000).SetGuidance((estimate, values) => values[0] = values[0]));
        last.Start();
        while (last.Estimates == 0 && last.Poll() == JobState.Running) Thread.Sleep(1);
        return failed == 0 ? 0 : 1;
    }

    static string figures = "";

    static Request Heart(int steps = 5) => new Request().SetClass("heart").SetSeed(7).Set("steps", steps);

    static void Versions()
    {
        Require(Library.Version.Split('.').Length == 3, Library.Version);
        Require(Library.Options.Contains("\"name\":\"guidance_scale\""), "the options");
        using (var runtime = Runtime.Open())
        {
            Require(File.Exists(runtime.Path) && runtime.Version.StartsWith("1.", StringComparison.Ordinal), runtime.Path);
            Require(runtime.Providers.Length > 0, "no provider");
        }
        Throws<ArgumentException>(() => Runtime.Open("a\0b"), "zero");
        Throws<DiffuseException>(() => Runtime.Open("/nowhere/at all"), "/nowhere/at all");
        Throws<DiffuseException>(() => Runtime.OfHost(IntPtr.Zero), "already running");
    }

    static void Logs()
    {
        var heard = new List<string>();
        Log.Set((severity, message) => { lock (heard) heard.Add(severity + ": " + message); });
        // A time that is too short for any step.
        using (var model = Model.Open(sprites))
        using (var job = new Job(model, Heart(1000)))
        {
            job.Step();
            while (heard.Count == 0 && !job.Advance(TimeSpan.FromTicks(10))) { }
        }
        Require(heard.Count > 0 && heard[0].StartsWith("Warning: ", StringComparison.Ordinal), "nothing was heard");
        Log.Set((severity, message) => { throw new InvalidOperationException(message); });
        Log.Set(null);
        figures = ": " + heard[0];
    }

    static void Draws()
    {
        using (var model = Model.Open(sprites))
        using (var request = Heart())
        using (var job = model.DrawAsync(request).Result)
        {
            Require(model.Classes.Contains("heart") && model.ClassCount == model.Classes.Length, string.Join(",", model.Classes));
            Require(model.Shape.SequenceEqual(new[] { 4, 32, 32 }) && job.Shape.SequenceEqual(new[] { 1, 4, 32, 32 }), "shapes");
            Require(model.Provider == "cpu" && model.Sha256.Length == 64 && model.Manifest.Contains("schedule"), model.Provider);
            var pixels = job.ReadPixels();
            var upside = job.ReadPixels(0, bottomUp: true);
            Require(pixels.Length == 4096 && pixels.Skip(31 * 128).SequenceEqual(upside.Take(128)), "rows from the bottom");
            var bgra = job.ReadPixels(0, bgra: true);
            Require(pixels[2] == bgra[0] && pixels[0] == bgra[2], "blue first");
            Require(model.Values(pixels).Length == 4096 && job.Read().Length == 4096 && job.Error == null, "values");
            using (var again = new Job(model, request))
            {
                while (!again.Step()) { }
                Require(again.Read().SequenceEqual(job.Read()), "steps of one's own draw something else");
                again.Steps(out int done, out int total);
                Require(done == 5 && total == 5 && again.Poll() == JobState.Finished, "the steps");
            }
        }
    }

    static void Opens()
    {
        using (var job = Job.Open(sprites, options: new ModelOptions().SetPriority(Priority.Background).SetThreads(1).SetMemory(Memory.Keep)))
        {
            Require(job.Model == null, "a model before it is open");
            job.RunAsync().Wait();
            using (var model = job.Model) Require(model.ClassIndex("heart") >= 0, "its classes");
            Throws<ArgumentException>(() => job.Read(), "without a request");
        }
        using (var model = Model.Open(File.ReadAllBytes(sprites)))
        using (var job = new Job(model, Heart(2)))
        {
            Require(!job.Advance(TimeSpan.Zero), "one of two steps");
            Require(job.Expected > TimeSpan.Zero, "what a step takes");
        }
        using (var model = Model.OpenAsync(sprites).Result) Require(model.Name.Length > 0, "no name");
    }

    static void NullsAndSizes()
    {
        Throws<ArgumentNullException>(() => Model.Open((string)null), "path");
        Throws<ArgumentNullException>(() => Model.Open((byte[])null), "bytes");
        Throws<ArgumentNullException>(() => new Job(null, Heart()), "model");
        Throws<ArgumentNullException>(() => new Request().SetClasses(null), "classes");
        Throws<ArgumentException>(() => new Request().SetClass("half \ud83d of one"), "surrogate");
        Throws<ArgumentOutOfRangeException>(() => new Request().SetCount(-1), "count");
        Throws<ArgumentException>(() => new Request().SetCondition("text", new float[5], new[] { 2, 3 }), "5 of them");
        Throws<ArgumentException>(() => new Request().SetEmbeddings(new float[5], 1, 2), "5 of 1 items");
        Throws<ArgumentException>(() => new Request().SetImage(new float[0]), "there are none");
        Throws<ArgumentException>(() => new Request().SetCondition("text", new long[0]), "there are none");
        Throws<ArgumentException>(() => new Request().SetCondition("text", new float[2], new[] { int.MaxValue, int.MaxValue }), "2 of them");
        Throws<ArgumentOutOfRangeException>(() => new Request().SetCondition("text", new float[2], new[] { -1, -2 }), "shape");
        new Request().UnsetCondition("text").Dispose();
        Throws<ArgumentException>(() => new Request().Set("guidance", "3"), "guidance");
        Throws<DiffuseException>(() => Model.Open(new byte[0]), "no bytes");
        Throws<FileNotFoundException>(() => Model.Open("/nowhere/at all.onnx"), "/nowhere/at all.onnx");
        using (var model = Model.Open(sprites))
        using (var job = new Job(model, Heart(1)))
        {
            job.Run();
            Throws<ArgumentException>(() => job.ReadPixels(0, new byte[10], 128), "");
            Throws<ArgumentException>(() => job.ReadPixels(1), "1 items");
            Throws<ArgumentOutOfRangeException>(() => job.ReadPixels(-1), "item");
            Throws<ArgumentOutOfRangeException>(() => job.ReadPixels(0, new byte[4096], -1), "stride");
            Throws<ArgumentException>(() => job.Read(new float[3]), "");
            Throws<ArgumentNullException>(() => job.Read((float[])null), "values");
            Throws<ArgumentException>(() => job.Restore(new byte[3]), "");
            Throws<ArgumentException>(() => model.LogDensity(new float[3], 1, 1, 1e-3, 0), "");
            Throws<ArgumentOutOfRangeException>(() => model.LogDensity(new float[4096], -1, 1, 1e-3, 0), "count");
            Throws<ArgumentOutOfRangeException>(() => model.Denoise(new float[4096], -1, 500, 0.7, 0.7), "count");
            Throws<ArgumentOutOfRangeException>(() => job.Wait(TimeSpan.FromSeconds(-3)), "time");
            Require(job.Wait(Timeout.InfiniteTimeSpan) == JobState.Finished, "a wait without end");
        }
    }

    static void Disposed()
    {
        var model = Model.Open(sprites);
        var request = Heart();
        var job = new Job(model, request);
        model.Dispose();
        request.Dispose();
        model.Dispose();
        Throws<ObjectDisposedException>(() => model.ClassIndex("heart"), "");
        Throws<ObjectDisposedException>(() => new Job(model, request), "");
        Throws<ObjectDisposedException>(() => request.SetSeed(1), "");
        // It keeps what it needs.
        job.Run();
        job.Dispose();
        job.Dispose();
        Throws<ObjectDisposedException>(() => job.Poll(), "");
        Throws<ObjectDisposedException>(() => job.Cancel(), "");
        var options = new ModelOptions();
        options.Dispose();
        Throws<ObjectDisposedException>(() => options.SetThreads(1), "");
        Throws<ObjectDisposedException>(() => Model.Open(sprites, options), "");
    }

    static void Messages()
    {
        var folder = Path.Combine(Path.GetTempPath(), "diffuse Ünïcödé 絵 " + Process.GetCurrentProcess().Id);
        Directory.CreateDirectory(folder);
        try
        {
            var copy = Path.Combine(folder, "sprites 🖼.onnx");
            File.Copy(sprites, copy);
            using (var model = Model.Open(copy)) Require(model.ClassCount > 0, "no classes");
            Throws<IOException>(() => Model.Open(Path.Combine(folder, "絵.onnx")), "絵.onnx");
            using (var model = Model.Open(copy))
                Throws<ArgumentException>(() => new Job(model, new Request().SetClass("大きな心")), "大きな心");
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    sealed class OwnException : Exception
    {
        public OwnException(string message) : base(message) { }
    }

    static void CallbackThrows()
    {
        using (var model = Model.Open(sprites))
        using (var job = new Job(model, Heart().SetGuidance((estimate, values) => { throw new OwnException("mine — 心"); })))
        {
            Throws<OwnException>(() => job.Step(), "mine — 心");
            Throws<OwnException>(() => job.Run(), "mine — 心");
            Require(job.Error is DiffuseException error && error.Status == "DIFFUSE_CALLBACK" && error.Message.Contains("OwnException: mine — 心"), job.Error.ToString());
        }
        // Longer than there is room for, and cut between two characters.
        using (var model = Model.Open(sprites))
        using (var job = new Job(model, Heart().SetGuidance((estimate, values) => { throw new OwnException(new string('心', 4000)); })))
        {
            Throws<OwnException>(() => job.Step(), "心");
            Require(!job.Error.Message.Contains("\ufffd"), "half a character");
        }
    }

    static void CallbackThrowsOnTheWorker()
    {
        using (var model = Model.Open(sprites))
        using (var job = new Job(model, Heart().SetGuidance((estimate, values) => { throw new OwnException("mine"); })))
        {
            try
            {
                job.RunAsync().Wait();
                Require(false, "nothing was thrown");
            }
            catch (AggregateException exception)
            {
                Require(exception.InnerException is DiffuseException inner && inner.Status == "DIFFUSE_CALLBACK" && inner.Message.Contains("mine"), exception.ToString());
            }
            Require(job.Poll() == JobState.Stopped, "its state");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static WeakReference Used()
    {
        var counter = new int[1];
        using (var model = Model.Open(sprites))
        using (var request = Heart(3).SetGuidance((estimate, values) => counter[0]++))
        using (var job = new Job(model, request))
        {
            request.SetGuidance(null);
            job.Run();
            Require(counter[0] == 3, counter[0] + " calls");
        }
        return new WeakReference(counter);
    }

    static void CallbackIsLetGoOf()
    {
        var used = Used();
        // Mono looks through the stack for what may be an address.
        new Thread(() => Used()).Start();
        Eventually(() => !used.IsAlive, "the callback is held for ever");
    }

    static void Cancels()
    {
        var latencies = new List<double>();
        using (var model = Model.Open(sprites))
        {
            for (var i = 0; i < 9; i++)
            {
                using (var job = new Job(model, Heart(1000).SetCount(16)))
                using (var cancellation = new CancellationTokenSource())
                {
                    var task = job.RunAsync(null, cancellation.Token);
                    while (job.Estimates == 0) Thread.Sleep(1);
                    Thread.Sleep(3 * i);
                    var watch = Stopwatch.StartNew();
                    cancellation.Cancel();
                    Throws<OperationCanceledException>(() => task.GetAwaiter().GetResult(), "");
                    latencies.Add(watch.Elapsed.TotalMilliseconds);
                    Require(task.IsCanceled && job.Poll() == JobState.Stopped, "its state");
                }
            }
            using (var job = new Job(model, Heart()))
                Throws<OperationCanceledException>(() => job.RunAsync(null, new CancellationToken(true)).GetAwaiter().GetResult(), "");
            using (var cancellation = new CancellationTokenSource())
            {
                cancellation.CancelAfter(50);
                Throws<OperationCanceledException>(() => model.LogDensity(new float[4096 * 4], 4, 64, 1e-6, 0, cancellation: cancellation.Token), "");
            }
        }
        latencies.Sort();
        figures = $": gone {latencies[latencies.Count / 2]:0.0} ms after the token (median of 9; most {latencies.Last():0.0})";
    }

    static void CancelsAnOpening()
    {
        Throws<OperationCanceledException>(() => Model.Open(sprites, cancellation: new CancellationToken(true)), "");
        for (var i = 0; i < 10; i++)
        {
            using (var cancellation = new CancellationTokenSource())
            {
                cancellation.CancelAfter(i * 3);
                try
                {
                    Model.Open(sprites, new ModelOptions(), cancellation: cancellation.Token).Dispose();
                }
                catch (OperationCanceledException)
                {
                }
            }
        }
    }

    static void IsBusy()
    {
        using (var model = Model.Open(sprites))
        using (var job = new Job(model, Heart(1000).SetCount(4)))
        {
            job.Start();
            Throws<InvalidOperationException>(() => job.Read(), "");
            Throws<InvalidOperationException>(() => job.Start(), "");
            // Disposed of while another thread waits for it, and while it is awaited with a token.
            var other = new Job(model, Heart(1000).SetCount(16));
            other.Start();
            var waits = new Thread(() => { try { other.Wait(); } catch (OperationCanceledException) { } });
            waits.Start();
            Thread.Sleep(20);
            other.Dispose();
            Require(waits.Join(5000), "a run that nobody has goes on");
            using (var cancellation = new CancellationTokenSource())
            {
                var third = new Job(model, Heart(1000).SetCount(16));
                var task = third.RunAsync(null, cancellation.Token);
                third.Dispose();
                cancellation.Cancel();
                try { task.GetAwaiter().GetResult(); } catch (Exception exception) when (exception is ObjectDisposedException || exception is OperationCanceledException) { }
            }
            job.Pause();
            Eventually(() => job.Poll() == JobState.Paused, "it is not paused");
            job.Read();
            job.StartFor(TimeSpan.FromMilliseconds(30));
            Eventually(() => job.Poll() == JobState.Paused, "its time is not up");
        }
    }

    sealed class Angry : IProgress<Progress>
    {
        public void Report(Progress progress) { throw new OwnException("angry"); }
    }

    // A text is copied while another thread disposes of what it is of.
    static void TextsOfTheDisposed()
    {
        int whole = 0, gone = 0;
        for (var i = 0; i < 40; i++)
        {
            var model = Model.Open(sprites);
            var expected = model.Manifest;
            var reads = new Thread(() =>
            {
                try
                {
                    for (;;)
                    {
                        var manifest = model.Manifest;
                        if (manifest != expected) throw new InvalidOperationException("half a text");
                        Interlocked.Increment(ref whole);
                    }
                }
                catch (ObjectDisposedException)
                {
                    Interlocked.Increment(ref gone);
                }
                catch (InvalidOperationException)
                {
                }
            });
            reads.Start();
            Thread.Sleep(2);
            model.Dispose();
            reads.Join();
        }
        Require(gone == 40 && whole > 0, gone + " of 40 were told that it is gone");
    }

    static void Failures()
    {
        using (var model = Model.Open(sprites))
        {
            // What hears of the progress fails: the job does not go on unheard.
            using (var job = new Job(model, Heart(1000).SetCount(8)))
            {
                Throws<OwnException>(() => job.RunAsync(new Angry()).GetAwaiter().GetResult(), "angry");
                Eventually(() => job.Poll() == JobState.Stopped, "it goes on");
            }
            // A token of one opening is not the options'.
            using (var options = new ModelOptions())
            using (var cancellation = new CancellationTokenSource())
            {
                cancellation.Cancel();
                Throws<OperationCanceledException>(() => Model.Open(sprites, options, cancellation: cancellation.Token), "");
                Model.Open(sprites, options).Dispose();
            }
            // One thread that waits, as Unity's main thread may.
            var context = SynchronizationContext.Current;
            SynchronizationContext.SetSynchronizationContext(new Never());
            try
            {
                Require(model.DrawAsync(Heart(2)).Wait(60000), "it waits for itself");
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(context);
            }
        }
    }

    // What is posted here is never done.
    sealed class Never : SynchronizationContext
    {
        public override void Post(SendOrPostCallback call, object state) { }
    }

    sealed class Seen : IProgress<Progress>
    {
        public readonly List<Progress> All = new List<Progress>();
        public void Report(Progress progress) => All.Add(progress);
    }

    static void Reports()
    {
        var seen = new Seen();
        using (var job = Job.Open(sprites, Heart(20).SetCount(8)))
        {
            job.RunAsync(seen).Wait();
            Require(seen.All.Last().Equals(job.Progress) && seen.All.Last().Done == 20 && seen.All.Last().Stage == Stage.Sampling, seen.All.Last().ToString());
        }
        for (var i = 1; i < seen.All.Count; i++)
            Require(seen.All[i].Stage > seen.All[i - 1].Stage || seen.All[i].Done >= seen.All[i - 1].Done, "it goes back");
        figures = $": {seen.All.Count} reports";
    }

    static void Previews()
    {
        var pixels = new byte[4096];
        using (var model = Model.Open(sprites))
        using (var job = new Job(model, Heart(3)))
        {
            Require(!job.TryPreviewPixels(0, pixels, 128) && !job.TryPreview(new float[4096]) && job.Estimates == 0, "a preview before the first step");
            job.Step();
            Require(job.TryPreviewPixels(0, pixels, 128, bottomUp: true, bgra: true) && job.Estimates == 1, "no preview");
            Require(pixels.Any(value => value != 0), "an empty one");
        }
    }

    static void Snapshots()
    {
        using (var model = Model.Open(sprites))
        using (var first = new Job(model, Heart()))
        using (var second = new Job(model, Heart()))
        using (var other = new Job(model, Heart(6)))
        {
            first.Step();
            second.Restore(first.Snapshot());
            Throws<ArgumentException>(() => other.Restore(first.Snapshot()), "");
            first.Run();
            second.Run();
            Require(first.Read().SequenceEqual(second.Read()), "it goes on elsewhere");
        }
    }

    static void HostNetwork()
    {
        const string Manifest = "{\"diffuse\": 1, \"sample\": {\"shape\": [1, 8, 8]}, \"prediction\": \"x0\", \"schedule\": {\"kind\": \"cosine\", \"train_steps\": 1000}}";
        var times = new List<double>();
        using (var model = Model.Open(Manifest, (estimate, output) =>
        {
            times.Add(estimate.NetworkTime);
            Require(estimate.Shape.SequenceEqual(new[] { 2, 1, 8, 8 }) && estimate.NetworkInput.Length == output.Length && !estimate.IsCancelled, "what it sees");
            Require(estimate.Classes == null, "classes of a model without any");
            var x = estimate.X.ToArray();
            for (var i = 0; i < x.Length; i++) x[i] /= 2;
            output.CopyFrom(x);
        }))
        using (var job = new Job(model, new Request().SetCount(2).Set("steps", 4)))
        {
            job.Run();
            Require(times.Count == 4 && times[0] > times[3], string.Join(" ", times));
        }
        Throws<DiffuseException>(() => Model.Open("{}", (estimate, output) => { }), "");
    }

    static void Calls()
    {
        using (var model = Model.Open(sprites))
        using (var request = new Request().SetClasses(model.ClassIndex("heart")))
        {
            model.Level(500, out double alpha, out double sigma);
            var x = model.AddNoise(new float[4096], 1, 500, 3);
            var denoised = model.Denoise(x, 1, 500, alpha, sigma, request);
            Require(denoised.Length == 4096 && denoised.Any(value => value != 0), "an estimate");
            var cost = request.Set("steps", 7).Cost(model);
            Require(cost.Evaluations == 7 && cost.PeakBytes > 1000000 && cost.Time > TimeSpan.Zero, "the cost");
            model.Trim();
            Require(request.Unset("steps").Departures == "", "departures");
        }
    }

    static async Task<byte[]> Drawn(string path, IProgress<Progress> progress, CancellationToken cancellation)
    {
        using (var request = new Request().SetClass("heart").SetSeed(7))
        using (var job = Job.Open(path, request))
        {
            await job.RunAsync(progress, cancellation);
            return job.ReadPixels();
        }
    }

    // Once a frame: rows from the bottom, into memory that the host has.
    static JobState Frame(Job job, byte[] pixels, ref ulong seen)
    {
        var state = job.Poll();
        if (state == JobState.Stopped) throw job.Error ?? new OperationCanceledException();
        if (state == JobState.Finished) job.ReadPixels(0, pixels, 4 * 32, bottomUp: true);
        else if (job.Estimates != seen && job.TryPreviewPixels(0, pixels, 4 * 32, bottomUp: true)) seen = job.Estimates;
        return state;
    }

    static void Palette(Estimate estimate, Floats denoised)
    {
        for (var i = 0; i < denoised.Length; i++) denoised[i] = (float)Math.Round(denoised[i] * 4) / 4;
    }

    // What the page of the binding shows.
    static void Page()
    {
        var drawn = Drawn(sprites, new Seen(), CancellationToken.None).Result;
        var pixels = new byte[4096];
        ulong seen = 0;
        using (var job = Job.Open(sprites, new Request().SetClass("heart").SetSeed(7)))
        {
            job.Start();
            while (Frame(job, pixels, ref seen) == JobState.Running) Thread.Sleep(1);
            Require(seen > 0 && pixels.Take(128).SequenceEqual(drawn.Skip(31 * 128)), "the frames draw something else");
        }
        using (var job = Job.Open(sprites, Heart().SetGuidance(Palette)))
        {
            job.Run();
            Require(job.Read().All(value => value * 4 == Math.Round(value * 4)), "values off the palette");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Drop(Model model, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var job = new Job(model, Heart(1000).SetCount(2).SetGuidance((estimate, values) => { }));
            if (i % 4 == 0) job.Start();
        }
    }

    static void Finalizes()
    {
        var live = new int[1];
        using (var model = Model.Open(sprites))
        {
            Drop(model, 40);
            // Nothing says that they are gone but the threads of those that ran, and the memory.
            Eventually(() => WorkersAre(0), "workers of jobs that nobody has");
            var before = Resident();
            for (var i = 0; i < 10; i++)
            {
                Drop(model, 20);
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            Eventually(() => WorkersAre(0), "workers of jobs that nobody has");
            var grown = Resident() - before;
            figures = $": 240 jobs that were dropped, 60 of them running; {grown / 1024} kB more";
            Require(grown < 32 << 20, "they are not freed");
        }
        GC.KeepAlive(live);
    }

    static bool WorkersAre(int count)
    {
        if (!Directory.Exists("/proc/self/task")) return true;
        var names = Directory.GetDirectories("/proc/self/task").Select(task =>
        {
            try { return File.ReadAllText(Path.Combine(task, "comm")); }
            catch (IOException) { return ""; }
        });
        return names.Count(name => name.StartsWith("diffuse job", StringComparison.Ordinal)) == count;
    }

    static long Resident() => Process.GetCurrentProcess().WorkingSet64;

    // As a game does it: nothing but polls, counters and pixels into memory that is there.
    static unsafe void Frames()
    {
        var pixels = new byte[4096];
        var watch = new Stopwatch();
        double most = 0;
        long garbage = 0, uploads = 0, frames = 0;
        var times = new double[10000];
        var request = Heart(200).SetCount(4);
        fixed (byte* texture = pixels)
        using (var job = Job.Open(sprites, request, new ModelOptions().SetPriority(Priority.Background)))
        {
            job.Start();
            ulong seen = 0;
            for (; frames < times.Length; frames++)
            {
                var before = Allocated();
                watch.Restart();
                var state = job.Poll();
                var estimates = job.Estimates;
                var progress = job.Progress;
                if (estimates != seen && job.TryPreviewPixels(0, (IntPtr)texture, pixels.Length, 128, bottomUp: true))
                {
                    uploads++;
                    seen = estimates;
                }
                watch.Stop();
                var after = Allocated();
                times[frames] = watch.Elapsed.TotalMilliseconds;
                // The first of a kind is compiled.
                if (uploads > 1)
                {
                    garbage += after - before;
                    most = Math.Max(most, times[frames]);
                }
                if (state != JobState.Running) break;
                Thread.Sleep(1);
            }
        }
        Array.Sort(times, 0, (int)frames);
        figures = $": {frames} frames, {uploads} uploads; {times[frames / 2] * 1000:0} µs a frame (median), {most * 1000:0} at most; {garbage} bytes of garbage, counted {(PerThread != null ? "for the thread" : "on the heap")}";
        Require(uploads > 10 && garbage == 0, figures);
    }

    // Counted for this thread, where the runtime does; else what the heap has grown by.
    static readonly Func<long> PerThread = (Func<long>)typeof(GC).GetMethod("GetAllocatedBytesForCurrentThread")?.CreateDelegate(typeof(Func<long>));

    static long Allocated() => PerThread != null ? PerThread() : GC.GetTotalMemory(false);

    // As Unity reloads scripts: a domain with a running job and a callback of the domain's own is unloaded.
    static void Domains()
    {
        if (Type.GetType("Mono.Runtime") == null)
        {
            figures = ": CoreCLR has one domain alone";
            return;
        }
        MonoDomains();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void MonoDomains()
    {
        for (var i = 0; i < 3; i++)
        {
            var domain = AppDomain.CreateDomain("scripts " + i, null, new AppDomainSetup { ApplicationBase = AppDomain.CurrentDomain.BaseDirectory });
            domain.SetData("model", sprites);
            domain.DoCallBack(InDomain);
            var watch = Stopwatch.StartNew();
            AppDomain.Unload(domain);
            figures += (i == 0 ? ": unloaded in " : ", ") + watch.ElapsedMilliseconds + " ms";
            Require(watch.ElapsedMilliseconds < 5000, "an unloading hangs");
            Eventually(() => WorkersAre(0), "a worker of a domain that is gone");
        }
    }

    static Job kept;

    static void InDomain()
    {
        var path = (string)AppDomain.CurrentDomain.GetData("model");
        kept = Job.Open(path, Heart(1000).SetCount(16).SetGuidance((estimate, values) => values[0] = values[0] + 0));
        kept.Start();
        while (kept.Estimates == 0 && kept.Poll() == JobState.Running) Thread.Sleep(1);
        Require(kept.Poll() == JobState.Running, "it does not run");
    }

    static void Eventually(Func<bool> holds, string what)
    {
        for (var i = 0; i < 500; i++)
        {
            if (holds()) return;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(20);
        }
        Require(false, what);
    }

    static void Throws<T>(Action action, string said) where T : Exception
    {
        try
        {
            action();
        }
        catch (Exception exception)
        {
            if (!(exception is T)) throw new InvalidOperationException("expected " + typeof(T).Name + ", not " + exception, exception);
            Require(exception.Message.Contains(said), "no " + said + " in: " + exception.Message);
            return;
        }
        throw new InvalidOperationException("expected " + typeof(T).Name + " with " + said);
    }

    static void Require(bool condition, string what)
    {
        if (!condition) throw new InvalidOperationException("not so: " + what);
    }
}
