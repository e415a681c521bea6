using System;
using System.Collections.Generic;
using System.Threading;

namespace Diffuse
{
    /// <summary>What drawing is expected to take.</summary>
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

        /// <summary>Evaluations of the network.</summary>
        public ulong Evaluations { get; }

        /// <summary>Memory at its most.</summary>
        public ulong PeakBytes { get; }

        /// <summary>All of it.</summary>
        public TimeSpan Time { get; }

        /// <summary>Of which the text encoders.</summary>
        public TimeSpan EncodingTime { get; }

        /// <summary>Of which the decoder.</summary>
        public TimeSpan DecodingTime { get; }
    }

    /// <summary>What is to be drawn, and how. What is not set is as the model's manifest has it; values are checked against
    /// the model when a job is made. Each method returns the request, so that they can be chained. The functions
    /// diffuse_request_…() say what each may be.</summary>
    public sealed unsafe class Request : IDisposable
    {
        /// <summary>In place of an item: all of them.</summary>
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

        /// <summary>What guidance leads away from, likewise.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_negative_classes/*'/>
        public Request SetNegativeClasses(params long[] classes)
        {
            if (classes == null) throw new ArgumentNullException(nameof(classes));
            fixed (long* first = classes) return Did(Native.diffuse_request_set_negative_classes(Handle, first, (UIntPtr)classes.Length));
        }

        /// <summary>The class of all items, or of one of them, by its name; null takes it back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_class/*'/>
        public Request SetClass(string name, long item = AllItems) =>
            Did(Native.diffuse_request_set_class(Handle, item, Utf8.BytesOrNull(name, nameof(name))));

        /// <summary>The class that guidance leads away from, likewise.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_negative_class/*'/>
        public Request SetNegativeClass(string name, long item = AllItems) =>
            Did(Native.diffuse_request_set_negative_class(Handle, item, Utf8.BytesOrNull(name, nameof(name))));

        /// <summary>The prompt of all items, or of one of them; null takes it back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_prompt/*'/>
        public Request SetPrompt(string prompt, long item = AllItems) =>
            Did(Native.diffuse_request_set_prompt(Handle, item, Utf8.BytesOrNull(prompt, nameof(prompt))));

        /// <summary>The prompt that guidance leads away from, likewise.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_negative_prompt/*'/>
        public Request SetNegativePrompt(string prompt, long item = AllItems) =>
            Did(Native.diffuse_request_set_negative_prompt(Handle, item, Utf8.BytesOrNull(prompt, nameof(prompt))));

        /// <summary>The shape of the samples, where the model leaves it free: with the batch first, or without.</summary>
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

        /// <summary>Takes back what an option is set to.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_unset/*'/>
        public Request Unset(string option) => Did(Native.diffuse_request_unset(Handle, Utf8.Bytes(option, nameof(option))));

        /// <summary>The configuration of a scheduler of diffusers, as JSON.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_scheduler_config/*'/>
        public Request SetSchedulerConfig(string json) =>
            Did(Native.diffuse_request_set_scheduler_config(Handle, Utf8.Bytes(json, nameof(json))));

        /// <summary>Where diffusers does otherwise than this request with its scheduler's configuration, a line each.</summary>
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

        /// <summary>What a text encoder of the host's made of the prompts: tokens × width values for each of
        /// <paramref name="items"/> items, 1 for all, and pooled ones where the model takes them. null takes them
        /// back.</summary>
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

        /// <summary>What else the network is given, by its name in the manifest, with its shape; without one it is a list,
        /// of one item or of all one after the other.</summary>
        public Request SetCondition(string name, float[] values, int[] shape = null, bool negative = false)
        {
            fixed (float* first = values) return Condition(name, Native.ELEMENT_F32, first, values, shape, negative);
        }

        /// <summary>The same in whole numbers.</summary>
        public Request SetCondition(string name, long[] values, int[] shape = null, bool negative = false)
        {
            fixed (long* first = values) return Condition(name, Native.ELEMENT_I64, first, values, shape, negative);
        }

        /// <summary>The same in double precision.</summary>
        public Request SetCondition(string name, double[] values, int[] shape = null, bool negative = false)
        {
            fixed (double* first = values) return Condition(name, Native.ELEMENT_F64, first, values, shape, negative);
        }

        /// <summary>The same as one number, for every item.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_condition/*'/>
        public Request SetCondition(string name, double value, bool negative = false) =>
            Did(Native.diffuse_request_set_condition(Handle, Utf8.Bytes(name, nameof(name)), Native.ELEMENT_F64, (IntPtr)(&value), null, UIntPtr.Zero, negative ? 1 : 0));

        /// <summary>Takes a condition back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_condition/*'/>
        public Request UnsetCondition(string name, bool negative = false) =>
            Did(Native.diffuse_request_set_condition(Handle, Utf8.Bytes(name, nameof(name)), Native.ELEMENT_F32, IntPtr.Zero, null, UIntPtr.Zero, negative ? 1 : 0));

        /// <summary>A classifier that leads toward classes: one for all items, or one for each.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_classifier/*'/>
        public Request SetClassifier(Model classifier, params long[] classes)
        {
            if (classifier == null) throw new ArgumentNullException(nameof(classifier));
            if (classes == null) throw new ArgumentNullException(nameof(classes));
            fixed (long* first = classes) return Did(Native.diffuse_request_set_classifier(Handle, classifier.Handle, first, (UIntPtr)classes.Length));
        }

        /// <summary>Code that sees every estimate of the clean samples, and may change it; null takes it back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_guidance_callback_owned/*'/>
        public Request SetGuidance(EstimateCallback callback)
        {
            if (callback == null) return Did(Native.diffuse_request_set_guidance_callback_owned(Handle, null, IntPtr.Zero, null));
            return Did(Held.Hand(callback, held => Native.diffuse_request_set_guidance_callback_owned(Handle, Held.Call, held, Held.Release)));
        }

        /// <summary>Clean samples to start from, as <see cref="Model.Values"/> makes them; null takes them back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_image/*'/>
        public Request SetImage(float[] values)
        {
            NotEmpty(values, nameof(values));
            fixed (float* first = values) return Did(Native.diffuse_request_set_image(Handle, first, (UIntPtr)(values == null ? 0 : values.Length)));
        }

        /// <summary>What of the image is drawn anew: 1 is drawn, 0 kept. null takes it back.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_request_set_mask/*'/>
        public Request SetMask(float[] values)
        {
            NotEmpty(values, nameof(values));
            fixed (float* first = values) return Did(Native.diffuse_request_set_mask(Handle, first, (UIntPtr)(values == null ? 0 : values.Length)));
        }

        /// <summary>What drawing this will take, by three evaluations. diffuse_request_cost()</summary>
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

        /// <summary>Frees it. Jobs that were made of it are not concerned.</summary>
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

        /// <summary>The address of nothing is NULL, which would take back what is set.</summary>
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
