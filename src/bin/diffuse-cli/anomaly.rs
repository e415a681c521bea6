//! `diffuse-cli anomaly`: what an image would be if it were normal, and where it is not.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::Args;
use diffuse::onnx::Kind;
use diffuse::pipeline::ClassifierGuidance;
use diffuse::{Error, Model, Request, pixels};
use ndarray::{Array3, ArrayD, Axis};
use ndarray_npy::WriteNpyExt;

use crate::failure::{Failure, say};
use crate::generate::{Bar, INTERRUPTED, on_interrupt};
use crate::output::Target;
use crate::picture;
use crate::shared::{DeviceArguments, RuntimeArguments, SamplingArguments, print, print_json, say_placement};
use crate::steering::{ClassifierArguments, read_values};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The model of normal and other images
    model: PathBuf,
    /// The images, .png files of the model's size
    #[arg(required = true)]
    image: Vec<PathBuf>,
    #[command(flatten)]
    classifier: ClassifierArguments,
    /// Where to: a .png with a row for each image, of the image, what it would be, and how far they are apart from black to white; or a .npy of
    /// the maps [default: anomaly.png]; may be given more than once
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// The class of the model's that the images are of, by name or number [default: no class]
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// The difference that is white, as a share of the range of values
    #[arg(long, value_name = "X", default_value_t = 0.3)]
    white: f32,
    /// Draw every pixel as a square of N by N
    #[arg(long, value_name = "N", default_value_t = 4)]
    zoom: usize,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    runtime: RuntimeArguments,
    /// Print JSON: the greatest and the mean value of each map
    #[arg(long)]
    json: bool,
}

/// How many images are run at a time.
const BATCH: usize = 16;

/// What a classifier's gradient is multiplied by, unless it is said: what suits the shipped one (the table in onnx/README.md).
const USUAL_SCALE: f64 = 50.0;

#[derive(Debug, serde::Serialize)]
struct Found<'a> {
    image: &'a PathBuf,
    greatest: f32,
    mean: f32,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.zoom == 0 || arguments.zoom > 64 {
        return Err(Failure::Usage(format!("--zoom: {}; 1 to 64 are possible", arguments.zoom)));
    }
    if !(arguments.white > 0.0 && arguments.white <= 1.0) {
        return Err(Failure::Usage(format!("--white: {}; a share above 0, at most 1", arguments.white)));
    }
    let usual = [PathBuf::from("anomaly.png")];
    let outputs = if arguments.output.is_empty() { &usual[..] } else { &arguments.output };
    let mut targets: Vec<(Target, &PathBuf, bool)> = Vec::new();
    for path in outputs {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        if !matches!(ending.as_str(), "png" | "npy") {
            return Err(Failure::Usage(format!("-o {}: the name must end in .png or .npy", path.display())));
        }
        let target = Target::new(path);
        target.is_not(&arguments.model, "the model itself")?;
        arguments.image.iter().try_for_each(|image| target.is_not(image, "one of the images"))?;
        if targets.iter().any(|(earlier, ..)| *earlier == target) {
            return Err(Failure::Usage("-o: the same file is named twice".into()));
        }
        target.check(true)?;
        targets.push((target, path, ending == "png"));
    }
    ctrlc::set_handler(on_interrupt).map_err(|error| Failure::Other(format!("Ctrl-C cannot be handled: {error}")))?;
    let runtime = arguments.runtime.open()?;
    let options = arguments.device.model_options()?;
    let model = Arc::new(Model::open(&runtime, &arguments.model, &options)?);
    say_placement(model.network().placement());
    let manifest = model.manifest();
    if manifest.sample.kind() != Kind::Image {
        return Err(Failure::Usage("this model draws no images".into()));
    }
    let range = manifest.sample.range().unwrap_or([-1.0, 1.0]);
    let mut sampling = arguments.sampling.request()?;
    sampling.classifier = arguments.classifier.open(&runtime, &options)?;
    if sampling.classifier.is_some() && sampling.options.get("classifier_scale").is_none() {
        sampling.set("classifier_scale", USUAL_SCALE)?;
    }
    if let Some(key) = ["invert", "interpolate-to", "variation-seed"].into_iter().find(|key| match *key {
        "invert" => sampling.invert,
        key => sampling.options.get(&key.replace('-', "_")).is_some(),
    }) {
        return Err(Failure::Usage(format!("--{key}: what is drawn again starts from the image alone")));
    }
    let toward = sampling.classifier.as_ref().map(|guidance| guidance.classes.clone()).unwrap_or_default();
    if toward.len() > 1 && toward.len() != arguments.image.len() {
        let (classes, images) = (toward.len(), arguments.image.len());
        return Err(Failure::Usage(format!("--toward: {classes} classes for {images} images; give 1 or as many")));
    }
    let class = arguments.class.as_ref().map(|name| model.class(name)).transpose()?;
    let images = arguments.image.iter().map(|path| read_values("image", path, &manifest.sample.shape, range));
    let images: Vec<ArrayD<f32>> = images.collect::<Result<_, _>>()?;

    let mut bar = Bar::new();
    let (mut rows, mut maps, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let (width, mut resolved) = (range[1] - range[0], None);
    for (part, batch) in images.chunks(BATCH).enumerate() {
        let views: Vec<_> = batch.iter().map(|image| image.view()).collect();
        let image = ndarray::stack(Axis(0), &views)
            .map_err(|_| Failure::Usage("the images are not all of the model's shape".into()))?;
        let classes = match toward.get(part * BATCH..part * BATCH + batch.len()) {
            Some(of_batch) if toward.len() > 1 => of_batch.to_vec(),
            _ => toward.clone(),
        };
        let request = Request {
            classifier: sampling.classifier.clone().map(|guidance| ClassifierGuidance { classes, ..guidance }),
            count: batch.len(),
            classes: class.map(|class| vec![class; batch.len()]),
            image: Some(Arc::new(image)),
            ..sampling.clone()
        };
        let done = (part * BATCH) as f64;
        let counterfactual = request.counterfactual(&model, &mut |share| {
            bar.show((done + share * batch.len() as f64) / images.len() as f64);
            if INTERRUPTED.load(Ordering::SeqCst) { Err(Error::Cancelled) } else { Ok(()) }
        })?;
        for (i, image) in batch.iter().enumerate() {
            let map = counterfactual.map.index_axis(Axis(0), i).mapv(|value| value / width);
            let map = map.into_dimensionality().map_err(|error| Failure::Other(error.to_string()))?;
            let drawn = |image: ndarray::ArrayViewD<'_, f32>| -> Result<Array3<u8>, Failure> {
                let image = image.into_dimensionality().map_err(|error| Failure::Other(error.to_string()))?;
                Ok(pixels::rgba8(image, range)?)
            };
            resolved = Some(counterfactual.request.clone());
            rows.push(drawn(image.view())?);
            rows.push(drawn(counterfactual.images.index_axis(Axis(0), i))?);
            rows.push(picture::heat(map.mapv(|value| value / arguments.white).view()));
            let mean = map.mean().unwrap_or_default();
            let greatest = map.iter().copied().fold(0.0, f32::max);
            found.push(Found { image: &arguments.image[part * BATCH + i], greatest, mean });
            maps.push(map);
        }
    }
    drop(bar);
    let classifier = sampling.classifier.as_ref();
    let record = serde_json::json!({
        "diffuse": env!("CARGO_PKG_VERSION"),
        "model": model.name(),
        "model_sha256": model.network().hash()?,
        "classifier_sha256": classifier.map(|guidance| guidance.classifier.network().hash()).transpose()?,
        "toward": classifier.map(|guidance| &guidance.classes),
        "class": class,
        "request": resolved.map(|request| Request { count: images.len(), classes: None, ..request }),
    });
    let record = record.to_string();
    for (target, path, png) in &targets {
        let bytes = if *png {
            let sheet = picture::enlarged(&picture::sheet(&rows, 3), arguments.zoom);
            picture::encode(&sheet, &record).map_err(|error| Failure::Other(format!("PNG: {error}")))?
        } else {
            let views: Vec<_> = maps.iter().map(|map| map.view()).collect();
            let all = ndarray::stack(Axis(0), &views).map_err(|error| Failure::Other(error.to_string()))?;
            let mut bytes = Vec::new();
            all.write_npy(&mut bytes).map_err(|error| Failure::Other(error.to_string()))?;
            bytes
        };
        target.write(&bytes)?;
        if !arguments.json && **path != *"-" {
            print(&path.display().to_string())?;
        }
    }
    if arguments.json {
        return print_json(&found);
    }
    for Found { image, greatest, mean } in &found {
        say(&format!("{}: greatest {greatest:.3}, mean {mean:.4}\n", image.display()));
    }
    Ok(())
}
