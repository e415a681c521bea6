using System;
using System.Collections.Generic;

namespace Diffuse
{
    /// <summary>The state of a job.</summary>
    public enum JobState
    {
        /// <summary>No worker has it.</summary>
        Idle = Native.JOB_IDLE,

        /// <summary>Its worker runs it.</summary>
        Running = Native.JOB_RUNNING,

        /// <summary>The samples are there.</summary>
        Finished = Native.JOB_FINISHED,

        /// <summary>It was cancelled, or a step failed: <see cref="Job.Error"/>.</summary>
        Stopped = Native.JOB_STOPPED,

        /// <summary>It was paused, or its time is up.</summary>
        Paused = Native.JOB_PAUSED,
    }

    /// <summary>The stages of a job.</summary>
    public enum Stage
    {
        /// <summary>It opens parts of the model.</summary>
        Loading = Native.STAGE_LOADING,

        /// <summary>It encodes prompts and images.</summary>
        Encoding = Native.STAGE_ENCODING,

        /// <summary>It samples.</summary>
        Sampling = Native.STAGE_SAMPLING,

        /// <summary>It decodes latents.</summary>
        Decoding = Native.STAGE_DECODING,
    }

    /// <summary>How much of a stage is done.</summary>
    public struct Progress : IEquatable<Progress>
    {
        internal Progress(Stage stage, int done, int total)
        {
            Stage = stage;
            Done = done;
            Total = total;
        }

        /// <summary>The stage.</summary>
        public Stage Stage { get; }

        /// <summary>How many pieces of the stage's work are done. In sampling these are the steps.</summary>
        public int Done { get; }

        /// <summary>How many pieces of work the stage has.</summary>
        public int Total { get; }

        /// <summary>Whether both are the same.</summary>
        public bool Equals(Progress other) => Stage == other.Stage && Done == other.Done && Total == other.Total;

        /// <inheritdoc/>
        public override bool Equals(object other) => other is Progress progress && Equals(progress);

        /// <inheritdoc/>
        public override int GetHashCode() => ((int)Stage * 397 ^ Done) * 397 ^ Total;

        /// <inheritdoc/>
        public override string ToString() => $"{Stage} {Done}/{Total}";
    }

    /// <summary>A run. The host makes steps itself, or it starts a worker and polls it once a frame. A worker is a
    /// thread of the library and not of .NET. Poll, Estimates, Progress, the previews and Cancel may be called from any
    /// thread at any time, and make no garbage. While the worker works, every other call throws
    /// InvalidOperationException. Disposing cancels it and waits for its worker.</summary>
    public sealed unsafe partial class Job : IDisposable
    {
        internal readonly JobHandle Handle;

        /// <summary>A job that draws <paramref name="request"/> from an open model. diffuse_job_new()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_new/*'/>
        public Job(Model model, Request request)
        {
            if (model == null) throw new ArgumentNullException(nameof(model));
            if (request == null) throw new ArgumentNullException(nameof(request));
            Failure.Check(Native.diffuse_job_new(model.Handle, request.Handle, out Handle));
            Live.Add(Handle);
        }

        private Job(JobHandle handle)
        {
            Handle = handle;
            Live.Add(handle);
        }

        /// <summary>A job that opens its model when it is first stepped, or on its worker when it is started. Without a
        /// request it does nothing else, and <see cref="Model"/> has the model at its end. Without a runtime it finds
        /// and starts that as well. diffuse_job_open()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_open/*'/>
        public static Job Open(string path, Request request = null, ModelOptions options = null, Runtime runtime = null)
        {
            Failure.Check(Native.diffuse_job_open(Runtime.HandleOf(runtime), Utf8.Bytes(path, nameof(path)), ModelOptions.HandleOf(options), Request.HandleOf(request), out JobHandle job));
            return new Job(job);
        }

        /// <summary>A job that opens its model from the bytes of a file. diffuse_job_open_bytes()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_open_bytes/*'/>
        public static Job Open(byte[] bytes, Request request = null, ModelOptions options = null, Runtime runtime = null)
        {
            if (bytes == null) throw new ArgumentNullException(nameof(bytes));
            fixed (byte* first = bytes)
            {
                Failure.Check(Native.diffuse_job_open_bytes(Runtime.HandleOf(runtime), first, (UIntPtr)bytes.Length, ModelOptions.HandleOf(options), Request.HandleOf(request), out JobHandle job));
                return new Job(job);
            }
        }

        /// <summary>The model that it draws from, also one that it has opened. null before that.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_model/*'/>
        public Model Model
        {
            get
            {
                var status = Native.diffuse_job_model(Handle, out ModelHandle model);
                if (status == Native.NOT_YET) return null;
                Failure.Check(status);
                return new Model(model);
            }
        }

        /// <summary>Starts from these noisy samples instead of the seed's noise.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_start_from/*'/>
        public void StartFrom(float[] x)
        {
            if (x == null) throw new ArgumentNullException(nameof(x));
            fixed (float* first = x) Failure.Check(Native.diffuse_job_start_from(Handle, first, (UIntPtr)x.Length));
        }

        /// <summary>Makes one step on this thread. True with the last one.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_step/*'/>
        public bool Step()
        {
            int finished;
            Stepped(Native.diffuse_job_step(Handle, &finished));
            return finished != 0;
        }

        /// <summary>Makes all steps on this thread.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_run/*'/>
        public void Run() => Stepped(Native.diffuse_job_run(Handle));

        /// <summary>Makes as many steps on this thread as are expected to fit into a time. True with the last one. A
        /// time that is too short makes none.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_advance/*'/>
        public bool Advance(TimeSpan time)
        {
            int finished;
            Stepped(Native.diffuse_job_advance(Handle, Microseconds(time), &finished));
            return finished != 0;
        }

        /// <summary>What the next step is expected to take. Zero before the first.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_expected/*'/>
        public TimeSpan Expected
        {
            get
            {
                ulong microseconds;
                Failure.Check(Native.diffuse_job_expected(Handle, &microseconds));
                return TimeSpan.FromTicks((long)Math.Min(microseconds, long.MaxValue / 10) * 10);
            }
        }

        /// <summary>Starts the worker.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_start/*'/>
        public void Start() => Failure.Check(Native.diffuse_job_start(Handle));

        /// <summary>Starts the worker for a time. The preview then is the best estimate that could be had.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_start_for/*'/>
        public void StartFor(TimeSpan time) => Failure.Check(Native.diffuse_job_start_for(Handle, Microseconds(time)));

        /// <summary>Lets the worker pause after its step.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_pause/*'/>
        public void Pause() => Failure.Check(Native.diffuse_job_pause(Handle));

        /// <summary>Cancels the running step and every later one.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_cancel/*'/>
        public void Cancel() => Failure.Check(Native.diffuse_job_cancel(Handle));

        /// <summary>The state.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_poll/*'/>
        public JobState Poll()
        {
            int state;
            Failure.Check(Native.diffuse_job_poll(Handle, &state));
            return (JobState)state;
        }

        /// <summary>Waits for the worker, at most for <paramref name="time"/>, and throws what the run failed with.
        /// Timeout.InfiniteTimeSpan waits until the worker ends.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_wait/*'/>
        public JobState Wait(TimeSpan time)
        {
            int state;
            var isEndless = time == TimeSpan.FromMilliseconds(-1);
            if (time < TimeSpan.Zero && !isEndless) throw new ArgumentOutOfRangeException(nameof(time), time, "a time is not negative");
            Failure.Check(Native.diffuse_job_wait(Handle, isEndless ? ulong.MaxValue : (ulong)time.TotalMilliseconds, &state));
            return (JobState)state;
        }

        /// <summary>Waits for the worker, and throws what the run failed with.</summary>
        public JobState Wait() => Wait(TimeSpan.FromMilliseconds(-1));

        /// <summary>The stage that it is in, and how much of that is done.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_stage/*'/>
        public Progress Progress
        {
            get
            {
                int stage;
                UIntPtr done, total;
                Failure.Check(Native.diffuse_job_stage(Handle, &stage, &done, &total));
                return new Progress((Stage)stage, (int)done, (int)total);
            }
        }

        /// <summary>How many steps of sampling are done, of how many.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_progress/*'/>
        public void Steps(out int done, out int total)
        {
            UIntPtr step, steps;
            Failure.Check(Native.diffuse_job_progress(Handle, &step, &steps));
            (done, total) = ((int)step, (int)steps);
        }

        /// <summary>How many estimates there were. Another number than before means a new preview.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_estimates/*'/>
        public ulong Estimates
        {
            get
            {
                ulong estimates;
                Failure.Check(Native.diffuse_job_estimates(Handle, &estimates));
                return estimates;
            }
        }

        /// <summary>The error of the latest step that failed. null if none has.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_error/*'/>
        public Exception Error
        {
            get
            {
                int status;
                var message = new byte[4096];
                Failure.Check(Native.diffuse_job_error(Handle, &status, message, (UIntPtr)message.Length));
                if (status == Native.OK) return null;
                fixed (byte* first = message) return Failure.Of(status, Utf8.Text((IntPtr)first));
            }
        }

        /// <summary>The shape of the samples, batch first.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_shape/*'/>
        public int[] Shape
        {
            get
            {
                UIntPtr rank;
                Failure.Check(Native.diffuse_job_shape(Handle, null, UIntPtr.Zero, &rank));
                var axes = stackalloc UIntPtr[(int)rank];
                Failure.Check(Native.diffuse_job_shape(Handle, axes, rank, &rank));
                return Axes.Of(axes, (int)rank);
            }
        }

        /// <summary>The samples as they are now, all items one after the other.</summary>
        public float[] Read()
        {
            var values = new float[Axes.Length(Shape)];
            Read(values);
            return values;
        }

        /// <summary>Copies the samples into an array of their length.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_read/*'/>
        public void Read(float[] values)
        {
            if (values == null) throw new ArgumentNullException(nameof(values));
            fixed (float* first = values) Failure.Check(Native.diffuse_job_read(Handle, first, (UIntPtr)values.Length));
        }

        /// <summary>The latents of a pipeline, of which its pictures are made.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_latents/*'/>
        public float[] Latents()
        {
            UIntPtr needed;
            Failure.Check(Native.diffuse_job_latents(Handle, null, UIntPtr.Zero, &needed));
            var values = new float[(int)needed];
            fixed (float* first = values) Failure.Check(Native.diffuse_job_latents(Handle, first, needed, &needed));
            return values;
        }

        /// <summary>An item of the samples as RGBA, rows from the top. A row is 4 times <see cref="Shape"/>'s last axis
        /// in bytes.</summary>
        public byte[] ReadPixels(int item = 0, bool bottomUp = false, bool bgra = false)
        {
            var shape = Shape;
            var pixels = new byte[4 * shape[shape.Length - 2] * shape[shape.Length - 1]];
            ReadPixels(item, pixels, 4 * shape[shape.Length - 1], bottomUp, bgra);
            return pixels;
        }

        /// <summary>Writes an item into an array, with <paramref name="stride"/> bytes from row to row.</summary>
        public void ReadPixels(int item, byte[] pixels, int stride, bool bottomUp = false, bool bgra = false)
        {
            if (pixels == null) throw new ArgumentNullException(nameof(pixels));
            fixed (byte* first = pixels) ReadPixels(item, (IntPtr)first, pixels.Length, stride, bottomUp, bgra);
        }

        /// <summary>Writes an item to an address, such as that of a texture's data.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_read_pixels/*'/>
        public void ReadPixels(int item, IntPtr pixels, int length, int stride, bool bottomUp = false, bool bgra = false)
        {
            Check(item, length, stride);
            Failure.Check(Native.diffuse_job_read_pixels(Handle, (UIntPtr)item, (byte*)pixels, (UIntPtr)length, (UIntPtr)stride, Pixels.Flags(bottomUp, bgra)));
        }

        /// <summary>Copies the latest estimate of the clean samples. False before the first.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_preview/*'/>
        public bool TryPreview(float[] values)
        {
            if (values == null) throw new ArgumentNullException(nameof(values));
            fixed (float* first = values) return There(Native.diffuse_job_preview(Handle, first, (UIntPtr)values.Length));
        }

        /// <summary>Writes an item of the latest estimate as RGBA. False before the first.</summary>
        public bool TryPreviewPixels(int item, byte[] pixels, int stride, bool bottomUp = false, bool bgra = false)
        {
            if (pixels == null) throw new ArgumentNullException(nameof(pixels));
            fixed (byte* first = pixels) return TryPreviewPixels(item, (IntPtr)first, pixels.Length, stride, bottomUp, bgra);
        }

        /// <summary>Writes an item of the latest estimate to an address. False before the first.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_preview_pixels/*'/>
        public bool TryPreviewPixels(int item, IntPtr pixels, int length, int stride, bool bottomUp = false, bool bgra = false)
        {
            Check(item, length, stride);
            return There(Native.diffuse_job_preview_pixels(Handle, (UIntPtr)item, (byte*)pixels, (UIntPtr)length, (UIntPtr)stride, Pixels.Flags(bottomUp, bgra)));
        }

#if NETSTANDARD2_1 || NETSTANDARD2_1_OR_GREATER || NETCOREAPP || NET5_0_OR_GREATER
        /// <summary>Copies the samples as they are now.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_read/*'/>
        public void Read(Span<float> values)
        {
            fixed (float* first = values) Failure.Check(Native.diffuse_job_read(Handle, first, (UIntPtr)values.Length));
        }

        /// <summary>Writes an item of the samples as RGBA.</summary>
        public void ReadPixels(int item, Span<byte> pixels, int stride, bool bottomUp = false, bool bgra = false)
        {
            fixed (byte* first = pixels) ReadPixels(item, (IntPtr)first, pixels.Length, stride, bottomUp, bgra);
        }

        /// <summary>Writes an item of the latest estimate as RGBA. False before the first.</summary>
        public bool TryPreviewPixels(int item, Span<byte> pixels, int stride, bool bottomUp = false, bool bgra = false)
        {
            fixed (byte* first = pixels) return TryPreviewPixels(item, (IntPtr)first, pixels.Length, stride, bottomUp, bgra);
        }
#endif

        /// <summary>The job between two steps, as bytes.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_snapshot/*'/>
        public byte[] Snapshot()
        {
            UIntPtr length;
            Failure.Check(Native.diffuse_job_snapshot(Handle, null, UIntPtr.Zero, &length));
            var bytes = new byte[(int)length];
            fixed (byte* first = bytes) Failure.Check(Native.diffuse_job_snapshot(Handle, first, length, &length));
            return bytes;
        }

        /// <summary>Continues where another job of the same run was left.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_restore/*'/>
        public void Restore(byte[] snapshot)
        {
            if (snapshot == null) throw new ArgumentNullException(nameof(snapshot));
            fixed (byte* first = snapshot) Failure.Check(Native.diffuse_job_restore(Handle, first, (UIntPtr)snapshot.Length));
        }

        /// <summary>Cancels the job, waits for its worker, and frees it. If another thread is in a call of it, that
        /// call ends soon and frees it. A callback must not wait for the thread that is in here.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_job_cancel/*'/>
        public void Dispose()
        {
            if (!Handle.IsClosed)
            {
                try
                {
                    // What another thread is in keeps the handle until it is over.
                    Native.diffuse_job_cancel(Handle);
                }
                catch (ObjectDisposedException)
                {
                    // Another thread was quicker.
                }
            }
            Handle.Dispose();
        }

        private static bool There(int status)
        {
            if (status == Native.NOT_YET) return false;
            Failure.Check(status);
            return true;
        }

        private static void Stepped(int status)
        {
            Held.Rethrow(status);
            Failure.Check(status);
        }

        private static void Check(int item, int length, int stride)
        {
            if (item < 0) throw new ArgumentOutOfRangeException(nameof(item));
            if (length < 0) throw new ArgumentOutOfRangeException(nameof(length));
            if (stride < 0) throw new ArgumentOutOfRangeException(nameof(stride));
        }

        private void CancelUnlessDisposed()
        {
            try
            {
                Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It is cancelled then.
            }
        }

        private int Ended()
        {
            int state;
            return Native.diffuse_job_wait(Handle, ulong.MaxValue, &state);
        }

        private static ulong Microseconds(TimeSpan time) => time.Ticks < 0 ? 0 : (ulong)time.Ticks / 10;
    }

    /// <summary>The jobs that are not disposed of. Unity unloads their domain at every reload of scripts. A worker in a
    /// callback of that domain would hold up the unloading, so the jobs are cancelled and freed before it.</summary>
    internal static class Live
    {
        private static readonly List<WeakReference<JobHandle>> Jobs = new List<WeakReference<JobHandle>>();

        static Live()
        {
            AppDomain.CurrentDomain.DomainUnload += (sender, arguments) => End();
            // The library waits for them itself. A callback may end the process. Mono then waits for its finalizers,
            // and these must not wait for that callback.
            AppDomain.CurrentDomain.ProcessExit += (sender, arguments) =>
            {
                var jobs = All();
                Cancel(jobs);
                foreach (var job in jobs) job.SetHandleAsInvalid();
            };
        }

        internal static void Add(JobHandle job)
        {
            lock (Jobs)
            {
                Jobs.RemoveAll(other => !other.TryGetTarget(out JobHandle handle) || handle.IsClosed);
                Jobs.Add(new WeakReference<JobHandle>(job));
            }
        }

        private static void End()
        {
            var jobs = All();
            Cancel(jobs);
            foreach (var job in jobs) job.Dispose();
        }

        private static List<JobHandle> All()
        {
            var jobs = new List<JobHandle>();
            lock (Jobs)
            {
                foreach (var job in Jobs) if (job.TryGetTarget(out JobHandle handle)) jobs.Add(handle);
            }
            return jobs;
        }

        private static void Cancel(List<JobHandle> jobs)
        {
            foreach (var job in jobs)
            {
                try
                {
                    Native.diffuse_job_cancel(job);
                }
                catch (ObjectDisposedException)
                {
                    // Another thread was quicker.
                }
            }
        }
    }
}
