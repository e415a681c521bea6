//! Grids: the noise levels that a run visits.

use std::f64::consts::FRAC_PI_2;
use std::sync::Arc;

use super::level::{Frame, NoiseLevel, NoiseSchedule};
use special::Beta as _;

use crate::error::{Error, Result};
use crate::option::words;

words! {
    /// How the evaluations of a run are spread over the noise schedule.
    #[non_exhaustive]
    pub enum Spacing {
        // Spread over the times of training (Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are
        // Flawed", table 2).
        Leading = "leading", "Multiples of ⌊T/N⌋ from 0 up. They stop short of the noisiest training step.";
        Trailing = "trailing", "Strides of T/N back from the last training step.";
        Linspace = "linspace", "Evenly spaced timesteps, with both ends.";
        Simple = "simple", "The training steps ⌊i·T/N⌋ from the noisy end (ComfyUI's \"simple\").";
        SgmUniform = "sgm-uniform", "Evenly spaced timesteps from the noisy end, without the clean end (Stability's generative-models).";
        Beta = "beta", "Timesteps by the quantiles of Beta(0.6, 0.6), with more at both ends (Lee et al. 2024, \"Beta Sampling is All You Need\").";
        Crash = "crash", "Times whose noise on the circle is sin²(π·u/2), for evenly spaced u (Dance Diffusion's crash schedule). For schedules in continuous time.";
        Lcm = "lcm", "Evenly spaced picks of the original_steps that a consistency model was distilled on (Luo et al. 2023, \"Latent Consistency Models\").";
        // Spread over σ/α, between the ends of the schedule or those that are given.
        Karras = "karras", "Evenly spaced (σ/α)^(1/ρ) (Karras et al. 2022, equation 5).";
        Exponential = "exponential", "Evenly spaced ln(σ/α), which is evenly spaced λ. Lu et al. 2022 call it logSNR steps, k-diffusion \"exponential\".";
        BetaSigma = "beta-sigma", "σ/α by the quantiles of Beta(0.6, 0.6), as in diffusers.";
    }
}

words! {
    /// The noise level at which a run ends, after its last evaluation.
    #[non_exhaustive]
    pub enum Ending {
        #[default]
        Clean = "clean", "The clean sample (α = 1, σ = 0).";
        First = "first", "The least noisy training level, t = 0, as in Stable Diffusion's configuration.";
        Level = "level", "The last level of the grid itself. It is not evaluated, and no jump to the clean sample follows.";
    }
}

impl Spacing {
    /// Whether the steps are spread over noise and not over time. A caller may set the two ends of the noise.
    #[must_use]
    pub fn is_over_noise(self) -> bool {
        matches!(self, Self::Karras | Self::Exponential | Self::BetaSigma)
    }
}

impl Ending {
    /// The level that is added to those of the grid.
    fn level(self, schedule: &dyn NoiseSchedule) -> Option<NoiseLevel> {
        match self {
            Self::Clean => Some(schedule.level(schedule.time(f64::INFINITY))),
            Self::First => Some(schedule.level(schedule.bounds()[0])),
            Self::Level => None,
        }
    }
}

/// The options of a grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridOptions {
    /// How the evaluations are spread.
    pub spacing: Spacing,
    /// The number of evaluations.
    pub steps: usize,
    /// The noise level at which the run ends.
    pub ending: Ending,
    /// The offset that is added to the times of [`Spacing::Leading`]. This is diffusers' `steps_offset`, which is 1 for
    /// Stable Diffusion.
    pub offset: usize,
    /// The least and the greatest noise of grids over noise, in place of the schedule's. Noise is σ/α, or t on the
    /// straight path of flow matching.
    pub range: [Option<f64>; 2],
    /// ρ of [`Spacing::Karras`].
    pub rho: f64,
    /// The steps of distillation, for [`Spacing::Lcm`].
    pub original_steps: usize,
    /// The share of these that is used, the cleanest ones. The number of steps stays the same, with less noise.
    pub original_share: f64,
    /// s of the shift `t ← s·t/(1 + (s−1)·t)` of times toward the noisy end, on the straight path. 1 is no shift.
    /// Source: Esser et al. 2024, "Scaling Rectified Flow Transformers", eq. 23.
    pub shift: f64,
    /// The last time after the shift, on the straight path. All times become `1 − (1 − t)/c`, with the c that moves the
    /// last one there. This is diffusers' `shift_terminal`.
    pub shift_terminal: Option<f64>,
    /// The least λ that grids over times visit (`lambda_min_clipped` of Lu et al. 2022's code).
    pub lambda_min: Option<f64>,
}

impl GridOptions {
    /// `steps` evaluations spread by `spacing`, and the defaults for the rest. The run ends at the clean sample, ρ is
    /// 7, there are 50 original steps, and there is no shift.
    #[must_use]
    pub const fn new(spacing: Spacing, steps: usize) -> Self {
        Self {
            spacing,
            steps,
            ending: Ending::DEFAULT,
            offset: 0,
            range: [None; 2],
            rho: 7.0,
            original_steps: 50,
            original_share: 1.0,
            shift: 1.0,
            shift_terminal: None,
            lambda_min: None,
        }
    }

    /// The times or noises of the straight path, shifted and stretched.
    fn shifted(&self, mut times: Vec<f64>) -> Vec<f64> {
        if self.shift != 1.0 {
            times.iter_mut().for_each(|t| *t = self.shift * *t / (1.0 + (self.shift - 1.0) * *t));
        }
        if let (Some(terminal), Some(last)) = (self.shift_terminal, times.last().copied()) {
            let scale = (1.0 - last) / (1.0 - terminal);
            times.iter_mut().for_each(|t| *t = 1.0 - (1.0 - *t) / scale);
        }
        times
    }
}

/// The noise levels of a run, from the noisiest to the one it ends at, with the schedule that they are from.
///
/// A grid of N steps has N + 1 levels. The network is evaluated at all but the last. Some solvers evaluate it between
/// the levels as well.
///
/// ```
/// use diffuse::schedule::{Edm, Grid, GridOptions, Spacing};
///
/// # fn main() -> diffuse::Result<()> {
/// let schedule = std::sync::Arc::new(Edm::new(0.002, 80.0)?);
/// let grid = Grid::spaced(schedule, &GridOptions::new(Spacing::Karras, 4))?;
/// let sigmas: Vec<String> = grid.levels().iter().map(|level| format!("{:.3}", level.sigma)).collect();
/// assert_eq!(sigmas, ["80.000", "9.723", "0.470", "0.002", "0.000"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Grid {
    levels: Vec<NoiseLevel>,
    schedule: Arc<dyn NoiseSchedule>,
    /// The standard deviation of the noise that a run starts with, where it is not that of the first level.
    start: Option<f64>,
    /// Whether a step may stay at the level that it begins at.
    may_stay: bool,
}

impl Grid {
    /// A grid of the caller's own levels, in any schedule.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are fewer than two levels, or if an α or σ is negative or not finite. Also if α is
    /// 0 anywhere but at the start, or if σ is 0 anywhere but at the end. The noise σ/α has to fall from each level to
    /// the next.
    pub fn new(levels: Vec<NoiseLevel>, schedule: Arc<dyn NoiseSchedule>) -> Result<Self> {
        Self::checked(levels, schedule, false)
    }

    /// As [`new`](Self::new), but a step may stay at its level, as the last one of some of diffusers' schedulers does.
    /// The network is evaluated once more. Only what clips or corrects its prediction is affected.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_steps_that_stay(levels: Vec<NoiseLevel>, schedule: Arc<dyn NoiseSchedule>) -> Result<Self> {
        Self::checked(levels, schedule, true)
    }

    fn checked(levels: Vec<NoiseLevel>, schedule: Arc<dyn NoiseSchedule>, may_stay: bool) -> Result<Self> {
        let refuse = |reason: String| Err(Error::argument("grid", reason));
        if levels.len() < 2 {
            return refuse(format!("{} levels; a run needs one to start from and one to end at", levels.len()));
        }
        for (i, level) in levels.iter().enumerate() {
            let NoiseLevel { t, alpha, sigma } = *level;
            let last = i + 1 == levels.len();
            if !(t.is_finite()
                && alpha.is_finite()
                && (alpha >= LEAST || i == 0 && alpha == 0.0)
                && sigma.is_finite()
                && (sigma >= LEAST || last && sigma == 0.0))
            {
                return refuse(format!(
                    "level {i} has t = {t}, α = {alpha}, σ = {sigma}; both must be at least {LEAST} (α may be 0 at the start, σ at the end)"
                ));
            }
        }
        for (i, pair) in levels.windows(2).enumerate() {
            let (from, to) = (pair[0].noise_to_signal(), pair[1].noise_to_signal());
            let stays = may_stay && stay(pair);
            // Solvers that divide by the difference cannot tell nearer levels apart.
            if from <= to * (1.0 + 1e-7) && !stays {
                return refuse(format!(
                    "σ/α goes from {from} at level {i} to {to} at level {}; it has to fall, by a ten-millionth of itself at least",
                    i + 1
                ));
            }
        }
        Ok(Self { levels, schedule, start: None, may_stay })
    }

    /// The grid for runs that start from noise of this standard deviation: `deviation·z`.
    #[must_use]
    pub fn starting_with(self, deviation: f64) -> Self {
        Self { start: Some(deviation), ..self }
    }

    /// The standard deviation of the noise that a run starts from. It is `√(α² + σ²)` at the first level unless it was
    /// set.
    #[must_use]
    pub fn start(&self) -> f64 {
        self.start.unwrap_or_else(|| self.levels[0].deviation(1.0))
    }

    /// Whether step `step` stays at the level that it begins at.
    pub(crate) fn stays(&self, step: usize) -> bool {
        self.may_stay && stay(&self.levels[step..])
    }

    /// The grid that `options` make of `schedule`.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no steps or more than were trained, or if an option is out of its range. Also
    /// if the schedule has no such grid, or if the grid visits the level that it is to end at. An offset is an error if
    /// it leads beyond the steps of training, or with another grid than the leading one.
    pub fn spaced(schedule: Arc<dyn NoiseSchedule>, options: &GridOptions) -> Result<Self> {
        let GridOptions { spacing, steps, ending, offset, .. } = *options;
        let most = schedule.train_steps().unwrap_or(MOST_STEPS);
        if steps == 0 || steps > most {
            let why = if schedule.train_steps().is_some() { "the model was trained on" } else { "a run has at most" };
            return Err(Error::argument("steps", format!("{steps}; {why} {most} steps, so 1 to {most} are possible")));
        }
        // One step over noise leads from one end to the other.
        let across = ending == Ending::Level && steps == 1 && spacing.is_over_noise();
        if ending == Ending::Level && steps == 1 && !across {
            return Err(Error::argument("steps", "1; a run that ends at the grid's own last level needs 2 at least"));
        }
        if offset > 0 && spacing != Spacing::Leading {
            return Err(Error::argument("steps_offset", format!("{offset}; only the leading grid has an offset")));
        }
        if !(options.shift.is_finite() && options.shift > 0.0) {
            return Err(Error::argument("shift", format!("{}; it has to be above 0", options.shift)));
        }
        if schedule.frame() != Frame::Straight {
            let moved = [("shift", options.shift != 1.0), ("shift_terminal", options.shift_terminal.is_some())];
            if let Some((name, _)) = moved.into_iter().find(|(_, moved)| *moved) {
                return Err(Error::argument(name, "only the straight path of flow matching is shifted"));
            }
        }
        if let Some(terminal) = options.shift_terminal {
            if !(0.0..1.0).contains(&terminal) {
                return Err(Error::argument("shift_terminal", format!("{terminal}; it lies between 0 and 1")));
            }
            if steps == 1 {
                return Err(Error::argument("shift_terminal", NOTHING_TO_STRETCH));
            }
        }
        if options.lambda_min.is_some() && (spacing.is_over_noise() || spacing == Spacing::Lcm) {
            let reason = format!("{} is not spread over the times of training", spacing.word());
            return Err(Error::argument("lambda_min", reason));
        }
        let mut levels = match spacing {
            _ if across => by_noise(&*schedule, &GridOptions { steps: 2, ..*options })?,
            _ if spacing.is_over_noise() => by_noise(&*schedule, options)?,
            _ => by_time(&*schedule, options)?,
        };
        let [least, _] = schedule.bounds();
        levels.extend(ending.level(&*schedule));
        let end = schedule.level(least).noise_to_signal();
        if ending == Ending::First && levels[steps - 1].noise_to_signal() <= end * (1.0 + 1e-9) {
            return Err(Error::argument(
                "ending",
                format!(
                    "the grid already visits t = {least}, the least noisy level, so the run cannot end there. End at the clean sample, or use a grid that stays above (leading with an offset)"
                ),
            ));
        }
        Self::new(levels, schedule)
    }

    /// The levels at the caller's own `times`, noisiest first, and the end.
    ///
    /// # Errors
    /// [`Error::Argument`] if a time is not within the schedule, or as [`new`](Self::new).
    pub fn at_times(schedule: Arc<dyn NoiseSchedule>, times: &[f64], ending: Ending) -> Result<Self> {
        let most = schedule.bounds()[1];
        if let Some(t) = times.iter().find(|t| !(**t >= 0.0 && **t <= most)) {
            return Err(Error::argument("timesteps", format!("{t} is not a time of the schedule, 0 to {most}")));
        }
        let levels = times.iter().map(|&t| schedule.level(t)).collect();
        Self::with_end("timesteps", levels, schedule, ending)
    }

    /// The levels whose noise the caller gives, noisiest first, and the end. The noise is σ/α as in Karras et al. 2022
    /// and k-diffusion, or t on the straight path of flow matching.
    ///
    /// # Errors
    /// [`Error::Argument`] if one is not positive or does not fall, or as [`new`](Self::new).
    pub fn at_sigmas(schedule: Arc<dyn NoiseSchedule>, sigmas: &[f64], ending: Ending) -> Result<Self> {
        if let Some(sigma) = sigmas.iter().find(|sigma| !(LEAST_GIVEN..=1.0 / LEAST_GIVEN).contains(*sigma)) {
            let reason = format!(
                "{sigma}; every one is above 0, from {LEAST_GIVEN} to {:e} (the end comes by itself)",
                1.0 / LEAST_GIVEN
            );
            return Err(Error::argument("sigmas", reason));
        }
        let most = most_noise(&*schedule);
        if let Some(sigma) = sigmas.iter().find(|sigma| **sigma > most) {
            return Err(Error::argument(
                "sigmas",
                format!("{sigma} is more noise than the schedule has, which ends at {most}"),
            ));
        }
        let levels = sigmas.iter().map(|&u| at_noise(&*schedule, u)).collect();
        Self::with_end("sigmas", levels, schedule, ending)
    }

    fn with_end(
        name: &'static str,
        mut levels: Vec<NoiseLevel>,
        schedule: Arc<dyn NoiseSchedule>,
        ending: Ending,
    ) -> Result<Self> {
        levels.extend(ending.level(&*schedule));
        Self::new(levels, schedule).map_err(|error| match error {
            Error::Argument { reason, .. } => Error::argument(name, reason),
            other => other,
        })
    }

    /// The levels from the clean end up, for the inverse of a solver. The last level is the noisiest.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self { levels: self.levels.iter().rev().copied().collect(), start: None, ..self.clone() }
    }

    /// The levels from the least noise up, for a solver that cannot begin at a clean sample. The clean sample is taken
    /// to have the least noise of the schedule, and the first step leads on from there.
    ///
    /// # Errors
    /// [`Error::Argument`] if the noisiest level has nothing of the clean sample, since it has no λ.
    pub fn inverted(&self) -> Result<Self> {
        if self.levels[0].alpha == 0.0 {
            let reason = "the noisiest level has nothing of the clean sample, and cannot be reached by this solver";
            return Err(Error::argument("invert", reason));
        }
        let mut reversed = self.reversed();
        if reversed.levels[0].sigma == 0.0 {
            let least = self.schedule.level(self.schedule.bounds()[0]);
            let next = reversed.levels[1].noise_to_signal();
            if least.noise_to_signal() < next * (1.0 - 1e-7) {
                reversed.levels[0] = least;
            } else {
                reversed.levels.remove(0);
            }
        }
        if reversed.levels.len() < 2 {
            return Err(Error::argument("steps", "1; an inversion by this solver takes 2 at least"));
        }
        Ok(reversed)
    }

    /// The last `steps` steps alone, at most all of them and at least one. Such a run starts with less noise.
    #[must_use]
    pub fn last_steps(&self, steps: usize) -> Self {
        let first = self.steps().saturating_sub(steps.max(1));
        Self { levels: self.levels[first..].to_vec(), start: None, ..self.clone() }
    }

    /// The level with the index `first`, and those from `next` on. Such a run starts with less noise, and its first
    /// step skips levels.
    #[must_use]
    pub(crate) fn leap(&self, first: usize, next: usize) -> Self {
        let levels = std::iter::once(self.levels[first]).chain(self.levels[next..].iter().copied()).collect();
        Self { levels, start: None, ..self.clone() }
    }

    /// The levels, noisiest first.
    #[must_use]
    pub fn levels(&self) -> &[NoiseLevel] {
        &self.levels
    }

    /// The schedule that the levels are from, for solvers that evaluate between them.
    #[must_use]
    pub fn schedule(&self) -> &dyn NoiseSchedule {
        &*self.schedule
    }

    /// The level of the schedule whose σ/α is `ratio`. Beyond the schedule's ends α stays as it is there.
    #[must_use]
    pub fn at_noise_to_signal(&self, ratio: f64) -> NoiseLevel {
        at_noise_to_signal(&*self.schedule, ratio)
    }

    /// The variable in which its ODE is solved. It is that of the schedule, or that of the straight path if the run
    /// starts from pure noise, where σ/α is infinite.
    #[must_use]
    pub fn frame(&self) -> Frame {
        if self.levels[0].alpha == 0.0 { Frame::Straight } else { self.schedule.frame() }
    }

    /// N, the number of steps. There is one more level.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.levels.len() - 1
    }

    /// The level at which the run ends.
    #[must_use]
    pub fn end(&self) -> NoiseLevel {
        self.levels[self.steps()]
    }
}

/// The least α and σ of a level that is not pure noise or clean. Less would overflow f32 on the way.
const LEAST: f64 = 1e-12;

/// The least σ/α that a caller may set.
const LEAST_GIVEN: f64 = 1e-9;

/// Why stretching cannot move a run's only time, which is 1.
pub(crate) const NOTHING_TO_STRETCH: &str = "the one step of the run is at t = 1, and nothing is stretched";

/// The most steps on a schedule without a number of training steps.
pub(crate) const MOST_STEPS: usize = 1_000_000;

/// Whether the first two levels are the same.
fn stay(levels: &[NoiseLevel]) -> bool {
    let (from, to) = (levels[0].noise_to_signal(), levels[1].noise_to_signal());
    (from - to).abs() <= 1e-6 * from
}

fn at_noise_to_signal(schedule: &dyn NoiseSchedule, ratio: f64) -> NoiseLevel {
    let level = schedule.level(schedule.time(-ratio.ln()));
    // The ratio is exact, whatever the inverse of λ makes of it.
    if ratio.is_finite() { NoiseLevel { sigma: level.alpha * ratio, ..level } } else { level }
}

/// The most noise that a caller may set, in the schedule's own frame. It is a little beyond the schedule's end, since
/// others round it.
fn most_noise(schedule: &dyn NoiseSchedule) -> f64 {
    let u = schedule.frame().u(schedule.level(schedule.bounds()[1]));
    if schedule.frame() == Frame::Straight { u } else { 1.01 * u }
}

/// The level whose noise in the schedule's own frame is `u`.
fn at_noise(schedule: &dyn NoiseSchedule, u: f64) -> NoiseLevel {
    match schedule.frame() {
        Frame::Signal => at_noise_to_signal(schedule, u),
        Frame::Straight => schedule.level(u),
    }
}

fn by_time(schedule: &dyn NoiseSchedule, options: &GridOptions) -> Result<Vec<NoiseLevel>> {
    let GridOptions { spacing, offset, .. } = *options;
    let refuse = |name, reason: &str| Err(Error::argument(name, reason));
    let times = match schedule.train_steps() {
        Some(_) if spacing == Spacing::Crash => return refuse("grid", "crash is for schedules in continuous time"),
        Some(train_steps) => trained_times(train_steps - clipped(schedule, train_steps, options), options)?,
        None if offset > 0 => return refuse("steps_offset", "the schedule does not count steps of training"),
        None if spacing == Spacing::Lcm => {
            return refuse("grid", "lcm counts steps of training, which this schedule does not");
        }
        None => continuous_times(schedule, options),
    };
    Ok(options.shifted(times).into_iter().map(|t| schedule.level(t)).collect())
}

/// How many of the noisiest training steps have a λ below the least that the grid may visit.
fn clipped(schedule: &dyn NoiseSchedule, train_steps: usize, options: &GridOptions) -> usize {
    let Some(least) = options.lambda_min else { return 0 };
    let below = (0..train_steps).rev().take_while(|t| schedule.level(*t as f64).lambda() < least).count();
    below.min(train_steps - options.steps)
}

/// Times from those of training.
fn trained_times(train_steps: usize, options: &GridOptions) -> Result<Vec<f64>> {
    let GridOptions { spacing, steps, offset, original_steps, .. } = *options;
    let count = steps as f64;
    let total = train_steps as f64;
    // The strides round as numpy's arange and linspace do, and ties go to even. So the times are those of the models'
    // authors for every number of steps.
    let trailing = (total - total / count) - total;
    let linspace = (total - 1.0) / (count - 1.0);
    // A product that is a whole number up to rounding is taken as that number.
    let used = ((original_steps as f64 * options.original_share + 1e-9) as usize).min(original_steps);
    if spacing == Spacing::Lcm && !(steps..=train_steps).contains(&original_steps) {
        let reason = format!("{original_steps}; {steps} steps of {train_steps} need {steps} to {train_steps}");
        return Err(Error::argument("original_steps", reason));
    }
    if spacing == Spacing::Lcm && used < steps {
        let reason = format!(
            "{} leaves {used} of {original_steps} original steps, and there are {steps} steps",
            options.original_share
        );
        return Err(Error::argument("strength", reason));
    }
    let time = |i: usize| match spacing {
        Spacing::Leading => ((steps - 1 - i) * (train_steps / steps) + offset) as f64,
        Spacing::Linspace if i == 0 => total - 1.0,
        Spacing::Linspace => ((steps - 1 - i) as f64 * linspace).round_ties_even(),
        Spacing::Simple => (train_steps - 1 - i * train_steps / steps) as f64,
        Spacing::SgmUniform => (total - 1.0) * (1.0 - i as f64 / count),
        Spacing::Beta => ((total - 1.0) * beta_quantile(i, steps)).round_ties_even(),
        Spacing::Lcm => {
            let skipped = i * used / steps;
            ((used - skipped) * (train_steps / original_steps)) as f64 - 1.0
        }
        _ => (total + i as f64 * trailing).round_ties_even() - 1.0,
    };
    if offset >= train_steps || time(0) > total - 1.0 {
        let reason = format!(
            "{offset}; with {steps} leading steps the first time would be beyond the last of training, {}",
            train_steps - 1
        );
        return Err(Error::argument("steps_offset", reason));
    }
    Ok((0..steps).map(time).collect())
}

/// Times between the bounds of a continuous schedule.
fn continuous_times(schedule: &dyn NoiseSchedule, options: &GridOptions) -> Vec<f64> {
    let GridOptions { spacing, steps, .. } = *options;
    let count = steps as f64;
    let [least, most] = schedule.bounds();
    let most = options.lambda_min.map_or(most, |lambda| schedule.time(lambda).clamp(least, most));
    let share = |i: usize| match spacing {
        Spacing::Linspace if steps == 1 => 1.0,
        Spacing::Linspace => 1.0 - i as f64 / (count - 1.0),
        Spacing::Leading => (steps - 1 - i) as f64 / count,
        Spacing::Beta => beta_quantile(i, steps),
        Spacing::Crash => {
            let noise = (FRAC_PI_2 * (1.0 - i as f64 / count)).sin().powi(2);
            noise.atan2((1.0 - noise * noise).max(0.0).sqrt()) / FRAC_PI_2
        }
        _ => 1.0 - i as f64 / count,
    };
    // Strides toward t = 0 divide the whole path. Grids with both ends stop at the least time.
    let from_zero =
        schedule.level(most).alpha == 0.0 && !matches!(spacing, Spacing::Linspace | Spacing::Leading | Spacing::Beta);
    let least = if from_zero { 0.0 } else { least };
    (0..steps).map(|i| least + (most - least) * share(i)).collect()
}

fn by_noise(schedule: &dyn NoiseSchedule, options: &GridOptions) -> Result<Vec<NoiseLevel>> {
    let GridOptions { spacing, steps, rho, .. } = *options;
    let (frame, [least, most]) = (schedule.frame(), schedule.bounds());
    let ends = [least, most].map(|t| frame.u(schedule.level(t)));
    let named = [("sigma_min", options.range[0], ends[0]), ("sigma_max", options.range[1], ends[1])];
    let mut range = [0.0; 2];
    for ((name, given, own), place) in named.into_iter().zip(&mut range) {
        let value = given.unwrap_or(own);
        if !(value.is_finite() && value > 0.0) {
            let reason = if given.is_some() {
                format!("{value}; it has to be finite and above 0")
            } else {
                format!(
                    "the schedule's own is {value}, over which {} has no steps; give another, or use trailing",
                    spacing.word()
                )
            };
            return Err(Error::argument(name, reason));
        }
        *place = value;
    }
    let [low, high] = range;
    let own = most_noise(schedule);
    if high > own {
        return Err(Error::argument(
            "sigma_max",
            format!("{high} is more noise than the schedule has, which ends at {own}"),
        ));
    }
    if low >= high {
        return Err(Error::argument("sigma_max", format!("{high}; it has to be above sigma_min, which is {low}")));
    }
    if !(rho.is_finite() && rho > 0.0) {
        return Err(Error::argument("rho", format!("{rho}; it has to be above 0")));
    }
    let last = steps.saturating_sub(1).max(1) as f64;
    let noise = |i: usize| {
        let share = i as f64 / last;
        match spacing {
            // Both ends are exact.
            _ if i == 0 => high,
            _ if i + 1 == steps => low,
            Spacing::Karras => {
                let (from, to) = (high.powf(rho.recip()), low.powf(rho.recip()));
                (from + share * (to - from)).powf(rho)
            }
            Spacing::BetaSigma => low + (high - low) * beta_quantile(i, steps),
            _ => (high.ln() + share * (low.ln() - high.ln())).exp(),
        }
    };
    let noises = options.shifted((0..steps).map(noise).collect());
    Ok(noises.into_iter().map(|u| at_noise(schedule, u)).collect())
}

/// The quantile of Beta(0.6, 0.6) at 1 − i/(steps − 1).
fn beta_quantile(i: usize, steps: usize) -> f64 {
    let share = 1.0 - i as f64 / steps.saturating_sub(1).max(1) as f64;
    if share <= 0.0 || share >= 1.0 { share } else { share.inv_inc_beta(0.6, 0.6, 0.6f64.ln_beta(0.6)) }
}

#[cfg(test)]
mod tests {
    use super::super::beta::{BetaKind, BetaSchedule, Tables};
    use super::*;

    fn schedule(steps: usize) -> Arc<BetaSchedule> {
        Arc::new(BetaSchedule::new(BetaKind::Linear { start: 1e-4, end: 0.02 }, steps, Tables::Exact).unwrap())
    }

    fn times(spacing: Spacing, steps: usize, offset: usize) -> Vec<f64> {
        let options = GridOptions { offset, ..GridOptions::new(spacing, steps) };
        let grid = Grid::spaced(schedule(1000), &options).unwrap();
        grid.levels().iter().map(|level| level.t).collect()
    }

    #[test]
    fn the_table_of_lin_et_al() {
        // This is "Common Diffusion Noise Schedules and Sample Steps are Flawed", table 2: T = 1000, S = 10, counted
        // from 1 there.
        assert_eq!(times(Spacing::Leading, 10, 0), [900., 800., 700., 600., 500., 400., 300., 200., 100., 0., -1.]);
        assert_eq!(times(Spacing::Leading, 10, 1)[0], 901.0);
        assert_eq!(times(Spacing::Trailing, 10, 0), [999., 899., 799., 699., 599., 499., 399., 299., 199., 99., -1.]);
        assert_eq!(times(Spacing::Linspace, 10, 0), [999., 888., 777., 666., 555., 444., 333., 222., 111., 0., -1.]);
    }

    #[test]
    fn every_number_of_steps_gives_that_many() {
        // numpy's arange with a fractional stride yields one step too many for 61, 103, 121 and others.
        for spacing in [Spacing::Leading, Spacing::Trailing, Spacing::Linspace] {
            for steps in 1..=1000 {
                assert_eq!(times(spacing, steps, 0).len(), steps + 1, "{spacing:?}");
            }
        }
    }

    #[test]
    fn impossible_grids_are_refused() {
        let spaced = |steps, offset, spacing| {
            Grid::spaced(schedule(100), &GridOptions { offset, ..GridOptions::new(spacing, steps) }).map(|_| ())
        };
        assert!(spaced(0, 0, Spacing::Leading).is_err());
        assert!(spaced(101, 0, Spacing::Trailing).is_err());
        assert!(spaced(100, 1, Spacing::Leading).is_err());
        assert!(spaced(10, 1, Spacing::Trailing).is_err());
        let first = |offset| {
            let options = GridOptions { offset, ending: Ending::First, ..GridOptions::new(Spacing::Leading, 10) };
            Grid::spaced(schedule(100), &options).map(|_| ())
        };
        assert!(first(0).unwrap_err().to_string().contains("ending") && first(1).is_ok());
        let level = |t: f64| schedule(100).level(t);
        let new = |levels| Grid::new(levels, schedule(100)).map(|_| ());
        assert!(new(vec![level(5.0)]).is_err());
        assert!(new(vec![level(5.0), level(5.0)]).is_err());
        assert!(new(vec![level(5.0), level(6.0)]).is_err());
        assert!(new(vec![level(-1.0), level(-1.0)]).is_err());
        assert!(new(vec![NoiseLevel { t: 0.0, alpha: f64::NAN, sigma: 1.0 }, level(3.0)]).is_err());
        assert!(new(vec![level(50.5), level(20.25), level(-1.0)]).is_ok());
    }
}
