//! The passes over memory: the fused update, and the search for values that are not finite.

use std::ops::Range;

/// One term of a linear combination: a coefficient and the tensor that it scales.
pub type Term<'a> = (f32, &'a [f32]);

/// Computes `x ← scale·x + Σ coefficient·tensor` in one pass over memory.
///
/// Terms whose coefficient is 0 are not read. The sum is taken in the order of `terms`, element by element. So the
/// result does not depend on how the tensors are batched.
///
/// # Panics
/// If a term has another length than `x`. The callers in this crate own all of the buffers.
pub fn combine(x: &mut [f32], scale: f32, terms: &[Term<'_>]) {
    const MOST: usize = 8;
    let mut coefficients = [0.0; MOST];
    let mut tensors: [&[f32]; MOST] = [&[]; MOST];
    let mut used = 0;
    let mut scale = scale;
    for &(coefficient, tensor) in terms.iter().filter(|term| term.0 != 0.0) {
        assert_eq!(tensor.len(), x.len(), "a term of another length than x");
        if used == MOST {
            fused(x, scale, coefficients, tensors);
            (scale, used) = (1.0, 0);
        }
        coefficients[used] = coefficient;
        tensors[used] = tensor;
        used += 1;
    }
    macro_rules! with {
        ($($count:literal),+) => {
            match used {
                0 if scale == 1.0 => {}
                $($count => fused::<$count>(x, scale, array(&coefficients), array(&tensors)),)+
                _ => {}
            }
        };
    }
    with!(0, 1, 2, 3, 4, 5, 6, 7, 8);
}

/// The first `N` values.
fn array<T: Copy, const M: usize, const N: usize>(values: &[T; M]) -> [T; N] {
    std::array::from_fn(|i| values[i])
}

/// A tensor that is replaced in the pass in which it is read.
#[derive(Debug)]
pub struct Kept<'a> {
    /// Its values. Before the pass they are a term of the combination, and after it what is kept.
    pub held: &'a mut [f32],
    /// The coefficient of its former values.
    pub before: f32,
    /// The coefficient of x in what is kept.
    pub x: f32,
    /// The other terms of what is kept.
    pub terms: [Term<'a>; 2],
}

/// [`combine`] with one more term, in whose place a combination of x (as it was) and others is kept.
///
/// # Panics
/// As [`combine`].
pub fn combine_and_keep(x: &mut [f32], scale: f32, terms: &[Term<'_>], kept: Kept<'_>) {
    /// The number of values at a time. New values are on the stack until the old ones were read.
    const PART: usize = 1024;
    /// The greatest number of terms, more than any solver has.
    const MOST: usize = 16;
    assert_eq!(kept.held.len(), x.len(), "what is kept has another length than x");
    let used = || terms.iter().filter(|term| term.0 != 0.0);
    assert!(used().count() < MOST, "too many terms");
    for (start, held) in kept.held.chunks_mut(PART).enumerate() {
        let range = start * PART..start * PART + held.len();
        let x = &mut x[range.clone()];
        let mut new = [0.0; PART];
        let new = &mut new[..held.len()];
        new.copy_from_slice(x);
        combine(new, kept.x, &kept.terms.map(|term| part(term, &range)));
        let mut parts: [Term<'_>; MOST] = [(0.0, &[]); MOST];
        used().map(|term| part(*term, &range)).zip(&mut parts).for_each(|(term, place)| *place = term);
        parts[MOST - 1] = (kept.before, held);
        combine(x, scale, &parts);
        held.copy_from_slice(new);
    }
}

/// A part of a term. A tensor whose coefficient is 0 is not read.
fn part<'a>((coefficient, tensor): Term<'a>, range: &Range<usize>) -> Term<'a> {
    (coefficient, if coefficient == 0.0 { &[] } else { &tensor[range.clone()] })
}

/// The kernel, unrolled over the number of terms so that the compiler vectorises one flat loop.
fn fused<const N: usize>(x: &mut [f32], scale: f32, coefficients: [f32; N], tensors: [&[f32]; N]) {
    let length = x.len();
    let tensors = tensors.map(|tensor| &tensor[..length]);
    for (index, value) in x.iter_mut().enumerate() {
        let mut sum = scale * *value;
        for term in 0..N {
            sum += coefficients[term] * tensors[term][index];
        }
        *value = sum;
    }
}

/// The index of the first NaN or infinity, if there is one.
#[must_use]
pub fn first_not_finite(values: &[f32]) -> Option<usize> {
    const EXPONENT: u32 = 0x7f80_0000;
    // Without a branch in it, the usual case (all is well) is a vectorised scan.
    let broken = |value: &f32| value.to_bits() & EXPONENT == EXPONENT;
    if values.iter().fold(false, |any, value| any | broken(value)) { values.iter().position(broken) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combine_is_the_sum_of_its_terms_for_any_number_of_them() {
        let tensors: Vec<Vec<f32>> = (0..7).map(|k| (0..37).map(|i| (i * (k + 2)) as f32 * 0.25).collect()).collect();
        for count in 0..=7 {
            let terms: Vec<Term<'_>> = (0..count).map(|k| (k as f32 - 1.0, tensors[k].as_slice())).collect();
            let mut x: Vec<f32> = (0..37).map(|i| i as f32).collect();
            combine(&mut x, 0.5, &terms);
            for (i, value) in x.iter().enumerate() {
                let expected = 0.5 * i as f32 + terms.iter().map(|(c, h)| c * h[i]).sum::<f32>();
                assert_eq!(*value, expected, "{count} terms, element {i}");
            }
        }
    }

    #[test]
    fn what_is_kept_is_of_before_the_update_and_the_update_sees_what_was_held() {
        let values = |k: usize| (0..3000).map(|i| ((i * 7 + k * 13) % 101) as f32 * 0.25).collect::<Vec<f32>>();
        let (mut x, mut held, a, b) = (values(0), values(1), values(2), values(3));
        let (x_before, held_before) = (x.clone(), held.clone());
        let kept = Kept { held: &mut held, before: 3.0, x: -1.0, terms: [(2.0, &a), (0.0, &[])] };
        combine_and_keep(&mut x, 0.5, &[(4.0, &a), (0.0, &[f32::NAN]), (-2.0, &b)], kept);
        for i in 0..3000 {
            assert_eq!(x[i], 0.5 * x_before[i] + 4.0 * a[i] - 2.0 * b[i] + 3.0 * held_before[i]);
            assert_eq!(held[i], 2.0 * a[i] - x_before[i]);
        }
    }

    #[test]
    fn a_term_with_coefficient_zero_is_not_read() {
        let mut x = [1.0, 2.0];
        combine(&mut x, 1.0, &[(0.0, &[f32::NAN, f32::INFINITY])]);
        assert_eq!(x, [1.0, 2.0]);
    }

    #[test]
    fn finds_the_first_value_that_is_not_finite() {
        let mut values = vec![f32::MAX; 100];
        assert_eq!(first_not_finite(&values), None);
        values[71] = f32::NEG_INFINITY;
        assert_eq!(first_not_finite(&values), Some(71));
        values[13] = f32::NAN;
        assert_eq!(first_not_finite(&values), Some(13));
    }
}
