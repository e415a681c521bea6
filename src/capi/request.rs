//! What is to be drawn, and how.

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

/// What is to be drawn, and how. What is not set is as the model's manifest says. Values are checked against each other
/// and the model when a job is made.
pub struct diffuse_request {
    _opaque: [u8; 0],
}

/// A request, and what was last said of it.
#[derive(Default)]
pub struct Asked {
    request: Request,
    /// What was set for single items, by its name, and so has to be there for each of them.
    of_items: BTreeSet<&'static str>,
    departures: CString,
}

impl Asked {
    /// The request.
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

    /// Sets what one item has, or all have; `None` takes all of them back.
    fn set_item(
        &mut self,
        name: &'static str,
        texts: impl FnOnce(&mut Request) -> &mut Vec<String>,
        item: i64,
        text: Option<&str>,
    ) -> Result<()> {
        /// A slip should not fill the memory.
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

    /// The same of a prompt.
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

/// What a run is expected to take. Set `struct_size` to sizeof(diffuse_cost) before it is handed over. Fields are only
/// added, at the end: a library that knows more leaves them away, and one that knows less says so by the size, beyond
/// which nothing was written.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct diffuse_cost {
    /// In: the size of the struct that the host knows. Out: how much of it was written.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// How many estimates of the clean samples the run makes, each of which may take two runs of the network under
    /// guidance; 0 for a solver that chooses its own steps.
    pub evaluations: u64,
    /// How many bytes the run and its model hold at a time on the CPU: the weights, what an evaluation needs, and the
    /// run's tensors. ONNX Runtime itself takes some 40 MB beside it.
    pub peak_bytes: u64,
    /// How long the whole run takes on this machine as it is now, with opening what is not open; 0 for a solver that
    /// chooses its own steps.
    pub milliseconds: f64,
    /// What of that the prompts and images take that a pipeline is given; 0 for a model of one network. Texts that were
    /// read lately are not read again.
    pub encoding_milliseconds: f64,
    /// What of that the pictures take that are made of its latents, likewise.
    pub decoding_milliseconds: f64,
}

/// Says what drawing `request` from `model` will take. It is found by three estimates of the clean samples, for which a
/// network of the host's is called and a guidance callback is not, after a diffuse_model_trim(): not while others are
/// in a hurry. Of a pipeline all is encoded, and a tile decoded. As diffuse_job_new() and diffuse_job_step(); `cancel`
/// as for diffuse_model_denoise().
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

/// The same with what is known of it beside the request.
///
/// # Safety
/// As [`set`].
unsafe fn set_asked(request: *mut diffuse_request, change: impl FnOnce(&mut Asked) -> Result<()>) -> i32 {
    // SAFETY: passed on.
    guard(|| change(unsafe { borrow_mut(request, "request") }?))
}

/// The seed of the first item; item i has seed + i, wrapping.
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

/// How many items are drawn at once.
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

/// The class of every item, `count` of them, which becomes the number of items; a number that is set later has to
/// agree. They are copied. Without classes a model that has a null class draws every item with that one, and a model
/// that has none refuses the job.
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

/// The class of item `item` by its name (or number, or "none" for the null class), or with DIFFUSE_ALL_ITEMS that of
/// all of them: as diffuse_request_set_prompt(), in place of diffuse_request_set_classes(). Whether the model has such
/// a class shows when a job is made, which may open the model first. Classes of single items need as many items
/// (diffuse_request_set_count()). NULL takes all of them back.
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

/// The class that guidance leads away from, likewise, in place of diffuse_request_set_negative_classes().
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

/// The shape of one item, for a model that leaves it free (0 in diffuse_model_shape() where its manifest says so too,
/// and no condition says how long that is). It is copied.
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

/// Sets the option `key` to `value`, as text. The options are listed below the description of this header.
///
/// DIFFUSE_ARGUMENT if there is no such option or if it cannot have this value. Whether it fits the model, the solver
/// and the other options shows when a job is made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set(
    request: *mut diffuse_request,
    key: *const c_char,
    value: *const c_char,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe { set(request, |request| request.set(string(key, "key")?, string(value, "value")?)) }
}

/// As diffuse_request_set(), with a number.
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

/// Sets what the text of a scheduler_config.json of diffusers says of sampling: the solver, the grid and their options,
/// but not the number of steps. What was set before is replaced. DIFFUSE_ARGUMENT if it is no such text, with the field
/// that is not understood; a job cannot be made with a model that was trained on another schedule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_scheduler_config(
    request: *mut diffuse_request,
    json: *const c_char,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe { set(request, |request| request.set_scheduler_config(&SchedulerConfig::parse(string(json, "json")?)?)) }
}

/// Says in `*departures` where diffusers does otherwise than this request with the scheduler's configuration that it
/// was given, and which fields of that are ignored: a line each, an empty string for none. With the option compat at
/// "diffusers" it is what is otherwise all the same, with the reason. The string lives until the next call for this
/// request, or until that is freed.
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

/// Takes back what the option `key` is set to, also by diffuse_request_set_scheduler_config(): it is then what it is
/// where nobody says anything. DIFFUSE_ARGUMENT if there is no such option.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_unset(request: *mut diffuse_request, key: *const c_char) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe { set(request, |request| request.unset(string(key, "key")?)) }
}

/// The options that diffuse_request_set() takes, for an interface that shows them without knowing them: a JSON array
/// with an object for each, in the order in which they are to be shown. It has `name`; `group`, the heading that it
/// stands under; `kind`, which is "boolean", "integer", "number", "choice", "text" or "numbers"; `minimum` and
/// `maximum`, where there are bounds; `choices`, the words of a choice, and for most choices `meanings`, a sentence for
/// each; `default`, where that is a value whatever the model is, and `default_text`, which says what it depends on;
/// `text`, what it is for; and `solvers`, those that have it, where it is not for all. The string lives as long as the
/// library.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_options() -> *const c_char {
    // A fork that falls into the first call leaves the child to make its own.
    static OPTIONS: PerProcess<OnceLock<CString>> = PerProcess::new();
    quietly(std::ptr::null(), || OPTIONS.get().get_or_init(|| c_string(&settings::described().to_string())).as_ptr())
}

/// What is to be drawn, in words: `prompt` for item `item`, or with DIFFUSE_ALL_ITEMS for all of them, which forgets
/// what was set for single ones. Those of single ones are set in their order. For a model that reads text; of a prompt
/// that is longer than it reads the rest is not seen, and the log sink hears so. Where there are prompts for single
/// items there has to be one for each. NULL takes all of them back. A library that was built without the feature "text"
/// refuses it with DIFFUSE_ARGUMENT.
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

/// What guidance leads away from, in words, likewise. NULL, and none at all, is what the model's family has for it: an
/// empty text, or nothing.
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

/// What a text encoder of the host's own has made of the prompts, instead of them: `tokens` vectors of `width` values
/// for each of `items` items, which is 1 for all or their number, one after the other; and where the model takes one a
/// vector of `pooled_width` values for each in `pooled`, else NULL and 0. They are copied. `negative` is 0, or 1 for
/// what guidance leads away from. They are the model's conditions encoder_hidden_states and text_embeds; a model that
/// calls them something else takes them by diffuse_request_set_condition(). `embeddings` NULL takes them back.
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

/// What guidance (the option guidance_scale) leads away from: one class for all items, or one for each, `count` in all.
/// They are copied. The model's null class unless set.
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

/// What else the network is given, by its name in the model's manifest: values of the type `element`, one of the
/// DIFFUSE_ELEMENT_ numbers, in the shape of the `rank` axes: that of one item for all, or items first. They are
/// copied. The type need not be the graph's, but the graph's has to have the numbers. One axis may stand for all: a
/// list of values is as many items as it is long; and `rank` 0 is one number. `negative` is 0, or 1 for what guidance
/// leads away from. `values` NULL takes it back.
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

/// A classifier (a model whose prediction is class_gradient) that leads the samples to classes by its numbers, one for
/// all items or one for each, `count` in all. The classes are copied, and the classifier may be freed afterwards. NULL
/// takes a classifier back.
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

/// Sets the host's own guidance: a callback that sees every estimate of the clean samples before it is used, and may
/// change it. It is called with `user_data`; NULL takes it back. Both have to stay valid for as long as there are jobs
/// of this request. Jobs that different threads step call it at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_guidance_callback(
    request: *mut diffuse_request,
    callback: diffuse_callback,
    user_data: *mut c_void,
) -> i32 {
    // SAFETY: the handle is as the header demands.
    unsafe { set_guidance(request, callback, UserData::new(user_data, None)) }
}

/// The same with a function that lets go of `user_data`, once neither the request nor a job of it calls the callback
/// any more.
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

/// Clean samples to start from, `length` values, of one item for all or of every item one after the other; they are
/// copied. The run starts from them with the noise of its first level, and the option strength says how many of the
/// steps it has. With a mask they are what is kept, with the option invert what is inverted. diffuse_model_values()
/// makes them of pixels. For a folder they are red, green and blue planes of pixels from -1 to 1, of the picture's
/// size: the options width and height, or the usual one. NULL takes them back.
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

/// Where the image is drawn anew (1), kept (0), or mixed: `length` values, height·width for all of the items or for
/// each of them, one after the other, the same for all channels. They are copied. A model that is given the mask does
/// with it what it was trained to. NULL takes it back.
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

/// What diffuse_request_set_prompt() takes for all of the items.
pub const DIFFUSE_ALL_ITEMS: i64 = -1;

/// The conditions of the families of Stable Diffusion that are made of a prompt.
const CONTEXT: &str = "encoder_hidden_states";
const POOLED: &str = "text_embeds";

/// A host's values, of these axes.
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

/// A host's values, whose axes are known when a job is made.
///
/// # Safety
/// As [`slice`].
unsafe fn flat(values: *const f32, length: usize, argument: &'static str) -> Result<Arc<ArrayD<f32>>> {
    // SAFETY: passed on.
    let values = copied(unsafe { slice(values, length, argument) }?)?;
    let whole = ArrayD::from_shape_vec(IxDyn(&[length]), values);
    whole.map(Arc::new).map_err(|error| Error::argument("length", error.to_string()))
}
