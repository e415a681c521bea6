//! From a request to a job: the parts that a run is made of, chosen by the caller or by the model's manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};

use crate::error::{Error, Result};
use crate::guidance::Callback;
use crate::model::{Kind, LearnedVariance, Manifest, Schedule, SchedulerConfig};
use crate::option::{Group, OptionEntry, Options, Value};
use crate::sample::{Job, checked_length};
use crate::schedule::{Ending, Grid, GridOptions, Spacing, Tables};
use crate::settings::{self, Clipping, Compat, Noise};
use crate::solver::{self, Correction, Ddim, PredictorCorrector, Solver};
use crate::stage::Model;
use crate::tensor::copy;

/// The most generators of [`Noise::TorchPerItem`]; each takes 2.5 kB.
pub(super) const MOST_GENERATORS: usize = 1 << 16;

/// The caller's own code that sees every estimate of the clean samples, and may change it.
#[derive(Clone)]
pub struct HostGuidance(pub Arc<Callback>);

impl PartialEq for HostGuidance {
    /// Whether it is the same.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for HostGuidance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostGuidance")
    }
}

/// A classifier, and the class of every item that it leads to.
#[derive(Debug, Clone)]
pub struct ClassifierGuidance {
    /// The classifier, exported with its gradient.
    pub classifier: Arc<Model>,
    /// The classes, by the classifier's numbers; one for all items, or one for each.
    pub classes: Vec<i64>,
}

impl PartialEq for ClassifierGuidance {
    /// Whether it is the same classifier, and the same classes.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.classifier, &other.classifier) && self.classes == other.classes
    }
}

/// What is to be drawn, and how. `None` leaves a choice to the model's manifest.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Request {
    /// The seed of item 0; item `i` has `seed + i`, wrapping (but see [`Noise::Torch`]).
    pub seed: u64,
    /// How many items; at least 1.
    pub count: usize,
    /// The class of every item, for a model with classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<i64>>,
    /// The shape of one item, for a model whose graph leaves it free.
    pub shape: Option<Vec<usize>>,
    /// The solver, by its name.
    pub solver: Option<String>,
    /// What the solver and the grid are told: [`settings::OPTIONS`] and the solver's own.
    #[serde(flatten)]
    pub options: Options,
    /// The number of steps, from 1 to the number of training steps.
    pub steps: Option<usize>,
    /// How the steps are spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<Spacing>,
    /// What is added to the times of the leading grid.
    pub steps_offset: Option<usize>,
    /// Where the run ends.
    pub ending: Option<Ending>,
    /// Whether x̂₀ is clipped.
    pub clipping: Clipping,
    /// Whose arithmetic is followed.
    pub compat: Compat,
    /// Where the noise comes from.
    pub noise: Noise,
    /// What classifier-free guidance leads away from, by the model's classes: one for all items, or one for each. The null class unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative_classes: Option<Vec<i64>>,
    /// What the network is told besides, by the names in its manifest: one for all items, or one for each, batch first.
    #[serde(skip)]
    pub conditions: BTreeMap<String, Arc<ArrayD<f32>>>,
    /// What of these is another thing in the condition that guidance leads away from.
    #[serde(skip)]
    pub negative_conditions: BTreeMap<String, Arc<ArrayD<f32>>>,
    /// A classifier that leads the samples to its classes.
    #[serde(skip)]
    pub classifier: Option<ClassifierGuidance>,
    /// The caller's own guidance.
    #[serde(skip)]
    pub callback: Option<HostGuidance>,
    /// Clean samples, one for all items or one for each: the run starts from them with the noise of its first level, as many of the
    /// steps as the option `strength` says; with a mask they are what is kept.
    #[serde(skip)]
    pub image: Option<Arc<ArrayD<f32>>>,
    /// Where the image is drawn anew (1) and where it is kept (0): [height, width], with an axis for the channels (1 or all of them) before it, and one
    /// for the items (1 or all of them) before that. A model that is told the mask does with it what it was trained to.
    #[serde(skip)]
    pub mask: Option<Arc<ArrayD<f32>>>,
    /// Whether the run goes the other way: from the image to the noise that it would be drawn from, by DDIM.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub invert: bool,
    /// The configuration that was set, whose training has to be the model's.
    #[serde(skip)]
    pub scheduler_config: Option<Box<SchedulerConfig>>,
}

impl Default for Request {
    /// One item with seed 0, everything else as the model's manifest says.
    fn default() -> Self {
        Self {
            seed: 0,
            count: 1,
            classes: None,
            shape: None,
            solver: None,
            options: Options::default(),
            steps: None,
            grid: None,
            steps_offset: None,
            ending: None,
            clipping: Clipping::default(),
            compat: Compat::default(),
            noise: Noise::default(),
            negative_classes: None,
            conditions: BTreeMap::new(),
            negative_conditions: BTreeMap::new(),
            classifier: None,
            callback: None,
            image: None,
            mask: None,
            invert: settings::INVERT.flag(&Options::default()),
            scheduler_config: None,
        }
    }
}

/// Keeps what an option is set to.
type Keep = fn(&mut Request, &Value);

/// How a request keeps each of [`settings::CHOICES`].
const FIELDS: &[(OptionEntry, Keep)] = &[
    (settings::SOLVER, |request, value| request.solver = Some(value.to_string())),
    (settings::STEPS, |request, value| request.steps = value.whole()),
    (settings::GRID, |request, value| request.grid = Spacing::from_word(value.text())),
    (settings::STEPS_OFFSET, |request, value| request.steps_offset = value.whole()),
    (settings::ENDING, |request, value| request.ending = Ending::from_word(value.text())),
    (settings::CLIPPING, |request, value| request.clipping = Clipping::from_word(value.text()).unwrap_or_default()),
    (settings::COMPAT, |request, value| request.compat = Compat::from_word(value.text()).unwrap_or_default()),
    (settings::NOISE, |request, value| request.noise = Noise::from_word(value.text()).unwrap_or_default()),
    (settings::INVERT, |request, value| request.invert = *value == Value::Flag(true)),
];

impl Request {
    /// Sets the option `key` ([`settings::all`] lists them) to `value`, given as text or as anything that is written
    /// as such.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such option, or if it cannot have this value. Whether the solver has the option shows when a
    /// job is made.
    pub fn set(&mut self, key: &str, value: impl ToString) -> Result<()> {
        let text = value.to_string();
        if let Some(error) = settings::renamed(key, &text) {
            return Err(error);
        }
        if let Some(config) = self.scheduler_config.as_ref().filter(|_| key == "solver") {
            // What a configuration says of its solver is not meant for another.
            let of_config = config.options();
            let same = |key: &str| {
                let said = settings::option(key).and_then(|entry| entry.parse(of_config.get(key)?).ok());
                said.as_ref() == self.options.get(key)
            };
            let shared = |key: &str| settings::OPTIONS.iter().any(|option| option.key == key);
            self.options = self.options.filtered(|key| shared(key) || !of_config.contains_key(key) || !same(key));
        }
        if let Some((entry, keep)) = FIELDS.iter().find(|(entry, _)| entry.key == key) {
            keep(self, &entry.parse(&text)?);
        } else if let Some(entry) = settings::option(key) {
            self.options.set(entry.key, entry.parse(&text)?);
        } else {
            let keys: Vec<&str> = settings::all().map(|option| option.key).collect();
            return Err(Error::argument("key", format!("there is no option {key:?}; there are {}", keys.join(", "))));
        }
        Ok(())
    }

    /// The same with an option set: [`set`](Self::set) for chains of calls.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn with(mut self, key: &str, value: impl ToString) -> Result<Self> {
        self.set(key, value)?;
        Ok(self)
    }

    /// Sets what a `scheduler_config.json` of diffusers says of sampling: the solver, the grid and their options, but not the number of steps.
    /// What was set of these before is replaced, what is set afterwards counts.
    ///
    /// # Errors
    /// [`Error::Argument`] if the configuration is of a scheduler that goes from clean samples to noise. Whether it is for a model that was trained
    /// as this one was shows when a job is made.
    pub fn set_scheduler_config(&mut self, config: &SchedulerConfig) -> Result<()> {
        if config.inverse {
            let reason = format!("{} goes from clean samples to noise, and draws nothing", config.class);
            return Err(Error::argument("scheduler_config", reason));
        }
        // What no configuration says stays as it was set.
        self.options = self.options.filtered(|key| settings::group(key).is_some_and(Group::is_of_caller));
        for (key, value) in config.options() {
            self.set(&key, value)?;
        }
        self.scheduler_config = Some(Box::new(config.clone()));
        Ok(())
    }

    /// The job that draws this from `model`.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field that does not fit, and what would.
    pub fn job(&self, model: &Arc<Model>) -> Result<Job> {
        let manifest = model.manifest();
        let (solver, grid) = self.plan(manifest)?;
        if self.count == 0 {
            return Err(Error::argument("count", "0; at least one item is needed"));
        }
        let mut shape = vec![self.count];
        shape.extend(self.shape.as_ref().unwrap_or(&manifest.sample.shape));
        model.check_shape(&shape)?;
        let fits_kind = match manifest.sample.kind() {
            Kind::Image => matches!(shape[1..], [1 | 3 | 4, _, _]),
            Kind::Points => shape[1..] == [2],
            Kind::Tensor => true,
        };
        if !fits_kind {
            let reason =
                format!("{:?} is not of the kind that the manifest says: {:?}", &shape[1..], manifest.sample.kind());
            return Err(Error::argument("shape", reason));
        }
        if solver.adaptive().is_some() {
            let refuse = |reason: String| Err(Error::argument("solver", reason));
            match model.fixed_batch() {
                Some(batch) if batch > 1 => {
                    return refuse(format!(
                        "{solver} takes one item at a time; the model's batch axis is fixed at {batch}"
                    ));
                }
                _ if manifest.sample.clamp => {
                    return refuse(format!(
                        "{solver} has no steps of the grid, after which this model is to be clamped"
                    ));
                }
                _ => {}
            }
        }
        // Before anything of this size is made.
        checked_length(&shape)?;
        let options = self.resolved(manifest).options;
        let guidance = self.guidance(&options, &grid, &*solver)?;
        let condition = self.condition(model, guidance.is_some())?;
        let noise = self.noise_source(&options)?;
        let denoiser = self.denoiser(model, guidance, &*solver)?;
        let mut job = Job::new(denoiser, solver, grid, noise, condition, &shape)?;
        self.start(model, &mut job, &shape)?;
        if let Some(range) = manifest.sample.range().filter(|_| manifest.sample.clamp) {
            job.clamp(range)?;
        }
        Ok(job)
    }

    /// The request with every choice made that it leaves to a model with `manifest`: what is worth keeping beside a picture.
    #[must_use]
    pub fn resolved(&self, manifest: &Manifest) -> Self {
        let defaults = &manifest.defaults;
        // What goes the other way is DDIM.
        let usual = || if self.invert { "ddim" } else { manifest.solver() };
        let name = self.solver.clone().unwrap_or_else(|| usual().to_owned());
        let grid = self.grid.unwrap_or_else(|| manifest.grid(&name));
        let entry = solver::SOLVERS.iter().find(|entry| entry.name == name);
        let has = |key: &str| entry.is_some_and(|entry| entry.options.iter().any(|option| option.key == key));
        let mut options = self.options.clone();
        let levels_given = settings::levels(&options).next().is_some();
        let same_grid = grid == manifest.grid(&name);
        // What the manifest says of its own solver and grid is not meant for others that the caller has chosen.
        for (key, value) in defaults.values().unwrap_or_default() {
            let same_solver = name == manifest.solver();
            let scales_given = settings::GUIDANCE_SCALES.given(&options).is_some();
            let meant = match settings::group(key) {
                _ if has(key) => same_solver,
                Some(Group::Correction) => same_solver,
                Some(Group::Threshold) => self.clipping == Clipping::Dynamic,
                Some(Group::Guidance) if key == settings::GUIDANCE_SCALE.key && scales_given => false,
                Some(Group::Guidance) => self.guides(manifest),
                Some(Group::Grid) if key == settings::SHIFT.key => !levels_given,
                Some(Group::Grid) => same_grid && !levels_given,
                // Of a solver that is not taken.
                _ => false,
            };
            if meant && options.get(key).is_none() {
                options.set(key, value);
            }
        }
        if let Some(order) = manifest.order(&name).filter(|_| options.get("order").is_none()) {
            options.set("order", Value::Whole(order));
        }
        let learned = match manifest.variance {
            LearnedVariance::None => None,
            LearnedVariance::Learned => Some("learned"),
            LearnedVariance::LearnedRange => Some("learned-range"),
        };
        if let Some(variance) = learned.filter(|_| has("variance") && options.get("variance").is_none()) {
            options.set("variance", Value::Text(variance.to_owned()));
        }
        let plain = GridOptions::new(grid, 1);
        let (offset, ending) = match same_grid && !levels_given {
            true => (defaults.steps_offset, defaults.ending),
            false => (plain.offset, plain.ending),
        };
        let given = settings::levels(&options).next().map(|(_, levels)| levels.len());
        let by_model = match self.compat {
            _ if !manifest.sample.clip() => Clipping::Off,
            // An inversion is only as good as what the network says, and its estimates at the noisy end lie beyond any range.
            _ if self.invert => Clipping::Off,
            Compat::Papers => Clipping::On,
            Compat::Diffusers => Clipping::KeepNoise,
        };
        Self {
            shape: Some(self.shape.clone().unwrap_or_else(|| manifest.sample.shape.clone())),
            options,
            steps: Some(given.or(self.steps).unwrap_or_else(|| manifest.steps(&name))),
            ending: Some(self.ending.unwrap_or(ending)),
            steps_offset: Some(self.steps_offset.unwrap_or(offset)),
            clipping: if self.clipping == Clipping::Model { by_model } else { self.clipping },
            solver: Some(name),
            // Levels that are given are the grid.
            grid: if levels_given { self.grid } else { Some(grid) },
            ..self.clone()
        }
    }

    /// Whether there is something that guidance could lead to.
    fn guides(&self, manifest: &Manifest) -> bool {
        let null = manifest.classes.as_ref().and_then(|classes| classes.null);
        let is_null = |class: &i64| usize::try_from(*class).ok() == null;
        let by_class = self.classes.as_ref().is_some_and(|classes| !classes.iter().all(is_null));
        by_class || self.negative_classes.is_some() || !self.negative_conditions.is_empty()
    }

    /// The solver and the grid that a model with `manifest` is sampled with.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field that does not fit, and what would.
    pub fn plan(&self, manifest: &Manifest) -> Result<(Box<dyn Solver>, Grid)> {
        let tables = match self.compat {
            Compat::Papers => Tables::Exact,
            Compat::Diffusers => Tables::Diffusers,
        };
        self.check_training(manifest)?;
        self.check_levels()?;
        let resolved = self.resolved(manifest);
        let grid = resolved.levels(manifest, tables)?;
        let options = &resolved.options;
        let name = resolved.solver.unwrap_or_default();
        let own = |key: &str| {
            solver::SOLVERS
                .iter()
                .any(|entry| entry.name == name && entry.options.iter().any(|option| option.key == key))
        };
        let shared = |key: &str| settings::OPTIONS.iter().any(|option| option.key == key);
        let mut solver = solver::build(&name, &options.filtered(|key| own(key) || !shared(key)))?;
        if solver.needs_variance() && manifest.variance == LearnedVariance::None {
            return Err(Error::argument("variance", "the model says no variance; posterior and beta need none of it"));
        }
        if self.compat == Compat::Diffusers
            && name == "ddim"
            && let Some(train_steps) = grid.schedule().train_steps()
        {
            let eta = settings::ETA.real(options);
            let steps = resolved.steps.unwrap_or(grid.steps()).max(1);
            solver = Box::new(Ddim::like_diffusers(eta, train_steps / steps, tables)?);
        }
        let corrections = if own(settings::CORRECTOR_STEPS.key) { 0 } else { settings::CORRECTOR_STEPS.whole(options) };
        if corrections > 0 {
            solver = Box::new(PredictorCorrector::new(solver, Correction::new(corrections, options))?);
        } else if let Some(option) = settings::of(Group::Correction)
            .filter(|option| option.key != settings::CORRECTOR_STEPS.key)
            .find(|option| option.given(options).is_some() && !own(option.key))
        {
            return Err(Error::argument(option.key, "there are no corrections; set corrector_steps as well"));
        }
        self.directed(grid, solver, &name, options)
    }

    /// Refuses a grid beside levels that are given, which are the grid.
    fn check_levels(&self) -> Result<()> {
        let given = settings::levels(&self.options).next();
        let Some((key, count)) = given.map(|(key, levels)| (key, levels.len())) else { return Ok(()) };
        if let Some(grid) = self.grid {
            return Err(Error::argument("grid", format!("{}, but {key} are given, which are the grid", grid.word())));
        }
        if self.steps_offset.is_some_and(|offset| offset > 0) {
            return Err(Error::argument("steps_offset", format!("{key} are given, which have none")));
        }
        match self.steps {
            Some(steps) if steps != count => {
                Err(Error::argument("steps", format!("{steps}, but {count} {key} are given, each of which is a step")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a model that was trained otherwise than the scheduler's configuration says.
    fn check_training(&self, manifest: &Manifest) -> Result<()> {
        let Some(config) = &self.scheduler_config else { return Ok(()) };
        let refuse = |reason: String| Err(Error::argument("scheduler_config", reason));
        let (schedule, prediction) = (&config.schedule, config.prediction);
        if prediction != manifest.prediction {
            return refuse(format!("is for a network that says {prediction}; this model says {}", manifest.prediction));
        }
        if let Some(sigma_data) =
            config.sigma_data.filter(|sigma_data| (sigma_data - manifest.sigma_data()).abs() > 1e-6)
        {
            return refuse(format!("is for data of σ_data = {sigma_data}; this model's is {}", manifest.sigma_data()));
        }
        if let Some(range) = config.clip_range
            && manifest.sample.range() != Some([-range, range])
        {
            return refuse(format!(
                "clips to {range} (clip_sample_range); this model's range is {:?}",
                manifest.sample.range()
            ));
        }
        if config.dynamic_shift.is_some() && settings::SHIFT.given(&self.options).is_none() {
            return refuse(
                "shifts times by the number of tokens (use_dynamic_shifting); give the shift, e^μ, as the option shift"
                    .into(),
            );
        }
        check_same_schedule("scheduler_config", schedule, &manifest.schedule)
    }

    /// The grid of a request that is resolved.
    fn levels(&self, manifest: &Manifest, tables: Tables) -> Result<Grid> {
        let schedule = manifest.schedule.build(tables)?;
        let (options, ending) = (&self.options, self.ending.unwrap_or_default());
        let spacing = self.grid.unwrap_or_else(|| manifest.grid(self.solver.as_deref().unwrap_or_default()));
        let over_noise = spacing.is_over_noise();
        let given: Vec<(&str, &[f64])> = settings::levels(options).collect();
        if given.len() > 1 {
            return Err(Error::argument("sigmas", "timesteps are given as well; one of the two is the grid"));
        }
        let fits = |key: &str| match key {
            "rho" => given.is_empty() && spacing == Spacing::Karras,
            "sigma_min" | "sigma_max" => given.is_empty() && over_noise,
            "original_steps" => given.is_empty() && spacing == Spacing::Lcm,
            "shift" => given.is_empty(),
            key if settings::group(key) == Some(Group::Threshold) => self.clipping == Clipping::Dynamic,
            _ => true,
        };
        if let Some((key, _)) = options.iter().find(|(key, _)| !fits(key)) {
            let reason = match key {
                "rho" => "only the karras grid has ρ",
                "sigma_min" | "sigma_max" => "only the grids karras, exponential and beta-sigma are spread over noise",
                "original_steps" => "only the lcm grid has them",
                "shift" => "the grid is given, and is not shifted",
                _ => "it is for clipping \"dynamic\"",
            };
            return Err(Error::argument(key, reason));
        }
        match given.first() {
            Some(("timesteps", times)) => Grid::at_times(schedule, times, ending),
            Some((_, sigmas)) => Grid::at_sigmas(schedule, sigmas, ending),
            None => {
                let plain = GridOptions::new(spacing, self.steps.unwrap_or_default());
                let grid = GridOptions {
                    ending,
                    offset: self.steps_offset.unwrap_or(plain.offset),
                    range: [settings::SIGMA_MIN, settings::SIGMA_MAX].map(|option| options.real(option.key)),
                    rho: settings::RHO.real(options),
                    original_steps: settings::ORIGINAL_STEPS.whole(options),
                    shift: settings::SHIFT.real(options),
                    ..plain
                };
                Grid::spaced(schedule, &grid)
            }
        }
    }
}

/// Refuses what was made for another schedule than the model's, `ours`.
pub(super) fn check_same_schedule(name: &'static str, theirs: &Schedule, ours: &Schedule) -> Result<()> {
    let (theirs, ours) = (theirs.build(Tables::Exact)?, ours.build(Tables::Exact)?);
    let [least, most] = ours.bounds();
    for share in [0.0, 0.1, 0.5, 0.9, 1.0] {
        let t = least + share * (most - least);
        let [theirs, ours] = [theirs.level(t), ours.level(t)];
        if (theirs.alpha - ours.alpha).abs() > 1e-3 || (theirs.sigma - ours.sigma).abs() > 1e-3 * ours.sigma.max(1.0) {
            let reason = format!(
                "is for another schedule: at t = {t} it has α = {:.5}, σ = {:.5}, and this model α = {:.5}, σ = {:.5}",
                theirs.alpha, theirs.sigma, ours.alpha, ours.sigma
            );
            return Err(Error::argument(name, reason));
        }
    }
    Ok(())
}

/// `values` for each of `count` items of the shape `item`: given for each, or one for all, with or without an axis for the items.
pub(crate) fn fitted(
    argument: &'static str,
    name: &str,
    values: &Arc<ArrayD<f32>>,
    count: usize,
    item: &[usize],
) -> Result<Arc<ArrayD<f32>>> {
    let whole: Vec<usize> = std::iter::once(count).chain(item.iter().copied()).collect();
    // Before anything of this size is made.
    checked_length(&whole)?;
    if let Some(wrong) = values.iter().find(|value| !value.is_finite()) {
        return Err(Error::argument(argument, format!("'{name}' holds {wrong}")));
    }
    if values.shape() == whole && values.is_standard_layout() {
        return Ok(Arc::clone(values));
    }
    let one = [&[1], item].concat();
    // A list of values is as many items as it is long.
    let shape = match values.ndim() {
        1 if values.len() == whole.iter().product::<usize>() => whole.as_slice(),
        1 if values.len() == one.iter().product::<usize>() => one.as_slice(),
        _ => values.shape(),
    };
    let fits = shape == item || shape == one || shape == whole;
    let all = values.view().into_shape_with_order(shape).ok().filter(|_| fits);
    match all.as_ref().and_then(|all| all.broadcast(IxDyn(&whole))) {
        Some(all) => Ok(Arc::new(copy(&all)?)),
        None => {
            let reason =
                format!("'{name}' has a shape of {:?}; expected {item:?}, or {whole:?} for all items", values.shape());
            Err(Error::argument(argument, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option::{Fallback, Kind as OptionKind};

    #[test]
    fn a_request_keeps_every_choice() {
        assert!(FIELDS.iter().map(|(entry, _)| entry).eq(settings::CHOICES));
    }

    /// "Default: the model's, else …" is said of the options that a manifest sets for a run, and of no others.
    #[test]
    fn a_manifest_has_the_defaults_that_the_texts_say() {
        for option in settings::all().filter(|option| !settings::CHOICES.contains(option)) {
            let solver = solver::SOLVERS.iter().find(|solver| solver.options.contains(option));
            let solver = solver.filter(|_| option.group == Group::Solver).map_or("ddim", |solver| solver.name);
            let value = match (option.default.first(), option.kind) {
                (Fallback::Flag(value), _) => Value::Flag(value),
                (Fallback::Whole(value), _) => Value::Whole(value),
                (Fallback::Real(value), _) if value.is_finite() => Value::Real(value),
                (Fallback::Word(word), _) => Value::Text(word.to_owned()),
                (_, OptionKind::Real(_, most)) => Value::Real(most),
                (_, OptionKind::Whole(least, _)) => Value::Whole(least),
                _ => Value::Numbers(vec![1.0]),
            };
            let mut options = serde_json::json!({ option.key: value.to_string() });
            if option.key.starts_with("s_") {
                options["s_churn"] = "1".into();
            }
            let manifest = serde_json::json!({
                "diffuse": 1, "sample": {"shape": [3, 8, 8]}, "schedule": {"kind": "linear"}, "prediction": "epsilon",
                "defaults": {"solver": solver, "grid": "karras", "options": options},
            });
            let manifest = Manifest::parse(&manifest.to_string()).unwrap();
            let request = Request { classes: Some(vec![0]), clipping: Clipping::Dynamic, ..Request::default() };
            let taken = request.resolved(&manifest).options.get(option.key).is_some();
            assert_eq!(taken, option.group.is_of_model(), "{}", option.key);
        }
    }
}
