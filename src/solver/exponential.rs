//! Integrals of interpolating polynomials with an exponential weight, which exponential integrators need.

/// The coefficients, lowest first, of the polynomial in v that is 1 at `nodes[j]` and 0 at the other nodes. v is
/// counted from `origin`.
pub(super) fn lagrange(nodes: &[f64], j: usize, origin: f64) -> Vec<f64> {
    // Π (v − c)/(n_j − c)
    let mut coefficients = vec![1.0];
    for (_, node) in nodes.iter().enumerate().filter(|(k, _)| *k != j) {
        let (root, width) = (node - origin, nodes[j] - node);
        let mut next = vec![0.0; coefficients.len() + 1];
        for (power, coefficient) in coefficients.iter().enumerate() {
            next[power] -= root * coefficient / width;
            next[power + 1] += coefficient / width;
        }
        coefficients = next;
    }
    coefficients
}

/// `∫ e^(rate·(v − to))·ℓ(v) dv` from `from` to `to`, where ℓ is 1 at `nodes[j]` and 0 at the others. With a positive
/// rate `from` may be −∞.
pub(super) fn weighted_integral(nodes: &[f64], j: usize, from: f64, to: f64, rate: f64) -> f64 {
    let length = to - from;
    if (rate * length).abs() < 1.0 {
        // The primitive below would cancel. Over so short a range Gauss–Legendre quadrature is exact to the last
        // digits.
        return GAUSS
            .iter()
            .map(|(place, weight)| {
                let v = from + 0.5 * length * (1.0 + place);
                let polynomial: f64 =
                    (0..nodes.len()).filter(|k| *k != j).map(|k| (v - nodes[k]) / (nodes[j] - nodes[k])).product();
                0.5 * length * weight * (rate * (v - to)).exp() * polynomial
            })
            .sum();
    }
    // e^(rate·v)·(ℓ/rate − ℓ′/rate² + ℓ″/rate³ − …) is the primitive.
    let mut derivative = lagrange(nodes, j, to);
    let mut primitive = vec![0.0; derivative.len()];
    let mut factor = rate.recip();
    while !derivative.is_empty() {
        primitive.iter_mut().zip(&derivative).for_each(|(sum, coefficient)| *sum += factor * coefficient);
        derivative = derivative.iter().enumerate().skip(1).map(|(power, c)| power as f64 * c).collect();
        factor /= -rate;
    }
    let at = |v: f64| primitive.iter().rev().fold(0.0, |sum, coefficient| sum * v + coefficient);
    let weight = (rate * (from - to)).exp();
    at(0.0) - if weight == 0.0 { 0.0 } else { weight * at(from - to) }
}

/// The eight nodes of the rule within −1 to 1, and their weights.
const GAUSS: [(f64, f64); 8] = [
    (-0.960_289_856_497_536_2, 0.101_228_536_290_376_26),
    (-0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (-0.525_532_409_916_329, 0.313_706_645_877_887_27),
    (-0.183_434_642_495_649_8, 0.362_683_783_378_361_96),
    (0.183_434_642_495_649_8, 0.362_683_783_378_361_96),
    (0.525_532_409_916_329, 0.313_706_645_877_887_27),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_2, 0.101_228_536_290_376_26),
];

/// `z·φ_k(z)` with `φ_k(z) = Σ zⁿ/(n + k)!` for k ≥ 1: `e^z − 1`, then `φ_{k+1} = (φ_k − 1/k!)/z`. z may be −∞.
pub(super) fn scaled_phi(k: usize, z: f64) -> f64 {
    let factorial = |k: usize| (1..=k).map(|i| i as f64).product::<f64>();
    if z.abs() < 1.0 {
        // This is for where the recursion would cancel.
        let mut term = z / factorial(k);
        let mut sum = term;
        for n in 1..24 {
            term *= z / (n + k) as f64;
            sum += term;
        }
        return sum;
    }
    if z == f64::NEG_INFINITY {
        return -factorial(k - 1).recip();
    }
    (1..k).fold(z.exp_m1(), |value, k| value / z - factorial(k).recip())
}

/// `∫ ℓ(v) dv` from `from` to `to`, as [`weighted_integral`] without the weight.
pub(super) fn integral(nodes: &[f64], j: usize, from: f64, to: f64) -> f64 {
    let (coefficients, length) = (lagrange(nodes, j, from), to - from);
    coefficients.iter().enumerate().rev().fold(0.0, |sum, (power, c)| sum * length + c / (power + 1) as f64) * length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simpson's rule with many intervals.
    fn numeric(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
        let h = (to - from) / 2000.0;
        (0..=2000)
            .map(|i| f(from + h * f64::from(i)) * if i == 0 || i == 2000 { 1.0 } else { 2.0 + 2.0 * f64::from(i % 2) })
            .sum::<f64>()
            * h
            / 3.0
    }

    #[test]
    fn short_steps_do_not_cancel() {
        for length in [1e-1, 1e-3, 1e-5, 1e-8] {
            // For equal steps and a vanishing rate the weights are those of Adams and Bashforth.
            let nodes = [0.0, -length, -2.0 * length];
            for (j, expected) in [23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0].into_iter().enumerate() {
                let found = weighted_integral(&nodes, j, 0.0, length, 1.0) / length;
                assert!((found - expected).abs() < 2.0 * length + 1e-12, "{length}: {found} for {expected}");
            }
            for k in 1..=4 {
                let factorial = [1.0, 2.0, 6.0, 24.0][k - 1];
                let found = scaled_phi(k, length) / length * factorial;
                assert!((found - 1.0).abs() < length + 1e-12, "φ_{k}({length}): {found}");
            }
        }
        // Both ways of computing agree where they meet.
        for k in 1..=4 {
            for z in [-1.0, 1.0f64] {
                let (near, beyond) = (scaled_phi(k, z * (1.0 - 1e-12)), scaled_phi(k, z));
                assert!((near - beyond).abs() < 1e-10, "φ_{k}({z}): {near} and {beyond}");
            }
            assert!((scaled_phi(k, -1e9) - scaled_phi(k, f64::NEG_INFINITY)).abs() < 1e-8);
        }
    }

    #[test]
    fn the_integrals_are_those_of_a_numeric_rule() {
        let nodes = [0.7, 0.2, -0.5, -1.1];
        for count in 1..=4 {
            for j in 0..count {
                let polynomial = |v: f64| {
                    (0..count).filter(|k| *k != j).map(|k| (v - nodes[k]) / (nodes[j] - nodes[k])).product::<f64>()
                };
                for rate in [1.0, 2.5, -1.0] {
                    let expected = numeric(|v| (rate * (v - 1.3)).exp() * polynomial(v), 0.7, 1.3);
                    assert!((weighted_integral(&nodes[..count], j, 0.7, 1.3, rate) - expected).abs() < 1e-10);
                }
                assert!((integral(&nodes[..count], j, 0.7, 1.3) - numeric(polynomial, 0.7, 1.3)).abs() < 1e-10);
            }
        }
    }
}
