//! Models, and the options for opening them.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use ndarray::ArrayViewMut3;

use super::buffers::{c_string, slice, slice_mut, store, store_shape, string};
use super::cancel::{canceller_of, diffuse_cancel};
use super::estimate::{Callback, diffuse_callback};
use super::guard::{guard, quietly};
use super::handle::{Noun, borrow, borrow_mut, give, take};
use super::pixels::layout;
use super::runtime::diffuse_runtime;
use super::user_data::{UserData, diffuse_release};
use crate::error::{Error, Result};
use crate::model::Kind;
use crate::network::{HostNetwork, MOST_THREADS, Memory, ModelOptions, Provider};
use crate::priority::Priority;
use crate::request::Request;
use crate::stage::Model;
use crate::stage::pixels::from_rgba8;

/// The options for opening a model. The defaults are right for a program that does other things as well.
pub struct diffuse_model_options {
    _opaque: [u8; 0],
}

impl Noun for diffuse_model_options {
    type Value = ModelOptions;
    const NAME: &'static str = "model_options";
    const TAG: u64 = u64::from_le_bytes(*b"diff:opt");
}

/// A model: a network in ONNX Runtime and its manifest. Several threads may use it at once, and their evaluations take
/// turns. Jobs keep what they need of a model, so it may be freed while they live.
pub struct diffuse_model {
    _opaque: [u8; 0],
}

pub(super) struct ModelValue {
    pub(super) model: Arc<Model>,
    name: CString,
    manifest: CString,
    classes: CString,
    provider: CString,
    placement: CString,
    sha256: OnceLock<CString>,
}

impl Noun for diffuse_model {
    type Value = ModelValue;
    const NAME: &'static str = "model";
    const TAG: u64 = u64::from_le_bytes(*b"diff:mod");
}

/// Makes options with the default number of threads (diffuse_model_options_set_threads()), no spinning, and the model's
/// own manifest. Free them with diffuse_model_options_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_new(options: *mut *mut diffuse_model_options) -> i32 {
    // SAFETY: the pointer is as the header demands.
    guard(|| unsafe { give(options, "options", || Ok(ModelOptions::default())) })
}

/// Frees options. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_free(options: *mut diffuse_model_options) {
    // SAFETY: the handle is as the header demands.
    quietly((), || drop(unsafe { take(options) }));
}

/// Sets how many threads one evaluation uses, up to 1024. With 0 it uses one thread for each physical core, or for each
/// CPU that the opening thread may use if those are fewer. If that makes more than two, it uses one less and leaves
/// that core to the host. Default: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_set_threads(options: *mut diffuse_model_options, threads: u32) -> i32 {
    guard(|| {
        if threads as usize > MOST_THREADS {
            return Err(Error::argument("threads", format!("{threads}; at most {MOST_THREADS} are possible")));
        }
        // SAFETY: the handle is as the header demands.
        unsafe { borrow_mut(options, "options") }?.threads = threads as usize;
        Ok(())
    })
}

/// Sets whether idle threads spin while they wait (not 0) or sleep (0). Spinning makes evaluations that follow each
/// other at once a little faster. Between other evaluations it keeps a core busy. Default: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_set_spinning(options: *mut diffuse_model_options, spinning: i32) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow_mut(options, "options") }?.spinning = spinning != 0;
        Ok(())
    })
}

/// Adds the execution provider `provider`, such as "cuda", to those that evaluate the network. The file PROVIDERS.md
/// beside this header lists them.
///
/// Providers rank in the order in which they are added. The first that is available takes the nodes that it can, and
/// the next ones take the rest. Without any provider, the CPU evaluates the network. A provider that is not available
/// is passed over only if another one follows it. diffuse_model_placement() reports that. To fall back on the CPU, add
/// "cpu" last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_add_provider(
    options: *mut diffuse_model_options,
    provider: *const c_char,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (options, provider) = unsafe { (borrow_mut(options, "options")?, string(provider, "provider")?) };
        options.providers.push(Provider::new(provider)?);
        Ok(())
    })
}

/// Adds an execution provider that comes as a plugin library for ONNX Runtime, at `path`. `provider` is its name in all
/// further calls. The library is loaded when a model is first opened with it, and stays as long as the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_add_provider_library(
    options: *mut diffuse_model_options,
    provider: *const c_char,
    path: *const c_char,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (options, provider, path) =
            unsafe { (borrow_mut(options, "options")?, string(provider, "provider")?, string(path, "path")?) };
        options.providers.push(Provider::plugin(provider, path)?);
        Ok(())
    })
}

/// Sets the option `key` of `provider`, which was added before, to `value`. The file PROVIDERS.md lists the options.
/// Returns DIFFUSE_ARGUMENT if the provider has no such option, or if the option cannot have this value. The options of
/// plugin libraries are checked when a model is opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_set_provider_option(
    options: *mut diffuse_model_options,
    provider: *const c_char,
    key: *const c_char,
    value: *const c_char,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (options, name, key, value) = unsafe {
            (
                borrow_mut(options, "options")?,
                string(provider, "provider")?,
                string(key, "key")?,
                string(value, "value")?,
            )
        };
        let provider = options.providers.iter_mut().rfind(|provider| provider.name() == name);
        let missing = || Error::argument("provider", format!("no {name:?} was added to these options"));
        provider.ok_or_else(missing)?.set_option(key, value)
    })
}

/// Sets whether the CPU may take the nodes that no provider takes (not 0), without being a provider itself. In any case
/// it may take nodes that compute sizes, which CUDA leaves to the CPU by choice. It may also take the nodes of a
/// pipeline's parts beside its predictor, for which no step waits. Default: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_set_cpu_nodes(
    options: *mut diffuse_model_options,
    cpu_nodes: i32,
) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow_mut(options, "options") }?.cpu_nodes = cpu_nodes != 0;
        Ok(())
    })
}

/// Sets a manifest, as JSON, to use instead of the model's own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_set_manifest(
    options: *mut diffuse_model_options,
    json: *const c_char,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe { borrow_mut(options, "options")?.manifest = Some(string(json, "json")?.to_owned()) };
        Ok(())
    })
}

/// Adds a file of weights, for a model from bytes whose weights are in files of their own. `name` is the file's name as
/// the model spells it. Its `length` bytes are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_add_external_data(
    options: *mut diffuse_model_options,
    name: *const c_char,
    bytes: *const u8,
    length: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (options, name, bytes) =
            unsafe { (borrow_mut(options, "options")?, string(name, "name")?, slice(bytes, length, "bytes")?) };
        options.external_data.push((name.to_owned(), bytes.into()));
        Ok(())
    })
}

/// Sets whether weights in files of their own are read into memory (not 0) or mapped (0). Mapping is quicker and takes
/// less memory. But a program that overwrites such a file in place, while the model is open, ends this process (SIGBUS)
/// or changes what is drawn. Replacing the file with another one of the same name is harmless. Default: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_set_copy_weights(
    options: *mut diffuse_model_options,
    copy_weights: i32,
) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow_mut(options, "options") }?.copy_weights = copy_weights != 0;
        Ok(())
    })
}

/// Sets a handle that cancels an opening with these options from another thread. The opening then returns
/// DIFFUSE_CANCELLED. The handle may be freed meanwhile. NULL removes it. An execution provider's compiling is not cut
/// short. diffuse_job_open() has diffuse_job_cancel() instead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_set_cancel(
    options: *mut diffuse_model_options,
    cancel: *const diffuse_cancel,
) -> i32 {
    guard(|| {
        // SAFETY: the handles are as the header demands.
        let (options, canceller) = unsafe { (borrow_mut(options, "options")?, canceller_of(cancel)?) };
        options.canceller = (!cancel.is_null()).then_some(canceller);
        Ok(())
    })
}

/// Sets what happens to the parts of a folder while they are not evaluated. `policy` is "keep", "stage" or a number of
/// bytes. Default: "keep".
///
/// With "keep", the parts stay open. With "stage", each part is closed when its stage of a run is over. A run then
/// holds its largest part and no other. With a number of bytes, parts are closed where the files of the open ones have
/// more. The number may end in k, M or G, which are powers of 1000.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_set_memory(
    options: *mut diffuse_model_options,
    policy: *const c_char,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (options, policy) = unsafe { (borrow_mut(options, "options")?, string(policy, "policy")?) };
        options.memory = Memory::parse(policy)?;
        Ok(())
    })
}

/// Sets how urgent the work of the model is: "normal" or "background". Default: "normal".
///
/// "background" gives way to the host, whose frames go on while it draws. The threads that ONNX Runtime has for the
/// model then have a lower priority. So do the workers of its jobs (diffuse_job_start()). It is +10 of Linux's nice
/// values, Windows' THREAD_PRIORITY_LOWEST, or the utility class of macOS and iOS. This takes no privilege. If the
/// system refuses it, the log sink receives a message, and the work goes on.
///
/// The host's own threads keep their priority, also while they step a job. A callback of the host's that a worker calls
/// is as urgent as the worker. Jobs have the priority of their model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_set_priority(
    options: *mut diffuse_model_options,
    priority: *const c_char,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (options, priority) = unsafe { (borrow_mut(options, "options")?, string(priority, "priority")?) };
        options.priority = Priority::parse(priority)?;
        Ok(())
    })
}

/// Opens a model from a file, or from the folder of a pipeline. `path` is UTF-8. `options` may be NULL.
///
/// The manifest of a file is that of `options`, else the file beside it (model.diffuse.json for model.onnx), else the
/// one in its metadata.
///
/// A folder holds a pipeline that was exported to ONNX, such as Stable Diffusion, with its text encoders and its
/// autoencoder. Requests then have prompts, and the samples are pictures. The call looks at the graphs, and a run opens
/// them when it needs them.
///
/// Returns DIFFUSE_IO if a file cannot be read. Returns DIFFUSE_MODEL if it is no model, has no manifest, or if the two
/// do not fit. Returns DIFFUSE_PROVIDER if none of the providers is available, and the message names the missing
/// library. Returns DIFFUSE_PROVIDER also if they leave nodes of the network to the CPU without permission. To permit
/// that, add "cpu" last, or call diffuse_model_options_set_cpu_nodes().
///
/// On success, free `*model` with diffuse_model_free(). On failure, `*model` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_open(
    runtime: *const diffuse_runtime,
    path: *const c_char,
    options: *const diffuse_model_options,
    model: *mut *mut diffuse_model,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe {
        give(model, "model", || {
            let runtime = &borrow(runtime, "runtime")?.runtime;
            Ok(ModelValue::new(Model::open(runtime, Path::new(string(path, "path")?), &options_or_default(options)?)?))
        })
    })
}

/// Opens a model from the `length` bytes of its file, which are not needed afterwards. Otherwise it is as
/// diffuse_model_open().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_open_bytes(
    runtime: *const diffuse_runtime,
    bytes: *const u8,
    length: usize,
    options: *const diffuse_model_options,
    model: *mut *mut diffuse_model,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe {
        give(model, "model", || {
            let runtime = &borrow(runtime, "runtime")?.runtime;
            Ok(ModelValue::new(Model::from_bytes(
                runtime,
                slice(bytes, length, "bytes")?,
                &options_or_default(options)?,
            )?))
        })
    })
}

/// Opens a model of several parts from the bytes of its `count` files. `names` holds the path of each file within its
/// folder, such as "unet/model.onnx". `bytes` holds the address of each file's bytes, and `lengths` their number. The
/// bytes are copied, and kept for as long as the model is open. Otherwise it is as diffuse_model_open() for a folder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_open_parts(
    runtime: *const diffuse_runtime,
    names: *const *const c_char,
    bytes: *const *const u8,
    lengths: *const usize,
    count: usize,
    options: *const diffuse_model_options,
    model: *mut *mut diffuse_model,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe {
        give(model, "model", || {
            let runtime = &borrow(runtime, "runtime")?.runtime;
            let (names, lengths) = (slice(names, count, "names")?, slice(lengths, count, "lengths")?);
            let all = names.iter().zip(slice(bytes, count, "bytes")?.iter().zip(lengths));
            let part = |(name, (bytes, length)): (&*const c_char, (&*const u8, &usize))| {
                Ok((string(*name, "names")?.to_owned(), slice(*bytes, *length, "bytes")?.into()))
            };
            let files: BTreeMap<_, _> = all.map(part).collect::<Result<_>>()?;
            if files.len() < count {
                return Err(Error::argument("names", "two of the files have one name"));
            }
            Ok(ModelValue::new(Model::from_parts(runtime, files, &options_or_default(options)?)?))
        })
    })
}

/// Makes a model whose network is `callback`, a function of the host's, for hosts that run the network themselves.
/// Samplers, guidance and jobs are the same, and ONNX Runtime is not needed. `manifest` is as for a model file, without
/// names of inputs and outputs.
///
/// The callback writes the prediction that the manifest defines, in the shape of the samples, as one batch. If the
/// network also predicts a variance, the prediction has twice the channels. diffuse_estimate_time(), _input(),
/// _classes() and _condition() give the network's inputs. Several jobs may call the callback at once. The callback and
/// `user_data` must stay valid for as long as the model and its jobs live.
///
/// Returns DIFFUSE_MODEL if the manifest is wrong, with the reason in the message. On success, free `*model` with
/// diffuse_model_free(). On failure, `*model` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_open_callback(
    manifest: *const c_char,
    callback: diffuse_callback,
    user_data: *mut c_void,
    model: *mut *mut diffuse_model,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe { open_callback(manifest, callback, UserData::new(user_data, None), model) }
}

/// Makes a model as diffuse_model_open_callback() does, with a function that releases `user_data`. The library calls
/// `release` once nothing calls the callback any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_open_callback_owned(
    manifest: *const c_char,
    callback: diffuse_callback,
    user_data: *mut c_void,
    release: diffuse_release,
    model: *mut *mut diffuse_model,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe { open_callback(manifest, callback, UserData::new(user_data, release), model) }
}

/// # Safety
/// As [`diffuse_model_open_callback`].
unsafe fn open_callback(
    manifest: *const c_char,
    callback: diffuse_callback,
    user_data: UserData,
    model: *mut *mut diffuse_model,
) -> i32 {
    // SAFETY: passed on.
    guard(|| unsafe {
        give(model, "model", || {
            let callback = Callback::new(callback, user_data, "callback")?;
            let network = HostNetwork::new(move |question, output| callback.evaluate(question, output));
            Ok(ModelValue::new(Model::from_host(string(manifest, "manifest")?, Arc::new(network))?))
        })
    })
}

/// Returns memory to the system that evaluations needed for a time and do not need now. ONNX Runtime otherwise keeps it
/// for as long as the model is open. It is freed at the end of an evaluation, so the call makes one, of one item.
/// Memory on a device is left alone. For a network of the host's own, the call does nothing. `cancel` and the statuses
/// are as for diffuse_model_denoise().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_trim(model: *const diffuse_model, cancel: *const diffuse_cancel) -> i32 {
    // SAFETY: the handles are as the header demands.
    guard(|| unsafe { borrow(model, "model")?.model.trim(&canceller_of(cancel)?) })
}

/// Frees a model. NULL is fine. Jobs of the model go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_free(model: *mut diffuse_model) {
    // SAFETY: the handle is as the header demands.
    quietly((), || drop(unsafe { take(model) }));
}

/// Returns the model's name in its manifest, else the name of its file without the ending, else "model". Returns NULL
/// if `model` is not a valid handle. The string lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_name(model: *const diffuse_model) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let name = || unsafe { borrow(model, "model") }.map_or(std::ptr::null(), |value| value.name.as_ptr());
    quietly(std::ptr::null(), name)
}

/// Returns the manifest as JSON, with all defaults filled in. Returns NULL if `model` is not a valid handle. The string
/// lives as long as the handle.
///
/// A request that names no solver gets the solver, its options, the grid and the steps of this text. What has no
/// default is there only if the manifest sets it. The same holds for the names of inputs and outputs. The text is for
/// reading, and not for opening a model. A grid and steps in a manifest also hold for a solver that a request names.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_manifest(model: *const diffuse_model) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let manifest = || unsafe { borrow(model, "model") }.map_or(std::ptr::null(), |value| value.manifest.as_ptr());
    quietly(std::ptr::null(), manifest)
}

/// Returns the name of the execution provider in use, as it was added. It is the first of those added that evaluates a
/// part of the network. For a network of the host's own, it is "host". Returns NULL if `model` is not a valid handle.
/// The string lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_provider(model: *const diffuse_model) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let provider = || unsafe { borrow(model, "model") }.map_or(std::ptr::null(), |value| value.provider.as_ptr());
    quietly(std::ptr::null(), provider)
}

/// Returns as JSON which execution provider evaluates how many nodes, and which providers were passed over. An example
/// is {"provider": "cpu", "nodes": [{"provider": "cpu", "nodes": 123}], "skipped": [{"provider": "cuda", "reason":
/// "…"}]}. The list `nodes` is empty if no provider was added. Returns NULL if `model` is not a valid handle. The
/// string lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_placement(model: *const diffuse_model) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let placement = || unsafe { borrow(model, "model") }.map_or(std::ptr::null(), |value| value.placement.as_ptr());
    quietly(std::ptr::null(), placement)
}

/// Writes the SHA-256 by which the model is known to `*sha256`, in hexadecimal. It is the SHA-256 of the lines that
/// `sha256sum` prints for the model's parts. The parts are "graph", each file of weights by its name in the graph, and
/// "manifest", the one in use. For a network of the host's own, it is the SHA-256 of the manifest. The string lives as
/// long as the handle.
///
/// The first call reads the files. Returns DIFFUSE_IO if one was changed since the model was opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_sha256(model: *const diffuse_model, sha256: *mut *const c_char) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let value = unsafe { borrow(model, "model") }?;
        let text = c_string(&value.model.hash()?);
        let text = value.sha256.get_or_init(|| text);
        // SAFETY: as above.
        unsafe { store(sha256, text.as_ptr(), "sha256") }
    })
}

/// Writes the shape of one item, without the batch. For an image it is channels, height, width. The sizes go into
/// `axes`, which has room for `capacity`, and their number into `*rank`. With a `capacity` of 0 the call only writes
/// the number.
///
/// The shape is the manifest's. A network with free axes need not keep to it. A size is 0 if the manifest leaves it
/// free as well. For a folder, the shape is that of a picture of the usual size. The options width and height change
/// that size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_shape(
    model: *const diffuse_model,
    axes: *mut usize,
    capacity: usize,
    rank: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe {
            let model = &borrow(model, "model")?.model;
            let shape = model.drawn().shape.bound_or(&model.sizes(), 0);
            store_shape(&shape, axes, capacity, rank)
        }
    })
}

/// Returns how many classes the model has, without the null class. Returns 0 if it has none, or if `model` is not a
/// valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_class_count(model: *const diffuse_model) -> usize {
    // SAFETY: the handle is as the header demands.
    let value = || unsafe { borrow(model, "model") }.ok();
    quietly(0, || value().and_then(|value| Some(value.model.manifest().classes.as_ref()?.count())).unwrap_or(0))
}

/// Returns the names of the classes in the order of their numbers, as a JSON array of strings. A class without a name
/// has its number instead. The null class, whose name is "none", is left out. The array is [] if the model has no
/// classes. Returns NULL if `model` is not a valid handle. The string lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_classes(model: *const diffuse_model) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let classes = || unsafe { borrow(model, "model") }.map_or(std::ptr::null(), |value| value.classes.as_ptr());
    quietly(std::ptr::null(), classes)
}

/// Writes the number of the class `name` to `*class_index`. `name` may also be the number as text, or "none" for the
/// null class. Returns DIFFUSE_ARGUMENT if the model has no such class.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_class(
    model: *const diffuse_model,
    name: *const c_char,
    class_index: *mut i64,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe { store(class_index, borrow(model, "model")?.model.class(string(name, "name")?)?, "class_index") }
    })
}

/// Writes the noise level at the time `t` of the model's schedule: x = alpha·x₀ + sigma·ε. The cleanest time is 0, and
/// below 0 lies the clean sample. Returns DIFFUSE_ARGUMENT if `t` is beyond the schedule's times, or no number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_level(
    model: *const diffuse_model,
    t: f64,
    alpha: *mut f64,
    sigma: *mut f64,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe {
            let level = borrow(model, "model")?.model.level(t)?;
            store(alpha, level.alpha, "alpha")?;
            store(sigma, level.sigma, "sigma")
        }
    })
}

/// Makes values from pixels, for an image model. It is the opposite of diffuse_job_read_pixels(), with the same
/// `length`, `stride` and `flags`. The pixels are one image of the model's size. `capacity` is at least the number of
/// values of an item.
///
/// Opaque pixels stay the same when the values are drawn as pixels again. A model without alpha gets transparent pixels
/// over white. A grey model gets the luma of ITU-R BT.601.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_values(
    model: *const diffuse_model,
    pixels: *const u8,
    length: usize,
    stride: usize,
    flags: u32,
    values: *mut f32,
    capacity: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (model, pixels, out) = unsafe {
            (&borrow(model, "model")?.model, slice(pixels, length, "pixels")?, slice_mut(values, capacity, "values")?)
        };
        let own = model.drawn();
        let wrong =
            |_| Error::argument("capacity", format!("{capacity}; this model's items are {}, as images", own.shape));
        let shape = own.shape.bound(&model.sizes()).filter(|_| own.kind() == Kind::Image).unwrap_or_default();
        let [channels, height, width] = shape[..] else { return Err(wrong(())) };
        let image = ArrayViewMut3::from_shape((channels, height, width), out).map_err(|_| wrong(()))?;
        from_rgba8(pixels, layout(stride, flags)?, own.range().unwrap_or([-1.0, 1.0]), image)
    })
}

impl ModelValue {
    pub(super) fn new(model: impl Into<Arc<Model>>) -> Self {
        let model = model.into();
        let manifest = Request::manifest_of(&model).to_string();
        let classes = model.manifest().classes.as_ref();
        let names: Vec<String> = classes.map_or_else(Vec::new, |all| (0..all.count()).map(|i| all.name(i)).collect());
        let placement = model.placement();
        Self {
            name: c_string(model.name()),
            manifest: c_string(&manifest),
            classes: c_string(&serde_json::json!(names).to_string()),
            provider: c_string(&placement.provider),
            placement: c_string(&serde_json::to_string(placement).unwrap_or_default()),
            model,
            sha256: OnceLock::new(),
        }
    }
}

/// # Safety
/// `options` is NULL or a handle.
pub(super) unsafe fn options_or_default(options: *const diffuse_model_options) -> Result<ModelOptions> {
    if options.is_null() {
        return Ok(ModelOptions::default());
    }
    // SAFETY: passed on.
    unsafe { borrow(options, "options") }.cloned()
}
