//! No operation of ours is invalid in the sense of IEEE 754 (0/0, ∞ − ∞, 0·∞): such a result is a mistake, and a signal
//! in a host that asks for it.
#![cfg(target_arch = "x86_64")]

use std::arch::asm;

use diffuse::Request;
use diffuse::model::Manifest;
use diffuse::request::Plan;
use diffuse::schedule::Spacing;
use diffuse::solver::{Cursor, SOLVERS};

/// What `call` returns, and whether an operation in it was invalid.
fn watched<T>(call: impl FnOnce() -> T) -> (T, bool) {
    const INVALID: u32 = 1;
    let mut control = 0u32;
    // SAFETY: the register is stored, and gets back what it held but for the flags, which control nothing.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack)) };
    let cleared = control & !0x3f;
    // SAFETY: as above.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const cleared, options(nostack)) };
    let result = std::hint::black_box(call());
    // SAFETY: as above.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack)) };
    (result, control & INVALID != 0)
}

#[test]
fn the_flag_is_seen() {
    let zero = std::hint::black_box(0.0f64);
    assert!(watched(|| zero / zero).1);
    assert!(!watched(|| 1.0 / zero).1);
}

fn manifests() -> Vec<(String, Manifest)> {
    let schedules = [
        r#"{"kind": "linear"}"#,
        r#"{"kind": "linear", "terminal": "zero_snr"}"#,
        r#"{"kind": "linear", "train_steps": 100, "beta_start": 0.00001, "beta_end": 0.01}"#,
        r#"{"kind": "scaled_linear"}"#,
        r#"{"kind": "cosine"}"#,
        r#"{"kind": "sigmoid"}"#,
        r#"{"kind": "sigmoid_alpha_bar"}"#,
        r#"{"kind": "exponential"}"#,
        r#"{"kind": "laplace"}"#,
        r#"{"kind": "vp"}"#,
        r#"{"kind": "sub_vp"}"#,
        r#"{"kind": "ve", "sigma_min": 0.01, "sigma_max": 50.0}"#,
        r#"{"kind": "edm"}"#,
        r#"{"kind": "continuous_cosine"}"#,
        r#"{"kind": "flow"}"#,
    ];
    let mut manifests = Vec::new();
    for schedule in schedules {
        for prediction in ["x0", "v", "epsilon", "flow", "score"] {
            let json = format!(
                r#"{{"diffuse": 1, "sample": {{"shape": [4]}}, "schedule": {schedule}, "prediction": "{prediction}"}}"#
            );
            if let Ok(manifest) = Manifest::parse(&json) {
                manifests.push((format!("{schedule} {prediction}"), manifest));
            }
        }
    }
    manifests
}

/// Every schedule, its levels and rates, and every solver's moves on every grid.
#[test]
fn schedules_and_solvers_divide_no_zero_by_zero() {
    let mut found = Vec::new();
    let mut plans = 0;
    for (name, manifest) in manifests() {
        for &spacing in Spacing::WORDS {
            for entry in SOLVERS {
                for steps in [1, 2, 7] {
                    let (made, invalid) = watched(|| {
                        let mut request = Request::default();
                        request.set("solver", entry.name).unwrap();
                        request.set("grid", spacing).unwrap();
                        request.set("steps", steps).unwrap();
                        let Ok(Plan { solver, grid, .. }) = request.plan(&manifest) else { return false };
                        let mut at = Cursor::default();
                        while at.step < grid.steps() {
                            let _ = solver.evaluate_at(&grid, at);
                            at = solver.plan(&grid, at).next;
                        }
                        for level in grid.levels() {
                            let _ = (manifest.prediction.to_x0(*level, grid.schedule(), 0.5), level.lambda());
                        }
                        true
                    });
                    plans += usize::from(made);
                    if invalid {
                        found.push(format!("{name}, {spacing}, {}, {steps} steps", entry.name));
                    }
                }
            }
        }
    }
    println!("{plans} plans");
    assert!(plans > 1000, "{plans}");
    assert!(found.is_empty(), "{} of {plans} plans, such as\n{}", found.len(), found[..found.len().min(40)].join("\n"));
}
