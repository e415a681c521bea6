//! What a request makes of a manifest, without a network: every solver on every kind of model, and requests that
//! contradict themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use diffuse::model::{Manifest, SchedulerConfig};
use diffuse::option::{Kind, OptionEntry};
use diffuse::request::Plan;
use diffuse::solver::{Cursor, NAMES, SOLVERS, Update};
use diffuse::{Error, Request, settings};
use ndarray::{ArrayD, IxDyn};
use serde_json::{Value, json};

use crate::support::{model, repository};

fn manifest(change: Value) -> Manifest {
    let mut manifest = json!({"diffuse": 1, "sample": {"shape": [2], "range": [-1, 1]}, "schedule": {"kind": "linear"}, "prediction": "x0"});
    for (key, value) in change.as_object().unwrap() {
        manifest[key] = value.clone();
    }
    Manifest::parse(&manifest.to_string()).unwrap()
}

fn kinds() -> Vec<Manifest> {
    let mut kinds: Vec<Manifest> = [
        json!({"kind": "linear"}),
        json!({"kind": "cosine", "train_steps": 300}),
        json!({"kind": "scaled_linear", "terminal": "zero_snr"}),
        json!({"kind": "linear", "terminal": "floored"}),
        json!({"kind": "trained", "betas": [0.01, 0.02, 0.04, 0.08, 0.16, 0.3, 0.5, 0.7]}),
        json!({"kind": "sigmoid_alpha_bar"}),
        json!({"kind": "vp"}),
        json!({"kind": "sub_vp"}),
        json!({"kind": "ve", "sigma_min": 0.01, "sigma_max": 50}),
        json!({"kind": "edm"}),
        json!({"kind": "flow"}),
        json!({"kind": "trigonometric"}),
        json!({"kind": "continuous_cosine"}),
    ]
    .map(|schedule| manifest(json!({ "schedule": schedule })))
    .into();
    // With defaults of their own, which are for one solver and must not get in the way of another.
    kinds.push(manifest(json!({"defaults": {"solver": "unipc", "options": {"order": 3, "scaling": "bh1"}}})));
    kinds.push(manifest(
        json!({"defaults": {"solver": "ddim", "eta": 0.5, "grid": "leading", "steps_offset": 1, "ending": "first"}}),
    ));
    kinds.push(manifest(json!({"defaults": {"grid": "karras", "options": {"rho": 5, "corrector_steps": 2}}})));
    kinds
}

fn is_finite(update: &Update) -> bool {
    let Update { x, denoised, direction, noise, saved, history } = *update;
    [x, denoised, direction, noise, saved].iter().chain(&history).all(|value| value.is_finite())
}

#[test]
fn every_solver_has_finite_coefficients_on_every_kind_of_model() {
    for manifest in kinds() {
        for name in NAMES {
            for steps in [1, 2, 3, 7] {
                let request = Request { solver: Some((*name).into()), steps: Some(steps), ..Request::default() };
                let what = format!("{name}, {steps} steps, {:?} {:?}", manifest.schedule, manifest.defaults);
                let Plan { solver, grid, .. } =
                    request.plan(&manifest).unwrap_or_else(|error| panic!("{what}: {error}"));
                let mut at = Cursor::default();
                while at.step < grid.steps() {
                    let step = solver.plan(&grid, at);
                    assert!(
                        is_finite(&step.update) && step.keep.is_none_or(|(_, kept)| is_finite(&kept)),
                        "{what}: {step:?}"
                    );
                    if let Some(level) = solver.evaluate_at(&grid, at) {
                        assert!(level.alpha.is_finite() && level.sigma > 0.0, "{what}: {level:?}");
                    }
                    at = step.next;
                }
            }
        }
        // What is kept beside a picture draws it again.
        let request = Request::default().resolved(&manifest);
        let again = request.resolved(&manifest);
        assert_eq!(serde_json::to_value(&request).unwrap(), serde_json::to_value(&again).unwrap());
        assert!(again.plan(&manifest).is_ok());
    }
}

#[test]
fn contradictions_name_the_option_and_say_what_would_be_right() {
    let linear = || manifest(json!({}));
    let flow = || manifest(json!({"schedule": {"kind": "flow"}}));
    let zero = || manifest(json!({"schedule": {"kind": "linear", "terminal": "zero_snr"}}));
    let edm = || manifest(json!({"schedule": {"kind": "edm"}}));
    type Told = &'static [(&'static str, &'static str)];
    let cases: &[(Manifest, Told, &str, &str)] = &[
        (linear(), &[("solver", "heun"), ("eta", "0.5")], "eta", "ddim"),
        (linear(), &[("solver", "dpm-solver"), ("algorithm", "sde-dpm-solver"), ("order", "3")], "order", "up to 3"),
        (
            linear(),
            &[("solver", "dpm-solver-singlestep"), ("algorithm", "sde-dpm-solver")],
            "algorithm",
            "sde-dpm-solver++",
        ),
        (linear(), &[("sigmas", "3,4,1")], "sigmas", "has to fall"),
        (linear(), &[("sigmas", "3,0,0")], "sigmas", "above 0"),
        (linear(), &[("sigmas", "500,1")], "sigmas", "ends at"),
        (linear(), &[("timesteps", "10,20")], "timesteps", "has to fall"),
        (linear(), &[("timesteps", "2000,20")], "timesteps", "0 to 999"),
        (linear(), &[("timesteps", "900,20"), ("sigmas", "3,1")], "sigmas", "one of the two"),
        (linear(), &[("timesteps", "900,20"), ("grid", "karras")], "grid", "which are the grid"),
        (linear(), &[("timesteps", "900,20"), ("steps", "3")], "steps", "2 timesteps"),
        (linear(), &[("grid", "karras"), ("sigma_min", "5"), ("sigma_max", "2")], "sigma_max", "above sigma_min"),
        (linear(), &[("grid", "trailing"), ("rho", "5")], "rho", "karras"),
        (linear(), &[("grid", "trailing"), ("sigma_max", "5")], "sigma_max", "exponential"),
        (linear(), &[("grid", "trailing"), ("original_steps", "20")], "original_steps", "lcm"),
        (linear(), &[("grid", "lcm"), ("original_steps", "10"), ("steps", "20")], "original_steps", "20 to 1000"),
        (linear(), &[("grid", "crash")], "grid", "continuous"),
        (linear(), &[("shift", "3"), ("grid", "trailing")], "shift", "flow matching"),
        (linear(), &[("steps", "1001")], "steps", "1 to 1000"),
        (linear(), &[("corrector_snr", "0.1")], "corrector_snr", "corrector_steps"),
        (linear(), &[("solver", "langevin"), ("corrector_steps", "0")], "corrector_steps", "at least 1"),
        (linear(), &[("solver", "rk45"), ("corrector_steps", "1")], "corrector_steps", "chooses its own levels"),
        (linear(), &[("solver", "heun"), ("s_noise", "1.1")], "s_noise", "s_churn"),
        (linear(), &[("solver", "heun"), ("s_churn", "1"), ("s_tmin", "2"), ("s_tmax", "1")], "s_tmax", "above s_tmin"),
        (linear(), &[("solver", "dpm-solver-2s"), ("midpoint_noise", "1")], "midpoint_noise", "eta"),
        (linear(), &[("solver", "ddpm"), ("variance", "learned")], "variance", "use posterior or beta"),
        (linear(), &[("threshold_ratio", "0.9")], "threshold_ratio", "dynamic"),
        (flow(), &[("sigmas", "5,0.5")], "sigmas", "ends at 1"),
        (flow(), &[("grid", "lcm")], "grid", "steps of training"),
        (zero(), &[("grid", "karras")], "sigma_max", "give another"),
        (edm(), &[("ending", "first")], "ending", "least noisy"),
        (edm(), &[("sigmas", "5,4.9999999999999991,1")], "sigmas", "has to fall"),
        (flow(), &[("sigmas", "0.5,1e-300")], "sigmas", "above 0"),
        (linear(), &[("steps", "1"), ("ending", "level"), ("grid", "trailing")], "steps", "needs 2"),
        (linear(), &[("solver", "sa-solver"), ("tau_from", "0.9"), ("tau_to", "0.1")], "tau_to", "above tau_from"),
        (edm(), &[("steps_offset", "1"), ("grid", "leading")], "steps_offset", "steps of training"),
    ];
    for (manifest, told, name, right) in cases {
        let mut request = Request::default();
        told.iter().try_for_each(|(key, value)| request.set(key, value)).unwrap();
        match request.plan(manifest) {
            Ok(plan) => panic!("{told:?} makes {}", plan.solver),
            Err(error) => {
                let text = error.to_string();
                assert!(text.starts_with(&format!("{name}: ")) && text.contains(right), "{told:?}: {text}");
            }
        }
    }
    // Of the option alone, when it is set.
    for (key, value) in [
        ("rtol", "0"),
        ("rtol", "-1"),
        ("atol", "nan"),
        ("order", "4"),
        ("lms_order", "0"),
        ("gamma", "1.1"),
        ("sigmas", "1,,2"),
    ] {
        let error = Request::default().with(key, value).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{key}: ")) && error.contains("expected"), "{error}");
    }
}

#[test]
fn a_schedulers_configuration_has_to_be_the_models() {
    let text = |class: &str, more: Value| {
        let mut config = json!({"_class_name": class, "num_train_timesteps": 1000});
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        config.to_string()
    };
    let model = manifest(json!({"prediction": "epsilon"}));
    let plan = |class: &str, more: Value| {
        let mut request = Request::default();
        request.set_scheduler_config(&SchedulerConfig::parse(&text(class, more)).unwrap())?;
        request.plan(&model).map(|plan| plan.solver.to_string())
    };
    let dpm = plan("DPMSolverMultistepScheduler", json!({"beta_schedule": "linear", "solver_order": 3}));
    assert_eq!(dpm.unwrap(), "dpm-solver++ (multistep, order 3)");
    // Another solver takes nothing that was meant for the configuration's own.
    let mut request = Request::default();
    let config = text("UniPCMultistepScheduler", json!({"solver_order": 3, "use_karras_sigmas": true}));
    request.set_scheduler_config(&SchedulerConfig::parse(&config).unwrap()).unwrap();
    request.set("solver", "heun").unwrap();
    assert_eq!(request.plan(&model).unwrap().solver.to_string(), "heun");
    for (class, more, what) in [
        ("DDIMScheduler", json!({"beta_schedule": "squaredcos_cap_v2"}), "another schedule"),
        ("DDIMScheduler", json!({"prediction_type": "v_prediction"}), "predicts v; this model predicts epsilon"),
        ("DDIMScheduler", json!({"clip_sample_range": 2.0}), "clip_sample_range"),
    ] {
        let error = plan(class, more).unwrap_err().to_string();
        assert!(error.starts_with("scheduler_config: ") && error.contains(what), "{error}");
    }
    for (class, more, what) in [
        ("KarrasVpScheduler", json!({}), "KarrasVpScheduler"),
        ("DDIMScheduler", json!({"solver_orders": 2}), "solver_orders"),
        ("UniPCMultistepScheduler", json!({"shift_terminal": 0.1}), "use_flow_sigmas"),
        ("FlowMatchEulerDiscreteScheduler", json!({"shift_terminal": 1.5}), "between 0 and 1"),
        ("FlowMatchEulerDiscreteScheduler", json!({"shift": 0.0}), "above 0"),
        ("DDIMScheduler", json!({"num_train_timesteps": 0}), "num_train_timesteps: 0"),
        ("FlowMatchEulerDiscreteScheduler", json!({"num_train_timesteps": 0}), "num_train_timesteps: 0"),
        ("DDIMScheduler", json!({"num_train_timesteps": 10_000_000}), "num_train_timesteps: 10000000"),
        ("DDPMScheduler", json!({"variance_type": "fixed_large_log"}), "variance_type"),
        ("DDIMScheduler", json!({"num_train_timesteps": "many"}), "num_train_timesteps"),
        ("DDIMScheduler", json!({"beta_schedule": "spiral"}), "beta_schedule"),
        ("EulerDiscreteScheduler", json!({"use_karras_sigmas": true, "use_beta_sigmas": true}), "use_beta_sigmas"),
        (
            "DPMSolverMultistepScheduler",
            json!({"use_flow_sigmas": true, "prediction_type": "epsilon"}),
            "prediction_type",
        ),
    ] {
        let error = SchedulerConfig::parse(&text(class, more)).unwrap_err().to_string();
        assert!(error.contains(what), "{what}: {error}");
    }
    // As Python writes what JSON does not have.
    let json = "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"lambda_min_clipped\": -Infinity}";
    assert!(SchedulerConfig::parse(json).is_ok());
    let json = "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"beta_start\": NaN}";
    assert!(
        SchedulerConfig::parse(json).unwrap_err().to_string().starts_with("beta_start: \"NaN\"; expected a number")
    );
    // What other classes have is ignored, and said.
    let json = "{\"_class_name\": \"DDIMScheduler\", \"skip_prk_steps\": true}";
    assert_eq!(SchedulerConfig::parse(json).unwrap().ignored, ["skip_prk_steps"]);
    // That of an inverse inverts, and one that is set afterwards does not.
    assert_eq!(plan("DDIMInverseScheduler", json!({"clip_sample": false})).unwrap(), "ddim inverse");
    let mut request = Request::default();
    for (class, inverts) in [("DPMSolverMultistepInverseScheduler", true), ("DDIMScheduler", false)] {
        request.set_scheduler_config(&SchedulerConfig::parse(&text(class, json!({}))).unwrap()).unwrap();
        assert_eq!(request.invert, inverts);
    }
}

/// A configuration that is set again, or whose own solver or grid is, says what it said; that of another grid lets go
/// of what only its own has.
#[test]
fn a_configuration_is_the_same_when_it_is_said_again() {
    let (mut files, mut before) = (0, None);
    for entry in std::fs::read_dir(repository("onnx/fixtures/schedulers")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let config = SchedulerConfig::parse(&text).unwrap();
        let mut request = Request::default();
        request.set_scheduler_config(&config).unwrap();
        // After itself, and after another.
        for mut again in [Some(request.clone()), before.take()].into_iter().flatten() {
            again.set_scheduler_config(&config).unwrap();
            assert_eq!(again.options, request.options, "{text}");
            assert_eq!((&again.solver, again.grid), (&request.solver, request.grid), "{text}");
        }
        before = Some(request.clone());
        let mut again = request.clone();
        for key in ["solver", "grid"] {
            again.set(key, &config.options()[key]).unwrap();
            assert_eq!(again, request, "{key}: {text}");
        }
        files += 1;
        let trained = json!({
            "schedule": config.schedule, "prediction": config.prediction, "variance": config.variance,
        });
        let Some(manifest) = config.sigma_data.is_none().then(|| manifest(trained)) else { continue };
        for grid in ["trailing", "karras", "leading"] {
            let mut other = request.clone().with("grid", grid).unwrap();
            other.clipping = settings::Clipping::Off;
            if config.dynamic_shift.is_some() {
                other.set("shift", 2).unwrap();
            }
            if let Err(error) = other.plan(&manifest) {
                let said = error.to_string();
                let of_caller = ["sigma_max: the schedule's own"].iter().any(|key| said.starts_with(key));
                assert!(of_caller, "{grid}: {said}: {text}");
            }
        }
    }
    assert!(files >= 30);
}

/// What a dynamic shift is told: the number of tokens, μ, or the shift itself, and one of them.
#[test]
fn tokens_make_the_shift_of_a_configuration() {
    let config = json!({
        "_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": true, "base_shift": 0.5,
        "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096,
    });
    let config = SchedulerConfig::parse(&config.to_string()).unwrap();
    let model = manifest(json!({"schedule": {"kind": "flow"}, "prediction": "flow"}));
    for compat in ["papers", "diffusers"] {
        let plan = |told: &[(&str, &str)]| {
            let mut request = Request::default();
            request.set_scheduler_config(&config)?;
            request.set("compat", compat)?;
            request.set("steps", 8)?;
            told.iter().try_for_each(|(key, value)| request.set(key, value))?;
            request.plan(&model).map(|plan| plan.grid.levels()[4].t)
        };
        let refused = |told: &[(&str, &str)]| plan(told).unwrap_err().to_string();
        // μ of 1,024 tokens lies a fifth of the way from 0.5 to 1.15; FLUX.2's of 4,096 in 8 steps by its own code is
        // below.
        let near = |one: f64, other: f64| assert!((one - other).abs() < 1e-6, "{one} and {other}");
        near(plan(&[("tokens", "1024")]).unwrap(), plan(&[("mu", "0.63")]).unwrap());
        near(plan(&[("mu", "0.63")]).unwrap(), plan(&[("shift", "1.8776105792643432")]).unwrap());
        let empirical = plan(&[("tokens", "4096"), ("mu_rule", "empirical")]).unwrap();
        near(empirical, plan(&[("mu", "2.2678904387254573")]).unwrap());
        assert!(refused(&[]).contains("give tokens"), "{}", refused(&[]));
        for (told, name) in [
            (&[("tokens", "1024"), ("mu", "0.6")][..], "tokens: "),
            (&[("shift", "2"), ("mu", "0.6")], "mu: "),
            (&[("mu", "0.6"), ("mu_rule", "empirical")], "mu_rule: "),
        ] {
            assert!(refused(told).starts_with(name), "{told:?}: {}", refused(told));
        }
    }
    let error = Request::default().with("tokens", "9").unwrap().plan(&model).unwrap_err().to_string();
    assert!(error.starts_with("tokens: ") && error.contains("configuration"), "{error}");
}

/// What `onnx/pages/diffusers.md` makes of a scheduler (`onnx/test_pages_alone.py`) is what is read of it here.
#[test]
fn the_page_of_diffusers_knows_the_same_schedulers() {
    let cases = include_str!("../../onnx/fixtures/scheduler_configs.json");
    let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() > 15);
    for case in cases {
        let why = &case["why"];
        let config = SchedulerConfig::parse(&case["config"].to_string());
        let Some(page) = case.get("manifest").map(|manifest| Manifest::parse(&manifest.to_string()).unwrap()) else {
            // The page is for networks that are not preconditioned.
            let refused = |error: diffuse::Error| error.to_string().contains(case["refused"].as_str().unwrap());
            assert!(config.map_or_else(refused, |config| config.sigma_data.is_some()), "{why}");
            continue;
        };
        let config = config.unwrap();
        assert_eq!(page.schedule, config.schedule, "{why}");
        assert_eq!((page.prediction, page.variance), (config.prediction, config.variance), "{why}");
        assert_eq!(page.defaults.ending, config.defaults.ending, "{why}");
        let option = |key: &str| page.defaults.options.get(key).and_then(Value::as_f64);
        assert_eq!(config.threshold.map(|[ratio, _]| ratio), option("threshold_ratio"), "{why}");
        assert_eq!(config.threshold.map(|[_, most]| most), option("threshold_max"), "{why}");
        assert_eq!(config.defaults.options.get("shift").and_then(Value::as_f64), option("shift"), "{why}");
        // The run that the configuration asks for is one of the model's.
        let mut request = Request::default();
        request.set_scheduler_config(&config).unwrap();
        request.plan(&page).unwrap_or_else(|error| panic!("{why}: {error}"));
    }
}

/// What Godot, PowerShell and Python write is read, and what says two things at once is not.
#[test]
fn configurations_are_read_in_every_encoding_and_refused_where_they_are_ambiguous() {
    let plain =
        r#"{"_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "beta_start": 0.0001, "clip_sample": false}"#;
    let expected = SchedulerConfig::parse(plain).unwrap();
    let spelled = plain.replace("1000,", "1000.0,");
    let wide =
        |text: &str| [&[0xff, 0xfe][..], &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat();
    let marked = format!("\u{feff}{spelled}");
    for bytes in [plain.as_bytes(), spelled.as_bytes(), marked.as_bytes(), &wide(plain), &wide(&spelled)] {
        assert_eq!(SchedulerConfig::from_bytes(bytes).unwrap(), expected);
    }
    for (wrong, why) in [
        (
            plain.replace("\"beta_start\"", "\"num_train_timesteps\": 500, \"beta_start\""),
            "\"num_train_timesteps\" is there twice",
        ),
        (plain.replace("1000,", "1000.5,"), "num_train_timesteps"),
        (plain.replace("1000,", ","), "line 1 column"),
    ] {
        let error = SchedulerConfig::from_bytes(wrong.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(SchedulerConfig::from_bytes(b"{\"\xff\": 1}").unwrap_err().to_string().contains("neither UTF-8"));
    let manifest = r#"{"diffuse": 1, "sample": {"shape": [2]}, "schedule": {"kind": "linear"}, "prediction": "x0"}"#;
    assert_eq!(Manifest::from_bytes(&wide(manifest)).unwrap(), Manifest::parse(manifest).unwrap());
    let twice = manifest.replace("\"kind\": ", "\"kind\": \"cosine\", \"kind\": ");
    let error = Manifest::from_bytes(twice.as_bytes()).unwrap_err();
    assert!(error.contains("\"schedule.kind\" is there twice at line 1 column"), "{error}");
}

/// What something was called once is an error that says what it is called now; a manifest is read with either.
#[test]
fn former_names_name_the_present_ones() {
    for (key, value, named) in [
        ("likeness", "diffusers", "\"compat\""),
        ("most_evaluations", "100", "\"max_evaluations\""),
        ("guidance_pairing", "together", "\"batched\""),
        ("guidance_pairing", "apart", "\"sequential\""),
    ] {
        let message = Request::default().set(key, value).unwrap_err().to_string();
        assert!(message.contains(named), "{key}: {message}");
    }
    let manifest = |sigma_data: &str, options: &str| {
        Manifest::parse(&format!(
            r#"{{"diffuse": 1, "sample": {{"shape": [2], "{sigma_data}": 0.25}}, "schedule": {{"kind": "edm"}}, "prediction": "edm",
                "defaults": {{"solver": "rk45", "options": {options}}}}}"#
        ))
    };
    let former = manifest("deviation", r#"{"most_evaluations": 100, "guidance_pairing": "apart"}"#).unwrap();
    assert_eq!(
        former,
        manifest("sigma_data", r#"{"max_evaluations": 100, "guidance_pairing": "sequential"}"#).unwrap()
    );
    let written = serde_json::to_string(&former).unwrap();
    assert!(
        written.contains("sigma_data") && !written.contains("deviation") && !written.contains("apart"),
        "{written}"
    );
    let both = manifest("deviation", r#"{"most_evaluations": 100, "max_evaluations": 100}"#).unwrap_err();
    assert!(both.contains("the same option"), "{both}");
}

/// Values of every kind that an option may have.
fn values_of(option: &OptionEntry) -> Vec<String> {
    match option.kind {
        Kind::Flag => vec!["0".into(), "1".into()],
        Kind::Choice(words, _) => words.iter().map(ToString::to_string).collect(),
        Kind::Whole(least, most) => [least, 2, 3, 20, 400].map(|value| value.clamp(least, most).to_string()).to_vec(),
        Kind::Real(least, most) => {
            [0.0, 0.1, 0.3, 0.6, 0.9, 2.0, 7.0].map(|value: f64| value.clamp(least, most).to_string()).to_vec()
        }
        Kind::Numbers => ["900,500", "900,100", "0.9,0.5", "0.9,0.1", "3,2", "5,4"].map(Into::into).to_vec(),
        _ => panic!("{} is of no kind that a request has", option.key),
    }
}

/// What an option may need beside it to count: a grid, guidance, a solver, or another of the solver's options.
fn surroundings() -> Vec<Vec<(&'static str, String)>> {
    let pairs = |pairs: &[(&'static str, &str)]| pairs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    let mut all: Vec<Vec<_>> = [
        &[][..],
        &[("grid", "karras")],
        &[("grid", "lcm")],
        &[("grid", "leading")],
        &[("guidance_scale", "3")],
        &[("guidance_scale", "3"), ("guidance_form", "apg")],
        &[("clipping", "dynamic")],
        &[("corrector_steps", "1")],
        &[("steps", "2")],
    ]
    .map(pairs)
    .into();
    for solver in SOLVERS {
        all.push(pairs(&[("solver", solver.name)]));
        for option in solver.options {
            all.extend(
                values_of(option).into_iter().map(|value| vec![("solver", solver.name.into()), (option.key, value)]),
            );
        }
    }
    all
}

/// An option that is set and that nobody reads would be no error anywhere: each makes another plan where it counts.
#[test]
fn every_option_is_read() {
    // What a plan only names, and what is made with the job: the tests of editing, noise and guidance hold these.
    // And what is for a scheduler's configuration, which has a test of its own above.
    const OF_JOBS: &[&str] = &[
        "noise",
        "interpolate_to",
        "variation_seed",
        "variation_strength",
        "classifier_scale",
        "classifier_form",
        "tokens",
        "mu_rule",
        "seeds",
        "strength_of",
        // Of pipelines, whose tests are in folders.rs and pipelines.rs.
        "width",
        "height",
        "tile",
        "paste",
        "weights",
        "long_prompts",
        "image_guidance_scale",
    ];
    let manifests = [("linear", "epsilon"), ("flow", "flow"), ("edm", "edm")].map(|(schedule, prediction)| {
        manifest(json!({
            "sample": {"shape": [3, 8, 8]}, "schedule": {"kind": schedule}, "prediction": prediction,
            "classes": {"count": 3, "null": 3}, "variance": "learned_range",
        }))
    });
    let surroundings = surroundings();
    for option in settings::all().filter(|option| !OF_JOBS.contains(&option.key)) {
        let mut made = surroundings.iter().flat_map(|around| manifests.iter().map(move |manifest| (around, manifest)));
        let is_read = made.any(|(around, manifest)| {
            let plan = |value: String| {
                let image = (option.key == "invert").then(|| Arc::new(ArrayD::zeros(IxDyn(&[3, 8, 8]))));
                let mut request = Request { classes: Some(vec![1]), image, ..Request::default() };
                around.iter().try_for_each(|(key, value)| request.set(key, value)).ok()?;
                request.set(option.key, value).ok()?;
                let plan = request.plan(manifest).ok()?;
                Some(format!("{:?} {:?} {:?} {:?}", plan.solver, plan.grid.levels(), plan.guidance, plan.clipping))
            };
            values_of(option).into_iter().filter_map(plan).collect::<BTreeSet<_>>().len() > 1
        });
        assert!(
            is_read,
            "{}: no plan depends on it; nobody reads it, or it counts where this test does not look",
            option.key
        );
    }
}

/// An interface that knows no option sets each by what is said of it.
#[test]
fn what_is_said_of_options_can_be_set() {
    let described = settings::described();
    let entries = described.as_array().unwrap();
    assert_eq!(entries.len(), settings::all().count());
    for entry in entries {
        let name = entry["name"].as_str().unwrap();
        let set = |value: &serde_json::Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            Request::default().with(name, &text).unwrap_or_else(|error| panic!("{entry}: {error}"))
        };
        let bounds = ["default", "minimum", "maximum"].map(|bound| entry.get(bound));
        bounds.into_iter().flatten().for_each(|value| drop(set(value)));
        let choices = entry.get("choices").and_then(|choices| choices.as_array());
        assert_eq!(choices.is_some(), entry["kind"] == "choice", "{entry}");
        choices.into_iter().flatten().for_each(|word| drop(set(word)));
        if let Some(meanings) = entry.get("meanings") {
            assert_eq!(meanings.as_array().map(Vec::len), choices.map(Vec::len), "{entry}");
        }
        // What a model may have another default for is not to be sent back as its own.
        let of_model = entry["default_text"].as_str().is_some_and(|text| text.starts_with("the model's"));
        assert!(!of_model || entry.get("default").is_none(), "{entry}");
        assert!(entry["text"].as_str().unwrap().ends_with('.') && !entry["group"].as_str().unwrap().is_empty());
        // What was set and taken back was never set.
        for value in [entry.get("maximum"), choices.and_then(|choices| choices.last())].into_iter().flatten() {
            let mut request = set(value);
            request.unset(name).unwrap();
            assert_eq!(request, Request::default(), "{entry}");
        }
    }
    assert!(entries.iter().any(|entry| entry.get("default").is_some()));
    let with = |name: &str| &entries.iter().find(|entry| entry["name"] == name).unwrap()["solvers"];
    assert!(with("eta").as_array().unwrap().contains(&"ddim".into()) && with("steps").is_null());
    let unknown = Request::default().unset("no such option").unwrap_err().to_string();
    assert!(unknown.contains("no such option") && unknown.contains("guidance_scale"), "{unknown}");
}

/// What a scheduler's configuration has set for its own solver or grid goes with that.
#[test]
fn a_solver_of_a_configuration_is_taken_back_with_its_options() {
    let model = model("onnx/models/sprites.onnx");
    for class in ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "LCMScheduler"] {
        let config =
            json!({"_class_name": class, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"});
        let config = SchedulerConfig::parse(&config.to_string()).unwrap();
        for keys in [&["solver"][..], &["grid"], &["solver", "grid"], &["grid", "solver"]] {
            let mut request = Request { count: 1, ..Request::default() }.with("steps", 4).unwrap();
            request.set_scheduler_config(&config).unwrap();
            let own = request.clone();
            keys.iter().for_each(|key| request.unset(key).unwrap());
            assert_ne!(request, own);
            request.job(&model).unwrap_or_else(|error| panic!("{class} without {keys:?}: {error}"));
        }
    }
}

#[test]
fn absurd_counts_of_a_class_by_name_are_refused() {
    let model = model("onnx/models/sprites.onnx");
    for count in [usize::MAX, usize::MAX / 2, 1 << 44, 1 << 28] {
        let request = Request { count, class_names: vec!["heart".into()], ..Request::default() };
        let error = request.job(&model).map(drop).unwrap_err();
        assert!(matches!(&error, Error::Argument { name: "shape", .. }), "{error}");
    }
}

#[test]
fn classes_are_named_or_numbered() {
    let model = model("onnx/models/sprites.onnx");
    let drawn = |request: Request| request.with("steps", 2).unwrap().job(&model).unwrap().run().unwrap();
    let numbers = vec![model.class("heart").unwrap(), model.class("none").unwrap()];
    let names: Vec<String> = ["heart", "none"].map(ToOwned::to_owned).to_vec();
    let by_number = Request { count: 2, classes: Some(numbers.clone()), ..Request::default() };
    let by_name = Request { count: 2, class_names: names.clone(), ..Request::default() };
    assert_eq!(drawn(by_number.clone()), drawn(by_name.clone()));
    let one = Request { count: 2, class_names: vec!["1".into()], ..Request::default() };
    assert_eq!(drawn(one), drawn(Request { count: 2, classes: Some(vec![1, 1]), ..Request::default() }));
    // Also what guidance leads away from.
    let away = Request { negative_class_names: vec!["sword".into()], ..by_name.clone() };
    let negative = Request { negative_classes: Some(vec![model.class("sword").unwrap()]), ..by_number.clone() };
    let guided = |request: Request| drawn(request.with("guidance_scale", 3).unwrap());
    assert_eq!(guided(away), guided(negative));
    for (request, said) in [
        (Request { class_names: vec!["heart".into(), "housing".into()], count: 2, ..Request::default() }, "housing"),
        (Request { class_names: names, ..by_number }, "by name and by number"),
        (Request { count: 3, ..by_name }, "classes"),
    ] {
        let error = request.job(&model).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
