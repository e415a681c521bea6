//! The providers that are known by name, and their options.

use ort::ep::{self, ArbitrarilyConfigurableExecutionProvider as Configurable, ExecutionProviderDispatch as Dispatch};

use crate::option::Kind::{self, Choice, Flag, Text, Whole};
use crate::option::{Fallback, Group, OptionEntry, Options};

/// The provider that every build has and that takes every node.
pub(super) const CPU: &str = "cpu";

/// The provider of NVIDIA's GPUs.
pub(super) const CUDA: &str = "cuda";

/// Android's own provider, whose entry is not in ONNX Runtime's table of functions.
pub(super) const NNAPI: &str = "nnapi";

/// The greatest number of threads of an evaluation.
pub const MOST_THREADS: usize = 1024;

/// A provider that is known by name.
#[derive(Debug, Clone, Copy)]
pub struct ProviderEntry {
    /// The name by which it is requested.
    pub name: &'static str,
    /// ONNX Runtime's name for it.
    pub registered_as: &'static str,
    /// The devices that it runs on.
    pub summary: &'static str,
    /// The build of ONNX Runtime that has it, and what else it needs.
    pub needs: &'static str,
    /// The middle of the name of its own library beside ONNX Runtime's, if it has one.
    pub library: Option<&'static str>,
    /// The options that it takes.
    pub options: &'static [OptionEntry],
    /// Makes it with these options, for `ort`.
    pub(super) dispatch: fn(&[(String, String)]) -> Dispatch,
}

pub(super) const fn option(key: &'static str, kind: Kind, default: Fallback, summary: &'static str) -> OptionEntry {
    OptionEntry { key, group: Group::Provider, kind, default, summary }
}

const ON: Fallback = Fallback::Flag(true);
const OFF: Fallback = Fallback::Flag(false);

/// Every provider that is known by name. Others come as plugin libraries
/// ([`Provider::plugin`](super::Provider::plugin)).
pub const PROVIDERS: &[ProviderEntry] = &[
    ProviderEntry {
        name: CPU,
        registered_as: "CPUExecutionProvider",
        summary: "The CPU, through ONNX Runtime's own kernels.",
        needs: "any build",
        library: None,
        options: &[USE_ARENA],
        dispatch: |options| ep::CPU::default().with_arena_allocator(is_on(&USE_ARENA, options)).build(),
    },
    ProviderEntry {
        name: CUDA,
        registered_as: "CUDAExecutionProvider",
        summary: "NVIDIA GPUs.",
        needs: "the GPU build (PyPI onnxruntime-gpu), CUDA's runtime, cuBLAS, cuRAND, cuFFT, cuDNN and the driver",
        library: Some("cuda"),
        options: &[
            option("device_id", Whole(0, i32::MAX as u64), Fallback::Whole(0), "Which GPU, counted from 0."),
            option(
                "gpu_mem_limit",
                Whole(0, u64::MAX),
                Fallback::Phrase("no limit"),
                "The most bytes of its arena of GPU memory.",
            ),
            option(
                "arena_extend_strategy",
                Choice(&["kNextPowerOfTwo", "kSameAsRequested"], &[]),
                Fallback::Word("kNextPowerOfTwo"),
                "How the arena grows: by powers of two, or by the size that is requested.",
            ),
            option(
                "cudnn_conv_algo_search",
                Choice(&["EXHAUSTIVE", "HEURISTIC", "DEFAULT"], &[]),
                Fallback::Word("EXHAUSTIVE"),
                "How cuDNN's convolutions are chosen when a shape is first seen: by trying all, by rule, or fixed. EXHAUSTIVE makes the first evaluation slow.",
            ),
            option("cudnn_conv_use_max_workspace", Flag, ON, "Let that search take as much memory as it needs."),
            option("cudnn_conv1d_pad_to_nc1d", Flag, OFF, "Lay out one-dimensional convolutions as [N,C,1,D]."),
            option("enable_skip_layer_norm_strict_mode", Flag, OFF, "Sum in f32 in SkipLayerNormalization."),
            option(
                "fuse_conv_bias",
                Flag,
                OFF,
                "Fuse convolutions with their bias. This takes long when a shape is first seen.",
            ),
            option("prefer_nhwc", Flag, OFF, "Lay out tensors with the channels last."),
            option(
                "sdpa_kernel",
                Whole(0, i32::MAX as u64),
                Fallback::Phrase("ONNX Runtime's choice"),
                "The attention kernels that may be used, as ONNX Runtime's bits.",
            ),
            option("tunable_op_enable", Flag, OFF, "Use tuned kernels."),
            option("tunable_op_tuning_enable", Flag, OFF, "Tune kernels."),
            option(
                "tunable_op_max_tuning_duration_ms",
                Whole(0, i32::MAX as u64),
                Fallback::Whole(0),
                "The most milliseconds for tuning one kernel. 0 is no limit.",
            ),
            option("use_ep_level_unified_stream", Flag, OFF, "One stream for all threads."),
            USE_TF32,
        ],
        dispatch: |options| configured(ep::CUDA::default().with_tf32(is_on(&USE_TF32, options)), options),
    },
    ProviderEntry {
        name: "tensorrt",
        registered_as: "TensorrtExecutionProvider",
        summary: "NVIDIA GPUs through TensorRT. It builds an engine for each new shape, which takes minutes unless a cache has it. It rounds the factors of f32 products to 10 bits (TF32) on GPUs that can. NVIDIA_TF32_OVERRIDE=0 in the environment turns that off. Name cuda after it for the nodes that it does not support.",
        needs: "what cuda needs, and TensorRT 10",
        library: Some("tensorrt"),
        options: &[
            option("device_id", Whole(0, i32::MAX as u64), Fallback::Whole(0), "Which GPU, counted from 0."),
            option(
                "trt_max_workspace_size",
                Whole(0, u64::MAX),
                Fallback::Phrase("as much as the GPU has"),
                "The most bytes of scratch memory.",
            ),
            option("trt_fp16_enable", Flag, OFF, "Compute in f16 where that is faster."),
            option("trt_bf16_enable", Flag, OFF, "Compute in bf16 where that is faster."),
            option("trt_int8_enable", Flag, OFF, "Compute in int8, which needs a calibration table."),
            option("trt_int8_calibration_table_name", Text, Fallback::Nothing, "That table's file."),
            option("trt_int8_use_native_calibration_table", Flag, OFF, "That table is TensorRT's own."),
            option(
                "trt_engine_cache_enable",
                Flag,
                OFF,
                "Keep engines in files, so that the next start takes seconds.",
            ),
            option(
                "trt_engine_cache_path",
                Text,
                Fallback::Nothing,
                "The folder of those files. They fit one GPU, driver and TensorRT.",
            ),
            option("trt_engine_cache_prefix", Text, Fallback::Nothing, "The prefix of those files' names."),
            option(
                "trt_timing_cache_enable",
                Flag,
                OFF,
                "Keep timings of kernels in a file, so that the next engine is built faster.",
            ),
            option("trt_timing_cache_path", Text, Fallback::Nothing, "The folder of that file."),
            option("trt_force_timing_cache", Flag, OFF, "Use timings of another GPU of the same kind."),
            option(
                "trt_builder_optimization_level",
                Whole(0, 5),
                Fallback::Whole(3),
                "How hard an engine is optimised.",
            ),
            option(
                "trt_auxiliary_streams",
                Whole(0, 64),
                Fallback::Phrase("TensorRT's choice"),
                "The number of streams beside the main one.",
            ),
            option(
                "trt_min_subgraph_size",
                Whole(0, i32::MAX as u64),
                Fallback::Whole(1),
                "Parts of the graph with fewer nodes are left to the next provider.",
            ),
            option(
                "trt_max_partition_iterations",
                Whole(0, i32::MAX as u64),
                Fallback::Whole(1000),
                "How often the graph is divided again.",
            ),
            option(
                "trt_profile_min_shapes",
                Text,
                Fallback::Phrase("the shapes first seen"),
                "The smallest shapes of an engine, such as sample:1x3x32x32.",
            ),
            option("trt_profile_max_shapes", Text, Fallback::Nothing, "The largest shapes of an engine."),
            option("trt_profile_opt_shapes", Text, Fallback::Nothing, "The shapes that an engine is optimised for."),
            option(
                "trt_op_types_to_exclude",
                Text,
                Fallback::Nothing,
                "Operators that are left to the next provider, separated by commas.",
            ),
            option(
                "trt_layer_norm_fp32_fallback",
                Flag,
                OFF,
                "Sum in f32 in layer normalisation when computing in f16.",
            ),
            option("trt_sparsity_enable", Flag, OFF, "Use the weights' sparsity."),
            option("trt_build_heuristics_enable", Flag, OFF, "Build engines by rule of thumb."),
            option(
                "trt_force_sequential_engine_build",
                Flag,
                OFF,
                "Build one engine after another where there are several GPUs.",
            ),
            option("trt_context_memory_sharing_enable", Flag, OFF, "Share scratch memory between parts of the graph."),
            option("trt_engine_hw_compatible", Flag, OFF, "Build engines that newer GPUs can use as well."),
            option("trt_detailed_build_log", Flag, OFF, "Log more."),
        ],
        dispatch: |options| configured(ep::TensorRT::default(), options),
    },
    ProviderEntry {
        name: "openvino",
        registered_as: "OpenVINOExecutionProvider",
        summary: "Intel's CPUs, GPUs and NPUs, and other x86-64 CPUs, through OpenVINO. A model of opset 21 with GroupNormalization does not open in OpenVINO 2025.4. Export it with opset 20.",
        needs: "the OpenVINO build (PyPI onnxruntime-openvino)",
        library: Some("openvino"),
        options: OPENVINO_OPTIONS,
        // This is the one provider that does not take 1 and 0 for a flag.
        dispatch: |options| {
            let spelled: Vec<_> = options
                .iter()
                .map(|(key, value)| {
                    let flag = OPENVINO_OPTIONS.iter().any(|option| option.key == key && option.kind == Flag);
                    let value = if flag { (value == "1").to_string() } else { value.clone() };
                    (key.clone(), value)
                })
                .collect();
            configured(ep::OpenVINO::default(), &spelled)
        },
    },
    ProviderEntry {
        name: "coreml",
        registered_as: "CoreMLExecutionProvider",
        summary: "Apple's GPUs and Neural Engine.",
        needs: "a build for macOS or iOS",
        library: None,
        options: &[
            option(
                "MLComputeUnits",
                Choice(&["ALL", "CPUAndNeuralEngine", "CPUAndGPU", "CPUOnly"], &[]),
                Fallback::Word("ALL"),
                "The devices that it may run on.",
            ),
            option(
                "ModelFormat",
                Choice(&["NeuralNetwork", "MLProgram"], &[]),
                Fallback::Word("NeuralNetwork"),
                "The format that the graph is converted to.",
            ),
            option("RequireStaticInputShapes", Flag, OFF, "Take only nodes whose shapes are fixed."),
            option("EnableOnSubgraphs", Flag, OFF, "Take nodes inside loops and branches."),
            option(
                "SpecializationStrategy",
                Choice(&["Default", "FastPrediction"], &[]),
                Fallback::Nothing,
                "Whether the model loads fast or runs fast.",
            ),
            option("ProfileComputePlan", Flag, OFF, "Log where each node runs."),
            option("AllowLowPrecisionAccumulationOnGPU", Flag, OFF, "Sum in f16."),
            option("ModelCacheDirectory", Text, Fallback::Nothing, "The folder that compiled networks are kept in."),
        ],
        dispatch: |options| configured(ep::CoreML::default(), options),
    },
    ProviderEntry {
        name: "directml",
        registered_as: "DmlExecutionProvider",
        summary: "GPUs of every maker on Windows, through Direct3D 12.",
        needs: "the DirectML build (NuGet Microsoft.ML.OnnxRuntime.DirectML)",
        library: None,
        options: &[option(
            "device_id",
            Whole(0, i32::MAX as u64),
            Fallback::Phrase("a fast one"),
            "Which adapter, in DirectX's order, counted from 0.",
        )],
        dispatch: |options| {
            let device = options.first().and_then(|(_, value)| value.parse().ok());
            let provider = ep::DirectML::default()
                .with_performance_preference(ep::directml::PerformancePreference::HighPerformance);
            device.map_or(provider.clone(), |device| provider.with_device_id(device)).build()
        },
    },
    ProviderEntry {
        name: "webgpu",
        registered_as: "WebGpuExecutionProvider",
        summary: "GPUs of every maker, through Direct3D 12, Vulkan or Metal.",
        needs: "a build with WebGPU; the plugin library of PyPI onnxruntime-ep-webgpu, named by its path, serves any build",
        library: None,
        options: &[
            option(
                "dawnBackendType",
                Choice(&["Vulkan", "D3D12"], &[]),
                Fallback::Nothing,
                "The graphics API that it uses.",
            ),
            option("preferredLayout", Choice(&["NCHW", "NHWC"], &[]), Fallback::Word("NHWC"), "The layout of tensors."),
            option("storageBufferCacheMode", Choice(CACHES, &[]), Fallback::Nothing, "How freed buffers are kept."),
            option(
                "uniformBufferCacheMode",
                Choice(CACHES, &[]),
                Fallback::Nothing,
                "How freed uniform buffers are kept.",
            ),
            option(
                "queryResolveBufferCacheMode",
                Choice(CACHES, &[]),
                Fallback::Nothing,
                "How freed buffers of queries are kept.",
            ),
            option("defaultBufferCacheMode", Choice(CACHES, &[]), Fallback::Nothing, "How the others are kept."),
            option(
                "validationMode",
                Choice(&["disabled", "wgpuOnly", "basic", "full"], &[]),
                Fallback::Word("basic"),
                "How much is checked.",
            ),
            option("forceCpuNodeNames", Text, Fallback::Nothing, "The nodes that are left to the CPU, one in a line."),
        ],
        dispatch: |options| configured(ep::WebGPU::default(), options),
    },
    ProviderEntry {
        name: NNAPI,
        registered_as: "NnapiExecutionProvider",
        summary: "Android's Neural Networks API.",
        needs: "the Android build (Maven onnxruntime-android)",
        library: None,
        options: &[USE_FP16, USE_NCHW, CPU_DISABLED, CPU_ONLY],
        dispatch: |options| {
            ep::NNAPI::default()
                .with_fp16(is_on(&USE_FP16, options))
                .with_nchw(is_on(&USE_NCHW, options))
                .with_disable_cpu(is_on(&CPU_DISABLED, options))
                .with_cpu_only(is_on(&CPU_ONLY, options))
                .build()
        },
    },
    ProviderEntry {
        name: "qnn",
        registered_as: "QNNExecutionProvider",
        summary: "Qualcomm's NPUs and GPUs.",
        needs: "a QNN build (PyPI onnxruntime-qnn, Maven onnxruntime-android-qnn)",
        library: None,
        options: &[
            option("backend_path", Text, Fallback::Nothing, "Qualcomm's backend library, such as libQnnHtp.so."),
            option("device_id", Whole(0, i32::MAX as u64), Fallback::Whole(0), "Which device, counted from 0."),
            option(
                "htp_performance_mode",
                Choice(
                    &[
                        "default",
                        "burst",
                        "balanced",
                        "high_performance",
                        "high_power_saver",
                        "low_power_saver",
                        "low_balanced",
                        "power_saver",
                        "extreme_power_saver",
                        "sustained_high_performance",
                    ],
                    &[],
                ),
                Fallback::Nothing,
                "The balance of speed and power.",
            ),
            option(
                "htp_graph_finalization_optimization_mode",
                Whole(0, 3),
                Fallback::Whole(0),
                "How hard the graph is optimised.",
            ),
            option("htp_arch", Whole(0, u32::MAX as u64), Fallback::Phrase("found out"), "The NPU's architecture."),
            option("soc_model", Text, Fallback::Phrase("found out"), "The chip's number."),
            option(
                "vtcm_mb",
                Whole(0, i32::MAX as u64),
                Fallback::Phrase("as much as there is"),
                "Megabytes of the NPU's own memory.",
            ),
            option(
                "rpc_control_latency",
                Whole(0, u32::MAX as u64),
                Fallback::Nothing,
                "The latency of control calls, in microseconds.",
            ),
            option(
                "qnn_context_priority",
                Choice(&["low", "normal", "normal_high", "high"], &[]),
                Fallback::Word("normal"),
                "The priority beside other networks on the device.",
            ),
            option("enable_htp_fp16_precision", Flag, ON, "Compute f32 in f16."),
            option("enable_htp_weight_sharing", Flag, OFF, "Share weights between graphs."),
            option("offload_graph_io_quantization", Flag, ON, "Quantise inputs and outputs on the CPU."),
            option(
                "profiling_level",
                Choice(&["off", "basic", "detailed"], &[]),
                Fallback::Word("off"),
                "How much is measured.",
            ),
            option("profiling_file_path", Text, Fallback::Nothing, "The file of the profile."),
        ],
        dispatch: |options| configured(ep::QNN::default(), options),
    },
    ProviderEntry {
        name: "xnnpack",
        registered_as: "XnnpackExecutionProvider",
        summary: "CPUs of phones, through XNNPACK.",
        needs: "a build for Android or iOS",
        library: None,
        options: &[option(
            "intra_op_num_threads",
            Whole(0, MOST_THREADS as u64),
            Fallback::Phrase("those of the model options"),
            "Threads of one evaluation.",
        )],
        dispatch: |options| configured(ep::XNNPACK::default(), options),
    },
];

const USE_ARENA: OptionEntry =
    option("use_arena", Flag, ON, "Keep freed memory for the next evaluation (1), or give it back (0).");

const USE_TF32: OptionEntry = option(
    "use_tf32",
    Flag,
    OFF,
    "Round the factors of f32 products to 10 bits (TF32). It is faster, and off by about 1e-3. ONNX Runtime on its own turns it on.",
);

const USE_FP16: OptionEntry = option("use_fp16", Flag, OFF, "Compute in f16.");
const USE_NCHW: OptionEntry = option("use_nchw", Flag, OFF, "Lay out tensors with the channels first.");
const CPU_DISABLED: OptionEntry = option("cpu_disabled", Flag, OFF, "Do not use its own CPU device.");
const CPU_ONLY: OptionEntry = option("cpu_only", Flag, OFF, "Use nothing else, for tests.");

const OPENVINO_OPTIONS: &[OptionEntry] = &[
    option(
        "device_type",
        Text,
        Fallback::Word("CPU"),
        "The device, such as CPU, GPU, NPU, GPU.0 or HETERO:GPU,CPU. An NPU whose compiler fails is silently replaced by CPU, except where the CPU may not take nodes.",
    ),
    option(
        "precision",
        Choice(&["FP32", "FP16", "ACCURACY"], &[]),
        Fallback::Phrase("the device's choice, f32 on a CPU"),
        "The precision that it computes in.",
    ),
    option(
        "num_of_threads",
        Whole(1, MOST_THREADS as u64),
        Fallback::Phrase("OpenVINO's choice"),
        "Threads of one evaluation.",
    ),
    option("num_streams", Whole(1, 8), Fallback::Whole(1), "The number of evaluations at a time."),
    option("cache_dir", Text, Fallback::Nothing, "The folder that compiled networks are kept in."),
    option(
        "load_config",
        Text,
        Fallback::Nothing,
        "OpenVINO's own properties as JSON, with an object for each device. Some versions take a file's path instead.",
    ),
    option(
        "model_priority",
        Choice(&["LOW", "MEDIUM", "HIGH", "DEFAULT"], &[]),
        Fallback::Nothing,
        "The priority beside other networks on the device.",
    ),
    option("reshape_input", Text, Fallback::Nothing, "The shapes to compile for, such as sample[1,3,32,32]."),
    option("layout", Text, Fallback::Nothing, "The layouts of inputs and outputs, such as sample[NCHW]."),
    option("enable_opencl_throttling", Flag, OFF, "Let the CPU sleep while a GPU works."),
    option("enable_qdq_optimizer", Flag, OFF, "Optimise quantised networks for an NPU."),
    option("disable_dynamic_shapes", Flag, OFF, "Compile again for every new shape. An NPU always does so."),
];

const CACHES: &[&str] = &["disabled", "lazyRelease", "simple", "bucket"];

/// Whether a flag is on, by its value or by its default.
fn is_on(option: &OptionEntry, options: &[(String, String)]) -> bool {
    let set = options.iter().find(|(key, _)| key == option.key);
    set.map_or_else(|| option.flag(&Options::default()), |(_, value)| value == "1")
}

fn configured<E: Configurable + Into<Dispatch>>(provider: E, options: &[(String, String)]) -> Dispatch {
    options.iter().fold(provider, |provider, (key, value)| provider.with_arbitrary_config(key, value)).into()
}
