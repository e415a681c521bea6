//! Models, and how they are opened.

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

/// How a model is opened. A fresh one is right for a program that does other things as well.
pub struct diffuse_model_options {
    _opaque: [u8; 0],
}

impl Noun for diffuse_model_options {
    type Value = ModelOptions;
    const NAME: &'static str = "model_options";
    const TAG: u64 = u64::from_le_bytes(*b"diff:opt");
}

/// A model: a network in ONNX Runtime and its manifest. Several threads may use it at once; evaluations take turns.
/// Jobs keep what they need of it, so it may be freed while they live.
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

/// Makes options: the default number of threads (diffuse_model_options_set_threads()), no spinning, the model's own
/// manifest. Free them with diffuse_model_options_free().
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

/// How many threads one evaluation uses, up to 1024. 0 is one per physical core, less one where there are more than
/// two: that core is left to the host.
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

/// Whether idle threads spin while they wait (not 0) or sleep (0). Spinning makes evaluations that follow each other at
/// once a little faster and burns a core between those that do not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_options_set_spinning(options: *mut diffuse_model_options, spinning: i32) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow_mut(options, "options") }?.spinning = spinning != 0;
        Ok(())
    })
}

/// Adds the execution provider called `provider`, such as "cuda", to those that evaluate the network; the file
/// PROVIDERS.md beside the header has them. They are wanted in the order in which they are added: the first that can be
/// had takes the nodes that it can, the next ones the rest. Without any it is the CPU alone. One that cannot be had is
/// passed over only if there is another after it, and diffuse_model_placement() says so; to go on with the CPU, add
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

/// Adds a provider that comes as a plugin library for ONNX Runtime, at `path`, and is called `provider` from here on.
/// The library is loaded when a model is first opened with it, and stays as long as the process.
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
/// One that the provider does not have, or a value that it cannot have, is DIFFUSE_ARGUMENT; those of plugin libraries
/// are checked when a model is opened.
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

/// Whether the CPU may take the nodes that none of the providers takes (not 0), without being one of them. In any case
/// it may take those that compute sizes, which CUDA leaves to the CPU by choice, and those of a pipeline's parts beside
/// its predictor, for which no step waits.
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

/// A manifest, as JSON, to use instead of the model's own.
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

/// For a model from bytes whose weights are in files of their own: a file's name, as the model spells it, and its
/// bytes, which are copied.
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

/// Whether weights that lie in files of their own are read into memory (not 0) or mapped (0). Mapping is quicker and
/// takes less memory, but a program that overwrites such a file in place, while the model is open, ends this process
/// (SIGBUS) or changes what is drawn. Replacing the file by another one of its name is harmless.
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

/// What ends an opening with these options from another thread, which then is DIFFUSE_CANCELLED; it may be freed
/// meanwhile. NULL takes it back. The compiling of a provider is not cut short. diffuse_job_open() has
/// diffuse_job_cancel() instead.
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

/// What becomes of the parts of a folder that are not evaluated at the time: `policy` is "keep" (they stay open, which
/// is so unless set), "stage" (each is given back when its stage of a run is over, so that a run holds its largest part
/// and no other), or a number of bytes, which may end in k, M or G: they are given back where the files of those that
/// are open have more.
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

/// How urgent the work of the model is: `priority` is "normal", or "background" for what gives way to the host, whose
/// frames go on while it draws: the threads that ONNX Runtime has for it, and the workers of its jobs
/// (diffuse_job_start()), then have a lower priority, by +10 of Linux's nice values, Windows' lowest, and the utility
/// class of macOS and iOS, which takes no privilege. The host's own threads keep theirs, also while they step a job.
/// A callback of the host's that a worker calls is as urgent as the worker. What the system refuses is said to the log
/// sink, and goes on as it is. Jobs have that of their model. "normal" unless set.
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

/// Opens the model file at `path` (UTF-8). Its manifest is that of `options`, else the file beside it
/// (model.diffuse.json for model.onnx), else the one in its metadata. `options` may be NULL.
///
/// Or opens the folder at `path`: one of a pipeline that was exported to ONNX, such as Stable Diffusion, with its text
/// encoders and its autoencoder; requests then have prompts, and what is drawn is pictures. Its graphs are looked at,
/// and opened when a run needs them.
///
/// DIFFUSE_IO if a file cannot be read, DIFFUSE_MODEL if it is no model, has no manifest, or the two do not fit,
/// DIFFUSE_PROVIDER if none of the providers can be had, with the library that is missing, or if they leave nodes of
/// the network to the CPU, which was not asked for: add "cpu" last, or allow it with
/// diffuse_model_options_set_cpu_nodes(). On success `*model` is to be freed with diffuse_model_free(); on failure it
/// is NULL.
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

/// Opens a model from the bytes of its file, which are not needed afterwards. As diffuse_model_open() otherwise.
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

/// Opens a model of several parts from the bytes of its files: `count` of them, each with its path from the folder that
/// it would lie in in `names`, such as "unet/model.onnx", its bytes in `bytes` and their number in `lengths`. They are
/// copied, and kept for as long as the model is open. As diffuse_model_open() otherwise, of a folder.
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

/// Makes a model whose network is the host's own code, `callback`, for hosts that run it themselves; samplers, guidance
/// and jobs are the same, and ONNX Runtime is not needed. `manifest` is as for a model file, without names of inputs
/// and outputs. The callback writes what the manifest says that the network predicts, of the samples' shape (with twice
/// the channels where it says a variance), as one batch; diffuse_estimate_time(), _input(), _classes() and _condition()
/// have what it is given. It may be called by several jobs at once, and has to stay valid, as `user_data`, for as long
/// as the model and its jobs do.
///
/// DIFFUSE_MODEL with what is wrong in the manifest. On success `*model` is to be freed with diffuse_model_free(); on
/// failure it is NULL.
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

/// The same with a function that lets go of `user_data`, once nothing calls the callback any more.
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

/// Gives back to the system what evaluations have needed at a time and do not need now; ONNX Runtime keeps it otherwise
/// for as long as the model is open. That is done at the end of an evaluation, which this makes, of one item. What lies
/// on a device is left alone. As diffuse_model_denoise().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_trim(model: *const diffuse_model, cancel: *const diffuse_cancel) -> i32 {
    // SAFETY: the handles are as the header demands.
    guard(|| unsafe { borrow(model, "model")?.model.trim(&canceller_of(cancel)?) })
}

/// Frees a model. NULL is fine. Jobs of it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_free(model: *mut diffuse_model) {
    // SAFETY: the handle is as the header demands.
    quietly((), || drop(unsafe { take(model) }));
}

/// The model's name in its manifest, else that of its file without the ending, else "model"; NULL if `model` is none.
/// The string lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_name(model: *const diffuse_model) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let name = || unsafe { borrow(model, "model") }.map_or(std::ptr::null(), |value| value.name.as_ptr());
    quietly(std::ptr::null(), name)
}

/// The manifest, as JSON with all defaults filled in; NULL if `model` is none. What it says of the solver, its options,
/// the grid and the steps is what a request gets that names no solver. What has no default is there only if the
/// manifest gives it, and so are the names of inputs and outputs. It is to be read, not to open a model with: a grid
/// and steps that stand in a manifest are also those of a solver that a request names. The string lives as long as the
/// handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_manifest(model: *const diffuse_model) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let manifest = || unsafe { borrow(model, "model") }.map_or(std::ptr::null(), |value| value.manifest.as_ptr());
    quietly(std::ptr::null(), manifest)
}

/// The execution provider in use, by the name it was added with: the first of those added that evaluates a part of the
/// network; "host" for a network of the host's own; NULL if `model` is none. The string lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_provider(model: *const diffuse_model) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let provider = || unsafe { borrow(model, "model") }.map_or(std::ptr::null(), |value| value.provider.as_ptr());
    quietly(std::ptr::null(), provider)
}

/// The same in full, as JSON: {"provider": "cpu", "nodes": [{"provider": "cpu", "nodes": 123}], "skipped":
/// [{"provider": "cuda", "reason": "…"}]}, where `nodes` is empty if no provider was added; NULL if `model` is none.
/// The string lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_placement(model: *const diffuse_model) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let placement = || unsafe { borrow(model, "model") }.map_or(std::ptr::null(), |value| value.placement.as_ptr());
    quietly(std::ptr::null(), placement)
}

/// What the model is known by, in hexadecimal, in `*sha256`: the SHA-256 of the lines that `sha256sum` prints of its
/// parts ("graph", each file with weights by its name in the graph, and "manifest", the one in use); of the manifest,
/// for a network of the host's own. The string lives as long as the handle. Files are read for it when it is first
/// asked for: DIFFUSE_IO if one was changed since the model was opened.
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

/// The shape of one item, without the batch; for an image channels, height, width. It is the manifest's, which a
/// network with free axes need not keep to; 0 is a size that the manifest leaves free as well. Of a folder it is that
/// of a picture: the usual one, which the options width and height change. Its axes go into `axes`, which has room for
/// `capacity`, and their number into `*rank`. With a `capacity` of 0 only the number is given.
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

/// How many classes the model has, without the null class; 0 if it has none or `model` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_class_count(model: *const diffuse_model) -> usize {
    // SAFETY: the handle is as the header demands.
    let value = || unsafe { borrow(model, "model") }.ok();
    quietly(0, || value().and_then(|value| Some(value.model.manifest().classes.as_ref()?.count())).unwrap_or(0))
}

/// Their names in the order of their numbers, as a JSON array of strings; of a class without a name its number. Without
/// the null class, whose name is "none"; [] if it has none; NULL if `model` is none. The string lives as long as the
/// handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_classes(model: *const diffuse_model) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let classes = || unsafe { borrow(model, "model") }.map_or(std::ptr::null(), |value| value.classes.as_ptr());
    quietly(std::ptr::null(), classes)
}

/// The number of the class called `name` (or spelled as a number, or "none" for the null class) in `*class_index`.
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

/// The noise level at time `t` of the model's schedule (0 the cleanest; below 0 the clean sample): x = alpha·x₀ +
/// sigma·ε. DIFFUSE_ARGUMENT if `t` is beyond the schedule's times, or no number.
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

/// Makes values of pixels for an image model: the opposite of diffuse_job_read_pixels(), with the same `length`,
/// `stride` and `flags`, of one image of the model's size. `capacity` is the number of values that there is room for,
/// exactly that of an item. Drawn again they are the same pixels, if they are opaque: a model without alpha gets
/// transparent pixels over white. Grey ones take the luma of ITU-R BT.601.
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
