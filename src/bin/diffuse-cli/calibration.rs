//! Measures how well a network's output fits clean samples under a hypothesis.
//!
//! Two things identify the best denoiser, E[x₀ | x]. First, what is left of its error is orthogonal to every function
//! of x, so no linear correction of it helps. Regressed on x and on the network's output, the true noise is what the
//! network predicts, with a slope of 1. Second, no other denoiser errs less at the same λ = ln(α/σ), since E[x₀ | x]
//! depends on σ/α alone, whatever the schedule. Both are measured as logarithms of ratios of errors, which add up.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use diffuse::denoiser::{Condition, Denoised, Denoiser, Query};
use diffuse::noise::{CounterNoise, Draw, NoiseSource};
use diffuse::schedule::NoiseLevel;
use diffuse::stage::Predictor;
use diffuse::tensor::Tensor;
use diffuse::{Error, Model};
use ndarray::{ArrayD, ArrayViewD};

use crate::failure::Failure;
use crate::generate::Bar;
use crate::hypotheses::{Hypothesis, Question};

/// The levels, as ln(α/σ) of data with a deviation of 1.
pub(crate) const LEVELS: [f64; 8] = [4.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0];

/// The greatest distance of a hypothesis' own level from the nominal one.
const NEAR: f64 = 0.15;

/// The uncertainty of an error that is extrapolated from so far to its nominal level.
const UNSURE: f64 = 0.5;

/// The least number of levels by which a hypothesis is judged.
const LEAST_LEVELS: usize = 4;

/// The number of parts of the samples that are left out in turn, to see how much a score depends on them.
const BLOCKS: usize = 16;

/// Less than this share of a sum is rounding.
const ROUNDING: f64 = 1e-10;

/// A round. It uses some of the samples at some levels. It keeps hypotheses that are not further behind the best than
/// `margin`, but at most `most` of them.
struct Round {
    levels: &'static [usize],
    /// The number of values that the samples of the round hold, within the least and the greatest number of samples.
    values: usize,
    items: [usize; 2],
    margin: f64,
    most: usize,
}

/// The first round is small, since a grossly wrong hypothesis shows at one level and on a few samples.
const ROUNDS: [Round; 3] = [
    Round { levels: &[3], values: 1 << 13, items: [4, 256], margin: 0.5, most: 256 },
    Round { levels: &[1, 3, 5], values: 1 << 15, items: [8, 1024], margin: 0.3, most: 96 },
    Round {
        levels: &[0, 1, 2, 3, 4, 5, 6, 7],
        values: 0,
        items: [usize::MAX; 2],
        margin: f64::INFINITY,
        most: usize::MAX,
    },
];

/// Sums over values of the products of 1, x₀, ε and the network's output.
#[derive(Debug, Clone, Copy, Default)]
struct Sums([[f64; 4]; 4]);

/// A linear combination of the four.
type Combination = [f64; 4];

impl Sums {
    fn add(&mut self, values: Combination) {
        for (row, one) in self.0.iter_mut().zip(values) {
            row.iter_mut().zip(values).for_each(|(sum, other)| *sum += one * other);
        }
    }

    /// The sum of the product of two combinations.
    fn product(&self, one: &Combination, other: &Combination) -> f64 {
        let of_row = |row: &[f64; 4]| -> f64 { row.iter().zip(other).map(|(sum, of)| sum * of).sum() };
        self.0.iter().zip(one).map(|(row, of)| of * of_row(row)).sum()
    }

    /// The logarithm of the mean square of a combination.
    fn error(&self, residual: &Combination) -> f64 {
        // Below this it is the rounding of the sums.
        let least = (ROUNDING * self.product(&NOISE, &NOISE)).max(f64::MIN_POSITIVE);
        (self.product(residual, residual).max(least) / self.0[0][0]).ln()
    }

    /// The same for what is left of `target` by the best combination of `features`.
    fn left(&self, target: Combination, features: &[Combination]) -> f64 {
        let mut known: Vec<(Combination, f64)> = Vec::new();
        let mut residual = target;
        for feature in features {
            // This is Gram–Schmidt: each feature without its part along those before it.
            let whole = self.product(feature, feature);
            let mut own = *feature;
            known.iter().for_each(|(other, size)| own = less(own, self.product(&own, other) / size, other));
            let size = self.product(&own, &own);
            if size > ROUNDING * whole {
                residual = less(residual, self.product(&residual, &own) / size, &own);
                known.push((own, size));
            }
        }
        self.error(&residual)
    }

    /// These sums with `times` those of `other`.
    fn plus(&self, other: &Self, times: f64) -> Self {
        let mut both = *self;
        both.0.iter_mut().flatten().zip(other.0.iter().flatten()).for_each(|(sum, other)| *sum += times * other);
        both
    }
}

/// `from` minus `times` times `other`.
fn less(from: Combination, times: f64, other: &Combination) -> Combination {
    std::array::from_fn(|place| from[place] - times * other[place])
}

const ONE: Combination = [1.0, 0.0, 0.0, 0.0];
const NOISE: Combination = [0.0, 0.0, 1.0, 0.0];
const ANSWER: Combination = [0.0, 0.0, 0.0, 1.0];

/// The sums of each block of an evaluation, and of all of them.
struct Evaluation {
    all: Sums,
    blocks: Vec<Sums>,
}

impl Evaluation {
    fn new(x0: &[f32], noise: &[f32], answer: &[f32], items: usize) -> Self {
        let (blocks, length) = (BLOCKS.min(items), x0.len() / items);
        let mut sums = vec![Sums::default(); blocks];
        for item in 0..items {
            let range = item * length..(item + 1) * length;
            let answer = answer.get(range.clone()).unwrap_or_default().iter().chain(std::iter::repeat(&0.0));
            for ((x0, noise), answer) in x0[range.clone()].iter().zip(&noise[range]).zip(answer) {
                sums[item % blocks].add([1.0, f64::from(*x0), f64::from(*noise), f64::from(*answer)]);
            }
        }
        let mut all = Sums::default();
        sums.iter().for_each(|sums| all = all.plus(sums, 1.0));
        Self { all, blocks: sums }
    }

    /// The sums of all blocks but one.
    fn without(&self, block: Option<usize>) -> Sums {
        block.map_or(self.all, |block| self.all.plus(&self.blocks[block], -1.0))
    }
}

/// The network's outputs under a hypothesis at one of the levels.
struct Answer {
    index: usize,
    level: NoiseLevel,
    to_x0: (f64, f64),
    evaluation: Rc<Evaluation>,
}

/// The errors of a hypothesis at a level: logarithms of mean squares of what is left of the noise.
#[derive(Debug, Clone, Copy)]
struct Misfit {
    index: usize,
    /// ln(α/σ), relative to the nominal level's.
    off: f64,
    left: f64,
    /// The error with the network's output corrected.
    corrected: f64,
}

impl Answer {
    fn error(&self, block: Option<usize>, nominal: f64) -> Misfit {
        let Self { index, level, to_x0: (of_x, of_answer), evaluation } = self;
        let NoiseLevel { alpha, sigma, .. } = *level;
        let sums = evaluation.without(block);
        let x = [0.0, alpha, sigma, 0.0];
        // ε̂ = (x − α·x̂₀)/σ.
        let residual = less(NOISE, (1.0 - alpha * of_x) / sigma, &x);
        let residual = less(residual, -alpha * of_answer / sigma, &ANSWER);
        let corrected = sums.left(NOISE, &[ONE, x, ANSWER]);
        let left = sums.error(&residual).max(corrected);
        Misfit { index: *index, off: level.lambda() - nominal, left, corrected }
    }
}

/// The score of a hypothesis. All values are means over its levels, in logarithms of mean squares.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Score {
    /// The sum of the two that follow. It is 0 for the best denoiser, and more for any other.
    pub(crate) score: f64,
    /// The part of the error that a linear correction would remove.
    pub(crate) calibration: f64,
    /// The error beyond that of the best denoiser that is known at the level.
    pub(crate) excess: f64,
    /// How much less the error is than that of the best linear denoiser.
    pub(crate) gain: f64,
    /// The number of its levels.
    pub(crate) levels: usize,
}

/// A hypothesis with its score.
pub(crate) struct Ranked {
    pub(crate) hypothesis: Hypothesis,
    pub(crate) score: Score,
    /// The score without each of the blocks.
    without: Vec<f64>,
}

impl Ranked {
    /// How far the hypothesis is behind `other`, and the standard error of that (Efron & Stein 1981, the jackknife).
    pub(crate) fn behind(&self, other: &Self) -> (f64, f64) {
        let differences: Vec<f64> = self.without.iter().zip(&other.without).map(|(one, other)| one - other).collect();
        let count = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / count;
        let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
        (self.score.score - other.score.score, (squares * (count - 1.0) / count).sqrt())
    }
}

/// The references at a level, which need no network. They are the best linear denoiser, and the mean of the other
/// samples. That mean is weighted by how likely each of them is to be behind x.
#[derive(Debug, Clone, Copy)]
struct Reference {
    linear: f64,
    best: f64,
}

/// Hypotheses, and the network's outputs under them.
type Answered = Vec<(Hypothesis, Vec<Answer>)>;

/// The results of evaluating samples at some levels.
struct Shown {
    /// The outputs, by the hypotheses' places.
    answers: Vec<Vec<Answer>>,
    /// Whether the network failed.
    failed: Vec<bool>,
    references: BTreeMap<usize, Reference>,
}

impl Shown {
    fn new(count: usize) -> Self {
        let answers = std::iter::repeat_with(Vec::new).take(count).collect();
        Self { answers, failed: vec![false; count], references: BTreeMap::new() }
    }

    /// Takes the outputs of the hypotheses that have at least `least` of them, or are `own`. Hypotheses without any are
    /// left for later.
    fn judged(
        &mut self,
        hypotheses: Vec<Hypothesis>,
        least: usize,
        own: Option<&Hypothesis>,
    ) -> (Answered, Vec<Hypothesis>) {
        let answers = std::mem::take(&mut self.answers).into_iter().zip(&self.failed);
        let answered = hypotheses.into_iter().zip(answers).filter(|(_, (_, failed))| !**failed);
        let answered = answered.map(|(hypothesis, (answers, _))| (hypothesis, answers));
        let (others, judged): (Vec<_>, Vec<_>) = answered.partition(|(_, answers)| answers.is_empty());
        let counts =
            |(hypothesis, answers): &(Hypothesis, Vec<Answer>)| answers.len() >= least || own == Some(hypothesis);
        let others = others.into_iter().map(|(hypothesis, _)| hypothesis).collect();
        (judged.into_iter().filter(counts).collect(), others)
    }
}

/// Clean samples, and the network that is evaluated on them.
pub(crate) struct Calibration {
    predictor: Predictor,
    fixed_batch: usize,
    x0: ArrayD<f32>,
    condition: Condition,
    deviation: f64,
    /// Which samples are the same.
    same: Vec<usize>,
    /// The network's first error.
    failure: Option<Error>,
}

impl Calibration {
    pub(crate) fn new(
        model: &Arc<Model>,
        x0: ArrayD<f32>,
        condition: Condition,
        same: Vec<usize>,
    ) -> Result<Self, Failure> {
        let predictor = Predictor::new(Arc::clone(model))?;
        let deviation = x0.mapv(f64::from).std(0.0);
        let fixed_batch = model.fixed_batch().unwrap_or(1);
        Ok(Self { predictor, fixed_batch, x0, condition, deviation, same, failure: None })
    }

    /// The standard deviation of all values of the samples.
    pub(crate) fn deviation(&self) -> f64 {
        self.deviation
    }

    /// ln(α/σ) at a level.
    pub(crate) fn lambda(&self, index: usize) -> f64 {
        LEVELS[index] - self.deviation.ln()
    }

    /// Ranks the hypotheses, the best first. Grossly wrong ones are dropped on the way, except `own`.
    pub(crate) fn rank(&mut self, all: Vec<Hypothesis>, own: Option<&Hypothesis>) -> Result<Vec<Ranked>, Failure> {
        let mut bar = Bar::new();
        let steps: usize = ROUNDS.iter().map(|round| round.levels.len()).sum();
        let (mut step, mut left, mut ranked) = (0, all, Vec::new());
        for round in &ROUNDS {
            let mut shown = Shown::new(left.len());
            for index in round.levels {
                let noise = self.noise(*index, self.items(round));
                shown.references.insert(*index, self.reference(*index, &noise));
                self.ask(*index, &noise, &left, &mut shown, &mut |share| {
                    bar.show((step as f64 + share) / steps as f64);
                })?;
                step += 1;
            }
            let least = if round.levels.len() == LEVELS.len() { LEAST_LEVELS } else { 1 };
            let (judged, others) = shown.judged(left, least, own);
            ranked = self.ranked(judged, &shown.references);
            let best = ranked.first().map_or(0.0, |best| best.score.score);
            let mut place = 0;
            ranked.retain(|one| {
                place += 1;
                own == Some(&one.hypothesis) || (place <= round.most && one.score.score <= best + round.margin)
            });
            left = ranked.iter().map(|one| one.hypothesis.clone()).chain(others).collect();
        }
        match self.failure.take() {
            Some(failure) if ranked.is_empty() => Err(failure.into()),
            _ => Ok(ranked),
        }
    }

    /// The number of values of a sample.
    fn length(&self) -> usize {
        self.x0.len() / self.x0.shape()[0]
    }

    /// The number of samples that a round uses, as the graph takes them.
    fn items(&self, round: &Round) -> usize {
        let all = self.x0.shape()[0];
        let wanted = (round.values / self.length()).clamp(round.items[0], round.items[1]).min(all);
        wanted.next_multiple_of(self.fixed_batch).min(all / self.fixed_batch * self.fixed_batch)
    }

    fn noise(&self, index: usize, items: usize) -> Vec<f32> {
        let mut noise = vec![0.0; items * self.length()];
        CounterNoise::new(0).fill(Draw::Step { step: index as u32, stage: 0 }, self.length(), &mut noise);
        noise
    }

    fn clean(&self, values: usize) -> &[f32] {
        &self.x0.as_slice().unwrap_or_default()[..values]
    }

    fn reference(&self, index: usize, noise: &[f32]) -> Reference {
        let lambda = self.lambda(index);
        let clean = self.clean(noise.len());
        let items = noise.len() / self.length();
        let sums = Evaluation::new(clean, noise, &[], items).all;
        let linear = sums.left(NOISE, &[ONE, [0.0, 1.0, (-lambda).exp(), 0.0]]);
        Reference { linear, best: linear.min(neighbours(clean, noise, &self.same[..items], lambda)) }
    }

    /// Evaluates the network on the samples with noise, once for all hypotheses that give it the same inputs.
    fn ask(
        &mut self,
        index: usize,
        noise: &[f32],
        hypotheses: &[Hypothesis],
        shown: &mut Shown,
        show: &mut impl FnMut(f64),
    ) -> Result<(), Failure> {
        let mut shared: BTreeMap<[u32; 3], Vec<(usize, Question)>> = BTreeMap::new();
        for (place, hypothesis) in hypotheses.iter().enumerate() {
            let Some(question) = hypothesis.question(self.lambda(index), NEAR) else { continue };
            let Question { level, factor, time, .. } = question;
            let seen = [level.alpha * factor, level.sigma * factor, time];
            shared.entry(seen.map(|value| (value as f32).to_bits())).or_default().push((place, question));
        }
        let count = shared.len() as f64;
        for (i, (seen, questions)) in shared.into_iter().enumerate() {
            show(i as f64 / count);
            let [of_x0, of_noise, _] = seen.map(f32::from_bits);
            let time = questions.first().map_or(0.0, |(_, question)| question.time);
            let evaluation = self.evaluate(noise, [of_x0, of_noise], time)?;
            for (place, Question { level, to_x0, .. }) in questions {
                match &evaluation {
                    Some(evaluation) => {
                        shown.answers[place].push(Answer { index, level, to_x0, evaluation: Rc::clone(evaluation) });
                    }
                    None => shown.failed[place] = true,
                }
            }
        }
        Ok(())
    }

    /// Evaluates the network. `None` where it cannot be evaluated so.
    fn evaluate(&mut self, noise: &[f32], of: [f32; 2], time: f64) -> Result<Option<Rc<Evaluation>>, Failure> {
        let items = noise.len() / self.length();
        let shape: Vec<usize> = std::iter::once(items).chain(self.x0.shape()[1..].iter().copied()).collect();
        let clean = self.clean(noise.len());
        let x: Vec<f32> = clean.iter().zip(noise).map(|(x0, noise)| of[0] * x0 + of[1] * noise).collect();
        let x = ArrayViewD::from_shape(&shape[..], &x).map_err(|error| Failure::Other(error.to_string()))?;
        let condition = self.condition_of(items);
        // The carrier's time is read from it, and nothing else is.
        let level = NoiseLevel { t: time, alpha: 1.0, sigma: 0.0 };
        let mut answer = Denoised::new(&shape)?;
        match self.predictor.denoise(Query { x, level, condition: &condition, step: 0 }, &mut answer) {
            Ok(()) => {
                let said = answer.x0.as_slice().unwrap_or_default();
                Ok(Some(Rc::new(Evaluation::new(self.clean(noise.len()), noise, said, items))))
            }
            // An index may be beyond an embedding, for example.
            Err(error @ Error::Evaluation { .. }) => {
                self.failure.get_or_insert(error);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The condition of the first `items`.
    fn condition_of(&self, items: usize) -> Condition {
        let Condition { classes, tensors, .. } = &self.condition;
        let of_items = |(name, tensor): (&String, &Arc<Tensor>)| (name.clone(), Arc::new(tensor.items(0, items)));
        Condition {
            classes: classes.as_ref().map(|classes| classes[..items].to_vec()),
            tensors: tensors.iter().map(of_items).collect(),
            ..self.condition.clone()
        }
    }

    /// Hypotheses with their scores, the best first.
    fn ranked(&self, judged: Answered, references: &BTreeMap<usize, Reference>) -> Vec<Ranked> {
        let (hypotheses, answers): (Vec<_>, Vec<_>) = judged.into_iter().unzip();
        let blocks = answers.iter().flatten().map(|answer| answer.evaluation.blocks.len()).next().unwrap_or_default();
        let scores = self.scores(&answers, None, references);
        let without: Vec<Vec<Score>> =
            (0..blocks).map(|block| self.scores(&answers, Some(block), references)).collect();
        let of_one = |(place, (hypothesis, score)): (usize, (Hypothesis, Score))| {
            let without = without.iter().map(|scores| scores[place].score).collect();
            Ranked { hypothesis, score, without }
        };
        let mut ranked: Vec<Ranked> = hypotheses.into_iter().zip(scores).enumerate().map(of_one).collect();
        ranked.sort_by(|one, other| one.score.score.total_cmp(&other.score.score));
        ranked
    }

    /// The scores without one of the blocks.
    fn scores(
        &self,
        answers: &[Vec<Answer>],
        block: Option<usize>,
        references: &BTreeMap<usize, Reference>,
    ) -> Vec<Score> {
        let of_one = |answers: &Vec<Answer>| {
            let errors = answers.iter().map(|answer| answer.error(block, self.lambda(answer.index)));
            nominal(errors.collect())
        };
        let errors: Vec<Vec<Misfit>> = answers.iter().map(of_one).collect();
        let mut best: BTreeMap<usize, f64> =
            references.iter().map(|(index, reference)| (*index, reference.best)).collect();
        for error in errors.iter().flatten() {
            best.entry(error.index).and_modify(|best| *best = best.min(error.left + UNSURE * error.off.abs()));
        }
        let score = |errors: &Vec<Misfit>| {
            let mean = |of: &dyn Fn(&Misfit) -> f64| errors.iter().map(of).sum::<f64>() / errors.len() as f64;
            let calibration = mean(&|error| error.left - error.corrected);
            let excess = mean(&|error| (error.left - best[&error.index]).max(0.0));
            let gain = mean(&|error| references[&error.index].linear - error.left);
            Score { score: calibration + excess, calibration, excess, gain, levels: errors.len() }
        };
        errors.iter().map(score).collect()
    }
}

/// Moves the errors of a hypothesis to the nominal levels, along the parabola through its three nearest own levels. The
/// log mean square of ε's error grows with λ by 2 at most, since that of x̂₀ never grows.
fn nominal(mut errors: Vec<Misfit>) -> Vec<Misfit> {
    let own: Vec<(f64, f64)> = errors.iter().map(|error| (LEVELS[error.index] + error.off, error.left)).collect();
    for (place, error) in errors.iter_mut().enumerate() {
        let first = place.saturating_sub(1).min(own.len().saturating_sub(3));
        let slope = slope(&own[first..own.len().min(first + 3)], LEVELS[error.index] + error.off / 2.0);
        let moved = slope.min(2.0) * error.off;
        error.left -= moved;
        error.corrected -= moved;
    }
    errors
}

/// The slope at `x` of the parabola through three points, or of the line through two.
fn slope(points: &[(f64, f64)], x: f64) -> f64 {
    let between = |one: (f64, f64), other: (f64, f64)| (other.1 - one.1) / (other.0 - one.0);
    match points {
        [a, b, c] => {
            let first = between(*a, *b);
            first + (between(*b, *c) - first) / (c.0 - a.0) * (2.0 * x - a.0 - b.0)
        }
        [a, b] => between(*a, *b),
        _ => 1.0,
    }
}

/// What is left of the noise, as a log mean square, with the weighted mean of the other samples as x̂₀. The weight of a
/// sample is how likely it is to be the one behind x. This would be E[x₀ | x] if there were no other samples.
fn neighbours(clean: &[f32], noise: &[f32], same: &[usize], lambda: f64) -> f64 {
    let length = clean.len() / same.len();
    let deviation = (-lambda).exp();
    let items: Vec<&[f32]> = clean.chunks_exact(length).collect();
    let mut squares = 0.0;
    for ((own, noise), kind) in items.iter().zip(noise.chunks_exact(length)).zip(same) {
        let noised = |(x0, noise): (&f32, &f32)| f64::from(*x0) + deviation * f64::from(*noise);
        let x: Vec<f64> = own.iter().zip(noise).map(noised).collect();
        let distance =
            |other: &[f32]| -> f64 { x.iter().zip(other).map(|(x, other)| (x - f64::from(*other)).powi(2)).sum() };
        let others = items.iter().zip(same).filter(|(_, other)| *other != kind);
        let others: Vec<(&[f32], f64)> = others.map(|(other, _)| (*other, distance(other))).collect();
        if others.is_empty() {
            // Nothing can be computed from no other samples.
            return f64::INFINITY;
        }
        let nearest = others.iter().map(|(_, distance)| *distance).fold(f64::INFINITY, f64::min);
        let (mut mean, mut total) = (vec![0.0; length], 0.0);
        for (other, distance) in others {
            let weight = ((nearest - distance) / (2.0 * deviation * deviation)).exp();
            if weight > ROUNDING {
                total += weight;
                mean.iter_mut().zip(other).for_each(|(mean, other)| *mean += weight * f64::from(*other));
            }
        }
        squares += mean.iter().zip(*own).map(|(mean, own)| (mean / total - f64::from(*own)).powi(2)).sum::<f64>();
    }
    (squares / clean.len() as f64).max(f64::MIN_POSITIVE).ln() + 2.0 * lambda
}
