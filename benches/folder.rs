//! What a run of a Stable Diffusion folder costs, real-sized ones included. It measures guided steps beside bare calls
//! of the U-Net, turn by turn in one process. It compares the peak of memory with that of a process that calls the
//! U-Net alone. It also measures how soon a cancelled run has ended.
//!
//! Run it with `cargo bench --bench folder -- FOLDER [SIDE [PROVIDER]]`. A picture has SIDE pixels on a side. Default:
//! 512. It runs on the CPU unless a provider is named, which may leave nodes to the CPU. Without a folder it does
//! nothing. `onnx/real_sized.py` writes one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diffuse::network::{Memory, Network, Provider};
use diffuse::run::{Run, Runner, Stage, Work};
use diffuse::{Model, ModelOptions, Request, Runtime};
use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Tensor, TensorElementType};

const STEPS: usize = 4;
const ROUNDS: usize = 5;
/// How a process is started that measures its own memory.
const PARTS: [&str; 3] = ["network", "stage", "keep"];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some(folder) = arguments.first().map(PathBuf::from) else {
        println!("no folder was given: cargo bench --bench folder -- FOLDER [SIDE]");
        return Ok(());
    };
    let side = arguments.get(1).map_or(Ok(512), |side| side.parse())?;
    let provider = arguments.get(2).map_or("cpu", String::as_str);
    match arguments.get(3) {
        Some(part) => println!("{}", peak(&folder, side, provider, part)?),
        None => {
            steps(&folder, side, provider)?;
            memory(&folder, side, provider)?;
            cancelling(&folder, side, provider)?;
        }
    }
    Ok(())
}

fn request(side: usize) -> diffuse::Result<Request> {
    let request = Request { prompts: vec!["a cat".into()], steps: Some(STEPS), ..Request::default() };
    request.with("solver", "ddim")?.with("width", side)?.with("height", side)
}

fn options(provider: &str, memory: Memory) -> diffuse::Result<ModelOptions> {
    let providers = if provider == "cpu" { Vec::new() } else { vec![Provider::new(provider)?] };
    Ok(ModelOptions { providers, cpu_nodes: true, memory, ..ModelOptions::default() })
}

fn open(folder: &Path, provider: &str, memory: Memory) -> diffuse::Result<Arc<Model>> {
    Model::open(&Runtime::open(None)?, folder, &options(provider, memory)?).map(Arc::new)
}

/// `values` as `input` wants them.
fn tensor(input: &Outlet, shape: Vec<usize>, values: &[f32]) -> ort::Result<SessionInputValue<'static>> {
    Ok(match input.dtype().tensor_type() {
        Some(TensorElementType::Float16) => {
            let values: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
            Tensor::from_array((shape, values))?.into()
        }
        Some(TensorElementType::Int64) => {
            let values: Vec<i64> = values.iter().map(|value| *value as i64).collect();
            Tensor::from_array((shape, values))?.into()
        }
        _ => Tensor::from_array((shape, values.to_vec()))?.into(),
    })
}

/// `STEPS` calls on a guided item: on two at once.
fn bare(session: &mut Session, side: usize) -> ort::Result<Duration> {
    let features = session.inputs()[2].dtype().tensor_shape().and_then(|shape| shape.last().copied());
    let features = features.and_then(|features| usize::try_from(features).ok()).unwrap_or(768);
    let shapes = [vec![2, 4, side / 8, side / 8], vec![], vec![2, 77, features]];
    let mut calls = Vec::new();
    for step in 0..STEPS {
        let t = (STEPS - step) as f32 * 200.0;
        let mut inputs = Vec::new();
        for ((input, shape), value) in session.inputs().iter().zip(&shapes).zip([0.5, t, 0.1]) {
            inputs.push(tensor(input, shape.clone(), &vec![value; shape.iter().product()])?);
        }
        calls.push(inputs);
    }
    let start = Instant::now();
    for inputs in calls {
        std::hint::black_box(session.run(&inputs[..])?.len());
    }
    Ok(start.elapsed())
}

fn steps(folder: &Path, side: usize, provider: &str) -> Result<(), Failure> {
    let (model, request) = (open(folder, provider, Memory::Keep)?, request(side)?);
    let calls = || -> Result<Duration, Failure> {
        let network = model.network().ok_or("the network is not open")?;
        Ok(network.with_session(|session| bare(session, side)).ok_or("it has no session")??)
    };
    let job = || -> Result<Duration, Failure> {
        let job = request.job(&model)?;
        let start = Instant::now();
        job.run()?;
        Ok(start.elapsed())
    };
    // The first round makes room.
    let first = (job()?, calls()?);
    println!("the first run and calls took {:.2} and {:.2} s", first.0.as_secs_f64(), first.1.as_secs_f64());
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let (job, calls) = if round % 2 == 0 {
            let calls = calls()?;
            (job()?, calls)
        } else {
            (job()?, calls()?)
        };
        rounds.push((job.as_secs_f64() / calls.as_secs_f64(), calls.as_secs_f64()));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, seconds) = rounds[ROUNDS / 2];
    println!(
        "{STEPS} guided steps of {side} pixels cost {ratio:.4} times {STEPS} bare calls on two ({:.4} to {:.4} in {ROUNDS} rounds; a call takes {:.3} s)",
        rounds[0].0,
        rounds[ROUNDS - 1].0,
        seconds / STEPS as f64
    );
    Ok(())
}

/// The most memory that this process has held, in bytes, when it has done that.
fn peak(folder: &Path, side: usize, provider: &str, part: &str) -> Result<u64, Failure> {
    match part {
        "network" => {
            let options = options(provider, Memory::Keep)?;
            let network = Network::open(&Runtime::open(None)?, &folder.join("unet/model.onnx"), &options)?;
            network.with_session(|session| bare(session, side)).ok_or("it has no session")??;
        }
        policy => {
            let model = open(folder, provider, Memory::parse(policy)?)?;
            let mut run = Run::new(&model, &request(side)?)?;
            while !run.is_finished() {
                run.step()?;
            }
        }
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

fn memory(folder: &Path, side: usize, provider: &str) -> Result<(), Failure> {
    let mut peaks = Vec::new();
    for part in PARTS {
        let output =
            Command::new(std::env::current_exe()?).arg(folder).args([&side.to_string(), provider, part]).output()?;
        let said = String::from_utf8(output.stdout)?;
        peaks.push(said.trim().parse::<u64>().map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?);
    }
    let of_network = peaks[0];
    println!(
        "a process that calls the U-Net alone holds {} MB at most; a run {:.3} times that with `stage`, {:.3} times with `keep`",
        of_network / 1_000_000,
        peaks[1] as f64 / of_network as f64,
        peaks[2] as f64 / of_network as f64
    );
    Ok(())
}

/// Cancels in each stage, in the middle of a piece of it.
fn cancelling(folder: &Path, side: usize, provider: &str) -> Result<(), Failure> {
    let model = open(folder, provider, Memory::Keep)?;
    for (stage, what) in [(Stage::Encoding, "encoding"), (Stage::Sampling, "sampling"), (Stage::Decoding, "decoding")] {
        let mut run = Run::new(&model, &request(side)?)?;
        while run.stage() != stage || run.prepares() {
            run.step()?;
        }
        let runner = Runner::new(run);
        runner.start(None)?;
        std::thread::sleep(Duration::from_millis(300));
        let (at, start) = (runner.progress().0, Instant::now());
        runner.cancel();
        let ended = runner.wait(Duration::from_secs(600));
        let gone = start.elapsed();
        println!(
            "cancelled 300 ms into {what} (at {at:?}), it ended {:.0} ms later ({ended:?})",
            gone.as_secs_f64() * 1e3
        );
    }
    Ok(())
}
