//! Every solver beside diffusers' schedulers: the same levels, start, network outputs and noise, compared after every
//! evaluation. `onnx/goldens_solvers.py` wrote the traces. What is compared and what is not is written into
//! tests/COVERAGE.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use diffuse::denoiser::{Clip, Condition, Denoised, Denoiser, Direction, Query, Threshold};
use diffuse::model::{Manifest, Schedule, SchedulerConfig};
use diffuse::noise::{Draw, NoiseSource};
use diffuse::request::Plan;
use diffuse::schedule::{
    BetaKind, BetaSchedule, Edm, Ending, Flow, Grid, GridOptions, NoiseLevel, NoiseSchedule, Spacing, Tables, Terminal,
};
use diffuse::solver::{self, DdimInverse, Solver};
use diffuse::{Job, Prediction, Request, Result};
use ndarray::{ArrayD, Axis};
use serde_json::{Value, json};

use crate::support::{Goldens, agree, repository};

/// What a scheduler was given, and how its trace is read.
struct Case {
    name: String,
    scheduler: String,
    config: Value,
    step: Value,
    steps: usize,
    tables: Tables,
    times: Vec<f64>,
    sigmas: Vec<f64>,
    start_scale: f64,
    raw: Value,
}

/// Levels that are nearer to each other are the same but for rounding.
const SAME: f64 = 1e-4;

/// Why a trace is not compared.
type Gap = &'static str;

impl Case {
    fn read(value: &Value) -> Self {
        let numbers = |key: &str| -> Vec<f64> {
            value[key].as_array().map(|list| list.iter().filter_map(Value::as_f64).collect()).unwrap_or_default()
        };
        Self {
            name: value["name"].as_str().unwrap().to_owned(),
            scheduler: value["scheduler"].as_str().unwrap().trim_end_matches("Scheduler").to_owned(),
            config: value["config"].clone(),
            step: value["step"].clone(),
            steps: value["steps"].as_u64().unwrap() as usize,
            tables: if value["tables"] == "f64" { Tables::Exact } else { Tables::Diffusers },
            times: numbers("timesteps"),
            sigmas: numbers("sigmas"),
            start_scale: value["init_noise_sigma"].as_f64().unwrap(),
            raw: value.clone(),
        }
    }

    fn text(&self, key: &str) -> &str {
        self.config[key].as_str().unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        self.config[key].as_bool().unwrap_or_default()
    }

    fn beta_schedule(&self) -> Arc<BetaSchedule> {
        let number = |key: &str, otherwise| self.config[key].as_f64().unwrap_or(otherwise);
        let (start, end) = (number("beta_start", 1e-4), number("beta_end", 0.02));
        let kind = match self.text("beta_schedule") {
            "scaled_linear" => BetaKind::ScaledLinear { start, end },
            "squaredcos_cap_v2" => BetaKind::Cosine,
            "laplace" => BetaKind::Laplace,
            "exp" => BetaKind::Exponential,
            _ => BetaKind::Linear { start, end },
        };
        let terminal = if self.flag("rescale_betas_zero_snr") { Terminal::ZeroSnr } else { Terminal::AsTrained };
        Arc::new(BetaSchedule::ending(kind, 1000, self.tables, terminal).unwrap())
    }

    fn prediction(&self) -> Prediction {
        match self.text("prediction_type") {
            "sample" => Prediction::X0,
            "v_prediction" => Prediction::V,
            "flow_prediction" => Prediction::Flow,
            _ => Prediction::Epsilon,
        }
    }

    /// The levels of `sigmas`, each once, in the scaling where `alpha` is what is said of each.
    fn at_sigmas(&self, schedule: Arc<dyn NoiseSchedule>, alpha: impl Fn(f64) -> f64, of: fn(f64, f64) -> f64) -> Grid {
        let mut levels: Vec<NoiseLevel> = Vec::new();
        for (i, &sigma) in self.sigmas.iter().enumerate() {
            let t = self.times.get(i).copied().unwrap_or(-1.0);
            let level = NoiseLevel { t, alpha: alpha(sigma), sigma: of(sigma, alpha(sigma)) };
            if levels.last().is_none_or(|last| last.noise_to_signal() > level.noise_to_signal() * (1.0 + SAME)) {
                levels.push(level);
            }
        }
        Grid::new(levels, schedule).unwrap()
    }

    /// Levels in which x is as it is in diffusers: y = x₀ + σ·ε.
    fn exploding(&self) -> Grid {
        self.at_sigmas(Arc::new(Edm::new(1e-6, 1e6).unwrap()), |_| 1.0, |sigma, _| sigma)
    }

    /// Variance-preserving levels of the same σ/α, or those of the straight path.
    fn preserving(&self) -> Grid {
        if self.flag("use_flow_sigmas") {
            let mut case = self.at_sigmas(Arc::new(Flow::new(1e-4).unwrap()), |sigma| 1.0 - sigma, |sigma, _| sigma);
            let levels = case.levels().iter().map(|level| NoiseLevel { t: level.t / 1000.0, ..*level }).collect();
            case = Grid::new(levels, Arc::new(Flow::new(1e-4).unwrap())).unwrap();
            return case;
        }
        let alpha = |sigma: f64| sigma.hypot(1.0).recip();
        self.at_sigmas(self.beta_schedule(), alpha, |sigma, alpha| sigma * alpha)
    }

    /// Levels at `timesteps`, and an end.
    fn at_times(&self, end: f64) -> Grid {
        let schedule = self.beta_schedule();
        let levels = self.times.iter().chain([&end]).map(|&t| schedule.level(t)).collect();
        Grid::new(levels, schedule).unwrap()
    }

    fn options(&self, options: &[(&str, String)]) -> Request {
        options.iter().fold(Request::default(), |request, (key, value)| request.with(key, value).unwrap())
    }

    fn solver(&self, name: &str, options: &[(&str, String)]) -> Box<dyn Solver> {
        solver::build(name, &self.options(options).options).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The solver's options that the schedulers after Lu et al. have.
    fn dpm_options(&self) -> Vec<(&'static str, String)> {
        let algorithm = match self.text("algorithm_type") {
            "dpmsolver" => "dpm-solver",
            "sde-dpmsolver" => "sde-dpm-solver",
            "sde-dpmsolver++" => "sde-dpm-solver++",
            _ => "dpm-solver++",
        };
        let order = self.config["solver_order"].as_u64().unwrap_or(2);
        let variant = if self.text("solver_type") == "heun" { "heun" } else { "midpoint" };
        vec![("algorithm", algorithm.into()), ("order", order.to_string()), ("variant", variant.into())]
    }

    /// The parts of the run, or why there is none.
    fn parts(&self) -> Result<(Box<dyn Solver>, Grid, Reading), Gap> {
        let eta = self.step["eta"].as_f64().unwrap_or(if self.scheduler == "TCD" { 0.3 } else { 0.0 });
        let churn = self.step["s_churn"].as_f64();
        let churned: Vec<(&str, String)> = churn.map_or(Vec::new(), |churn| {
            vec![("s_churn", churn.to_string()), ("s_noise", self.step["s_noise"].as_f64().unwrap_or(1.0).to_string())]
        });
        let mut reading = Reading { to_signal: self.prediction(), ..Reading::default() };
        if churn.is_some() {
            // The noise that a step begins with comes with the step before.
            reading.only_the_end = true;
        }
        let mut final_order = self.config["lower_order_final"].as_bool();
        let repeated = self.sigmas.windows(2).last().is_some_and(|pair| (pair[0] / pair[1] - 1.0).abs() < SAME);
        if repeated {
            // The last step goes from a level to itself and is not made here; it was the one of lower order.
            final_order = Some(false);
        }
        Ok(match self.scheduler.as_str() {
            "EulerDiscrete" if churn.is_some() && self.prediction() == Prediction::V => {
                return Err("with churn diffusers takes x̂₀ of v at the level before the noise was added");
            }
            "EulerDiscrete" => (self.solver("euler", &churned), self.exploding(), reading),
            "EDMEuler" => {
                reading.to_signal = Prediction::Edm;
                (self.solver("euler", &churned), self.exploding(), reading)
            }
            "EDMDPMSolverMultistep" => {
                reading.to_signal = Prediction::Edm;
                let mut options = self.dpm_options();
                options.extend(final_order.filter(|on| !on).map(|_| ("lower_order_final", "0".to_owned())));
                (self.solver("dpm-solver", &options), self.exploding(), reading)
            }
            "EulerAncestralDiscrete" => (self.solver("euler-ancestral", &[]), self.exploding(), reading),
            "HeunDiscrete" | "KDPM2AncestralDiscrete" if self.text("beta_schedule") == "squaredcos_cap_v2" => {
                return Err(
                    "the random outputs of the trace take x to 1e4 where σ is 3, which is beyond f32: diffusers' own f32 and f64 are 1.7e-4 apart",
                );
            }
            "HeunDiscrete" => (self.solver("heun", &churned), self.exploding(), reading),
            "KDPM2Discrete" => (self.solver("dpm2", &[]), self.exploding(), reading),
            "KDPM2AncestralDiscrete" => (self.solver("dpm2", &[("eta", "1".into())]), self.exploding(), reading),
            "LMSDiscrete" => {
                let order = self.step["order"].as_u64().unwrap_or(4).to_string();
                (self.solver("lms", &[("lms_order", order)]), self.exploding(), reading)
            }
            "DPMSolverSDE" => {
                reading.noise_by_draw = true;
                let options = [("eta", "1".into()), ("midpoint_noise", "1".into())];
                (self.solver("dpm-solver-2s", &options), self.exploding(), reading)
            }
            "DPMSolverMultistep" | "DPMSolverSinglestep"
                if self.text("algorithm_type") == "sde-dpmsolver++"
                    && self.config["solver_order"] == 3
                    && (self.scheduler == "DPMSolverMultistep" || self.text("solver_type") == "heun") =>
            {
                return Err(
                    "in the third order diffusers has −½ in the second derivative's coefficient, where the integral is +½ (as k-diffusion has it)",
                );
            }
            "DPMSolverMultistep" => {
                let mut options = self.dpm_options();
                options.extend(final_order.filter(|on| !on).map(|_| ("lower_order_final", "0".to_owned())));
                (self.solver("dpm-solver", &options), self.preserving(), reading)
            }
            "DPMSolverMultistepInverse" if self.flag("use_flow_sigmas") => {
                return Err("with flow sigmas diffusers' inverse goes down, as the sampler does");
            }
            "DPMSolverMultistepInverse" => {
                let mut options = self.dpm_options();
                options.extend(final_order.filter(|on| !on).map(|_| ("lower_order_final", "0".to_owned())));
                let mut down = self.sigmas.clone();
                down.reverse();
                let mut times = self.times.clone();
                times.resize(down.len(), -1.0);
                times.reverse();
                let flipped = Self { sigmas: down, times, config: self.config.clone(), ..Self::read(&self.raw) };
                (self.solver("dpm-solver", &options), flipped.preserving().reversed(), reading)
            }
            "DPMSolverSinglestep" => {
                let mut options = self.dpm_options();
                let lower = final_order.unwrap_or(false) || !self.steps.is_multiple_of(options[1].1.parse().unwrap());
                options.push(("lower_order_final", u8::from(lower).to_string()));
                (self.solver("dpm-solver-singlestep", &options), self.preserving(), reading)
            }
            "DEISMultistep" if self.flag("use_flow_sigmas") && self.tables == Tables::Diffusers => {
                return Err("in f32 the first α, 1 − 0.99967, is good to four digits, and so is diffusers' first step");
            }
            "DEISMultistep" => {
                let mut options = vec![("order", self.config["solver_order"].as_u64().unwrap_or(2).to_string())];
                options.extend(final_order.filter(|on| !on).map(|_| ("lower_order_final", "0".to_owned())));
                (self.solver("deis", &options), self.preserving(), reading)
            }
            "UniPCMultistep" if !self.config["disable_corrector"].is_null() => {
                return Err("diffuse always corrects");
            }
            "UniPCMultistep" => {
                let options = [
                    ("order", self.config["solver_order"].as_u64().unwrap_or(2).to_string()),
                    ("scaling", self.config["solver_type"].as_str().unwrap_or("bh2").to_owned()),
                    ("predict_x0", u8::from(self.config["predict_x0"].as_bool().unwrap_or(true)).to_string()),
                    ("lower_order_final", u8::from(final_order.unwrap_or(true)).to_string()),
                ];
                (self.solver("unipc", &options), self.preserving(), reading)
            }
            "SASolver" => {
                let number = |key: &str| self.config[key].as_u64().unwrap_or(2).to_string();
                let options = [
                    ("predictor_order", number("predictor_order")),
                    ("corrector_order", number("corrector_order")),
                    ("predict_x0", u8::from(self.text("algorithm_type") != "noise_prediction").to_string()),
                    ("lower_order_final", u8::from(final_order.unwrap_or(true)).to_string()),
                ];
                (self.solver("sa-solver", &options), self.preserving(), reading)
            }
            "FlowMatchEulerDiscrete" | "FlowMatchLCM" | "FlowMatchHeunDiscrete" => {
                reading.to_signal = Prediction::Flow;
                let flow = Arc::new(Flow::new(1e-4).unwrap());
                let grid = self.at_sigmas(flow, |sigma| 1.0 - sigma, |sigma, _| sigma);
                let stochastic = self.scheduler == "FlowMatchLCM" || self.flag("stochastic_sampling");
                if churn.is_some() {
                    return Err(
                        "FlowMatchHeun draws churn's noise in both halves of a step, and takes x̂₀ at the level before it",
                    );
                }
                if stochastic {
                    (self.solver("lcm", &[("timestep_scaling", "0".into())]), grid, reading)
                } else {
                    (
                        self.solver(if self.scheduler == "FlowMatchHeunDiscrete" { "heun" } else { "euler" }, &[]),
                        grid,
                        reading,
                    )
                }
            }
            "PNDM" => {
                if self.text("timestep_spacing") != "leading" {
                    return Err("PNDMScheduler steps by ⌊T/N⌋ whatever its times are");
                }
                let warmup = if self.flag("skip_prk_steps") { "plms" } else { "runge-kutta" };
                let ending = if self.flag("set_alpha_to_one") { Ending::Clean } else { Ending::First };
                let options = GridOptions { offset: 1, ending, ..GridOptions::new(Spacing::Leading, self.steps) };
                (
                    self.solver("pndm", &[("warmup", warmup.into())]),
                    Grid::spaced(self.beta_schedule(), &options).unwrap(),
                    reading,
                )
            }
            "IPNDM" => return Err("from pure noise IPNDMScheduler takes 0 for x̂₀, whatever the network predicts"),
            "LCM" => (self.solver("lcm", &[]), self.at_times(-1.0), reading),
            "TCD" => (self.solver("tcd", &[("gamma", eta.to_string())]), self.at_times(0.0), reading),
            "DDPM" => {
                let variance = match self.text("variance_type") {
                    "learned" => "learned",
                    "learned_range" => "learned-range",
                    _ => "posterior",
                };
                reading.learned = (variance != "posterior").then_some(variance == "learned");
                (self.solver("ddpm", &[("variance", variance.into())]), self.at_times(-1.0), reading)
            }
            "DDIM" => {
                if self.text("timestep_spacing") != "leading"
                    && self.times[0] - self.times[1] != (1000 / self.steps) as f64
                {
                    return Err(
                        "DDIMScheduler steps by ⌊T/N⌋ whatever its times are (tests/all/diffusers.rs has it with compat)",
                    );
                }
                (self.solver("ddim", &[("eta", eta.to_string())]), self.at_times(-1.0), reading)
            }
            "DDIMInverse" if self.prediction() == Prediction::V => {
                return Err("it takes ε̂ of v at another level than the one that the network receives");
            }
            "DDIMInverse" if self.flag("clip_sample") => return Err("clipping does not enter diffuse's inverse"),
            "DDIMInverse" => {
                if self.times.windows(2).any(|pair| pair[1] - pair[0] != (1000 / self.steps) as f64) {
                    return Err("DDIMInverseScheduler steps by ⌊T/N⌋ whatever its times are");
                }
                let schedule = self.beta_schedule();
                let first = if self.config["set_alpha_to_one"].as_bool().unwrap_or(true) { -1.0 } else { 0.0 };
                if self.times[0] == first {
                    return Err("its first step goes from a level to itself");
                }
                let levels = self.times.iter().rev().chain([&first]).map(|&t| schedule.level(t)).collect();
                (Box::new(DdimInverse), Grid::new(levels, schedule).unwrap().reversed(), reading)
            }
            "ScoreSdeVe" => {
                return Err(
                    "its corrector goes by norms over the batch, which diffuse replaces by what they are near to",
                );
            }
            "ScoreSdeVp" => return Err("it steps by 1/N where its times are 1/(N − 1) apart"),
            other => panic!("{other} is not known"),
        })
    }
}

/// How the trace's numbers are brought together with a run's.
#[derive(Clone, Copy)]
struct Reading {
    to_signal: Prediction,
    only_the_end: bool,
    noise_by_draw: bool,
    /// Whether there is a learned variance, and if so, whether diffusers took the variance itself for what is its
    /// logarithm here.
    learned: Option<bool>,
}

impl Default for Reading {
    fn default() -> Self {
        Self { to_signal: Prediction::Epsilon, only_the_end: false, noise_by_draw: false, learned: None }
    }
}

/// What the network said, evaluation by evaluation.
struct Outputs {
    outputs: ArrayD<f32>,
    variance: Option<ArrayD<f32>>,
    reading: Reading,
    negate: bool,
    count: usize,
}

impl Denoiser for Outputs {
    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        let mut said = self.outputs.index_axis(Axis(0), self.count).to_owned();
        if self.negate {
            said.mapv_inplace(|value| -value);
        }
        let NoiseLevel { t, alpha, sigma } = query.level;
        let flow = Flow::new(1e-4)?;
        // A network of variance-preserving training that is asked at α = 1 sees x as it is in its own scaling.
        let scale =
            if alpha == 1.0 && self.reading.to_signal == Prediction::V { sigma.hypot(1.0).recip() } else { 1.0 };
        let level = NoiseLevel { t, alpha: alpha * scale, sigma: sigma * scale };
        let (of_x, of_output) = self.reading.to_signal.to_x0(level, &flow, 0.5);
        out.x0.assign(&(&query.x * (of_x * scale) as f32 + &(said * of_output as f32)));
        if let (Some(variance), Some(raw)) = (&self.variance, self.reading.learned) {
            let said = variance.index_axis(Axis(0), self.count + 20);
            out.variance = Some(if raw { said.mapv(|value| value.abs().ln()) } else { said.to_owned() });
        }
        self.count += 1;
        Ok(())
    }
}

struct Noises {
    noise: ArrayD<f32>,
    by_draw: bool,
    draws: usize,
}

impl NoiseSource for Noises {
    fn fill(&mut self, draw: Draw, _item_length: usize, out: &mut [f32]) {
        if let Draw::Step { step, .. } = draw {
            let index = if self.by_draw { self.draws } else { step as usize };
            let values = self.noise.index_axis(Axis(0), index);
            out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
            self.draws += 1;
        }
    }
}

/// The furthest that a run is from its trace, relative to max(1, max|x|).
fn distance(case: &Case, goldens: &Goldens, solver: Box<dyn Solver>, grid: Grid, reading: Reading) -> f32 {
    let outputs = Outputs {
        outputs: goldens.tensor("outputs").clone(),
        variance: reading.learned.map(|_| goldens.tensor("noise").clone()),
        reading,
        negate: reading.to_signal == Prediction::Edm && case.prediction() == Prediction::V,
        count: 0,
    };
    let denoiser: Box<dyn Denoiser> = if case.flag("thresholding") {
        let threshold = Threshold::Dynamic {
            ratio: case.config["dynamic_thresholding_ratio"].as_f64().unwrap(),
            most: case.config["sample_max_value"].as_f64().unwrap(),
        };
        Box::new(Clip::new(outputs, threshold, Direction::Network).unwrap())
    } else {
        Box::new(outputs)
    };
    let noise = Box::new(Noises { noise: goldens.tensor("noise").clone(), by_draw: reading.noise_by_draw, draws: 0 });
    let start = goldens.tensor("start").mapv(|value| (f64::from(value) * case.start_scale) as f32);
    let mut job = Job::new(denoiser, solver, grid, noise, Condition::default(), start.shape()).unwrap();
    job.start_from(start.view()).unwrap();
    let trace = goldens.tensor(&case.name);
    let scale = start.iter().chain(trace).fold(1f32, |most, value| most.max(value.abs()));
    let mut furthest = 0f32;
    for expected in trace.axis_iter(Axis(0)) {
        if job.progress().is_finished() {
            // A last step of diffusers' from a level to itself.
            break;
        }
        job.step().unwrap_or_else(|error| panic!("{}: {error}", case.name));
        if job.progress().is_finished() || !reading.only_the_end {
            furthest = (&job.sample() - &expected).iter().fold(furthest, |most, value| most.max(value.abs()));
        }
    }
    // EulerDiscrete's log_linear lists a level more than it steps to.
    let whole = job.progress().is_finished() || case.text("interpolation_type") == "log_linear";
    assert!(whole, "{}: the trace is shorter than the run", case.name);
    furthest / scale
}

#[test]
fn every_trajectory_of_every_scheduler_matches() {
    let goldens = Goldens::open("onnx/goldens/solvers.safetensors");
    let text = std::fs::read_to_string(repository("onnx/goldens/solvers.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    // Scheduler and what it was told → what came of it, by steps and tables.
    let mut cells: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let (mut compared, mut gaps, mut worst, mut wrong) = (0, 0, [0f32; 2], Vec::new());
    for value in file["cases"].as_array().unwrap() {
        let case = Case::read(value);
        let [scheduler, told, ..] = case.name.split('/').collect::<Vec<_>>()[..] else { panic!("{}", case.name) };
        let cell = cells.entry((scheduler.to_owned(), told.to_owned())).or_default();
        match case.parts() {
            Ok((solver, grid, reading)) => {
                let distance = distance(&case, &goldens, solver, grid, reading);
                let tables = usize::from(case.tables == Tables::Diffusers);
                worst[tables] = worst[tables].max(distance);
                compared += 1;
                if distance.is_nan() || distance >= 1e-5 {
                    wrong.push(format!("{}: {distance:e}", case.name));
                }
                cell.push(format!("{} {}", case.steps, if tables == 0 { "f64" } else { "f32" }));
            }
            Err(reason) => {
                gaps += 1;
                if !cell.iter().any(|known| known == reason) {
                    cell.push(reason.to_owned());
                }
            }
        }
    }
    for gap in file["gaps"].as_array().unwrap() {
        let name = gap["name"].as_str().unwrap();
        let [scheduler, told, rest @ ..] = &name.split('/').collect::<Vec<_>>()[..] else { panic!("{name}") };
        let reason = gap["reason"].as_str().unwrap().split('\n').next().unwrap().replace('|', "/");
        let cell = cells.entry(((*scheduler).to_owned(), (*told).to_owned())).or_default();
        cell.push(format!("not {}: diffusers fails ({reason})", rest.join(" ")));
    }
    println!(
        "{compared} compared, {gaps} not; furthest {:e} with f64 tables, {:e} with diffusers' own",
        worst[0], worst[1]
    );
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 900);
    let versions = &file["versions"];
    let mut page = format!(
        "# Coverage beside diffusers

This page lists each scheduler of diffusers {} with each setting, and whether it is compared. `tests/all/schedulers.rs`
generates it, and [Beside diffusers](../docs/diffusers.md) explains the comparison. `onnx/goldens_solvers.py` has the
settings in full.

A cell has the numbers of steps and the tables that were compared. Tables are in f64, or in f32 as diffusers has them.
Both sides get the same levels, start, network outputs and noise. Every sample of the run is then within
1e-5·max(1, max|x|) of diffusers'. A cell without a comparison states why.

- `tests/all/diffusers.rs` compares DDPM and DDIM in every combination of schedule, grid, prediction and clipping.
- What diffusers lacks is compared with k-diffusion 0.1.1.post1 in the same way, where that has it. These are 14 runs of
  `dpm-solver-2s`, ancestral with several η, the SDE's third order, and churn.
- `rk45`, `langevin`, `reverse-sde` and corrections are held against closed-form answers alone, in `tests/all/order.rs`
  and `tests/all/distributions.rs`.
",
        versions["diffusers"].as_str().unwrap()
    );
    let mut last = String::new();
    for ((scheduler, told), cell) in &cells {
        if *scheduler != last {
            write!(page, "\n## {scheduler}\n\n| setting | compared |\n|---|---|\n").unwrap();
            last.clone_from(scheduler);
        }
        writeln!(page, "| `{told}` | {} |", cell.join(", ")).unwrap();
    }
    agree("tests/COVERAGE.md", &page);
}

/// Every configuration is read, or refused by a field's name; the solver and, where diffusers is not said to depart,
/// the levels that come of it are those of the trace.
#[test]
fn every_configuration_is_read() {
    let text = std::fs::read_to_string(repository("onnx/goldens/solvers.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let (mut read, mut levels_compared, mut refused, mut wrong) = (0, 0, BTreeMap::new(), Vec::new());
    for value in file["cases"].as_array().unwrap() {
        let case = Case::read(value);
        let mut config = case.config.clone();
        config["_class_name"] = value["scheduler"].clone();
        config["_diffusers_version"] = "0.42.1".into();
        let config = match SchedulerConfig::parse(&config.to_string()) {
            Ok(config) => config,
            Err(error) => {
                *refused.entry(error.to_string()).or_insert(0) += 1;
                continue;
            }
        };
        read += 1;
        if config.inverse {
            continue;
        }
        let manifest = json!({"diffuse": 1, "sample": {"shape": [2], "range": [-1, 1]}, "schedule": config.schedule, "prediction": config.prediction, "variance": config.variance});
        let manifest = match Manifest::parse(&manifest.to_string()) {
            Ok(manifest) => manifest,
            Err(error) => {
                wrong.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        let mut request = Request { steps: Some(case.steps), ..Request::default() };
        request.set_scheduler_config(&config).unwrap();
        if let (Some(dynamic), Some(mu)) = (config.dynamic_shift, value["set"]["mu"].as_f64()) {
            request.set("shift", if dynamic.exponential { mu.exp() } else { mu }).unwrap();
        }
        let Plan { solver, grid, .. } = match request.plan(&manifest) {
            Ok(plan) => plan,
            Err(error) => {
                wrong.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        if let (Ok((expected, ..)), true) = (case.parts(), case.step.is_null())
            && solver.to_string() != expected.to_string()
        {
            wrong.push(format!("{}: {solver}, and not {expected}", case.name));
        }
        let own_levels = ["N + 1", "own timesteps", "twice", "1/(N − 1)", "norms"];
        let flow = case.flag("use_flow_sigmas") || value["set"]["mu"].is_number();
        let of_levels = |departure: &String| own_levels.iter().any(|own| departure.contains(own));
        if request.departures().iter().any(of_levels) || flow || case.sigmas.is_empty() {
            continue;
        }
        levels_compared += 1;
        // In f32 diffusers' tables are 3e-4 from the formulas.
        let bound = if case.tables == Tables::Exact { 1e-6 } else { 1e-3 };
        let mut sigmas = case.sigmas.clone();
        sigmas.dedup();
        for (level, sigma) in grid.levels().iter().zip(&sigmas) {
            let found =
                if matches!(config.schedule, Schedule::Flow { .. }) { level.sigma } else { level.noise_to_signal() };
            if (found - sigma).abs() > bound * sigma.max(1e-3) {
                wrong.push(format!("{}: σ is {found} where diffusers has {sigma}", case.name));
                break;
            }
        }
    }
    println!("{read} read, the levels of {levels_compared} compared; refused: {refused:#?}");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(read > 1000 && levels_compared > 200);
}

/// k-diffusion's samplers: what diffusers lacks, or has another form of. `onnx/goldens_k_diffusion.py` wrote the
/// traces.
#[test]
fn every_sampler_of_k_diffusion_matches() {
    let goldens = Goldens::open("onnx/goldens/k_diffusion.safetensors");
    let sigmas: Vec<f64> = goldens.tensor("sigmas").iter().map(|&sigma| f64::from(sigma)).collect();
    let mut compared = 0;
    for name in goldens.names().filter(|name| name.contains('/')) {
        let (sampler, told) = name.split_once('/').unwrap();
        let mut options: Vec<(&str, &str)> = told.split(',').filter_map(|pair| pair.split_once('=')).collect();
        let sde =
            |order: &'static str| vec![("algorithm", "sde-dpm-solver++"), ("order", order), ("lower_order_final", "0")];
        let (solver, more) = match sampler {
            "dpmpp_2s_ancestral" => ("dpm-solver-2s", vec![]),
            "dpmpp_sde" => ("dpm-solver-2s", vec![("midpoint_noise", "1")]),
            "dpmpp_2m" => ("dpm-solver", vec![("order", "2"), ("lower_order_final", "0")]),
            "dpmpp_2m_sde" => ("dpm-solver", sde("2")),
            "dpmpp_3m_sde" => ("dpm-solver", [sde("3"), vec![("variant", "heun")]].concat()),
            "euler" => ("euler", vec![]),
            "euler_ancestral" => ("euler-ancestral", vec![]),
            "heun" => ("heun", vec![]),
            "dpm_2" => ("dpm2", vec![]),
            "dpm_2_ancestral" => ("dpm2", vec![]),
            "lms" => ("lms", vec![]),
            other => panic!("{other} is not known"),
        };
        if sampler.ends_with("m_sde") {
            // Its SDE is the reverse one, η = 1.
            options.retain(|(key, _)| *key != "eta");
        }
        let told = options.iter().map(|&(key, value)| match key {
            "solver_type" => ("variant", value),
            "order" => ("lms_order", value),
            key => (key, value),
        });
        let request =
            told.chain(more).fold(Request::default(), |request, (key, value)| request.with(key, value).unwrap());
        let solver = solver::build(solver, &request.options).unwrap();
        let level = |&sigma: &f64| NoiseLevel { t: sigma, alpha: 1.0, sigma };
        let grid = Grid::new(sigmas.iter().map(level).collect(), Arc::new(Edm::new(1e-6, 1e6).unwrap())).unwrap();
        let reading = Reading::default();
        let network =
            Outputs { outputs: goldens.tensor("outputs").clone(), variance: None, reading, negate: false, count: 0 };
        // It draws once a step, whether that is used or not, and dpmpp_sde twice.
        let by_draw = sampler == "dpmpp_sde";
        let noise = Box::new(Noises { noise: goldens.tensor("noise").clone(), by_draw, draws: 0 });
        let start = goldens.tensor("start");
        let mut job = Job::new(Box::new(network), solver, grid, noise, Condition::default(), start.shape()).unwrap();
        job.start_from(start.view()).unwrap();
        let trace = goldens.tensor(name);
        let scale = start.iter().chain(trace).fold(1f32, |most, value| most.max(value.abs()));
        for (evaluation, expected) in trace.axis_iter(Axis(0)).enumerate() {
            job.step().unwrap();
            let off = (&job.sample() - &expected).iter().fold(0f32, |most, value| most.max(value.abs())) / scale;
            assert!(off < 1e-5, "{name}, evaluation {evaluation}: {off:e}");
        }
        assert!(job.progress().is_finished(), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 14);
}

/// The schedules that only few schedulers of diffusers have.
#[test]
fn the_tables_match() {
    let text = std::fs::read_to_string(repository("onnx/goldens/solvers.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    for (name, kind) in [("laplace", BetaKind::Laplace), ("exp", BetaKind::Exponential)] {
        for (key, tables, bound) in [("f64", Tables::Exact, 1e-9), ("f32", Tables::Diffusers, 1e-6)] {
            let schedule = BetaSchedule::new(kind.clone(), 1000, tables).unwrap();
            let table = &file["tables"][name];
            for (t, expected) in table["indices"].as_array().unwrap().iter().zip(table[key].as_array().unwrap()) {
                let found = schedule.level(t.as_f64().unwrap()).alpha.powi(2);
                assert!(
                    (found - expected.as_f64().unwrap()).abs() < bound,
                    "{name} {key} at {t}: {found} for {expected}"
                );
            }
        }
    }
}

/// The schedules that only denoising-diffusion-pytorch has, as a manifest names them.
#[test]
fn the_levels_of_denoising_diffusion_pytorch_match() {
    let text = std::fs::read_to_string(repository("onnx/goldens/denoising_diffusion.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let mut compared = 0;
    for table in file["tables"].as_array().unwrap() {
        let named: Schedule = serde_json::from_value(table["schedule"].clone()).unwrap();
        let schedule = named.build(Tables::Exact).unwrap();
        let is_discrete = schedule.train_steps().is_some();
        for (key, levels) in ["f32", "f64"].into_iter().filter_map(|key| Some((key, table.get(key)?))) {
            for (place, t) in table["times"].as_array().unwrap().iter().enumerate() {
                let t = t.as_f64().unwrap();
                let bound = match key {
                    "f32" if is_discrete => 1e-7,
                    // In f32 a small σ² is the difference of two numbers near 1.
                    "f32" if t < 0.01 => 2e-6,
                    "f32" => 1e-6,
                    // There the cosine of π/2 is that of f32.
                    _ if t == 1.0 => 1e-7,
                    _ => 1e-12,
                };
                let NoiseLevel { alpha, sigma, .. } = schedule.level(t);
                for (name, found) in [("alpha", alpha), ("sigma", sigma)] {
                    let expected = levels[name][place].as_f64().unwrap();
                    assert!((found - expected).abs() < bound, "{named:?} {key}: {name} at {t}: {found} for {expected}");
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 2 * (32 + 12 + 32 + 34 + 34));
}
