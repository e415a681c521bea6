//! The options of a run that are no solver's. First come those of every run, such as a grid and a number of steps. Then
//! come the grid's numbers, the start of the run, guidance, corrections and thresholds.

use crate::error::Error;
use crate::guidance::{ClassifierForm, Form, Guidance, Pairing, Projection, Space};
use crate::option::{Fallback, Group, Kind, OptionEntry, Options, words};
use crate::schedule::{Ending, GridOptions, Spacing};
use crate::solver;
pub(crate) use crate::solver::{CORRECTOR_SIZE, CORRECTOR_SNR, CORRECTOR_STEPS, ETA};

words! {
    /// Whether x̂₀ is kept within the range of the data.
    #[non_exhaustive]
    pub enum Clipping {
        #[default]
        Model = "model", "As the manifest sets it.";
        Off = "off", "Never.";
        On = "on", "At every step, to the manifest's range. ε̂ is computed from the clipped x̂₀.";
        KeepNoise = "keep-noise", "At every step, to the manifest's range. ε̂ stays as predicted.";
        Dynamic = "dynamic", "At every step, by dynamic thresholding (Saharia et al. 2022). For a range of −1 to 1.";
    }
}

words! {
    /// Whose arithmetic is used where diffusers departs from the papers.
    #[non_exhaustive]
    pub enum Compat {
        #[default]
        Papers = "papers", "The arithmetic of the papers.";
        Diffusers = "diffusers", "The arithmetic of diffusers, for pictures equal to those of its pipelines. Tables are rounded to f32, and ε̂ comes from the unclipped x̂₀. DDIM moves by ⌊T/N⌋ training steps on every grid.";
    }
}

words! {
    /// The source of a run's noise.
    #[non_exhaustive]
    pub enum Noise {
        #[default]
        Counter = "counter", "diffuse's own generator. An item's noise depends on its seed and the step alone.";
        Torch = "torch", "One generator of torch for the batch, like torch.Generator().manual_seed(seed) in a pipeline of diffusers.";
        TorchPerItem = "torch-per-item", "One generator of torch for each item, like a list of generators with the seeds seed, seed + 1 and so on.";
    }
}

words! {
    /// How the option `strength` counts the steps that a run leaves out.
    #[non_exhaustive]
    pub enum StrengthOf {
        #[default]
        Steps = "steps", "The grid's steps. The first of them are left out.";
        Original = "original", "The original steps, for the lcm grid. The noisiest of them are left out, and the same number of steps is spread over the rest. The pipelines of latent consistency models work so.";
    }
}

words! {
    /// The meaning of signs in a prompt.
    #[non_exhaustive]
    pub enum Weights {
        #[default]
        Off = "off", "As a part of the text.";
        Web = "a1111", "As weights in the syntax of Stable Diffusion web UI. (x) is 1.1 times as strong, (x:1.3) is 1.3 times as strong, and x in square brackets is 1.1 times as weak. The embeddings keep their mean. BREAK begins another chunk.";
        Plain = "a1111-no-norm", "As a1111, but the embeddings do not keep their mean.";
    }
}

words! {
    /// What happens to a prompt that is longer than a text encoder reads at once.
    #[non_exhaustive]
    pub enum LongPrompts {
        #[default]
        Cut = "truncate", "The rest is cut off, and the log reports it.";
        Chunks = "chunks", "The prompt is encoded in chunks. Their embeddings are concatenated, as in Stable Diffusion web UI.";
    }
}

words! {
    /// How μ of a dynamic shift is computed from the number of tokens.
    #[non_exhaustive]
    pub enum MuRule {
        #[default]
        Linear = "linear", "On the line between the configuration's base_shift and max_shift.";
        Empirical = "empirical", "By the number of steps as well, as in FLUX.2's pipeline.";
    }
}

/// A grid with the default options.
const PLAIN: GridOptions = GridOptions::new(Spacing::Trailing, 1);

pub(crate) const SOLVER: OptionEntry = OptionEntry {
    key: "solver",
    group: Group::Sampling,
    kind: Kind::Choice(solver::NAMES, &[]),
    default: Fallback::Phrase("the model's"),
    summary: "The solver.",
};

pub(crate) const STEPS: OptionEntry = OptionEntry {
    key: "steps",
    group: Group::Sampling,
    kind: Kind::Whole(1, u64::MAX),
    default: Fallback::Phrase("the model's"),
    summary: "The number of steps, at most the number of training steps.",
};

pub(crate) const GRID: OptionEntry = OptionEntry {
    key: "grid",
    group: Group::Sampling,
    kind: Spacing::KIND,
    default: Fallback::Phrase("the model's"),
    summary: "How the steps are spread over the training steps.",
};

pub(crate) const STEPS_OFFSET: OptionEntry = OptionEntry {
    key: "steps_offset",
    group: Group::Grid,
    kind: Kind::Whole(0, u64::MAX),
    default: Fallback::Whole(PLAIN.offset as u64),
    summary: "The offset that is added to the timesteps of the leading grid.",
};

pub(crate) const ENDING: OptionEntry = OptionEntry {
    key: "ending",
    group: Group::Grid,
    kind: Ending::KIND,
    default: Fallback::Word(PLAIN.ending.word()),
    summary: "The noise level that the run ends at.",
};

pub(crate) const CLIPPING: OptionEntry = OptionEntry {
    key: "clipping",
    group: Group::Sampling,
    kind: Clipping::KIND,
    default: Fallback::Word(Clipping::DEFAULT.word()),
    summary: "Whether the denoised sample x̂₀ is clipped to the data's range at every step.",
};

pub(crate) const COMPAT: OptionEntry = OptionEntry {
    key: "compat",
    group: Group::Sampling,
    kind: Compat::KIND,
    default: Fallback::Word(Compat::DEFAULT.word()),
    summary: "The arithmetic to follow where diffusers departs from the papers.",
};

pub(crate) const NOISE: OptionEntry = OptionEntry {
    key: "noise",
    group: Group::Sampling,
    kind: Noise::KIND,
    default: Fallback::Word(Noise::DEFAULT.word()),
    summary: "The generator of the noise.",
};

pub(crate) const INVERT: OptionEntry = OptionEntry {
    key: "invert",
    group: Group::Start,
    kind: Kind::Flag,
    default: Fallback::Flag(false),
    summary: "1 inverts an image by ddim: the result is the noise that the image would be generated from. A later run can start from that noise.",
};

pub(crate) const RHO: OptionEntry = OptionEntry {
    key: "rho",
    group: Group::Grid,
    kind: Kind::Real(0.1, 100.0),
    default: Fallback::Real(PLAIN.rho),
    summary: "The exponent ρ of the karras grid.",
};

pub(crate) const SIGMA_MIN: OptionEntry = OptionEntry {
    key: "sigma_min",
    group: Group::Grid,
    kind: Kind::Real(1e-9, 1e9),
    default: Fallback::Phrase("the schedule's"),
    summary: "The smallest σ/α (t for flow matching) of the grids over noise.",
};

pub(crate) const SIGMA_MAX: OptionEntry = OptionEntry {
    key: "sigma_max",
    group: Group::Grid,
    kind: Kind::Real(1e-9, 1e9),
    default: Fallback::Phrase("the schedule's"),
    summary: "The largest σ/α (t for flow matching) of the grids over noise.",
};

pub(crate) const ORIGINAL_STEPS: OptionEntry = OptionEntry {
    key: "original_steps",
    group: Group::Grid,
    kind: Kind::Whole(1, 1_000_000),
    default: Fallback::Whole(PLAIN.original_steps as u64),
    summary: "The number of distillation steps, for the lcm grid.",
};

pub(crate) const SHIFT: OptionEntry = OptionEntry {
    key: "shift",
    group: Group::Grid,
    kind: Kind::Real(1e-3, 1e3),
    default: Fallback::Real(PLAIN.shift),
    summary: "The shift s of times toward noise, for flow matching: s·t/(1 + (s−1)·t). diffusers' dynamic shift is e^μ.",
};

pub(crate) const SHIFT_TERMINAL: OptionEntry = OptionEntry {
    key: "shift_terminal",
    group: Group::Grid,
    kind: Kind::Real(0.0, 0.999),
    default: Fallback::Nothing,
    summary: "The last evaluated time on the straight path, after the shift. The times before it are stretched to match.",
};

pub(crate) const MU: OptionEntry = OptionEntry {
    key: "mu",
    group: Group::Grid,
    kind: Kind::Real(-20.0, 20.0),
    default: Fallback::Nothing,
    summary: "μ of diffusers' dynamic shift, in place of shift. The shift is e^μ, or μ itself where a scheduler's configuration sets that.",
};

pub(crate) const TOKENS: OptionEntry = OptionEntry {
    key: "tokens",
    group: Group::Grid,
    kind: Kind::Whole(1, 1 << 32),
    default: Fallback::Nothing,
    summary: "The number of tokens of an image. A scheduler's configuration with a dynamic shift computes μ from it.",
};

pub(crate) const MU_RULE: OptionEntry = OptionEntry {
    key: "mu_rule",
    group: Group::Grid,
    kind: MuRule::KIND,
    default: Fallback::Word(MuRule::DEFAULT.word()),
    summary: "How μ is computed from tokens.",
};

pub(crate) const LAMBDA_MIN: OptionEntry = OptionEntry {
    key: "lambda_min",
    group: Group::Grid,
    kind: Kind::Real(-100.0, 100.0),
    default: Fallback::Nothing,
    summary: "The smallest λ = ln(α/σ) of a grid over times. The grid begins at the last training step that has as much. Lu et al. 2022 take -5.1 for cosine schedules.",
};

pub(crate) const TIMESTEPS: OptionEntry = OptionEntry {
    key: "timesteps",
    group: Group::Levels,
    kind: Kind::Numbers,
    default: Fallback::Nothing,
    summary: "The timesteps to evaluate, noisiest first. They replace grid and steps.",
};

pub(crate) const SIGMAS: OptionEntry = OptionEntry {
    key: "sigmas",
    group: Group::Levels,
    kind: Kind::Numbers,
    default: Fallback::Nothing,
    summary: "The σ/α (t for flow matching) to evaluate, noisiest first. They replace grid and steps. The final 0 may be included.",
};

/// The default of `strength` from an image without a mask, which is diffusers'.
pub(crate) const STRENGTH_FROM_IMAGE: f64 = 0.8;
/// The default of `strength` for each of the two runs of a [counterfactual](crate::Request::counterfactual).
pub const STRENGTH_OF_COUNTERFACTUAL: f64 = 0.5;
pub(crate) const STRENGTH: OptionEntry = OptionEntry {
    key: "strength",
    group: Group::Start,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::But(
        &Fallback::Real(1.0),
        &[
            ("from an image without a mask or inversion", Fallback::Real(STRENGTH_FROM_IMAGE)),
            ("there with SDXL and compat \"diffusers\"", Fallback::Real(0.3)),
            ("with a mask and both of these", Fallback::Real(0.9999)),
        ],
    ),
    summary: "The share of the steps that is run. A smaller share starts with less noise and stays nearer to the image.",
};

pub(crate) const STRENGTH_OF: OptionEntry = OptionEntry {
    key: "strength_of",
    group: Group::Start,
    kind: StrengthOf::KIND,
    default: Fallback::But(
        &Fallback::Word(StrengthOf::DEFAULT.word()),
        &[("for folders of latent consistency models", Fallback::Word(StrengthOf::Original.word()))],
    ),
    summary: "The steps that strength is a share of.",
};

pub(crate) const SEEDS: OptionEntry = OptionEntry {
    key: "seeds",
    group: Group::Start,
    kind: Kind::Numbers,
    default: Fallback::Nothing,
    summary: "The seed of each item, in place of seed, seed + 1 and so on. With noise torch-per-item they are the seeds of the generators.",
};

pub(crate) const INTERPOLATE_TO: OptionEntry = OptionEntry {
    key: "interpolate_to",
    group: Group::Start,
    kind: Kind::Whole(0, u64::MAX),
    default: Fallback::Nothing,
    summary: "The seed of the last item's starting noise. The starts of the items between are spread evenly from the first item's noise to that. All other noise is the first item's.",
};

pub(crate) const VARIATION_SEED: OptionEntry = OptionEntry {
    key: "variation_seed",
    group: Group::Start,
    kind: Kind::Whole(0, u64::MAX),
    default: Fallback::Nothing,
    summary: "The seed of variations of the first item. Item i starts from the first item's noise, moved toward the noise of variation_seed + i. variation_strength sets how far.",
};

pub(crate) const VARIATION_STRENGTH: OptionEntry = OptionEntry {
    key: "variation_strength",
    group: Group::Start,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::Real(0.2),
    summary: "How far variations start from the first item's noise. 0 is the same noise, and 1 has none of it.",
};

pub(crate) const WIDTH: OptionEntry = OptionEntry {
    key: "width",
    group: Group::Picture,
    kind: Kind::Whole(1, 1 << 16),
    default: Fallback::Phrase("the model's"),
    summary: "The width of the picture in pixels.",
};

pub(crate) const HEIGHT: OptionEntry = OptionEntry {
    key: "height",
    group: Group::Picture,
    kind: Kind::Whole(1, 1 << 16),
    default: Fallback::Phrase("the model's"),
    summary: "The height of the picture in pixels.",
};

pub(crate) const TILE: OptionEntry = OptionEntry {
    key: "tile",
    group: Group::Picture,
    kind: Kind::Whole(0, 1 << 16),
    default: Fallback::Phrase("the autoencoder's own size, for pictures with a side above 1024 pixels"),
    summary: "The side in pixels of the tiles that a picture is encoded and decoded in. Tiles bound the memory. 0 is no tiles, as with compat \"diffusers\".",
};

pub(crate) const PASTE: OptionEntry = OptionEntry {
    key: "paste",
    group: Group::Picture,
    kind: Kind::Flag,
    default: Fallback::But(&Fallback::Flag(true), &[("with compat \"diffusers\"", Fallback::Flag(false))]),
    summary: "Whether the pixels that a mask keeps are copied into the decoded picture.",
};

pub(crate) const WEIGHTS: OptionEntry = OptionEntry {
    key: "weights",
    group: Group::Picture,
    kind: Weights::KIND,
    default: Fallback::Word(Weights::DEFAULT.word()),
    summary: "How brackets in a prompt are read. For CLIP's text encoders.",
};

pub(crate) const LONG_PROMPTS: OptionEntry = OptionEntry {
    key: "long_prompts",
    group: Group::Picture,
    kind: LongPrompts::KIND,
    default: Fallback::Word(LongPrompts::DEFAULT.word()),
    summary: "How a prompt is read that is longer than the text encoder's context. For CLIP's text encoders.",
};

pub(crate) const IMAGE_GUIDANCE_SCALE: OptionEntry = OptionEntry {
    key: "image_guidance_scale",
    group: Group::Picture,
    kind: Kind::Real(0.0, 1e3),
    default: Fallback::Real(1.5),
    summary: "The guidance scale toward the image, for models that edit an image by an instruction. Below 1 there is no guidance.",
};

pub(crate) const GUIDANCE_SCALE: OptionEntry = OptionEntry {
    key: "guidance_scale",
    group: Group::Guidance,
    kind: Kind::Real(-1e3, 1e3),
    default: Fallback::Real(Guidance::NONE.scale),
    summary: "The scale s of classifier-free guidance. 1 is the condition alone, 0 is the negative condition alone, and 2 to 8 are usual.",
};

pub(crate) const GUIDANCE_SCALES: OptionEntry = OptionEntry {
    key: "guidance_scales",
    group: Group::Guidance,
    kind: Kind::Numbers,
    default: Fallback::Nothing,
    summary: "The guidance scale of every step, in place of guidance_scale. With guidance_form plain, a step of scale 1 takes one evaluation.",
};

pub(crate) const GUIDANCE_SIGMA_MIN: OptionEntry = OptionEntry {
    key: "guidance_sigma_min",
    group: Group::Guidance,
    kind: Kind::Real(0.0, 1e9),
    default: Fallback::Real(Guidance::NONE.interval[0]),
    summary: "The smallest σ/α (t for flow matching) that is guided.",
};

pub(crate) const GUIDANCE_SIGMA_MAX: OptionEntry = OptionEntry {
    key: "guidance_sigma_max",
    group: Group::Guidance,
    kind: Kind::Real(0.0, 1e9),
    default: Fallback::Real(Guidance::NONE.interval[1]),
    summary: "The largest σ/α (t for flow matching) that is guided.",
};

pub(crate) const GUIDANCE_RESCALE: OptionEntry = OptionEntry {
    key: "guidance_rescale",
    group: Group::Guidance,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::Real(Guidance::NONE.rescale),
    summary: "How far the standard deviation of the guided prediction is brought back to that of the unguided one (Lin et al. 2023).",
};

pub(crate) const GUIDANCE_FORM: OptionEntry = OptionEntry {
    key: "guidance_form",
    group: Group::Guidance,
    kind: Form::KIND,
    default: Fallback::Word(Form::DEFAULT.word()),
    summary: "How the prediction c with the condition and the prediction u with the negative condition are combined.",
};

pub(crate) const GUIDANCE_SPACE: OptionEntry = OptionEntry {
    key: "guidance_space",
    group: Group::Guidance,
    kind: Space::KIND,
    default: Fallback::But(
        &Fallback::Word(Space::OF_PROJECTION.word()),
        &[("for guidance_rescale", Fallback::Word(Space::OF_RESCALE.word()))],
    ),
    summary: "The values that apg and guidance_rescale work on. diffusers uses the output for both.",
};

pub(crate) const GUIDANCE_MOMENTUM: OptionEntry = OptionEntry {
    key: "guidance_momentum",
    group: Group::Guidance,
    kind: Kind::Real(-0.999, 0.999),
    default: Fallback::Real(Projection::USUAL.momentum),
    summary: "β of apg: the weight of the previous step.",
};

pub(crate) const GUIDANCE_PARALLEL: OptionEntry = OptionEntry {
    key: "guidance_parallel",
    group: Group::Guidance,
    kind: Kind::Real(-10.0, 10.0),
    default: Fallback::Real(Projection::USUAL.parallel),
    summary: "η of apg: how much of the difference along c is kept.",
};

pub(crate) const GUIDANCE_NORM: OptionEntry = OptionEntry {
    key: "guidance_norm",
    group: Group::Guidance,
    kind: Kind::Real(1e-9, 1e9),
    default: Fallback::at_most(Projection::USUAL.norm),
    summary: "r of apg: the largest norm of an item's difference.",
};

pub(crate) const GUIDANCE_PAIRING: OptionEntry = OptionEntry {
    key: "guidance_pairing",
    group: Group::Guidance,
    kind: Pairing::KIND,
    default: Fallback::Word(Pairing::DEFAULT.word()),
    summary: "How the two evaluations of guidance are run.",
};

pub(crate) const CLASSIFIER_SCALE: OptionEntry = OptionEntry {
    key: "classifier_scale",
    group: Group::Classifier,
    kind: Kind::Real(-1e6, 1e6),
    default: Fallback::Real(1.0),
    summary: "The scale of a classifier's gradient.",
};

pub(crate) const CLASSIFIER_FORM: OptionEntry = OptionEntry {
    key: "classifier_form",
    group: Group::Classifier,
    kind: ClassifierForm::KIND,
    default: Fallback::Word(ClassifierForm::DEFAULT.word()),
    summary: "How a classifier's gradient moves the sample.",
};

pub(crate) const THRESHOLD_RATIO: OptionEntry = OptionEntry {
    key: "threshold_ratio",
    group: Group::Threshold,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::Real(0.995),
    summary: "The quantile of |x̂₀| that sets the threshold of dynamic clipping.",
};

pub(crate) const THRESHOLD_MAX: OptionEntry = OptionEntry {
    key: "threshold_max",
    group: Group::Threshold,
    kind: Kind::Real(1.0, 1e6),
    default: Fallback::Real(1e6),
    summary: "The largest threshold of dynamic clipping.",
};

/// The options that a request keeps as fields. Every run has them.
pub const CHOICES: &[OptionEntry] = &[SOLVER, STEPS, GRID, STEPS_OFFSET, ENDING, CLIPPING, COMPAT, NOISE, INVERT];

/// The other options. Each is for some grids or some settings alone, and an error with others.
pub const OPTIONS: &[OptionEntry] = &[
    RHO,
    SIGMA_MIN,
    SIGMA_MAX,
    ORIGINAL_STEPS,
    SHIFT,
    SHIFT_TERMINAL,
    MU,
    TOKENS,
    MU_RULE,
    LAMBDA_MIN,
    TIMESTEPS,
    SIGMAS,
    CORRECTOR_STEPS,
    CORRECTOR_SNR,
    CORRECTOR_SIZE,
    STRENGTH,
    STRENGTH_OF,
    SEEDS,
    INTERPOLATE_TO,
    VARIATION_SEED,
    VARIATION_STRENGTH,
    WIDTH,
    HEIGHT,
    TILE,
    PASTE,
    WEIGHTS,
    LONG_PROMPTS,
    IMAGE_GUIDANCE_SCALE,
    GUIDANCE_SCALE,
    GUIDANCE_SCALES,
    GUIDANCE_SIGMA_MIN,
    GUIDANCE_SIGMA_MAX,
    GUIDANCE_RESCALE,
    GUIDANCE_FORM,
    GUIDANCE_SPACE,
    GUIDANCE_MOMENTUM,
    GUIDANCE_PARALLEL,
    GUIDANCE_NORM,
    GUIDANCE_PAIRING,
    CLASSIFIER_SCALE,
    CLASSIFIER_FORM,
    THRESHOLD_RATIO,
    THRESHOLD_MAX,
];

/// Former names of options, each with its present name. Manifests are read with either.
pub const RENAMED: &[(&str, &str)] = &[("likeness", "compat"), ("most_evaluations", "max_evaluations")];

/// Former words of options: the option, the former word, and the present one.
pub const REWORDED: &[(&str, &str, &str)] =
    &[("guidance_pairing", "together", "batched"), ("guidance_pairing", "apart", "sequential")];

/// The error for a former name of an option, or for a former word of its values. `None` for any other.
#[must_use]
pub fn renamed(key: &str, value: &str) -> Option<Error> {
    if let Some((_, now)) = RENAMED.iter().find(|(former, _)| *former == key) {
        return Some(Error::argument("key", format!("{key:?} is now called {now:?}")));
    }
    let (key, former, word) = REWORDED.iter().find(|(of, former, _)| *of == key && *former == value)?;
    Some(Error::argument(key, format!("{former:?} is now called {word:?}")))
}

/// The option called `key`, from [`OPTIONS`] or a solver. Those of [`CHOICES`] are fields of a request and of a
/// manifest.
#[must_use]
pub fn option(key: &str) -> Option<&'static OptionEntry> {
    OPTIONS.iter().find(|option| option.key == key).or_else(|| solver::option(key))
}

/// The group of that option.
#[must_use]
pub(crate) fn group(key: &str) -> Option<Group> {
    option(key).map(|option| option.group)
}

/// Every option of a run: [`CHOICES`], [`OPTIONS`], and then those that only [`solver::SOLVERS`] have.
pub fn all() -> impl Iterator<Item = &'static OptionEntry> {
    let of_solvers = solver::SOLVERS.iter().enumerate().flat_map(|(i, entry)| {
        // Each option comes once, from the first solver that has it.
        let earlier =
            move |key| solver::SOLVERS[..i].iter().flat_map(|entry| entry.options).any(|known| known.key == key);
        let shared = |key| OPTIONS.iter().any(|known| known.key == key);
        entry.options.iter().filter(move |option| !earlier(option.key) && !shared(option.key))
    });
    CHOICES.iter().chain(OPTIONS).chain(of_solvers)
}

/// All options as JSON, [described](OptionEntry::described) one after the other. Those of solvers also have `solvers`,
/// the solvers that have them.
#[must_use]
pub fn described() -> serde_json::Value {
    let of_one = |option: &OptionEntry| {
        let mut described = option.described();
        if option.group == Group::Solver {
            let with = solver::SOLVERS.iter().filter(|entry| entry.options.iter().any(|own| own.key == option.key));
            described["solvers"] = with.map(|entry| entry.name).collect::<Vec<_>>().into();
        }
        described
    };
    all().map(of_one).collect::<Vec<_>>().into()
}

/// The options of one group.
pub fn of(group: Group) -> impl Iterator<Item = &'static OptionEntry> {
    all().filter(move |option| option.group == group)
}

/// The levels that are given in place of a grid: each list with the option's name. Two lists are an error.
pub(crate) fn levels(options: &Options) -> impl Iterator<Item = (&'static str, &[f64])> {
    [TIMESTEPS, SIGMAS].into_iter().filter_map(|option| {
        let levels = options.numbers(option.key)?;
        let end = usize::from(option == SIGMAS && ends_at_zero(options));
        Some((option.key, &levels[..levels.len() - end]))
    })
}

/// Whether the given σ end with 0, where the run then ends.
pub(crate) fn ends_at_zero(options: &Options) -> bool {
    options.numbers(SIGMAS.key).is_some_and(|sigmas| sigmas.len() > 1 && sigmas.last() == Some(&0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::PROVIDERS;
    use crate::option::Value;

    /// Every option of a run, of a solver and of a provider.
    fn every_option() -> impl Iterator<Item = &'static OptionEntry> {
        all().chain(PROVIDERS.iter().flat_map(|provider| provider.options))
    }

    #[test]
    fn a_summary_leaves_the_default_to_the_entry() {
        for option in every_option() {
            let summary = option.summary.to_lowercase();
            assert!(!summary.contains("unless set") && !summary.contains("default"), "{}: {summary}", option.key);
            assert!(summary.ends_with('.'), "{}: {summary}", option.key);
        }
    }

    #[test]
    fn a_default_is_a_value_of_its_option() {
        fn check(option: &OptionEntry, default: Fallback) {
            let parsed = |text: String| option.parse(&text).unwrap();
            match default {
                Fallback::Flag(value) => assert_eq!(parsed(u8::from(value).to_string()), Value::Flag(value)),
                Fallback::Whole(value) => assert_eq!(parsed(value.to_string()), Value::Whole(value)),
                Fallback::Real(f64::INFINITY) => assert!(matches!(option.kind, Kind::Real(..)), "{}", option.key),
                Fallback::Real(value) => assert_eq!(parsed(value.to_string()), Value::Real(value)),
                Fallback::Word(word) => assert_eq!(parsed(word.to_owned()), Value::Text(word.to_owned())),
                Fallback::But(first, cases) => {
                    check(option, *first);
                    cases.iter().for_each(|(_, value)| check(option, *value));
                }
                Fallback::Phrase(text) => {
                    assert!(!text.is_empty() && option.parse(text).is_err() || option.kind == Kind::Text)
                }
                Fallback::Nothing => {}
            }
        }
        every_option().for_each(|option| check(option, option.default));
    }

    #[test]
    fn every_option_of_a_run_is_shown_once() {
        let mut shown: Vec<&str> =
            Group::OF_REQUEST.iter().flat_map(|group| of(*group)).map(|option| option.key).collect();
        let mut known: Vec<&str> = all().map(|option| option.key).collect();
        shown.sort_unstable();
        known.sort_unstable();
        assert_eq!(shown, known);
        known.dedup();
        assert_eq!(shown, known);
        for solver in solver::SOLVERS {
            let own = |option: &&OptionEntry| !OPTIONS.contains(option);
            assert!(solver.options.iter().filter(own).all(|option| option.group == Group::Solver), "{}", solver.name);
        }
        assert!(PROVIDERS.iter().flat_map(|provider| provider.options).all(|option| option.group == Group::Provider));
    }
}
