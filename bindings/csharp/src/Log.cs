using System;
using System.Runtime.InteropServices;

namespace Diffuse
{
    /// <summary>How serious a message is.</summary>
    public enum Severity
    {
        /// <summary>Chatter.</summary>
        Verbose,

        /// <summary>Information.</summary>
        Information,

        /// <summary>Something that may not be meant.</summary>
        Warning,

        /// <summary>Something that is thrown as an exception as well.</summary>
        Error,

        /// <summary>Something that ONNX Runtime cannot go on from.</summary>
        Fatal,
    }

    /// <summary>What the library and ONNX Runtime have to say that is no exception.</summary>
    public static unsafe class Log
    {
        private static readonly Native.LogSink Sink = Heard;

        static Log()
        {
            // What is of a domain that is gone must not be called.
            AppDomain.CurrentDomain.DomainUnload += (sender, arguments) => Set(null);
        }

        /// <summary>Sends messages to <paramref name="sink"/>, in place of the one before; null, the default, drops them.
        /// It is called from any thread, also from several at once, must not call this library, and what it throws is
        /// lost. There is one in a process.</summary>
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
