//! Makes the choices that a request leaves to a model's manifest.

use super::ask::Request;
use crate::error::{Error, Result};
use crate::model::{LearnedVariance, Manifest};
use crate::option::{Group, Options, Value};
use crate::schedule::{Ending, Grid, GridOptions, Spacing, Tables};
use crate::settings::{self, Clipping, Compat};
use crate::solver;

/// How a request is sampled with a model: what the request sets, and the manifest's values for the rest.
pub(super) struct Choices {
    /// `None` where what is given does not determine it.
    pub(super) shape: Option<Vec<usize>>,
    pub(super) solver: String,
    pub(super) options: Options,
    pub(super) steps: usize,
    /// `None` where the levels are given, since these are the grid.
    pub(super) grid: Option<Spacing>,
    pub(super) steps_offset: usize,
    pub(super) ending: Ending,
    /// Never [`Clipping::Model`].
    pub(super) clipping: Clipping,
    /// The share of the original steps that the lcm grid is spread over.
    share: f64,
}

impl Request {
    /// The request with every choice made that it leaves to `manifest`. This is what is worth storing beside a picture.
    #[must_use]
    pub fn resolved(&self, manifest: &Manifest) -> Self {
        Choices::new(self, manifest).of(self)
    }
}

impl Choices {
    /// `request` with these choices filled in.
    pub(super) fn of(self, request: &Request) -> Request {
        let Self { shape, solver, options, steps, grid, steps_offset, ending, clipping, .. } = self;
        Request {
            shape,
            solver: Some(solver),
            options,
            steps: Some(steps),
            grid,
            steps_offset: Some(steps_offset),
            ending: Some(ending),
            clipping,
            ..request.clone()
        }
    }

    pub(super) fn new(request: &Request, manifest: &Manifest) -> Self {
        let defaults = &manifest.defaults;
        // An inversion uses DDIM.
        let usual = || if request.invert { "ddim" } else { manifest.solver() };
        let name = request.solver.clone().unwrap_or_else(|| usual().to_owned());
        let grid = request.grid.unwrap_or_else(|| manifest.grid(&name));
        let given = settings::levels(&request.options).next().map(|(_, levels)| levels.len());
        // The manifest's options for its own grid do not apply to another grid that the caller has chosen.
        let own_grid = grid == manifest.grid(&name) && given.is_none();
        let options = options(request, manifest, &name, own_grid, given.is_some());
        let plain = GridOptions::new(grid, 1);
        let (offset, ending) =
            if own_grid { (defaults.steps_offset, defaults.ending) } else { (plain.offset, plain.ending) };
        let by_model = match request.compat {
            _ if !manifest.sample.clip() => Clipping::Off,
            // An inversion is only as good as the network's prediction, whose estimates at the noisy end lie beyond any
            // range.
            _ if request.invert => Clipping::Off,
            Compat::Papers => Clipping::On,
            Compat::Diffusers => Clipping::KeepNoise,
        };
        let share = request.share(&options);
        Self {
            share,
            shape: request.shape.clone().or_else(|| manifest.sample.shape.bound(&request.sizes(manifest))),
            options,
            steps: given.or(request.steps).unwrap_or_else(|| manifest.steps(&name)),
            ending: match request.ending {
                _ if settings::ends_at_zero(&request.options) => Ending::Clean,
                asked => asked.unwrap_or(ending),
            },
            steps_offset: request.steps_offset.unwrap_or(offset),
            clipping: if request.clipping == Clipping::Model { by_model } else { request.clipping },
            solver: name,
            // Levels that are given are the grid.
            grid: if given.is_some() { None } else { Some(grid) },
        }
    }

    /// The levels that the run visits with this shift, before any of them is left out.
    pub(super) fn levels(&self, manifest: &Manifest, tables: Tables, shift: Option<f64>) -> Result<Grid> {
        let schedule = manifest.schedule.build(tables)?;
        let (options, ending) = (&self.options, self.ending);
        let spacing = self.grid.unwrap_or_else(|| manifest.grid(&self.solver));
        let over_noise = spacing.is_over_noise();
        let given: Vec<(&str, &[f64])> = settings::levels(options).collect();
        if given.len() > 1 {
            return Err(Error::argument("sigmas", "timesteps are given as well; one of the two is the grid"));
        }
        let fits = |key: &str| match key {
            "rho" => given.is_empty() && spacing == Spacing::Karras,
            "sigma_min" | "sigma_max" => given.is_empty() && over_noise,
            "original_steps" => given.is_empty() && spacing == Spacing::Lcm,
            "shift" | "shift_terminal" | "mu" | "tokens" | "mu_rule" | "lambda_min" => given.is_empty(),
            key if settings::group(key) == Some(Group::Threshold) => self.clipping == Clipping::Dynamic,
            _ => true,
        };
        if let Some((key, _)) = options.iter().find(|(key, _)| !fits(key)) {
            let reason = match key {
                "rho" => "only the karras grid has ρ",
                "sigma_min" | "sigma_max" => "only the grids karras, exponential and beta-sigma are spread over noise",
                "original_steps" => "only the lcm grid has them",
                "lambda_min" => "it does not apply to an explicit grid",
                "shift" | "shift_terminal" | "mu" | "tokens" | "mu_rule" => "the grid is given, and is not shifted",
                _ => "it is for clipping \"dynamic\"",
            };
            return Err(Error::argument(key, reason));
        }
        match given.first() {
            Some(("timesteps", times)) => Grid::at_times(schedule, times, ending),
            Some((_, sigmas)) => Grid::at_sigmas(schedule, sigmas, ending),
            None => {
                let grid = GridOptions {
                    ending,
                    offset: self.steps_offset,
                    range: [settings::SIGMA_MIN, settings::SIGMA_MAX].map(|option| options.real(option.key)),
                    rho: settings::RHO.real(options),
                    original_steps: settings::ORIGINAL_STEPS.whole(options),
                    original_share: self.share,
                    shift: shift.unwrap_or_else(|| settings::SHIFT.real(options)),
                    shift_terminal: options.real(settings::SHIFT_TERMINAL.key),
                    lambda_min: options.real(settings::LAMBDA_MIN.key),
                    ..GridOptions::new(spacing, self.steps)
                };
                Grid::spaced(schedule, &grid)
            }
        }
    }
}

/// The options that set the shift. One of them is enough.
const SHIFTS: &[&str] = &["shift", "mu", "tokens"];

/// The options that are set, and those of the manifest that apply. The manifest's options for its own solver do not
/// apply to another.
fn options(request: &Request, manifest: &Manifest, name: &str, own_grid: bool, levels_given: bool) -> Options {
    let entry = solver::SOLVERS.iter().find(|entry| entry.name == name);
    let has = |key: &str| entry.is_some_and(|entry| entry.options.iter().any(|option| option.key == key));
    let mut options = request.options.clone();
    if levels_given {
        // A configuration's options for its own grid do not apply to another.
        let of_grid = |key: &str| settings::group(key) == Some(Group::Grid);
        options = options.filtered(|key| !of_grid(key) || !request.is_of_config(key));
    }
    let same_solver = name == manifest.solver();
    let shifts = SHIFTS.iter().any(|key| options.get(key).is_some());
    for (key, value) in manifest.defaults.values().unwrap_or_default() {
        let scales_given = settings::GUIDANCE_SCALES.given(&options).is_some();
        let meant = match settings::group(key) {
            _ if has(key) => same_solver,
            Some(Group::Correction) => same_solver,
            Some(Group::Threshold) => request.clipping == Clipping::Dynamic,
            Some(Group::Guidance) if key == settings::GUIDANCE_SCALE.key && scales_given => false,
            Some(Group::Guidance) => guides(request, manifest),
            Some(Group::Grid) if SHIFTS.contains(&key) => !levels_given && !shifts,
            Some(Group::Grid) => own_grid,
            // An option of a solver that is not used.
            _ => false,
        };
        if meant && options.get(key).is_none() {
            options.set(key, value);
        }
    }
    if let Some(order) = manifest.order(name).filter(|_| options.get("order").is_none()) {
        options.set("order", Value::Whole(order));
    }
    let learned = match manifest.variance {
        LearnedVariance::None | LearnedVariance::Unused => None,
        LearnedVariance::Learned => Some("learned"),
        LearnedVariance::LearnedRange => Some("learned-range"),
    };
    if let Some(variance) = learned.filter(|_| has("variance") && options.get("variance").is_none()) {
        options.set("variance", Value::Text(variance.to_owned()));
    }
    options
}

/// Whether there is anything that guidance could lead to.
fn guides(request: &Request, manifest: &Manifest) -> bool {
    let null = manifest.classes.as_ref().and_then(|classes| classes.null);
    let is_null = |class: &i64| usize::try_from(*class).ok() == null;
    let by_class = request.classes.as_ref().is_some_and(|classes| !classes.iter().all(is_null));
    by_class || request.negative_classes.is_some() || !request.negative_conditions.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option::{Fallback, Kind as OptionKind};

    /// The text "Default: the model's, else …" stands at the options that a manifest sets for a run, and at no others.
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
