//! The defaults of a manifest.

use super::document::Manifest;
use super::schedule::Schedule;
use super::shape::Axis;
use super::tensors::ConditionInput;
use super::time::{Encoding, Time};
use crate::prediction::Prediction;
use crate::schedule::{Spacing, Tables, Terminal};

impl Manifest {
    /// The network's time input, as it is set.
    ///
    /// The default is t for schedules with training steps, and ln(σ)/4 for [`Schedule::Edm`] (Karras et al. 2022, table
    /// 1). For the others it is t as a share of the greatest.
    #[must_use]
    pub fn time(&self) -> Time {
        self.time.unwrap_or(match self.schedule {
            Schedule::Edm { .. } => Time { encoding: Encoding::LogSigma, scale: 0.25, ..Time::default() },
            Schedule::Vp(_)
            | Schedule::SubVp(_)
            | Schedule::Ve { .. }
            | Schedule::Trigonometric { .. }
            | Schedule::ContinuousCosine { .. }
            | Schedule::Flow { .. } => Time { encoding: Encoding::Unit, ..Time::default() },
            _ => Time::default(),
        })
    }

    /// The standard deviation of the data. The default is ½ for [preconditioned](Prediction::is_preconditioned)
    /// predictions and 1 for the others.
    #[must_use]
    pub fn sigma_data(&self) -> f64 {
        self.sample.sigma_data.unwrap_or(if self.prediction.is_preconditioned() { 0.5 } else { 1.0 })
    }

    /// What is best at few evaluations for a model of this kind: the solver, its order, the grid and the number of
    /// steps. `benches/choosing.rs` measures it.
    fn usual(&self) -> (&'static str, u64, Spacing, usize) {
        let terminal = match &self.schedule {
            Schedule::Linear(range) | Schedule::ScaledLinear(range) | Schedule::Sigmoid(range) => range.terminal,
            Schedule::SigmoidAlphaBar(range) => range.terminal,
            Schedule::Cosine(steps) | Schedule::Exponential(steps) | Schedule::Laplace(steps) => steps.terminal,
            Schedule::Trained { terminal, .. } => *terminal,
            _ => Terminal::AsTrained,
        };
        match self.schedule {
            Schedule::Edm { .. } => ("deis", 3, Spacing::Karras, 20),
            // From pure noise there are no even steps in the logarithm of the noise.
            Schedule::Flow { .. } | Schedule::Trigonometric { .. } => ("unipc", 2, Spacing::Trailing, 20),
            // More than half of those steps would be where α is below 0.01. But the first of the trailing steps
            // multiplies an error of ε̂ by a million, unless x̂₀ is clipped.
            Schedule::ContinuousCosine { .. } if self.prediction.allows_pure_noise() || self.sample.clip() => {
                ("unipc", 2, Spacing::Trailing, 20)
            }
            _ if terminal == Terminal::ZeroSnr => ("unipc", 2, Spacing::Trailing, 20),
            _ => ("unipc", 2, Spacing::Exponential, 20),
        }
    }

    /// Whether `solver` is the default, because neither the caller nor the manifest names one.
    fn is_usual(&self, solver: &str) -> bool {
        self.defaults.solver.is_none() && solver == self.usual().0
    }

    /// The solver. The default is DEIS for [`Schedule::Edm`] and UniPC for the others.
    #[must_use]
    pub fn solver(&self) -> &str {
        self.defaults.solver.as_deref().unwrap_or(self.usual().0)
    }

    /// The order of the default solver. `None` where the manifest names the solver.
    pub(crate) fn order(&self, solver: &str) -> Option<u64> {
        self.is_usual(solver).then_some(self.usual().1)
    }

    /// The grid for `solver`, as it is set.
    ///
    /// Without a setting, the default solver has the grid that suits it. Another solver has that of Karras et al. for
    /// [`Schedule::Edm`], evenly spaced times with both ends for the SDEs, and the trailing grid for the others.
    #[must_use]
    pub fn grid(&self, solver: &str) -> Spacing {
        let own = || if self.is_usual(solver) { self.usual().2 } else { self.schedule.grid() };
        self.defaults.grid.unwrap_or_else(own)
    }

    /// The number of steps for `solver`. The default is 20 for the default solver and 50 for others, and at most T.
    #[must_use]
    pub fn steps(&self, solver: &str) -> usize {
        let own = || if self.is_usual(solver) { self.usual().3 } else { 50 };
        let most = self.schedule.build(Tables::Exact).ok().and_then(|schedule| schedule.train_steps());
        self.defaults.steps.unwrap_or_else(own).min(most.unwrap_or(usize::MAX))
    }

    /// How much longer the sample is with everything that is joined to it, along [`joined_axis`](Self::joined_axis).
    #[must_use]
    pub fn joined_channels(&self) -> usize {
        let size = |condition: &ConditionInput| match condition.shape.item().nth(condition.axis) {
            Some(Axis::Size(size)) => *size,
            _ => 0,
        };
        self.conditions.values().filter(|condition| condition.joined).map(size).sum()
    }

    /// The axis of an item that conditions are joined along.
    #[must_use]
    pub fn joined_axis(&self) -> usize {
        self.conditions.values().find(|condition| condition.joined).map_or(0, |condition| condition.axis)
    }

    /// Whether the model is a classifier, which guides a predictor's samples and generates none.
    #[must_use]
    pub fn is_classifier(&self) -> bool {
        self.prediction == Prediction::ClassGradient
    }
}
