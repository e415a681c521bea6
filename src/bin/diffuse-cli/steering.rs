//! What a run starts from and what steers it: images, masks, classifiers, conditions.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use diffuse::onnx::Kind;
use diffuse::pipeline::ClassifierGuidance;
use diffuse::pixels::{Layout, from_rgba8};
use diffuse::{Error, Model, ModelOptions, Request, Runtime};
use ndarray::{Array3, ArrayD, ArrayViewD, Axis, IxDyn, Slice};
use ndarray_npy::ViewNpyExt;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::picture;

/// A classifier and where it leads.
#[derive(Debug, Args)]
pub(crate) struct ClassifierArguments {
    /// A classifier, an .onnx file that says its gradient, that leads the samples to --toward
    #[arg(long, value_name = "FILE")]
    classifier: Option<PathBuf>,
    /// The class of the classifier's that it leads to, by name or number; one for all, or as many as items, separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "classifier")]
    toward: Vec<String>,
}

impl ClassifierArguments {
    pub(crate) fn open(
        &self,
        runtime: &Runtime,
        options: &ModelOptions,
    ) -> Result<Option<ClassifierGuidance>, Failure> {
        let Some(path) = &self.classifier else { return Ok(None) };
        let classifier = Arc::new(Model::open(runtime, path, options)?);
        if self.toward.is_empty() {
            return Err(Failure::Usage("--classifier: name the class that it leads to, with --toward".into()));
        }
        let class = |name: &String| classifier.class(name).map_err(|error| named(error, "toward"));
        let classes = self.toward.iter().map(class).collect::<Result<_, _>>()?;
        Ok(Some(ClassifierGuidance { classifier, classes }))
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What a run starts from, and what leads it")]
pub(crate) struct SteeringArguments {
    /// Start from this image, a .png of the model's size (or a .npy of f32, batch first): the greater --strength, the less is left of it
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Draw only where this .png, of the model's size, is white; keep the image where it is black or transparent, and mix where it is grey
    #[arg(long, value_name = "FILE", requires = "image")]
    mask: Option<PathBuf>,
    /// Start from these noisy samples, a .npy of f32, batch first, such as --invert 1 wrote; one for all items, or one for each
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    start: Option<PathBuf>,
    /// What guidance leads away from, by name or number [default: no class]
    #[arg(long, value_name = "NAME")]
    negative: Option<String>,
    #[command(flatten)]
    classifier: ClassifierArguments,
    /// What the network is told besides, by its name in the manifest: a .png or a .npy; may be given more than once
    #[arg(long, value_name = "NAME=FILE")]
    condition: Vec<String>,
}

/// What was read of the files.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    image: Option<Arc<ArrayD<f32>>>,
    mask: Option<Arc<ArrayD<f32>>>,
    pub(crate) start: Option<ArrayD<f32>>,
    negative: Option<Vec<i64>>,
    classifier: Option<ClassifierGuidance>,
    /// With the number of axes that they have for a batch.
    conditions: BTreeMap<String, (Arc<ArrayD<f32>>, usize)>,
    hashes: BTreeMap<String, String>,
}

/// More is a slip.
const MOST_BYTES: u64 = 1 << 30;

/// An error of the library under the name of a flag.
fn named(error: Error, flag: &str) -> Failure {
    match error {
        Error::Argument { reason, .. } => Failure::Usage(format!("--{flag}: {reason}")),
        other => other.into(),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| Failure::file(path, error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Failure::Usage(format!("{}: more than {MOST_BYTES} bytes", path.display())));
    }
    Ok(bytes)
}

/// The pixels of a .png.
pub(crate) fn read_picture(flag: &str, path: &Path) -> Result<Array3<u8>, Failure> {
    picture::decode(&read(path)?)
        .map_err(|reason| Failure::Usage(format!("--{flag}: {}: not a PNG that can be read: {reason}", path.display())))
}

/// The values of a .png of the size of `shape`, or of a .npy.
pub(crate) fn read_values(flag: &str, path: &Path, shape: &[usize], range: [f32; 2]) -> Result<ArrayD<f32>, Failure> {
    let bytes = read(path)?;
    if !picture::is_png(&bytes) {
        let found = ArrayViewD::<f32>::view_npy(&bytes).map_err(|error| {
            Failure::Usage(format!("--{flag}: {}: expected a .png, or a .npy of f32: {error}", path.display()))
        })?;
        return Ok(found.as_standard_layout().into_owned());
    }
    let pixels = read_picture(flag, path)?;
    let (height, width, _) = pixels.dim();
    let [channels @ (1 | 3 | 4), tall, wide] = shape[..] else {
        return Err(Failure::Usage(format!("--{flag}: {}: a picture, where {shape:?} is expected", path.display())));
    };
    if (height, width) != (tall, wide) {
        return Err(Failure::Usage(format!(
            "--{flag}: {}: {width} by {height} pixels, where {wide} by {tall} are expected; scale it before",
            path.display()
        )));
    }
    let mut image = Array3::zeros((channels, height, width));
    let layout = Layout { stride: 4 * width, bottom_up: false, bgra: false };
    from_rgba8(pixels.as_slice().unwrap_or_default(), layout, range, image.view_mut())
        .map_err(|error| named(error, flag))?;
    Ok(image.into_dyn())
}

impl SteeringArguments {
    pub(crate) fn read(
        &self,
        runtime: &Runtime,
        options: &ModelOptions,
        model: &Model,
        shape: Option<&[usize]>,
    ) -> Result<Steering, Failure> {
        let manifest = model.manifest();
        let shape = shape.unwrap_or(&manifest.sample.shape);
        let range = manifest.sample.range().unwrap_or([-1.0, 1.0]);
        let values = |flag: &str, path: &PathBuf, shape: &[usize], range| read_values(flag, path, shape, range);
        let mask = |path: &PathBuf| -> Result<Arc<ArrayD<f32>>, Failure> {
            let mut plane = shape.to_vec();
            plane[0] = 4;
            let found = read_values("mask", path, &plane, [0.0, 1.0])?;
            if !picture::is_png(&read(path)?) {
                return Ok(Arc::new(found));
            }
            // What drawing programs save: grey, whatever it was made of, and black where it is transparent.
            let one = |at: ndarray::IxDyn| {
                let channel = |channel: usize| found[[channel, at[1], at[2]]];
                (0.299 * channel(0) + 0.587 * channel(1) + 0.114 * channel(2)) * channel(3)
            };
            plane[0] = 1;
            Ok(Arc::new(ArrayD::from_shape_fn(plane, one)))
        };
        let mut conditions = BTreeMap::new();
        for text in &self.condition {
            let Some((name, path)) = text.split_once('=').filter(|(name, path)| !name.is_empty() && !path.is_empty())
            else {
                return Err(Failure::Usage(format!("--condition: {text:?}; expected NAME=FILE")));
            };
            let Some(info) = manifest.conditions.get(name) else {
                let known: Vec<&str> = manifest.conditions.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                return Err(Failure::Usage(format!("--condition: '{name}'; this model's are: {known}")));
            };
            let picture = info.kind() == Kind::Image;
            let shape: &[usize] = if picture { &info.shape } else { &[] };
            let read = values("condition", &PathBuf::from(path), shape, info.range())?;
            if conditions.insert(name.to_owned(), (Arc::new(read), 1 + info.shape.len())).is_some() {
                return Err(Failure::Usage(format!("--condition: '{name}' is given twice")));
            }
        }
        let files = [("image", &self.image), ("mask", &self.mask), ("start", &self.start)];
        let mut hashes = BTreeMap::new();
        for (flag, path) in files.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?))) {
            hashes.insert(flag.to_owned(), hash(&read(path)?));
        }
        for (name, path) in self.condition.iter().filter_map(|text| text.split_once('=')) {
            hashes.insert(format!("condition {name}"), hash(&read(Path::new(path))?));
        }
        let classifier = self.classifier.open(runtime, options)?;
        if let Some(guidance) = &classifier {
            hashes.insert("classifier".into(), guidance.classifier.hash()?.into_owned());
            hashes.insert("toward".into(), self.classifier.toward.join(","));
        }
        let class =
            |name: &String| model.class(name).map(|class| vec![class]).map_err(|error| named(error, "negative"));
        Ok(Steering {
            image: self.image.as_ref().map(|path| values("image", path, shape, range).map(Arc::new)).transpose()?,
            mask: self.mask.as_ref().map(mask).transpose()?,
            start: self.start.as_ref().map(|path| values("start", path, &[], range)).transpose()?,
            negative: self.negative.as_ref().map(class).transpose()?,
            classifier,
            conditions,
            hashes,
        })
    }
}

/// The items from `first` on, `count` of them, of values that are given for each of `total`; all of what is given for all.
fn part(values: &ArrayD<f32>, first: usize, count: usize, total: usize, rank: usize) -> ArrayD<f32> {
    if values.ndim() == rank && values.shape().first() == Some(&total) && count < total {
        return values.slice_axis(Axis(0), Slice::from(first..first + count)).to_owned();
    }
    values.clone()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Steering {
    /// The SHA-256 of the files that were read, by their flags; and the classes that a classifier leads to.
    pub(crate) fn hashes(&self) -> &BTreeMap<String, String> {
        &self.hashes
    }

    /// The request for `count` of `total` items, from `first` on, with all of this in it.
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
            conditions: self
                .conditions
                .iter()
                .map(|(name, (values, rank))| (name.clone(), Arc::new(part(values, first, count, total, *rank))))
                .collect(),
            ..request
        }
    }

    /// The noisy samples of `count` of `total` items, from `first` on; one for all, if only one is given.
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

    /// Refuses what is for another number of items than the `total`, before a part of them is drawn. `rank` is the number of axes of a batch.
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
        self.conditions.values().try_for_each(|(values, rank)| of_items("condition", values, *rank))?;
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
