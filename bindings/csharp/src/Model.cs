using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace Diffuse
{
    /// <summary>A model: a network and its manifest, or the parts of a pipeline. Several threads may use it at once,
    /// and their evaluations take turns. It may be disposed of while its jobs live.</summary>
    public sealed unsafe partial class Model : IDisposable
    {
        internal readonly ModelHandle Handle;

        internal Model(ModelHandle handle) { Handle = handle; }

        /// <summary>Opens a model file or a pipeline's folder. Without a runtime it is the one that
        /// <see cref="Runtime.Open"/> finds. diffuse_model_open()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_open/*'/>
        public static Model Open(string path, ModelOptions options = null, Runtime runtime = null, CancellationToken cancellation = default(CancellationToken))
        {
            var bytes = Utf8.Bytes(path, nameof(path));
            return Opened(options, runtime, cancellation, (handle, own) =>
            {
                var status = Native.diffuse_model_open(handle, bytes, own, out ModelHandle model);
                return (status, model);
            });
        }

        /// <summary>Opens a model from the bytes of its file. diffuse_model_open_bytes()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_open_bytes/*'/>
        public static Model Open(byte[] bytes, ModelOptions options = null, Runtime runtime = null, CancellationToken cancellation = default(CancellationToken))
        {
            if (bytes == null) throw new ArgumentNullException(nameof(bytes));
            return Opened(options, runtime, cancellation, (handle, own) =>
            {
                fixed (byte* first = bytes)
                {
                    var status = Native.diffuse_model_open_bytes(handle, first, (UIntPtr)bytes.Length, own, out ModelHandle model);
                    return (status, model);
                }
            });
        }

        /// <summary>Opens a pipeline from the bytes of its folder's files, by their paths in it.
        /// diffuse_model_open_parts()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_open_parts/*'/>
        public static Model Open(IReadOnlyDictionary<string, byte[]> files, ModelOptions options = null, Runtime runtime = null, CancellationToken cancellation = default(CancellationToken))
        {
            if (files == null) throw new ArgumentNullException(nameof(files));
            return Opened(options, runtime, cancellation, (handle, own) =>
            {
                var pins = new List<GCHandle>();
                try
                {
                    Func<object, IntPtr> pinned = array =>
                    {
                        var pin = GCHandle.Alloc(array, GCHandleType.Pinned);
                        pins.Add(pin);
                        return pin.AddrOfPinnedObject();
                    };
                    var names = new IntPtr[files.Count];
                    var bytes = new IntPtr[files.Count];
                    var lengths = new UIntPtr[files.Count];
                    var i = 0;
                    foreach (var file in files)
                    {
                        if (file.Value == null) throw new ArgumentNullException(nameof(files), file.Key);
                        names[i] = pinned(Utf8.Bytes(file.Key, nameof(files)));
                        bytes[i] = pinned(file.Value);
                        lengths[i++] = (UIntPtr)file.Value.Length;
                    }
                    fixed (IntPtr* first = names)
                    fixed (IntPtr* parts = bytes)
                    fixed (UIntPtr* counts = lengths)
                    {
                        var status = Native.diffuse_model_open_parts(handle, first, parts, counts, (UIntPtr)files.Count, own, out ModelHandle model);
                        return (status, model);
                    }
                }
                finally
                {
                    foreach (var pin in pins) pin.Free();
                }
            });
        }

        /// <summary>Opens a model whose network is <paramref name="network"/>. <paramref name="manifest"/> describes
        /// it. ONNX Runtime is not needed. diffuse_model_open_callback_owned()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_open_callback_owned/*'/>
        public static Model Open(string manifest, EstimateCallback network)
        {
            if (network == null) throw new ArgumentNullException(nameof(network));
            var bytes = Utf8.Bytes(manifest, nameof(manifest));
            ModelHandle model = null;
            Failure.Check(Held.Hand(network, held => Native.diffuse_model_open_callback_owned(bytes, Held.Call, held, Held.Release, out model)));
            return new Model(model);
        }

        /// <summary>Opens a model file or a folder on a thread of the pool. A job from <see cref="Job.Open(string,
        /// Request, ModelOptions, Runtime)"/> opens its model on its own worker instead.</summary>
        public static Task<Model> OpenAsync(string path, ModelOptions options = null, Runtime runtime = null, CancellationToken cancellation = default(CancellationToken))
        {
            return Task.Run(() => Open(path, options, runtime, cancellation), cancellation);
        }

        /// <summary>Its name in the manifest, else that of its file.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_name/*'/>
        public string Name => Utf8.Text(Handle, handle => Native.diffuse_model_name(handle));

        /// <summary>Its manifest, as JSON.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_manifest/*'/>
        public string Manifest => Utf8.Text(Handle, handle => Native.diffuse_model_manifest(handle));

        /// <summary>The execution provider that evaluates it.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_provider/*'/>
        public string Provider => Utf8.Text(Handle, handle => Native.diffuse_model_provider(handle));

        /// <summary>How many nodes each provider took, and which providers were passed over and why, as JSON.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_placement/*'/>
        public string Placement => Utf8.Text(Handle, handle => Native.diffuse_model_placement(handle));

        /// <summary>Its identity: the SHA-256 of graph, weights and manifest.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_sha256/*'/>
        public string Sha256
        {
            get
            {
                return Utf8.Text(Handle, handle =>
                {
                    Failure.Check(Native.diffuse_model_sha256(handle, out IntPtr hash));
                    return hash;
                });
            }
        }

        /// <summary>Channels, height and width of an image, without the batch. 0 is a size that the manifest leaves
        /// free.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_shape/*'/>
        public int[] Shape
        {
            get
            {
                UIntPtr rank;
                Failure.Check(Native.diffuse_model_shape(Handle, null, UIntPtr.Zero, &rank));
                var axes = stackalloc UIntPtr[(int)rank];
                Failure.Check(Native.diffuse_model_shape(Handle, axes, rank, &rank));
                return Axes.Of(axes, (int)rank);
            }
        }

        /// <summary>The number of classes, without the null class.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_class_count/*'/>
        public int ClassCount
        {
            get
            {
                var count = (int)Native.diffuse_model_class_count(Handle);
                GC.KeepAlive(this);
                return count;
            }
        }

        /// <summary>The names of its classes.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_classes/*'/>
        public string[] Classes => Utf8.Strings(Utf8.Text(Handle, handle => Native.diffuse_model_classes(handle)));

        /// <summary>The number of a class.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_class/*'/>
        public long ClassIndex(string name)
        {
            long index;
            Failure.Check(Native.diffuse_model_class(Handle, Utf8.Bytes(name, nameof(name)), &index));
            return index;
        }

        /// <summary>The shares of the clean sample and of the noise at a time.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_level/*'/>
        public void Level(double time, out double alpha, out double sigma)
        {
            double a, s;
            Failure.Check(Native.diffuse_model_level(Handle, time, &a, &s));
            (alpha, sigma) = (a, s);
        }

        /// <summary>The values of RGBA pixels, for <see cref="Request.SetImage"/>. Rows are from the top.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_values/*'/>
        public float[] Values(byte[] pixels, bool bottomUp = false, bool bgra = false)
        {
            if (pixels == null) throw new ArgumentNullException(nameof(pixels));
            var shape = Shape;
            var values = new float[Axes.Length(shape)];
            fixed (byte* first = pixels)
            fixed (float* place = values)
                Failure.Check(Native.diffuse_model_values(Handle, first, (UIntPtr)pixels.Length, (UIntPtr)(4 * shape[shape.Length - 1]), Pixels.Flags(bottomUp, bgra), place, (UIntPtr)values.Length));
            return values;
        }

        /// <summary>The estimate of the clean samples at a noise level. diffuse_model_denoise()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_denoise/*'/>
        public float[] Denoise(float[] x, int count, double time, double alpha, double sigma, Request request = null, CancellationToken cancellation = default(CancellationToken))
        {
            if (x == null) throw new ArgumentNullException(nameof(x));
            if (count < 0) throw new ArgumentOutOfRangeException(nameof(count));
            var denoised = new float[x.Length];
            using (var cancel = new Cancel(cancellation))
            fixed (float* first = x)
            fixed (float* place = denoised)
                Evaluated(Native.diffuse_model_denoise(Handle, Request.HandleOf(request), first, (UIntPtr)x.Length, (UIntPtr)(uint)count, time, alpha, sigma, cancel.Handle, place), cancellation);
            return denoised;
        }

        /// <summary>The samples at a time with noise of a seed. diffuse_model_add_noise()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_add_noise/*'/>
        public float[] AddNoise(float[] x0, int count, double time, ulong seed, Request request = null)
        {
            if (x0 == null) throw new ArgumentNullException(nameof(x0));
            if (count < 0) throw new ArgumentOutOfRangeException(nameof(count));
            var x = new float[x0.Length];
            fixed (float* first = x0)
            fixed (float* place = x)
                Failure.Check(Native.diffuse_model_add_noise(Handle, Request.HandleOf(request), first, (UIntPtr)x0.Length, (UIntPtr)(uint)count, time, seed, place));
            return x;
        }

        /// <summary>The log-density of each sample, in nats. diffuse_model_log_density()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_log_density/*'/>
        public double[] LogDensity(float[] x, int count, int directions, double tolerance, ulong seed, Request request = null, CancellationToken cancellation = default(CancellationToken))
        {
            if (x == null) throw new ArgumentNullException(nameof(x));
            if (count < 0 || directions < 0) throw new ArgumentOutOfRangeException(count < 0 ? nameof(count) : nameof(directions));
            var densities = new double[count];
            using (var cancel = new Cancel(cancellation))
            fixed (float* first = x)
            fixed (double* place = densities)
                Evaluated(Native.diffuse_model_log_density(Handle, Request.HandleOf(request), first, (UIntPtr)x.Length, (UIntPtr)count, (UIntPtr)directions, tolerance, seed, cancel.Handle, place), cancellation);
            return densities;
        }

        /// <summary>The variational bound of each sample, in bits per value.
        /// diffuse_model_variational_bound()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_variational_bound/*'/>
        public double[] VariationalBound(float[] x, int count, string variance, ulong seed, Request request = null, CancellationToken cancellation = default(CancellationToken))
        {
            if (x == null) throw new ArgumentNullException(nameof(x));
            if (count < 0) throw new ArgumentOutOfRangeException(nameof(count));
            var bounds = new double[count];
            using (var cancel = new Cancel(cancellation))
            fixed (float* first = x)
            fixed (double* place = bounds)
                Evaluated(Native.diffuse_model_variational_bound(Handle, Request.HandleOf(request), first, (UIntPtr)x.Length, (UIntPtr)count, Utf8.Bytes(variance, nameof(variance)), seed, cancel.Handle, place), cancellation);
            return bounds;
        }

        /// <summary>Gives back memory that is not needed between runs. diffuse_model_trim()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_trim/*'/>
        public void Trim(CancellationToken cancellation = default(CancellationToken))
        {
            using (var cancel = new Cancel(cancellation))
                Evaluated(Native.diffuse_model_trim(Handle, cancel.Handle), cancellation);
        }

        /// <summary>Frees the handle. Jobs keep what they need.</summary>
        public void Dispose() => Handle.Dispose();

        private static Model Opened(ModelOptions options, Runtime runtime, CancellationToken cancellation, Func<RuntimeHandle, ModelOptionsHandle, (int, ModelHandle)> open)
        {
            cancellation.ThrowIfCancellationRequested();
            var found = runtime ?? Runtime.Open();
            // An opening is cancelled by its options, of which these are the caller's.
            var own = options == null && cancellation.CanBeCanceled ? new ModelOptions() : options;
            try
            {
                using (var cancel = new Cancel(cancellation))
                {
                    try
                    {
                        if (cancellation.CanBeCanceled) Failure.Check(Native.diffuse_model_options_set_cancel(own.Handle, cancel.Handle));
                        var (status, model) = open(found.Handle, ModelOptions.HandleOf(own));
                        Cancel.Check(status, cancellation);
                        return new Model(model);
                    }
                    finally
                    {
                        // The options are the caller's, and the token was for this opening alone.
                        if (cancellation.CanBeCanceled && !own.Handle.IsClosed) Native.diffuse_model_options_set_cancel(own.Handle, CancelHandle.None);
                    }
                }
            }
            finally
            {
                if (!ReferenceEquals(own, options)) own.Dispose();
                if (runtime == null) found.Dispose();
            }
        }

        private static void Evaluated(int status, CancellationToken cancellation)
        {
            Held.Rethrow(status);
            Cancel.Check(status, cancellation);
        }
    }

    internal static class Pixels
    {
        internal static uint Flags(bool bottomUp, bool bgra) => (uint)((bottomUp ? Native.BOTTOM_UP : 0) | (bgra ? Native.BGRA : 0));
    }
}
