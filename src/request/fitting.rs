//! Checks that given tensors fit the model.

use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};

use crate::error::{Error, Result};
use crate::model::{ConditionInput, Schedule, Sizes};
use crate::network::Element;
use crate::sample::checked_length;
use crate::schedule::Tables;
use crate::tensor::{Number, Tensor, copy};

/// Refuses the argument `name` if it was made for another noise schedule than the model's, `ours`.
pub(super) fn check_same_schedule(name: &'static str, theirs: &Schedule, ours: &Schedule) -> Result<()> {
    let (theirs, ours) = (theirs.build(Tables::Exact)?, ours.build(Tables::Exact)?);
    let [least, most] = ours.bounds();
    for share in [0.0, 0.1, 0.5, 0.9, 1.0] {
        let t = least + share * (most - least);
        let [theirs, ours] = [theirs.level(t), ours.level(t)];
        if (theirs.alpha - ours.alpha).abs() > 1e-3 || (theirs.sigma - ours.sigma).abs() > 1e-3 * ours.sigma.max(1.0) {
            let reason = format!(
                "is for another schedule: at t = {t} it has α = {:.5}, σ = {:.5}, and this model α = {:.5}, σ = {:.5}",
                theirs.alpha, theirs.sigma, ours.alpha, ours.sigma
            );
            return Err(Error::argument(name, reason));
        }
    }
    Ok(())
}

/// Expands `values` to `count` items of the shape `item`. They are given for each item or once for all, with or without
/// an axis for the items.
pub(crate) fn fitted(
    argument: &'static str,
    name: &str,
    values: &Arc<ArrayD<f32>>,
    count: usize,
    item: &[usize],
) -> Result<Arc<ArrayD<f32>>> {
    let whole: Vec<usize> = std::iter::once(count).chain(item.iter().copied()).collect();
    // The size is checked before memory is allocated.
    checked_length(&whole)?;
    if let Some(wrong) = values.iter().find(|value| !value.is_finite()) {
        return Err(Error::argument(argument, format!("'{name}' holds {wrong}")));
    }
    if values.shape() == whole && values.is_standard_layout() {
        return Ok(Arc::clone(values));
    }
    let one = [&[1], item].concat();
    // The length of a flat list of values determines the number of items.
    let shape = match values.ndim() {
        1 if values.len() == whole.iter().product::<usize>() => whole.as_slice(),
        1 if values.len() == one.iter().product::<usize>() => one.as_slice(),
        _ => values.shape(),
    };
    let fits = shape == item || shape == one || shape == whole;
    let all = values.view().into_shape_with_order(shape).ok().filter(|_| fits);
    match all.as_ref().and_then(|all| all.broadcast(IxDyn(&whole))) {
        Some(all) => Ok(Arc::new(copy(&all)?)),
        None => {
            let reason =
                format!("'{name}' has a shape of {:?}; expected {item:?}, or {whole:?} for all items", values.shape());
            Err(Error::argument(argument, reason))
        }
    }
}

/// What a given tensor is fitted to.
pub(super) struct Fit<'a> {
    pub(super) argument: &'static str,
    /// The name of the condition.
    pub(super) name: &'a str,
    pub(super) info: &'a ConditionInput,
    /// The type that the graph takes. `None` where the condition is joined to the samples, or where there is no graph.
    pub(super) element: Option<Element>,
    /// The number of items.
    pub(super) count: usize,
}

impl Fit<'_> {
    fn refuse<T>(&self, reason: impl std::fmt::Display) -> Result<T> {
        Err(Error::argument(self.argument, format!("'{}' {reason}", self.name)))
    }

    /// The tensor of a condition, for each of the items (items first) or once for all of them. It has the manifest's
    /// shape and a type that holds the graph's numbers. The free sizes of the shape are noted in `sizes`.
    pub(super) fn tensor(&self, given: &Arc<Tensor>, sizes: &mut Sizes) -> Result<Arc<Tensor>> {
        let (from, item) = self.shape(given.shape(), sizes)?;
        let count = if self.info.batch { Some(self.count) } else { None };
        let whole: Vec<usize> = count.into_iter().chain(item).collect();
        // The size is checked before memory is allocated.
        if !whole.is_empty() {
            checked_length(&whole)?;
        }
        self.check_numbers(given)?;
        let whole_numbers = self.element.is_some_and(|element| element.whole_numbers().is_some());
        let typed = match (&**given, self.element) {
            (Tensor::I64(_), _) if whole_numbers => None,
            (_, _) if whole_numbers => Some(Tensor::I64(given.converted(|number| number.whole().unwrap_or_default())?)),
            (Tensor::F64(_), Some(Element::F64)) | (Tensor::F32(_), _) => None,
            (_, Some(Element::F64)) => Some(Tensor::F64(given.converted(Number::real)?)),
            // A network of the caller's own gets the tensor as it was given.
            (_, None) if !self.info.joined => None,
            // Numbers are rounded once, to the graph's own type where that is a shorter one.
            (_, element) => {
                let rounded = |number: Number| element.unwrap_or(Element::F32).rounded(number.real()) as f32;
                Some(Tensor::F32(given.converted(rounded)?))
            }
        };
        let tensor = typed.as_ref().unwrap_or(given);
        if tensor.shape() == whole && tensor.is_standard() {
            return Ok(typed.map_or_else(|| Arc::clone(given), Arc::new));
        }
        match tensor.spread(&from, &whole)? {
            Some(tensor) => Ok(Arc::new(tensor)),
            None => self.refuse(format_args!("has a shape of {:?}; expected {whole:?}", given.shape())),
        }
    }

    /// The axes of the given values, and those of one item.
    fn shape(&self, found: &[usize], sizes: &mut Sizes) -> Result<(Vec<usize>, Vec<usize>)> {
        let Self { info, count, .. } = self;
        let rank = info.shape.rank();
        let item = match found {
            [first, item @ ..] if item.len() == rank && (*first == 1 || info.batch && first == count) => item,
            item => item,
        };
        let mut bound = sizes.clone();
        let unfit = match info.shape.bind(item, &mut bound) {
            Ok(()) => {
                *sizes = bound;
                let from = if info.batch { found } else { item };
                return Ok((from.to_vec(), item.to_vec()));
            }
            Err(unfit) => unfit,
        };
        // The length of a flat list of values, or of one value, determines the number of items.
        let length = found.iter().product::<usize>();
        if let (0 | 1, Some(item)) = (found.len(), info.shape.bound(sizes)) {
            let of_item = item.iter().try_fold(1usize, |length, size| length.checked_mul(*size));
            if of_item == Some(length) {
                return Ok((item.clone(), item));
            }
            if info.batch && of_item.and_then(|of_item| of_item.checked_mul(*count)) == Some(length) {
                return Ok(([&[*count], &item[..]].concat(), item));
            }
        }
        let all =
            if info.batch { format!(", or an axis for the {count} items in front of that") } else { String::new() };
        let unfit = unfit.unwrap_or_default();
        self.refuse(format_args!("has a shape of {found:?}; expected {} for an item{all}{unfit}", info.shape.of_item()))
    }

    /// Refuses numbers that the graph's type does not have.
    fn check_numbers(&self, given: &Tensor) -> Result<()> {
        let element = self.element.unwrap_or(match given {
            Tensor::F64(_) if !self.info.joined => Element::F64,
            _ => Element::F32,
        });
        let wrong = match element.whole_numbers() {
            Some([least, most]) => given.find(|number| number.whole().is_some_and(|n| (least..=most).contains(&n))),
            None => given.find(|number| element.rounded(number.real()).is_finite()),
        };
        match (wrong, element.whole_numbers()) {
            (None, _) => Ok(()),
            (Some(wrong), Some([least, most])) => self
                .refuse(format_args!("holds {wrong}; the model takes {element}, whole numbers from {least} to {most}")),
            (Some(wrong), None) => self.refuse(format_args!("holds {wrong}, which is no finite number in {element}")),
        }
    }
}
