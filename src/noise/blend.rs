//! Noise between seeds: interpolations and variations of the noise that a run starts from.

use super::counter::CounterNoise;
use super::source::{Draw, NoiseSource};

/// The point between `a` and `b` on the great circle through both, `share` of the way from `a`. It is `a` itself at 0,
/// and `b` at 1. `a` and `b` must have the same length.
///
/// A point on the circle has the norm that noise has. A point on the straight line between them does not. Sources:
/// Shoemake 1985, "Animating Rotation with Quaternion Curves"; Song et al. 2020, arXiv:2010.02502, eq. 67.
#[must_use]
pub fn slerp(a: &[f32], b: &[f32], share: f64) -> Vec<f32> {
    if share <= 0.0 {
        return a.to_vec();
    }
    if share >= 1.0 {
        return b.to_vec();
    }
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    let angle = cosine.clamp(-1.0, 1.0).acos();
    // There is no circle through vectors along one line. At an angle of zero the two are the same.
    let [of_a, of_b] = if angle.sin() > 1e-6 {
        [(1.0 - share) * angle, share * angle].map(|part| part.sin() / angle.sin())
    } else {
        [1.0 - share, share]
    };
    a.iter().zip(b).map(|(a, b)| (of_a * f64::from(*a) + of_b * f64::from(*b)) as f32).collect()
}

/// Noise for a batch that starts between two seeds. Every item uses the first seed for the noise drawn on the way, so
/// the items differ only in where they start.
#[derive(Debug, Clone, PartialEq)]
pub struct BlendedNoise {
    seed: u64,
    toward: Vec<(u64, f64)>,
}

impl BlendedNoise {
    /// Starts item `i` the share `toward[i].1` of the way from the noise of `seed` to that of `toward[i].0`. Further
    /// items start from `seed`.
    #[must_use]
    pub fn new(seed: u64, toward: Vec<(u64, f64)>) -> Self {
        Self { seed, toward }
    }

    /// `count` items at even shares from `seed`, the first, to `other`, the last.
    #[must_use]
    pub fn between(seed: u64, other: u64, count: usize) -> Self {
        let last = count.saturating_sub(1).max(1) as f64;
        Self::new(seed, (0..count).map(|item| (other, item as f64 / last)).collect())
    }

    /// `count` variations of `seed`. Item `i` starts the share `strength` of the way to the seed `other + i`, which
    /// wraps.
    #[must_use]
    pub fn variations(seed: u64, other: u64, strength: f64, count: usize) -> Self {
        Self::new(seed, (0..count).map(|item| (other.wrapping_add(item as u64), strength)).collect())
    }
}

impl NoiseSource for BlendedNoise {
    fn kind(&self) -> &'static str {
        "blended"
    }

    fn fill(&mut self, draw: Draw, item_length: usize, out: &mut [f32]) {
        let length = item_length.max(1);
        let mut own = vec![0.0; length];
        CounterNoise::new(self.seed).fill(draw, length, &mut own);
        let mut other = vec![0.0; length];
        for (item, values) in out.chunks_mut(length).enumerate() {
            match self.toward.get(item).filter(|_| draw == Draw::Start) {
                Some(&(seed, share)) if share > 0.0 => {
                    CounterNoise::new(seed).fill(draw, length, &mut other);
                    values.copy_from_slice(&slerp(&own, &other, share)[..values.len()]);
                }
                _ => values.copy_from_slice(&own[..values.len()]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(mut source: impl NoiseSource, draw: Draw, count: usize) -> Vec<Vec<f32>> {
        let mut out = vec![0.0; count * 4096];
        source.fill(draw, 4096, &mut out);
        out.chunks(4096).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn the_ends_are_the_seeds_and_the_way_keeps_the_length() {
        let items = drawn(BlendedNoise::between(3, 9, 5), Draw::Start, 5);
        assert_eq!(items[0], drawn(CounterNoise::new(3), Draw::Start, 1)[0]);
        assert_eq!(items[4], drawn(CounterNoise::new(9), Draw::Start, 1)[0]);
        for item in &items {
            let variance = item.iter().map(|z| f64::from(*z).powi(2)).sum::<f64>() / 4096.0;
            assert!((variance - 1.0).abs() < 0.06, "{variance}");
        }
        // The angles are equal, up to the difference of the two lengths.
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let cosine = |a: &[f32], b: &[f32]| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
        assert!((cosine(&items[0], &items[1]) - cosine(&items[3], &items[4])).abs() < 1e-2);
        assert!((cosine(&items[0], &items[2]) - cosine(&items[2], &items[4])).abs() < 2e-2);
    }

    #[test]
    fn what_is_drawn_on_the_way_is_the_same_for_all() {
        let draw = Draw::Step { step: 4, stage: 0 };
        let items = drawn(BlendedNoise::variations(3, 100, 0.2, 3), draw, 3);
        assert!(items.iter().all(|item| *item == drawn(CounterNoise::new(3), draw, 1)[0]));
        let starts = drawn(BlendedNoise::variations(3, 100, 0.2, 3), Draw::Start, 3);
        assert!(starts[0] != starts[1] && starts[1] != starts[2]);
        // Opposite vectors have no circle between them.
        assert_eq!(slerp(&[1.0, -2.0], &[-1.0, 2.0], 0.5), [0.0, 0.0]);
    }
}
