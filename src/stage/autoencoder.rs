//! From pictures to latents and back: the encoder and the decoder of an autoencoder, one tile at a time.

use ndarray::{Array2, Array3, ArrayD, ArrayView3, ArrayViewD, Axis, Slice, s};

use super::parts::{Parts, without_previews};
use crate::bytes::{Reader, Writer};
use crate::cancel::Canceller;
use crate::error::{Error, Result};
use crate::model::Autoencoder;
use crate::network::{Binding, Part};
use crate::signature::TensorInfo;
use crate::tensor::{first_not_finite, zeros};

/// The greatest side in pixels of a picture that is one tile by default.
const MOST_UNTILED: usize = 1024;

/// The least overlap of two tiles, in latents.
const LEAST_OVERLAP: usize = 16;

/// `picture` clamped to its range, since a decoder goes somewhat beyond it.
pub(crate) fn within(picture: Array3<f32>) -> Array3<f32> {
    picture.mapv_into(|value| value.clamp(-1.0, 1.0))
}

/// The names of a decoder's input and output, the usual ones first.
const LATENTS: &[&str] = &["latent_sample", "latents", "sample", "z"];
const PICTURES: &[&str] = &["sample", "image"];

/// The encoder or the decoder of an autoencoder, in use.
pub(crate) struct Coder {
    binding: Binding,
    /// The name of its file, for messages.
    name: String,
    input: usize,
    output: usize,
    /// The height and the width that the graph fixes for pictures or latents.
    fixed: [Option<usize>; 2],
    channels: Option<usize>,
    spec: Autoencoder,
}

impl Parts {
    /// Opens the decoder, which makes pictures.
    ///
    /// # Errors
    /// As [`Part::network`]. [`Error::Model`] if the graph has no input for latents.
    pub(crate) fn decoder(&self, canceller: &Canceller) -> Result<Coder> {
        let spec = self.pipeline.autoencoder.as_ref();
        self.coder(self.decoder.as_ref(), spec, LATENTS, PICTURES, canceller)
    }

    /// Opens the decoder for previews, where there is one that works.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn preview_decoder(&self, canceller: &Canceller) -> Result<Option<Coder>> {
        let spec = self.pipeline.autoencoder.as_ref().and_then(|own| own.preview.as_deref());
        let Some(part) = &self.preview else { return Ok(None) };
        let coder = self.coder(Some(part), spec, LATENTS, PICTURES, canceller);
        canceller.check()?;
        Ok(coder.map_err(|error| without_previews(&error)).ok())
    }

    /// Opens the encoder, which makes latents.
    ///
    /// # Errors
    /// As [`decoder`](Self::decoder). [`Error::Argument`] if the model has no encoder.
    pub(crate) fn encoder(&self, canceller: &Canceller) -> Result<Coder> {
        let outputs = &["latent_parameters", "latent_sample", "latent", "latents"];
        let spec = self.pipeline.autoencoder.as_ref();
        self.coder(self.encoder.as_ref(), spec, &["sample", "image", "x"], outputs, canceller)
    }

    fn coder(
        &self,
        part: Option<&Part>,
        spec: Option<&Autoencoder>,
        inputs: &[&str],
        outputs: &[&str],
        canceller: &Canceller,
    ) -> Result<Coder> {
        let (Some(part), Some(spec)) = (part, spec) else {
            let reason = "the model has no vae_encoder, which makes latents of a picture; export it with one";
            return Err(Error::argument("image", reason));
        };
        let signature = part.signature();
        let of = |tensors: &[TensorInfo], names: &[&str]| {
            let by_name = names.iter().find_map(|name| tensors.iter().position(|tensor| tensor.name == *name));
            by_name.or((!tensors.is_empty()).then_some(0))
        };
        let (Some(input), Some(output)) = (of(&signature.inputs, inputs), of(&signature.outputs, outputs)) else {
            return Err(Error::model(part.name(), "its graph has no inputs, or no outputs"));
        };
        let info = &signature.inputs[input];
        if info.shape.len() != 4 || !info.element.is_float() {
            let reason = format!("its input {info} is none of [batch, channels, height, width]");
            return Err(Error::model(part.name(), reason));
        }
        if let Some(batch) = info.shape[0].filter(|batch| *batch != 1) {
            let reason =
                format!("its input {info} takes {batch} pictures at once; export it with a batch that is free, or 1");
            return Err(Error::model(part.name(), reason));
        }
        let (fixed, channels) = ([info.shape[2], info.shape[3]], info.shape[1]);
        let network = self.opened(part, canceller)?;
        let binding = Binding::new(&network, &[])?;
        canceller.add(&binding.interrupt());
        Ok(Coder { binding, name: part.name().to_owned(), input, output, fixed, channels, spec: spec.clone() })
    }
}

impl Coder {
    /// The tiles of a picture whose latents have this height and width. A tile has `tile` pixels on a side, or as many
    /// as the picture needs.
    pub(crate) fn tiles(&self, whole: [usize; 2], tile: Option<usize>, of_pixels: bool) -> Result<Tiles> {
        let factor = self.spec.factor;
        let longest = whole[0].max(whole[1]);
        let usual = match tile {
            Some(0) => longest,
            Some(tile) => tile.div_ceil(factor),
            None if longest * factor <= MOST_UNTILED => longest,
            None => self.spec.tile.div_ceil(factor),
        };
        let unit = if of_pixels { factor } else { 1 };
        let size = self.fixed.map(|fixed| fixed.map_or(usual, |fixed| fixed / unit));
        if let Some(place) = (0..2).find(|place| self.fixed[*place].is_some() && whole[*place] < size[*place]) {
            let (option, least) = (["height", "width"][place], size[place] * factor);
            let reason = format!(
                "{}; the graph {} has a fixed size and takes {least} pixels, or more in tiles",
                whole[place] * factor,
                self.name
            );
            return Err(Error::argument(option, reason));
        }
        Ok(Tiles::new(whole, size))
    }

    /// Decodes `latent`, one tile of one item. The picture is [channels, height, width], black at −1 and white at 1.
    ///
    /// # Errors
    /// [`Error::Model`] if the graph fails, or if it makes values that are not finite. [`Error::Cancelled`].
    pub(crate) fn decode(&mut self, latent: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let Autoencoder { scale, shift, means, deviations, .. } = &self.spec;
        let (scale, shift) = (*scale as f32, *shift as f32);
        let mut values = latent.as_standard_layout().into_owned();
        for (channel, mut plane) in values.outer_iter_mut().enumerate() {
            let of =
                |list: &Option<Vec<f64>>| list.as_ref().and_then(|list| list.get(channel)).map(|value| *value as f32);
            match (of(means), of(deviations)) {
                (Some(mean), Some(deviation)) => plane.mapv_inplace(|value| value * deviation / scale + mean),
                _ if shift == 0.0 => plane.mapv_inplace(|value| value / scale),
                _ => plane.mapv_inplace(|value| value / scale + shift),
            }
        }
        let picture = self.evaluate(values.view(), "decoding")?;
        let (_, height, width) = latent.dim();
        let factor = self.spec.factor;
        if picture.shape()[1..] != [height * factor, width * factor] {
            let found = &picture.shape()[1..];
            let reason = format!(
                "it makes {found:?} pixels of {height} by {width} latents; expected {factor} times as many (autoencoder.factor)"
            );
            return Err(Error::model(&self.name, reason));
        }
        Ok(picture)
    }

    /// Encodes `picture`, one tile of one item. The output is means with logarithms of variances behind them, or
    /// latents that the graph has sampled itself.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub(crate) fn moments(&mut self, picture: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.evaluate(picture, "encoding the image")
    }

    /// Latents from the encoder's output, which is [1 or 2 times the channels, height, width]. They are a mean plus a
    /// deviation times `noise`, or the mean alone. They are scaled as the predictor has them, or left as they are.
    pub(crate) fn latents(
        &self,
        moments: &Array3<f32>,
        channels: usize,
        noise: Option<&[f32]>,
        scaled: bool,
    ) -> Result<Array3<f32>> {
        let found = moments.shape()[0];
        let mut latents = moments.slice_axis(Axis(0), Slice::from(..channels.min(found))).to_owned();
        if found != channels && found != 2 * channels {
            let reason = format!("it gives {found} channels; expected {channels}, or twice as many with the variances");
            return Err(Error::model(&self.name, reason));
        }
        if let Some(noise) = noise.filter(|_| found == 2 * channels) {
            let variances = moments.slice_axis(Axis(0), Slice::from(channels..));
            for ((value, variance), z) in latents.iter_mut().zip(variances).zip(noise) {
                *value += (0.5 * variance.clamp(-30.0, 20.0)).exp() * z;
            }
        }
        if !scaled {
            return Ok(latents);
        }
        let Autoencoder { scale, shift, means, deviations, .. } = &self.spec;
        let (scale, shift) = (*scale as f32, *shift as f32);
        for (channel, mut plane) in latents.outer_iter_mut().enumerate() {
            let of =
                |list: &Option<Vec<f64>>| list.as_ref().and_then(|list| list.get(channel)).map(|value| *value as f32);
            match (of(means), of(deviations)) {
                (Some(mean), Some(deviation)) => plane.mapv_inplace(|value| (value - mean) * scale / deviation),
                _ if shift == 0.0 => plane.mapv_inplace(|value| value * scale),
                _ => plane.mapv_inplace(|value| (value - shift) * scale),
            }
        }
        Ok(latents)
    }

    /// The width of a latent in pixels.
    pub(crate) fn factor(&self) -> usize {
        self.spec.factor
    }

    fn evaluate(&mut self, values: ArrayView3<'_, f32>, what: &str) -> Result<Array3<f32>> {
        let (channels, height, width) = values.dim();
        if self.channels.is_some_and(|own| own != channels) {
            let own = self.channels.unwrap_or(0);
            return Err(Error::model(
                &self.name,
                format!("{what}: its graph takes {own} channels, and there are {channels}"),
            ));
        }
        let values = values.as_standard_layout();
        self.binding.set(self.input, &[1, channels, height, width], values.as_slice().unwrap_or_default())?;
        let made = self.binding.outputs(&[self.output], what)?.pop().unwrap_or_default();
        let found = made.shape().to_vec();
        let three = made.into_dimensionality::<ndarray::Ix4>().ok().filter(|made| made.dim().0 == 1);
        let made = three.ok_or_else(|| {
            let reason = format!("{what}: its output has a shape of {found:?}; expected [1, channels, height, width]");
            Error::model(&self.name, reason)
        })?;
        let made = made.index_axis_move(Axis(0), 0);
        match made.as_slice().and_then(first_not_finite) {
            None => Ok(made),
            Some(index) => {
                let wrong = made.as_slice().map_or(f32::NAN, |values| values[index]);
                let reason = format!(
                    "{what}: its output holds {wrong}. In f16 the autoencoder of Stable Diffusion XL overflows. Export this part in f32, or use the one that was fixed for f16"
                );
                Err(Error::model(&self.name, reason))
            }
        }
    }
}

/// Tiles of one size that cover a picture. They are blended where they overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tiles {
    /// The height and the width of the whole picture, in latents.
    whole: [usize; 2],
    /// The height and the width of a tile, in latents.
    size: [usize; 2],
    /// Where the rows and the columns of tiles begin.
    starts: [Vec<usize>; 2],
}

impl Tiles {
    fn new(whole: [usize; 2], tile: [usize; 2]) -> Self {
        let size = [0, 1].map(|axis: usize| whole[axis].min(tile[axis].max(1)));
        let starts = [0, 1].map(|axis| {
            let (side, tile) = (whole[axis], size[axis]);
            let overlap = (tile / 4).max(LEAST_OVERLAP.min(tile / 2));
            let step = (tile - overlap).max(1);
            // The last tile ends where the picture ends.
            let mut starts: Vec<usize> =
                (0..).map(|place| place * step).take_while(|start| start + tile < side).collect();
            starts.push(side - tile);
            starts
        });
        Self { whole, size, starts }
    }

    /// The number of tiles.
    pub(crate) fn len(&self) -> usize {
        self.starts[0].len() * self.starts[1].len()
    }

    /// The place and the size of the tile `place`, each as height and width, where a latent has `unit` units.
    pub(crate) fn at(&self, place: usize, unit: usize) -> ([usize; 2], [usize; 2]) {
        let columns = self.starts[1].len();
        let start = [self.starts[0][place / columns], self.starts[1][place % columns]];
        (start.map(|start| start * unit), self.size.map(|size| size * unit))
    }

    /// The weights of a tile along an axis, where a latent has `unit` places. They rise and fall over the overlap with
    /// its neighbours.
    fn ramp(&self, axis: usize, start: usize, unit: usize) -> Vec<f32> {
        let size = self.size[axis];
        let place = self.starts[axis].iter().position(|known| *known == start).unwrap_or(0);
        let before = place.checked_sub(1).map(|place| self.starts[axis][place] + size - start);
        let after = self.starts[axis].get(place + 1).map(|next| start + size - next);
        let share = |distance: f32, overlap: Option<usize>| match overlap {
            Some(overlap) => (distance / (overlap * unit) as f32).min(1.0),
            None => 1.0,
        };
        let length = size * unit;
        let at = |at: usize| share(at as f32 + 0.5, before).min(share((length - at) as f32 - 0.5, after));
        (0..length).map(at).collect()
    }
}

/// A picture that is assembled from tiles.
#[derive(Debug)]
pub(crate) struct Canvas {
    tiles: Tiles,
    /// How many places of the picture a latent has along an axis.
    unit: usize,
    sum: Array3<f32>,
    weight: Array2<f32>,
}

impl Canvas {
    /// Creates an empty picture of `channels` channels.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub(crate) fn new(tiles: Tiles, channels: usize, unit: usize) -> Result<Self> {
        let [height, width] = tiles.whole.map(|side| side * unit);
        let shaped = |error: ndarray::ShapeError| Error::memory(error.to_string());
        let sum = zeros(&[channels, height, width])?.into_dimensionality().map_err(shaped)?;
        let weight = zeros(&[height, width])?.into_dimensionality().map_err(shaped)?;
        Ok(Self { tiles, unit, sum, weight })
    }

    /// Adds the tile `place`.
    pub(crate) fn add(&mut self, place: usize, values: &Array3<f32>) {
        let (start, size) = self.tiles.at(place, self.unit);
        let ramps = [0, 1].map(|axis| self.tiles.ramp(axis, start[axis] / self.unit, self.unit));
        let area = s![start[0]..start[0] + size[0], start[1]..start[1] + size[1]];
        let weight = |y: usize, x: usize| ramps[0][y] * ramps[1][x];
        for ((y, x), sum) in self.weight.slice_mut(area).indexed_iter_mut() {
            *sum += weight(y, x);
        }
        for (mut plane, values) in self.sum.outer_iter_mut().zip(values.outer_iter()) {
            let mut plane = plane.slice_mut(area);
            for ((y, x), sum) in plane.indexed_iter_mut() {
                *sum += values[[y, x]] * weight(y, x);
            }
        }
    }

    fn save(&self, to: &mut Writer) {
        to.floats(self.sum.as_slice().unwrap_or_default());
        to.floats(self.weight.as_slice().unwrap_or_default());
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        from.floats("a picture", self.sum.as_slice_mut().unwrap_or_default())?;
        from.floats("a picture", self.weight.as_slice_mut().unwrap_or_default())
    }

    /// Finishes the picture.
    pub(crate) fn finish(mut self) -> Array3<f32> {
        for mut plane in self.sum.outer_iter_mut() {
            plane.zip_mut_with(&self.weight, |value, weight| *value /= weight);
        }
        self.sum
    }
}

/// The decoding of a batch of latents, one tile at a time.
pub(crate) struct Decoding {
    latents: ArrayD<f32>,
    tile: Option<usize>,
    coder: Option<Coder>,
    /// Whether everything is decoded, and the decoder released.
    is_closed: bool,
    /// The number of tiles that are decoded, and of all tiles. The second is not known before the graph is open.
    done: usize,
    tiles: Option<Tiles>,
    /// The number of tiles of an item, where a snapshot at the end of the run stated it.
    count: Option<usize>,
    canvas: Option<Canvas>,
    /// The pictures. Those of the items that are done are whole.
    pictures: ArrayD<f32>,
}

impl Decoding {
    /// Prepares to decode `latents` (batch first) into pictures of `shape`. Tiles have `tile` pixels on a side, or as
    /// many as a picture needs.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub(crate) fn new(latents: ArrayD<f32>, tile: Option<usize>, shape: &[usize]) -> Result<Self> {
        let pictures = zeros(shape)?;
        Ok(Self {
            latents,
            tile,
            coder: None,
            is_closed: false,
            done: 0,
            tiles: None,
            count: None,
            canvas: None,
            pictures,
        })
    }

    /// How many tiles are decoded, and how many there are.
    pub(crate) fn progress(&self) -> (usize, usize) {
        let of_item = self.tiles.as_ref().map(Tiles::len).or(self.count).unwrap_or(1);
        (self.done, of_item * self.latents.shape()[0])
    }

    /// Whether its graph is open.
    pub(crate) fn is_begun(&self) -> bool {
        self.coder.is_some() || self.is_closed
    }

    /// The number of bytes of its tensors. For a picture in tiles these include its sums and their weights.
    pub(crate) fn bytes(&self) -> usize {
        let sums = if self.canvas.is_some() { 2 * self.pictures.len() / self.latents.shape()[0].max(1) } else { 0 };
        size_of::<f32>() * (self.latents.len() + self.pictures.len() + sums)
    }

    /// The latents that are decoded.
    pub(crate) fn latents(&self) -> ArrayViewD<'_, f32> {
        self.latents.view()
    }

    /// The pictures, as far as they are decoded.
    pub(crate) fn pictures(&self) -> ArrayViewD<'_, f32> {
        self.pictures.view()
    }

    /// The pictures, to be changed.
    pub(crate) fn pictures_mut(&mut self) -> &mut ArrayD<f32> {
        &mut self.pictures
    }

    /// Writes the latents and the progress of the decoding, for a snapshot.
    pub(crate) fn save(&self, to: &mut Writer) {
        to.floats(self.latents.as_slice().unwrap_or_default());
        to.whole(self.done as u64);
        to.whole(u64::from(self.is_closed));
        let tiles = self.tiles.as_ref().map_or(0, Tiles::len);
        to.whole(tiles as u64);
        to.floats(self.pictures.as_slice().unwrap_or_default());
        to.whole(u64::from(self.canvas.is_some()));
        self.canvas.iter().for_each(|canvas| canvas.save(to));
    }

    /// Restores what [`save`](Self::save) wrote for latents of this shape, into a decoding that was just created. To go
    /// on within the tiles of a picture it needs the decoder, which `parts` has.
    ///
    /// # Errors
    /// [`Error::Argument`] if the bytes are something else. Else as [`open`](Self::open).
    pub(crate) fn load(&mut self, from: &mut Reader<'_>, parts: &Parts, canceller: &Canceller) -> Result<()> {
        let refuse = |reason: &str| Err(Error::argument("snapshot", reason));
        from.floats("latents", self.latents.as_slice_mut().unwrap_or_default())?;
        let done = from.whole("tiles", u64::from(u32::MAX))? as usize;
        let is_closed = from.whole("a flag", 1)? == 1;
        let tiles = from.whole("tiles", u64::from(u32::MAX))? as usize;
        from.floats("pictures", self.pictures.as_slice_mut().unwrap_or_default())?;
        let has_canvas = from.whole("a flag", 1)? == 1;
        if tiles > 0 && !is_closed {
            self.open(parts, canceller)?;
            let own = self.tiles.as_ref().map_or(0, Tiles::len);
            if own != tiles
                || done > own * self.latents.shape()[0]
                || has_canvas != (own > 1 && !done.is_multiple_of(own))
            {
                return refuse("its tiles are others than those of this run");
            }
        } else if has_canvas || tiles == 0 && done > 0 || is_closed && done != tiles * self.latents.shape()[0] {
            return refuse("its tiles are not those of any run");
        }
        if let (true, Some(tiles), Some(coder)) = (has_canvas, &self.tiles, &self.coder) {
            let mut canvas = Canvas::new(tiles.clone(), self.pictures.shape()[1], coder.factor())?;
            canvas.load(from)?;
            self.canvas = Some(canvas);
        }
        (self.done, self.is_closed) = (done, is_closed);
        if is_closed {
            self.count = Some(tiles);
        }
        Ok(())
    }

    /// Releases the decoder.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.coder = None;
    }

    /// Opens the decoder, if it is not open.
    ///
    /// # Errors
    /// As [`Parts::decoder`].
    pub(crate) fn open(&mut self, parts: &Parts, canceller: &Canceller) -> Result<()> {
        if self.coder.is_none() {
            let coder = parts.decoder(canceller)?;
            let [_, _, height, width] = self.latents.shape()[..] else {
                return Err(Error::model(&coder.name, "latents without a height and a width cannot be decoded"));
            };
            self.tiles = Some(coder.tiles([height, width], self.tile, false)?);
            self.coder = Some(coder);
        }
        Ok(())
    }

    /// Decodes the next tile.
    ///
    /// # Errors
    /// As [`Coder::decode`].
    pub(crate) fn step(&mut self) -> Result<()> {
        let (Some(coder), Some(tiles)) = (&mut self.coder, &self.tiles) else { return Ok(()) };
        let (item, place) = (self.done / tiles.len(), self.done % tiles.len());
        if item >= self.latents.shape()[0] {
            return Ok(());
        }
        let latent = self.latents.index_axis(Axis(0), item);
        let (start, size) = tiles.at(place, 1);
        let part = latent.slice_axis(Axis(1), Slice::from(start[0]..start[0] + size[0]));
        let part = part.slice_axis(Axis(2), Slice::from(start[1]..start[1] + size[1]));
        let part: ArrayView3<'_, f32> =
            part.into_dimensionality().map_err(|error| Error::model(&coder.name, error.to_string()))?;
        let made = coder.decode(part)?;
        let expected = self.pictures.shape()[1];
        if made.shape()[0] != expected {
            let reason = format!("it makes {} channels; expected {expected}", made.shape()[0]);
            return Err(Error::model(&coder.name, reason));
        }
        let whole = if tiles.len() == 1 {
            Some(made)
        } else {
            let canvas = match &mut self.canvas {
                Some(canvas) => canvas,
                none => none.insert(Canvas::new(tiles.clone(), expected, coder.factor())?),
            };
            canvas.add(place, &made);
            if place + 1 == tiles.len() { self.canvas.take().map(Canvas::finish) } else { None }
        };
        if let Some(whole) = whole {
            self.pictures.index_axis_mut(Axis(0), item).assign(&within(whole));
        }
        self.done += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_a_picture_and_blend_to_what_they_are_of() {
        for (whole, tile) in [([64, 64], 64), ([96, 64], 48), ([130, 77], 32), ([9, 200], 64), ([5, 5], 1)] {
            let tiles = Tiles::new(whole, [tile, tile]);
            let (height, width) = (whole[0] * 2, whole[1] * 2);
            let picture = Array3::from_shape_fn((3, height, width), |(c, y, x)| (c * 7 + y * 3 + x) as f32 / 100.0);
            let mut canvas = Canvas::new(tiles.clone(), 3, 2).unwrap();
            for place in 0..tiles.len() {
                let (start, size) = tiles.at(place, 2);
                let part = picture.slice(s![.., start[0]..start[0] + size[0], start[1]..start[1] + size[1]]);
                canvas.add(place, &part.to_owned());
            }
            let apart = (canvas.finish() - &picture).mapv(f32::abs);
            assert!(apart.iter().all(|apart| *apart < 1e-4), "{whole:?} {tile}");
        }
    }
}
