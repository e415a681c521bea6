using System;
using System.Threading;
using System.Threading.Tasks;

namespace Diffuse
{
    // A file of its own, since unsafe code cannot await.
    public sealed partial class Job
    {
        /// <summary>Draws on the library's worker. Timers look at it every few milliseconds, so that no thread of .NET
        /// waits. A thread of the pool reports the progress, as Progress&lt;T&gt; expects it. A token that is cancelled
        /// cancels the job.</summary>
        public async Task RunAsync(IProgress<Progress> progress = null, CancellationToken cancellation = default(CancellationToken))
        {
            cancellation.ThrowIfCancellationRequested();
            Start();
            var seen = default(Progress);
            try
            {
                using (cancellation.Register(job => ((Job)job).CancelUnlessDisposed(), this))
                {
                    while (Poll() == JobState.Running)
                    {
                        if (progress != null)
                        {
                            var now = Progress;
                            if (!now.Equals(seen)) progress.Report(seen = now);
                        }
                        await Task.Delay(5).ConfigureAwait(false);
                    }
                }
                var status = Ended();
                if (status == Native.CANCELLED) cancellation.ThrowIfCancellationRequested();
                if (status != Native.OK) throw Error ?? Failure.Of(status, "");
                if (Poll() != JobState.Finished) throw new InvalidOperationException("the job was paused, and its samples are not there yet");
            }
            catch (ObjectDisposedException)
            {
                throw new OperationCanceledException("the job was disposed of");
            }
            catch
            {
                // Nobody waits for the job any more.
                CancelUnlessDisposed();
                throw;
            }
            progress?.Report(Progress);
        }
    }

    public sealed partial class Model
    {
        /// <summary>Draws on the library's worker, and returns the job with its samples. It is a shortcut for
        /// <see cref="Job.RunAsync"/>.</summary>
        public async Task<Job> DrawAsync(Request request, IProgress<Progress> progress = null, CancellationToken cancellation = default(CancellationToken))
        {
            var job = new Job(this, request);
            try
            {
                await job.RunAsync(progress, cancellation).ConfigureAwait(false);
                return job;
            }
            catch
            {
                job.Dispose();
                throw;
            }
        }
    }
}
