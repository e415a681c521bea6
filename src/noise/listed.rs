//! Noise of items whose seeds are listed.

use super::counter::CounterNoise;
use super::source::{Draw, NoiseSource};

/// [`CounterNoise`] with a seed for each item. A batch gives what runs of one item with these seeds give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedNoise {
    seeds: Vec<u64>,
}

impl ListedNoise {
    /// The source whose item `i` has the seed `seeds[i]`. Further items have the seed 0.
    #[must_use]
    pub fn new(seeds: Vec<u64>) -> Self {
        Self { seeds }
    }
}

impl NoiseSource for ListedNoise {
    fn kind(&self) -> &'static str {
        "listed"
    }

    fn fill(&mut self, draw: Draw, item_length: usize, out: &mut [f32]) {
        for (item, values) in out.chunks_mut(item_length.max(1)).enumerate() {
            let seed = self.seeds.get(item).copied().unwrap_or(0);
            CounterNoise::new(seed).fill(draw, item_length, values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_that_of_a_run_with_its_seed() {
        let mut batch = [0.0; 30];
        ListedNoise::new(vec![9, 2, 7]).fill(Draw::Start, 10, &mut batch);
        for (item, seed) in [9, 2, 7].into_iter().enumerate() {
            let mut alone = [0.0; 10];
            CounterNoise::new(seed).fill(Draw::Start, 10, &mut alone);
            assert_eq!(batch[item * 10..][..10], alone);
        }
    }
}
