using System;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

namespace Diffuse
{
    /// <summary>Numbers of the library's, valid during a callback alone.</summary>
    public unsafe struct Floats
    {
        private readonly float* first;

        internal Floats(float* first, int length)
        {
            this.first = first;
            Length = length;
        }

        /// <summary>How many there are.</summary>
        public int Length { get; }

        /// <summary>The address of the first.</summary>
        public IntPtr Address => (IntPtr)first;

        /// <summary>One of them.</summary>
        public float this[int index]
        {
            get
            {
                if ((uint)index >= (uint)Length) throw new IndexOutOfRangeException();
                return first[index];
            }
            set
            {
                if ((uint)index >= (uint)Length) throw new IndexOutOfRangeException();
                first[index] = value;
            }
        }

        /// <summary>A copy of all.</summary>
        public float[] ToArray()
        {
            var values = new float[Length];
            if (Length > 0) Marshal.Copy((IntPtr)first, values, 0, Length);
            return values;
        }

        /// <summary>Writes as many values in their place.</summary>
        public void CopyFrom(float[] values)
        {
            if (values == null) throw new ArgumentNullException(nameof(values));
            if (values.Length != Length) throw new ArgumentException($"values: {values.Length} of them; expected {Length}", nameof(values));
            Marshal.Copy(values, 0, (IntPtr)first, Length);
        }

#if NETSTANDARD2_1 || NETSTANDARD2_1_OR_GREATER || NETCOREAPP || NET5_0_OR_GREATER
        /// <summary>All of them.</summary>
        public Span<float> AsSpan() => new Span<float>(first, Length);
#endif
    }

    /// <summary>What an estimate of the clean samples is made from, valid during a callback alone. The functions
    /// diffuse_estimate_…() say what each is.</summary>
    public unsafe struct Estimate
    {
        private readonly IntPtr handle;
        private readonly int length;

        internal Estimate(IntPtr handle, int length)
        {
            this.handle = handle;
            this.length = length;
        }

        /// <summary>The noisy samples, as many as the values of the callback.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_estimate_x/*'/>
        public Floats X => new Floats((float*)Native.diffuse_estimate_x(handle), length);

        /// <summary>The time of the schedule.</summary>
        public double Time { get { Level(out double time, out _, out _); return time; } }

        /// <summary>Their noise level: the time of the schedule, and the shares of the clean sample and of the noise.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_estimate_level/*'/>
        public void Level(out double time, out double alpha, out double sigma)
        {
            double t, a, s;
            Failure.Check(Native.diffuse_estimate_level(handle, &t, &a, &s));
            (time, alpha, sigma) = (t, a, s);
        }

        /// <summary>The step of the run, counted from 0.</summary>
        public int Step { get { Steps(out int step, out _); return step; } }

        /// <summary>How many items there are.</summary>
        public int Items { get { Steps(out _, out int items); return items; } }

        /// <summary>Batch first. Guidance asks a network for twice the request's items.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_estimate_shape/*'/>
        public int[] Shape
        {
            get
            {
                UIntPtr rank;
                Failure.Check(Native.diffuse_estimate_shape(handle, null, UIntPtr.Zero, &rank));
                var axes = stackalloc UIntPtr[(int)rank];
                Failure.Check(Native.diffuse_estimate_shape(handle, axes, rank, &rank));
                return Axes.Of(axes, (int)rank);
            }
        }

        /// <summary>What a network of the host's is given as the time.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_estimate_time/*'/>
        public double NetworkTime
        {
            get
            {
                double time;
                Failure.Check(Native.diffuse_estimate_time(handle, &time));
                return time;
            }
        }

        /// <summary>What a network of the host's is given as the samples.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_estimate_input/*'/>
        public Floats NetworkInput
        {
            get
            {
                UIntPtr count;
                Failure.Check(Native.diffuse_estimate_input(handle, out IntPtr values, &count));
                return new Floats((float*)values, (int)count);
            }
        }

        /// <summary>The class of every item; null for a model without classes.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_estimate_classes/*'/>
        public long[] Classes
        {
            get
            {
                var classes = (long*)Native.diffuse_estimate_classes(handle);
                if (classes == null) return null;
                var copy = new long[Shape[0]];
                Marshal.Copy((IntPtr)classes, copy, 0, copy.Length);
                return copy;
            }
        }

        /// <summary>The condition called <paramref name="name"/> in the manifest, as doubles, and its shape: items first,
        /// unless it is one for all.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_estimate_condition/*'/>
        public double[] Condition(string name, out int[] shape)
        {
            int element;
            UIntPtr rank;
            var bytes = Utf8.Bytes(name, nameof(name));
            Failure.Check(Native.diffuse_estimate_condition(handle, bytes, &element, out IntPtr values, null, UIntPtr.Zero, &rank));
            var axes = stackalloc UIntPtr[(int)rank];
            Failure.Check(Native.diffuse_estimate_condition(handle, bytes, &element, out values, axes, rank, &rank));
            shape = Axes.Of(axes, (int)rank);
            var copy = new double[Axes.Length(shape)];
            for (var i = 0; i < copy.Length; i++)
            {
                copy[i] = element == Native.ELEMENT_F32 ? ((float*)values)[i]
                    : element == Native.ELEMENT_F64 ? ((double*)values)[i]
                    : ((long*)values)[i];
            }
            return copy;
        }

        /// <summary>Whether a network of the host's may return early, since its job was cancelled.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_estimate_is_cancelled/*'/>
        public bool IsCancelled
        {
            get
            {
                int cancelled;
                Failure.Check(Native.diffuse_estimate_is_cancelled(handle, &cancelled));
                return cancelled != 0;
            }
        }

        private void Steps(out int step, out int items)
        {
            UIntPtr at, count;
            Failure.Check(Native.diffuse_estimate_step(handle, &at, &count));
            (step, items) = ((int)at, (int)count);
        }
    }

    /// <summary>Code of the host's that changes an estimate of the clean samples, as guidance, or makes it, as the network.
    /// <paramref name="values"/> are those of all items one after the other. It is called on the thread that steps the
    /// job. An exception ends the step, and comes out of the call that waits for it.</summary>
    public delegate void EstimateCallback(Estimate estimate, Floats values);

    /// <summary>A callback, held until the library lets go of it.</summary>
    internal sealed unsafe class Held
    {
        // What the library calls is static and never collected.
        internal static readonly Native.Callback Call = Called;
        internal static readonly Native.Release Release = Released;

        private readonly EstimateCallback callback;

        private Held(EstimateCallback callback) { this.callback = callback; }

        /// <summary>Hands a callback to the library as user data, which <see cref="Release"/> frees: also where the call
        /// fails, but not where it is not made at all.</summary>
        internal static int Hand(EstimateCallback callback, Func<IntPtr, int> call) => Hand((object)new Held(callback), call);

        internal static int Hand(object thing, Func<IntPtr, int> call)
        {
            var held = GCHandle.Alloc(thing);
            try
            {
                return call(GCHandle.ToIntPtr(held));
            }
            catch
            {
                held.Free();
                throw;
            }
        }

        [AOT.MonoPInvokeCallback(typeof(Native.Callback))]
        private static int Called(IntPtr estimate, float* values, UIntPtr length, byte* message, UIntPtr capacity, IntPtr user_data)
        {
            try
            {
                var held = (Held)GCHandle.FromIntPtr(user_data).Target;
                held.callback(new Estimate(estimate, (int)length), new Floats(values, (int)length));
                return 0;
            }
            catch (ThreadAbortException exception)
            {
                // It must not go on through the library's frames; Rethrow takes it up behind them.
                Thread.ResetAbort();
                Aborted = true;
                Write(exception.Message, message, (int)capacity);
                return 1;
            }
            catch (Exception exception)
            {
                Thrown = exception;
                Write(exception.GetType().FullName + ": " + exception.Message, message, (int)capacity);
                return 1;
            }
        }

        [AOT.MonoPInvokeCallback(typeof(Native.Release))]
        private static void Released(IntPtr user_data) => GCHandle.FromIntPtr(user_data).Free();

        /// <summary>What a callback on this thread has thrown last.</summary>
        [ThreadStatic] private static Exception Thrown;

        /// <summary>Whether this thread was aborted in a callback.</summary>
        [ThreadStatic] private static bool Aborted;

        /// <summary>Throws what a callback on this thread threw, if that is why a call failed.</summary>
        internal static void Rethrow(int status)
        {
            var thrown = Thrown;
            Thrown = null;
            if (Aborted)
            {
                Aborted = false;
                Thread.CurrentThread.Abort();
            }
            if (status == Native.CALLBACK && thrown != null) ExceptionDispatchInfo.Capture(thrown).Throw();
        }

        private static void Write(string text, byte* message, int capacity)
        {
            var bytes = Encoding.UTF8.GetBytes(text.Replace('\0', ' '));
            var count = Math.Min(bytes.Length, capacity - 1);
            // No character is cut in two.
            while (count > 0 && count < bytes.Length && (bytes[count] & 0xC0) == 0x80) count--;
            if (count > 0) Marshal.Copy(bytes, 0, (IntPtr)message, count);
            message[Math.Max(count, 0)] = 0;
        }
    }

    internal static unsafe class Axes
    {
        internal static int[] Of(UIntPtr* axes, int rank)
        {
            var shape = new int[rank];
            for (var i = 0; i < rank; i++) shape[i] = checked((int)axes[i]);
            return shape;
        }

        /// <summary>As many as no array has are a number as well.</summary>
        internal static double Count(int[] shape)
        {
            var count = 1.0;
            foreach (var axis in shape) count *= axis;
            return count;
        }

        internal static int Length(int[] shape)
        {
            var length = 1;
            foreach (var axis in shape) length = checked(length * axis);
            return length;
        }
    }
}

#if !UNITY_5_3_OR_NEWER
namespace AOT
{
    /// <summary>Marks what native code calls: Unity's IL2CPP looks for the attribute by its name.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    internal sealed class MonoPInvokeCallbackAttribute : Attribute
    {
        internal MonoPInvokeCallbackAttribute(Type type) { Type = type; }

        internal Type Type { get; }
    }
}
#endif
