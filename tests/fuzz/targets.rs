//! What is fed with bytes that nobody has checked. Each of these must return, whatever the bytes; a panic is a finding.
//! libFuzzer calls them, and `tests/all/corpus.rs` runs them over the corpus that is committed.

use std::sync::Arc;

use diffuse::model::{Manifest, SchedulerConfig};
use diffuse::network::{HostNetwork, Question};
use diffuse::request::Plan;
use diffuse::schedule::Tables;
use diffuse::solver::Cursor;
use diffuse::{Model, Request};
use sha2::{Digest, Sha256};

/// The command line's readers.
#[allow(dead_code, reason = "what it writes and draws is not fed with anything")]
#[path = "../../src/bin/diffuse-cli/npy.rs"]
mod npy;
#[allow(dead_code, reason = "what it writes and draws is not fed with anything")]
#[path = "../../src/bin/diffuse-cli/picture.rs"]
mod picture;

/// Takes numbers off the front of the bytes; zeros when they are used up.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn below(&mut self, most: usize) -> usize {
        usize::from(self.byte()) % most
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> f64 {
        let bytes = self.take(8);
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        f64::from_le_bytes(whole)
    }
}

const MANIFEST: &str = r#"{"diffuse": 1, "sample": {"shape": [1, 2, 2], "range": [-1, 1], "clip": true},
    "schedule": {"kind": "cosine", "train_steps": 100}, "prediction": "epsilon", "classes": {"count": 3, "null": 3}}"#;

/// The network of all of them: half of what it sees.
fn half(question: &Question<'_>, out: &mut [f32]) -> Result<(), String> {
    out.iter_mut().zip(question.input).for_each(|(out, x)| *out = x / 2.0);
    Ok(())
}

/// An array of numpy's: as it is, and as the header of one, with as many values behind it as the first byte says.
pub(crate) fn npy(bytes: &[u8]) {
    array(bytes);
    let Some((&first, header)) = bytes.split_first() else { return };
    let length = (header.len() as u32).to_le_bytes();
    let (version, length) = if header.len() < 1 << 16 { (1, &length[..2]) } else { (2, &length[..]) };
    array(&[b"\x93NUMPY", &[version, 0][..], length, header, &vec![first; usize::from(first)]].concat());
}

fn array(bytes: &[u8]) {
    let Ok(read) = npy::read(bytes) else { return };
    // Four bytes of each value at most come from one that is there.
    assert!(read.len() <= bytes.len() && read.is_standard_layout());
    let again = npy::read(&npy::write(read.view())).expect("what was written is read");
    let bits = |array: &ndarray::ArrayD<f32>| array.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
    assert!(again.shape() == read.shape() && bits(&again) == bits(&read));
}

/// A picture, and what it says of itself: as it is, and with checksums that are right, since a fuzzer does not find
/// those.
pub(crate) fn png(bytes: &[u8]) {
    let (signature, mut rest) = bytes.split_at(bytes.len().min(8));
    let mut mended = signature.to_vec();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (chunk, behind) = behind.split_at(behind.len().min(length.saturating_add(4)));
        mended.extend((chunk.len().saturating_sub(4) as u32).to_be_bytes());
        mended.extend(chunk);
        mended.extend(crc32(chunk).to_be_bytes());
        rest = behind.get(4..).unwrap_or_default();
    }
    for bytes in [bytes, &mended] {
        let _ = picture::record(bytes);
        if let Ok(pixels) = picture::decode(bytes) {
            let (height, width, channels) = pixels.dim();
            // What deflate can make of so many bytes, as many of an eighth of a byte each as a pixel can be.
            assert!(channels == 4 && height * width <= (bytes.len() + 1) * 1032 * 8);
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// Walks the moves of a run, up to a number of them: what `plan` prints.
fn walk(request: &Request, manifest: &Manifest) {
    let Ok(Plan { solver, grid, .. }) = request.plan(manifest) else { return };
    if solver.adaptive().is_some() {
        return;
    }
    let mut cursor = Cursor::default();
    for _ in 0..64 {
        if cursor.step >= grid.steps() {
            break;
        }
        let _ = solver.evaluate_at(&grid, cursor);
        cursor = solver.plan(&grid, cursor).next;
    }
}

/// A manifest, from a model's metadata or the file beside it.
pub(crate) fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(manifest) = Manifest::parse(text) else { return };
    // What is taken says the same when it is written and read again.
    let written = serde_json::to_string(&manifest).unwrap();
    assert_eq!(serde_json::to_string(&Manifest::parse(&written).unwrap()).unwrap(), written);
    for tables in [Tables::Exact, Tables::Diffusers] {
        let Ok(schedule) = manifest.schedule.build(tables) else { continue };
        let [least, most] = schedule.bounds();
        for t in [least, most, (least + most) / 2.0, 0.0, -1.0] {
            let level = schedule.level(t);
            let _ =
                (schedule.time(level.lambda()), manifest.prediction.to_x0(level, &*schedule, manifest.sigma_data()));
        }
    }
    walk(&Request::default(), &manifest);
    if let Ok(model) = Model::from_host(text, Arc::new(HostNetwork::new(half)))
        && model.manifest().sample.shape.sizes().is_none_or(|sizes| sizes.iter().product::<usize>() <= 64)
    {
        let mut request = Request { steps: Some(3), ..Request::default() };
        request.classes = model.manifest().classes.as_ref().map(|_| vec![0]);
        if let Ok(mut job) = request.job(&Arc::new(model)) {
            (0..3).for_each(|_| drop(job.step()));
        }
    }
}

/// A scheduler_config.json of diffusers.
pub(crate) fn scheduler_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(config) = SchedulerConfig::parse(text) else { return };
    let mut request = Request::default();
    if request.set_scheduler_config(&config).is_err() {
        return;
    }
    for manifest in [MANIFEST, &MANIFEST.replace("cosine", "linear")] {
        let mut manifest = Manifest::parse(manifest).unwrap();
        walk(&request, &manifest);
        // And with a model that was trained as it says.
        (manifest.schedule, manifest.prediction) = (config.schedule.clone(), config.prediction);
        walk(&Request { steps: Some(7), ..request.clone() }, &manifest);
    }
}

/// Options by name: lines of `key=value`, and what a run with them would do.
pub(crate) fn options(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut request = Request::default();
    for line in text.lines().take(32) {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let before = request.clone();
        if request.set(key, value).is_err() {
            assert!(request == before, "what was refused changed something");
        }
    }
    walk(&request, &Manifest::parse(MANIFEST).unwrap());
    if request.steps.unwrap_or(0) > 100 {
        return;
    }
    let model = Arc::new(Model::from_host(MANIFEST, Arc::new(HostNetwork::new(half))).unwrap());
    if let Ok(mut job) = (Request { classes: Some(vec![1]), ..request }).job(&model) {
        for _ in 0..20 {
            if job.step().is_ok_and(|progress| progress.is_finished()) {
                break;
            }
        }
    }
}

/// A snapshot. The first byte chooses the run, the others are put over parts of a sound snapshot, behind which a
/// checksum is written that fits: what is found behind it has to be found out.
pub(crate) fn snapshot(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let model = Arc::new(Model::from_host(MANIFEST, Arc::new(HostNetwork::new(half))).unwrap());
    let solvers = diffuse::solver::NAMES;
    let noise = ["counter", "torch", "torch-per-item"][bytes.below(3)];
    let request = Request { classes: Some(vec![0, 1]), count: 2, steps: Some(5), ..Request::default() };
    let mut request =
        request.with("solver", solvers[bytes.below(solvers.len())]).unwrap().with("noise", noise).unwrap();
    if bytes.byte() % 2 == 1 {
        request.set("guidance_scale", 2).unwrap();
        if bytes.byte() % 2 == 1 {
            request.set("guidance_form", "apg").unwrap();
        }
    }
    let Ok(mut job) = request.job(&model) else { return };
    for _ in 0..bytes.below(4) {
        drop(job.step());
    }
    let sound = job.snapshot().unwrap();
    let mut content = sound[..sound.len() - 32].to_vec();
    // As they are, or changes: where (two bytes), how many, and what.
    if bytes.byte().is_multiple_of(4) {
        content = bytes.0.to_vec();
    } else {
        while !bytes.0.is_empty() {
            let place = usize::from(u16::from_le_bytes([bytes.byte(), bytes.byte()])) % content.len().max(1);
            match bytes.byte() {
                0xff => content.truncate(place),
                0xfe => content.extend(bytes.take(8)),
                count => {
                    let what = bytes.take(usize::from(count % 9));
                    let end = content.len().min(place + what.len());
                    content[place..end].copy_from_slice(&what[..end - place]);
                }
            }
        }
    }
    let before = job.snapshot().unwrap();
    let _ = job.restore(&content);
    let sum = Sha256::digest(&content);
    content.extend(sum);
    if job.restore(&content).is_err() {
        assert!(job.snapshot().unwrap() == before, "what was refused changed something");
    }
    // What was taken up can be gone on with, and be kept again.
    drop(job.snapshot().unwrap());
    for _ in 0..30 {
        if job.step().is_err() || job.progress().is_finished() {
            break;
        }
    }
}

/// A sequence of calls of the C interface, also from its callbacks and with workers; the handles are live, everything
/// else may be anything.
pub(crate) fn c_calls(bytes: &[u8]) {
    calls::run(&mut Bytes(bytes));
}

mod calls {
    use std::ffi::{CString, c_char, c_void};
    use std::ptr::{null, null_mut};
    use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

    use diffuse::capi::*;

    use super::{Bytes, MANIFEST};

    /// What a callback does, and with which job.
    struct Host {
        mode: AtomicU8,
        job: AtomicPtr<diffuse_job>,
    }

    unsafe extern "C" fn callback(
        estimate: *const diffuse_estimate,
        values: *mut f32,
        length: usize,
        message: *mut c_char,
        capacity: usize,
        user_data: *mut c_void,
    ) -> i32 {
        // SAFETY: the host outlives all jobs; the library promises the rest.
        unsafe {
            let host = &*user_data.cast::<Host>();
            let job = host.job.load(Ordering::SeqCst);
            let (mut a, mut b, mut c, mut state) = (0.0, 0.0, 0.0, 0);
            diffuse_estimate_level(estimate, &raw mut a, &raw mut b, &raw mut c);
            let x = std::slice::from_raw_parts(diffuse_estimate_x(estimate), length);
            let out = std::slice::from_raw_parts_mut(values, length);
            out.iter_mut().zip(x).for_each(|(out, x)| *out = x / 2.0);
            match host.mode.load(Ordering::SeqCst) % 8 {
                1 => return 5,
                2 => {
                    message.cast::<u8>().write_bytes(b'x', capacity);
                    return 1;
                }
                3 => out[length / 2] = f32::NAN,
                4 if !job.is_null() => any(diffuse_job_cancel(job)),
                5 if !job.is_null() => any(diffuse_job_step(job, &raw mut state)),
                6 if !job.is_null() => any(diffuse_job_wait(job, 0, &raw mut state)),
                7 => assert!(diffuse_estimate_classes(estimate).is_null() || length > 0),
                _ => {}
            }
        }
        0
    }

    const KEYS: &[&str] = &[
        "solver",
        "steps",
        "grid",
        "eta",
        "order",
        "guidance_scale",
        "guidance_form",
        "clipping",
        "noise",
        "invert",
        "strength",
        "corrector_steps",
        "sigmas",
        "timesteps",
        "variation_seed",
        "interpolate_to",
        "nonsense",
        "compat",
        "ending",
        "shift",
    ];
    const VALUES: &[&str] = &[
        "ddpm",
        "rk45",
        "heun",
        "unipc",
        "dpm-solver",
        "0",
        "1",
        "2",
        "3",
        "7",
        "1000",
        "1e309",
        "-1",
        "0.5",
        "nan",
        "karras",
        "trailing",
        "torch",
        "apg",
        "cfg++",
        "on",
        "dynamic",
        "1,2,3",
        "90,50,10,3",
        "",
        "last",
        "diffusers",
    ];
    const MANIFESTS: &[&str] = &[
        MANIFEST,
        r#"{"diffuse": 1, "sample": {"shape": [2]}, "schedule": {"kind": "flow"}, "prediction": "flow"}"#,
        r#"{"diffuse": 1, "sample": {"shape": [3]}, "schedule": {"kind": "edm"}, "prediction": "edm", "conditions": {"text": {"shape": [2]}}}"#,
        "{",
    ];

    /// The handles that are live; at most a few of each.
    struct Live {
        models: Vec<*mut diffuse_model>,
        requests: Vec<*mut diffuse_request>,
        jobs: Vec<*mut diffuse_job>,
        snapshot: Vec<u8>,
        /// NULL unless there is one.
        cancel: *mut diffuse_cancel,
    }

    fn one<T>(all: &[*mut T], bytes: &mut Bytes<'_>) -> *mut T {
        match bytes.below(all.len() + 1) {
            0 => null_mut(),
            i => all[i - 1],
        }
    }

    /// Whatever it is, it is said by a status.
    fn any(status: i32) {
        assert!((DIFFUSE_OK..=DIFFUSE_NOT_YET).contains(&status) && status != DIFFUSE_PANIC, "{status}");
    }

    /// A length that fits, or does not.
    fn length(bytes: &mut Bytes<'_>, right: usize) -> usize {
        match bytes.byte() {
            0..=199 => right,
            200..=240 => right.saturating_sub(1),
            241..=254 => 0,
            // More than any memory, so that nothing of it is read.
            _ => usize::MAX,
        }
    }

    pub(super) fn run(bytes: &mut Bytes<'_>) {
        let host = Box::new(Host { mode: AtomicU8::new(0), job: AtomicPtr::new(null_mut()) });
        let data = (&raw const *host).cast_mut().cast::<c_void>();
        let mut live = Live {
            models: Vec::new(),
            requests: Vec::new(),
            jobs: Vec::new(),
            snapshot: Vec::new(),
            cancel: null_mut(),
        };
        let (mut request, mut model) = (null_mut(), null_mut());
        let manifest = CString::new(MANIFESTS[bytes.below(3)]).unwrap();
        // SAFETY: live strings and places for the handles.
        unsafe {
            diffuse_request_new(&raw mut request);
            diffuse_model_open_callback(manifest.as_ptr(), Some(callback), data, &raw mut model);
        }
        live.requests.push(request);
        live.models.push(model);
        for _ in 0..64 {
            if bytes.0.is_empty() {
                break;
            }
            // SAFETY: all handles are live or NULL, and every buffer is as long as is said, or longer.
            unsafe { call(&mut live, bytes, &host, data) };
        }
        host.mode.store(0, Ordering::SeqCst);
        host.job.store(null_mut(), Ordering::SeqCst);
        // SAFETY: each once.
        unsafe {
            live.jobs.into_iter().for_each(|job| diffuse_job_free(job));
            live.requests.into_iter().for_each(|request| diffuse_request_free(request));
            live.models.into_iter().for_each(|model| diffuse_model_free(model));
            diffuse_cancel_free(live.cancel);
        }
    }

    #[expect(clippy::too_many_lines, reason = "a call each")]
    unsafe fn call(live: &mut Live, bytes: &mut Bytes<'_>, host: &Host, data: *mut c_void) {
        let (mut a, mut b) = (0usize, 0usize);
        let (mut x, mut y, mut state) = (0.0f64, 0.0f64, 0i32);
        let mut values = [0.25f32; 64];
        let mut pixels = [9u8; 256];
        let mut text = [0 as c_char; 40];
        let classes = [0i64, 1, 2, 3, -1, i64::MAX];
        let (request, model, job) = (one(&live.requests, bytes), one(&live.models, bytes), one(&live.jobs, bytes));
        let cancel = live.cancel;
        let word = |words: &[&str], bytes: &mut Bytes<'_>| CString::new(words[bytes.below(words.len())]).unwrap();
        // SAFETY: the caller's promise.
        unsafe {
            match bytes.below(43) {
                0 if live.requests.len() < 3 => {
                    let mut made = null_mut();
                    diffuse_request_new(&raw mut made);
                    live.requests.push(made);
                }
                1 if live.requests.len() > 1 => {
                    diffuse_request_free(live.requests.swap_remove(bytes.below(live.requests.len())))
                }
                2 => any(diffuse_request_set_number(request, word(KEYS, bytes).as_ptr(), bytes.number())),
                3 => any(diffuse_request_set(request, word(KEYS, bytes).as_ptr(), word(VALUES, bytes).as_ptr())),
                4 => {
                    let count = bytes.byte();
                    any(diffuse_request_set_count(
                        request,
                        if count == 255 { usize::MAX } else { usize::from(count % 6) },
                    ));
                }
                5 => any(diffuse_request_set_classes(request, classes.as_ptr(), length(bytes, 2))),
                6 => any(diffuse_request_set_image(request, values.as_ptr(), length(bytes, 4))),
                7 => any(diffuse_request_set_mask(request, values.as_ptr(), length(bytes, 4))),
                8 => {
                    let axes = [[2, 2, 0], [1, 4, 2], [usize::MAX, usize::MAX, 1], [2, 1, 1]][bytes.below(4)];
                    let (element, rank) = (bytes.below(14) as i32, bytes.below(4));
                    any(diffuse_request_set_condition(
                        request,
                        c"text".as_ptr(),
                        element,
                        values.as_ptr().cast(),
                        if bytes.byte() == 0 { null() } else { axes.as_ptr() },
                        rank,
                        bytes.below(3) as i32,
                    ));
                }
                9 => {
                    let function: diffuse_callback = if bytes.byte().is_multiple_of(2) { Some(callback) } else { None };
                    any(diffuse_request_set_guidance_callback(request, function, data));
                }
                10 if live.models.len() < 3 => {
                    let mut made = null_mut();
                    diffuse_model_open_callback(word(MANIFESTS, bytes).as_ptr(), Some(callback), data, &raw mut made);
                    if !made.is_null() {
                        live.models.push(made);
                    }
                }
                11 if live.models.len() > 1 => {
                    diffuse_model_free(live.models.swap_remove(bytes.below(live.models.len())))
                }
                12..=14 if live.jobs.len() < 4 => {
                    let mut made = null_mut();
                    diffuse_job_new(model, request, &raw mut made);
                    if !made.is_null() {
                        live.jobs.push(made);
                    }
                }
                15 if !live.jobs.is_empty() => {
                    let job = live.jobs.swap_remove(bytes.below(live.jobs.len()));
                    // No callback may use it any more.
                    let _ = host.job.compare_exchange(job, null_mut(), Ordering::SeqCst, Ordering::SeqCst);
                    if host.mode.load(Ordering::SeqCst) >= 4 {
                        host.mode.store(0, Ordering::SeqCst);
                        live.jobs.iter().for_each(|&other| any(diffuse_job_wait(other, 60_000, &raw mut state)));
                    }
                    diffuse_job_free(job);
                }
                16 | 17 => any(diffuse_job_step(job, &raw mut state)),
                18 => any(diffuse_job_advance(job, u64::from(bytes.byte()), &raw mut state)),
                19 | 20 => any(diffuse_job_start(job)),
                21 => any(diffuse_job_start_for(job, u64::from(bytes.byte()))),
                22 => any(diffuse_job_pause(job)),
                23 => any(diffuse_job_cancel(job)),
                24 => any(diffuse_job_wait(job, u64::from(bytes.byte() % 4), &raw mut state)),
                25 => {
                    diffuse_job_poll(job, &raw mut state);
                    diffuse_job_progress(job, &raw mut a, &raw mut b);
                    diffuse_job_stage(job, &raw mut state, &raw mut a, &raw mut b);
                    let mut expected = 0;
                    diffuse_job_expected(job, &raw mut expected);
                    diffuse_job_error(job, &raw mut state, text.as_mut_ptr(), bytes.below(41));
                }
                26 => {
                    diffuse_job_shape(job, null_mut(), 0, &raw mut a);
                    any(diffuse_job_read(job, values.as_mut_ptr(), bytes.below(65)));
                }
                27 => any(diffuse_job_preview(job, values.as_mut_ptr(), length(bytes, 4))),
                28 => {
                    let (item, room, stride, flags) =
                        (bytes.below(4), bytes.byte(), bytes.byte(), u32::from(bytes.byte() % 5));
                    let stride = if stride == 255 { usize::MAX } else { usize::from(stride % 32) };
                    diffuse_job_read_pixels(job, item, pixels.as_mut_ptr(), usize::from(room), stride, flags);
                    any(diffuse_job_preview_pixels(job, item, pixels.as_mut_ptr(), usize::from(room), stride, flags));
                }
                29 if diffuse_job_snapshot(job, null_mut(), 0, &raw mut a) == DIFFUSE_OK => {
                    live.snapshot = vec![0; a];
                    let capacity = live.snapshot.len() - bytes.below(2);
                    any(diffuse_job_snapshot(job, live.snapshot.as_mut_ptr(), capacity, &raw mut a));
                }
                30 => {
                    let place = live.snapshot.len().checked_sub(usize::from(bytes.byte()));
                    if let Some(byte) = place.and_then(|place| live.snapshot.get_mut(place)) {
                        *byte ^= bytes.byte();
                    }
                    any(diffuse_job_restore(job, live.snapshot.as_ptr(), live.snapshot.len()));
                }
                31 => any(diffuse_job_start_from(job, values.as_ptr(), length(bytes, 4))),
                32 => {
                    let mut cost = diffuse_cost {
                        struct_size: u32::from(bytes.byte()),
                        reserved: 0,
                        evaluations: 0,
                        peak_bytes: 0,
                        milliseconds: 0.0,
                        encoding_milliseconds: 0.0,
                        decoding_milliseconds: 0.0,
                    };
                    any(diffuse_request_cost(request, model, cancel, &raw mut cost));
                }
                33 => {
                    // Handles of other types, and a callback that works on a job.
                    diffuse_job_step(request.cast(), null_mut());
                    diffuse_request_set_seed(model.cast(), 3);
                    diffuse_model_trim(job.cast(), cancel);
                    diffuse_job_free(request.cast());
                }
                34 => {
                    let count = bytes.below(4);
                    let told = if bytes.byte().is_multiple_of(2) { null_mut() } else { request };
                    let (x, t) = (values.as_ptr(), bytes.number());
                    any(diffuse_model_denoise(
                        model,
                        told,
                        x,
                        length(bytes, 4 * count),
                        count,
                        t,
                        0.6,
                        0.8,
                        cancel,
                        values.as_mut_ptr(),
                    ));
                }
                35 => any(diffuse_model_add_noise(
                    model,
                    request,
                    values.as_ptr(),
                    length(bytes, 4),
                    1,
                    bytes.number(),
                    1,
                    values.as_mut_ptr(),
                )),
                36 => any(diffuse_model_values(
                    model,
                    pixels.as_ptr(),
                    bytes.below(257),
                    bytes.below(40),
                    u32::from(bytes.byte() % 5),
                    values.as_mut_ptr(),
                    length(bytes, 4),
                )),
                37 => {
                    diffuse_model_level(model, bytes.number(), &raw mut x, &raw mut y);
                    let axes = [bytes.below(4), bytes.below(4), usize::MAX];
                    any(diffuse_request_set_shape(request, axes.as_ptr(), bytes.below(4)));
                }
                38 => {
                    host.job.store(job, Ordering::SeqCst);
                    host.mode.store(bytes.byte() % 8, Ordering::SeqCst);
                }
                39 => {
                    any(diffuse_request_set_negative_classes(request, classes.as_ptr(), length(bytes, 1)));
                    let _ = diffuse_request_set_classifier(request, model, classes.as_ptr(), 1);
                }
                40 if cancel.is_null() => any(diffuse_cancel_new(&raw mut live.cancel)),
                41 => any(diffuse_cancel_cancel(cancel)),
                42 => diffuse_cancel_free(std::mem::replace(&mut live.cancel, null_mut())),
                _ => {}
            }
        }
    }
}
