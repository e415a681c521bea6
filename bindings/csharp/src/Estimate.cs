using System;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

namespace Diffuse
{
    /// <summary>Numbers of the library. They are valid during a callback alone.</summary>
    public unsafe struct Floats
    {
        private readonly float* first;

        internal Floats(float* first, int length)
        {
            this.first = first;
            Length = length;
        }

        /// <summary>Their number.</summary>
        public int Length { get; }

        /// <summary>The address of the first number.</summary>
        public IntPtr Address => (IntPtr)first;

        /// <summary>One of the numbers.</summary>
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

        /// <summary>A copy of all numbers.</summary>
        public float[] ToArray()
        {
            var values = new float[Length];
            if (Length > 0) Marshal.Copy((IntPtr)first, values, 0, Length);
            return values;
        }

        /// <summary>Writes all of them. The array has the same length.</summary>
        public void CopyFrom(float[] values)
        {
            if (values == null) throw new ArgumentNullException(nameof(values));
            if (values.Length != Length) throw new ArgumentException($"values: {values.Length} of them; expected {Length}", nameof(values));
            Marshal.Copy(values, 0, (IntPtr)first, Length);
        }

#if NETSTANDARD2_1 || NETSTANDARD2_1_OR_GREATER || NETCOREAPP || NET5_0_OR_GREATER
        /// <summary>All numbers as a span.</summary>
        public Span<float> AsSpan() => new Span<float>(first, Length);
#endif
    }

    /// <summary>What an estimate of the clean samples is made from. It is valid during a callback alone. The functions
    /// diffuse_estimate_…() document each member.</summary>
    public unsafe struct Estimate
    {
        private readonly IntPtr handle;
        private readonly int length;

        internal Estimate(IntPtr handle, int length)
        {
            this.handle = handle;
            this.length = length;
        }

        /// <summary>The noisy samples.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_estimate_x/*'/>
        public Floats X => new Floats((float*)Native.diffuse_estimate_x(handle), length);

        /// <summary>The time of the schedule.</summary>
        public double Time { get { Level(out double time, out _, out _); return time; } }

        /// <summary>The noise level: the time of the schedule, and the shares of the clean sample and of the
        /// noise.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_estimate_level/*'/>
        public void Level(out double time, out double alpha, out double sigma)
        {
            double t, a, s;
            Failure.Check(Native.diffuse_estimate_level(handle, &t, &a, &s));
            (time, alpha, sigma) = (t, a, s);
        }

        /// <summary>The step of the run, counted from 0.</summary>
        public int Step { get { Steps(out int step, out _); return step; } }

        /// <summary>The number of items.</summary>
        public int Items { get { Steps(out _, out int items); return items; } }

        /// <summary>The shape of <see cref="X"/>, batch first. Under guidance a network gets twice the request's
        /// items.</summary>
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

        /// <summary>The time as the network's input has it. For networks of the host alone.</summary>
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

        /// <summary>The samples as the network's input has them. For networks of the host alone.</summary>
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

        /// <summary>The class of every item. null for a model without classes.</summary>
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

        /// <summary>The condition called <paramref name="name"/> in the manifest, as doubles, and its shape. Items are
        /// first, unless the manifest has one for all items.</summary>
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

        /// <summary>Whether the job was cancelled. A network of the host may then return early.</summary>
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

    /// <summary>The host's code that changes an estimate of the clean samples, as guidance, or makes it, as the
    /// network. <paramref name="values"/> are those of all items one after the other. It is called on the thread that
    /// steps the job. An exception ends the step and comes out of the call that made the step. On a worker it is the
    /// message of <see cref="Job.Error"/>.</summary>
    public delegate void EstimateCallback(Estimate estimate, Floats values);

    /// <summary>A callback, held until the library releases it.</summary>
    internal sealed unsafe class Held
    {
        // What the library calls is static and never collected.
        internal static readonly Native.Callback Call = Called;
        internal static readonly Native.Release Release = Released;

        private readonly EstimateCallback callback;

        private Held(EstimateCallback callback) { this.callback = callback; }

        /// <summary>Passes a callback to the library as user data, which <see cref="Release"/> frees, also if the call
        /// fails. It is not freed so if the call is not made at all.</summary>
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
                // It must not pass through the library's frames. Rethrow continues it behind them.
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

        /// <summary>The latest exception of a callback on this thread.</summary>
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
            // Cut between two characters of UTF-8.
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

        /// <summary>The number of values, also if it is larger than any array.</summary>
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
