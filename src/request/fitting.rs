//! Whether what was given fits the model.

use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};

use crate::error::{Error, Result};
use crate::model::Schedule;
use crate::sample::checked_length;
use crate::schedule::Tables;
use crate::tensor::copy;

/// Refuses what was made for another schedule than the model's, `ours`.
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

/// `values` for each of `count` items of the shape `item`: given for each, or one for all, with or without an axis for
/// the items.
pub(crate) fn fitted(
    argument: &'static str,
    name: &str,
    values: &Arc<ArrayD<f32>>,
    count: usize,
    item: &[usize],
) -> Result<Arc<ArrayD<f32>>> {
    let whole: Vec<usize> = std::iter::once(count).chain(item.iter().copied()).collect();
    // Before anything of this size is made.
    checked_length(&whole)?;
    if let Some(wrong) = values.iter().find(|value| !value.is_finite()) {
        return Err(Error::argument(argument, format!("'{name}' holds {wrong}")));
    }
    if values.shape() == whole && values.is_standard_layout() {
        return Ok(Arc::clone(values));
    }
    let one = [&[1], item].concat();
    // A list of values is as many items as it is long.
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
