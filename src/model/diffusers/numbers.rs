//! Lists of numbers as numpy and torch compute them.

use special::Beta as _;

/// The nearest number in f32.
pub(super) fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

/// `numpy.log` in f32, which is not always the nearest number. It is the quotient of two polynomials that numpy's
/// vectorized loop has on x86-64 with FMA. Times are cut to whole numbers where its last digit decides.
pub(super) fn log_in_single(value: f64) -> f64 {
    const ABOVE: [f32; 6] = [0.0, 1.0, 2.112_677_5, 1.480_000_6, 0.380_883_77, 0.025_899_79];
    const BELOW: [f32; 6] = [1.0, 2.612_677_6, 2.453_006, 0.986_494_3, 0.154_647_64, 0.005_875_095_4];
    let value = value as f32;
    if !(value > f32::MIN_POSITIVE && value.is_finite()) {
        return f64::from(value.ln());
    }
    let bits = value.to_bits();
    let mut exponent = (bits >> 23) as i32 - 127;
    let mut mantissa = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    if mantissa > std::f32::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let x = mantissa - 1.0;
    let polynomial = |terms: [f32; 6]| terms[..5].iter().rev().fold(terms[5], |sum, term| sum.mul_add(x, *term));
    let rest = polynomial(ABOVE) / polynomial(BELOW);
    f64::from((exponent as f32).mul_add(std::f32::consts::LN_2, rest))
}

/// `numpy.linspace`.
pub(super) fn linspace(first: f64, last: f64, count: usize) -> Vec<f64> {
    let step = (last - first) / count.saturating_sub(1).max(1) as f64;
    (0..count).map(|i| if i > 0 && i + 1 == count { last } else { first + step * i as f64 }).collect()
}

/// `torch.linspace` in f32: from both ends to the middle, with a rounded increment.
pub(super) fn linspace_in_single(first: f64, last: f64, count: usize) -> Vec<f64> {
    let (first, last) = (single(first), single(last));
    let step = single(single(last - first) / count.saturating_sub(1).max(1) as f64);
    let value = |i: usize| {
        if i < count / 2 || count == 1 { first + step * i as f64 } else { last - step * (count - 1 - i) as f64 }
    };
    (0..count).map(|i| single(value(i))).collect()
}

/// `numpy.interp` of a table by its indices.
pub(super) fn interpolated(table: &[f64], at: f64) -> f64 {
    let last = table.len() - 1;
    let at = at.clamp(0.0, last as f64);
    let below = (at as usize).min(last.saturating_sub(1));
    match table.get(below + 1) {
        None => table[below],
        Some(above) => (above - table[below]) * (at - below as f64) + table[below],
    }
}

/// Evenly spaced `σ^(1/ρ)` from `most` to `least`.
pub(super) fn karras(least: f64, most: f64, rho: f64, ramp: impl Iterator<Item = f64>) -> Vec<f64> {
    let (least, most) = (least.powf(rho.recip()), most.powf(rho.recip()));
    ramp.map(|share| (most + share * (least - most)).powf(rho)).collect()
}

/// Evenly spaced `ln σ` from `most` to `least`.
pub(super) fn exponential(least: f64, most: f64, count: usize) -> Vec<f64> {
    linspace(most.ln(), least.ln(), count).into_iter().map(f64::exp).collect()
}

/// σ by the quantiles of Beta(0.6, 0.6), from `most` to `least`.
pub(super) fn by_beta(least: f64, most: f64, count: usize) -> Vec<f64> {
    let quantile = |share: f64| {
        if share <= 0.0 || share >= 1.0 { share } else { share.inv_inc_beta(0.6, 0.6, 0.6f64.ln_beta(0.6)) }
    };
    linspace(0.0, 1.0, count).into_iter().map(|share| least + quantile(1.0 - share) * (most - least)).collect()
}

/// Multiples of ⌊T/N⌋ from the greatest down to 0.
pub(super) fn leading(steps: usize, stride: usize) -> Vec<f64> {
    (0..steps).rev().map(|i| (i * stride) as f64).collect()
}

/// `numpy.arange(last, 0, −T/N)`, rounded, less 1. Where rounding makes room for one time more, at −1, it is left out.
pub(super) fn trailing(last: usize, train_steps: usize, steps: usize) -> Vec<f64> {
    let count = trailing_count(last, train_steps, steps);
    // numpy takes the difference of the first two values for its stride.
    let (last, stride) = (last as f64, train_steps as f64 / steps as f64);
    let stride = (last - stride) - last;
    (0..count.min(steps)).map(|i| (last + i as f64 * stride).round_ties_even() - 1.0).collect()
}

/// The number of times that numpy's list has.
pub(super) fn trailing_count(last: usize, train_steps: usize, steps: usize) -> usize {
    (last as f64 / (train_steps as f64 / steps as f64)).ceil() as usize
}

/// Times from the last down to the first, rounded to whole numbers.
pub(super) fn spaced(last: f64, count: usize) -> Vec<f64> {
    linspace(0.0, last, count).into_iter().rev().map(f64::round_ties_even).collect()
}
