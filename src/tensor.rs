//! The passes over memory: the fused update, and the search for values that are not numbers.

/// One term of a linear combination: a coefficient and the tensor that it scales.
pub type Term<'a> = (f32, &'a [f32]);

/// `x ← scale·x + Σ coefficient·tensor`, in one pass over memory.
///
/// Terms whose coefficient is 0 are not read. The sum is taken in the order of `terms`, element by element, so the
/// result does not depend on how the tensors are batched.
///
/// # Panics
/// If a term has another length than `x`; the callers in this crate own all of the buffers.
pub fn combine(x: &mut [f32], scale: f32, terms: &[Term<'_>]) {
    const MOST: usize = 4;
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
    match used {
        0 if scale == 1.0 => {}
        0 => fused(x, scale, [], []),
        1 => fused(x, scale, [coefficients[0]], [tensors[0]]),
        2 => fused(x, scale, [coefficients[0], coefficients[1]], [tensors[0], tensors[1]]),
        3 => {
            let [c0, c1, c2, _] = coefficients;
            let [h0, h1, h2, _] = tensors;
            fused(x, scale, [c0, c1, c2], [h0, h1, h2]);
        }
        _ => fused(x, scale, coefficients, tensors),
    }
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

/// Where the first NaN or infinity is, if there is one.
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
