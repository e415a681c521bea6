//! The passes over memory beside a plain copy, on buffers that no cache holds.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use diffuse::noise::{CounterNoise, Draw, NoiseSource};
use diffuse::tensor::{combine, first_not_finite};
use std::hint::black_box;

/// 64 MiB each.
const LENGTH: usize = 1 << 24;

/// Bytes read and written count alike, for `combine` and for the copy.
fn memory(c: &mut Criterion) {
    let tensors: Vec<Vec<f32>> = (0..3).map(|k| vec![k as f32; LENGTH]).collect();
    let mut x = vec![1.0f32; LENGTH];
    let mut group = c.benchmark_group("memory");
    group.sample_size(20);

    group.throughput(Throughput::Bytes(2 * 4 * LENGTH as u64));
    group.bench_function("copy_from_slice", |b| b.iter(|| x.copy_from_slice(black_box(&tensors[0]))));
    for terms in 1..=3u64 {
        group.throughput(Throughput::Bytes((2 + terms) * 4 * LENGTH as u64));
        let list: Vec<(f32, &[f32])> =
            tensors[..terms as usize].iter().map(|tensor| (0.1, tensor.as_slice())).collect();
        group.bench_function(format!("combine, {terms} terms"), |b| {
            b.iter(|| combine(&mut x, black_box(0.9), black_box(&list)))
        });
    }
    group.throughput(Throughput::Bytes(4 * LENGTH as u64));
    group.bench_function("first_not_finite", |b| b.iter(|| first_not_finite(black_box(&x))));
    group.finish();
}

fn noise(c: &mut Criterion) {
    let mut values = vec![0.0; 3 * 64 * 64];
    let mut group = c.benchmark_group("noise, 3×64×64");
    group.throughput(Throughput::Elements(values.len() as u64));
    let mut source = CounterNoise::new(1);
    group.bench_function("counter", |b| {
        b.iter(|| source.fill(Draw::Step { step: 1, stage: 0 }, black_box(3 * 64 * 64), &mut values));
    });
    group.finish();
}

criterion_group!(benches, memory, noise);
criterion_main!(benches);
