// The functions, types and constants of diffuse.h. Generated from the header by its test. Do not edit.
using System;
using System.Runtime.InteropServices;

namespace Diffuse
{
    internal static unsafe class Native
    {
#if UNITY_IOS && !UNITY_EDITOR
        private const string Library = "__Internal";
#else
        private const string Library = "diffuse";
#endif

        internal const int ELEMENT_F32 = 0;
        internal const int ELEMENT_F16 = 1;
        internal const int ELEMENT_BF16 = 2;
        internal const int ELEMENT_F64 = 3;
        internal const int ELEMENT_I64 = 4;
        internal const int ELEMENT_I32 = 5;
        internal const int ELEMENT_I16 = 6;
        internal const int ELEMENT_I8 = 7;
        internal const int ELEMENT_U64 = 8;
        internal const int ELEMENT_U32 = 9;
        internal const int ELEMENT_U16 = 10;
        internal const int ELEMENT_U8 = 11;
        internal const int ELEMENT_BOOL = 12;
        internal const int JOB_IDLE = 0;
        internal const int JOB_RUNNING = 1;
        internal const int JOB_FINISHED = 2;
        internal const int JOB_STOPPED = 3;
        internal const int JOB_PAUSED = 4;
        internal const int STAGE_LOADING = 0;
        internal const int STAGE_ENCODING = 1;
        internal const int STAGE_SAMPLING = 2;
        internal const int STAGE_DECODING = 3;
        internal const int BOTTOM_UP = 1;
        internal const int BGRA = 2;
        internal const int ALL_ITEMS = -1;
        internal const int OK = 0;
        internal const int ARGUMENT = 1;
        internal const int MODEL = 2;
        internal const int RUNTIME = 3;
        internal const int EVALUATION = 4;
        internal const int IO = 5;
        internal const int CANCELLED = 6;
        internal const int BUSY = 7;
        internal const int PANIC = 8;
        internal const int PROVIDER = 9;
        internal const int CALLBACK = 10;
        internal const int MEMORY = 11;
        internal const int NOT_YET = 12;
        internal const int VERSION = 100;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int Callback(IntPtr estimate, float* values, UIntPtr length, byte* message, UIntPtr capacity, IntPtr user_data);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void LogSink(int severity, byte* message, IntPtr user_data);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void Release(IntPtr user_data);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_denoise(ModelHandle model, RequestHandle request, float* x, UIntPtr length, UIntPtr count, double t, double alpha, double sigma, CancelHandle cancel, float* denoised);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_log_density(ModelHandle model, RequestHandle request, float* x, UIntPtr length, UIntPtr count, UIntPtr directions, double tolerance, ulong seed, CancelHandle cancel, double* log_densities);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_variational_bound(ModelHandle model, RequestHandle request, float* x, UIntPtr length, UIntPtr count, byte[] variance, ulong seed, CancelHandle cancel, double* bits_per_dim);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_add_noise(ModelHandle model, RequestHandle request, float* x0, UIntPtr length, UIntPtr count, double time, ulong seed, float* x);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_cancel_new(out CancelHandle cancel);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern void diffuse_cancel_free(IntPtr cancel);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_cancel_cancel(CancelHandle cancel);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_error_message();

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_error_path();

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_error_errno();

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_estimate_x(IntPtr estimate);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_estimate_level(IntPtr estimate, double* t, double* alpha, double* sigma);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_estimate_step(IntPtr estimate, UIntPtr* step, UIntPtr* items);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_estimate_shape(IntPtr estimate, UIntPtr* axes, UIntPtr capacity, UIntPtr* rank);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_estimate_time(IntPtr estimate, double* time);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_estimate_input(IntPtr estimate, out IntPtr values, UIntPtr* length);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_estimate_classes(IntPtr estimate);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_estimate_condition(IntPtr estimate, byte[] name, int* element, out IntPtr values, UIntPtr* axes, UIntPtr capacity, UIntPtr* rank);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_estimate_is_cancelled(IntPtr estimate, int* cancelled);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_new(ModelHandle model, RequestHandle request, out JobHandle job);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_open(RuntimeHandle runtime, byte[] path, ModelOptionsHandle options, RequestHandle request, out JobHandle job);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_open_bytes(RuntimeHandle runtime, byte* bytes, UIntPtr length, ModelOptionsHandle options, RequestHandle request, out JobHandle job);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_model(JobHandle job, out ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern void diffuse_job_free(IntPtr job);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_start_from(JobHandle job, float* x, UIntPtr length);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_step(JobHandle job, int* finished);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_run(JobHandle job);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_advance(JobHandle job, ulong microseconds, int* finished);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_expected(JobHandle job, ulong* microseconds);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_start(JobHandle job);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_start_for(JobHandle job, ulong microseconds);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_pause(JobHandle job);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_poll(JobHandle job, int* state);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_wait(JobHandle job, ulong milliseconds, int* state);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_cancel(JobHandle job);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_progress(JobHandle job, UIntPtr* step, UIntPtr* steps);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_estimates(JobHandle job, ulong* estimates);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_stage(JobHandle job, int* stage, UIntPtr* done, UIntPtr* total);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_error(JobHandle job, int* status, byte[] message, UIntPtr capacity);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_shape(JobHandle job, UIntPtr* axes, UIntPtr capacity, UIntPtr* rank);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_read(JobHandle job, float* values, UIntPtr length);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_latents(JobHandle job, float* values, UIntPtr length, UIntPtr* needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_read_pixels(JobHandle job, UIntPtr item, byte* pixels, UIntPtr length, UIntPtr stride, uint flags);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_snapshot(JobHandle job, byte* bytes, UIntPtr capacity, UIntPtr* length);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_restore(JobHandle job, byte* bytes, UIntPtr length);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_preview(JobHandle job, float* values, UIntPtr length);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_job_preview_pixels(JobHandle job, UIntPtr item, byte* pixels, UIntPtr length, UIntPtr stride, uint flags);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_log_set(LogSink sink, IntPtr user_data);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_log_set_owned(LogSink sink, IntPtr user_data, Release release);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_new(out ModelOptionsHandle options);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern void diffuse_model_options_free(IntPtr options);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_set_threads(ModelOptionsHandle options, uint threads);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_set_spinning(ModelOptionsHandle options, int spinning);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_add_provider(ModelOptionsHandle options, byte[] provider);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_add_provider_library(ModelOptionsHandle options, byte[] provider, byte[] path);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_set_provider_option(ModelOptionsHandle options, byte[] provider, byte[] key, byte[] value);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_set_cpu_nodes(ModelOptionsHandle options, int cpu_nodes);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_set_manifest(ModelOptionsHandle options, byte[] json);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_add_external_data(ModelOptionsHandle options, byte[] name, byte* bytes, UIntPtr length);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_set_copy_weights(ModelOptionsHandle options, int copy_weights);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_set_cancel(ModelOptionsHandle options, CancelHandle cancel);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_set_memory(ModelOptionsHandle options, byte[] policy);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_options_set_priority(ModelOptionsHandle options, byte[] priority);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_open(RuntimeHandle runtime, byte[] path, ModelOptionsHandle options, out ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_open_bytes(RuntimeHandle runtime, byte* bytes, UIntPtr length, ModelOptionsHandle options, out ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_open_parts(RuntimeHandle runtime, IntPtr* names, IntPtr* bytes, UIntPtr* lengths, UIntPtr count, ModelOptionsHandle options, out ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_open_callback(byte[] manifest, Callback callback, IntPtr user_data, out ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_open_callback_owned(byte[] manifest, Callback callback, IntPtr user_data, Release release, out ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_trim(ModelHandle model, CancelHandle cancel);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern void diffuse_model_free(IntPtr model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_model_name(ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_model_manifest(ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_model_provider(ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_model_placement(ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_sha256(ModelHandle model, out IntPtr sha256);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_shape(ModelHandle model, UIntPtr* axes, UIntPtr capacity, UIntPtr* rank);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern UIntPtr diffuse_model_class_count(ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_model_classes(ModelHandle model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_class(ModelHandle model, byte[] name, long* class_index);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_level(ModelHandle model, double t, double* alpha, double* sigma);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_model_values(ModelHandle model, byte* pixels, UIntPtr length, UIntPtr stride, uint flags, float* values, UIntPtr capacity);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_new(out RequestHandle request);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_cost(RequestHandle request, ModelHandle model, CancelHandle cancel, Cost* cost);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern void diffuse_request_free(IntPtr request);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_seed(RequestHandle request, ulong seed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_count(RequestHandle request, UIntPtr count);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_classes(RequestHandle request, long* classes, UIntPtr count);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_class(RequestHandle request, long item, byte[] name);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_negative_class(RequestHandle request, long item, byte[] name);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_shape(RequestHandle request, UIntPtr* axes, UIntPtr rank);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set(RequestHandle request, byte[] key, byte[] value);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_number(RequestHandle request, byte[] key, double value);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_scheduler_config(RequestHandle request, byte[] json);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_departures(RequestHandle request, out IntPtr departures);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_unset(RequestHandle request, byte[] key);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_options();

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_prompt(RequestHandle request, long item, byte[] prompt);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_negative_prompt(RequestHandle request, long item, byte[] prompt);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_embeddings(RequestHandle request, float* embeddings, UIntPtr items, UIntPtr tokens, UIntPtr width, float* pooled, UIntPtr pooled_width, int negative);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_negative_classes(RequestHandle request, long* classes, UIntPtr count);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_condition(RequestHandle request, byte[] name, int element, IntPtr values, UIntPtr* axes, UIntPtr rank, int negative);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_classifier(RequestHandle request, ModelHandle classifier, long* classes, UIntPtr count);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_guidance_callback(RequestHandle request, Callback callback, IntPtr user_data);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_guidance_callback_owned(RequestHandle request, Callback callback, IntPtr user_data, Release release);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_image(RequestHandle request, float* values, UIntPtr length);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_request_set_mask(RequestHandle request, float* values, UIntPtr length);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_runtime_open(byte[] path, out RuntimeHandle runtime);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int diffuse_runtime_of_host(IntPtr @base, out RuntimeHandle runtime);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern void diffuse_runtime_free(IntPtr runtime);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_runtime_path(RuntimeHandle runtime);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_runtime_version(RuntimeHandle runtime);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_runtime_providers(RuntimeHandle runtime);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_status_name(int status);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr diffuse_version();

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern uint diffuse_version_number();
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Cost
    {
        internal uint struct_size;
        internal uint reserved;
        internal ulong evaluations;
        internal ulong peak_bytes;
        internal double milliseconds;
        internal double encoding_milliseconds;
        internal double decoding_milliseconds;
    }

    internal sealed class CancelHandle : SafeHandle
    {
        /// <summary>NULL.</summary>
        internal static readonly CancelHandle None = new CancelHandle();

        public CancelHandle() : base(IntPtr.Zero, true) { }

        public override bool IsInvalid => handle == IntPtr.Zero;

        protected override bool ReleaseHandle()
        {
            Native.diffuse_cancel_free(handle);
            return true;
        }
    }

    internal sealed class JobHandle : SafeHandle
    {
        /// <summary>NULL.</summary>
        internal static readonly JobHandle None = new JobHandle();

        public JobHandle() : base(IntPtr.Zero, true) { }

        public override bool IsInvalid => handle == IntPtr.Zero;

        protected override bool ReleaseHandle()
        {
            Native.diffuse_job_free(handle);
            return true;
        }
    }

    internal sealed class ModelHandle : SafeHandle
    {
        /// <summary>NULL.</summary>
        internal static readonly ModelHandle None = new ModelHandle();

        public ModelHandle() : base(IntPtr.Zero, true) { }

        public override bool IsInvalid => handle == IntPtr.Zero;

        protected override bool ReleaseHandle()
        {
            Native.diffuse_model_free(handle);
            return true;
        }
    }

    internal sealed class ModelOptionsHandle : SafeHandle
    {
        /// <summary>NULL.</summary>
        internal static readonly ModelOptionsHandle None = new ModelOptionsHandle();

        public ModelOptionsHandle() : base(IntPtr.Zero, true) { }

        public override bool IsInvalid => handle == IntPtr.Zero;

        protected override bool ReleaseHandle()
        {
            Native.diffuse_model_options_free(handle);
            return true;
        }
    }

    internal sealed class RequestHandle : SafeHandle
    {
        /// <summary>NULL.</summary>
        internal static readonly RequestHandle None = new RequestHandle();

        public RequestHandle() : base(IntPtr.Zero, true) { }

        public override bool IsInvalid => handle == IntPtr.Zero;

        protected override bool ReleaseHandle()
        {
            Native.diffuse_request_free(handle);
            return true;
        }
    }

    internal sealed class RuntimeHandle : SafeHandle
    {
        /// <summary>NULL.</summary>
        internal static readonly RuntimeHandle None = new RuntimeHandle();

        public RuntimeHandle() : base(IntPtr.Zero, true) { }

        public override bool IsInvalid => handle == IntPtr.Zero;

        protected override bool ReleaseHandle()
        {
            Native.diffuse_runtime_free(handle);
            return true;
        }
    }
}
