//! Requests: what a run draws, and how.

use std::collections::BTreeSet;
use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, OnceLock};

use ndarray::{ArrayD, IxDyn};

use super::buffers::{c_string, optional_string, shape, slice, store, store_part, string, struct_size};
use super::cancel::{canceller_of, diffuse_cancel};
use super::element::tensor_of;
use super::estimate::{Callback, diffuse_callback};
use super::guard::{guard, quietly};
use super::handle::{Noun, borrow, borrow_mut, give, take};
use super::model::diffuse_model;
use super::user_data::{UserData, diffuse_release};
use crate::denoiser::Query;
use crate::error::{Error, Result};
use crate::model::SchedulerConfig;
use crate::process::PerProcess;
use crate::request::{ClassifierGuidance, HostGuidance, Request};
use crate::run::Cost;
use crate::settings;
use crate::tensor::{Tensor, copied};

/// A request: what a run draws, and how. What is not set is as the model's manifest sets it. Making a job checks the
/// values against each other and the model.
pub struct diffuse_request {
    _opaque: [u8; 0],
}

/// A request, and what the C interface keeps beside it.
#[derive(Default)]
pub struct Asked {
    request: Request,
    /// The names of what was set for single items. It has to be there for each of them.
    of_items: BTreeSet<&'static str>,
    departures: CString,
}

impl Asked {
    /// Returns the request.
    ///
    /// # Errors
    /// [`Error::Argument`] if what was set for single items is not there for each of them.
    pub(super) fn request(&self) -> Result<&Request> {
        let Request { prompts, negative_prompts, class_names, negative_class_names, count, .. } = &self.request;
        let negative_prompts = negative_prompts.as_deref().unwrap_or_default();
        for (name, items) in [
            (PROMPT, prompts.as_slice()),
            (NEGATIVE_PROMPT, negative_prompts),
            (CLASS, class_names),
            (NEGATIVE_CLASS, negative_class_names),
        ] {
            if self.of_items.contains(name) && !items.is_empty() && items.len() != *count {
                let reason = format!(
                    "set for {} items of {count}; set it for each, or by DIFFUSE_ALL_ITEMS for all of them",
                    items.len()
                );
                return Err(Error::argument(name, reason));
            }
        }
        Ok(&self.request)
    }

    /// Sets what one item has, or all have. `None` removes all of it.
    fn set_item(
        &mut self,
        name: &'static str,
        texts: impl FnOnce(&mut Request) -> &mut Vec<String>,
        item: i64,
        text: Option<&str>,
    ) -> Result<()> {
        /// A mistaken number must not fill the memory.
        const MOST_ITEMS: usize = 1 << 16;
        let texts = texts(&mut self.request);
        let known = texts.len();
        let place = usize::try_from(item).ok().filter(|place| *place < MOST_ITEMS);
        match (text, place) {
            (None, _) => {
                texts.clear();
                self.of_items.remove(name);
            }
            (Some(text), _) if item == DIFFUSE_ALL_ITEMS => {
                *texts = vec![text.to_owned()];
                self.of_items.remove(name);
            }
            (Some(_), None) => {
                let all = "DIFFUSE_ALL_ITEMS (-1) is all of them";
                let reason = format!("{item}; a {name} for {MOST_ITEMS} items is possible, counted from 0; {all}");
                return Err(Error::argument("item", reason));
            }
            (Some(text), Some(place)) if place <= known => {
                if place == known {
                    texts.push(text.to_owned())
                } else {
                    text.clone_into(&mut texts[place])
                }
                self.of_items.insert(name);
            }
            (Some(_), Some(_)) => {
                return Err(Error::argument(
                    "item",
                    format!("{item}; the next one is {known}: set them in their order"),
                ));
            }
        }
        Ok(())
    }

    /// Sets a prompt in the same way.
    fn set_text(
        &mut self,
        name: &'static str,
        texts: impl FnOnce(&mut Request) -> &mut Vec<String>,
        item: i64,
        text: &str,
    ) -> Result<()> {
        if !cfg!(feature = "text") {
            let reason = "this library was built without the feature text; give embeddings instead";
            return Err(Error::argument(name, reason));
        }
        self.set_item(name, texts, item, Some(text))
    }
}

const PROMPT: &str = "prompt";
const NEGATIVE_PROMPT: &str = "negative_prompt";
const CLASS: &str = "class";
const NEGATIVE_CLASS: &str = "negative_class";

impl Noun for diffuse_request {
    type Value = Asked;
    const NAME: &'static str = "request";
    const TAG: u64 = u64::from_le_bytes(*b"diff:req");
}

/// Makes a request for one item with seed 0. Free it with diffuse_request_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_new(request: *mut *mut diffuse_request) -> i32 {
    // SAFETY: the pointer is as the header demands.
    guard(|| unsafe { give(request, "request", || Ok(Asked::default())) })
}

/// The expected cost of a run. Set `struct_size` to sizeof(diffuse_cost) before the call. Later versions only add
/// fields, at the end. A library that knows more fields than the host leaves them out. A library that knows fewer
/// reports the size that it wrote, and writes nothing beyond.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct diffuse_cost {
    /// In: the size of the struct that the host knows. Out: the size that was written.
    pub struct_size: u32,
    /// Reserved. It is 0.
    pub reserved: u32,
    /// How many estimates of the clean samples the run makes. With guidance, each may take two evaluations of the
    /// network. It is 0 for a solver that chooses its own steps.
    pub evaluations: u64,
    /// How many bytes the run and its model hold on the CPU at one time. They are the weights, the memory of an
    /// evaluation, and the run's tensors. ONNX Runtime itself takes some 40 MB beside that. Weights in files beside the
    /// graph are not counted. Add the size of these files.
    pub peak_bytes: u64,
    /// How long the whole run takes on this machine as it is now. That includes opening what is not open. It is 0 for a
    /// solver that chooses its own steps.
    pub milliseconds: f64,
    /// The part of that time for encoding a pipeline's prompts and images. It is 0 for a model of one network. Texts
    /// that were read lately are not read again.
    pub encoding_milliseconds: f64,
    /// The part of that time for decoding a pipeline's latents to pictures. It is 0 for a model of one network.
    pub decoding_milliseconds: f64,
}

/// Estimates what drawing `request` from `model` will take, and writes it to `*cost`. It makes up to three estimates of
/// the clean samples, after a diffuse_model_trim(), so do not call it while others are in a hurry. A network of the
/// host's is called for them, and a guidance callback is not. For a pipeline, everything is encoded, and one or two
/// tiles are decoded. Statuses are as for diffuse_job_new() and diffuse_job_step(). `cancel` is as for
/// diffuse_model_denoise().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_cost(
    request: *const diffuse_request,
    model: *const diffuse_model,
    cancel: *const diffuse_cancel,
    cost: *mut diffuse_cost,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (request, model, canceller) =
            unsafe { (borrow(request, "request")?.request()?, &borrow(model, "model")?.model, canceller_of(cancel)?) };
        // SAFETY: as above.
        let room = unsafe { struct_size(cost, FIRST_COST, "cost") }?;
        let Cost { evaluations, time, encoding, decoding, peak_bytes, .. } = request.cost(model, &canceller)?;
        let known = diffuse_cost {
            struct_size: room.min(size_of::<diffuse_cost>()) as u32,
            reserved: 0,
            evaluations: evaluations.unwrap_or(0) as u64,
            peak_bytes: peak_bytes as u64,
            milliseconds: time.map_or(0.0, |time| time.as_secs_f64() * 1e3),
            encoding_milliseconds: encoding.as_secs_f64() * 1e3,
            decoding_milliseconds: decoding.as_secs_f64() * 1e3,
        };
        // SAFETY: as above; it has room for so much.
        unsafe { store_part(cost, &known, room) };
        Ok(())
    })
}

/// The size of the struct that the first hosts know.
const FIRST_COST: usize = 32;

// On every platform: what a host was compiled with does not move.
const _: () = assert!(std::mem::offset_of!(diffuse_cost, evaluations) == 8);
const _: () = assert!(std::mem::offset_of!(diffuse_cost, peak_bytes) == 16);
const _: () = assert!(std::mem::offset_of!(diffuse_cost, milliseconds) == 24 && FIRST_COST == 24 + size_of::<f64>());
const _: () = assert!(std::mem::offset_of!(diffuse_cost, encoding_milliseconds) == 32);
const _: () =
    assert!(std::mem::offset_of!(diffuse_cost, decoding_milliseconds) == 40 && size_of::<diffuse_cost>() >= 48);

/// Frees a request. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_free(request: *mut diffuse_request) {
    // SAFETY: the handle is as the header demands.
    quietly((), || drop(unsafe { take(request) }));
}

/// Changes a request.
///
/// # Safety
/// `request` is NULL or a handle that nobody else uses during the call.
unsafe fn set(request: *mut diffuse_request, change: impl FnOnce(&mut Request) -> Result<()>) -> i32 {
    // SAFETY: passed on.
    unsafe { set_asked(request, |asked| change(&mut asked.request)) }
}

/// Changes a request, and what is kept beside it.
///
/// # Safety
/// As [`set`].
unsafe fn set_asked(request: *mut diffuse_request, change: impl FnOnce(&mut Asked) -> Result<()>) -> i32 {
    // SAFETY: passed on.
    guard(|| change(unsafe { borrow_mut(request, "request") }?))
}

/// Sets the seed of the first item. Item i has the seed `seed` + i, which wraps around.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_seed(request: *mut diffuse_request, seed: u64) -> i32 {
    // SAFETY: the handle is as the header demands.
    unsafe {
        set(request, |request| {
            request.seed = seed;
            Ok(())
        })
    }
}

/// Sets how many items are drawn at once. Default: 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_count(request: *mut diffuse_request, count: usize) -> i32 {
    // SAFETY: the handle is as the header demands.
    unsafe {
        set(request, |request| {
            request.count = count;
            Ok(())
        })
    }
}

/// Sets the class of every item. `count` is the number of classes, and becomes the number of items. A number of items
/// that is set later must be the same. The classes are copied. Without classes, a model that has a null class draws
/// every item with that one. A model with classes and without a null class then refuses the job.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_classes(
    request: *mut diffuse_request,
    classes: *const i64,
    count: usize,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            let classes = copied(slice(classes, count, "classes")?)?;
            (request.count, request.classes) = (count, Some(classes));
            request.class_names.clear();
            Ok(())
        })
    }
}

/// Sets the class of item `item` by its name or its number. "none" is the null class. DIFFUSE_ALL_ITEMS sets the class
/// of all items. It works as diffuse_request_set_prompt() does, and replaces diffuse_request_set_classes(). Classes of
/// single items need as many items (diffuse_request_set_count()). NULL removes all of them. Making a job, which may
/// open the model first, checks whether the model has such a class.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_class(
    request: *mut diffuse_request,
    item: i64,
    name: *const c_char,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set_asked(request, |asked| {
            let name = optional_string(name, "name")?;
            asked.set_item(CLASS, |request| &mut request.class_names, item, name)?;
            if name.is_some() {
                asked.request.classes = None;
            }
            Ok(())
        })
    }
}

/// Sets the class that guidance leads away from, as diffuse_request_set_class() does. It replaces
/// diffuse_request_set_negative_classes().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_negative_class(
    request: *mut diffuse_request,
    item: i64,
    name: *const c_char,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set_asked(request, |asked| {
            let name = optional_string(name, "name")?;
            asked.set_item(NEGATIVE_CLASS, |request| &mut request.negative_class_names, item, name)?;
            if name.is_some() {
                asked.request.negative_classes = None;
            }
            Ok(())
        })
    }
}

/// Sets the shape of one item, for a model that leaves it free. A size is free if it is 0 in diffuse_model_shape() and
/// no condition determines it. The shape is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_shape(
    request: *mut diffuse_request,
    axes: *const usize,
    rank: usize,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.shape = Some(copied(shape(axes, rank)?)?);
            Ok(())
        })
    }
}

/// Sets the option `key` to `value`, as text. The comment at the top of diffuse.h lists the options. Returns
/// DIFFUSE_ARGUMENT if there is no such option, or if it cannot have this value. Making a job checks whether it fits
/// the model, the solver and the other options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set(
    request: *mut diffuse_request,
    key: *const c_char,
    value: *const c_char,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe { set(request, |request| request.set(string(key, "key")?, string(value, "value")?)) }
}

/// Sets the option `key` to a number. Otherwise it is as diffuse_request_set().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_number(
    request: *mut diffuse_request,
    key: *const c_char,
    value: f64,
) -> i32 {
    // Adding 0 turns −0, which is no whole number as text, into 0.
    // SAFETY: the pointers are as the header demands.
    unsafe { set(request, |request| request.set(string(key, "key")?, value + 0.0)) }
}

/// Sets the solver, the grid and their options from the text of a scheduler_config.json of diffusers. It does not set
/// the number of steps. What was set of these before is replaced. Returns DIFFUSE_ARGUMENT if the text is no such
/// configuration, and the message names the field that is not understood. No job can be made with a model that was
/// trained on another schedule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_scheduler_config(
    request: *mut diffuse_request,
    json: *const c_char,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe { set(request, |request| request.set_scheduler_config(&SchedulerConfig::parse(string(json, "json")?)?)) }
}

/// Writes to `*departures` where diffusers does something else than this request, for the scheduler's configuration
/// that was set. The text also names the fields of the configuration that are ignored. It has a line for each, and is
/// empty if there are none. With the option compat at "diffusers", it names what differs all the same, with the reason.
/// The string lives until the next call for this request, or until the request is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_departures(
    request: *mut diffuse_request,
    departures: *mut *const c_char,
) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        let asked = unsafe { borrow_mut(request, "request") }?;
        asked.departures = c_string(&asked.request.departures().join("\n"));
        // SAFETY: as above.
        unsafe { store(departures, asked.departures.as_ptr(), "departures") }
    })
}

/// Removes the value of the option `key`, also one from diffuse_request_set_scheduler_config(). The option is then as
/// if nobody had set it. Returns DIFFUSE_ARGUMENT if there is no such option.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_unset(request: *mut diffuse_request, key: *const c_char) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe { set(request, |request| request.unset(string(key, "key")?)) }
}

/// Returns the options of diffuse_request_set() as a JSON array. It is for an interface that shows them without knowing
/// them. The array has an object for each option, in the order in which to show them. The string lives as long as the
/// library.
///
/// Each object has these fields. `name` is the key, and `group` the heading that the option stands under. `kind` is
/// "boolean", "integer", "number", "choice", "text" or "numbers". `minimum` and `maximum` are there where there are
/// bounds. `choices` lists the words of a choice, and for most choices `meanings` has a sentence for each. `default` is
/// there if it is the same for every model. `default_text` states what the default depends on. `text` describes the
/// option. `solvers` lists the solvers that have the option, if it is not for all.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_options() -> *const c_char {
    // A fork that falls into the first call leaves the child to make its own.
    static OPTIONS: PerProcess<OnceLock<CString>> = PerProcess::new();
    quietly(std::ptr::null(), || OPTIONS.get().get_or_init(|| c_string(&settings::described().to_string())).as_ptr())
}

/// Sets the prompt of item `item`, for a model that reads text. DIFFUSE_ALL_ITEMS sets the prompt of all items, and
/// removes those of single items. Prompts of single items are set in their order, and each item needs one. NULL removes
/// all prompts.
///
/// By default, the model does not see the rest of a prompt that is longer than it reads, and the log sink receives a
/// message. Returns DIFFUSE_ARGUMENT from a library that was built without the feature "text".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_prompt(
    request: *mut diffuse_request,
    item: i64,
    prompt: *const c_char,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set_asked(request, |asked| {
            if prompt.is_null() {
                asked.request.prompts.clear();
                return Ok(());
            }
            asked.set_text(PROMPT, |request| &mut request.prompts, item, string(prompt, "prompt")?)
        })
    }
}

/// Sets the prompt that guidance leads away from, as diffuse_request_set_prompt() does. Without one, or after NULL, it
/// is what the model's family has for it: an empty text, or nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_negative_prompt(
    request: *mut diffuse_request,
    item: i64,
    prompt: *const c_char,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set_asked(request, |asked| {
            if prompt.is_null() {
                asked.request.negative_prompts = None;
                return Ok(());
            }
            let text = string(prompt, "prompt")?;
            asked.set_text(NEGATIVE_PROMPT, |request| request.negative_prompts.get_or_insert_default(), item, text)
        })
    }
}

/// Sets the outputs of a text encoder of the host's own, in place of prompts. `embeddings` holds `tokens` vectors of
/// `width` values for each of `items` items, one after the other. `items` is 1 for all, or the number of items. If the
/// model takes pooled vectors, `pooled` holds one of `pooled_width` values for each item. Otherwise these two are NULL
/// and 0. All values are copied.
///
/// `negative` is 0, or 1 for what guidance leads away from. The embeddings become the model's conditions
/// encoder_hidden_states and text_embeds. For a model with other names, use diffuse_request_set_condition(). NULL as
/// `embeddings` removes them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_embeddings(
    request: *mut diffuse_request,
    embeddings: *const f32,
    items: usize,
    tokens: usize,
    width: usize,
    pooled: *const f32,
    pooled_width: usize,
    negative: i32,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            let conditions = match negative {
                0 => &mut request.conditions,
                1 => &mut request.negative_conditions,
                _ => return Err(Error::argument("negative", format!("{negative}; it is 0 or 1"))),
            };
            if embeddings.is_null() {
                conditions.remove(CONTEXT);
                conditions.remove(POOLED);
                return Ok(());
            }
            let context = given(embeddings, &[items, tokens, width], "embeddings")?;
            let pooled = if pooled.is_null() { None } else { Some(given(pooled, &[items, pooled_width], "pooled")?) };
            conditions.insert(CONTEXT.into(), context);
            match pooled {
                Some(pooled) => conditions.insert(POOLED.into(), pooled),
                None => conditions.remove(POOLED),
            };
            Ok(())
        })
    }
}

/// Sets the classes that guidance (the option guidance_scale) leads away from. `classes` holds one class for all items
/// or one for each, `count` in all. They are copied. Default: the model's null class.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_negative_classes(
    request: *mut diffuse_request,
    classes: *const i64,
    count: usize,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.negative_classes = Some(copied(slice(classes, count, "classes")?)?);
            request.negative_class_names.clear();
            Ok(())
        })
    }
}

/// Sets a further condition of the network, by its name in the model's manifest. `values` has the type `element`, one
/// of the DIFFUSE_ELEMENT_ numbers, and the shape of the `rank` axes. The shape is that of one item for all of them, or
/// has the items first. The values are copied.
///
/// The type need not be the graph's, but the graph's type must hold the numbers. A flat list is also possible, with one
/// axis for the values of one item or of all items. A `rank` of 0 is one number. `negative` is 0, or 1 for what
/// guidance leads away from. NULL as `values` removes the condition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_condition(
    request: *mut diffuse_request,
    name: *const c_char,
    element: i32,
    values: *const c_void,
    axes: *const usize,
    rank: usize,
    negative: i32,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            let name = string(name, "name")?.to_owned();
            let conditions = match negative {
                0 => &mut request.conditions,
                1 => &mut request.negative_conditions,
                _ => return Err(Error::argument("negative", format!("{negative}; it is 0 or 1"))),
            };
            if values.is_null() {
                conditions.remove(&name);
            } else {
                let tensor = tensor_of(element, values, shape(axes, rank)?).map_err(|error| match error {
                    Error::Argument { name: argument, reason } => {
                        Error::argument(argument, format!("'{name}': {reason}"))
                    }
                    other => other,
                })?;
                conditions.insert(name, Arc::new(tensor));
            }
            Ok(())
        })
    }
}

/// Sets a classifier that leads the samples to classes. Its model's prediction is class_gradient. `classes` holds class
/// numbers of the classifier, one for all items or one for each, `count` in all. They are copied, and the classifier
/// may be freed afterwards. NULL removes a classifier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_classifier(
    request: *mut diffuse_request,
    classifier: *const diffuse_model,
    classes: *const i64,
    count: usize,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.classifier = if classifier.is_null() {
                None
            } else {
                let classifier = Arc::clone(&borrow(classifier, "classifier")?.model);
                Some(ClassifierGuidance { classifier, classes: copied(slice(classes, count, "classes")?)? })
            };
            Ok(())
        })
    }
}

/// Sets the host's own guidance: a callback that receives every estimate of the clean samples before it is used, and
/// may change it. It is called with `user_data`. Both must stay valid for as long as there are jobs of this request.
/// Jobs that different threads step call it at once. NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_guidance_callback(
    request: *mut diffuse_request,
    callback: diffuse_callback,
    user_data: *mut c_void,
) -> i32 {
    // SAFETY: the handle is as the header demands.
    unsafe { set_guidance(request, callback, UserData::new(user_data, None)) }
}

/// Sets a callback as diffuse_request_set_guidance_callback() does, with a function that releases `user_data`. The
/// library calls `release` once neither the request nor a job of it calls the callback any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_guidance_callback_owned(
    request: *mut diffuse_request,
    callback: diffuse_callback,
    user_data: *mut c_void,
    release: diffuse_release,
) -> i32 {
    // SAFETY: the handle is as the header demands.
    unsafe { set_guidance(request, callback, UserData::new(user_data, release)) }
}

/// # Safety
/// As [`diffuse_request_set_guidance_callback`].
unsafe fn set_guidance(request: *mut diffuse_request, callback: diffuse_callback, user_data: UserData) -> i32 {
    // SAFETY: passed on.
    unsafe {
        set(request, |request| {
            let callback = callback.map(|_| Callback::new(callback, user_data, "callback")).transpose()?;
            request.callback = callback.map(|callback| {
                HostGuidance(Arc::new(move |query: &Query<'_>, denoised: &mut [f32]| callback.guide(query, denoised)))
            });
            Ok(())
        })
    }
}

/// Sets the clean samples that the run starts from. `values` holds one item for all, or every item one after the other,
/// `length` values in all. They are copied. NULL removes them.
///
/// The run starts from them with the noise of its first level. The option strength sets how many of the steps it does.
/// With a mask, the samples are what is kept. With the option invert, they are what is inverted.
///
/// diffuse_model_values() makes the values from pixels. For a folder, they are red, green and blue planes of pixels
/// from -1 to 1, in the picture's size. The options width and height set that size, or it is the usual one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_image(
    request: *mut diffuse_request,
    values: *const f32,
    length: usize,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.image = if values.is_null() { None } else { Some(flat(values, length, "values")?) };
            Ok(())
        })
    }
}

/// Sets where the image is drawn anew (1), kept (0), or mixed (between 0 and 1). `values` has height·width values for
/// all items, or for each of them one after the other, `length` in all. They hold for all channels, and are copied. A
/// model that has the mask as an input uses it as it was trained to. NULL removes the mask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_mask(
    request: *mut diffuse_request,
    values: *const f32,
    length: usize,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.mask = if values.is_null() { None } else { Some(flat(values, length, "values")?) };
            Ok(())
        })
    }
}

/// All items, as the item of diffuse_request_set_prompt() and diffuse_request_set_class().
pub const DIFFUSE_ALL_ITEMS: i64 = -1;

/// The conditions that the families of Stable Diffusion make from a prompt.
const CONTEXT: &str = "encoder_hidden_states";
const POOLED: &str = "text_embeds";

/// Returns a host's values, with these axes.
///
/// # Safety
/// As [`slice`].
unsafe fn given(values: *const f32, axes: &[usize], argument: &'static str) -> Result<Arc<Tensor>> {
    let length = axes.iter().try_fold(1usize, |length, axis| length.checked_mul(*axis));
    let too_long = || Error::argument(argument, format!("{axes:?} are more values than any memory holds"));
    // SAFETY: passed on.
    let values = copied(unsafe { slice(values, length.ok_or_else(too_long)?, argument) }?)?;
    let whole = ArrayD::from_shape_vec(IxDyn(axes), values);
    whole.map(|whole| Arc::new(Tensor::F32(whole))).map_err(|error| Error::argument(argument, error.to_string()))
}

/// Returns a host's values. Their axes are known when a job is made.
///
/// # Safety
/// As [`slice`].
unsafe fn flat(values: *const f32, length: usize, argument: &'static str) -> Result<Arc<ArrayD<f32>>> {
    // SAFETY: passed on.
    let values = copied(unsafe { slice(values, length, argument) }?)?;
    let whole = ArrayD::from_shape_vec(IxDyn(&[length]), values);
    whole.map(Arc::new).map_err(|error| Error::argument("length", error.to_string()))
}
