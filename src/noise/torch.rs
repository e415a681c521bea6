//! torch's CPU generator. The same seed gives the bits that `torch.randn` gives in f32 on x86-64 with AVX2. On other
//! CPUs torch calls another log and cosine, and its own last digit differs.
//!
//! The generator is MT19937 (Matsumoto & Nishimura 1998). torch has two ways from it to a normal value: Box–Muller in
//! f64 for fewer than 16 values, and in f32, eight pairs at a time, for more. The latter has the Cephes polynomials for
//! log, sin and cos, with a fused multiply-add at every step. With any other order or library the values agree to 5e-7
//! only.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use rand_mt::Mt;

use super::source::{Draw, NoiseSource};
use crate::bytes::{Reader, Writer};
use crate::error::{Error, Result};

/// The number of outputs of MT19937 that determine its state.
const STATE: usize = 624;

/// Noise as `torch.randn` draws it on the CPU, in the order of diffusers' pipelines: first the start, then every step
/// that adds noise.
///
/// Unlike [`CounterNoise`](super::CounterNoise) it is a stream, so a draw depends on those before it. A batch is drawn
/// as one tensor, so its items are not those of single runs. [`per_item`](Self::per_item) has a stream for every item,
/// as diffusers has with a list of generators.
#[derive(Debug, Clone)]
pub struct TorchNoise {
    seed: u64,
    /// One generator for the whole batch, or one for each item.
    generators: Vec<Generator>,
    per_item: bool,
}

impl TorchNoise {
    /// One generator for the whole batch: `torch.Generator().manual_seed(seed)`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, generators: vec![Generator::new(seed)], per_item: false }
    }

    /// A generator for every item, with the seeds `seed`, `seed + 1`, …, which wrap. This is a list of generators in
    /// diffusers.
    #[must_use]
    pub fn per_item(seed: u64) -> Self {
        Self { seed, generators: Vec::new(), per_item: true }
    }

    /// A generator for every item, with these seeds.
    #[must_use]
    pub fn listed(seeds: &[u64]) -> Self {
        let generators = seeds.iter().map(|seed| Generator::new(*seed)).collect();
        Self { seed: 0, generators, per_item: true }
    }
}

impl NoiseSource for TorchNoise {
    fn is_stream(&self) -> bool {
        true
    }

    fn kind(&self) -> &'static str {
        if self.per_item { "torch-per-item" } else { "torch" }
    }

    fn fill(&mut self, _draw: Draw, item_length: usize, out: &mut [f32]) {
        if !self.per_item {
            self.generators[0].randn(out);
            return;
        }
        let items = out.chunks_mut(item_length.max(1));
        for item in self.generators.len()..items.len() {
            self.generators.push(Generator::new(self.seed.wrapping_add(item as u64)));
        }
        self.generators.iter_mut().zip(items).for_each(|(generator, item)| generator.randn(item));
    }

    fn save(&self, to: &mut Writer) {
        to.whole(self.generators.len() as u64);
        self.generators.iter().for_each(|generator| generator.save(to));
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        // The start of the run has been drawn, so no more generators will be added.
        let count = self.generators.len() as u64;
        if from.whole("generators", count)? != count {
            return Err(Error::argument("snapshot", format!("it is of another number of generators than {count}")));
        }
        self.generators.iter_mut().try_for_each(|generator| generator.load(from))
    }
}

/// `torch.Generator` on the CPU.
#[derive(Debug, Clone)]
struct Generator {
    bits: Mt,
    /// Outputs that come before those of `bits`. There are some after a snapshot was restored, which holds the outputs
    /// that determine a state.
    ahead: VecDeque<u32>,
    /// The second value of the last pair that was drawn in f64, for the next draw of fewer than 16. Larger draws leave
    /// it.
    spare: Option<f64>,
}

impl Generator {
    /// A generator with this seed, of which only the low 32 bits count.
    fn new(seed: u64) -> Self {
        Self { bits: Mt::new(seed as u32), ahead: VecDeque::new(), spare: None }
    }

    fn next_u32(&mut self) -> u32 {
        self.ahead.pop_front().unwrap_or_else(|| self.bits.next_u32())
    }

    fn save(&self, to: &mut Writer) {
        let mut later = self.clone();
        (0..STATE).for_each(|_| to.bytes(&later.next_u32().to_le_bytes()));
        to.whole(u64::from(self.spare.is_some()));
        to.real(self.spare.unwrap_or_default());
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let (words, _) = from.bytes(4 * STATE)?.as_chunks::<4>();
        let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        self.bits = Mt::recover(words.iter().copied())
            .map_err(|_| Error::argument("snapshot", "its noise is of no generator"))?;
        self.ahead = words.into();
        let has_spare = from.whole("the spare noise", 1)? == 1;
        self.spare = Some(from.real("the spare noise")?).filter(|_| has_spare);
        Ok(())
    }

    /// A value uniform in [0, 1) with 24 bits.
    fn uniform_f32(&mut self) -> f32 {
        (self.next_u32() & 0x00ff_ffff) as f32 * (1.0 / 16_777_216.0)
    }

    /// A value uniform in [0, 1) with 53 bits, from two draws, the high word first.
    fn uniform_f64(&mut self) -> f64 {
        let high = u64::from(self.next_u32());
        let bits = high << 32 | u64::from(self.next_u32());
        (bits & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
    }

    /// `torch.randn(out.len())`. Only the number of values matters, not their shape.
    fn randn(&mut self, out: &mut [f32]) {
        const BLOCK: usize = 16;
        if out.len() < BLOCK {
            out.fill_with(|| self.normal() as f32);
            return;
        }
        out.fill_with(|| self.uniform_f32());
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        blocks.iter_mut().for_each(box_muller);
        if !rest.is_empty() {
            let mut last = [0.0; BLOCK];
            last.fill_with(|| self.uniform_f32());
            box_muller(&mut last);
            let from = out.len() - BLOCK;
            out[from..].copy_from_slice(&last);
        }
    }

    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (u1, u2) = (self.uniform_f64(), self.uniform_f64());
        let radius = (-2.0 * (-u2).ln_1p()).sqrt();
        let angle = TAU * u1;
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }
}

/// Eight pairs of uniform values become eight pairs of normal ones.
fn box_muller(block: &mut [f32; 16]) {
    for pair in 0..8 {
        let (u1, u2) = (1.0 - block[pair], block[pair + 8]);
        let radius = (-2.0 * ln(u1)).sqrt();
        let (sin, cos) = sin_cos(std::f32::consts::TAU * u2);
        block[pair] = radius * cos;
        block[pair + 8] = radius * sin;
    }
}

/// Horner's scheme with a fused multiply-add at every step.
fn polynomial(x: f32, coefficients: &[f32]) -> f32 {
    coefficients.iter().copied().reduce(|sum, coefficient| sum.mul_add(x, coefficient)).unwrap_or_default()
}

/// The natural logarithm of a positive, normal number (Moshier's Cephes, `logf`).
fn ln(x: f32) -> f32 {
    const P: [f32; 9] = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_87e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_4e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    let bits = x.to_bits();
    // x = mantissa·2^exponent with the mantissa in [½, 1).
    let mantissa = f32::from_bits(bits & 0x007f_ffff | 0x3f00_0000);
    let exponent = (bits >> 23) as i32 - 126;
    let (x, exponent) = if mantissa < std::f32::consts::FRAC_1_SQRT_2 {
        (mantissa - 1.0 + mantissa, exponent - 1)
    } else {
        (mantissa - 1.0, exponent)
    };
    let (z, exponent) = (x * x, exponent as f32);
    // ln 2 in two parts, of which the first has few enough bits to be exact times any exponent.
    let y = (polynomial(x, &P) * x).mul_add(z, exponent * -2.121_944_4e-4);
    let y = y - 0.5 * z;
    x + y + exponent * 0.693_359_4
}

/// Sine and cosine of an angle from 0 to 2π (Moshier's Cephes, `sinf` and `cosf`).
fn sin_cos(x: f32) -> (f32, f32) {
    const SIN: [f32; 3] = [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1];
    const COS: [f32; 3] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2];
    // The octant, rounded up to even, so that what is left is within ±π/4.
    let octant = ((x * std::f32::consts::FRAC_2_PI * 2.0) as u32 + 1) & !1;
    let y = octant as f32;
    let x = y.mul_add(-0.785_156_25, x);
    let x = y.mul_add(-2.418_756_5e-4, x);
    let x = y.mul_add(-3.774_895e-8, x);
    let z = x * x;
    let cos = (polynomial(z, &COS) * z).mul_add(z, -0.5 * z) + 1.0;
    let sin = (polynomial(z, &SIN) * z).mul_add(x, x);
    let (sin, cos) = if octant & 2 == 0 { (sin, cos) } else { (cos, sin) };
    // Quadrants: the sine is negative in the lower half, the cosine in the left one.
    let negative = |condition: bool, value: f32| if condition { -value } else { value };
    (negative(octant & 4 != 0, sin), negative((octant + 2) & 4 != 0, cos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn randn(seed: u64, n: usize) -> Vec<f32> {
        let mut out = vec![0.0; n];
        Generator::new(seed).randn(&mut out);
        out
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn large_draws_are_torchs_bits() {
        assert_eq!(
            bits(&randn(42, 16384)[..8]),
            [0x3ff6a529, 0x3fbe5f53, 0x3f669567, 0xc006c0db, 0x3f2dacd5, 0xbf9e0591, 0xbd306786, 0xbfcd65ba]
        );
        // 17 is no multiple of 16, so the last sixteen are drawn afresh.
        assert_eq!(
            bits(&randn(0, 17)[..8]),
            [0xbf901b85, 0xbfd91446, 0x3f111004, 0x3f4b235d, 0x3f194d8b, 0xbfc70d5b, 0xbeaec6ca, 0x3fed2f4e]
        );
    }

    #[test]
    fn small_draws_keep_their_second_value() {
        let three = randn(42, 3);
        for (value, expected) in three.iter().zip([0.336_690_4, 0.128_809_4, 0.234_462_4]) {
            assert!((value - expected).abs() < 1e-6);
        }
        let mut generator = Generator::new(42);
        let mut one = [0.0];
        let mut large = [0.0; 16];
        generator.randn(&mut one);
        generator.randn(&mut large);
        generator.randn(&mut one);
        assert_eq!(one[0], three[1], "the kept value survives a large draw");
    }
}
