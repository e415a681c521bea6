//! `diffuse-cli generate`: generates samples with a model.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use diffuse::model::{Kind, Manifest, Pipeline, Sample};
use diffuse::network::{PartHash, Placement};
use diffuse::request::Plan;
use diffuse::run::{Cost, Run, Stage, Work};
use diffuse::sample::Canceller;
use diffuse::settings::Noise;
use diffuse::stage::pixels::{self, Look};
use diffuse::text::escaped;
use diffuse::{Error, Model, Request, Runtime};
use ndarray::{ArrayD, ArrayView2, ArrayViewD, Axis, Slice};

use crate::failure::{Failure, draw, no_bar, say, say_warnings};
use crate::input::ModelInput;
use crate::output::{CLASSIFIER, MODEL, Outputs, Source, Stem, Target, Written, model_sources};
use crate::shared::{
    DeviceArguments, RuntimeArguments, SamplingArguments, classes_of, print, print_json, say_notes, say_placement,
    shown,
};
use crate::steering::{Steering, SteeringArguments};
use crate::{npy, picture};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The model: an .onnx file with a manifest, or the folder of a pipeline.
    model: PathBuf,
    /// The prompt, for a model that reads text. The same as --prompt.
    #[arg(value_name = "PROMPT")]
    words: Option<String>,
    /// The output file: a .png (a sheet, or a scatter plot of points), a .csv or a .npy. `-` is standard output. May be
    /// given more than once. Default: NAME-SEED.png, or .csv and .png for points, or .npy. Where that exists it is
    /// NAME-SEED-2, and so on.
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// The classes, by name or number, separated by commas. `none` is no class. May be given more than once. Default:
    /// all, one after the other.
    #[arg(long, value_name = "NAME")]
    class: Vec<String>,
    /// The prompt, for a model that reads text. Give it more than once for several pictures.
    #[arg(long, value_name = "TEXT")]
    prompt: Vec<String>,
    /// The negative prompt: guidance moves away from it. Give it once for all prompts or once for each.
    #[arg(long, alias = "negative-prompt", value_name = "TEXT")]
    negative: Vec<String>,
    /// The size of a picture in pixels: WIDTHxHEIGHT, or one number for both. Default: the image's, else the model's.
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["width", "height"])]
    size: Option<String>,
    /// The number of items of each class or prompt, or in all where there are none. Default: 1, or 2000 points.
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<usize>,
    /// The seed of the first item. The seeds of the next items count up from it. Default: another one each time.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The shape of one item, such as 3,64,64, for a model that leaves it free.
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    shape: Option<Vec<usize>>,
    /// The number of items that are generated at a time. More takes more memory. Default: 16, or 4096 points, or 1 with
    /// a pipeline, or all with --noise torch.
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// The number of pictures in a row of the sheet. Default: one row per class, or about as many columns as rows.
    #[arg(long, value_name = "N")]
    columns: Option<usize>,
    /// Draws every pixel of the sheet as a square of N by N.
    #[arg(long, value_name = "N", default_value_t = 1)]
    zoom: usize,
    /// Prints the evaluations, time and memory that the run would take, and generates nothing.
    #[arg(long)]
    cost: bool,
    /// Prints JSON about what was done.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sampling: SamplingArguments,
    #[command(flatten)]
    steering: SteeringArguments,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    runtime: RuntimeArguments,
}

/// Prints what the run costs: `batches` times what one batch does, and `peak_bytes` of memory.
fn say_cost(cost: &Cost, batches: usize, peak_bytes: usize, json: bool) -> Result<(), Failure> {
    let evaluations = cost.evaluations.map(|evaluations| evaluations * batches);
    let of_all = |time: Duration| time.as_secs_f64() * batches as f64;
    let [seconds, encoding, decoding] =
        [cost.time, Some(cost.encoding), Some(cost.decoding)].map(|time| time.map(of_all));
    if json {
        return print_json(&serde_json::json!({
            "evaluations": evaluations,
            "seconds": seconds,
            "encoding_seconds": encoding,
            "decoding_seconds": decoding,
            "peak_bytes": peak_bytes,
        }));
    }
    let unknown = || "as many as its steps take".to_owned();
    let of_stages = match (encoding, decoding) {
        (Some(encoding), Some(decoding)) if encoding + decoding > 0.0 => {
            format!(", of it {encoding:.2} s for encoding and {decoding:.2} s for decoding")
        }
        _ => String::new(),
    };
    print(&format!(
        "evaluations {}\ntime        {}{of_stages}\nmemory      {:.1} MB at a time, beside ONNX Runtime itself\n",
        evaluations.map_or_else(unknown, |count| count.to_string()),
        seconds.map_or("unknown".to_owned(), |seconds| format!("{seconds:.2} s")),
        peak_bytes as f64 / 1e6
    ))
}

/// How a result was made. With the files that the command was given, it is enough to make the result again. PNG files
/// contain it.
#[derive(Debug, serde::Serialize)]
struct Record {
    diffuse: &'static str,
    model: String,
    /// The hash of the model ([`Model::hash`]).
    model_sha256: String,
    /// The hashes of its parts: the graph, files with weights, and the manifest that was used.
    model_parts: Vec<PartHash>,
    /// The execution provider that evaluated the network.
    provider: String,
    /// The names of the classes, in order. There are `count / class_names.len()` items of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    class_names: Vec<String>,
    /// The SHA-256 of the other files that were read, by their flags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    steering: BTreeMap<String, String>,
    /// How a picture was made that does not show the samples themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<&'static str>,
    #[serde(flatten)]
    request: Request,
}

impl Record {
    fn new(model: &Model, classes: &[i64], steering: &Steering, request: Request) -> Result<Self, Error> {
        Ok(Self {
            diffuse: env!("CARGO_PKG_VERSION"),
            model: model.name().to_owned(),
            model_sha256: model.hash()?.into(),
            model_parts: model.part_hashes()?,
            provider: model.placement().provider.clone(),
            class_names: classes.iter().map(|&class| class_name(model.manifest(), class)).collect(),
            steering: steering.hashes().clone(),
            preview: match Look::of(model.drawn()) {
                Look::Latents(Some(_)) => Some(pixels::BY_MATRIX),
                Look::Latents(None) => Some(pixels::STRETCHED),
                _ => None,
            },
            request,
        })
    }
}

/// The most items of one call, so that a typing error does not fill the memory.
const MOST_ITEMS: usize = 1_000_000;

/// The prompts of a request.
struct Words {
    prompts: Vec<String>,
    negatives: Vec<String>,
    /// The number of pictures of each prompt.
    each: usize,
}

impl Words {
    /// The prompts of `count` items, from `first` on.
    fn of(&self, first: usize, count: usize) -> (Vec<String>, Option<Vec<String>>) {
        let of = |texts: &[String]| {
            let text = |item: usize| texts[(item / self.each).min(texts.len() - 1)].clone();
            (first..first + count).map(text).collect::<Vec<String>>()
        };
        let prompts = if self.prompts.is_empty() { Vec::new() } else { of(&self.prompts) };
        (prompts, (!self.negatives.is_empty()).then(|| of(&self.negatives)))
    }
}

/// The times of the parts of a command, in milliseconds.
#[derive(Debug, Default, serde::Serialize)]
struct Timings {
    /// Loading and starting ONNX Runtime.
    runtime: f64,
    /// Opening the model.
    open: f64,
    /// The run: evaluations and everything between them.
    sample: f64,
    /// From the start of the command to the last written file.
    total: f64,
}

/// The time since `since`, in milliseconds.
fn elapsed(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

// Long: every line needs what those before it have made, from the first check to the last file.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let start = Instant::now();
    let mut timings = Timings::default();
    arguments.check()?;
    let options = arguments.device.model_options()?;
    let model = ModelInput::read("the model", &arguments.model)?;
    let files = arguments.steering.read()?;
    let mut sampling = arguments.sampling.request()?;
    arguments.set_size(&mut sampling)?;

    let runtime = arguments.runtime.open()?;
    timings.runtime = elapsed(start);
    let model = Arc::new(model.open(&runtime, &options)?);
    say_notes(&model);
    say_warnings();
    timings.open = elapsed(start) - timings.runtime;
    say_placement(model.placement());
    let kind = model.drawn().kind();

    let classes = chosen_classes(&model, &arguments.class)?;
    let prompts = arguments.prompts(&model)?;
    let (per_class, count) = arguments.counts(kind, classes.len().max(prompts.len()))?;
    let words = Words { prompts, negatives: arguments.negative.clone(), each: per_class };
    let blended = ["interpolate_to", "variation_seed", "seeds"].iter().any(|key| sampling.options.get(key).is_some());
    let batch = batch_of(arguments, &model, count, sampling.noise == Noise::Torch, blended)?;
    let seed = arguments.seed.unwrap_or_else(any_seed);
    let sheet = Sheet::new(arguments, classes.len().max(words.prompts.len()), per_class, count);
    let outputs = outputs(arguments, &model, seed, sampling.invert)?;
    outputs.check(|format| *format != Format::Csv, &sources(arguments, &runtime))?;

    // Each class in turn, `per_class` times.
    let class_of = |item: usize| classes[item / per_class];
    sampling.shape.clone_from(&arguments.shape);
    let steering = arguments.steering.decode(files, &runtime, &options, &model, &sampling)?;
    let rank = 1 + model.drawn().shape.rank();
    steering.check(count, rank)?;
    check_start(&steering, &sampling, blended)?;
    let request = |first: usize, of_batch: usize| {
        let (prompts, negative_prompts) = words.of(first, of_batch);
        let plain = Request {
            prompts,
            negative_prompts,
            seed: seed.wrapping_add(first as u64),
            count: of_batch,
            classes: (!classes.is_empty()).then(|| (first..first + of_batch).map(class_of).collect()),
            shape: arguments.shape.clone(),
            ..sampling.clone()
        };
        steering.apply(plain, first, of_batch, count, rank)
    };
    if arguments.cost {
        let of_batch = batch.min(count);
        let cost = request(0, of_batch).cost(&model, &Canceller::default())?;
        let item = request(0, 1).item(&model).unwrap_or_default();
        let formats: Vec<Format> = outputs.formats().copied().collect();
        let peak = peak_bytes(&cost, &model, &steering, sheet, count, &item, &formats);
        return say_cost(&cost, count.div_ceil(of_batch), peak, arguments.json);
    }
    let Plan { solver, grid, request: resolved, .. } = request(0, if blended { count } else { 1 }).plan_for(&model)?;
    let prompts = words.prompts.clone();
    let negative_prompts = (!words.negatives.is_empty()).then(|| words.negatives.clone());
    let resolved = Request { count, classes: None, prompts, negative_prompts, ..resolved };
    let record = Record::new(&model, &classes, &steering, resolved)?;
    let mut shape = vec![count];
    shape.extend(record.request.shape.iter().flatten());
    if matches!(kind, Kind::Image | Kind::Latent) && outputs.formats().any(|format| *format == Format::Png) {
        sheet.check(&shape)?;
        record.preview.iter().for_each(|label| say(&format!("the .png has {label}\n")));
    }
    let steps = grid.steps();
    let model_name = escaped(&record.model);
    say(&format!("{model_name}: seed {seed}, {solver}, {steps} step{}\n", if steps == 1 { "" } else { "s" }));

    let sampling = Instant::now();
    let noisy = |first: usize, of_batch: usize| steering.start_of(first, of_batch, count, &shape);
    let samples = sample(&model, &request, &noisy, count, batch, &shape)?;
    timings.sample = elapsed(sampling);

    let written = outputs.write(|format| encode(samples.view(), *format, model.drawn(), sheet, &record))?;
    timings.total = elapsed(start);
    report(written, arguments.json, timings, model.placement(), &record)
}

impl Arguments {
    /// Refuses arguments that are wrong for every model.
    fn check(&self) -> Result<(), Failure> {
        if self.zoom == 0 || self.zoom > 64 {
            return Err(Failure::Usage(format!("--zoom: {}; 1 to 64 are possible", self.zoom)));
        }
        if self.columns == Some(0) {
            return Err(Failure::Usage("--columns: 0; at least one picture goes into a row".into()));
        }
        Ok(())
    }

    /// The prompts, if the model is known to use them.
    fn prompts(&self, model: &Model) -> Result<Vec<String>, Failure> {
        let prompts: Vec<String> = self.words.iter().chain(&self.prompt).cloned().collect();
        if prompts.is_empty() && model.pipeline().is_some_and(Pipeline::reads_text) && !self.steering.has_conditions() {
            let reason = "--prompt: this model needs a prompt, and there is none; an empty one is \"\"";
            return Err(Failure::Usage(reason.into()));
        }
        if ![0, 1, prompts.len()].contains(&self.negative.len()) {
            let (negatives, prompts) = (self.negative.len(), prompts.len());
            return Err(Failure::Usage(format!(
                "--negative: {negatives} of them for {prompts} prompts; give 1 or as many"
            )));
        }
        Ok(prompts)
    }

    /// Sets the size of --size.
    fn set_size(&self, request: &mut Request) -> Result<(), Failure> {
        let Some(size) = &self.size else { return Ok(()) };
        let (width, height) = size.split_once(['x', 'X', '×']).unwrap_or((size, size));
        for (key, side) in [("width", width), ("height", height)] {
            let wrong = |_| Failure::Usage(format!("--size: {size:?}; expected WIDTHxHEIGHT, such as 768x512"));
            request.set(key, side.trim()).map_err(wrong)?;
        }
        Ok(())
    }

    /// The number of items of each class, and of all.
    fn counts(&self, kind: Kind, classes: usize) -> Result<(usize, usize), Failure> {
        let per_class = self.count.unwrap_or(if kind == Kind::Points { 2000 } else { 1 });
        let count = per_class.checked_mul(classes.max(1)).filter(|count| (1..=MOST_ITEMS).contains(count));
        count.map(|count| (per_class, count)).ok_or_else(|| {
            Failure::Usage(format!("--count: {per_class} of each class; 1 to {MOST_ITEMS} items in all are possible"))
        })
    }
}

/// Refuses options of a start where there is none, or another one.
fn check_start(steering: &Steering, sampling: &Request, blended: bool) -> Result<(), Failure> {
    if !steering.has_start() && sampling.options.get("strength").is_some() {
        let reason = "--strength: it is for a run that starts from --image or --start; this one starts from noise";
        return Err(Failure::Usage(reason.into()));
    }
    if steering.start.is_some() && blended {
        let reason = "--start: the samples that a run starts from are given; there is no noise to choose seeds for";
        return Err(Failure::Usage(reason.into()));
    }
    Ok(())
}

/// Prints what was written, and what was not.
fn report(
    written: Written,
    json: bool,
    milliseconds: Timings,
    placement: &Placement,
    record: &Record,
) -> Result<(), Failure> {
    if json && written.failure.is_none() {
        #[derive(serde::Serialize)]
        struct Done<'a> {
            files: Vec<Cow<'a, str>>,
            milliseconds: Timings,
            placement: &'a Placement,
            #[serde(flatten)]
            record: &'a Record,
        }
        // JSON is Unicode, and not every name is.
        let files = written.files.iter().map(|path| path.to_string_lossy()).collect();
        return print_json(&Done { files, milliseconds, placement, record });
    }
    if !json {
        written.files.iter().try_for_each(|path| print(&shown(path)))?;
    }
    written.end()
}

/// The number of `count` items that are generated at a time. One generator of torch for all items draws them as one
/// batch. So does a run that is `blended` between seeds.
fn batch_of(arguments: &Arguments, model: &Model, count: usize, torch: bool, blended: bool) -> Result<usize, Failure> {
    let together = torch || blended;
    match arguments.batch {
        Some(0) => Err(Failure::Usage("--batch: 0; at least one item has to be drawn at a time".into())),
        Some(batch) if together && batch < count => {
            let reason = format!(
                "--batch: {batch}; {} draws all {count} items as one batch{}",
                if blended { "a run that sets the seeds of items" } else { "--noise torch" },
                if blended { "" } else { " (torch-per-item does not)" },
            );
            Err(Failure::Usage(reason))
        }
        Some(batch) => Ok(batch),
        None if together => Ok(count),
        None => {
            let usual = match model.drawn().kind() {
                Kind::Points => 4096,
                // A picture of a pipeline takes a thousand times as much memory as one of the small models.
                _ if model.pipeline().is_some() => 1,
                _ => 16,
            };
            // A graph with a fixed batch takes multiples of it.
            let fixed = model.fixed_batch().unwrap_or(1).max(1);
            Ok((usual / fixed).max(1) * fixed)
        }
    }
}

/// The files that a run reads, so that it does not write over them.
fn sources(arguments: &Arguments, runtime: &Runtime) -> Vec<Source> {
    let mut sources = model_sources(MODEL, &arguments.model);
    let classifier = arguments.steering.classifier();
    sources.extend(classifier.iter().flat_map(|path| model_sources(CLASSIFIER, path)));
    sources.extend(arguments.steering.paths().map(|(what, path)| (what, path.to_path_buf())));
    sources.extend(arguments.sampling.path().map(|path| ("the scheduler's configuration", path.to_path_buf())));
    sources.extend(arguments.device.libraries());
    sources.push(("ONNX Runtime's library", runtime.path().to_path_buf()));
    sources
}

/// The most bytes that a whole run holds at a time. In addition to a batch's there are the samples of all batches, and
/// at the end what their encoding needs.
fn peak_bytes(
    cost: &Cost,
    model: &Model,
    steering: &Steering,
    sheet: Sheet,
    count: usize,
    item: &[usize],
    formats: &[Format],
) -> usize {
    let values = item.iter().fold(count, |product, &axis| product.saturating_mul(axis));
    let encoding = formats.iter().map(|format| sheet.bytes(*format, model.drawn().kind(), count, item, values));
    let samples = values.saturating_mul(size_of::<f32>());
    // After the last batch ONNX Runtime still holds the memory that the model has needed.
    let after = model.memory().unwrap_or(0).saturating_add(encoding.max().unwrap_or(0));
    samples.saturating_add(steering.bytes()).saturating_add(cost.peak_bytes.max(after))
}

/// How pictures are arranged in a sheet.
#[derive(Debug, Clone, Copy)]
struct Sheet {
    columns: usize,
    zoom: usize,
}

impl Sheet {
    fn new(arguments: &Arguments, classes: usize, per_class: usize, count: usize) -> Self {
        // There is a row for each class, or about as many rows as columns.
        let usual = if per_class > 1 && classes > 1 { per_class } else { (count as f64).sqrt().ceil() as usize };
        Self { columns: arguments.columns.unwrap_or(usual).min(count), zoom: arguments.zoom }
    }

    /// Refuses, before the work, a sheet that would not fit into memory.
    fn check(self, shape: &[usize]) -> Result<(), Failure> {
        /// Half a gigabyte of pixels.
        const MOST_PIXELS: usize = 1 << 27;
        let [count, _, height, width] = shape[..] else { return Ok(()) };
        let rows = count.div_ceil(self.columns);
        let sizes = [rows, self.columns, height, width, self.zoom, self.zoom];
        let pixels = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        if pixels.is_none_or(|pixels| pixels > MOST_PIXELS) {
            return Err(Failure::Usage(format!(
                "--count: a sheet of {rows} by {} pictures of {width} by {height}, times {}, has more than {MOST_PIXELS} pixels; draw fewer or smaller ones, or write .npy",
                self.columns, self.zoom
            )));
        }
        Ok(())
    }
}

impl Sheet {
    /// The number of bytes that encoding takes at a time, with the encoded bytes. Text and compressed pixels are
    /// counted at their greatest length.
    fn bytes(self, format: Format, kind: Kind, count: usize, item: &[usize], values: usize) -> usize {
        /// A number in decimal, with its comma.
        const OF_TEXT: usize = 12;
        match (format, kind, item) {
            (Format::Npy, ..) => values.saturating_mul(size_of::<f32>()),
            (Format::Csv, ..) => values.saturating_mul(OF_TEXT),
            (Format::Png, Kind::Image | Kind::Latent, [_, height, width]) => {
                let pictures = [4, count, *height, *width].into_iter().fold(1usize, usize::saturating_mul);
                let cells = count.div_ceil(self.columns.max(1)).saturating_mul(self.columns.max(1));
                let plain = pictures / count.max(1) * cells;
                let zoomed = plain.saturating_mul(self.zoom * self.zoom);
                let enlarging = if self.zoom > 1 { plain.saturating_add(zoomed) } else { 0 };
                pictures.saturating_add(plain).max(enlarging).max(zoomed.saturating_mul(2))
            }
            (Format::Png, ..) => 4 << 20,
        }
    }
}

/// Runs the jobs, batch after batch, with a progress bar on a terminal.
fn sample(
    model: &Arc<Model>,
    request: &impl Fn(usize, usize) -> Request,
    start: &impl Fn(usize, usize) -> Option<ArrayD<f32>>,
    count: usize,
    batch: usize,
    shape: &[usize],
) -> Result<ArrayD<f32>, Failure> {
    let length = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis)).unwrap_or(usize::MAX);
    if length == 0 || length > diffuse::sample::MOST_VALUES {
        return Err(Failure::Usage(format!(
            "--count: {count} items of {:?} are more than the {} values that fit",
            &shape[1..],
            diffuse::sample::MOST_VALUES
        )));
    }
    let mut samples = Vec::new();
    let needed = |_| Error::Memory { reason: format!("{length} values of {count} items") };
    samples.try_reserve_exact(length).map_err(needed)?;
    samples.resize(length, 0.0);
    let mut samples = ArrayD::from_shape_vec(shape, samples).map_err(|error| Failure::Other(error.to_string()))?;
    let mut bar = Bar::new();
    for first in (0..count).step_by(batch) {
        let last = count.min(first + batch);
        let mut run = Run::new(model, &request(first, last - first))?;
        if let Some(x) = start(first, last - first) {
            run.start_from(x.view()).map_err(|error| match error {
                Error::Argument { reason, .. } => Failure::Usage(format!("--start: {reason}")),
                other => other.into(),
            })?;
        }
        while !run.is_finished() {
            run.step()?;
            let progress = run.progress();
            let share = progress.step as f64 / progress.steps.max(1) as f64;
            let part = match (run.stage(), model.pipeline()) {
                (_, None) => share,
                // Most of the time passes in the middle.
                (Stage::Sampling, _) => 0.05 + 0.85 * share,
                (Stage::Decoding, _) => 0.9 + 0.1 * share,
                _ => 0.05 * share,
            };
            bar.show((first as f64 + part * (last - first) as f64) / count as f64);
        }
        samples.slice_axis_mut(Axis(0), Slice::from(first..last)).assign(&run.sample()?);
    }
    Ok(samples)
}

/// A progress bar on stderr, where that is a terminal.
pub(crate) struct Bar {
    visible: bool,
}

impl Bar {
    pub(crate) fn new() -> Self {
        Self { visible: io::stderr().is_terminal() }
    }

    pub(crate) fn show(&mut self, share: f64) {
        const WIDTH: usize = 20;
        if self.visible {
            let filled = (share * WIDTH as f64) as usize;
            draw(&format!("\r[{}{}] {:3.0} %", "#".repeat(filled), ".".repeat(WIDTH - filled), share * 100.0));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.visible {
            draw(&no_bar());
        }
    }
}

/// The numbers of the requested classes. All classes if none is requested, and none if the model has none.
fn chosen_classes(model: &Model, names: &[String]) -> Result<Vec<i64>, Failure> {
    match &model.manifest().classes {
        Some(classes) if names.is_empty() => Ok((0..classes.count() as i64).collect()),
        _ => Ok(classes_of(model, names)?),
    }
}

fn class_name(manifest: &Manifest, class: i64) -> String {
    match (&manifest.classes, usize::try_from(class)) {
        (Some(classes), Ok(index)) => classes.name(index),
        _ => class.to_string(),
    }
}

/// A seed that differs from call to call, short enough to be typed again.
fn any_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() % 1_000_000_000
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Png,
    Csv,
    Npy,
}

impl Format {
    fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Csv => "csv",
            Self::Npy => "npy",
        }
    }
}

fn outputs(arguments: &Arguments, model: &Model, seed: u64, inverted: bool) -> Result<Outputs<Format>, Failure> {
    let kind = model.drawn().kind();
    let usual: &[Format] = match kind {
        // The run ends at noise.
        _ if inverted => &[Format::Npy],
        Kind::Image => &[Format::Png],
        Kind::Points => &[Format::Csv, Format::Png],
        Kind::Latent | Kind::Tensor => &[Format::Npy],
    };
    let stem = Stem { start: model.name().to_owned(), end: format!("-{seed}") };
    if arguments.output.is_empty() {
        return Ok(Outputs::usual(stem, usual.iter().map(|format| (*format, format.ending())).collect()));
    }
    if arguments.json && arguments.output.iter().any(|path| Target::new(path) == Target::Stdout) {
        return Err(Failure::Usage("--json and -o -: both would go to standard output".into()));
    }
    let format = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        match (ending.as_str(), kind) {
            _ if Target::new(path) == Target::Stdout => Ok(usual[0]),
            ("png", Kind::Tensor) => Err(Failure::Usage(format!(
                "-o {}: this model draws neither pictures nor points; use .npy or .csv",
                path.display()
            ))),
            ("png", _) => Ok(Format::Png),
            ("csv", _) => Ok(Format::Csv),
            ("npy", _) => Ok(Format::Npy),
            // A device or a pipe has no ending. It gets the format of standard output.
            _ if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) => {
                Ok(usual[0])
            }
            _ => Err(Failure::Usage(format!("-o {}: the name must end in .png, .csv or .npy", path.display()))),
        }
    };
    let target = |path: &PathBuf| format(path).map(|format| (Target::new(path), format, format.ending()));
    Ok(Outputs::named(stem, arguments.output.iter().map(target).collect::<Result<_, _>>()?))
}

fn encode(
    samples: ArrayViewD<'_, f32>,
    format: Format,
    drawn: &Sample,
    sheet: Sheet,
    record: &Record,
) -> Result<Vec<u8>, Failure> {
    let items = samples.shape()[0];
    let length = samples.len() / items;
    let rows: ArrayView2<'_, f32> =
        samples.clone().into_shape_with_order((items, length)).map_err(|error| Failure::Other(error.to_string()))?;
    match format {
        Format::Npy => Ok(npy::write(samples)),
        Format::Csv => {
            let mut text = if drawn.kind() == Kind::Points { String::from("x,y\n") } else { String::new() };
            for row in rows.rows() {
                for (i, value) in row.iter().enumerate() {
                    let _ = write!(text, "{}{value}", if i > 0 { "," } else { "" });
                }
                text.push('\n');
            }
            Ok(text.into_bytes())
        }
        Format::Png => {
            let picture = match drawn.kind() {
                Kind::Points => picture::scatter(rows),
                _ => {
                    let look = Look::of(drawn);
                    let pictures = samples
                        .outer_iter()
                        .map(|image| {
                            let image =
                                image.into_dimensionality().map_err(|error| Failure::Other(error.to_string()))?;
                            Ok(match &look {
                                Look::Pixels(range) => pixels::rgba8(image, *range)?,
                                Look::Latents(matrix) => {
                                    pixels::rgba8(pixels::latent_preview(image, matrix.as_ref())?.view(), [-1.0, 1.0])?
                                }
                                _ => return Err(Failure::Other("the samples are no pictures".into())),
                            })
                        })
                        .collect::<Result<Vec<_>, Failure>>()?;
                    let whole = picture::sheet(&pictures, sheet.columns);
                    drop(pictures);
                    picture::enlarged(whole, sheet.zoom)
                }
            };
            let record = serde_json::to_string(record).map_err(|error| Failure::Other(error.to_string()))?;
            picture::encode(&picture, &record).map_err(|error| Failure::Other(format!("PNG: {error}")))
        }
    }
}
