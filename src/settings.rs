//! The options of a run that are no solver's: what every run has, such as a grid and a number of steps, then the grid's
//! numbers, where the run starts, guidance, corrections and thresholds.

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
        Model = "model", "As the model's manifest says.";
        Off = "off", "Never.";
        On = "on", "At every step, to the range in the manifest; ε̂ is taken from the clipped x̂₀.";
        KeepNoise = "keep-noise", "At every step; ε̂ is as the network predicted.";
        Dynamic = "dynamic", "At every step, by dynamic thresholding (Saharia et al. 2022), for a range of −1 to 1.";
    }
}

words! {
    /// Whose arithmetic is followed where diffusers departs from the papers.
    #[non_exhaustive]
    pub enum Compat {
        #[default]
        Papers = "papers", "The papers'.";
        Diffusers = "diffusers", "diffusers': tables rounded to f32, ε̂ from the unclipped x̂₀, and DDIM's moves by ⌊T/N⌋ training steps whatever the grid. For pictures equal to those of its pipelines.";
    }
}

words! {
    /// Where a run's noise comes from.
    #[non_exhaustive]
    pub enum Noise {
        #[default]
        Counter = "counter", "diffuse's own: the noise of an item depends on its seed and the step alone.";
        Torch = "torch", "torch's, one generator for the batch: torch.Generator().manual_seed(seed) in a pipeline of diffusers.";
        TorchPerItem = "torch-per-item", "torch's, one generator for every item: a list of them with the seeds seed, seed + 1, …";
    }
}

words! {
    /// What a run from less noise leaves out.
    #[non_exhaustive]
    pub enum StrengthOf {
        #[default]
        Steps = "steps", "The first steps of the grid.";
        Original = "original", "The noisiest of the original steps: as many steps as ever are spread over the rest, as in the pipelines of latent consistency models. For the lcm grid.";
    }
}

words! {
    /// What signs in a prompt mean.
    #[non_exhaustive]
    pub enum Weights {
        #[default]
        Off = "off", "Nothing: they are a part of the text.";
        Web = "a1111", "Weights, as Stable Diffusion web UI writes them: (x) is 1.1 times as strong, (x:1.3) 1.3 times, and what is in square brackets is 1.1 times as weak; what the encoder makes of the text keeps its mean. BREAK begins another chunk.";
        Plain = "a1111-no-norm", "The same, without that mean.";
    }
}

words! {
    /// What becomes of a prompt that is longer than a text encoder reads at once.
    #[non_exhaustive]
    pub enum LongPrompts {
        #[default]
        Cut = "truncate", "What is too much is not seen, and the log says what that is.";
        Chunks = "chunks", "It is read in chunks, whose embeddings follow each other, as in Stable Diffusion web UI.";
    }
}

words! {
    /// How μ of a dynamic shift is found from the number of tokens.
    #[non_exhaustive]
    pub enum MuRule {
        #[default]
        Linear = "linear", "On the line between the configuration's base_shift and max_shift.";
        Empirical = "empirical", "By the number of steps too, as FLUX.2's pipeline has it.";
    }
}

/// What a grid is told that nothing is said of.
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
    summary: "How many steps, up to the number of training steps.",
};

pub(crate) const GRID: OptionEntry = OptionEntry {
    key: "grid",
    group: Group::Sampling,
    kind: Spacing::KIND,
    default: Fallback::Phrase("the model's"),
    summary: "How the steps are spread over those of training.",
};

pub(crate) const STEPS_OFFSET: OptionEntry = OptionEntry {
    key: "steps_offset",
    group: Group::Grid,
    kind: Kind::Whole(0, u64::MAX),
    default: Fallback::Whole(PLAIN.offset as u64),
    summary: "What is added to the times of the leading grid.",
};

pub(crate) const ENDING: OptionEntry = OptionEntry {
    key: "ending",
    group: Group::Grid,
    kind: Ending::KIND,
    default: Fallback::Word(PLAIN.ending.word()),
    summary: "The level that the run ends at.",
};

pub(crate) const CLIPPING: OptionEntry = OptionEntry {
    key: "clipping",
    group: Group::Sampling,
    kind: Clipping::KIND,
    default: Fallback::Word(Clipping::DEFAULT.word()),
    summary: "Whether the denoised sample is kept in the data's range at every step.",
};

pub(crate) const COMPAT: OptionEntry = OptionEntry {
    key: "compat",
    group: Group::Sampling,
    kind: Compat::KIND,
    default: Fallback::Word(Compat::DEFAULT.word()),
    summary: "Whose arithmetic is followed where diffusers departs from the papers.",
};

pub(crate) const NOISE: OptionEntry = OptionEntry {
    key: "noise",
    group: Group::Sampling,
    kind: Noise::KIND,
    default: Fallback::Word(Noise::DEFAULT.word()),
    summary: "Where the noise comes from.",
};

pub(crate) const INVERT: OptionEntry = OptionEntry {
    key: "invert",
    group: Group::Start,
    kind: Kind::Flag,
    default: Fallback::Flag(false),
    summary: "1 goes from an image to the noise that it would be drawn from, by ddim, for a run that starts from that noise.",
};

pub(crate) const RHO: OptionEntry = OptionEntry {
    key: "rho",
    group: Group::Grid,
    kind: Kind::Real(0.1, 100.0),
    default: Fallback::Real(PLAIN.rho),
    summary: "ρ of the karras grid.",
};

pub(crate) const SIGMA_MIN: OptionEntry = OptionEntry {
    key: "sigma_min",
    group: Group::Grid,
    kind: Kind::Real(1e-9, 1e9),
    default: Fallback::Phrase("the schedule's"),
    summary: "The least σ/α of the grids over noise (t for flow matching).",
};

pub(crate) const SIGMA_MAX: OptionEntry = OptionEntry {
    key: "sigma_max",
    group: Group::Grid,
    kind: Kind::Real(1e-9, 1e9),
    default: Fallback::Phrase("the schedule's"),
    summary: "The greatest σ/α of the grids over noise (t for flow matching).",
};

pub(crate) const ORIGINAL_STEPS: OptionEntry = OptionEntry {
    key: "original_steps",
    group: Group::Grid,
    kind: Kind::Whole(1, 1_000_000),
    default: Fallback::Whole(PLAIN.original_steps as u64),
    summary: "The steps of distillation, for the lcm grid.",
};

pub(crate) const SHIFT: OptionEntry = OptionEntry {
    key: "shift",
    group: Group::Grid,
    kind: Kind::Real(1e-3, 1e3),
    default: Fallback::Real(PLAIN.shift),
    summary: "The shift s of times toward noise, s·t/(1 + (s−1)·t), for flow matching. e^μ is diffusers' dynamic shift.",
};

pub(crate) const SHIFT_TERMINAL: OptionEntry = OptionEntry {
    key: "shift_terminal",
    group: Group::Grid,
    kind: Kind::Real(0.0, 0.999),
    default: Fallback::Nothing,
    summary: "Where the last time that is evaluated lies on the straight path, after the shift: the times before it are stretched along.",
};

pub(crate) const MU: OptionEntry = OptionEntry {
    key: "mu",
    group: Group::Grid,
    kind: Kind::Real(-20.0, 20.0),
    default: Fallback::Nothing,
    summary: "μ of diffusers' dynamic shift, in place of shift: e^μ, or μ itself where a scheduler's configuration says so.",
};

pub(crate) const TOKENS: OptionEntry = OptionEntry {
    key: "tokens",
    group: Group::Grid,
    kind: Kind::Whole(1, 1 << 32),
    default: Fallback::Nothing,
    summary: "The number of tokens of an image, from which a scheduler's configuration that shifts dynamically has μ.",
};

pub(crate) const MU_RULE: OptionEntry = OptionEntry {
    key: "mu_rule",
    group: Group::Grid,
    kind: MuRule::KIND,
    default: Fallback::Word(MuRule::DEFAULT.word()),
    summary: "How μ is found from tokens.",
};

pub(crate) const LAMBDA_MIN: OptionEntry = OptionEntry {
    key: "lambda_min",
    group: Group::Grid,
    kind: Kind::Real(-100.0, 100.0),
    default: Fallback::Nothing,
    summary: "The least λ = ln(α/σ) that a grid over times visits: it begins at the last time of training that has as much. For cosine schedules Lu et al. 2022 take -5.1.",
};

pub(crate) const TIMESTEPS: OptionEntry = OptionEntry {
    key: "timesteps",
    group: Group::Levels,
    kind: Kind::Numbers,
    default: Fallback::Nothing,
    summary: "The grid itself: the times that are evaluated, noisiest first, in place of grid and steps.",
};

pub(crate) const SIGMAS: OptionEntry = OptionEntry {
    key: "sigmas",
    group: Group::Levels,
    kind: Kind::Numbers,
    default: Fallback::Nothing,
    summary: "The grid itself: the σ/α (t for flow matching) that are evaluated, noisiest first, in place of grid and steps; the 0 that the run ends at may be there.",
};

/// `strength` from an image without a mask: as in diffusers.
pub(crate) const STRENGTH_FROM_IMAGE: f64 = 0.8;
/// `strength` of each of the two runs of a [counterfactual](crate::Request::counterfactual).
pub const STRENGTH_OF_COUNTERFACTUAL: f64 = 0.5;
pub(crate) const STRENGTH: OptionEntry = OptionEntry {
    key: "strength",
    group: Group::Start,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::But(
        &Fallback::Real(1.0),
        &[
            ("from an image without a mask, not inverted", Fallback::Real(STRENGTH_FROM_IMAGE)),
            ("so with SDXL and compat \"diffusers\"", Fallback::Real(0.3)),
            ("with a mask then", Fallback::Real(0.9999)),
        ],
    ),
    summary: "The share of the steps that is run, the last ones, which start with less noise and so stay nearer to the image.",
};

pub(crate) const STRENGTH_OF: OptionEntry = OptionEntry {
    key: "strength_of",
    group: Group::Start,
    kind: StrengthOf::KIND,
    default: Fallback::But(
        &Fallback::Word(StrengthOf::DEFAULT.word()),
        &[("for folders of latent consistency models", Fallback::Word(StrengthOf::Original.word()))],
    ),
    summary: "What strength is a share of.",
};

pub(crate) const SEEDS: OptionEntry = OptionEntry {
    key: "seeds",
    group: Group::Start,
    kind: Kind::Numbers,
    default: Fallback::Nothing,
    summary: "The seed of each item, in place of seed, seed + 1 and so on; with noise torch-per-item the seeds of a list of generators.",
};

pub(crate) const INTERPOLATE_TO: OptionEntry = OptionEntry {
    key: "interpolate_to",
    group: Group::Start,
    kind: Kind::Whole(0, u64::MAX),
    default: Fallback::Nothing,
    summary: "The seed that the last item starts from; those between start evenly between its noise and that of the first, and all else is of the first.",
};

pub(crate) const VARIATION_SEED: OptionEntry = OptionEntry {
    key: "variation_seed",
    group: Group::Start,
    kind: Kind::Whole(0, u64::MAX),
    default: Fallback::Nothing,
    summary: "The items are variations of the first: item i starts from its noise moved toward that of this seed + i; with variation_strength.",
};

pub(crate) const VARIATION_STRENGTH: OptionEntry = OptionEntry {
    key: "variation_strength",
    group: Group::Start,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::Real(0.2),
    summary: "How far variations start from the first item's noise: from 0, the same, to 1, none of it.",
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
    summary: "The side of the tiles, in pixels, that a picture is encoded and decoded in, which bounds the memory of that; 0 for none, as with compat \"diffusers\".",
};

pub(crate) const PASTE: OptionEntry = OptionEntry {
    key: "paste",
    group: Group::Picture,
    kind: Kind::Flag,
    default: Fallback::But(&Fallback::Flag(true), &[("with compat \"diffusers\"", Fallback::Flag(false))]),
    summary: "Whether the pixels that a mask keeps are put back into the picture that was decoded.",
};

pub(crate) const WEIGHTS: OptionEntry = OptionEntry {
    key: "weights",
    group: Group::Picture,
    kind: Weights::KIND,
    default: Fallback::Word(Weights::DEFAULT.word()),
    summary: "What brackets in a prompt mean. For CLIP's text encoders.",
};

pub(crate) const LONG_PROMPTS: OptionEntry = OptionEntry {
    key: "long_prompts",
    group: Group::Picture,
    kind: LongPrompts::KIND,
    default: Fallback::Word(LongPrompts::DEFAULT.word()),
    summary: "What becomes of a prompt that is longer than a text encoder reads at once. For CLIP's text encoders.",
};

pub(crate) const IMAGE_GUIDANCE_SCALE: OptionEntry = OptionEntry {
    key: "image_guidance_scale",
    group: Group::Picture,
    kind: Kind::Real(0.0, 1e3),
    default: Fallback::Real(1.5),
    summary: "The scale of guidance toward the image, for models that are told an instruction; below 1 there is no guidance.",
};

pub(crate) const GUIDANCE_SCALE: OptionEntry = OptionEntry {
    key: "guidance_scale",
    group: Group::Guidance,
    kind: Kind::Real(-1e3, 1e3),
    default: Fallback::Real(Guidance::NONE.scale),
    summary: "The scale s of classifier-free guidance toward the class: 1 is the condition alone, 0 the negative one, 2 to 8 are usual.",
};

pub(crate) const GUIDANCE_SCALES: OptionEntry = OptionEntry {
    key: "guidance_scales",
    group: Group::Guidance,
    kind: Kind::Numbers,
    default: Fallback::Nothing,
    summary: "The scale of every step, in place of guidance_scale; a plain step with 1 takes one evaluation.",
};

pub(crate) const GUIDANCE_SIGMA_MIN: OptionEntry = OptionEntry {
    key: "guidance_sigma_min",
    group: Group::Guidance,
    kind: Kind::Real(0.0, 1e9),
    default: Fallback::Real(Guidance::NONE.interval[0]),
    summary: "The least σ/α (t for flow matching) that is guided.",
};

pub(crate) const GUIDANCE_SIGMA_MAX: OptionEntry = OptionEntry {
    key: "guidance_sigma_max",
    group: Group::Guidance,
    kind: Kind::Real(0.0, 1e9),
    default: Fallback::Real(Guidance::NONE.interval[1]),
    summary: "The greatest σ/α (t for flow matching) that is guided.",
};

pub(crate) const GUIDANCE_RESCALE: OptionEntry = OptionEntry {
    key: "guidance_rescale",
    group: Group::Guidance,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::Real(Guidance::NONE.rescale),
    summary: "How far the guided answer's standard deviation is brought back to that of the unguided (Lin et al. 2023).",
};

pub(crate) const GUIDANCE_FORM: OptionEntry = OptionEntry {
    key: "guidance_form",
    group: Group::Guidance,
    kind: Form::KIND,
    default: Fallback::Word(Form::DEFAULT.word()),
    summary: "How the answers with the condition (c) and with the negative one (u) are put together.",
};

pub(crate) const GUIDANCE_SPACE: OptionEntry = OptionEntry {
    key: "guidance_space",
    group: Group::Guidance,
    kind: Space::KIND,
    default: Fallback::But(
        &Fallback::Word(Space::OF_PROJECTION.word()),
        &[("for guidance_rescale, as in their papers", Fallback::Word(Space::OF_RESCALE.word()))],
    ),
    summary: "What apg and guidance_rescale are computed of; diffusers takes the output for both.",
};

pub(crate) const GUIDANCE_MOMENTUM: OptionEntry = OptionEntry {
    key: "guidance_momentum",
    group: Group::Guidance,
    kind: Kind::Real(-0.999, 0.999),
    default: Fallback::Real(Projection::USUAL.momentum),
    summary: "β of apg, the weight of the step before.",
};

pub(crate) const GUIDANCE_PARALLEL: OptionEntry = OptionEntry {
    key: "guidance_parallel",
    group: Group::Guidance,
    kind: Kind::Real(-10.0, 10.0),
    default: Fallback::Real(Projection::USUAL.parallel),
    summary: "η of apg, how much of the difference along c is kept.",
};

pub(crate) const GUIDANCE_NORM: OptionEntry = OptionEntry {
    key: "guidance_norm",
    group: Group::Guidance,
    kind: Kind::Real(1e-9, 1e9),
    default: Fallback::at_most(Projection::USUAL.norm),
    summary: "r of apg, the greatest norm of the difference of an item.",
};

pub(crate) const GUIDANCE_PAIRING: OptionEntry = OptionEntry {
    key: "guidance_pairing",
    group: Group::Guidance,
    kind: Pairing::KIND,
    default: Fallback::Word(Pairing::DEFAULT.word()),
    summary: "How the two evaluations of guidance are made.",
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
    summary: "Which quantile of |x̂₀| dynamic clipping goes by.",
};

pub(crate) const THRESHOLD_MAX: OptionEntry = OptionEntry {
    key: "threshold_max",
    group: Group::Threshold,
    kind: Kind::Real(1.0, 1e6),
    default: Fallback::Real(1e6),
    summary: "The greatest value that dynamic clipping leaves room for.",
};

/// What every run has: the settings that a request keeps as fields.
pub const CHOICES: &[OptionEntry] = &[SOLVER, STEPS, GRID, STEPS_OFFSET, ENDING, CLIPPING, COMPAT, NOISE, INVERT];

/// The other options. Each is for some grids, or some settings, alone, and an error with others.
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

/// The option called `key`, of [`OPTIONS`] or of a solver. Those of [`CHOICES`] are fields of their own in a request
/// and in a manifest.
#[must_use]
pub fn option(key: &str) -> Option<&'static OptionEntry> {
    OPTIONS.iter().find(|option| option.key == key).or_else(|| solver::option(key))
}

/// What that option is about.
#[must_use]
pub(crate) fn group(key: &str) -> Option<Group> {
    option(key).map(|option| option.group)
}

/// All that a run can be told by name: [`CHOICES`], [`OPTIONS`], and then what [`solver::SOLVERS`] have beside these.
pub fn all() -> impl Iterator<Item = &'static OptionEntry> {
    let of_solvers = solver::SOLVERS.iter().enumerate().flat_map(|(i, entry)| {
        // Each once, from the first solver that has it.
        let earlier =
            move |key| solver::SOLVERS[..i].iter().flat_map(|entry| entry.options).any(|known| known.key == key);
        let shared = |key| OPTIONS.iter().any(|known| known.key == key);
        entry.options.iter().filter(move |option| !earlier(option.key) && !shared(option.key))
    });
    CHOICES.iter().chain(OPTIONS).chain(of_solvers)
}

/// All of them as JSON, [described](OptionEntry::described) one after the other; those of solvers with the `solvers`
/// that have them.
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

/// Those of one group.
pub fn of(group: Group) -> impl Iterator<Item = &'static OptionEntry> {
    all().filter(move |option| option.group == group)
}

/// The levels that are given in place of a grid, each list with the option's name; one of two lists is too many.
pub(crate) fn levels(options: &Options) -> impl Iterator<Item = (&'static str, &[f64])> {
    [TIMESTEPS, SIGMAS].into_iter().filter_map(|option| {
        let levels = options.numbers(option.key)?;
        let end = usize::from(option == SIGMAS && ends_at_zero(options));
        Some((option.key, &levels[..levels.len() - end]))
    })
}

/// Whether the σ that are given end with 0, where the run does.
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
