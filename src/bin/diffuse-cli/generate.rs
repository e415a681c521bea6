//! `diffuse-cli generate`: draw from a model.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use diffuse::job::Canceller;
use diffuse::onnx::{Kind, Manifest, Placement};
use diffuse::pipeline::{Cost, Noise};
use diffuse::{Error, Model, Request, pixels};
use ndarray::{ArrayD, ArrayView2, ArrayViewD, Axis, Slice};
use ndarray_npy::WriteNpyExt;

use crate::failure::{Failure, say};
use crate::output::Target;
use crate::picture;
use crate::shared::{DeviceArguments, RuntimeArguments, SamplingArguments, print, print_json, say_placement};
use crate::steering::SteeringArguments;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The model, an .onnx file with a manifest
    model: PathBuf,
    /// Where to: .png (a sheet, or a scatter plot of points), .csv or .npy; `-` for standard output; may be given more than
    /// once [default: NAME-SEED.png, or .csv and .png for points, or .npy]
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// The classes, by name or number and separated by commas; `none` for no class [default: all, one after the other]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    class: Vec<String>,
    /// How many of each class, or in all where there are no classes [default: 1; 2000 points]
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<usize>,
    /// The seed of the first item; the next ones count up from it [default: another each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    sampling: SamplingArguments,
    #[command(flatten)]
    steering: SteeringArguments,
    /// The shape of one item, for a model that leaves it free, such as 3,64,64
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    shape: Option<Vec<usize>>,
    /// How many items are drawn at a time; more takes more memory [default: 16; 4096 points; all with --noise torch]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Pictures in a row of the sheet [default: one row per class, or about as many as rows]
    #[arg(long, value_name = "N")]
    columns: Option<usize>,
    /// Draw every pixel of the sheet as a square of N by N
    #[arg(long, value_name = "N", default_value_t = 1)]
    zoom: usize,
    /// Say how many evaluations, how much time and how much memory it would take, and draw nothing
    #[arg(long)]
    cost: bool,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    runtime: RuntimeArguments,
    /// Print JSON on what was done
    #[arg(long)]
    json: bool,
}

/// Says what drawing `count` items in batches takes, by what one batch of `request` does.
fn say_cost(cost: &Cost, batches: usize, json: bool) -> Result<(), Failure> {
    let evaluations = cost.evaluations.map(|evaluations| evaluations * batches);
    let seconds = cost.time.map(|time| time.as_secs_f64() * batches as f64);
    if json {
        return print_json(&serde_json::json!({
            "evaluations": evaluations,
            "seconds": seconds,
            "peak_bytes": cost.peak_bytes,
        }));
    }
    let unknown = || "as many as its steps take".to_owned();
    print(&format!(
        "evaluations {}\ntime        {}\nmemory      {:.1} MB at a time, beside ONNX Runtime itself\n",
        evaluations.map_or_else(unknown, |count| count.to_string()),
        seconds.map_or("unknown".to_owned(), |seconds| format!("{seconds:.2} s")),
        cost.peak_bytes as f64 / 1e6
    ))
}

/// How a result was made: with the files that the command was given, enough to make it again. It travels in PNG files.
#[derive(Debug, serde::Serialize)]
struct Record {
    diffuse: &'static str,
    model: String,
    model_sha256: String,
    /// The execution provider that evaluated the network.
    provider: String,
    /// The names of the classes; there are `count / class_names.len()` items of each, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    class_names: Vec<String>,
    /// The SHA-256 of what else was read, by the flag that named it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    steering: BTreeMap<String, String>,
    #[serde(flatten)]
    request: Request,
}

/// The most items of one call: a slip of the finger should not fill the memory.
const MOST_ITEMS: usize = 1_000_000;

/// Set by Ctrl-C.
pub(crate) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What stops the job that is running.
static RUNNING: Mutex<Option<Canceller>> = Mutex::new(None);

pub(crate) fn on_interrupt() {
    // The first one ends the run in order; a second does not wait, for instance for a pipe that nobody reads.
    if INTERRUPTED.swap(true, Ordering::SeqCst) {
        std::process::exit(130);
    }
    if let Some(canceller) = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        canceller.cancel();
    }
}

/// Where the time went, in milliseconds.
#[derive(Debug, Default, serde::Serialize)]
struct Timings {
    /// Loading and starting ONNX Runtime.
    runtime: f64,
    /// Opening the model.
    open: f64,
    /// The run: evaluations and all that is between them.
    sample: f64,
    /// From the start of the command to the last written file.
    total: f64,
}

/// What `since` is ago, in milliseconds.
fn elapsed(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let start = Instant::now();
    let mut timings = Timings::default();
    if arguments.zoom == 0 || arguments.zoom > 64 {
        return Err(Failure::Usage(format!("--zoom: {}; 1 to 64 are possible", arguments.zoom)));
    }
    let options = arguments.device.model_options()?;
    if arguments.columns == Some(0) {
        return Err(Failure::Usage("--columns: 0; at least one picture goes into a row".into()));
    }
    ctrlc::set_handler(on_interrupt).map_err(|error| Failure::Other(format!("Ctrl-C cannot be handled: {error}")))?;

    let runtime = arguments.runtime.open()?;
    timings.runtime = elapsed(start);
    let model = Arc::new(Model::open(&runtime, &arguments.model, &options)?);
    model.notes().iter().for_each(|note| say(&format!("note: {note}\n")));
    timings.open = elapsed(start) - timings.runtime;
    say_placement(model.placement());
    let manifest = model.manifest();
    let kind = manifest.sample.kind();

    let classes = chosen_classes(&model, &arguments.class)?;
    let per_class = arguments.count.unwrap_or(if kind == Kind::Points { 2000 } else { 1 });
    let count = per_class
        .checked_mul(classes.len().max(1))
        .filter(|count| (1..=MOST_ITEMS).contains(count))
        .ok_or_else(|| {
            Failure::Usage(format!("--count: {per_class} of each class; 1 to {MOST_ITEMS} items in all are possible"))
        })?;
    // One generator for all items draws them as one batch.
    let sampling = arguments.sampling.request()?;
    let blended = ["interpolate_to", "variation_seed"].iter().any(|key| sampling.options.get(key).is_some());
    let together = sampling.noise == Noise::Torch || blended;
    let batch = match arguments.batch {
        Some(0) => return Err(Failure::Usage("--batch: 0; at least one item has to be drawn at a time".into())),
        Some(batch) if together && batch < count => {
            let reason = format!(
                "--batch: {batch}; {} draws all {count} items as one batch{}",
                if blended { "what starts between seeds" } else { "--noise torch" },
                if blended { "" } else { " (torch-per-item does not)" },
            );
            return Err(Failure::Usage(reason));
        }
        Some(batch) => batch,
        None if together => count,
        None => {
            let usual = if kind == Kind::Points { 4096 } else { 16 };
            // A graph with a fixed batch takes multiples of it.
            let fixed = model.fixed_batch().unwrap_or(1);
            (usual / fixed).max(1) * fixed
        }
    };
    let seed = arguments.seed.unwrap_or_else(any_seed);
    let sheet = Sheet::new(arguments, classes.len(), per_class, count);
    let targets = targets(arguments, &model, seed, sampling.invert)?;

    // Each class in turn, `per_class` times.
    let class_of = |item: usize| classes[item / per_class];
    let steering = arguments.steering.read(&runtime, &options, &model, arguments.shape.as_deref())?;
    let rank = 1 + arguments.shape.as_ref().unwrap_or(&manifest.sample.shape).len();
    steering.check(count, rank)?;
    if !steering.has_start() && sampling.options.get("strength").is_some() {
        let reason = "--strength: it is for a run that starts from --image or --start; this one starts from noise";
        return Err(Failure::Usage(reason.into()));
    }
    if steering.start.is_some() && blended {
        let reason = "--start: the samples that a run starts from are given; there is no noise to interpolate or vary";
        return Err(Failure::Usage(reason.into()));
    }
    let request = |first: usize, of_batch: usize| {
        let plain = Request {
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
        return say_cost(
            &request(0, of_batch).cost(&model, &Canceller::default())?,
            count.div_ceil(of_batch),
            arguments.json,
        );
    }
    let (solver, grid) = request(0, 1).plan(manifest)?;
    let record = Record {
        diffuse: env!("CARGO_PKG_VERSION"),
        model: model.name().to_owned(),
        model_sha256: model.hash()?.into(),
        provider: model.placement().provider.clone(),
        class_names: classes.iter().map(|&class| class_name(manifest, class)).collect(),
        steering: steering.hashes().clone(),
        request: Request { count, classes: None, ..request(0, 1).resolved(manifest) },
    };
    let mut shape = vec![count];
    shape.extend(record.request.shape.iter().flatten());
    if kind == Kind::Image && targets.iter().any(|(_, format)| *format == Format::Png) {
        sheet.check(&shape)?;
    }
    let steps = grid.steps();
    say(&format!("{}: seed {seed}, {solver}, {steps} step{}\n", record.model, if steps == 1 { "" } else { "s" }));

    let sampling = Instant::now();
    let noisy = |first: usize, of_batch: usize| steering.start_of(first, of_batch, count, &shape);
    let samples = sample(&model, &request, &noisy, count, batch, &shape)?;
    timings.sample = elapsed(sampling);

    let mut written = Vec::new();
    for (target, format) in &targets {
        if INTERRUPTED.load(Ordering::SeqCst) {
            return Err(Error::Cancelled.into());
        }
        let bytes = encode(samples.view(), *format, manifest, sheet, &record)?;
        target.write(&bytes)?;
        if let Target::File(path) = target {
            written.push(path.clone());
        }
    }
    if arguments.json {
        #[derive(serde::Serialize)]
        struct Done<'a> {
            files: &'a [PathBuf],
            milliseconds: Timings,
            placement: &'a Placement,
            #[serde(flatten)]
            record: &'a Record,
        }
        timings.total = elapsed(start);
        let placement = model.placement();
        return print_json(&Done { files: &written, milliseconds: timings, placement, record: &record });
    }
    written.iter().try_for_each(|path| print(&path.display().to_string()))
}

/// How pictures are put together.
#[derive(Debug, Clone, Copy)]
struct Sheet {
    columns: usize,
    zoom: usize,
}

impl Sheet {
    fn new(arguments: &Arguments, classes: usize, per_class: usize, count: usize) -> Self {
        // A row for each class, or about as many rows as columns.
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
    if length == 0 || length > diffuse::job::MOST_VALUES {
        return Err(Failure::Usage(format!(
            "--count: {count} items of {:?} are more than the {} values that fit",
            &shape[1..],
            diffuse::job::MOST_VALUES
        )));
    }
    let mut samples = ArrayD::zeros(shape);
    let mut bar = Bar::new();
    for first in (0..count).step_by(batch) {
        let last = count.min(first + batch);
        let mut job = request(first, last - first).job(model)?;
        if let Some(x) = start(first, last - first) {
            job.start_from(x.view()).map_err(|error| match error {
                Error::Argument { reason, .. } => Failure::Usage(format!("--start: {reason}")),
                other => other.into(),
            })?;
        }
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(job.canceller());
        // One that came before the job was known.
        if INTERRUPTED.load(Ordering::SeqCst) {
            return Err(Error::Cancelled.into());
        }
        loop {
            let progress = job.step()?;
            bar.show(
                (first * progress.steps + progress.step * (last - first)) as f64 / (count * progress.steps) as f64,
            );
            if progress.is_finished() {
                break;
            }
        }
        samples.slice_axis_mut(Axis(0), Slice::from(first..last)).assign(&job.sample());
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
            say(&format!("\r[{}{}] {:3.0} %", "#".repeat(filled), ".".repeat(WIDTH - filled), share * 100.0));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.visible {
            say(&format!("\r{:30}\r", ""));
        }
    }
}

/// The numbers of the classes that are asked for; all of them if none is; none if the model has none.
fn chosen_classes(model: &Model, names: &[String]) -> Result<Vec<i64>, Failure> {
    match &model.manifest().classes {
        Some(classes) if names.is_empty() => Ok((0..classes.count() as i64).collect()),
        _ => Ok(names.iter().map(|name| model.class(name)).collect::<Result<_, _>>()?),
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

fn targets(arguments: &Arguments, model: &Model, seed: u64, inverted: bool) -> Result<Vec<(Target, Format)>, Failure> {
    let kind = model.manifest().sample.kind();
    let usual: &[(&str, Format)] = match kind {
        // What it ends at is noise.
        _ if inverted => &[("npy", Format::Npy)],
        Kind::Image => &[("png", Format::Png)],
        Kind::Points => &[("csv", Format::Csv), ("png", Format::Png)],
        Kind::Tensor => &[("npy", Format::Npy)],
    };
    let name = model.name();
    let mut chosen: Vec<(Target, Format)> = if arguments.output.is_empty() {
        usual
            .iter()
            .map(|(ending, format)| (Target::new(Path::new(&format!("{name}-{seed}.{ending}"))), *format))
            .collect()
    } else {
        let format = |path: &PathBuf| {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
            let target = Target::new(path);
            match (ending.as_str(), kind) {
                _ if target == Target::Stdout => Ok((target, usual[0].1)),
                ("png", Kind::Tensor) => Err(Failure::Usage(format!(
                    "-o {}: this model draws neither pictures nor points; use .npy or .csv",
                    path.display()
                ))),
                ("png", _) => Ok((target, Format::Png)),
                ("csv", _) => Ok((target, Format::Csv)),
                ("npy", _) => Ok((target, Format::Npy)),
                _ => {
                    // A device or a pipe has no ending: it gets what standard output would.
                    let special =
                        std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
                    if special {
                        Ok((target, usual[0].1))
                    } else {
                        Err(Failure::Usage(format!("-o {}: the name must end in .png, .csv or .npy", path.display())))
                    }
                }
            }
        };
        arguments.output.iter().map(format).collect::<Result<_, _>>()?
    };
    // Standard output last: whoever reads it may leave early, and the files are to be written all the same.
    chosen.sort_by_key(|(target, _)| *target == Target::Stdout);
    for (i, (target, format)) in chosen.iter().enumerate() {
        target.is_not(&arguments.model, "the model itself")?;
        if *target == Target::Stdout && arguments.json {
            return Err(Failure::Usage("--json and -o -: both would go to standard output".into()));
        }
        if chosen[..i].iter().any(|(earlier, _)| earlier == target) {
            return Err(Failure::Usage("-o: the same file is named twice".into()));
        }
        target.check(*format != Format::Csv)?;
    }
    Ok(chosen)
}

fn encode(
    samples: ArrayViewD<'_, f32>,
    format: Format,
    manifest: &Manifest,
    sheet: Sheet,
    record: &Record,
) -> Result<Vec<u8>, Failure> {
    let items = samples.shape()[0];
    let length = samples.len() / items;
    let rows: ArrayView2<'_, f32> =
        samples.clone().into_shape_with_order((items, length)).map_err(|error| Failure::Other(error.to_string()))?;
    match format {
        Format::Npy => {
            let mut bytes = Vec::new();
            samples.write_npy(&mut bytes).map_err(|error| Failure::Other(error.to_string()))?;
            Ok(bytes)
        }
        Format::Csv => {
            let mut text = if manifest.sample.kind() == Kind::Points { String::from("x,y\n") } else { String::new() };
            for row in rows.rows() {
                for (i, value) in row.iter().enumerate() {
                    let _ = write!(text, "{}{value}", if i > 0 { "," } else { "" });
                }
                text.push('\n');
            }
            Ok(text.into_bytes())
        }
        Format::Png => {
            let picture = match manifest.sample.kind() {
                Kind::Points => picture::scatter(rows),
                _ => {
                    let range = manifest.sample.range().unwrap_or([-1.0, 1.0]);
                    let pictures = samples
                        .outer_iter()
                        .map(|image| {
                            let image =
                                image.into_dimensionality().map_err(|error| Failure::Other(error.to_string()))?;
                            Ok(pixels::rgba8(image, range)?)
                        })
                        .collect::<Result<Vec<_>, Failure>>()?;
                    picture::enlarged(&picture::sheet(&pictures, sheet.columns), sheet.zoom)
                }
            };
            let record = serde_json::to_string(record).map_err(|error| Failure::Other(error.to_string()))?;
            picture::encode(&picture, &record).map_err(|error| Failure::Other(format!("PNG: {error}")))
        }
    }
}
