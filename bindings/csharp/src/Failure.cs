using System;
using System.IO;

namespace Diffuse
{
    /// <summary>A failure for which .NET has no exception of its own: of the model, ONNX Runtime, an execution
    /// provider, a callback or an evaluation.</summary>
    public sealed class DiffuseException : Exception
    {
        internal DiffuseException(string status, string message) : base(message) { Status = status; }

        /// <summary>The status of diffuse.h, such as "DIFFUSE_MODEL".</summary>
        public string Status { get; }
    }

    internal static class Failure
    {
        /// <summary>Throws the error of this thread's latest call.</summary>
        internal static void Check(int status)
        {
            if (status == Native.OK) return;
            var message = Utf8.Text(Native.diffuse_error_message());
            // ENOENT, and on Windows ERROR_FILE_NOT_FOUND and ERROR_PATH_NOT_FOUND.
            if (status == Native.IO && (Native.diffuse_error_errno() == 2 || Native.diffuse_error_errno() == 3))
                throw new FileNotFoundException(message, Utf8.Text(Native.diffuse_error_path()));
            throw Of(status, message);
        }

        /// <summary>The exception for a status: one of .NET's where there is one.</summary>
        internal static Exception Of(int status, string message)
        {
            switch (status)
            {
                case Native.ARGUMENT: return new ArgumentException(message);
                case Native.CANCELLED: return new OperationCanceledException(message);
                case Native.BUSY: return new InvalidOperationException(message);
                case Native.NOT_YET: return new InvalidOperationException(message);
                case Native.IO: return new IOException(message);
                case Native.MEMORY: return new InsufficientMemoryException(message);
                default: return new DiffuseException(Utf8.Text(Native.diffuse_status_name(status)), message);
            }
        }
    }
}
