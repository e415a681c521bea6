//! The levels that diffusers' schedulers visit, for the same picture as theirs. They are computed as `set_timesteps` of
//! each class does, in its precision.
//!
//! A level has the value of the network's time input, and the α and σ that diffusers takes x to have there. The two
//! need not belong together, since several classes round times, or cut them to whole numbers.

use super::classes::Family;
use super::config::SchedulerConfig;
use super::numbers::{
    by_beta, exponential, interpolated, karras, leading, linspace, linspace_in_single, log_in_single, single, spaced,
    trailing,
};
use super::spread::{Even, Over, Spread};
use crate::error::{Error, Result};
use crate::model::manifest::Schedule;
use crate::schedule::{Grid, MOST_STEPS, NOTHING_TO_STRETCH, NoiseLevel, NoiseSchedule};

/// What a run needs of a scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Asked<'a> {
    /// The number of steps.
    pub(crate) steps: usize,
    /// The caller's own times, in place of steps.
    pub(crate) timesteps: Option<&'a [f64]>,
    /// The caller's own σ, in place of steps. The end may be there, as 0.
    pub(crate) sigmas: Option<&'a [f64]>,
    /// The shift that a run sets, in place of the configuration's.
    pub(crate) shift: Option<f64>,
    /// The share of the steps of distillation that is used.
    pub(crate) share: f64,
}

/// The computed levels.
struct Levels {
    levels: Vec<NoiseLevel>,
    end: NoiseLevel,
    /// The standard deviation of the noise that a run starts from.
    start: f64,
}

impl SchedulerConfig {
    /// The grid of diffusers' class for what a run needs. `None` for a class whose grid is the papers', and for the
    /// caller's own levels where the class takes none.
    ///
    /// # Errors
    /// [`Error::Argument`] with the option or the field for which it has no such levels.
    pub(crate) fn grid(&self, asked: &Asked<'_>) -> Result<Option<Grid>> {
        let spread = &self.spread;
        if self.inverse {
            return Ok(None);
        }
        let file = spread.trained.as_ref().map_or(&self.schedule, |(schedule, _)| schedule);
        let tables = self.tables();
        let schedule = file.build(tables)?;
        if let Some(key) = spread.refuses(asked) {
            let whose = format!("{} takes none with the noise levels of its configuration", self.class);
            return Err(Error::argument(key, whose));
        }
        if asked.steps == 0 {
            return Err(Error::argument("steps", "0; at least one is needed"));
        }
        if asked.steps > MOST_STEPS {
            return Err(Error::argument("steps", format!("{}; at most {MOST_STEPS} are possible", asked.steps)));
        }
        // With fewer steps a time of the grid would mean another level.
        if let Some(steps) = schedule.train_steps().filter(|steps| *steps != spread.train_steps) {
            let reason = format!("{}, but trained_betas are {steps}", spread.train_steps);
            return Err(field("num_train_timesteps", reason));
        }
        let found = match spread.family {
            Family::Index => spread.among_training(&*schedule, asked)?,
            Family::Distilled => spread.among_distillation(&*schedule, asked)?,
            Family::Lambda => {
                let betas = spread.betas.as_ref().map(|betas| betas.build(tables)).transpose()?;
                spread.in_lambda(&Table::new(&**betas.as_ref().unwrap_or(&schedule), spread.floored), asked)?
            }
            Family::Sigma => spread.in_sigma(&Table::new(&*schedule, spread.floored), asked)?,
            Family::Flow => spread.on_the_path(asked)?,
            Family::Edm => spread.between_noises(&self.schedule, asked),
            Family::Consistency => spread.of_consistency(&self.schedule, asked)?,
            Family::KarrasVe => spread.of_karras_ve(&self.schedule, asked)?,
            Family::Wuerstchen => spread.on_the_cosine(asked),
            Family::TrigFlow => spread.on_the_circle(asked),
            Family::Crash => spread.by_crash(asked),
            Family::Sde => None,
        };
        let Some(Levels { mut levels, end, start }) = found else { return Ok(None) };
        if levels.is_empty() {
            return Err(Error::argument("steps", format!("{}; {} makes none of them", asked.steps, self.class)));
        }
        levels.push(end);
        Grid::with_steps_that_stay(levels, schedule).map(|grid| Some(grid.starting_with(start)))
    }

    /// What diffusers' class counts for 1 of the schedule's time.
    pub(crate) fn time_scale(&self) -> f64 {
        if matches!(self.schedule, Schedule::Flow { .. }) { self.spread.train_steps as f64 } else { 1.0 }
    }

    /// Whether the levels are diffusers' even where papers are followed, because these have none for the class.
    pub(crate) fn has_its_own_levels(&self) -> bool {
        self.spread.family == Family::Consistency
    }
}

fn field(name: &str, reason: String) -> Error {
    Error::argument("scheduler_config", format!("{name}: {reason}"))
}

/// α, σ/α and λ of the steps of training, in f32.
struct Table {
    sigmas: Vec<f64>,
    log_sigmas: Vec<f64>,
    lambdas: Vec<f64>,
}

impl Table {
    /// The table of a schedule that counts its training steps. If it is floored it ends at ᾱ = 2⁻²⁴, even where ᾱ is
    /// less before.
    fn new(schedule: &dyn NoiseSchedule, floored: bool) -> Self {
        let steps = schedule.train_steps().unwrap_or(1);
        let bar = |t: usize| {
            if floored && t + 1 == steps { 2f64.powi(-24) } else { single(schedule.level(t as f64).alpha.powi(2)) }
        };
        let sigmas: Vec<f64> = (0..steps).map(|t| single(single(single(1.0 - bar(t)) / bar(t)).sqrt())).collect();
        let lambda = |t: usize| {
            let (alpha, sigma) = (single(bar(t).sqrt()), single(single(1.0 - bar(t)).sqrt()));
            single(single(alpha.ln()) - single(sigma.ln()))
        };
        let lambdas = (0..steps).map(lambda).collect();
        Self { log_sigmas: sigmas.iter().map(|sigma| log_in_single(*sigma)).collect(), sigmas, lambdas }
    }

    /// The time of σ. `ln σ` is interpolated between the σ of training.
    fn time(&self, sigma: f64) -> f64 {
        let log = sigma.max(1e-10).ln();
        let last = self.log_sigmas.len().saturating_sub(2);
        // They rise, except that a floor may have lowered the last one.
        let (end, rising) = (self.log_sigmas[self.log_sigmas.len() - 1], &self.log_sigmas[..=last]);
        let is_beyond = end <= log;
        let below = if is_beyond { last } else { rising.partition_point(|value| *value <= log).max(1) - 1 };
        let low = self.log_sigmas[below];
        let Some(high) = self.log_sigmas.get(below + 1) else { return below as f64 };
        let share = ((low - log) / single(low - high)).clamp(0.0, 1.0);
        (1.0 - share) * below as f64 + share * (below + 1) as f64
    }
}

/// The level with σ/α `ratio` on a variance-preserving schedule, at the given time.
fn preserving(t: f64, ratio: f64) -> NoiseLevel {
    let ratio = single(ratio);
    let alpha = (ratio * ratio + 1.0).sqrt().recip();
    NoiseLevel { t, alpha, sigma: ratio * alpha }
}

/// The level σ on the straight path.
fn straight(t: f64, sigma: f64) -> NoiseLevel {
    let sigma = single(sigma);
    // A shift may round to a little more than 1.
    NoiseLevel { t, alpha: (1.0 - sigma).max(0.0), sigma }
}

/// The level σ where α is 1.
fn exploding(sigma: f64) -> NoiseLevel {
    let sigma = single(sigma);
    NoiseLevel { t: sigma, alpha: 1.0, sigma }
}

/// `s·t/(1 + (s−1)·t)`, rounded by `round`.
fn shifted(shift: f64, t: f64, round: fn(f64) -> f64) -> f64 {
    round(round(shift * t) / round(1.0 + round((shift - 1.0) * t)))
}

/// The same formula as diffusers writes it for a shift that is set with every run.
fn dynamically_shifted(shift: f64, t: f64, round: fn(f64) -> f64) -> f64 {
    let shift = round(shift);
    round(shift / round(shift + round(round(1.0 / t) - 1.0)))
}

impl Spread {
    /// The list of the caller's own levels that the class does not take.
    fn refuses(&self, asked: &Asked<'_>) -> Option<&'static str> {
        let over_noise = self.over.is_some() && self.family != Family::Flow;
        // UniPC's levels on the path are spread between the ends of the given ones.
        match over_noise {
            true if asked.timesteps.is_some() => Some("timesteps"),
            true if self.flow && asked.sigmas.is_some() => Some("sigmas"),
            _ => None,
        }
    }

    /// `count` times of training, noisiest first, of which `last` is the greatest but one.
    fn times(&self, last: usize, steps: usize, more: usize) -> Vec<f64> {
        let count = steps + more;
        let mut times = match self.even {
            Even::Trailing => trailing(last, self.train_steps, steps),
            Even::Leading => leading(count, last / count).into_iter().map(|t| t + self.offset as f64).collect(),
            Even::Linspace => spaced(last as f64 - 1.0, count),
        };
        times.truncate(steps);
        times
    }

    /// The caller's own times, as whole numbers.
    fn given_times(&self, asked: &Asked<'_>) -> Result<Option<Vec<f64>>> {
        let Some(times) = asked.timesteps else { return Ok(None) };
        let last = self.train_steps as f64 - 1.0;
        match times.iter().find(|t| !(0.0..=last).contains(*t)) {
            Some(t) => {
                let reason = format!("{t} is not a time of the schedule, 0 to {last}");
                Err(Error::argument("timesteps", reason))
            }
            None => Ok(Some(times.iter().map(|t| t.trunc()).collect())),
        }
    }

    fn check_times(&self, times: &[f64]) -> Result<()> {
        let last = self.train_steps as f64 - 1.0;
        if times.first().is_some_and(|first| *first > last) {
            let reason = format!("{}; the first time would be beyond the last of training, {last}", self.offset);
            return Err(field("steps_offset", reason));
        }
        Ok(())
    }

    fn among_training(&self, schedule: &dyn NoiseSchedule, asked: &Asked<'_>) -> Result<Option<Levels>> {
        if asked.sigmas.is_some() || asked.timesteps.is_some() && !self.name.starts_with("DDPM") {
            return Ok(None);
        }
        if asked.steps > self.train_steps {
            let reason = format!("{}; the model was trained on {}", asked.steps, self.train_steps);
            return Err(Error::argument("steps", reason));
        }
        let unclip = self.name == "UnCLIP";
        if unclip && asked.steps < 2 {
            return Err(Error::argument("steps", "1; UnCLIPScheduler spreads 2 at least"));
        }
        let times = self.given_times(asked)?.unwrap_or_else(|| {
            if unclip {
                let stride = (self.train_steps as f64 - 1.0) / (asked.steps as f64 - 1.0);
                return (0..asked.steps).rev().map(|i| (i as f64 * stride).round_ties_even()).collect();
            }
            self.times(self.train_steps, asked.steps, 0)
        });
        self.check_times(&times)?;
        let to_one = self.to_one || self.name.starts_with("DDPM") || unclip;
        let end = if to_one { NoiseLevel::clean(-1.0) } else { schedule.level(0.0) };
        Ok(Some(Levels { levels: times.iter().map(|t| schedule.level(*t)).collect(), end, start: 1.0 }))
    }

    fn among_distillation(&self, schedule: &dyn NoiseSchedule, asked: &Asked<'_>) -> Result<Option<Levels>> {
        if asked.sigmas.is_some() {
            return Ok(None);
        }
        let original = self.original_steps;
        let times = match self.given_times(asked)? {
            Some(times) => times,
            None if !(asked.steps..=self.train_steps).contains(&original) => {
                let reason = format!("{original}; {0} steps of {1} need {0} to {1}", asked.steps, self.train_steps);
                return Err(field("original_inference_steps", reason));
            }
            None => {
                let stride = self.train_steps / original;
                let used = ((original as f64 * asked.share) as usize).min(original);
                if used < asked.steps {
                    let reason = format!(
                        "{} leaves {used} of {original} original steps, and there are {} steps",
                        asked.share, asked.steps
                    );
                    return Err(Error::argument("strength", reason));
                }
                // This is numpy's linspace without its end, rounded down.
                let step = used as f64 / asked.steps as f64;
                let skipped = |i: usize| (i as f64 * step).floor() as usize;
                (0..asked.steps).map(|i| ((used - skipped(i)) * stride) as f64 - 1.0).collect()
            }
        };
        let end = if self.name == "TCD" { schedule.level(0.0) } else { NoiseLevel::clean(-1.0) };
        Ok(Some(Levels { levels: times.iter().map(|t| schedule.level(*t)).collect(), end, start: 1.0 }))
    }

    /// σ between those of `table`, from the greatest to the least, with the times of each.
    fn over_noise(&self, over: Over, ends: [f64; 2], table: &Table, steps: usize) -> Vec<(f64, f64)> {
        let [least, most] = ends;
        let ramp = linspace(0.0, 1.0, steps);
        let sigmas = match over {
            Over::Karras => karras(least, most, self.rho, ramp.into_iter()),
            Over::Exponential => exponential(least, most, steps),
            Over::Beta => by_beta(least, most, steps),
            Over::Lu => {
                let [low, high] = [least, most].map(log_in_single);
                ramp.into_iter().map(|share| (high + share * (low - high)).exp()).collect()
            }
        };
        sigmas.into_iter().map(|sigma| (table.time(sigma), sigma)).collect()
    }

    fn in_lambda(&self, table: &Table, asked: &Asked<'_>) -> Result<Option<Levels>> {
        let steps = asked.steps;
        if self.flow {
            return self.in_lambda_on_the_path(table, asked).map(Some);
        }
        if asked.sigmas.is_some() || asked.timesteps.is_some() && !self.name.starts_with("DPMSolver") {
            return Ok(None);
        }
        let own = [table.sigmas[0], table.sigmas[table.sigmas.len() - 1]];
        let unipc = self.name == "UniPCMultistep";
        let pairs: Vec<(f64, f64)> = match self.over {
            Some(over) => {
                let ends = [self.ends[0].unwrap_or(own[0]), self.ends[1].unwrap_or(own[1])];
                let whole = match over {
                    // Only DPM-Solver's multistep form leaves the times of a cosine as they are, to be cut.
                    Over::Karras | Over::Lu if !(self.cosine && self.name == "DPMSolverMultistep") => {
                        f64::round_ties_even
                    }
                    _ => f64::trunc,
                };
                let pairs = self.over_noise(over, ends, table, steps);
                pairs.into_iter().map(|(t, sigma)| (whole(t), sigma)).collect()
            }
            None => {
                let times = match self.given_times(asked)? {
                    Some(times) => times,
                    None => self.times(self.noisiest(table), steps, 1),
                };
                times.into_iter().map(|t| (t, interpolated(&table.sigmas, t))).collect()
            }
        };
        let least = pairs.last().map_or(own[0], |(_, sigma)| *sigma);
        let to_own_least = matches!(self.name, "DEISMultistep" | "SASolver") || unipc;
        let end = match self.over {
            _ if !self.to_least && !matches!(self.name, "DEISMultistep" | "SASolver") => NoiseLevel::clean(-1.0),
            Some(_) if to_own_least => preserving(0.0, least),
            _ => preserving(0.0, own[0]),
        };
        let levels = pairs.into_iter().map(|(t, sigma)| preserving(t, sigma)).collect();
        Ok(Some(Levels { levels, end, start: 1.0 }))
    }

    /// T, or less where λ would be below the least that the file allows.
    fn noisiest(&self, table: &Table) -> usize {
        let clipped = self.lambda_min.map_or(0, |least| table.lambdas.iter().filter(|value| **value < least).count());
        self.train_steps - clipped.min(self.train_steps - 1)
    }

    fn in_lambda_on_the_path(&self, table: &Table, asked: &Asked<'_>) -> Result<Levels> {
        let (steps, total) = (asked.steps, self.train_steps as f64);
        let shift = asked.shift.unwrap_or(self.shift);
        let exact = |value: f64| value;
        let unipc = self.name == "UniPCMultistep";
        let mut sigmas: Vec<f64> = match self.over {
            Some(over) => {
                let own = [table.sigmas[0], table.sigmas[table.sigmas.len() - 1]];
                let ends = [self.ends[0].unwrap_or(own[0]), self.ends[1].unwrap_or(own[1])];
                let of_ratio = |(_, ratio): (f64, f64)| ratio / (ratio + 1.0);
                self.over_noise(over, ends, table, steps).into_iter().map(of_ratio).collect()
            }
            None if unipc => {
                let mut given = match asked.sigmas {
                    Some(given) => without_end(given).to_vec(),
                    None => linspace(1.0, 1.0 / total, steps + 1),
                };
                given.truncate(steps);
                let shifted = if self.dynamic { dynamically_shifted } else { shifted };
                given.into_iter().map(|t| shifted(shift, t, exact)).collect()
            }
            None => {
                let mut own = linspace(1.0, 1.0 / total, steps + 1);
                own.iter_mut().for_each(|value| *value = shifted(shift, 1.0 - *value, exact));
                own.reverse();
                own.truncate(steps);
                own
            }
        };
        if self.over.is_none() {
            self.stretch(&mut sigmas, exact)?;
        }
        if unipc
            && self.over.is_none()
            && let Some(first) = sigmas.first_mut().filter(|first| (**first - 1.0).abs() < 1e-6)
        {
            *first -= 1e-6;
        }
        let least = sigmas.last().copied().unwrap_or(0.0);
        let end = match self.name {
            "DEISMultistep" | "SASolver" => straight(0.0, least),
            _ if !self.to_least => NoiseLevel::clean(0.0),
            "UniPCMultistep" => straight(0.0, least),
            // This is the least σ/α of β's schedule, used as one of the path's.
            _ => straight(0.0, table.sigmas.first().copied().unwrap_or(least)),
        };
        let levels = sigmas.into_iter().map(|sigma| straight((sigma * total).trunc() / total, sigma)).collect();
        Ok(Levels { levels, end, start: 1.0 })
    }

    /// Stretches times so that the last is `shift_terminal`.
    fn stretch(&self, times: &mut [f64], round: fn(f64) -> f64) -> Result<()> {
        let (Some(terminal), Some(last)) = (self.shift_terminal, times.last().copied()) else { return Ok(()) };
        if last == 1.0 {
            return Err(Error::argument("shift_terminal", NOTHING_TO_STRETCH));
        }
        let scale = round(round(1.0 - last) / (1.0 - terminal));
        times.iter_mut().for_each(|t| *t = round(1.0 - round(round(1.0 - *t) / scale)));
        Ok(())
    }

    fn in_sigma(&self, table: &Table, asked: &Asked<'_>) -> Result<Option<Levels>> {
        let takes = match self.name {
            "EulerDiscrete" => true,
            "HeunDiscrete" => asked.sigmas.is_none(),
            _ => asked.sigmas.is_none() && asked.timesteps.is_none(),
        };
        if !takes {
            return Ok(None);
        }
        let (steps, continuous) = (asked.steps, self.trained.is_some());
        let last = table.sigmas.len() - 1;
        if let Some(t) = asked.timesteps.iter().copied().flatten().find(|t| !(0.0..=last as f64).contains(*t)) {
            return Err(Error::argument("timesteps", format!("{t} is not a time of the schedule, 0 to {last}")));
        }
        let mut end = if self.to_least { table.sigmas[0] } else { 0.0 };
        let pairs: Vec<(f64, f64)> = if let Some(given) = asked.sigmas {
            end = 0.0;
            without_end(given).iter().map(|sigma| (table.time(single(*sigma)), single(*sigma))).collect()
        } else {
            let times: Vec<f64> = match asked.timesteps {
                Some(given) => given.iter().map(|t| single(*t)).collect(),
                // These are rounded only to f32.
                None if self.even == Even::Linspace => {
                    linspace(0.0, self.train_steps as f64 - 1.0, steps).into_iter().rev().map(single).collect()
                }
                None => self.times(self.train_steps, steps, 0),
            };
            let mut sigmas: Vec<f64> = if self.log_linear {
                let ends = [table.sigmas[last], table.sigmas[0]].map(log_in_single);
                linspace_in_single(ends[0], ends[1], steps + 1).into_iter().map(|log| single(log.exp())).collect()
            } else {
                times.iter().map(|t| interpolated(&table.sigmas, *t)).collect()
            };
            match self.over {
                Some(over) => {
                    let own = [sigmas[sigmas.len() - 1], sigmas[0]];
                    let ends = [self.ends[0].unwrap_or(own[0]), self.ends[1].unwrap_or(own[1])];
                    let rounds = over == Over::Karras && self.name.starts_with("KDPM2");
                    let pairs = self.over_noise(over, ends, table, steps);
                    pairs.into_iter().map(|(t, sigma)| (if rounds { t.round_ties_even() } else { t }, sigma)).collect()
                }
                None => {
                    if self.log_linear {
                        end = sigmas.pop().unwrap_or(end);
                    }
                    times.into_iter().zip(sigmas).collect()
                }
            }
        };
        let most = pairs.iter().map(|(_, sigma)| single(*sigma)).fold(0.0, f64::max);
        // x starts as σ·z or as √(σ² + 1)·z, and is scaled to the variance-preserving level.
        let start = if self.even == Even::Leading { 1.0 } else { single(most) / (most * most + 1.0).sqrt() };
        let told = |t: f64, sigma: f64| if continuous { single(0.25 * single(sigma).ln()) } else { single(t) };
        let levels = pairs.into_iter().map(|(t, sigma)| preserving(told(t, sigma), sigma)).collect();
        let end = if end > 0.0 { exploding(end) } else { NoiseLevel::clean(-1.0) };
        Ok(Some(Levels { levels, end, start }))
    }

    fn on_the_path(&self, asked: &Asked<'_>) -> Result<Option<Levels>> {
        let (steps, total) = (asked.steps, self.train_steps as f64);
        let shift = asked.shift.unwrap_or(self.shift);
        let (static_shift, exact): (bool, fn(f64) -> f64) = (!self.dynamic, |value| value);
        let given = asked.sigmas.map(without_end).or(asked.timesteps);
        // Given values are f32, and everything computed from them is as well.
        let round: fn(f64) -> f64 = if given.is_some() { single } else { exact };
        let heun = self.name == "FlowMatchHeunDiscrete";
        if heun && given.is_some() {
            return Ok(None);
        }
        let ends = [1.0, total].map(|t| {
            let sigma = single(t / total);
            if static_shift { shifted(self.shift, sigma, single) } else { sigma }
        });
        let mut sigmas: Vec<f64> = match (asked.sigmas, asked.timesteps) {
            (Some(given), _) => without_end(given).iter().map(|sigma| single(*sigma)).collect(),
            (None, Some(times)) => times.iter().map(|t| single(single(*t) / total)).collect(),
            (None, None) => linspace(ends[1] * total, ends[0] * total, steps).into_iter().map(|t| t / total).collect(),
        };
        let shifted = if self.dynamic { dynamically_shifted } else { shifted };
        sigmas.iter_mut().for_each(|sigma| *sigma = shifted(shift, *sigma, round));
        self.stretch(&mut sigmas, round)?;
        if let Some(over) = self.over {
            let (most, least) = (sigmas[0], sigmas[sigmas.len() - 1]);
            sigmas = match over {
                Over::Karras => karras(least, most, self.rho, linspace(0.0, 1.0, steps).into_iter()),
                Over::Beta => by_beta(least, most, steps),
                Over::Exponential | Over::Lu => exponential(least, most, steps),
            };
        }
        let given_times = if asked.sigmas.is_none() { asked.timesteps } else { None };
        let time = |i: usize, sigma: f64| match given_times {
            Some(times) if !self.inverted => single(times[i]) / total,
            _ => single(single(sigma) * total) / total,
        };
        let levels = sigmas.iter().enumerate().map(|(i, sigma)| straight(time(i, *sigma), *sigma)).collect();
        Ok(Some(Levels { levels, end: NoiseLevel::clean(0.0), start: 1.0 }))
    }

    fn between_noises(&self, schedule: &Schedule, asked: &Asked<'_>) -> Option<Levels> {
        if asked.sigmas.is_some() || asked.timesteps.is_some() {
            return None;
        }
        let (least, most) = ends_of(schedule);
        let euler = self.name == "EDMEuler";
        let steps = asked.steps;
        let sigmas: Vec<f64> = match self.over {
            Some(_) => {
                let logs = linspace_in_single(least.ln(), most.ln(), steps);
                logs.into_iter().rev().map(|log| single(log.exp())).collect()
            }
            None if euler => karras(least, most, self.rho, linspace(0.0, 1.0, steps).into_iter()),
            None => karras(least, most, self.rho, linspace_in_single(0.0, 1.0, steps).into_iter()),
        };
        let last = if euler { sigmas[sigmas.len() - 1] } else { least };
        let end = if self.to_least { exploding(last) } else { NoiseLevel::clean(0.0) };
        let start = (most * most + 1.0).sqrt();
        Some(Levels { levels: sigmas.into_iter().map(exploding).collect(), end, start })
    }

    /// Evenly chosen levels of the T of training.
    fn of_consistency(&self, schedule: &Schedule, asked: &Asked<'_>) -> Result<Option<Levels>> {
        if asked.sigmas.is_some() {
            return Ok(None);
        }
        let (least, most) = ends_of(schedule);
        if self.train_steps < 2 {
            let reason = format!("{}; levels are spread over 2 at least", self.train_steps);
            return Err(field("num_train_timesteps", reason));
        }
        let times = match self.given_times(asked)? {
            Some(times) => times,
            None if asked.steps > self.train_steps => {
                let reason = format!("{}; the model was trained on {}", asked.steps, self.train_steps);
                return Err(Error::argument("steps", reason));
            }
            None => leading(asked.steps, self.train_steps / asked.steps),
        };
        let last = self.train_steps as f64 - 1.0;
        let sigmas = karras(least, most, self.rho, times.into_iter().rev().map(|t| t / last));
        let levels: Vec<_> = sigmas.into_iter().map(exploding).collect();
        // A run that ends at the least noise has reached it.
        Ok(Some(Levels { levels, end: exploding(least), start: most }))
    }

    /// σ² from one end to the other, used as σ.
    fn of_karras_ve(&self, schedule: &Schedule, asked: &Asked<'_>) -> Result<Option<Levels>> {
        if asked.sigmas.is_some() || asked.timesteps.is_some() {
            return Ok(None);
        }
        if asked.steps < 2 {
            return Err(Error::argument("steps", "1; KarrasVeScheduler spreads 2 at least"));
        }
        let (least, most) = ends_of(schedule);
        let last = asked.steps as f64 - 1.0;
        let sigma = |i: usize| most * most * (least * least / (most * most)).powf(i as f64 / last);
        let levels = (0..asked.steps).map(|i| exploding(sigma(i))).collect();
        Ok(Some(Levels { levels, end: NoiseLevel::clean(0.0), start: most }))
    }

    /// A clamped cosine that does not end at the clean sample.
    fn on_the_cosine(&self, asked: &Asked<'_>) -> Option<Levels> {
        if asked.sigmas.is_some() || asked.timesteps.is_some() {
            return None;
        }
        let s = single(self.offset_of_cosine);
        let quarter = |t: f64| {
            let angle = single(single(single(t + s) / single(1.0 + s)) * single(std::f64::consts::PI));
            let cosine = single(single(angle * 0.5).cos());
            single(cosine * cosine)
        };
        let first = quarter(0.0);
        let level = |t: f64| {
            let moved = match self.scaler {
                scaler if scaler > 1.0 => single(1.0 - single(single(1.0 - t).powf(scaler))),
                scaler if scaler < 1.0 => single(t.powf(scaler)),
                _ => t,
            };
            let bar = single(quarter(moved) / first).clamp(single(1e-4), single(0.9999));
            NoiseLevel { t, alpha: bar.sqrt(), sigma: single(1.0 - bar).sqrt() }
        };
        let times = linspace_in_single(1.0, 0.0, asked.steps + 1);
        let (end, times) = times.split_last()?;
        Some(Levels { levels: times.iter().map(|t| level(*t)).collect(), end: level(*end), start: 1.0 })
    }

    /// Angles from a quarter turn down, which are the network's time input.
    fn on_the_circle(&self, asked: &Asked<'_>) -> Option<Levels> {
        /// The angle at which diffusers begins, and the second of two steps.
        #[expect(clippy::approx_constant, reason = "diffusers has it to four digits")]
        const FIRST: f64 = 1.5708;
        const SECOND: f64 = 1.3;
        if asked.sigmas.is_some() {
            return None;
        }
        let angles: Vec<f64> = match asked.timesteps {
            Some(angles) => angles.iter().map(|angle| single(*angle)).collect(),
            None if asked.steps == 2 => vec![single(FIRST), single(SECOND)],
            None => {
                let mut angles = linspace_in_single(FIRST, 0.0, asked.steps + 1);
                angles.truncate(asked.steps);
                angles
            }
        };
        let level = |angle: &f64| {
            let (sine, cosine) = angle.sin_cos();
            let t = angle / std::f64::consts::FRAC_PI_2;
            // The angle is beyond the quarter turn by its rounding.
            NoiseLevel { t, alpha: if cosine < 1e-9 { 0.0 } else { cosine }, sigma: sine }
        };
        Some(Levels { levels: angles.iter().map(level).collect(), end: NoiseLevel::clean(0.0), start: 1.0 })
    }

    fn by_crash(&self, asked: &Asked<'_>) -> Option<Levels> {
        if asked.sigmas.is_some() || asked.timesteps.is_some() {
            return None;
        }
        let mut steps = linspace_in_single(1.0, 0.0, asked.steps + 1);
        steps.truncate(asked.steps);
        let level = |share: &f64| {
            let sine = single(single(share * std::f64::consts::FRAC_PI_2).sin());
            let sigma = single(sine * sine);
            let alpha = single(single(1.0 - single(sigma * sigma)).max(0.0).sqrt());
            let t = single(single(single(sigma.atan2(alpha)) / std::f64::consts::PI) * 2.0);
            NoiseLevel { t, alpha, sigma }
        };
        Some(Levels { levels: steps.iter().map(level).collect(), end: NoiseLevel::clean(0.0), start: 1.0 })
    }
}

/// The given σ without the end, which may be there.
fn without_end(sigmas: &[f64]) -> &[f64] {
    match sigmas.split_last() {
        Some((last, rest)) if *last == 0.0 && !rest.is_empty() => rest,
        _ => sigmas,
    }
}

/// The least and the greatest σ.
fn ends_of(schedule: &Schedule) -> (f64, f64) {
    match schedule {
        Schedule::Edm { sigma_min, sigma_max } => (*sigma_min, *sigma_max),
        _ => (0.0, 0.0),
    }
}
