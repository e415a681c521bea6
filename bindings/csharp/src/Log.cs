using System;
using System.Runtime.InteropServices;

namespace Diffuse
{
    /// <summary>The severity of a message.</summary>
    public enum Severity
    {
        /// <summary>Details.</summary>
        Verbose,

        /// <summary>Information.</summary>
        Information,

        /// <summary>Something that may not be meant.</summary>
        Warning,

        /// <summary>An error. It is thrown as an exception as well.</summary>
        Error,

        /// <summary>An error from which ONNX Runtime cannot go on.</summary>
        Fatal,
    }

    /// <summary>Messages of the library and of ONNX Runtime that are no exceptions.</summary>
    public static unsafe class Log
    {
        private static readonly Native.LogSink Sink = Heard;

        static Log()
        {
            // The sink of a domain that is gone must not be called.
            AppDomain.CurrentDomain.DomainUnload += (sender, arguments) => Set(null);
        }

        /// <summary>Sends messages to <paramref name="sink"/>, in place of the one before. null drops them, which is
        /// the default. It is called from any thread, also from several at once. It must not call this library, and
        /// what it throws is lost. There is one sink in a process.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_log_set/*'/>
        /// <include file='diffuse.xml' path='docs/diffuse_log_set_owned/*'/>
        public static void Set(Action<Severity, string> sink)
        {
            if (sink == null) Failure.Check(Native.diffuse_log_set(null, IntPtr.Zero));
            else Failure.Check(Held.Hand((object)sink, held => Native.diffuse_log_set_owned(Sink, held, Held.Release)));
        }

        [AOT.MonoPInvokeCallback(typeof(Native.LogSink))]
        private static void Heard(int severity, byte* message, IntPtr user_data)
        {
            try
            {
                ((Action<Severity, string>)GCHandle.FromIntPtr(user_data).Target)((Severity)severity, Utf8.Text((IntPtr)message));
            }
            catch (Exception)
            {
                // There is nobody to throw it to.
            }
        }
    }
}
