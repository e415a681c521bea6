//! Where diffusers' schedulers differ from the papers, and from this crate.

use super::classes::Family;
use super::config::SchedulerConfig;
use super::numbers::trailing_count;
use super::spread::{Even, Over};
use crate::model::manifest::Schedule;
use crate::option::Options;
use crate::schedule::{Ending, Tables};

/// A difference between a scheduler of diffusers and the papers.
pub struct Departure {
    /// The schedulers that have it.
    pub of: &'static str,
    /// What diffusers does.
    pub diffusers: &'static str,
    /// What this crate does.
    pub here: &'static str,
    /// Why a request that is compatible with diffusers does not follow diffusers in this. `None` where it does.
    pub refused: Option<&'static str>,
    /// Whether it is about the levels, and not about what is done on them.
    of_levels: bool,
    applies: fn(&SchedulerConfig, &Run<'_>) -> bool,
}

/// A run with a scheduler's configuration.
pub(crate) struct Run<'a> {
    pub(crate) options: &'a Options,
    /// The number of steps. `None` where that is left to the model.
    pub(crate) steps: Option<usize>,
    /// Whether it may make only the last steps of its grid.
    pub(crate) is_part: bool,
    /// Whether it is compatible with diffusers.
    pub(crate) compatible: bool,
    /// Whether the levels are the scheduler's own.
    pub(crate) on_its_levels: bool,
}

impl SchedulerConfig {
    /// Where diffusers' class differs from `run`, with the fields of the file that are ignored. Each is one line of
    /// text.
    pub(crate) fn notes(&self, run: &Run<'_>) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.ignored.is_empty() {
            notes.push(format!("it has no {}: ignored, as in diffusers", self.ignored.join(", ")));
        }
        for departure in DEPARTURES.iter().filter(|departure| (departure.applies)(self, run)) {
            let is_followed = if departure.of_levels { run.on_its_levels } else { run.compatible };
            match departure.refused {
                None if is_followed => {}
                None => notes.push(format!("{}; not so here", departure.diffusers)),
                Some(why) => notes.push(format!("{}; not so here: {why}", departure.diffusers)),
            }
        }
        notes
    }

    fn is(&self, names: &[&str]) -> bool {
        self.class.strip_suffix("Scheduler").is_some_and(|name| names.contains(&name))
    }
}

type Applies = fn(&SchedulerConfig, &Run<'_>) -> bool;

/// A difference that a request compatible with diffusers follows.
const fn followed(of: &'static str, diffusers: &'static str, here: &'static str, applies: Applies) -> Departure {
    Departure { of, diffusers, here, refused: None, of_levels: false, applies }
}

/// A difference that is followed where the levels are the scheduler's own.
const fn of_levels(of: &'static str, diffusers: &'static str, here: &'static str, applies: Applies) -> Departure {
    Departure { of_levels: true, ..followed(of, diffusers, here, applies) }
}

/// A difference that is not followed, and why.
const fn refused(
    of: &'static str,
    diffusers: &'static str,
    here: &'static str,
    why: &'static str,
    applies: Applies,
) -> Departure {
    Departure { refused: Some(why), ..followed(of, diffusers, here, applies) }
}

/// Whether steps of ⌊T/N⌋ lead elsewhere than the grid does.
fn strides(config: &SchedulerConfig, _: &Run<'_>) -> bool {
    config.is(&["DDIM", "DDIMInverse", "DDIMParallel", "CogVideoXDDIM", "CogVideoXDPM"])
        && config.spread.even != Even::Leading
}

fn over_noise(config: &SchedulerConfig) -> bool {
    config.spread.over.is_some()
}

fn has(run: &Run<'_>, key: &str) -> bool {
    run.options.get(key).is_some()
}

fn is_churned(run: &Run<'_>) -> bool {
    run.options.real("s_churn").unwrap_or(0.0) > 0.0
}

/// Whether the last step stays at its level.
fn stays(config: &SchedulerConfig, _: &Run<'_>) -> bool {
    config.defaults.ending == Ending::Level
}

/// Every departure that is known.
pub const DEPARTURES: &[Departure] = &[
    followed("all with β", "it builds its tables in f32", "in f64; α and σ differ by up to 3e-4", |config, _| {
        matches!(config.spread.family, Family::Index | Family::Distilled | Family::Lambda | Family::Sigma)
            && !config.spread.flow
            && config.tables() == Tables::Diffusers
    }),
    refused(
        "all that rescale β",
        "its rescaling to zero terminal SNR takes roots in f32 that machines round differently, worth 5e-4 of σ near the clean end",
        "roots are rounded to the nearest",
        "its own result depends on the processor",
        |config, _| config.spread.floored,
    ),
    followed(
        "DDIM, CogVideoX",
        "it moves by ⌊T/N⌋ training steps whatever its next time is",
        "to the next time",
        strides,
    ),
    followed(
        "PNDM",
        "it moves by ⌊T/N⌋ training steps on every grid, has the middle of a Runge–Kutta step at half of that rounded down, and averages v where the network predicts v",
        "to the next time, by way of the middle, averaging ε̂",
        |config, _| config.is(&["PNDM"]),
    ),
    of_levels(
        "DPM-Solver, DEIS, UniPC, SA-Solver",
        "its own leading and linspace grids take N + 1 times, rounded, and drop the least noisy",
        "`leading` and `sgm-uniform`",
        |config, _| {
            config.spread.family == Family::Lambda
                && !over_noise(config)
                && !config.spread.flow
                && config.spread.even != Even::Trailing
        },
    ),
    of_levels(
        "DPM-Solver, DEIS, UniPC, SA-Solver",
        "it rounds the times of Karras and Lu grids, and cuts those of exponential and beta grids to whole numbers",
        "times are as σ has them",
        |config, _| config.spread.family == Family::Lambda && over_noise(config),
    ),
    refused(
        "DPM-Solver, DEIS, UniPC, SA-Solver",
        "the first time of its exponential and beta grids is T − 1 or T − 2 as the last digit of a root in f32 has it, which machines round differently",
        "roots are rounded to the nearest",
        "its own result depends on the processor",
        |config, _| {
            let over = [Some(Over::Exponential), Some(Over::Beta)];
            config.spread.family == Family::Lambda && over.contains(&config.spread.over)
        },
    ),
    of_levels(
        "DPM-Solver, DEIS, UniPC, SA-Solver",
        "its flow sigmas are N of N + 1 from 1 to 1/T, and the times cut to whole numbers",
        "`trailing` on the straight path",
        |config, _| config.spread.flow && !over_noise(config),
    ),
    of_levels("UniPC", "with flow sigmas its Karras grid is spread over σ/α", "over t", |config, _| {
        config.spread.flow && over_noise(config)
    }),
    of_levels(
        "Euler, Heun, LMS, KDPM2, DPMSolverSDE",
        "it spreads over the noise of its own timesteps, not of the schedule",
        "over that of the schedule",
        |config, _| config.spread.family == Family::Sigma && over_noise(config),
    ),
    of_levels(
        "Euler, Heun, LMS, KDPM2, DPMSolverSDE",
        "its own timesteps are not rounded, and σ is interpolated between those of training",
        "times are whole, as DDPM's",
        |config, _| {
            config.spread.family == Family::Sigma && !over_noise(config) && config.spread.even == Even::Linspace
        },
    ),
    of_levels(
        "Euler, Heun, LMS, KDPM2, DPMSolverSDE",
        "on linspace and trailing grids it starts from σ·z, not from √(σ² + 1)·z",
        "from √(σ² + 1)·z",
        |config, _| config.spread.family == Family::Sigma && config.spread.even != Even::Leading,
    ),
    of_levels(
        "Euler",
        "with log_linear its times are those of timestep_spacing whatever the noise, and it ends a level early",
        "`exponential`",
        |config, _| config.spread.log_linear && !over_noise(config),
    ),
    followed(
        "Euler",
        "with churn it evaluates the network before it adds the noise",
        "after, as Karras et al. 2022",
        |config, run| config.is(&["EulerDiscrete", "EDMEuler"]) && is_churned(run),
    ),
    refused(
        "FlowMatchHeun",
        "with churn it adds noise of σ/α in both halves of a step, and reads the network's answer at the level before it",
        "noise is added once, and the level is that of the noisy sample",
        "its samples are no longer of the level that they are taken for",
        |config, run| config.is(&["FlowMatchHeunDiscrete"]) && is_churned(run),
    ),
    refused(
        "flow matching",
        "with invert_sigmas its stochastic sampling takes the noise for the denoised sample",
        "the denoised sample",
        "nothing of the sample would be left",
        |config, _| config.spread.inverted && config.defaults.solver.as_deref() == Some("lcm"),
    ),
    of_levels(
        "DPM-Solver with flow sigmas",
        "it ends at the least σ/α of β's schedule, taken for a time of the path",
        "at the last level of the path's grid",
        |config, _| {
            config.spread.flow && config.spread.to_least && !config.is(&["DEISMultistep", "SASolver", "UniPCMultistep"])
        },
    ),
    of_levels(
        "all that rescale β",
        "it floors the last ᾱ at 2⁻²⁴ also where less is left at the time before",
        "at half of what is left before, at most",
        |config, _| config.spread.floored && matches!(config.spread.family, Family::Lambda | Family::Sigma),
    ),
    of_levels("flow matching", "it shifts its least noise twice", "once", |config, _| {
        config.spread.family == Family::Flow && config.spread.shift != 1.0 && !config.spread.dynamic
    }),
    of_levels("flow matching", "it shifts first and spreads over noise then", "the other way round", |config, _| {
        config.spread.family == Family::Flow
            && over_noise(config)
            && (config.spread.shift != 1.0 || config.spread.dynamic)
    }),
    of_levels(
        "flow matching, UniPC with flow sigmas",
        "it shifts the sigmas and timesteps that it is given",
        "what is given is what is visited",
        |config, run| {
            let unipc = config.is(&["UniPCMultistep"]) && config.spread.flow;
            (config.spread.family == Family::Flow || unipc) && (has(run, "sigmas") || has(run, "timesteps"))
        },
    ),
    of_levels(
        "all that end at the least noise",
        "its last step goes from the least noise to the same, which clipping and the rules of order see, and is left out here",
        "the step is left out",
        stays,
    ),
    of_levels(
        "linspace of one step",
        "its linspace grid of one step is at t = 0, where there is no noise",
        "at T − 1",
        |config, run| {
            matches!(config.spread.family, Family::Index | Family::Sigma)
                && config.spread.even == Even::Linspace
                && !config.is(&["UnCLIP"])
                && run.steps.is_none_or(|steps| steps == 1)
        },
    ),
    refused(
        "trailing grids",
        "its trailing grid has a step too many for some N (61, 103 and 121 of T = 1000), at t = −1",
        "N steps",
        "there is no such time, and the noisiest level is taken for it",
        |config, run| {
            let total = config.spread.train_steps;
            matches!(config.spread.family, Family::Index | Family::Lambda | Family::Sigma)
                && !over_noise(config)
                && !config.spread.flow
                && config.spread.even == Even::Trailing
                && run.steps.is_some_and(|steps| steps > 0 && trailing_count(total, total, steps) > steps)
        },
    ),
    followed(
        "DDPM, UnCLIP",
        "it adds noise wherever the time before was above 0, also onto the finished sample, and floors the posterior's variance at 1e-20",
        "never onto a finished sample; no floor",
        |config, _| config.is(&["DDPM", "DDPMParallel", "UnCLIP"]),
    ),
    followed(
        "DDPM",
        "it takes a learned variance for the variance, where it is its logarithm here",
        "for its logarithm",
        |config, _| config.defaults.options.get("variance").and_then(|word| word.as_str()) == Some("learned"),
    ),
    of_levels("Heun", "it takes ε̂ from the clipped x̂₀", "as the network predicts it", |config, _| {
        config.is(&["HeunDiscrete"]) && config.clip_range.is_some()
    }),
    of_levels("TCD, UniPC with ε̂", "it ignores clipping and thresholding", "they are applied", |config, _| {
        config.ignores_clipping() && (config.clip_range.is_some() || config.threshold.is_some())
    }),
    followed(
        "DPM-Solver of order 3",
        "its third order has −½ where the integral has +½",
        "+½, as k-diffusion has it",
        |config, _| {
            let of = |key: &str| config.defaults.options.get(key).map(ToString::to_string).unwrap_or_default();
            of("algorithm") == "\"sde-dpm-solver++\"" && of("order") == "3"
        },
    ),
    followed(
        "SA-Solver",
        "τ is 1 at the times from 200 to 800 whatever T is, and noise is drawn in every step",
        "between the same shares of T; noise is drawn where it is used",
        |config, _| config.is(&["SASolver"]),
    ),
    refused(
        "DEIS, and DPM-Solver, UniPC and SA-Solver where they expand ε̂",
        "its weights are differences in f32 of numbers that a wide step makes large, good to some 1e-3 on cosine and flow grids",
        "in f64",
        "what f32 leaves of them is chance",
        |config, _| config.spread.family == Family::Lambda && config.expands_noise(),
    ),
    refused(
        "all on a cosine, which starts at σ/α = 2e4; Heun and PNDM in 5 steps at most",
        "over so wide a step f32 leaves three digits of what ε̂ or v and x make of x̂₀, and x̂₀ and x of ε̂",
        "rounded elsewhere",
        "what f32 leaves of it is chance",
        |config, run| {
            let families = [Family::Index, Family::Lambda, Family::Sigma];
            let few = config.is(&["HeunDiscrete", "PNDM"]) && run.steps.is_none_or(|steps| steps <= 5);
            families.contains(&config.spread.family) && (config.spread.cosine || few)
        },
    ),
    refused(
        "KDPM2Ancestral",
        "its middle level is found from a difference of squares in f32, of which a wide step leaves few digits or none",
        "in f64",
        "what f32 leaves of it is chance",
        |config, _| config.is(&["KDPM2AncestralDiscrete"]),
    ),
    followed(
        "PNDM",
        "with strength it makes a first step twice all the same, from the times of a list in which the second is there twice, and so runs one step more, whose noise is counted one step too little",
        "the last steps of the grid",
        |config, run| run.is_part && config.is(&["PNDM"]),
    ),
    refused(
        "LMS, DEIS, SA-Solver, DPM-Solver singlestep",
        "with strength it counts its orders and its first steps from the whole grid's beginning",
        "from the run's own",
        "no step that was left out has left anything to count",
        |config, run| {
            let named = ["LMSDiscrete", "DEISMultistep", "SASolver", "DPMSolverSinglestep"];
            run.is_part && config.is(&named)
        },
    ),
    followed("flow matching", "with strength its pipelines round the steps up", "down", |config, run| {
        run.is_part && matches!(config.schedule, Schedule::Flow { .. })
    }),
    refused(
        "Euler, flow matching",
        "of sigmas that are given Euler takes the last for the end, and flow matching evaluates also at a last 0",
        "the end comes by itself, and may be there as 0",
        "one list is one run with every solver",
        |config, run| has(run, "sigmas") && (config.is(&["EulerDiscrete"]) || config.spread.family == Family::Flow),
    ),
    followed(
        "IPNDM",
        "from pure noise it takes 0 for the denoised sample",
        "what the network predicts",
        |config, _| config.is(&["IPNDM"]),
    ),
    followed(
        "CogVideoX's DPM-Solver",
        "it draws noise twice in every step but the first and the last, and uses the second",
        "once",
        |config, _| config.is(&["CogVideoXDPM"]),
    ),
    of_levels(
        "DDPMWuerstchen",
        "its cosine is clamped to 1e-4 … 0.9999, so that it does not end at the clean sample",
        "at the clean sample",
        |config, _| config.is(&["DDPMWuerstchen"]),
    ),
    of_levels("SCM", "its angles begin at 1.5708, and the second of two is 1.3", "`trailing`", |config, _| {
        config.is(&["SCM"])
    }),
    of_levels(
        "KarrasVe",
        "it takes the σ² of its grid for σ",
        "`exponential`: the root (Karras et al. 2022, table 1)",
        |config, _| config.is(&["KarrasVe"]),
    ),
    refused(
        "EDM",
        "its σ_data is 0.5 where the file does not say it",
        "the model's own",
        "a model's answer is read with the σ_data that it was trained with",
        |config, _| config.spread.family == Family::Edm && config.sigma_data.is_none(),
    ),
    refused(
        "DPMSolverSDE, CosineDPMSolver",
        "its noise is a Brownian tree",
        "independent noise in every stage",
        "its law is the same, and a tree depends on its library's seeds",
        |config, _| config.is(&["DPMSolverSDE", "CosineDPMSolverMultistep"]),
    ),
    refused(
        "ScoreSdeVe",
        "its corrector goes by norms over the batch",
        "by what they are near to, or by each item's own",
        "an item would depend on the others of its batch",
        |config, _| config.is(&["ScoreSdeVe"]),
    ),
    refused(
        "ScoreSdeVp",
        "it steps by 1/N where its times are 1/(N − 1) apart",
        "by the difference of its times",
        "it does not end where its times do",
        |config, _| config.is(&["ScoreSdeVp"]),
    ),
    refused(
        "DDIMInverse",
        "it clips x̂₀, and takes ε̂ of v at another level than the one that the network receives",
        "it does not clip, and takes it at that level",
        "a run back would not find the sample again",
        |config, _| config.is(&["DDIMInverse"]),
    ),
    refused(
        "DPMSolverMultistepInverse",
        "with flow sigmas it goes down as the sampler does",
        "an inversion goes up",
        "it is no inversion",
        |config, _| config.is(&["DPMSolverMultistepInverse"]) && config.spread.flow,
    ),
];
