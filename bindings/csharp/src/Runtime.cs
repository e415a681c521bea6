using System;

namespace Diffuse
{
    /// <summary>ONNX Runtime, loaded and started. There is one in a process.</summary>
    public sealed class Runtime : IDisposable
    {
        internal readonly RuntimeHandle Handle;

        private Runtime(RuntimeHandle handle) { Handle = handle; }

        /// <summary>Opens it. <paramref name="path"/> is its library or the folder of that. null finds it by
        /// ORT_DYLIB_PATH, beside this library, beside the program or by the system. diffuse_runtime_open()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_runtime_open/*'/>
        public static Runtime Open(string path = null)
        {
            Failure.Check(Native.diffuse_runtime_open(Utf8.BytesOrNull(path, nameof(path)), out RuntimeHandle handle));
            return new Runtime(handle);
        }

        /// <summary>Takes the one that the program has already. <paramref name="ortApiBase"/> is the result of its
        /// OrtGetApiBase(). diffuse_runtime_of_host()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_runtime_of_host/*'/>
        public static Runtime OfHost(IntPtr ortApiBase)
        {
            Failure.Check(Native.diffuse_runtime_of_host(ortApiBase, out RuntimeHandle handle));
            return new Runtime(handle);
        }

        /// <summary>The file that was loaded.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_runtime_path/*'/>
        public string Path => Utf8.Text(Handle, handle => Native.diffuse_runtime_path(handle));

        /// <summary>Its version, such as "1.32.0".</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_runtime_version/*'/>
        public string Version => Utf8.Text(Handle, handle => Native.diffuse_runtime_version(handle));

        /// <summary>The execution providers that it was built with.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_runtime_providers/*'/>
        public string[] Providers => Utf8.Text(Handle, handle => Native.diffuse_runtime_providers(handle)).Split(new[] { ',' }, StringSplitOptions.RemoveEmptyEntries);

        internal static RuntimeHandle HandleOf(Runtime runtime) => runtime == null ? RuntimeHandle.None : runtime.Handle;

        /// <summary>Frees the handle. ONNX Runtime itself stays for as long as the process lives.</summary>
        public void Dispose() => Handle.Dispose();
    }

    /// <summary>The library itself.</summary>
    public static class Library
    {
        /// <summary>Its version, such as "0.1.0".</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_version/*'/>
        public static string Version => Utf8.Text(Native.diffuse_version());

        /// <summary>The options that <see cref="Request.Set(string, string)"/> takes, as a JSON array. Each has its
        /// name, kind, bounds, default, group and text. REFERENCE.md has them as a page.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_options/*'/>
        public static string Options => Utf8.Text(Native.diffuse_options());
    }
}
