//! Guidance: against formulas, against scipy's integration of the guided flow, and against diffusers' guiders.
//! `onnx/goldens_guidance.py` writes down what the latter two say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diffuse::denoiser::{Condition, Denoised, Denoiser, Query};
use diffuse::guidance::{ByClassifier, ByHost, Classifier, ClassifierForm, ClassifierFree, Form, Guidance, Pairing};
use diffuse::noise::CounterNoise;
use diffuse::request::HostGuidance;
use diffuse::schedule::{
    Ending, Grid, GridOptions, NoiseLevel, NoiseSchedule, Spacing, VarianceExploding, VariancePreserving,
};
use diffuse::settings::{Clipping, Compat};
use diffuse::solver::{self, Solver};
use diffuse::stage::ClassGradient;
use diffuse::{Error, Job, Request, Result};
use ndarray::ArrayD;
use serde::Deserialize;

use crate::support::mixture::{MODES, Mixture, nearest, points};
use crate::support::{Formula, model, repository};

/// The class that is led to: the first two modes.
const OF_CLASS: [f64; 3] = [MODES[0].0, MODES[1].0, 0.0];

/// What is asked with the class 1 of that class, with the class 0 of everything, and how often.
struct Told(Arc<AtomicUsize>);

impl Denoiser for Told {
    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        let classes = query.condition.classes.clone().unwrap_or_default();
        // How many points an item has.
        let of_item = query.x.len() / 2 / query.x.shape()[0];
        let (of_class, of_all) = (Mixture::weighted(query.level, OF_CLASS), Mixture::at(query.level));
        let pairs = query.x.as_slice().unwrap().chunks_exact(2).zip(out.x0.as_slice_mut().unwrap().chunks_exact_mut(2));
        for (i, (x, x0)) in pairs.enumerate() {
            let class = classes.get(i / of_item).copied().unwrap_or(0);
            let mixture = if class == 1 { &of_class } else { &of_all };
            let said = mixture.denoise([f64::from(x[0]), f64::from(x[1])]);
            (x0[0], x0[1]) = (said[0] as f32, said[1] as f32);
        }
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// The classifier of the mixture: ∇ log p(y|x) = ∇ log p(x|y) − ∇ log p(x), by Tweedie's formula (α/σ²)·(x̂₀(y) − x̂₀).
struct Exact;

impl Classifier for Exact {
    fn gradient(&mut self, query: Query<'_>, classes: &[i64], out: &mut ArrayD<f32>) -> Result<()> {
        assert!(classes.iter().all(|class| *class == 1) && classes.len() == query.x.shape()[0]);
        let NoiseLevel { alpha, sigma, .. } = query.level;
        let mixtures = [Mixture::weighted(query.level, OF_CLASS), Mixture::at(query.level)];
        let pairs = query.x.as_slice().unwrap().chunks_exact(2).zip(out.as_slice_mut().unwrap().chunks_exact_mut(2));
        for (x, out) in pairs {
            let x = [f64::from(x[0]), f64::from(x[1])];
            let [of_class, of_all] = [0, 1].map(|i| mixtures[i].denoise(x));
            for axis in 0..2 {
                out[axis] = (alpha / (sigma * sigma) * (of_class[axis] - of_all[axis])) as f32;
            }
        }
        Ok(())
    }
}

fn told() -> (Told, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    (Told(Arc::clone(&count)), count)
}

/// With the class 1, away from everything, and toward the class 1 of a classifier.
fn condition(count: usize) -> Condition {
    Condition {
        classes: Some(vec![1; count]),
        negative: Some(Arc::new(Condition::classes(Some(vec![0; count])))),
        toward: Some(vec![1; count]),
        ..Condition::default()
    }
}

fn grid(schedule: &str, steps: usize) -> Grid {
    let schedule: Arc<dyn NoiseSchedule> = match schedule {
        "VP" => Arc::new(VariancePreserving::new(0.1, 20.0, 1e-3).unwrap()),
        _ => Arc::new(VarianceExploding::new(0.01, 80.0, 1e-5).unwrap()),
    };
    Grid::spaced(schedule, &GridOptions::new(Spacing::Karras, steps)).unwrap()
}

fn solver_of(name: &str, options: &[(&str, &str)]) -> Box<dyn Solver> {
    let mut request = Request::default();
    options.iter().for_each(|(key, value)| request.set(key, value).unwrap());
    solver::build(name, &request.options).unwrap()
}

fn by_classifier(scale: f64, form: ClassifierForm) -> Box<dyn Denoiser> {
    let unconditional = Formula(|query: Query<'_>, x0: &mut ArrayD<f32>| {
        let mixture = Mixture::at(query.level);
        for (x, x0) in query.x.as_slice().unwrap().chunks_exact(2).zip(x0.as_slice_mut().unwrap().chunks_exact_mut(2)) {
            let said = mixture.denoise([f64::from(x[0]), f64::from(x[1])]);
            (x0[0], x0[1]) = (said[0] as f32, said[1] as f32);
        }
        Ok(())
    });
    Box::new(ByClassifier::new(unconditional, Exact, scale, form).unwrap())
}

fn free(guidance: Guidance) -> Box<dyn Denoiser> {
    Box::new(ClassifierFree::new(told().0, guidance).unwrap())
}

const POINTS: usize = 20_000;
/// The items that these lie in: the classes are of items.
const ITEMS: usize = 20;

fn draw(denoiser: Box<dyn Denoiser>, solver: Box<dyn Solver>, grid: Grid, seed: u64) -> Vec<[f64; 2]> {
    let noise = Box::new(CounterNoise::new(seed));
    let shape = [ITEMS, 2 * POINTS / ITEMS];
    let job = Job::new(denoiser, solver, grid, noise, condition(ITEMS), &shape).unwrap();
    points(job.run().unwrap().view())
}

/// Mean and covariance, and the share of the first mode.
fn moments(points: &[[f64; 2]]) -> [f64; 6] {
    let n = points.len() as f64;
    let mean = [0, 1].map(|axis| points.iter().map(|p| p[axis]).sum::<f64>() / n);
    let covariance = |a: usize, b: usize| points.iter().map(|p| (p[a] - mean[a]) * (p[b] - mean[b])).sum::<f64>() / n;
    let first = points.iter().filter(|p| nearest(**p) == 0).count() as f64 / n;
    [mean[0], mean[1], covariance(0, 0), covariance(0, 1), covariance(1, 1), first]
}

/// By how many standard errors the points miss the class, in the worst of its moments.
fn miss(points: &[[f64; 2]]) -> f64 {
    let weights = OF_CLASS.map(|weight| weight / (OF_CLASS[0] + OF_CLASS[1]));
    let modes = || MODES.iter().zip(weights);
    let mean = [0, 1].map(|axis| modes().map(|((_, m, _), w)| w * m[axis]).sum::<f64>());
    let covariance = |a: usize, b: usize| {
        let of =
            |m: &[f64; 2], s: &[f64; 2]| if a == b { s[a] * s[a] } else { 0.0 } + (m[a] - mean[a]) * (m[b] - mean[b]);
        modes().map(|((_, m, s), w)| w * of(m, s)).sum::<f64>()
    };
    // The two modes are ten deviations apart, so that nearness says which one a point is of.
    let expected = [mean[0], mean[1], covariance(0, 0), covariance(0, 1), covariance(1, 1), weights[0]];
    let n = points.len() as f64;
    let product = |a: usize, b: usize| move |p: &[f64; 2]| (p[a] - mean[a]) * (p[b] - mean[b]);
    let error = |value: &dyn Fn(&[f64; 2]) -> f64| {
        let average = points.iter().map(value).sum::<f64>() / n;
        (points.iter().map(|p| (value(p) - average).powi(2)).sum::<f64>() / n / n).sqrt()
    };
    let errors = [
        error(&|p| p[0]),
        error(&|p| p[1]),
        error(&product(0, 0)),
        error(&product(0, 1)),
        error(&product(1, 1)),
        (weights[0] * (1.0 - weights[0]) / n).sqrt(),
    ];
    let found = moments(points);
    let misses: Vec<f64> = (0..6).map(|i| (found[i] - expected[i]).abs() / errors[i]).collect();
    println!("  in standard errors: {}", misses.iter().map(|miss| format!("{miss:.2}")).collect::<Vec<_>>().join(" "));
    misses.into_iter().fold(0.0, f64::max)
}

/// At the scale 1 what is guided is the class itself, along the ODE and along the SDE, by either guidance.
#[test]
fn the_scale_1_draws_the_class() {
    for (name, options, schedule, steps) in [
        ("unipc", &[][..], "VP", 60),
        ("heun", &[], "VE", 100),
        ("ddpm", &[], "VP", 1000),
        ("reverse-sde", &[], "VE", 1000),
        ("euler-ancestral", &[], "VP", 1000),
    ] {
        for (what, denoiser) in [
            ("classifier, by the noise", by_classifier(1.0, ClassifierForm::Noise)),
            ("classifier-free", free(Guidance::new(1.0))),
        ] {
            println!("{name}, {schedule}, {what}");
            let found = miss(&draw(denoiser, solver_of(name, options), grid(schedule, steps), 3));
            assert!(found < 4.0, "{name}, {what}: {found}");
        }
    }
    println!("ddpm, VP, classifier, by the mean");
    let mean = by_classifier(1.0, ClassifierForm::Mean);
    assert!(miss(&draw(mean, solver_of("ddpm", &[]), grid("VP", 1000), 3)) < 4.0);
    // Without guidance it is another distribution.
    assert!(miss(&draw(by_classifier(0.0, ClassifierForm::Noise), solver_of("unipc", &[]), grid("VP", 60), 3)) > 20.0);
}

/// The two forms are of the same limit: what lies between them gets smaller as the steps do.
#[test]
fn the_mean_and_the_noise_move_alike_as_the_steps_get_smaller() {
    let apart = |steps: usize| {
        let [mean, noise] = [ClassifierForm::Mean, ClassifierForm::Noise]
            .map(|form| moments(&draw(by_classifier(3.0, form), solver_of("ddpm", &[]), grid("VP", steps), 8)));
        (0..5).map(|i| (mean[i] - noise[i]).abs()).fold(0.0, f64::max)
    };
    let found = [50, 200, 800].map(apart);
    println!("mean against noise, largest difference of a moment at 50, 200, 800 steps: {found:.5?}");
    assert!(found[1] < 0.5 * found[0] && found[2] < 0.5 * found[1] && found[2] < 0.01);
}

#[derive(Deserialize)]
struct Goldens {
    flows: Flows,
    runs: Runs,
}

#[derive(Deserialize)]
struct Flows {
    modes: Vec<(f64, [f64; 2], [f64; 2])>,
    class: Vec<usize>,
    sigmas: [f64; 2],
    starts: Vec<[f64; 2]>,
    ends: Vec<End>,
}

#[derive(Deserialize)]
struct End {
    scale: f64,
    x: Vec<[f64; 2]>,
}

#[derive(Deserialize)]
struct Runs {
    x: Vec<f32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    form: String,
    scale: f64,
    rescale: Option<f64>,
    momentum: Option<f64>,
    parallel: Option<f64>,
    norm: Option<f64>,
    trajectory: Vec<Vec<f32>>,
}

fn goldens() -> Goldens {
    let text = std::fs::read_to_string(repository("onnx/goldens/guidance.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Sample by sample, by classifier-free guidance and by the classifier's ε̂, which with exact networks are one and the
/// same.
#[test]
fn deterministic_solvers_go_where_scipy_goes() {
    let Flows { modes, class, sigmas, starts, ends } = goldens().flows;
    assert_eq!((&modes[..], &class[..]), (&MODES[..], &[0, 1][..]));
    let schedule = Arc::new(VarianceExploding::new(sigmas[1], sigmas[0], 1e-5).unwrap());
    let count = starts.len();
    for End { scale, x } in ends {
        for (name, steps) in [("dpm-solver", 640), ("heun", 640), ("unipc", 640), ("deis", 640)] {
            for (what, denoiser) in [
                ("classifier-free", free(Guidance::new(scale))),
                ("classifier", by_classifier(scale, ClassifierForm::Noise)),
            ] {
                let options = GridOptions { ending: Ending::Level, ..GridOptions::new(Spacing::Exponential, steps) };
                let grid = Grid::spaced(Arc::clone(&schedule) as Arc<dyn NoiseSchedule>, &options).unwrap();
                let (first, last) = (grid.levels()[0].sigma, grid.levels()[grid.steps()].sigma);
                assert!((first - sigmas[0]).abs() < 1e-3 && (last - sigmas[1]).abs() < 1e-4, "{first} {last}");
                let noise = Box::new(CounterNoise::new(0));
                let mut job =
                    Job::new(denoiser, solver_of(name, &[]), grid, noise, condition(count), &[count, 2]).unwrap();
                let start: Vec<f32> = starts.iter().flatten().map(|value| *value as f32).collect();
                job.start_from(ArrayD::from_shape_vec(vec![count, 2], start).unwrap().view()).unwrap();
                let found = points(job.run().unwrap().view());
                let apart = |a: &[f64; 2], b: &[f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
                let worst = found.iter().zip(&x).map(|(a, b)| apart(a, b)).fold(0.0, f64::max);
                println!("{name}, {what}, scale {scale}: {worst:.1e}");
                assert!(worst < 1e-4, "{name}, {what}, scale {scale}: {worst:e}");
            }
        }
    }
}

/// Where the mode is decided already, guidance changes nothing: an interval that leaves those levels out goes where
/// guidance everywhere goes, for fewer evaluations.
#[test]
fn an_interval_is_as_good_for_fewer_evaluations() {
    let Flows { sigmas, starts, ends, .. } = goldens().flows;
    let schedule: Arc<dyn NoiseSchedule> = Arc::new(VarianceExploding::new(sigmas[1], sigmas[0], 1e-5).unwrap());
    let End { scale, x } = ends.iter().find(|end| end.scale == 4.0).unwrap();
    let count = starts.len();
    let run = |interval: [f64; 2]| {
        let (told, evaluations) = told();
        let mut guidance = Guidance::new(*scale);
        (guidance.interval, guidance.pairing) = (interval, Pairing::Sequential);
        let options = GridOptions { ending: Ending::Level, ..GridOptions::new(Spacing::Exponential, 40) };
        let grid = Grid::spaced(Arc::clone(&schedule), &options).unwrap();
        let denoiser = Box::new(ClassifierFree::new(told, guidance).unwrap());
        let (solver, noise) = (solver_of("dpm-solver", &[]), Box::new(CounterNoise::new(0)));
        let mut job = Job::new(denoiser, solver, grid, noise, condition(count), &[count, 2]).unwrap();
        let start: Vec<f32> = starts.iter().flatten().map(|value| *value as f32).collect();
        job.start_from(ArrayD::from_shape_vec(vec![count, 2], start).unwrap().view()).unwrap();
        let found = points(job.run().unwrap().view());
        let apart = found.iter().zip(x).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).sum::<f64>() / count as f64;
        (apart, evaluations.load(Ordering::SeqCst))
    };
    let (everywhere, within) = (run([0.0, f64::INFINITY]), run([0.2, f64::INFINITY]));
    println!(
        "mean distance from the guided flow: {:.5} with {} evaluations, {:.5} with {}",
        everywhere.0, everywhere.1, within.0, within.1
    );
    assert!(within.0 < 1.1 * everywhere.0 && within.1 + 10 < everywhere.1);
}

/// The trajectories of diffusers' DDIM with its guiders.
#[test]
fn guidance_is_as_in_diffusers() {
    let model = model("onnx/fixtures/labelled.onnx");
    let Runs { x, cases } = goldens().runs;
    let start = ArrayD::from_shape_vec(vec![2, 3, 8, 8], x).unwrap();
    let mut worst: f64 = 0.0;
    for Case { form, scale, rescale, momentum, parallel, norm, trajectory } in cases {
        for pairing in ["batched", "sequential"] {
            let mut request = Request {
                count: 2,
                classes: Some(vec![1; 2]),
                clipping: Clipping::Off,
                compat: Compat::Diffusers,
                ..Request::default()
            };
            let mut set = |key: &str, value: String| request.set(key, value).unwrap();
            for (key, value) in [("solver", "ddim"), ("steps", "20"), ("grid", "trailing"), ("guidance_form", &form)] {
                set(key, value.to_owned());
            }
            set("guidance_pairing", pairing.to_owned());
            set("guidance_scale", scale.to_string());
            let numbers = [rescale, momentum, parallel, norm];
            let keys = ["guidance_rescale", "guidance_momentum", "guidance_parallel", "guidance_norm"];
            for (key, value) in keys.iter().zip(numbers) {
                if let Some(value) = value {
                    set(key, value.to_string());
                }
            }
            if form == "apg" {
                // diffusers projects what the network says; the paper x̂₀.
                set("guidance_space", "output".to_owned());
            }
            let mut job = request.job(&model).unwrap();
            job.start_from(start.view()).unwrap();
            for expected in &trajectory {
                for _ in 0..5 {
                    job.step().unwrap();
                }
                let largest = expected.iter().fold(1.0f32, |most, value| most.max(value.abs()));
                let apart = job.sample().iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                worst = worst.max(f64::from(apart / largest));
                assert!(apart <= 1e-5 * largest, "{form}, scale {scale}, {pairing}: {apart:e} of {largest}");
            }
            assert!(job.progress().is_finished());
        }
    }
    println!("furthest from diffusers: {worst:.1e} of max(1, max|x|)");
}

/// CFG++ by its paper (Chung et al. 2024, algorithm 2), in f64: `x₋ = α₋·x̂₀(λ) + σ₋·ε̂(∅)`. Outside of an interval it is
/// the condition alone.
#[test]
fn cfg_plus_plus_renoises_with_the_unconditional_noise() {
    let starts = [[0.3f64, -1.1], [1.7, 0.4], [-0.9, -0.6]];
    let run = |guidance: Guidance, solver: &str| {
        let grid = grid("VP", 25);
        let noise = Box::new(CounterNoise::new(0));
        let mut job = Job::new(free(guidance), solver_of(solver, &[]), grid, noise, condition(3), &[3, 2]).unwrap();
        let start: Vec<f32> = starts.iter().flatten().map(|value| *value as f32).collect();
        job.start_from(ArrayD::from_shape_vec(vec![3, 2], start).unwrap().view()).unwrap();
        points(job.run().unwrap().view())
    };
    let plus_plus = |scale: f64| {
        let mut guidance = Guidance::new(scale);
        guidance.form = Form::PlusPlus;
        guidance
    };
    for scale in [0.0, 0.6, 1.0] {
        for solver in ["ddim", "euler"] {
            let found = run(plus_plus(scale), solver);
            for (found, start) in found.iter().zip(starts) {
                let mut x = start;
                for pair in grid("VP", 25).levels().windows(2) {
                    let (c, u) = (Mixture::weighted(pair[0], OF_CLASS).denoise(x), Mixture::at(pair[0]).denoise(x));
                    x = [0, 1].map(|axis| {
                        let epsilon = (x[axis] - pair[0].alpha * u[axis]) / pair[0].sigma;
                        pair[1].alpha * (u[axis] + scale * (c[axis] - u[axis])) + pair[1].sigma * epsilon
                    });
                }
                let apart = (found[0] - x[0]).hypot(found[1] - x[1]);
                assert!(apart < 1e-4, "{solver}, scale {scale}: {apart:e}");
            }
        }
    }
    let mut outside = plus_plus(0.6);
    outside.interval = [1e6, f64::INFINITY];
    assert_eq!(run(outside, "ddim"), run(Guidance::new(1.0), "ddim"));
    // Where x̂₀ and ε̂ are not told apart it would be plain guidance, and is refused.
    let model = model("onnx/fixtures/labelled.onnx");
    let request = Request { classes: Some(vec![1]), steps: Some(4), ..Request::default() };
    let request = request.with("guidance_form", "cfg++").unwrap().with("guidance_scale", 0.5).unwrap();
    for solver in ["ddpm", "heun", "unipc", "dpm-solver", "pndm", "reverse-sde", "rk45", "langevin"] {
        let said = request.clone().with("solver", solver).unwrap().job(&model).unwrap_err().to_string();
        assert!(said.starts_with("guidance_form: "), "{solver}: {said}");
    }
    for solver in ["ddim", "euler", "euler-ancestral", "tcd"] {
        assert!(request.clone().with("solver", solver).unwrap().job(&model).is_ok(), "{solver}");
    }
    // With the scale at 0 it is what it is close to 0, also where x̂₀ is clipped.
    let at = |scale: f64| {
        let request = request.clone().with("solver", "ddim").unwrap().with("guidance_scale", scale).unwrap();
        request.with("clipping", "on").unwrap().job(&model).unwrap().run().unwrap()
    };
    assert!(at(0.0).iter().zip(&at(1e-7)).all(|(a, b)| (a - b).abs() < 1e-4));
}

/// What is not guided is not evaluated twice: at the scale 1, at 0, and outside of the interval.
#[test]
fn an_interval_saves_the_evaluations_that_it_says() {
    let count = |guidance: Guidance, steps: usize| {
        let (told, count) = told();
        let denoiser = Box::new(ClassifierFree::new(told, guidance).unwrap());
        let noise = Box::new(CounterNoise::new(1));
        let job = Job::new(denoiser, solver_of("ddim", &[]), grid("VE", steps), noise, condition(4), &[4, 2]).unwrap();
        job.run().unwrap();
        count.load(Ordering::SeqCst)
    };
    let with = |change: &dyn Fn(&mut Guidance)| {
        let mut guidance = Guidance::new(4.0);
        guidance.pairing = Pairing::Sequential;
        change(&mut guidance);
        guidance
    };
    assert_eq!(count(with(&|_| {}), 20), 40);
    assert_eq!(count(with(&|guidance| guidance.scale = 1.0), 20), 20);
    assert_eq!(count(with(&|guidance| guidance.scale = 0.0), 20), 20);
    // One evaluation of a batch of twice the size.
    assert_eq!(count(with(&|guidance| guidance.pairing = Pairing::Batched), 20), 20);
    let guided = grid("VE", 20).levels()[..20].iter().filter(|level| (0.1..=2.0).contains(&level.sigma)).count();
    assert!((3..15).contains(&guided));
    assert_eq!(count(with(&|guidance| guidance.interval = [0.1, 2.0]), 20), 20 + guided);
    let scales: Vec<f64> = (0..20).map(|step| if step < 5 { 3.0 } else { 1.0 }).collect();
    assert_eq!(count(with(&|guidance| guidance.scales = Some(scales.clone())), 20), 25);
}

/// The gradient of an export, beside torch's.
#[test]
fn an_exported_classifier_says_its_gradient() {
    #[derive(Deserialize)]
    struct Said {
        index: f64,
        shape: Vec<usize>,
        x: Vec<f32>,
        class: Vec<i64>,
        output: Vec<f32>,
    }
    let model = model("onnx/fixtures/classifier.onnx");
    let text = std::fs::read_to_string(repository("onnx/fixtures/classifier.json")).unwrap();
    for Said { index, shape, x, class, output } in serde_json::from_str::<Vec<Said>>(&text).unwrap() {
        let x = ArrayD::from_shape_vec(shape, x).unwrap();
        let mut gradient = ArrayD::zeros(x.shape());
        let mut classifier = ClassGradient::new(Arc::clone(&model)).unwrap();
        let level = model.schedule().level(index);
        let query = Query { x: x.view(), level, condition: &Condition::default(), step: 0 };
        classifier.gradient(query, &class, &mut gradient).unwrap();
        for (found, expected) in gradient.iter().zip(&output) {
            assert!((found - expected).abs() < 1e-5, "{found} for {expected}");
        }
    }
    let plain = crate::support::model("onnx/fixtures/labelled.onnx");
    assert!(ClassGradient::new(plain).unwrap_err().to_string().starts_with("classifier: "));
}

#[test]
fn the_host_sees_every_estimate_and_may_change_it() {
    let model = model("onnx/fixtures/labelled.onnx");
    let seen = Arc::new(AtomicUsize::new(0));
    let run = |callback: Arc<diffuse::guidance::Callback>| {
        let request = Request {
            classes: Some(vec![1]),
            steps: Some(5),
            callback: Some(HostGuidance(callback)),
            ..Request::default()
        };
        request.job(&model).unwrap().run()
    };
    let counter = Arc::clone(&seen);
    let zero = run(Arc::new(move |query: &Query<'_>, x0: &mut [f32]| {
        assert!(query.x.len() == x0.len() && query.level.sigma > 0.0);
        counter.fetch_add(1, Ordering::SeqCst);
        x0.fill(0.25);
        Ok(())
    }))
    .unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 5);
    assert!(zero.iter().all(|value| (value - 0.25).abs() < 1e-6));
    let said = run(Arc::new(|query, _| if query.step == 2 { Err("the palette is empty".into()) } else { Ok(()) }));
    assert!(matches!(&said, Err(Error::Callback { step: 2, reason }) if reason == "the palette is empty"));
    let wrote = run(Arc::new(|_, x0| {
        x0[7] = f32::NAN;
        Ok(())
    }));
    assert!(wrote.unwrap_err().to_string().contains("wrote NaN as value 7"));
    // One that changes nothing changes nothing.
    let same = run(Arc::new(|_, _| Ok(()))).unwrap();
    let request = Request { classes: Some(vec![1]), steps: Some(5), ..Request::default() };
    assert_eq!(same, request.job(&model).unwrap().run().unwrap());
    let (told, _) = told();
    let mut host = ByHost::new(told, Arc::new(|_: &Query<'_>, _: &mut [f32]| Ok(())));
    let x = ArrayD::from_elem(vec![1, 2], f32::INFINITY);
    let level = NoiseLevel { t: 0.5, alpha: 1.0, sigma: 1.0 };
    let query = Query { x: x.view(), level, condition: &condition(1), step: 3 };
    let error = host.denoise(query, &mut Denoised::new(&[1, 2]).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Evaluation { step: 3, .. }), "{error}");
}
