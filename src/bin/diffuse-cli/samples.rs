//! Clean samples of a model: a .npy of them, or a folder of files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use diffuse::model::{Axis, Kind, Sample};
use diffuse::tensor::first_not_finite;
use diffuse::{Error, Model};
use ndarray::ArrayD;

use crate::failure::Failure;
use crate::input::Input;

const FLAG: &str = "--samples";

/// The most values that are used, and the fewest and the most samples.
const MOST_VALUES: usize = 1 << 18;
const FEWEST: usize = 8;
const USUAL: usize = 16;
const MOST: usize = 2000;

/// The samples, as many as are used.
pub(crate) struct Samples {
    /// The values, batch first.
    pub(crate) values: ArrayD<f32>,
    /// The number of all samples. A file in a folder that is not read counts as one.
    pub(crate) total: usize,
    /// Which of them are the same. Equal samples have the same number.
    pub(crate) same: Vec<usize>,
}

/// Samples that are being read.
struct Reader<'a> {
    model: &'a Model,
    values: Vec<f32>,
    /// The shape of one sample.
    item: Vec<usize>,
    count: usize,
}

impl Samples {
    /// Reads the samples at `path` for `model`.
    pub(crate) fn read(path: &Path, model: &Model) -> Result<Self, Failure> {
        let files = if path.is_dir() { files(path)? } else { vec![path.to_path_buf()] };
        let mut reader = Reader { model, values: Vec::new(), item: Vec::new(), count: 0 };
        let mut total = 0;
        for file in &files {
            let is_full = reader.count > 0 && reader.count >= reader.most();
            total += if is_full { 1 } else { reader.add(file, path.is_dir())? };
        }
        reader.end(path, total)
    }
}

/// The files of a folder that may be samples, sorted by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::file(folder, error);
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let is_sample = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        ["png", "npy"].contains(&ending.as_str()) && !path.is_dir()
    };
    let mut files: Vec<PathBuf> = paths.into_iter().filter(is_sample).collect();
    files.sort();
    if files.is_empty() {
        return Err(Failure::Usage(format!(
            "{FLAG}: {}: there is no .png and no .npy in the folder",
            folder.display()
        )));
    }
    Ok(files)
}

impl Reader<'_> {
    /// The number of samples that are used.
    fn most(&self) -> usize {
        let length: usize = self.item.iter().product();
        let wanted = (MOST_VALUES / length.max(1)).clamp(USUAL, MOST);
        // A graph whose batch is fixed takes whole batches.
        wanted.next_multiple_of(self.model.fixed_batch().unwrap_or(1))
    }

    /// Adds the samples of a file, as far as they are used, and returns how many the file has. A file in a folder may
    /// be a single sample.
    fn add(&mut self, path: &Path, in_folder: bool) -> Result<usize, Failure> {
        let input = Input::values(FLAG, path)?;
        let sample = &self.model.manifest().sample;
        let rank = sample.shape.rank();
        let array =
            if input.is_png() { pixels(&input, sample)? } else { input.array("a .png, or a .npy of numbers")? };
        let shape = array.shape();
        let is_one = shape.len() == rank && (in_folder || input.is_png());
        if !is_one && shape.len() != rank + 1 {
            let own = &sample.shape;
            let reason = format!("a shape of {shape:?}; expected samples of {own}, batch first");
            return Err(input.refused(reason));
        }
        let (count, item) = if is_one { (1, shape) } else { (shape[0], &shape[1..]) };
        let whole: Vec<usize> =
            std::iter::once(self.model.fixed_batch().unwrap_or(1)).chain(item.iter().copied()).collect();
        self.model.check_shape(&whole).map_err(|error| match error {
            Error::Argument { .. } => {
                let own = &sample.shape;
                input.refused(format!("samples of {item:?}; the model's are {own}"))
            }
            error => error.into(),
        })?;
        if self.item.is_empty() {
            self.item = item.to_vec();
        }
        if self.item != item {
            return Err(input.refused(format!("samples of {item:?}, where those before it are {:?}", self.item)));
        }
        let used = count.min(self.most() - self.count) * item.iter().product::<usize>();
        let first = self.values.len();
        self.values.extend(array.iter().take(used));
        if let Some(place) = first_not_finite(&self.values[first..]) {
            let value = self.values[first + place];
            let sample = place / item.iter().product::<usize>();
            return Err(input.refused(format!("sample {sample} holds {value}, which is not a finite number")));
        }
        self.count += used / item.iter().product::<usize>();
        Ok(count)
    }

    fn end(self, path: &Path, total: usize) -> Result<Samples, Failure> {
        let Self { model, values, item, count } = self;
        let length: usize = item.iter().product();
        let batch = model.fixed_batch().unwrap_or(1);
        let given = count;
        let count = count / batch * batch;
        let mut numbers = BTreeMap::new();
        let number = |values: &[f32]| -> usize {
            let bits: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
            let next = numbers.len();
            *numbers.entry(bits).or_insert(next)
        };
        let same: Vec<usize> = values.chunks_exact(length.max(1)).take(count).map(number).collect();
        let refused = |reason: String| Failure::Usage(format!("{FLAG}: {}: {reason}", path.display()));
        if count == 0 && given > 0 {
            return Err(refused(format!("{given} samples; the graph takes {batch} at a time")));
        }
        if numbers.len() < FEWEST {
            let alike =
                if numbers.len() < same.len() { format!(" that differ, of {}", same.len()) } else { String::new() };
            return Err(refused(format!("{} samples{alike}; at least {FEWEST} are needed", numbers.len())));
        }
        let shape: Vec<usize> = std::iter::once(count).chain(item).collect();
        let values = ArrayD::from_shape_vec(shape, values.into_iter().take(count * length).collect());
        let values = values.map_err(|error| Failure::Other(error.to_string()))?;
        Ok(Samples { values, total, same })
    }
}

/// The values of a .png, whose size is the model's where that is fixed.
fn pixels(input: &Input, sample: &Sample) -> Result<ArrayD<f32>, Failure> {
    if sample.kind() == Kind::Latent {
        return Err(input.refused("pixels, and this model's samples are latents; give a .npy of them"));
    }
    let shape = match (sample.shape.sizes(), sample.shape.0.first()) {
        (Some(sizes), _) => sizes,
        (None, Some(Axis::Size(channels))) => {
            let (height, width, _) = input.pixels()?.dim();
            vec![*channels, height, width]
        }
        _ => Vec::new(),
    };
    input.image(&shape, sample.range().unwrap_or([-1.0, 1.0]), false)
}
