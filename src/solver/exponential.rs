//! Integrals of interpolating polynomials with an exponential weight, which exponential integrators are made of.

/// The coefficients, lowest first, of the polynomial in v that is 1 at `nodes[j]` and 0 at the other nodes, with v counted from `origin`.
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

/// `∫ e^(rate·(v − to))·ℓ(v) dv` from `from` to `to`, where ℓ is 1 at `nodes[j]` and 0 at the others. With a positive rate `from` may be −∞.
pub(super) fn weighted_integral(nodes: &[f64], j: usize, from: f64, to: f64, rate: f64) -> f64 {
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

/// `∫ ℓ(v) dv` from `from` to `to`, as [`weighted_integral`] without the weight.
pub(super) fn integral(nodes: &[f64], j: usize, from: f64, to: f64) -> f64 {
    let (coefficients, length) = (lagrange(nodes, j, from), to - from);
    coefficients.iter().enumerate().rev().fold(0.0, |sum, (power, c)| sum * length + c / (power + 1) as f64) * length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simpson's rule, finely divided.
    fn numeric(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
        let h = (to - from) / 2000.0;
        (0..=2000)
            .map(|i| f(from + h * f64::from(i)) * if i == 0 || i == 2000 { 1.0 } else { 2.0 + 2.0 * f64::from(i % 2) })
            .sum::<f64>()
            * h
            / 3.0
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
