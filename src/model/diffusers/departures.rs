//! Where diffusers' schedulers do otherwise than the papers, and than this crate.

use super::classes::Family;
use super::config::SchedulerConfig;
use super::spread::{Even, Over};
use crate::option::Options;

/// Something that a scheduler of diffusers does otherwise.
pub struct Departure {
    /// Which schedulers it is of.
    pub of: &'static str,
    /// What they do.
    pub diffusers: &'static str,
    /// What is done here.
    pub here: &'static str,
    /// Whether a request that is compatible with diffusers does as they do; if not, why.
    pub compat: Compat,
    applies: fn(&SchedulerConfig, &Options) -> bool,
}

/// Whether a departure is followed by a request that is compatible with diffusers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compat {
    /// It is.
    Followed,
    /// It is not, and this is why.
    Refused(&'static str),
}

impl SchedulerConfig {
    /// Where diffusers' class does otherwise than this crate for a run with these options.
    pub fn departures<'a>(&'a self, options: &'a Options) -> impl Iterator<Item = &'static Departure> + 'a {
        DEPARTURES.iter().filter(|departure| (departure.applies)(self, options))
    }

    /// The same in words, a line each, with the fields of the file that are ignored: what is otherwise for a request
    /// that is compatible with diffusers, or for one that is not.
    #[must_use]
    pub fn notes(&self, options: &Options, compatible: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.ignored.is_empty() {
            notes.push(format!("it has no {}, which are ignored, as in diffusers", self.ignored.join(", ")));
        }
        for departure in self.departures(options) {
            match (compatible, departure.compat) {
                (true, Compat::Followed) => {}
                (false, Compat::Followed) => notes.push(format!("{}; not so here", departure.diffusers)),
                (_, Compat::Refused(why)) => notes.push(format!("{}; not so here: {why}", departure.diffusers)),
            }
        }
        notes
    }

    fn is(&self, names: &[&str]) -> bool {
        self.class.strip_suffix("Scheduler").is_some_and(|name| names.contains(&name))
    }
}

const fn followed(
    of: &'static str,
    diffusers: &'static str,
    here: &'static str,
    applies: fn(&SchedulerConfig, &Options) -> bool,
) -> Departure {
    Departure { of, diffusers, here, compat: Compat::Followed, applies }
}

const fn refused(
    of: &'static str,
    diffusers: &'static str,
    here: &'static str,
    why: &'static str,
    applies: fn(&SchedulerConfig, &Options) -> bool,
) -> Departure {
    Departure { of, diffusers, here, compat: Compat::Refused(why), applies }
}

/// Whether steps are moved by ⌊T/N⌋.
fn strides(config: &SchedulerConfig, _: &Options) -> bool {
    config.spread.family == Family::Index && config.is(&["DDIM", "DDIMParallel", "CogVideoXDDIM", "CogVideoXDPM"])
}

fn over_noise(config: &SchedulerConfig) -> bool {
    config.spread.over.is_some()
}

/// Whether the last step stays where it is.
fn stays(config: &SchedulerConfig, _: &Options) -> bool {
    config.defaults.ending == crate::schedule::Ending::Level
}

/// Every departure that is known.
pub const DEPARTURES: &[Departure] = &[
    followed("all with β", "it builds its tables in f32", "in f64; α and σ differ by up to 3e-4", |config, _| {
        matches!(config.spread.family, Family::Index | Family::Distilled | Family::Lambda | Family::Sigma)
            && !config.spread.flow
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
        "it moves by ⌊T/N⌋ training steps on every grid, has the middle of a Runge–Kutta step at half of that rounded down, and averages v where the network says v",
        "to the next time, by way of the middle, averaging ε̂",
        |config, _| config.is(&["PNDM"]),
    ),
    followed(
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
    followed(
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
    followed(
        "DPM-Solver, DEIS, UniPC, SA-Solver",
        "its flow sigmas are N of N + 1 from 1 to 1/T, and the times cut to whole numbers",
        "`trailing` on the straight path",
        |config, _| config.spread.flow && !over_noise(config),
    ),
    followed("UniPC", "with flow sigmas its Karras and other grids are spread over σ/α", "over t", |config, _| {
        config.spread.flow && over_noise(config)
    }),
    followed(
        "Euler, Heun, LMS, KDPM2, DPMSolverSDE",
        "it spreads over the noise of its own timesteps, not of the schedule",
        "over that of the schedule",
        |config, _| config.spread.family == Family::Sigma && over_noise(config),
    ),
    followed(
        "Euler, Heun, LMS, KDPM2, DPMSolverSDE",
        "its own timesteps are not rounded, and σ is interpolated between those of training",
        "times are whole, as DDPM's",
        |config, _| {
            config.spread.family == Family::Sigma && !over_noise(config) && config.spread.even == Even::Linspace
        },
    ),
    followed(
        "Euler, Heun, LMS, KDPM2, DPMSolverSDE",
        "on linspace and trailing grids it starts from σ·z, not from √(σ² + 1)·z",
        "from √(σ² + 1)·z",
        |config, _| config.spread.family == Family::Sigma && config.spread.even != Even::Leading,
    ),
    followed(
        "Euler",
        "with log_linear its times are those of timestep_spacing whatever the noise, and it ends a level early",
        "`exponential`",
        |config, _| config.spread.log_linear && !over_noise(config),
    ),
    followed(
        "Euler",
        "with churn it asks the network before it adds the noise",
        "after, as Karras et al. 2022",
        |config, options| config.is(&["EulerDiscrete", "EDMEuler"]) && options.real("s_churn").unwrap_or(0.0) > 0.0,
    ),
    refused(
        "FlowMatchHeun",
        "with churn it adds noise of σ/α in both halves of a step, and reads the network's answer at the level before it",
        "noise is added once, and the level is that of the noisy sample",
        "its samples are no longer of the level that they are taken for",
        |config, options| config.is(&["FlowMatchHeunDiscrete"]) && options.real("s_churn").unwrap_or(0.0) > 0.0,
    ),
    refused(
        "flow matching",
        "with invert_sigmas its stochastic sampling takes the noise for the denoised sample",
        "the denoised sample",
        "nothing of the sample would be left",
        |config, _| config.spread.inverted && config.defaults.solver.as_deref() == Some("lcm"),
    ),
    followed("flow matching", "it shifts its least noise twice", "once", |config, _| {
        config.spread.family == Family::Flow && config.spread.shift != 1.0 && !config.spread.dynamic
    }),
    followed("flow matching", "it shifts first and spreads over noise then", "the other way round", |config, _| {
        config.spread.family == Family::Flow
            && over_noise(config)
            && (config.spread.shift != 1.0 || config.spread.dynamic)
    }),
    followed(
        "flow matching",
        "it shifts the sigmas and timesteps that it is given",
        "what is given is what is visited",
        |config, options| {
            config.spread.family == Family::Flow
                && (options.numbers("sigmas").is_some() || options.numbers("timesteps").is_some())
        },
    ),
    followed(
        "all that end at the least noise",
        "its last step goes from the least noise to the same, which clipping and the rules of order see, and is left out here",
        "the step is left out",
        stays,
    ),
    followed(
        "linspace of one step",
        "its linspace grid of one step is at t = 0, where there is no noise",
        "at T − 1",
        |config, _| {
            matches!(config.spread.family, Family::Index | Family::Sigma)
                && config.spread.even == Even::Linspace
                && !config.is(&["UnCLIP"])
        },
    ),
    refused(
        "trailing grids",
        "its trailing grid has a step too many for 61, 103, 121 and more steps, at t = −1",
        "N steps",
        "there is no such time, and the noisiest level is taken for it",
        |config, _| {
            matches!(config.spread.family, Family::Index | Family::Lambda | Family::Sigma)
                && !over_noise(config)
                && !config.spread.flow
                && config.spread.even == Even::Trailing
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
    followed(
        "Heun",
        "it takes ε̂ from the clipped x̂₀",
        "as the network says it, as with its other classes",
        |config, _| config.is(&["HeunDiscrete"]) && config.clip_range.is_some(),
    ),
    followed("TCD, UniPC with ε̂", "it ignores clipping and thresholding", "they are applied", |config, _| {
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
        "DEIS",
        "with flow sigmas its weights are differences in f32 of numbers of thousands, good to some 1e-4",
        "in f64",
        "what f32 leaves of them is chance",
        |config, _| config.is(&["DEISMultistep"]) && config.spread.flow,
    ),
    refused(
        "KDPM2Ancestral",
        "its middle level is found from a difference of squares in f32, of which a wide step leaves two digits",
        "in f64",
        "what f32 leaves of it is chance",
        |config, _| config.is(&["KDPM2AncestralDiscrete"]),
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
    followed(
        "DDPMWuerstchen",
        "its cosine is clamped to 1e-4 … 0.9999, so that it does not end at the clean sample",
        "at the clean sample",
        |config, _| config.is(&["DDPMWuerstchen"]),
    ),
    followed("SCM", "its angles begin at 1.5708, and the second of two is 1.3", "`trailing`", |config, _| {
        config.is(&["SCM"])
    }),
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
        "it clips x̂₀, and takes ε̂ of v at another level than the one that the network is told",
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
