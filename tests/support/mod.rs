//! Shared by the tests: golden files, denoisers without a network, and noise without a generator.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod bindings;
#[cfg(feature = "cli")]
pub(crate) mod cli;
pub(crate) mod graph;
pub(crate) mod mixture;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use diffuse::Result;
use diffuse::denoiser::{Denoised, Denoiser, Query};
use diffuse::noise::{Draw, NoiseSource};
use diffuse::schedule::Flow;
use diffuse::{Model, ModelOptions, Prediction, Request, Runtime};
use ndarray::ArrayD;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// How often a test tries its moments: `usual` times, and `DIFFUSE_ENDINGS` times where that is set.
pub(crate) fn endings(usual: u32) -> u32 {
    std::env::var("DIFFUSE_ENDINGS").map_or(usual, |times| times.parse().unwrap())
}

/// Runs a test in a process of its own, because of what it does to its process or reads of it. Returns true in that
/// process alone. `test` is its name, with that of its file.
pub(crate) fn alone(test: &str) -> bool {
    const ALONE: &str = "DIFFUSE_TEST_ALONE";
    if std::env::var(ALONE).is_ok_and(|name| name == test) {
        return true;
    }
    let mut process = std::process::Command::new(std::env::current_exe().unwrap());
    let output = process.args(["--exact", test, "--nocapture"]).env(ALONE, test).output().unwrap();
    let [said, wrong] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    print!("{said}");
    assert!(output.status.success(), "{wrong}");
    assert!(said.contains("1 passed"), "there is no test {test}");
    false
}

/// A path within the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a file of the repository with what it should be, or writes it if `DIFFUSE_BLESS` is set, which
/// `tests/bless` does.
pub(crate) fn agree(path: &str, expected: &str) {
    let file = repository(path);
    if std::env::var_os("DIFFUSE_BLESS").is_some() {
        std::fs::write(&file, expected).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let first = written.lines().zip(expected.lines()).position(|(a, b)| a != b);
    assert!(
        written == expected,
        "{path} is stale (line {}); run tests/bless, which writes it",
        first.unwrap_or_else(|| written.lines().count().min(expected.lines().count())) + 1
    );
}

/// The folder of the libraries that cargo built for this very test.
pub(crate) fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// A pipeline of onnx/pipelines.
pub(crate) fn pipeline(name: &str) -> Arc<Model> {
    let path = repository("onnx/pipelines").join(name);
    Arc::new(Model::open(&Runtime::open(None).unwrap(), &path, &ModelOptions::default()).unwrap())
}

/// A pipeline of onnx/pipelines, from the bytes of its files.
pub(crate) fn pipeline_of_bytes(name: &str) -> Arc<Model> {
    let root = repository("onnx/pipelines").join(name);
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                files.insert(name, std::fs::read(&path).unwrap().into());
            }
        }
    }
    Arc::new(Model::from_parts(&Runtime::open(None).unwrap(), files, &ModelOptions::default()).unwrap())
}

/// What tests/c/draw.c draws: the samples of a heart and of no class.
pub(crate) fn heart_and_none() -> ArrayD<f32> {
    let model = model("onnx/models/sprites.onnx");
    let classes = Some(vec![model.class("heart").unwrap(), model.class("none").unwrap()]);
    let request = Request { seed: 7, count: 2, classes, ..Request::default() };
    let request = request.with("solver", "ddim").unwrap().with("eta", 0.5).unwrap().with("steps", 6).unwrap();
    request.job(&model).unwrap().run().unwrap()
}

/// A file of golden tensors, their numbers converted to f32.
pub(crate) struct Goldens(BTreeMap<String, ArrayD<f32>>);

impl Goldens {
    pub(crate) fn open(path: &str) -> Self {
        let path = repository(path);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = SafeTensors::deserialize(&bytes).unwrap();
        Self(file.iter().map(|(name, view)| (name.to_owned(), to_f32(&view))).collect())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn tensor(&self, name: &str) -> &ArrayD<f32> {
        self.0.get(name).unwrap_or_else(|| panic!("there is no golden tensor {name}"))
    }
}

fn to_f32(view: &TensorView<'_>) -> ArrayD<f32> {
    fn read<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.chunks_exact(N).map(|chunk| number(chunk.try_into().unwrap())).collect()
    }
    let bytes = view.data();
    let values = match view.dtype() {
        Dtype::F64 => read(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F32 => read(bytes, f32::from_le_bytes),
        Dtype::F16 => read(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
        Dtype::I64 => read(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::I32 => read(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::U8 => read(bytes, |[b]: [u8; 1]| f32::from(b)),
        other => panic!("no conversion from {other:?}"),
    };
    ArrayD::from_shape_vec(view.shape(), values).unwrap()
}

/// A denoiser that returns a network's recorded outputs, one for every step.
pub(crate) struct Recorded {
    pub(crate) outputs: ArrayD<f32>,
    pub(crate) prediction: Prediction,
}

impl Denoiser for Recorded {
    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        let (of_x, of_output) = self.prediction.to_x0(query.level, &Flow::new(1e-3).unwrap(), 0.5);
        let said = self.outputs.index_axis(ndarray::Axis(0), query.step);
        out.x0.assign(&(&query.x * of_x as f32 + &said * of_output as f32));
        Ok(())
    }
}

/// Noise that was recorded: one tensor per step.
pub(crate) struct RecordedNoise(pub(crate) ArrayD<f32>);

impl NoiseSource for RecordedNoise {
    fn fill(&mut self, draw: Draw, _item_length: usize, out: &mut [f32]) {
        if let Draw::Step { step, .. } = draw {
            let values = self.0.index_axis(ndarray::Axis(0), step as usize);
            out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
        }
    }
}

/// A denoiser from a function.
pub(crate) struct Formula<F>(pub(crate) F);

impl<F: FnMut(Query<'_>, &mut ArrayD<f32>) -> Result<()> + Send> Denoiser for Formula<F> {
    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        (self.0)(query, &mut out.x0)
    }
}

/// The folders of the versions of the C interface that are stored.
pub(crate) fn versions() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository("tests/abi")).unwrap().map(|entry| entry.unwrap().path());
    let versions: Vec<PathBuf> =
        entries.filter(|path| path.is_dir() && !path.to_string_lossy().ends_with(".new")).collect();
    assert!(!versions.is_empty());
    versions
}

pub(crate) fn runtime() -> Runtime {
    Runtime::open(None).unwrap_or_else(|error| panic!("{error}\nRun `python3 onnx/setup.py --runtime-only` first"))
}

pub(crate) fn model(path: &str) -> Arc<Model> {
    model_with(path, &ModelOptions::default())
}

pub(crate) fn model_with(path: &str, options: &ModelOptions) -> Arc<Model> {
    Arc::new(Model::open(&runtime(), &repository(path), options).unwrap())
}

/// The program that cargo makes of an example.
pub(crate) fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples").join(name);
    if !program.exists() {
        // A single test is built without the examples.
        let built = std::process::Command::new(env!("CARGO")).args(["build", "--example", name]).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }
    program
}
