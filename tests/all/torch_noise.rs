//! Noise beside torch's CPU generator, bit for bit. `onnx/goldens.py randn` asked torch.

use diffuse::noise::{Draw, NoiseSource, TorchNoise};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Goldens {
    sequences: Vec<Sequence>,
    digests: Vec<LongDraw>,
}

/// Calls one after the other, and the bits of all that they gave.
#[derive(Deserialize)]
struct Sequence {
    seed: u64,
    calls: Vec<usize>,
    bits: Vec<String>,
}

/// One long call, by the SHA-256 of its bytes.
#[derive(Deserialize)]
struct LongDraw {
    seed: String,
    n: usize,
    sha256: String,
}

fn draw(source: &mut TorchNoise, n: usize) -> Vec<f32> {
    let mut out = vec![0.0; n];
    source.fill(Draw::Start, n, &mut out);
    out
}

fn goldens() -> Goldens {
    let path = crate::support::repository("onnx/goldens/randn.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_call_gives_torchs_bits() {
    let goldens = goldens();
    assert!(goldens.sequences.len() > 70 && goldens.digests.len() == 18);
    for Sequence { seed, calls, bits } in goldens.sequences {
        let mut source = TorchNoise::new(seed);
        let drawn: Vec<String> =
            calls.iter().flat_map(|&n| draw(&mut source, n)).map(|value| format!("{:08x}", value.to_bits())).collect();
        assert_eq!(drawn, bits, "seed {seed}, calls {calls:?}");
    }
    for LongDraw { seed, n, sha256 } in goldens.digests {
        let values = draw(&mut TorchNoise::new(seed.parse().unwrap()), n);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, sha256, "seed {seed}, {n} values");
    }
}

#[test]
fn a_generator_per_item_is_a_list_of_generators() {
    let mut batch = vec![0.0; 3 * 100];
    let mut source = TorchNoise::per_item(u64::MAX);
    source.fill(Draw::Start, 100, &mut batch);
    source.fill(Draw::Step { step: 0, stage: 0 }, 100, &mut batch);
    for (item, seed) in [u64::MAX, 0, 1].into_iter().enumerate() {
        let mut alone = TorchNoise::new(seed);
        draw(&mut alone, 100);
        assert_eq!(batch[item * 100..][..100], draw(&mut alone, 100));
    }
}
