//! What a run is told by name beside its solver's own options: its grid's numbers, corrections and thresholds.

use crate::option::{Kind, OptionEntry};
use crate::solver;

/// These options. Each is for some grids, or some settings, alone, and an error with others.
pub const OPTIONS: &[OptionEntry] = &[
    OptionEntry { key: "rho", kind: Kind::Real(0.1, 100.0), summary: "ρ of the karras grid; 7 unless set." },
    OptionEntry {
        key: "sigma_min",
        kind: Kind::Real(1e-9, 1e9),
        summary: "The least σ/α of the grids over noise (t for flow matching); the schedule's unless set.",
    },
    OptionEntry {
        key: "sigma_max",
        kind: Kind::Real(1e-9, 1e9),
        summary: "The greatest σ/α of the grids over noise (t for flow matching); the schedule's unless set.",
    },
    OptionEntry {
        key: "original_steps",
        kind: Kind::Whole(1, 1_000_000),
        summary: "The steps of distillation, for the lcm grid; 50 unless set.",
    },
    OptionEntry {
        key: "shift",
        kind: Kind::Real(1e-3, 1e3),
        summary: "The shift s of times toward noise, s·t/(1 + (s−1)·t), for flow matching; 1 unless set. e^μ is diffusers' dynamic shift.",
    },
    OptionEntry {
        key: "timesteps",
        kind: Kind::Numbers,
        summary: "The grid itself: the times that are evaluated, noisiest first, in place of grid and steps.",
    },
    OptionEntry {
        key: "sigmas",
        kind: Kind::Numbers,
        summary: "The grid itself: the σ/α (t for flow matching) that are evaluated, noisiest first, in place of grid and steps.",
    },
    solver::langevin::CORRECTOR_STEPS,
    solver::langevin::CORRECTOR_SNR,
    solver::langevin::CORRECTOR_SIZE,
    OptionEntry {
        key: "threshold_ratio",
        kind: Kind::Real(0.0, 1.0),
        summary: "Which quantile of |x̂₀| dynamic clipping goes by; 0.995 unless set.",
    },
    OptionEntry {
        key: "threshold_max",
        kind: Kind::Real(1.0, 1e6),
        summary: "The greatest value that dynamic clipping leaves room for; any unless set.",
    },
];

/// The option called `key`, of these or of a solver.
#[must_use]
pub fn option(key: &str) -> Option<&'static OptionEntry> {
    OPTIONS.iter().find(|option| option.key == key).or_else(|| solver::option(key))
}
