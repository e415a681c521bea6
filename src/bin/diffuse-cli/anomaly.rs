//! `diffuse-cli anomaly`: what an image would be if it were normal, and where it is not.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use diffuse::model::Kind;
use diffuse::request::ClassifierGuidance;
use diffuse::sample::Canceller;
use diffuse::text::escaped;
use diffuse::{Model, Request, Runtime, stage::pixels};
use ndarray::{Array2, Array3, ArrayD, ArrayViewD, Axis};

use crate::failure::{Failure, say};
use crate::generate::Bar;
use crate::input::{Input, ModelInput};
use crate::output::{CLASSIFIER, MODEL, Outputs, Source, Stem, Target, model_sources};
use crate::shared::{
    DeviceArguments, RuntimeArguments, SamplingArguments, class_of, print, print_json, say_placement, shown,
};
use crate::steering::ClassifierArguments;
use crate::{npy, picture};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The model of normal and other images.
    model: PathBuf,
    /// The images: .png files of the model's size.
    #[arg(required = true)]
    image: Vec<PathBuf>,
    #[command(flatten)]
    classifier: ClassifierArguments,
    /// The output file. A .png has a row for each image: the image, what it would be, and their difference from black
    /// through red and yellow to white. A .npy has the maps of the differences. May be given more than once. Default:
    /// anomaly.png, or anomaly-2.png and so on.
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// The model's class of the images, by name or number. Default: no class.
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// The difference that is drawn white, as a share of the range of values.
    #[arg(long, value_name = "X", default_value_t = 0.3)]
    white: f32,
    /// Draws every pixel as a square of N by N.
    #[arg(long, value_name = "N", default_value_t = 4)]
    zoom: usize,
    /// Prints JSON: the greatest and the mean value of each map.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sampling: SamplingArguments,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    runtime: RuntimeArguments,
}

/// The number of images that are run at a time.
const BATCH: usize = 16;

/// The default factor of a classifier's gradient, which suits the shipped classifier (the table in onnx/README.md).
pub(crate) const USUAL_SCALE: f64 = 50.0;

#[derive(Debug, serde::Serialize)]
struct Found<'a> {
    /// The name of its file. JSON is Unicode, and not every name is.
    image: Cow<'a, str>,
    greatest: f32,
    mean: f32,
}

/// What is written of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Picture,
    Maps,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.zoom == 0 || arguments.zoom > 64 {
        return Err(Failure::Usage(format!("--zoom: {}; 1 to 64 are possible", arguments.zoom)));
    }
    if !(arguments.white > 0.0 && arguments.white <= 1.0) {
        return Err(Failure::Usage(format!("--white: {}; a share above 0, at most 1", arguments.white)));
    }
    let outputs = outputs(arguments)?;
    let model = ModelInput::read("the model", &arguments.model)?;
    let classifier = arguments.classifier.read()?;
    let read = arguments.image.iter().map(|path| Input::values("the image", path));
    let images: Vec<Input> = read.collect::<Result<_, _>>()?;
    let mut request = arguments.sampling.request()?;
    let runtime = arguments.runtime.open()?;
    outputs.check(|_| true, &sources(arguments, &runtime))?;
    let options = arguments.device.model_options()?;
    let model = Arc::new(model.open(&runtime, &options)?);
    say_placement(model.placement());
    if model.manifest().sample.kind() != Kind::Image {
        return Err(Failure::Usage("this model draws no images".into()));
    }
    request.classifier = arguments.classifier.open(classifier, &runtime, &options)?;
    check_request(&mut request, arguments.image.len())?;
    let class = arguments.class.as_ref().map(|name| class_of(&model, name)).transpose()?;
    let found = compare(arguments, &images, &model, &request, class)?;
    if let Some(resolved) = &found.resolved {
        let number = |key: &str| resolved.options.real(key).map_or("no".to_owned(), |value| value.to_string());
        say(&format!(
            "{}: ddim, {} steps, strength {}, classifier scale {}\n",
            escaped(model.name()),
            resolved.steps.unwrap_or_default(),
            number("strength"),
            number("classifier_scale")
        ));
    }
    write(arguments, &model, &request, class, &found, &outputs)
}

/// The outputs of the results.
fn outputs(arguments: &Arguments) -> Result<Outputs<Format>, Failure> {
    let stem = Stem { start: "anomaly".into(), end: String::new() };
    if arguments.output.is_empty() {
        return Ok(Outputs::usual(stem, vec![(Format::Picture, "png")]));
    }
    let target = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        match ending.as_str() {
            "png" => Ok((Target::new(path), Format::Picture, "png")),
            "npy" => Ok((Target::new(path), Format::Maps, "npy")),
            _ => Err(Failure::Usage(format!("-o {}: the name must end in .png or .npy", path.display()))),
        }
    };
    Ok(Outputs::named(stem, arguments.output.iter().map(target).collect::<Result<_, _>>()?))
}

/// The files that a run reads, so that it does not write over them.
fn sources(arguments: &Arguments, runtime: &Runtime) -> Vec<Source> {
    let mut sources = model_sources(MODEL, &arguments.model);
    let classifier = arguments.classifier.path();
    sources.extend(classifier.iter().flat_map(|path| model_sources(CLASSIFIER, path)));
    sources.extend(arguments.image.iter().map(|path| ("one of the images", path.clone())));
    sources.extend(arguments.sampling.path().map(|path| ("the scheduler's configuration", path.to_path_buf())));
    sources.extend(arguments.device.libraries());
    sources.push(("ONNX Runtime's library", runtime.path().to_path_buf()));
    sources
}

/// Refuses options that have no meaning here, and sets the defaults.
fn check_request(request: &mut Request, images: usize) -> Result<(), Failure> {
    let said = |key: &str| request.options.get(key).is_some();
    let idle = [
        ("invert", request.invert),
        ("interpolate-to", said("interpolate_to")),
        ("variation-seed", said("variation_seed")),
    ];
    if let Some((flag, _)) = idle.into_iter().find(|(_, said)| *said) {
        return Err(Failure::Usage(format!("--{flag}: a run of anomaly starts from the image alone")));
    }
    let Some(guidance) = &request.classifier else { return Ok(()) };
    let classes = guidance.classes.len();
    if ![1, images].contains(&classes) {
        return Err(Failure::Usage(format!("--toward: {classes} classes for {images} images; give 1 or as many")));
    }
    if !said("classifier_scale") {
        request.set("classifier_scale", USUAL_SCALE)?;
    }
    Ok(())
}

/// The results for the images.
struct Differences<'a> {
    /// Three pictures for each image: itself, what it would be, and the map.
    pictures: Vec<Array3<u8>>,
    maps: Vec<Array2<f32>>,
    found: Vec<Found<'a>>,
    /// The request of a batch, with every choice made.
    resolved: Option<Request>,
}

/// Compares each image with what it would be, batch after batch, with a progress bar on a terminal.
fn compare<'a>(
    arguments: &Arguments,
    files: &'a [Input],
    model: &Arc<Model>,
    request: &Request,
    class: Option<i64>,
) -> Result<Differences<'a>, Failure> {
    let sample = &model.manifest().sample;
    let range = sample.range().unwrap_or([-1.0, 1.0]);
    let drawn = |image: ArrayViewD<'_, f32>| -> Result<Array3<u8>, Failure> {
        let image = image.into_dimensionality().map_err(|error| Failure::Other(error.to_string()))?;
        Ok(pixels::rgba8(image, range)?)
    };
    let shape = request.item(model)?;
    let images = files.iter().map(|file| file.image(&shape, range, false));
    let images: Vec<ArrayD<f32>> = images.collect::<Result<_, _>>()?;
    let mut differences = Differences { pictures: Vec::new(), maps: Vec::new(), found: Vec::new(), resolved: None };
    let mut bar = Bar::new();
    for (part, batch) in images.chunks(BATCH).enumerate() {
        let first = part * BATCH;
        let views: Vec<_> = batch.iter().map(|image| image.view()).collect();
        let image = ndarray::stack(Axis(0), &views)
            .map_err(|_| Failure::Usage("the images are not all of the model's shape".into()))?;
        let classifier = request.classifier.clone().map(|guidance| {
            let each = guidance.classes.get(first..first + batch.len()).filter(|_| guidance.classes.len() > 1);
            let classes = each.map_or_else(|| guidance.classes.clone(), <[i64]>::to_vec);
            ClassifierGuidance { classes, ..guidance }
        });
        let classes = class.map(|class| vec![class; batch.len()]);
        let image = Some(Arc::new(image));
        let request = Request { classifier, classes, image, count: batch.len(), ..request.clone() };
        let counterfactual = request.counterfactual(model, &Canceller::default(), &mut |share| {
            bar.show((first as f64 + share * batch.len() as f64) / images.len() as f64);
            Ok(())
        })?;
        for (i, image) in batch.iter().enumerate() {
            let map = counterfactual.map.index_axis(Axis(0), i).mapv(|value| value / (range[1] - range[0]));
            let map: Array2<f32> = map.into_dimensionality().map_err(|error| Failure::Other(error.to_string()))?;
            differences.pictures.push(drawn(image.view())?);
            differences.pictures.push(drawn(counterfactual.images.index_axis(Axis(0), i))?);
            differences.pictures.push(picture::heat(map.mapv(|value| value / arguments.white).view()));
            let (mean, greatest) = (map.mean().unwrap_or_default(), map.iter().copied().fold(0.0, f32::max));
            let image = files[first + i].path().to_string_lossy();
            differences.found.push(Found { image, greatest, mean });
            differences.maps.push(map);
        }
        differences.resolved = Some(counterfactual.request);
    }
    Ok(differences)
}

/// Writes the files, and prints what is in them.
fn write(
    arguments: &Arguments,
    model: &Model,
    request: &Request,
    class: Option<i64>,
    differences: &Differences<'_>,
    outputs: &Outputs<Format>,
) -> Result<(), Failure> {
    let Differences { pictures, maps, found, resolved } = differences;
    let classifier = request.classifier.as_ref();
    let record = serde_json::json!({
        "diffuse": env!("CARGO_PKG_VERSION"),
        "model": model.name(),
        "model_sha256": model.hash()?,
        "classifier_sha256": classifier.map(|guidance| guidance.classifier.hash()).transpose()?,
        "toward": classifier.map(|guidance| &guidance.classes),
        "class": class,
        "request": resolved.clone().map(|request| Request { count: maps.len(), classes: None, ..request }),
    });
    let written = outputs.write(|format| match format {
        Format::Picture => {
            let sheet = picture::enlarged(picture::sheet(pictures, 3), arguments.zoom);
            picture::encode(&sheet, &record.to_string()).map_err(|error| Failure::Other(format!("PNG: {error}")))
        }
        Format::Maps => {
            let views: Vec<_> = maps.iter().map(|map| map.view()).collect();
            let all = ndarray::stack(Axis(0), &views).map_err(|error| Failure::Other(error.to_string()))?;
            Ok(npy::write(all.view().into_dyn()))
        }
    })?;
    if arguments.json {
        // The name was chosen here, and is printed nowhere else.
        if outputs.is_usual() {
            written.files.iter().for_each(|path| say(&format!("{}\n", shown(path))));
        }
        written.end()?;
        return print_json(found);
    }
    written.files.iter().try_for_each(|path| print(&shown(path)))?;
    for Found { image, greatest, mean } in found {
        say(&format!("{}: greatest {greatest:.3}, mean {mean:.4}\n", escaped(image)));
    }
    written.end()
}
