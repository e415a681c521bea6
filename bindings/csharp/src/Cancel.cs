using System;
using System.Threading;

namespace Diffuse
{
    /// <summary>A CancellationToken for the calls without a job: diffuse_cancel.</summary>
    internal sealed class Cancel : IDisposable
    {
        internal readonly CancelHandle Handle;
        private readonly CancellationTokenRegistration registration;

        internal Cancel(CancellationToken token)
        {
            if (!token.CanBeCanceled)
            {
                Handle = CancelHandle.None;
                return;
            }
            Failure.Check(Native.diffuse_cancel_new(out Handle));
            registration = token.Register(handle => Native.diffuse_cancel_cancel((CancelHandle)handle), Handle);
        }

        public void Dispose()
        {
            // It waits for a registration that is running.
            registration.Dispose();
            if (Handle != CancelHandle.None) Handle.Dispose();
        }

        /// <summary>Throws what a call failed with. If the token ended it, the exception is the token's.</summary>
        internal static void Check(int status, CancellationToken token)
        {
            if (status == Native.CANCELLED) token.ThrowIfCancellationRequested();
            Failure.Check(status);
        }
    }
}
