//! What a run is told by name beside its solver's own options: its grid's numbers, where it starts, guidance, corrections and thresholds.

use crate::error::Error;
use crate::guidance::{ClassifierForm, Form, Pairing, Space};
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
        key: "strength",
        kind: Kind::Real(0.0, 1.0),
        summary: "The share of the steps that is run, the last ones, which start with less noise and so stay nearer to the image; 1 unless set, but 0.8 from an image without a mask.",
    },
    OptionEntry {
        key: "interpolate_to",
        kind: Kind::Whole(0, u64::MAX),
        summary: "The seed that the last item starts from; those between start evenly between its noise and that of the first, and all else is of the first.",
    },
    OptionEntry {
        key: "variation_seed",
        kind: Kind::Whole(0, u64::MAX),
        summary: "The items are variations of the first: item i starts from its noise moved toward that of this seed + i; with variation_strength.",
    },
    OptionEntry {
        key: "variation_strength",
        kind: Kind::Real(0.0, 1.0),
        summary: "How far variations start from the first item's noise: from 0, the same, to 1, none of it; 0.2 unless set.",
    },
    OptionEntry {
        key: "guidance_scale",
        kind: Kind::Real(-1e3, 1e3),
        summary: "The scale s of classifier-free guidance toward the class: 1 is the condition alone, 0 the negative one, 2 to 8 are usual; 1 unless set.",
    },
    OptionEntry {
        key: "guidance_scales",
        kind: Kind::Numbers,
        summary: "The scale of every step, in place of guidance_scale; a plain step with 1 takes one evaluation.",
    },
    OptionEntry {
        key: "guidance_sigma_min",
        kind: Kind::Real(0.0, 1e9),
        summary: "The least σ/α (t for flow matching) that is guided; 0 unless set.",
    },
    OptionEntry {
        key: "guidance_sigma_max",
        kind: Kind::Real(0.0, 1e9),
        summary: "The greatest σ/α (t for flow matching) that is guided; any unless set.",
    },
    OptionEntry {
        key: "guidance_rescale",
        kind: Kind::Real(0.0, 1.0),
        summary: "How far the guided answer's standard deviation is brought back to that of the unguided (Lin et al. 2023); 0 unless set.",
    },
    OptionEntry {
        key: "guidance_form",
        kind: Form::KIND,
        summary: "How the answers with the condition (c) and with the negative one (u) are put together; plain unless set.",
    },
    OptionEntry {
        key: "guidance_space",
        kind: Space::KIND,
        summary: "What apg and guidance_rescale are computed of; denoised for the one and output for the other unless set, as in their papers. diffusers takes the output.",
    },
    OptionEntry {
        key: "guidance_momentum",
        kind: Kind::Real(-0.999, 0.999),
        summary: "β of apg, the weight of the step before; -0.5 unless set.",
    },
    OptionEntry {
        key: "guidance_parallel",
        kind: Kind::Real(-10.0, 10.0),
        summary: "η of apg, how much of the difference along c is kept; 0 unless set.",
    },
    OptionEntry {
        key: "guidance_norm",
        kind: Kind::Real(1e-9, 1e9),
        summary: "r of apg, the greatest norm of the difference of an item; any unless set.",
    },
    OptionEntry {
        key: "guidance_pairing",
        kind: Pairing::KIND,
        summary: "How the two evaluations of guidance are made; auto unless set.",
    },
    OptionEntry {
        key: "classifier_scale",
        kind: Kind::Real(-1e6, 1e6),
        summary: "The scale of a classifier's gradient; 1 unless set.",
    },
    OptionEntry {
        key: "classifier_form",
        kind: ClassifierForm::KIND,
        summary: "How a classifier's gradient moves the sample; auto unless set.",
    },
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

/// Options that were called something else once, each with the name that it has now. Manifests are read with either.
pub const RENAMED: &[(&str, &str)] = &[("likeness", "compat"), ("most_evaluations", "max_evaluations")];

/// Options whose values were called something else once: the option, the former word, and the word that it has now.
pub const REWORDED: &[(&str, &str, &str)] =
    &[("guidance_pairing", "together", "batched"), ("guidance_pairing", "apart", "sequential")];

/// The error for a name that an option had once, or for a former word of its values; `None` for any other.
#[must_use]
pub fn renamed(key: &str, value: &str) -> Option<Error> {
    if let Some((_, now)) = RENAMED.iter().find(|(former, _)| *former == key) {
        return Some(Error::argument("key", format!("{key:?} is called {now:?} by now")));
    }
    let (key, former, word) = REWORDED.iter().find(|(of, former, _)| *of == key && *former == value)?;
    Some(Error::argument(key, format!("{former:?} is called {word:?} by now")))
}

/// The option called `key`, of these or of a solver.
#[must_use]
pub fn option(key: &str) -> Option<&'static OptionEntry> {
    OPTIONS.iter().find(|option| option.key == key).or_else(|| solver::option(key))
}

/// Whether the option is the caller's alone: no scheduler's configuration says where a run starts and what guides it.
pub(crate) fn is_of_caller(key: &str) -> bool {
    let start = ["strength", "interpolate_to", "variation_seed", "variation_strength"];
    start.contains(&key) || key.starts_with("guidance_") || key.starts_with("classifier_")
}
