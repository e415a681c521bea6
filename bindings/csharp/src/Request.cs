using System;
using System.Collections.Generic;
using System.Threading;

namespace Diffuse
{
    /// <summary>What drawing a request is expected to take.</summary>
    public struct Costs
    {
        internal Costs(Cost cost)
        {
            Evaluations = cost.evaluations;
            PeakBytes = cost.peak_bytes;
            Time = TimeSpan.FromMilliseconds(cost.milliseconds);
            EncodingTime = TimeSpan.FromMilliseconds(cost.encoding_milliseconds);
            DecodingTime = TimeSpan.FromMilliseconds(cost.decoding_milliseconds);
        }

        /// <summary>Estimates of the clean samples. Under guidance each may evaluate the network twice. 0 for a solver
        /// that chooses its own steps.</summary>
        public ulong Evaluations { get; }

        /// <summary>The peak of memory on the CPU, in bytes.</summary>
        public ulong PeakBytes { get; }

        /// <summary>The time of the whole run. Zero for a solver that chooses its own steps.</summary>
        public TimeSpan Time { get; }

        /// <summary>The part of it that encodes prompts and images.</summary>
        public TimeSpan EncodingTime { get; }

        /// <summary>The part of it that decodes latents.</summary>
        public TimeSpan DecodingTime { get; }
    }

    /// <summary>What is drawn, and how. What is not set is as the model's manifest has it. Values are checked against
    /// the model when a job is made. Each method returns the request, so that they can be chained. The functions
    /// diffuse_request_…() document each one.</summary>
    public sealed unsafe class Request : IDisposable
    {
        /// <summary>It stands for all items, in place of the number of one.</summary>
        public const long AllItems = Native.ALL_ITEMS;

        internal readonly RequestHandle Handle;

        /// <summary>Makes a request.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_new/*'/>
        public Request() { Failure.Check(Native.diffuse_request_new(out Handle)); }

        /// <summary>The seed. The same seed draws the same samples.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_seed/*'/>
        public Request SetSeed(ulong seed) => Did(Native.diffuse_request_set_seed(Handle, seed));

        /// <summary>How many items are drawn at once.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_count/*'/>
        public Request SetCount(int count)
        {
            if (count < 0) throw new ArgumentOutOfRangeException(nameof(count));
            return Did(Native.diffuse_request_set_count(Handle, (UIntPtr)count));
        }

        /// <summary>The classes by their numbers: one for all items, or one for each.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_classes/*'/>
        public Request SetClasses(params long[] classes)
        {
            if (classes == null) throw new ArgumentNullException(nameof(classes));
            fixed (long* first = classes) return Did(Native.diffuse_request_set_classes(Handle, first, (UIntPtr)classes.Length));
        }

        /// <summary>The classes that guidance leads away from: one for all items, or one for each.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_negative_classes/*'/>
        public Request SetNegativeClasses(params long[] classes)
        {
            if (classes == null) throw new ArgumentNullException(nameof(classes));
            fixed (long* first = classes) return Did(Native.diffuse_request_set_negative_classes(Handle, first, (UIntPtr)classes.Length));
        }

        /// <summary>The class of all items, or of one, by its name. null takes it back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_class/*'/>
        public Request SetClass(string name, long item = AllItems) =>
            Did(Native.diffuse_request_set_class(Handle, item, Utf8.BytesOrNull(name, nameof(name))));

        /// <summary>The class that guidance leads away from, by its name. null takes it back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_negative_class/*'/>
        public Request SetNegativeClass(string name, long item = AllItems) =>
            Did(Native.diffuse_request_set_negative_class(Handle, item, Utf8.BytesOrNull(name, nameof(name))));

        /// <summary>The prompt of all items, or of one. null takes it back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_prompt/*'/>
        public Request SetPrompt(string prompt, long item = AllItems) =>
            Did(Native.diffuse_request_set_prompt(Handle, item, Utf8.BytesOrNull(prompt, nameof(prompt))));

        /// <summary>The prompt that guidance leads away from. null takes it back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_negative_prompt/*'/>
        public Request SetNegativePrompt(string prompt, long item = AllItems) =>
            Did(Native.diffuse_request_set_negative_prompt(Handle, item, Utf8.BytesOrNull(prompt, nameof(prompt))));

        /// <summary>The shape of the samples, where the model leaves it free: with the batch first, or
        /// without.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_shape/*'/>
        public Request SetShape(params int[] axes)
        {
            if (axes == null) throw new ArgumentNullException(nameof(axes));
            var sizes = Sizes(axes, nameof(axes));
            fixed (UIntPtr* first = sizes) return Did(Native.diffuse_request_set_shape(Handle, first, (UIntPtr)sizes.Length));
        }

        /// <summary>Sets an option by its name. <see cref="Library.Options"/> lists them.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set/*'/>
        public Request Set(string option, string value) =>
            Did(Native.diffuse_request_set(Handle, Utf8.Bytes(option, nameof(option)), Utf8.Bytes(value, nameof(value))));

        /// <summary>Sets an option that is a number.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_number/*'/>
        public Request Set(string option, double value) =>
            Did(Native.diffuse_request_set_number(Handle, Utf8.Bytes(option, nameof(option)), value));

        /// <summary>Takes back the value of an option.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_unset/*'/>
        public Request Unset(string option) => Did(Native.diffuse_request_unset(Handle, Utf8.Bytes(option, nameof(option))));

        /// <summary>The configuration of a scheduler from diffusers, as JSON.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_scheduler_config/*'/>
        public Request SetSchedulerConfig(string json) =>
            Did(Native.diffuse_request_set_scheduler_config(Handle, Utf8.Bytes(json, nameof(json))));

        /// <summary>Where diffusers differs from this request with its scheduler's configuration, a line
        /// each.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_departures/*'/>
        public string Departures
        {
            get
            {
                return Utf8.Text(Handle, handle =>
                {
                    Failure.Check(Native.diffuse_request_departures(handle, out IntPtr lines));
                    return lines;
                });
            }
        }

        /// <summary>Embeddings of the host's own text encoder, in place of prompts: tokens × width values for each of
        /// <paramref name="items"/> items, or for all if that is 1. <paramref name="pooled"/> has the pooled ones,
        /// where the model takes them. null takes them back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_embeddings/*'/>
        public Request SetEmbeddings(float[] values, int items, int tokens, float[] pooled = null, bool negative = false)
        {
            if (values == null) return Did(Native.diffuse_request_set_embeddings(Handle, null, UIntPtr.Zero, UIntPtr.Zero, UIntPtr.Zero, null, UIntPtr.Zero, negative ? 1 : 0));
            NotEmpty(values, nameof(values));
            NotEmpty(pooled, nameof(pooled));
            if (items < 1 || tokens < 1 || values.Length % items != 0 || values.Length / items % tokens != 0)
                throw new ArgumentException($"values: {values.Length} of {items} items with {tokens} tokens; expected as many for each", nameof(values));
            if (pooled != null && pooled.Length % items != 0)
                throw new ArgumentException($"pooled: {pooled.Length} of {items} items; expected as many for each", nameof(pooled));
            fixed (float* first = values)
            fixed (float* second = pooled)
                return Did(Native.diffuse_request_set_embeddings(Handle, first, (UIntPtr)items, (UIntPtr)tokens, (UIntPtr)(values.Length / items / tokens), second, (UIntPtr)(pooled == null ? 0 : pooled.Length / items), negative ? 1 : 0));
        }

        /// <summary>A condition by its name in the manifest, with its shape. Without a shape it is a list, of one item
        /// or of all one after the other.</summary>
        public Request SetCondition(string name, float[] values, int[] shape = null, bool negative = false)
        {
            fixed (float* first = values) return Condition(name, Native.ELEMENT_F32, first, values, shape, negative);
        }

        /// <summary>A condition in whole numbers.</summary>
        public Request SetCondition(string name, long[] values, int[] shape = null, bool negative = false)
        {
            fixed (long* first = values) return Condition(name, Native.ELEMENT_I64, first, values, shape, negative);
        }

        /// <summary>A condition in double precision.</summary>
        public Request SetCondition(string name, double[] values, int[] shape = null, bool negative = false)
        {
            fixed (double* first = values) return Condition(name, Native.ELEMENT_F64, first, values, shape, negative);
        }

        /// <summary>A condition that is one number for every item.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_condition/*'/>
        public Request SetCondition(string name, double value, bool negative = false) =>
            Did(Native.diffuse_request_set_condition(Handle, Utf8.Bytes(name, nameof(name)), Native.ELEMENT_F64, (IntPtr)(&value), null, UIntPtr.Zero, negative ? 1 : 0));

        /// <summary>Takes a condition back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_condition/*'/>
        public Request UnsetCondition(string name, bool negative = false) =>
            Did(Native.diffuse_request_set_condition(Handle, Utf8.Bytes(name, nameof(name)), Native.ELEMENT_F32, IntPtr.Zero, null, UIntPtr.Zero, negative ? 1 : 0));

        /// <summary>A classifier, and the classes that it leads to: one for all items, or one for each.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_classifier/*'/>
        public Request SetClassifier(Model classifier, params long[] classes)
        {
            if (classifier == null) throw new ArgumentNullException(nameof(classifier));
            if (classes == null) throw new ArgumentNullException(nameof(classes));
            fixed (long* first = classes) return Did(Native.diffuse_request_set_classifier(Handle, classifier.Handle, first, (UIntPtr)classes.Length));
        }

        /// <summary>Code that sees every estimate of the clean samples and may change it. null takes it back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_guidance_callback_owned/*'/>
        public Request SetGuidance(EstimateCallback callback)
        {
            if (callback == null) return Did(Native.diffuse_request_set_guidance_callback_owned(Handle, null, IntPtr.Zero, null));
            return Did(Held.Hand(callback, held => Native.diffuse_request_set_guidance_callback_owned(Handle, Held.Call, held, Held.Release)));
        }

        /// <summary>Clean samples to start from, as <see cref="Model.Values"/> makes them. null takes them
        /// back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_image/*'/>
        public Request SetImage(float[] values)
        {
            NotEmpty(values, nameof(values));
            fixed (float* first = values) return Did(Native.diffuse_request_set_image(Handle, first, (UIntPtr)(values == null ? 0 : values.Length)));
        }

        /// <summary>Where the image is drawn anew (1) and kept (0). null takes it back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_mask/*'/>
        public Request SetMask(float[] values)
        {
            NotEmpty(values, nameof(values));
            fixed (float* first = values) return Did(Native.diffuse_request_set_mask(Handle, first, (UIntPtr)(values == null ? 0 : values.Length)));
        }

        /// <summary>What drawing this is expected to take, by three estimates. diffuse_request_cost()</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_cost/*'/>
        public Costs Cost(Model model, CancellationToken cancellation = default(CancellationToken))
        {
            if (model == null) throw new ArgumentNullException(nameof(model));
            var cost = new Cost { struct_size = (uint)sizeof(Cost) };
            using (var cancel = new Cancel(cancellation))
            {
                var status = Native.diffuse_request_cost(Handle, model.Handle, cancel.Handle, &cost);
                Held.Rethrow(status);
                Diffuse.Cancel.Check(status, cancellation);
            }
            return new Costs(cost);
        }

        /// <summary>Frees the request. Jobs that were made of it stay.</summary>
        public void Dispose() => Handle.Dispose();

        internal static RequestHandle HandleOf(Request request) => request == null ? RequestHandle.None : request.Handle;

        private Request Condition(string name, int element, void* first, Array values, int[] shape, bool negative)
        {
            var bytes = Utf8.Bytes(name, nameof(name));
            if (values == null) throw new ArgumentNullException(nameof(values));
            NotEmpty(values, nameof(values));
            var sizes = Sizes(shape ?? new[] { values.Length }, nameof(shape));
            var count = Axes.Count(shape ?? new[] { values.Length });
            if (count != values.Length) throw new ArgumentException($"values: {values.Length} of them; the shape has {count:0}", nameof(values));
            fixed (UIntPtr* axes = sizes)
                return Did(Native.diffuse_request_set_condition(Handle, bytes, element, (IntPtr)first, axes, (UIntPtr)sizes.Length, negative ? 1 : 0));
        }

        /// <summary>An empty array has the address NULL, which would take back what is set.</summary>
        private static void NotEmpty(Array values, string argument)
        {
            if (values != null && values.Length == 0) throw new ArgumentException(argument + ": there are none", argument);
        }

        private static UIntPtr[] Sizes(IReadOnlyList<int> axes, string argument)
        {
            var sizes = new UIntPtr[axes.Count];
            for (var i = 0; i < sizes.Length; i++)
            {
                if (axes[i] < 0) throw new ArgumentOutOfRangeException(argument, axes[i], "sizes are not negative");
                sizes[i] = (UIntPtr)axes[i];
            }
            return sizes;
        }

        private Request Did(int status)
        {
            Failure.Check(status);
            return this;
        }
    }
}
