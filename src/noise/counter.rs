//! Noise that is a function of (seed, item, step, stage).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::source::{Draw, NoiseSource};

/// Noise as a function of (seed, draw) alone. The generator is ChaCha with 8 rounds, keyed by both, with the ziggurat
/// of [`StandardNormal`].
///
/// Item `i` of a batch has the seed `seed + i`, which wraps, or one of its own. So a batch of eight with seed 40 holds
/// what eight runs of one give with seeds 40 to 47. Any picture of a sheet can be generated again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterNoise {
    seed: u64,
}

impl CounterNoise {
    /// The source whose item 0 has the seed `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    fn generator(self, item: u64, draw: Draw) -> ChaCha8Rng {
        let (kind, step, stage) = match draw {
            Draw::Start => (0u8, 0, 0),
            Draw::Step { step, stage } => (1, step, stage),
            Draw::Latents { which } => (2, which, 0),
        };
        let mut key = [0; 32];
        key[0..8].copy_from_slice(&self.seed.wrapping_add(item).to_le_bytes());
        key[8..12].copy_from_slice(&step.to_le_bytes());
        key[12..16].copy_from_slice(&stage.to_le_bytes());
        key[16] = kind;
        // Keeps this generator's streams apart from those of other users of ChaCha with small seeds.
        key[24..31].copy_from_slice(b"diffuse");
        ChaCha8Rng::from_seed(key)
    }
}

impl NoiseSource for CounterNoise {
    fn kind(&self) -> &'static str {
        "counter"
    }

    fn fill(&mut self, draw: Draw, item_length: usize, out: &mut [f32]) {
        for (item, values) in out.chunks_mut(item_length.max(1)).enumerate() {
            let mut generator = self.generator(item as u64, draw);
            values.fill_with(|| StandardNormal.sample(&mut generator));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAW: Draw = Draw::Step { step: 3, stage: 0 };

    fn draw(seed: u64, draw: Draw, items: usize) -> Vec<f32> {
        let mut out = vec![0.0; items * 1000];
        CounterNoise::new(seed).fill(draw, 1000, &mut out);
        out
    }

    #[test]
    fn an_item_of_a_batch_is_a_run_with_its_own_seed() {
        let batch = draw(u64::MAX - 1, DRAW, 4);
        for item in 0..4 {
            let alone = draw((u64::MAX - 1).wrapping_add(item), DRAW, 1);
            assert_eq!(batch[item as usize * 1000..][..1000], alone);
        }
    }

    #[test]
    fn draws_do_not_depend_on_their_order_and_differ_from_each_other() {
        let mut source = CounterNoise::new(7);
        let mut late = vec![0.0; 1000];
        source.fill(Draw::Start, 1000, &mut late);
        source.fill(DRAW, 1000, &mut late);
        assert_eq!(late, draw(7, DRAW, 1));
        let others = [
            draw(7, Draw::Start, 1),
            draw(7, Draw::Step { step: 4, stage: 0 }, 1),
            draw(7, Draw::Step { step: 3, stage: 1 }, 1),
            draw(8, DRAW, 1),
        ];
        for other in others {
            let product: f64 = late.iter().zip(&other).map(|(a, b)| f64::from(a * b)).sum::<f64>() / 1000.0;
            assert!(product.abs() < 4.0 / 1000f64.sqrt(), "correlation {product}");
        }
    }

    #[test]
    fn moments_are_those_of_the_standard_normal() {
        let n = 200_000;
        let mut values = vec![0.0; n];
        CounterNoise::new(1).fill(Draw::Start, n, &mut values);
        let moment = |k: i32| values.iter().map(|v| f64::from(*v).powi(k)).sum::<f64>() / n as f64;
        // (moment, its value, its variance for one value)
        for (k, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let error = moment(k) - expected;
            assert!(error.abs() < 4.0 * f64::sqrt(variance / n as f64), "moment {k} is off by {error}");
        }
    }

    /// A saved seed must give the same picture in the next version too.
    #[test]
    fn values_are_those_of_the_first_release() {
        let first: Vec<f32> = draw(42, Draw::Start, 1)[..4].to_vec();
        assert_eq!(first, [-0.015108057, -0.58915126, -1.7939606, -0.18399422]);
    }
}
