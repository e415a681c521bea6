//! The providers that are known by name, and their options.

use ort::ep::{self, ArbitrarilyConfigurableExecutionProvider as Configurable, ExecutionProviderDispatch as Dispatch};

use crate::option::Kind::{self, Choice, Flag, Text, Whole};
use crate::option::OptionEntry;

/// The most threads that an evaluation can be given.
pub(crate) const MOST_THREADS: usize = 1024;

/// A provider that is known by name.
#[derive(Debug, Clone, Copy)]
pub struct ProviderEntry {
    /// The name that it is asked for by.
    pub name: &'static str,
    /// ONNX Runtime's name for it.
    pub registered_as: &'static str,
    /// What it runs on.
    pub summary: &'static str,
    /// The build of ONNX Runtime that has it, and what else it needs.
    pub needs: &'static str,
    /// The middle of the name of the library of its own that it has beside ONNX Runtime's, if any.
    pub library: Option<&'static str>,
    /// The options that it takes.
    pub options: &'static [OptionEntry],
    /// Makes it, with these options, for `ort`.
    pub(super) dispatch: fn(&[(String, String)]) -> Dispatch,
}

const fn option(key: &'static str, kind: Kind, summary: &'static str) -> OptionEntry {
    OptionEntry { key, kind, summary }
}

/// Every provider that is known by name. Others come as plugin libraries ([`Provider::plugin`](super::Provider::plugin)).
pub const PROVIDERS: &[ProviderEntry] = &[
    ProviderEntry {
        name: "cpu",
        registered_as: "CPUExecutionProvider",
        summary: "The CPU, through ONNX Runtime's own kernels.",
        needs: "any build",
        library: None,
        options: &[option(
            "use_arena",
            Flag,
            "Keep freed memory for the next evaluation (1, as it is unless set), or give it back (0).",
        )],
        dispatch: |options| {
            let arena = options.iter().all(|(_, value)| value == "1");
            ep::CPU::default().with_arena_allocator(arena).build()
        },
    },
    ProviderEntry {
        name: "cuda",
        registered_as: "CUDAExecutionProvider",
        summary: "NVIDIA GPUs.",
        needs: "the GPU build (PyPI onnxruntime-gpu), CUDA's runtime, cuBLAS, cuRAND, cuFFT, cuDNN and the driver",
        library: Some("cuda"),
        options: &[
            option("device_id", Whole(0, i32::MAX as u64), "Which GPU, counted from 0; 0 unless set."),
            option(
                "gpu_mem_limit",
                Whole(0, u64::MAX),
                "Bytes that its arena of GPU memory may grow to; no limit unless set.",
            ),
            option(
                "arena_extend_strategy",
                Choice(&["kNextPowerOfTwo", "kSameAsRequested"], &[]),
                "How the arena grows; by powers of two unless set.",
            ),
            option(
                "cudnn_conv_algo_search",
                Choice(&["EXHAUSTIVE", "HEURISTIC", "DEFAULT"], &[]),
                "How cuDNN's convolutions are chosen when a shape is first seen: by trying all (EXHAUSTIVE, unless set: a slow first evaluation), by rule, or fixed.",
            ),
            option(
                "cudnn_conv_use_max_workspace",
                Flag,
                "Let that search take as much memory as it likes; 1 unless set.",
            ),
            option(
                "cudnn_conv1d_pad_to_nc1d",
                Flag,
                "Lay out one-dimensional convolutions as [N,C,1,D]; 0 unless set.",
            ),
            option("enable_skip_layer_norm_strict_mode", Flag, "Sum in f32 in SkipLayerNormalization; 0 unless set."),
            option(
                "fuse_conv_bias",
                Flag,
                "Fuse convolutions with their bias, which takes long when a shape is first seen; 0 unless set.",
            ),
            option("prefer_nhwc", Flag, "Lay out tensors with the channels last; 0 unless set."),
            option(
                "sdpa_kernel",
                Whole(0, i32::MAX as u64),
                "Which attention kernels may be used, as ONNX Runtime's bits; its choice unless set.",
            ),
            option("tunable_op_enable", Flag, "Use tuned kernels; 0 unless set."),
            option("tunable_op_tuning_enable", Flag, "Tune them; 0 unless set."),
            option(
                "tunable_op_max_tuning_duration_ms",
                Whole(0, i32::MAX as u64),
                "Milliseconds that tuning one kernel may take; 0, which is no limit, unless set.",
            ),
            option("use_ep_level_unified_stream", Flag, "One stream for all threads; 0 unless set."),
            option(
                "use_tf32",
                Flag,
                "Round the factors of f32 products to 10 bits (TF32): faster, and off by about 1e-3. 0 unless set, unlike ONNX Runtime's own default.",
            ),
        ],
        dispatch: |options| {
            let exact = ep::CUDA::default().with_tf32(false);
            configured(exact, options)
        },
    },
    ProviderEntry {
        name: "tensorrt",
        registered_as: "TensorrtExecutionProvider",
        summary: "NVIDIA GPUs through TensorRT, which builds an engine for each new shape: minutes, unless a cache has it. It rounds the factors of f32 products to 10 bits (TF32) on GPUs that can, unless the environment says NVIDIA_TF32_OVERRIDE=0. Name cuda after it for the nodes that it does not take.",
        needs: "what cuda needs, and TensorRT 10",
        library: Some("tensorrt"),
        options: &[
            option("device_id", Whole(0, i32::MAX as u64), "Which GPU, counted from 0; 0 unless set."),
            option(
                "trt_max_workspace_size",
                Whole(0, u64::MAX),
                "Bytes of scratch memory; as much as the GPU has unless set.",
            ),
            option("trt_fp16_enable", Flag, "Compute in f16 where that is faster; 0 unless set."),
            option("trt_bf16_enable", Flag, "Compute in bf16 where that is faster; 0 unless set."),
            option("trt_int8_enable", Flag, "Compute in int8, which needs a calibration table; 0 unless set."),
            option("trt_int8_calibration_table_name", Text, "That table's file."),
            option("trt_int8_use_native_calibration_table", Flag, "That table is TensorRT's own; 0 unless set."),
            option(
                "trt_engine_cache_enable",
                Flag,
                "Keep engines in files, so that the next start takes seconds; 0 unless set.",
            ),
            option("trt_engine_cache_path", Text, "The folder of those files. They fit one GPU, driver and TensorRT."),
            option("trt_engine_cache_prefix", Text, "What their names begin with."),
            option(
                "trt_timing_cache_enable",
                Flag,
                "Keep timings of kernels in a file, so that the next engine takes less long; 0 unless set.",
            ),
            option("trt_timing_cache_path", Text, "The folder of that file."),
            option("trt_force_timing_cache", Flag, "Use timings of another GPU of the same kind; 0 unless set."),
            option("trt_builder_optimization_level", Whole(0, 5), "How hard an engine is optimised; 3 unless set."),
            option("trt_auxiliary_streams", Whole(0, 64), "Streams beside the main one; as TensorRT likes unless set."),
            option(
                "trt_min_subgraph_size",
                Whole(0, i32::MAX as u64),
                "Parts of the graph with fewer nodes are left to the next provider; 1 unless set.",
            ),
            option(
                "trt_max_partition_iterations",
                Whole(0, i32::MAX as u64),
                "How often the graph is divided again; 1000 unless set.",
            ),
            option(
                "trt_profile_min_shapes",
                Text,
                "The smallest shapes an engine is for, such as sample:1x3x32x32; the ones first seen unless set.",
            ),
            option("trt_profile_max_shapes", Text, "The largest."),
            option("trt_profile_opt_shapes", Text, "The ones it is best at."),
            option(
                "trt_op_types_to_exclude",
                Text,
                "Operators that are left to the next provider, separated by commas.",
            ),
            option(
                "trt_layer_norm_fp32_fallback",
                Flag,
                "Sum in f32 in layer normalisation when computing in f16; 0 unless set.",
            ),
            option("trt_sparsity_enable", Flag, "Use the weights' sparsity; 0 unless set."),
            option("trt_build_heuristics_enable", Flag, "Build engines by rule of thumb; 0 unless set."),
            option(
                "trt_force_sequential_engine_build",
                Flag,
                "Build one engine after another where there are several GPUs; 0 unless set.",
            ),
            option(
                "trt_context_memory_sharing_enable",
                Flag,
                "Share scratch memory between parts of the graph; 0 unless set.",
            ),
            option("trt_engine_hw_compatible", Flag, "Build engines that newer GPUs can use as well; 0 unless set."),
            option("trt_detailed_build_log", Flag, "Say more in the log; 0 unless set."),
        ],
        dispatch: |options| configured(ep::TensorRT::default(), options),
    },
    ProviderEntry {
        name: "openvino",
        registered_as: "OpenVINOExecutionProvider",
        summary: "Intel's CPUs, GPUs and NPUs, and other x86-64 CPUs, through OpenVINO. A model of opset 21 with GroupNormalization does not open in OpenVINO 2025.4; export it with opset 20.",
        needs: "the OpenVINO build (PyPI onnxruntime-openvino)",
        library: Some("openvino"),
        options: OPENVINO_OPTIONS,
        // The one provider that does not take 1 and 0 for a flag.
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
                "Where it may run; anywhere unless set.",
            ),
            option(
                "ModelFormat",
                Choice(&["NeuralNetwork", "MLProgram"], &[]),
                "What the graph is turned into; NeuralNetwork unless set.",
            ),
            option("RequireStaticInputShapes", Flag, "Take only nodes whose shapes are fixed; 0 unless set."),
            option("EnableOnSubgraphs", Flag, "Take nodes inside loops and branches; 0 unless set."),
            option(
                "SpecializationStrategy",
                Choice(&["Default", "FastPrediction"], &[]),
                "Quick to load or quick to run.",
            ),
            option("ProfileComputePlan", Flag, "Say in the log where each node runs; 0 unless set."),
            option("AllowLowPrecisionAccumulationOnGPU", Flag, "Sum in f16; 0 unless set."),
            option("ModelCacheDirectory", Text, "The folder that compiled networks are kept in."),
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
            "Which adapter, in DirectX's order, counted from 0; a fast one unless set.",
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
            option("dawnBackendType", Choice(&["Vulkan", "D3D12"], &[]), "What it goes through."),
            option("preferredLayout", Choice(&["NCHW", "NHWC"], &[]), "NHWC unless set."),
            option("storageBufferCacheMode", Choice(CACHES, &[]), "How freed buffers are kept."),
            option("uniformBufferCacheMode", Choice(CACHES, &[]), "How freed uniform buffers are kept."),
            option("queryResolveBufferCacheMode", Choice(CACHES, &[]), "How freed buffers of queries are kept."),
            option("defaultBufferCacheMode", Choice(CACHES, &[]), "How the others are kept."),
            option(
                "validationMode",
                Choice(&["disabled", "wgpuOnly", "basic", "full"], &[]),
                "How much is checked; basic unless set.",
            ),
            option("forceCpuNodeNames", Text, "Nodes that are left to the CPU, one in a line."),
        ],
        dispatch: |options| configured(ep::WebGPU::default(), options),
    },
    ProviderEntry {
        name: "nnapi",
        registered_as: "NnapiExecutionProvider",
        summary: "Android's Neural Networks API.",
        needs: "the Android build (Maven onnxruntime-android)",
        library: None,
        options: &[
            option("use_fp16", Flag, "Compute in f16; 0 unless set."),
            option("use_nchw", Flag, "Lay out tensors with the channels first; 0 unless set."),
            option("cpu_disabled", Flag, "Do not use its own CPU device; 0 unless set."),
            option("cpu_only", Flag, "Use nothing else, for tests; 0 unless set."),
        ],
        dispatch: |options| {
            let on = |name: &str| options.iter().any(|(key, value)| key == name && value == "1");
            ep::NNAPI::default()
                .with_fp16(on("use_fp16"))
                .with_nchw(on("use_nchw"))
                .with_disable_cpu(on("cpu_disabled"))
                .with_cpu_only(on("cpu_only"))
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
            option("backend_path", Text, "Qualcomm's backend library, such as libQnnHtp.so."),
            option("device_id", Whole(0, i32::MAX as u64), "Which device, counted from 0; 0 unless set."),
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
                "Speed against power.",
            ),
            option(
                "htp_graph_finalization_optimization_mode",
                Whole(0, 3),
                "How hard the graph is optimised; 0 unless set.",
            ),
            option("htp_arch", Whole(0, u32::MAX as u64), "The NPU's architecture; found out unless set."),
            option("soc_model", Text, "The chip's number; found out unless set."),
            option(
                "vtcm_mb",
                Whole(0, i32::MAX as u64),
                "Megabytes of the NPU's own memory; as much as there is unless set.",
            ),
            option("rpc_control_latency", Whole(0, u32::MAX as u64), "Microseconds."),
            option(
                "qnn_context_priority",
                Choice(&["low", "normal", "normal_high", "high"], &[]),
                "normal unless set.",
            ),
            option("enable_htp_fp16_precision", Flag, "Compute f32 in f16; 1 unless set."),
            option("enable_htp_weight_sharing", Flag, "Share weights between graphs; 0 unless set."),
            option("offload_graph_io_quantization", Flag, "Quantise inputs and outputs on the CPU; 1 unless set."),
            option("profiling_level", Choice(&["off", "basic", "detailed"], &[]), "off unless set."),
            option("profiling_file_path", Text, "Where the profile goes."),
        ],
        dispatch: |options| configured(ep::QNN::default(), options),
    },
    ProviderEntry {
        name: "xnnpack",
        registered_as: "XnnpackExecutionProvider",
        summary: "Processors of phones, through XNNPACK.",
        needs: "a build for Android or iOS",
        library: None,
        options: &[option(
            "intra_op_num_threads",
            Whole(0, MOST_THREADS as u64),
            "Threads of one evaluation; those of the model options unless set.",
        )],
        dispatch: |options| configured(ep::XNNPACK::default(), options),
    },
];

const OPENVINO_OPTIONS: &[OptionEntry] = &[
    option(
        "device_type",
        Text,
        "CPU, GPU, NPU, GPU.0, HETERO:GPU,CPU, …; CPU unless set. An NPU whose compiler fails is silently replaced by CPU, except where the CPU may not take nodes.",
    ),
    option(
        "precision",
        Choice(&["FP32", "FP16", "ACCURACY"], &[]),
        "What it computes in; as the device likes unless set: f32 on a CPU.",
    ),
    option("num_of_threads", Whole(1, MOST_THREADS as u64), "Threads of one evaluation; as OpenVINO likes unless set."),
    option("num_streams", Whole(1, 8), "Evaluations at a time; 1 unless set."),
    option("cache_dir", Text, "The folder that compiled networks are kept in."),
    option(
        "load_config",
        Text,
        "OpenVINO's own properties, as JSON: an object of them for each device (in a file, for versions that take a path).",
    ),
    option(
        "model_priority",
        Choice(&["LOW", "MEDIUM", "HIGH", "DEFAULT"], &[]),
        "Beside other networks on the device.",
    ),
    option("reshape_input", Text, "Shapes to compile for, such as sample[1,3,32,32]."),
    option("layout", Text, "Layouts of inputs and outputs, such as sample[NCHW]."),
    option("enable_opencl_throttling", Flag, "Let the CPU sleep while a GPU works; 0 unless set."),
    option("enable_qdq_optimizer", Flag, "Optimise quantised networks for an NPU; 0 unless set."),
    option("disable_dynamic_shapes", Flag, "Compile again for every new shape; 0 unless set, but on an NPU always 1."),
];

const CACHES: &[&str] = &["disabled", "lazyRelease", "simple", "bucket"];

fn configured<E: Configurable + Into<Dispatch>>(provider: E, options: &[(String, String)]) -> Dispatch {
    options.iter().fold(provider, |provider, (key, value)| provider.with_arbitrary_config(key, value)).into()
}
