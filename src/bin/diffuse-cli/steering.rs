//! What a run starts from and what steers it: images, masks, classifiers and conditions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use diffuse::request::ClassifierGuidance;
use diffuse::{Error, Model, ModelOptions, Request, Runtime};
use ndarray::{ArrayD, Axis, IxDyn, Slice};

use crate::conditions::{self, Conditions, HELP, Unread, paths};
use crate::failure::Failure;
use crate::input::{Input, ModelInput};
use crate::shared::{class_of, classes_of};

const CONDITION: &str = "--condition";
const NEGATIVE_CONDITION: &str = "--negative-condition";

/// A classifier, and the class that it leads to.
#[derive(Debug, Args)]
pub(crate) struct ClassifierArguments {
    /// A classifier that guides the samples toward --toward: an .onnx file whose output is its gradient.
    #[arg(long, value_name = "FILE")]
    classifier: Option<PathBuf>,
    /// The classifier's class to guide toward, by name or number. Give one for all items or one for each, separated by
    /// commas. May be given more than once.
    #[arg(long, value_name = "NAME", requires = "classifier")]
    toward: Vec<String>,
}

impl ClassifierArguments {
    pub(crate) fn path(&self) -> Option<&Path> {
        self.classifier.as_deref()
    }

    pub(crate) fn read(&self) -> Result<Option<ModelInput>, Failure> {
        self.classifier.as_ref().map(|path| ModelInput::read("--classifier", path)).transpose()
    }

    /// Opens the classifier that [`read`](Self::read) has read.
    pub(crate) fn open(
        &self,
        classifier: Option<ModelInput>,
        runtime: &Runtime,
        options: &ModelOptions,
    ) -> Result<Option<ClassifierGuidance>, Failure> {
        let Some(classifier) = classifier else { return Ok(None) };
        let classifier = Arc::new(classifier.open(runtime, options)?);
        if self.toward.is_empty() {
            return Err(Failure::Usage("--classifier: name the class to guide toward, with --toward".into()));
        }
        let classes = classes_of(&classifier, &self.toward).map_err(|error| named(error, "toward"))?;
        Ok(Some(ClassifierGuidance { classifier, classes }))
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Inputs")]
pub(crate) struct SteeringArguments {
    /// The image to start from: a .png of the model's size, or a .npy with the batch first. The greater --strength, the
    /// less is left of it. For a pipeline it is scaled to the size that is generated.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// A .png of the model's size. The image is replaced where the mask is white, kept where it is black or
    /// transparent, and mixed where it is grey. For a pipeline it is scaled as the image is.
    #[arg(long, value_name = "FILE", requires = "image")]
    mask: Option<PathBuf>,
    /// The noisy samples to start from: a .npy with the batch first, such as --invert 1 writes. Give one for all items
    /// or one for each.
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    start: Option<PathBuf>,
    /// The class that guidance moves away from, by name or number. Default: no class.
    #[arg(long, value_name = "NAME")]
    negative_class: Option<String>,
    #[command(flatten)]
    classifier: ClassifierArguments,
    #[arg(long, value_name = "NAME=X", help = HELP)]
    condition: Vec<String>,
    /// A value that differs in the negative condition, in the form of --condition. Guidance moves away from it.
    #[arg(long, value_name = "NAME=X")]
    negative_condition: Vec<String>,
}

/// The files, as they were read.
pub(crate) struct Files {
    image: Option<Input>,
    mask: Option<Input>,
    start: Option<Input>,
    conditions: Unread,
    negative_conditions: Unread,
    classifier: Option<ModelInput>,
}

/// The contents of the files.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    image: Option<Arc<ArrayD<f32>>>,
    mask: Option<Arc<ArrayD<f32>>>,
    pub(crate) start: Option<ArrayD<f32>>,
    negative: Option<Vec<i64>>,
    classifier: Option<ClassifierGuidance>,
    conditions: Conditions,
    negative_conditions: Conditions,
    hashes: BTreeMap<String, String>,
}

/// An error of the library under the name of a flag.
fn named(error: Error, flag: &str) -> Failure {
    match error {
        Error::Argument { reason, .. } => Failure::Usage(format!("--{flag}: {reason}")),
        other => other.into(),
    }
}

/// The mask of a drawing program, or of a .npy.
fn mask_of(input: &Input, shape: &[usize], scale: bool) -> Result<ArrayD<f32>, Failure> {
    let mut plane = shape.to_vec();
    plane[0] = 4;
    let found = input.image(&plane, [0.0, 1.0], scale)?;
    if !input.is_png() {
        return Ok(found);
    }
    // Drawing programs save it grey, whatever it was made of, and black where it is transparent.
    let one = |at: IxDyn| {
        let channel = |channel: usize| found[[channel, at[1], at[2]]];
        (0.299 * channel(0) + 0.587 * channel(1) + 0.114 * channel(2)) * channel(3)
    };
    plane[0] = 1;
    Ok(ArrayD::from_shape_fn(plane, one))
}

impl SteeringArguments {
    /// The files that are read, each with its description.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let files = [("the image", &self.image), ("the mask", &self.mask), ("the start", &self.start)];
        let files = files.into_iter().filter_map(|(what, path)| Some((what, path.as_deref()?)));
        let conditions = [&self.condition, &self.negative_condition].into_iter().flat_map(|texts| paths(texts));
        files.chain(conditions.map(|path| ("a condition", path)))
    }

    /// Whether there are conditions.
    pub(crate) fn has_conditions(&self) -> bool {
        !self.condition.is_empty()
    }

    /// The file of --classifier.
    pub(crate) fn classifier(&self) -> Option<&Path> {
        self.classifier.path()
    }

    /// Reads the files, each of them once.
    pub(crate) fn read(&self) -> Result<Files, Failure> {
        let read = |flag: &str, path: &Option<PathBuf>| path.as_ref().map(|path| Input::values(flag, path)).transpose();
        Ok(Files {
            image: read("--image", &self.image)?,
            mask: read("--mask", &self.mask)?,
            start: read("--start", &self.start)?,
            conditions: conditions::read(CONDITION, &self.condition)?,
            negative_conditions: conditions::read(NEGATIVE_CONDITION, &self.negative_condition)?,
            classifier: self.classifier.read()?,
        })
    }

    /// Decodes the files for `model`, and opens the classifier.
    pub(crate) fn decode(
        &self,
        files: Files,
        runtime: &Runtime,
        options: &ModelOptions,
        model: &Model,
        sampling: &Request,
    ) -> Result<Steering, Failure> {
        let range = model.drawn().range().unwrap_or([-1.0, 1.0]);
        let mut hashes = BTreeMap::new();
        let read = [("image", &files.image), ("mask", &files.mask), ("start", &files.start)];
        for (flag, input) in read.into_iter().filter_map(|(flag, input)| Some((flag, input.as_ref()?))) {
            hashes.insert(flag.to_owned(), input.hash());
        }
        let conditions = files.conditions.decode(model, &mut hashes)?;
        let negative_conditions = files.negative_conditions.decode(model, &mut hashes)?;
        let mut own = Request { conditions: conditions.part(0, 1, 1), ..sampling.clone() };
        let scale = model.pipeline().is_some();
        if let Some(image) = files.image.as_ref().filter(|image| scale && image.is_png()) {
            of_image(&mut own, image, model)?;
        }
        let shape = if files.image.is_some() || files.mask.is_some() { own.item(model)? } else { Vec::new() };
        let classifier = self.classifier.open(files.classifier, runtime, options)?;
        if let Some(guidance) = &classifier {
            hashes.insert("classifier".into(), guidance.classifier.hash()?.into_owned());
            hashes.insert("toward".into(), self.classifier.toward.join(","));
        }
        let negative = self.negative_class.as_ref().map(|name| class_of(model, name).map(|class| vec![class]));
        Ok(Steering {
            image: files.image.map(|input| input.image(&shape, range, scale).map(Arc::new)).transpose()?,
            mask: files.mask.map(|input| mask_of(&input, &shape, scale).map(Arc::new)).transpose()?,
            start: files.start.map(|input| input.image(&[], range, false)).transpose()?,
            negative: negative.transpose().map_err(|error| named(error, "negative-class"))?,
            classifier,
            conditions,
            negative_conditions,
            hashes,
        })
    }
}

/// Sets the size of `request` to that of `image` where it has none, within what the model can generate.
fn of_image(request: &mut Request, image: &Input, model: &Model) -> Result<(), Failure> {
    let given = ["width", "height"].iter().any(|key| request.options.get(key).is_some()) || request.shape.is_some();
    if !given {
        let factor = model.pipeline().and_then(|pipeline| pipeline.autoencoder.as_ref()).map_or(1, |own| own.factor);
        let (height, width, _) = image.pixels()?.dim();
        let side = |side: usize| (side / factor * factor).max(factor);
        request.set("height", side(height))?;
        request.set("width", side(width))?;
    }
    Ok(())
}

/// `count` items from `first` on, of values for each of `total`. Values for all items are returned as they are.
fn part(values: &ArrayD<f32>, first: usize, count: usize, total: usize, rank: usize) -> ArrayD<f32> {
    if values.ndim() == rank && values.shape().first() == Some(&total) && count < total {
        return values.slice_axis(Axis(0), Slice::from(first..first + count)).to_owned();
    }
    values.clone()
}

impl Steering {
    /// The number of bytes of memory that it holds.
    pub(crate) fn bytes(&self) -> usize {
        let shared = [&self.image, &self.mask].into_iter().flatten().map(|values| values.len());
        let start = self.start.as_ref().map_or(0, ArrayD::len);
        let conditions = self.conditions.bytes() + self.negative_conditions.bytes();
        size_of::<f32>() * (start + shared.sum::<usize>()) + conditions
    }

    /// The SHA-256 of the files that were read, by their flags, and the classes that a classifier leads to.
    pub(crate) fn hashes(&self) -> &BTreeMap<String, String> {
        &self.hashes
    }

    /// The request for `count` of `total` items, from `first` on, with everything in it.
    pub(crate) fn apply(&self, request: Request, first: usize, count: usize, total: usize, rank: usize) -> Request {
        let of = |values: &Arc<ArrayD<f32>>| Arc::new(part(values, first, count, total, rank));
        let one_or_each = |classes: &Vec<i64>| match classes.get(first..first + count) {
            Some(part) if classes.len() == total => part.to_vec(),
            _ => classes.clone(),
        };
        Request {
            image: self.image.as_ref().map(of),
            mask: self.mask.as_ref().map(of),
            negative_classes: self.negative.clone(),
            classifier: self.classifier.as_ref().map(|guidance| ClassifierGuidance {
                classifier: Arc::clone(&guidance.classifier),
                classes: one_or_each(&guidance.classes),
            }),
            conditions: self.conditions.part(first, count, total),
            negative_conditions: self.negative_conditions.part(first, count, total),
            ..request
        }
    }

    /// The noisy samples of `count` of `total` items, from `first` on. It is one for all, if only one is given.
    pub(crate) fn start_of(&self, first: usize, count: usize, total: usize, shape: &[usize]) -> Option<ArrayD<f32>> {
        let start = part(self.start.as_ref()?, first, count, total, shape.len());
        let whole: Vec<usize> = std::iter::once(count).chain(shape[1..].iter().copied()).collect();
        match start.broadcast(IxDyn(&whole)) {
            Some(all)
                if start.shape() == &shape[1..] || start.shape().first() == Some(&1) && start.ndim() == shape.len() =>
            {
                Some(all.to_owned())
            }
            _ => Some(start),
        }
    }

    /// Refuses values for another number of items than `total`, before any are generated. `rank` is the number of axes
    /// of a batch.
    pub(crate) fn check(&self, total: usize, rank: usize) -> Result<(), Failure> {
        let of_items = |flag: &str, values: &ArrayD<f32>, rank: usize| {
            let found = values.shape().first().copied().unwrap_or(1);
            if values.ndim() == rank && found != 1 && found != total {
                return Err(Failure::Usage(format!(
                    "--{flag}: {found} items, where {total} are drawn; give 1 or as many"
                )));
            }
            Ok(())
        };
        for (flag, values) in [("image", &self.image), ("mask", &self.mask)] {
            values.as_ref().map_or(Ok(()), |values| of_items(flag, values, rank))?;
        }
        self.start.as_ref().map_or(Ok(()), |values| of_items("start", values, rank))?;
        self.conditions.check(CONDITION, total)?;
        self.negative_conditions.check(NEGATIVE_CONDITION, total)?;
        match &self.classifier {
            Some(guidance) if ![1, total].contains(&guidance.classes.len()) => {
                let count = guidance.classes.len();
                Err(Failure::Usage(format!("--toward: {count} classes for {total} items; give 1 or as many")))
            }
            _ => Ok(()),
        }
    }

    /// Whether the run starts from something.
    pub(crate) fn has_start(&self) -> bool {
        self.image.is_some() || self.start.is_some()
    }
}
