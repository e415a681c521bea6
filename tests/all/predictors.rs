//! Graphs with the inputs and outputs that people export, each drawn from by the library and by a loop in f64 around
//! the same graph. The loop opens the file with `ort` alone and knows nothing of its manifest: what every input is
//! given is written out here, graph by graph, and so are the levels, by the formulas of those who trained such
//! networks.
//!
//! `exported` has graphs of the families that they are named after; `made` those of `onnx/predictors.py`, for what the
//! former lack. `onnx/fixtures/predictors/README.md` is the table of both.

use std::collections::BTreeMap;
use std::f64::consts::FRAC_PI_2;
use std::fmt::Write as _;
use std::sync::Arc;

use diffuse::settings::Clipping;
use diffuse::tensor::Tensor;
use diffuse::{Error, Model, Request};
use half::{bf16, f16};
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Slice, concatenate, stack};
use ort::session::Session;
use ort::value::{DynValue, PrimitiveTensorElementType};
use serde_json::Value;

use crate::support::{agree, model, repository, runtime};

const FOLDER: &str = "onnx/fixtures/predictors";
const STEPS: usize = 10;
const SCALE: f64 = 3.0;
/// How many items there are at most.
const ITEMS: usize = 3;

/// A level of a run.
#[derive(Debug, Clone, Copy)]
struct Level {
    t: f64,
    alpha: f64,
    sigma: f64,
}

const CLEAN: Level = Level { t: 0.0, alpha: 1.0, sigma: 0.0 };

/// What the output of a network is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    Epsilon,
    X0,
    V,
    /// ε − x₀.
    Flow,
    /// x₀ − ε.
    FlowToData,
}

/// What the rows of the graph's batch are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rows {
    /// The items.
    Items,
    /// One item.
    One,
    /// One item twice, under the negative condition and under the condition.
    NegativeFirst,
    /// The same the other way around.
    NegativeLast,
}

/// What a network is asked, batch first.
struct Asked<'a> {
    x: ArrayD<f64>,
    level: Level,
    /// The last estimate of the clean samples.
    last: ArrayD<f64>,
    told: &'a Branch,
}

type Inputs = Vec<(&'static str, DynValue)>;

/// What the items are told: the condition, or the negative one.
#[derive(Debug, Clone)]
struct Branch {
    classes: Vec<i64>,
    /// Batch first, but for what is one for all items.
    tensors: BTreeMap<&'static str, (bool, ArrayD<f64>)>,
}

/// A condition of a graph.
#[derive(Debug, Clone)]
struct Told {
    name: &'static str,
    given: Given,
    one_for_all: bool,
    items: [ArrayD<f64>; ITEMS],
    negative: Option<ArrayD<f64>>,
}

/// The type that the library is given a condition in.
#[derive(Debug, Clone, Copy)]
enum Given {
    F32,
    F64,
    I64,
}

/// A graph, what it is asked, and what becomes of its answer.
struct Case {
    file: &'static str,
    item: Vec<usize>,
    /// Whether the library finds the free sizes of the sample in the conditions.
    bound: bool,
    levels: Vec<Level>,
    says: Says,
    rows: Rows,
    told: Vec<Told>,
    /// The class of every item, and the one for none.
    classes: Option<([i64; ITEMS], i64)>,
    inputs: fn(&Asked) -> Inputs,
    /// The prediction in the order of the sample, of an output that has another.
    answer: fn(ArrayD<f64>) -> ArrayD<f64>,
    /// The greatest difference, as a share of the greatest value.
    within: f64,
}

impl Case {
    fn new(file: &'static str, item: &[usize], levels: Vec<Level>, says: Says, inputs: fn(&Asked) -> Inputs) -> Self {
        assert_eq!(levels.len(), STEPS + 1);
        Self {
            file,
            item: item.to_vec(),
            bound: false,
            levels,
            says,
            rows: Rows::Items,
            told: Vec::new(),
            classes: None,
            inputs,
            answer: |output| output,
            within: 1e-5,
        }
    }

    fn told(mut self, told: Told) -> Self {
        self.told.push(told);
        self
    }

    fn classes(self, classes: [i64; ITEMS], null: i64) -> Self {
        Self { classes: Some((classes, null)), ..self }
    }

    fn rows(self, rows: Rows) -> Self {
        Self { rows, ..self }
    }

    fn answer(self, answer: fn(ArrayD<f64>) -> ArrayD<f64>) -> Self {
        Self { answer, ..self }
    }

    fn bound(self) -> Self {
        Self { bound: true, ..self }
    }

    fn within(self, within: f64) -> Self {
        Self { within, ..self }
    }

    fn has_guidance(&self) -> bool {
        self.classes.is_some() || self.told.iter().any(|told| told.negative.is_some())
    }

    fn path(&self) -> String {
        format!("{FOLDER}/{}.onnx", self.file)
    }

    /// What `count` items are told: the condition, and the negative one.
    fn branches(&self, count: usize) -> [Branch; 2] {
        [false, true].map(|negative| {
            let classes =
                self.classes.map_or(
                    Vec::new(),
                    |(classes, null)| {
                        if negative { vec![null; count] } else { classes[..count].to_vec() }
                    },
                );
            let tensor = |told: &Told| {
                let of = |item: &usize| match &told.negative {
                    Some(values) if negative => values.view(),
                    _ => told.items[*item].view(),
                };
                let items: Vec<_> = (0..count).collect();
                let views: Vec<_> = items.iter().map(of).collect();
                let values = if told.one_for_all { of(&0).to_owned() } else { stack(Axis(0), &views).unwrap() };
                (told.name, (told.one_for_all, values))
            };
            Branch { classes, tensors: self.told.iter().map(tensor).collect() }
        })
    }

    /// The noise that the run starts from, in numbers of 32 bits.
    fn start(&self, count: usize) -> ArrayD<f32> {
        let shape = [&[count], &self.item[..]].concat();
        let Level { alpha, sigma, .. } = self.levels[0];
        let deviation = (alpha * alpha + sigma * sigma).sqrt();
        numbers(self.file, &shape, 0.0, 1.7).mapv(|value| (deviation * value) as f32)
    }
}

impl Branch {
    fn item(&self, item: usize) -> Self {
        let alone = |values: &ArrayD<f64>| values.slice_axis(Axis(0), Slice::from(item..=item)).to_owned();
        let own = |(name, (all, values)): (&&'static str, &(bool, ArrayD<f64>))| {
            (*name, (*all, if *all { values.clone() } else { alone(values) }))
        };
        let classes = self.classes.get(item).copied().into_iter().collect();
        Self { classes, tensors: self.tensors.iter().map(own).collect() }
    }

    /// The items of `first`, and behind them those of `second`.
    fn both(first: &Self, second: &Self) -> Self {
        let both = |(name, (all, values)): (&&'static str, &(bool, ArrayD<f64>))| {
            (*name, (*all, concatenate(Axis(0), &[values.view(), second.tensors[name].1.view()]).unwrap()))
        };
        let classes = [&first.classes[..], &second.classes].concat();
        Self { classes, tensors: first.tensors.iter().map(both).collect() }
    }
}

impl Told {
    fn new(name: &'static str, given: Given, of: impl Fn(usize) -> ArrayD<f64>) -> Self {
        Self { name, given, one_for_all: false, items: [0, 1, 2].map(&of), negative: Some(of(ITEMS)) }
    }

    /// The same without a negative condition.
    fn kept(self) -> Self {
        Self { negative: None, ..self }
    }

    /// One value for all items, for a graph that has no axis for them.
    fn one_for_all(self) -> Self {
        Self { one_for_all: true, ..self }
    }
}

/// Numbers from a little below to a little above another middle for each item, as f32 has them.
fn reals(name: &'static str, item: &[usize]) -> Told {
    let middles = [0.45, -0.8, 1.2, -0.25];
    Told::new(name, Given::F32, |of| {
        numbers(&format!("{name}{of}"), item, middles[of], 0.5).mapv(|value| f64::from(value as f32))
    })
}

/// Whole numbers below `most`.
fn wholes(name: &'static str, item: &[usize], most: usize) -> Told {
    Told::new(name, Given::I64, |of| {
        let values = (0..item.iter().product()).map(|place: usize| ((5 * place + 3 * of + 1) % most) as f64);
        ArrayD::from_shape_vec(item, values.collect()).unwrap()
    })
}

/// Ones, then zeros from another place on for each item.
fn masks(name: &'static str, item: &[usize]) -> Told {
    let length: usize = item.iter().product();
    Told::new(name, Given::I64, |of| {
        let ones = [length, length / 2, length.div_ceil(4), length.div_ceil(3)][of];
        ArrayD::from_shape_vec(item, (0..length).map(|place| f64::from(u8::from(place < ones))).collect()).unwrap()
    })
}

/// Numbers evenly from `middle − spread` to `middle + spread`, of which each name has its own: by SplitMix64.
fn numbers(name: &str, shape: &[usize], middle: f64, spread: f64) -> ArrayD<f64> {
    let mut state = name
        .bytes()
        .fold(14_695_981_039_346_656_037u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(1_099_511_628_211));
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) >> 11) as f64 / (1u64 << 53) as f64
    };
    ArrayD::from_shape_simple_fn(shape, next).mapv(|share| middle + spread * (2.0 * share - 1.0))
}

impl Asked<'_> {
    fn count(&self) -> usize {
        self.x.shape()[0]
    }

    fn told(&self, name: &str) -> &ArrayD<f64> {
        &self.told.tensors[name].1
    }

    fn x(&self) -> DynValue {
        f32s(&self.x)
    }

    /// The step of training, for each item.
    fn index(&self) -> DynValue {
        i64s(&self.each(self.level.t, 0))
    }

    /// `value` for each item, along as many axes of 1 as are wanted beside theirs.
    fn each(&self, value: f64, ones: usize) -> ArrayD<f64> {
        filled(&[&[self.count()], &vec![1; ones][..]].concat(), value)
    }

    // Inputs with the names of the conditions that they are given.

    fn f32s(&self, name: &'static str) -> (&'static str, DynValue) {
        (name, f32s(self.told(name)))
    }

    fn f16s(&self, name: &'static str) -> (&'static str, DynValue) {
        (name, f16s(self.told(name)))
    }

    fn i64s(&self, name: &'static str) -> (&'static str, DynValue) {
        (name, i64s(self.told(name)))
    }

    fn i32s(&self, name: &'static str) -> (&'static str, DynValue) {
        (name, i32s(self.told(name)))
    }

    fn bools(&self, name: &'static str) -> (&'static str, DynValue) {
        (name, bools(self.told(name)))
    }

    /// The class of each item.
    fn classes(&self, shape: &[usize]) -> ArrayD<f64> {
        ArrayD::from_shape_vec(shape, self.told.classes.iter().map(|class| *class as f64).collect()).unwrap()
    }

    /// The class of all items.
    fn class(&self, shape: &[usize]) -> ArrayD<f64> {
        let class = self.told.classes[0];
        assert!(self.told.classes.iter().all(|other| *other == class));
        filled(shape, class as f64)
    }

    /// Zeros, and a one in the place of the class, if it has one.
    fn one_hot(&self, width: usize) -> ArrayD<f64> {
        let one = |index: IxDyn| f64::from(u8::from(self.told.classes[index[0]] == index[1] as i64));
        ArrayD::from_shape_fn(IxDyn(&[self.count(), width]), one)
    }
}

fn filled(shape: &[usize], value: f64) -> ArrayD<f64> {
    ArrayD::from_elem(shape, value)
}

fn typed<T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
    values: &ArrayD<f64>,
    convert: impl Fn(f64) -> T,
) -> DynValue {
    let converted: Vec<T> = values.iter().map(|value| convert(*value)).collect();
    ort::value::Tensor::from_array((values.shape().to_vec(), converted)).unwrap().into_dyn()
}

fn f32s(values: &ArrayD<f64>) -> DynValue {
    typed(values, |value| value as f32)
}

fn f16s(values: &ArrayD<f64>) -> DynValue {
    typed(values, |value| f16::from_f32(value as f32))
}

fn i64s(values: &ArrayD<f64>) -> DynValue {
    typed(values, |value| value as i64)
}

fn i32s(values: &ArrayD<f64>) -> DynValue {
    typed(values, |value| value as i32)
}

fn bools(values: &ArrayD<f64>) -> DynValue {
    typed(values, |value| value != 0.0)
}

/// What a graph says, whatever its type.
fn output(value: &DynValue) -> ArrayD<f64> {
    let shape: Vec<usize> = value.shape().iter().map(|size| *size as usize).collect();
    let values = match value.try_extract_tensor::<f32>() {
        Ok((_, values)) => values.iter().map(|value| f64::from(*value)).collect(),
        Err(_) => value.try_extract_tensor::<f16>().unwrap().1.iter().map(|value| value.to_f64()).collect(),
    };
    ArrayD::from_shape_vec(shape, values).unwrap()
}

impl Says {
    /// x̂₀ of x and the output. What divides by α is for levels that have some.
    fn x0(self, Level { alpha, sigma, .. }: Level, x: &ArrayD<f64>, output: &ArrayD<f64>) -> ArrayD<f64> {
        match self {
            Self::Epsilon => (x - output * sigma) / alpha,
            Self::X0 => output.clone(),
            Self::V => (x * alpha - output * sigma) / (alpha * alpha + sigma * sigma),
            Self::Flow => x - output * sigma,
            Self::FlowToData => x + output * sigma,
        }
    }

    /// The sample at the next level: by Euler's method on the straight path, where t is σ, and by DDIM else.
    fn step(self, [from, to]: [Level; 2], x: &ArrayD<f64>, output: &ArrayD<f64>) -> ArrayD<f64> {
        match self {
            Self::Flow => x + output * (to.sigma - from.sigma),
            Self::FlowToData => x + output * (from.sigma - to.sigma),
            _ => {
                let x0 = self.x0(from, x, output);
                let epsilon = (x - &x0 * from.alpha) / from.sigma;
                x0 * to.alpha + epsilon * to.sigma
            }
        }
    }
}

/// Something that a network is told otherwise than it should be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Nothing,
    Condition(&'static str),
    Class,
    Time,
}

/// The loop around a graph.
struct Reference<'a> {
    case: &'a Case,
    session: Session,
}

impl<'a> Reference<'a> {
    fn open(case: &'a Case) -> Self {
        let mut builder = Session::builder(runtime().environment()).unwrap();
        Self { case, session: builder.commit_from_file(repository(&case.path())).unwrap() }
    }

    fn ask(&mut self, x: ArrayD<f64>, level: Level, last: ArrayD<f64>, told: &Branch) -> ArrayD<f64> {
        let shape = x.shape().to_vec();
        let inputs = (self.case.inputs)(&Asked { x, level, last, told });
        let outputs = self.session.run(inputs).unwrap();
        (self.case.answer)(output(&outputs[0])).into_shape_with_order(shape).unwrap()
    }

    /// What the network says of all items under each of the two conditions.
    fn ask_both(&mut self, x: &ArrayD<f64>, level: Level, last: &ArrayD<f64>, told: &[Branch; 2]) -> [ArrayD<f64>; 2] {
        let rows = self.case.rows;
        if rows == Rows::Items {
            return [0, 1].map(|branch| self.ask(x.clone(), level, last.clone(), &told[branch]));
        }
        let item = |all: &ArrayD<f64>, item: usize| all.slice_axis(Axis(0), Slice::from(item..=item)).to_owned();
        let mut said = [Vec::new(), Vec::new()];
        for i in 0..x.shape()[0] {
            let [condition, negative] = [0, 1].map(|branch: usize| told[branch].item(i));
            let (x, last) = (item(x, i), item(last, i));
            if rows == Rows::One {
                said[0].push(self.ask(x.clone(), level, last.clone(), &condition));
                said[1].push(self.ask(x, level, last, &negative));
                continue;
            }
            let twice = |values: &ArrayD<f64>| concatenate(Axis(0), &[values.view(), values.view()]).unwrap();
            let (pair, places) = match rows {
                Rows::NegativeFirst => (Branch::both(&negative, &condition), [1, 0]),
                _ => (Branch::both(&condition, &negative), [0, 1]),
            };
            let answers = self.ask(twice(&x), level, twice(&last), &pair);
            said.iter_mut().zip(places).for_each(|(said, place)| said.push(item(&answers, place)));
        }
        said.map(|items| {
            let views: Vec<ArrayViewD<'_, f64>> = items.iter().map(|item| item.view()).collect();
            concatenate(Axis(0), &views).unwrap()
        })
    }

    /// The samples that come of `start`.
    fn run(&mut self, start: &ArrayD<f32>, guided: bool, change: Change) -> ArrayD<f64> {
        let case = self.case;
        let mut told = case.branches(start.shape()[0]);
        match change {
            Change::Condition(name) => {
                let other = case.told.iter().find(|told| told.name == name).unwrap().items[1].clone();
                let (all, values) = told[0].tensors.get_mut(name).unwrap();
                *values = if *all { other } else { other.insert_axis(Axis(0)) };
            }
            Change::Class => told[0].classes = told[1].classes.clone(),
            Change::Nothing | Change::Time => {}
        }
        if !guided {
            told[1] = told[0].clone();
        }
        let mut x = start.mapv(f64::from);
        let mut last = ArrayD::zeros(x.shape());
        for (step, pair) in case.levels.windows(2).enumerate() {
            let at = if change == Change::Time { case.levels[(step + 1).min(STEPS - 1)] } else { pair[0] };
            let [condition, negative] = self.ask_both(&x, at, &last, &told);
            let said = if guided { &negative + (&condition - &negative) * SCALE } else { condition };
            last = case.says.x0(pair[0], &x, &said);
            x = case.says.step([pair[0], pair[1]], &x, &said);
        }
        x
    }
}

/// What the library draws: the one place that asks it.
fn drawn(case: &Case, model: &Arc<Model>, start: &ArrayD<f32>, guided: bool) -> diffuse::Result<ArrayD<f32>> {
    let count = start.shape()[0];
    let tensor = |given: Given, values: &ArrayD<f64>| match given {
        Given::F32 => Tensor::from(values.mapv(|value| value as f32)),
        Given::F64 => Tensor::from(values.clone()),
        Given::I64 => Tensor::from(values.mapv(|value| value as i64)),
    };
    // One item is told without an axis for the items, and the negative condition is one for all of them.
    let condition = |told: &Told| {
        let alone = count == 1 || told.one_for_all;
        let items: Vec<_> = told.items.iter().map(|item| item.view()).collect();
        let values = if alone { told.items[0].clone() } else { stack(Axis(0), &items).unwrap() };
        (told.name.to_owned(), Arc::new(tensor(told.given, &values)))
    };
    let negative = |told: &Told| {
        let values = told.negative.as_ref()?;
        Some((told.name.to_owned(), Arc::new(tensor(told.given, values))))
    };
    let mut request = Request {
        count,
        classes: case.classes.map(|(classes, _)| classes[..count].to_vec()),
        shape: (!case.bound).then(|| case.item.clone()),
        conditions: case.told.iter().map(condition).collect(),
        clipping: Clipping::Off,
        ..Request::default()
    };
    let solver = if matches!(case.says, Says::Flow | Says::FlowToData) { "euler" } else { "ddim" };
    request.set("solver", solver)?;
    request.set("steps", STEPS)?;
    if guided {
        request.negative_conditions = case.told.iter().filter_map(negative).collect();
        request.set("guidance_scale", SCALE)?;
    }
    let mut job = request.job(model)?;
    job.start_from(start.view())?;
    job.run()
}

/// The greatest difference, as a share of the greatest value that is expected.
fn apart(found: &ArrayD<f64>, expected: &ArrayD<f64>) -> f64 {
    assert_eq!(found.shape(), expected.shape());
    let most = |values: ArrayD<f64>| values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let share = most(found - expected) / most(expected.clone());
    if share.is_finite() { share } else { f64::INFINITY }
}

/// Holds the library against the loop: one item and three, without guidance and with it.
fn check(case: &Case) {
    let mut reference = Reference::open(case);
    check_that_all_counts(case, &mut reference);
    let model = model(&case.path());
    for count in [1, ITEMS] {
        let start = case.start(count);
        for guided in [false, true] {
            if guided && !case.has_guidance() {
                continue;
            }
            let expected = reference.run(&start, guided, Change::Nothing);
            let found = drawn(case, &model, &start, guided).unwrap().mapv(f64::from);
            let apart = apart(&found, &expected);
            let what = if guided { "guided" } else { "unguided" };
            println!("{}, {count}, {what}: {apart:.1e}", case.file);
            assert!(apart <= case.within, "{}, {count} items, {what}: {apart:e} of the largest value", case.file);
        }
    }
}

/// Whatever the network is told changes what it says by more than what may be between the library and the loop: what is
/// told wrong shows.
fn check_that_all_counts(case: &Case, reference: &mut Reference) {
    let start = case.start(1);
    let expected = reference.run(&start, false, Change::Nothing);
    let conditions = case.told.iter().map(|told| Change::Condition(told.name));
    let changes = conditions.chain(case.classes.map(|_| Change::Class)).chain([Change::Time]);
    for change in changes {
        let changed = apart(&reference.run(&start, false, change), &expected);
        assert!(changed > 5.0 * case.within, "{}: {change:?} makes a difference of {changed:e} alone", case.file);
    }
    if case.has_guidance() {
        let changed = apart(&reference.run(&start, true, Change::Nothing), &expected);
        assert!(changed > 5.0 * case.within, "{}: guidance makes a difference of {changed:e} alone", case.file);
    }
}

/// A test for each graph, by its name.
macro_rules! graphs {
    ($cases:ident: $($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                super::check(&super::$cases::$name());
            }
        )+

        pub(super) fn all() -> Vec<super::Case> {
            vec![$(super::$cases::$name()),+]
        }
    };
}

mod exported {
    graphs!(of_exports:
        animatediff audioldm_float_class_labels class_b1 cosyvoice_estimator diffwave edm_onehot encoder_first flux
        guidance_b guidance_scalar keras_ddim_nhwc lcm_timestep_cond lucidrains_ddpm marigold_rgb_first no_batch_axis
        pixart_i64_mask sd15_optimum_scalar_t sd15_static_b2_f16 sdxl self_cond_input sr3_noise_level_b1
        svd_5d_joined_axis2 tts_dit_bool_masks two_labels wavegrad y_is_an_image
    );
}

mod made {
    graphs!(of_script:
        batch_in_the_middle batch_last batch_of_one channels_last_joined class_column class_one class_scalar
        conditions_f16_bf16_i16_i8 conditions_of_64_bits conditions_u64_u32_u16 conditions_u8_i32_bool
        joined_before_axis_1 joined_behind joined_on_both_sides log_snr names_exchanged no_batch_axis one_for_all
        one_hot_f32 one_hot_i64 output_rank_less output_rank_more pair_negative_first_fixed pair_negative_first_free
        pair_negative_last_fixed pair_negative_last_free self_condition shared_free_size time_like_x time_of_ones
        time_one time_scalar_f64 variance_unused
    );
}

/// The levels of ten steps of a schedule that counts steps of training.
fn trained(alpha_bar: &[f64]) -> Vec<Level> {
    let last = alpha_bar.len() - 1;
    let times = (0..STEPS).map(|step| last - step * alpha_bar.len() / STEPS);
    let level = |t: usize| Level { t: t as f64, alpha: alpha_bar[t].sqrt(), sigma: (1.0 - alpha_bar[t]).sqrt() };
    times.map(level).chain([CLEAN]).collect()
}

/// ᾱ, the product of 1 − β.
fn products(steps: usize, beta: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut product = 1.0;
    let mut next = |t: usize| {
        product *= 1.0 - beta(t as f64);
        product
    };
    (0..steps).map(&mut next).collect()
}

fn linear(steps: usize, first: f64, last: f64) -> Vec<f64> {
    products(steps, |t| first + (last - first) * t / (steps - 1) as f64)
}

fn scaled_linear(first: f64, last: f64) -> Vec<f64> {
    products(1000, |t| (first.sqrt() + (last.sqrt() - first.sqrt()) * t / 999.0).powi(2))
}

/// Of Ho et al. 2020.
fn ddpm() -> Vec<Level> {
    trained(&linear(1000, 1e-4, 0.02))
}

/// Of Stable Diffusion.
fn latent() -> Vec<Level> {
    trained(&scaled_linear(0.00085, 0.012))
}

/// Of Nichol & Dhariwal 2021.
fn cosine() -> Vec<Level> {
    let alpha_bar = |t: f64| ((t / 1000.0 + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2);
    trained(&products(1000, |t| (1.0 - alpha_bar(t + 1.0) / alpha_bar(t)).min(0.999)))
}

fn straight() -> Vec<Level> {
    let level = |step| {
        let t = 1.0 - f64::from(step) / STEPS as f64;
        Level { t, alpha: 1.0 - t, sigma: t }
    };
    (0..STEPS as u32).map(level).chain([CLEAN]).collect()
}

/// Karras et al. 2022, eq. 5: σ of every step.
fn karras(least: f64, most: f64) -> impl Iterator<Item = f64> {
    let [least, most] = [least, most].map(|sigma| sigma.powf(1.0 / 7.0));
    (0..STEPS).map(move |step| (most + step as f64 / (STEPS - 1) as f64 * (least - most)).powi(7))
}

/// The graphs that are named after what people export.
mod of_exports {
    use super::Rows::{NegativeFirst, NegativeLast, One};
    use super::Says::{Epsilon, Flow, FlowToData, V, X0};
    use super::*;

    pub(super) fn animatediff() -> Case {
        let levels = trained(&linear(1000, 0.00085, 0.012));
        Case::new("animatediff", &[4, 8, 16, 16], levels, Epsilon, |q| {
            let text = q.told("encoder_hidden_states").index_axis(Axis(0), 0).to_owned();
            vec![("sample", q.x()), ("timestep", q.index()), ("encoder_hidden_states", f32s(&text))]
        })
        .rows(One)
        .told(reals("encoder_hidden_states", &[8, 77, 768]))
    }

    pub(super) fn audioldm_float_class_labels() -> Case {
        let levels = trained(&scaled_linear(0.0015, 0.0195));
        Case::new("audioldm_float_class_labels", &[8, 24, 16], levels, Epsilon, |q| {
            vec![("sample", q.x()), ("timestep", q.index()), q.f32s("class_labels")]
        })
        .told(reals("class_labels", &[512]))
    }

    pub(super) fn class_b1() -> Case {
        Case::new("class_b1", &[3, 8, 8], ddpm(), Epsilon, |q| {
            vec![("x", q.x()), ("t", q.index()), ("y", i64s(&q.classes(&[q.count(), 1])))]
        })
        .classes([4, 0, 9], 10)
    }

    /// As `solve_euler` of CosyVoice's flow matching has it: the first row is told the condition, the second zeros, and
    /// both the mask. Its time goes from 0, noise, to 1.
    pub(super) fn cosyvoice_estimator() -> Case {
        let zeros = |name, item: &[usize]| Told { negative: Some(ArrayD::zeros(item)), ..reals(name, item) };
        Case::new("cosyvoice_estimator", &[80, 37], straight(), FlowToData, |q| {
            vec![
                ("x", q.x()),
                q.f32s("mask"),
                q.f32s("mu"),
                ("t", f32s(&q.each(1.0 - q.level.t, 0))),
                q.f32s("spks"),
                q.f32s("cond"),
            ]
        })
        .rows(NegativeLast)
        .bound()
        .told(masks("mask", &[1, 37]).kept())
        .told(zeros("mu", &[80, 37]))
        .told(zeros("spks", &[80]))
        .told(zeros("cond", &[80, 37]))
    }

    pub(super) fn diffwave() -> Case {
        Case::new("diffwave", &[160], trained(&linear(50, 1e-4, 0.05)), Epsilon, |q| {
            vec![("audio", q.x()), ("diffusion_step", q.index()), q.f32s("spectrogram")]
        })
        .told(reals("spectrogram", &[80, 5]))
    }

    pub(super) fn edm_onehot() -> Case {
        let level = |sigma| Level { t: sigma, alpha: 1.0, sigma };
        let levels = karras(0.002, 80.0).map(level).chain([CLEAN]).collect();
        Case::new("edm_onehot", &[3, 16, 16], levels, X0, |q| {
            vec![("x", q.x()), ("sigma", f32s(&q.each(q.level.sigma, 0))), ("class_labels", f32s(&q.one_hot(10)))]
        })
        .classes([4, 0, 9], 10)
    }

    pub(super) fn encoder_first() -> Case {
        Case::new("encoder_first", &[4, 8, 8], latent(), Epsilon, |q| {
            vec![q.f32s("context"), ("tau", f32s(&q.each(q.level.t, 0))), ("latent", q.x())]
        })
        .told(reals("context", &[77, 32]))
    }

    pub(super) fn flux() -> Case {
        Case::new("flux", &[30, 64], straight(), Flow, |q| {
            vec![
                ("hidden_states", q.x()),
                ("timestep", f32s(&filled(&[1], q.level.t))),
                q.f32s("encoder_hidden_states"),
                q.f32s("pooled_projections"),
                q.f32s("img_ids"),
                q.f32s("txt_ids"),
                q.f32s("guidance"),
            ]
        })
        .bound()
        .told(reals("encoder_hidden_states", &[11, 64]))
        .told(reals("pooled_projections", &[768]))
        .told(wholes("img_ids", &[30, 3], 32).kept().one_for_all())
        .told(wholes("txt_ids", &[11, 3], 2).kept().one_for_all())
        .told(reals("guidance", &[]).kept())
    }

    pub(super) fn guidance_b() -> Case {
        Case::new("guidance_b", &[4, 8, 8], cosine(), V, |q| {
            let Level { alpha, sigma, .. } = q.level;
            vec![("x", q.x()), ("t", f32s(&q.each((alpha * alpha / (sigma * sigma)).ln(), 0))), q.f32s("guidance")]
        })
        .told(reals("guidance", &[]))
    }

    pub(super) fn guidance_scalar() -> Case {
        Case::new("guidance_scalar", &[4, 8, 8], straight(), Flow, |q| {
            vec![("x", q.x()), ("t", f32s(&q.each(1000.0 * q.level.t, 0))), q.f32s("guidance")]
        })
        .told(reals("guidance", &[]).one_for_all())
    }

    /// Its schedule is a circle's, from the angle whose cosine is 0.95 to that of 0.02.
    pub(super) fn keras_ddim_nhwc() -> Case {
        let [first, last] = [0.95f64, 0.02].map(f64::acos);
        let level = |step: usize| {
            let (sigma, alpha) = (first + (last - first) * (1.0 - step as f64 / STEPS as f64)).sin_cos();
            Level { t: 0.0, alpha, sigma }
        };
        let levels = (0..STEPS).map(level).chain([CLEAN]).collect();
        Case::new("keras_ddim_nhwc", &[3, 64, 64], levels, Epsilon, |q| {
            vec![
                ("noisy_images", f32s(&turned(&q.x, &[0, 2, 3, 1]))),
                ("noise_variances", f32s(&q.each(q.level.sigma.powi(2), 3))),
            ]
        })
        .answer(channels_first)
    }

    pub(super) fn lcm_timestep_cond() -> Case {
        Case::new("lcm_timestep_cond", &[4, 6, 10], latent(), Epsilon, |q| {
            vec![
                ("sample", q.x()),
                ("timestep", i64s(&filled(&[1], q.level.t))),
                q.f32s("encoder_hidden_states"),
                q.f32s("timestep_cond"),
            ]
        })
        .told(reals("encoder_hidden_states", &[9, 768]))
        .told(reals("timestep_cond", &[256]).kept())
    }

    /// `sigmoid_beta_schedule` of denoising-diffusion-pytorch.
    pub(super) fn lucidrains_ddpm() -> Case {
        let sigmoid = |value: f64| 1.0 / (1.0 + (-value).exp());
        let alpha_bar = move |t: f64| {
            let (first, last) = (sigmoid(-3.0), sigmoid(3.0));
            (last - sigmoid(t / 1000.0 * 6.0 - 3.0)) / (last - first)
        };
        let levels = trained(&products(1000, |t| (1.0 - alpha_bar(t + 1.0) / alpha_bar(t)).clamp(0.0, 0.999)));
        Case::new("lucidrains_ddpm", &[3, 16, 16], levels, V, |q| vec![("x", q.x()), ("time", q.index())])
    }

    /// Its schedule ends without signal (Lin et al. 2023, algorithm 1).
    pub(super) fn marigold_rgb_first() -> Case {
        let roots: Vec<f64> = scaled_linear(0.00085, 0.012).into_iter().map(f64::sqrt).collect();
        let (first, last) = (roots[0], roots[999]);
        let rescaled = |root: &f64| ((root - last) * first / (first - last)).powi(2);
        let levels = trained(&roots.iter().map(rescaled).collect::<Vec<f64>>());
        Case::new("marigold_rgb_first", &[4, 6, 10], levels, V, |q| {
            vec![
                ("sample", f32s(&joined(1, &[q.told("rgb_latent"), &q.x]))),
                ("timestep", q.index()),
                q.f32s("encoder_hidden_states"),
            ]
        })
        .told(reals("rgb_latent", &[4, 6, 10]))
        .told(reals("encoder_hidden_states", &[2, 768]))
    }

    pub(super) fn no_batch_axis() -> Case {
        Case::new("no_batch_axis", &[3, 32, 32], ddpm(), Epsilon, |q| {
            vec![("x", f32s(&q.x.index_axis(Axis(0), 0).to_owned())), ("t", f32s(&filled(&[], q.level.t)))]
        })
        .rows(One)
    }

    pub(super) fn pixart_i64_mask() -> Case {
        let sizes = |name, [height, width]: [f64; 2]| {
            let values = |of| ndarray::arr1(&[height + 64.0 * of as f64, width]).into_dyn();
            Told::new(name, Given::F32, values).kept()
        };
        Case::new("pixart_i64_mask", &[4, 6, 10], ddpm(), Epsilon, |q| {
            vec![
                ("hidden_states", q.x()),
                ("timestep", q.index()),
                q.f32s("encoder_hidden_states"),
                q.i64s("encoder_attention_mask"),
                q.f32s("resolution"),
                q.f32s("aspect_ratio"),
            ]
        })
        .answer(first_half)
        .told(reals("encoder_hidden_states", &[120, 4096]))
        .told(masks("encoder_attention_mask", &[120]))
        .told(sizes("resolution", [512.0, 768.0]))
        .told(reals("aspect_ratio", &[1]).kept())
    }

    pub(super) fn sd15_optimum_scalar_t() -> Case {
        Case::new("sd15_optimum_scalar_t", &[4, 6, 10], latent(), Epsilon, |q| {
            vec![("sample", q.x()), ("timestep", i64s(&filled(&[], q.level.t))), q.f32s("encoder_hidden_states")]
        })
        .told(reals("encoder_hidden_states", &[7, 768]))
    }

    /// As diffusers' pipelines have it: the negative prompt is the first row.
    pub(super) fn sd15_static_b2_f16() -> Case {
        Case::new("sd15_static_b2_f16", &[4, 16, 16], latent(), Epsilon, |q| {
            vec![("sample", f16s(&q.x)), ("timestep", f16s(&filled(&[1], q.level.t))), q.f16s("encoder_hidden_states")]
        })
        .rows(NegativeFirst)
        .within(2e-3)
        .told(reals("encoder_hidden_states", &[77, 768]))
    }

    pub(super) fn sdxl() -> Case {
        Case::new("sdxl", &[4, 6, 10], latent(), Epsilon, |q| {
            vec![
                ("sample", q.x()),
                ("timestep", f32s(&filled(&[], q.level.t))),
                q.f32s("encoder_hidden_states"),
                q.f32s("text_embeds"),
                q.f32s("time_ids"),
            ]
        })
        .told(reals("encoder_hidden_states", &[7, 2048]))
        .told(reals("text_embeds", &[1280]))
        .told(wholes("time_ids", &[6], 1024).kept())
    }

    pub(super) fn self_cond_input() -> Case {
        Case::new("self_cond_input", &[3, 16, 16], cosine(), V, |q| {
            vec![("x", q.x()), ("time", q.index()), ("x_self_cond", f32s(&q.last))]
        })
    }

    pub(super) fn sr3_noise_level_b1() -> Case {
        Case::new("sr3_noise_level_b1", &[3, 32, 32], trained(&linear(2000, 1e-6, 0.01)), Epsilon, |q| {
            vec![
                ("x", f32s(&joined(1, &[q.told("low_resolution"), &q.x]))),
                ("noise_level", f32s(&q.each(q.level.alpha, 1))),
            ]
        })
        .told(reals("low_resolution", &[3, 32, 32]))
    }

    /// Its σ is σ/α of a schedule whose α² + σ² is 1, where its scaling of the input and the output is none.
    pub(super) fn svd_5d_joined_axis2() -> Case {
        let level = |ratio: f64| {
            let alpha = (1.0 + ratio * ratio).sqrt().recip();
            Level { t: ratio, alpha, sigma: ratio * alpha }
        };
        let levels = karras(0.002, 700.0).map(level).chain([CLEAN]).collect();
        Case::new("svd_5d_joined_axis2", &[6, 4, 16, 16], levels, V, |q| {
            vec![
                ("sample", f32s(&joined(2, &[&q.x, q.told("image_latents")]))),
                ("timestep", f32s(&filled(&[1], 0.25 * q.level.t.ln()))),
                q.f32s("encoder_hidden_states"),
                q.f32s("added_time_ids"),
            ]
        })
        .told(reals("image_latents", &[6, 4, 16, 16]))
        .told(reals("encoder_hidden_states", &[1, 1024]))
        .told(reals("added_time_ids", &[3]).kept())
    }

    pub(super) fn tts_dit_bool_masks() -> Case {
        Case::new("tts_dit_bool_masks", &[20, 32], straight(), Flow, |q| {
            vec![
                ("x_t", q.x()),
                ("t", f32s(&q.each(q.level.t, 0))),
                q.f32s("text_state"),
                q.bools("text_mask"),
                q.f32s("speaker_state"),
                q.bools("speaker_mask"),
            ]
        })
        .told(reals("text_state", &[13, 64]))
        .told(masks("text_mask", &[13]))
        .told(reals("speaker_state", &[5, 64]).kept())
        .told(masks("speaker_mask", &[5]))
    }

    pub(super) fn two_labels() -> Case {
        Case::new("two_labels", &[3, 8, 8], ddpm(), Epsilon, |q| {
            vec![("x", q.x()), ("t", q.index()), ("y", i64s(&q.classes(&[q.count()]))), q.i64s("speaker")]
        })
        .classes([4, 0, 9], 10)
        .told(wholes("speaker", &[], 100).kept())
    }

    pub(super) fn wavegrad() -> Case {
        Case::new("wavegrad", &[300], trained(&linear(1000, 1e-6, 0.01)), Epsilon, |q| {
            vec![("y_noisy", q.x()), ("noise_level", f32s(&q.each(q.level.alpha, 0))), q.f32s("mel")]
        })
        .told(reals("mel", &[128, 1]))
    }

    pub(super) fn y_is_an_image() -> Case {
        Case::new("y_is_an_image", &[3, 8, 8], ddpm(), X0, |q| vec![("x", q.x()), ("t", q.index()), q.f32s("y")])
            .told(reals("y", &[3, 8, 8]))
    }
}

/// Tensors one behind the other along an axis.
fn joined(axis: usize, parts: &[&ArrayD<f64>]) -> ArrayD<f64> {
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(axis), &views).unwrap()
}

/// The axes in another order, and the values in that of the axes.
fn turned(values: &ArrayD<f64>, axes: &[usize]) -> ArrayD<f64> {
    values.view().permuted_axes(axes).as_standard_layout().into_owned()
}

fn channels_first(output: ArrayD<f64>) -> ArrayD<f64> {
    turned(&output, &[0, 3, 1, 2])
}

fn first_half(output: ArrayD<f64>) -> ArrayD<f64> {
    let channels = output.shape()[1] / 2;
    turned(&output.slice_axis(Axis(1), Slice::from(..channels)).to_owned(), &[0, 1, 2, 3])
}

/// The graphs of `onnx/predictors.py`.
mod of_script {
    use super::Rows::{NegativeFirst, NegativeLast, One};
    use super::Says::V;
    use super::*;

    const ITEM: [usize; 3] = [2, 3, 4];

    fn case(file: &'static str, inputs: fn(&Asked) -> Inputs) -> Case {
        Case::new(file, &ITEM, cosine(), V, inputs)
    }

    /// The sample and the time as most have them, and what else a graph is told.
    fn with(q: &Asked, others: Inputs) -> Inputs {
        let plain = [("x", q.x()), ("t", q.index())];
        plain.into_iter().chain(others).collect()
    }

    pub(super) fn batch_in_the_middle() -> Case {
        case("made/batch_in_the_middle", |q| with(q, vec![("text", f32s(&turned(q.told("text"), &[1, 0, 2])))]))
            .told(reals("text", &[5, 3]))
    }

    pub(super) fn batch_last() -> Case {
        case("made/batch_last", |q| with(q, vec![("text", f32s(&turned(q.told("text"), &[1, 2, 0])))]))
            .told(reals("text", &[3, 2]))
    }

    pub(super) fn batch_of_one() -> Case {
        case("made/batch_of_one", |q| {
            let style = q.told("style").index_axis(Axis(0), 0).to_owned();
            with(q, vec![q.f32s("text"), ("style", f32s(&style))])
        })
        .rows(One)
        .told(reals("text", &[3]))
        .told(reals("style", &[2]))
    }

    pub(super) fn channels_last_joined() -> Case {
        case("made/channels_last_joined", |q| {
            let x = turned(&joined(1, &[&q.x, q.told("hint")]), &[0, 2, 3, 1]);
            vec![("x", f32s(&x)), ("t", q.index())]
        })
        .answer(channels_first)
        .told(reals("hint", &[1, 3, 4]))
    }

    pub(super) fn class_column() -> Case {
        case("made/class_column", |q| with(q, vec![("y", i32s(&q.classes(&[q.count(), 1])))])).classes([3, 0, 2], 4)
    }

    pub(super) fn class_one() -> Case {
        case("made/class_one", |q| with(q, vec![("y", i32s(&q.class(&[1])))])).classes([3; ITEMS], 4)
    }

    pub(super) fn class_scalar() -> Case {
        case("made/class_scalar", |q| with(q, vec![("y", i64s(&q.class(&[])))])).classes([3; ITEMS], 4)
    }

    pub(super) fn conditions_f16_bf16_i16_i8() -> Case {
        case("made/conditions_f16_bf16_i16_i8", |q| {
            let others = vec![
                q.f16s("half"),
                ("brain", typed(q.told("brain"), |value| bf16::from_f32(value as f32))),
                ("short", typed(q.told("short"), |value| value as i16)),
                ("byte", typed(q.told("byte"), |value| value as i8)),
            ];
            with(q, others)
        })
        .told(reals("half", &[2]))
        .told(reals("brain", &[]))
        .told(Told::new("short", Given::I64, |of| filled(&[], -3.0 * of as f64)))
        .told(Told::new("byte", Given::F32, |of| filled(&[], of as f64 - 2.0)))
    }

    /// What is between two numbers of f32 changes what these say.
    pub(super) fn conditions_of_64_bits() -> Case {
        case("made/conditions_of_64_bits", |q| {
            with(q, vec![("place", typed(q.told("place"), |value| value)), q.i64s("number")])
        })
        .told(Told::new("place", Given::F64, |of| filled(&[], 0.7 + 3e-8 * (of + 1) as f64)))
        .told(Told::new("number", Given::I64, |of| filled(&[], 16_777_217.0 + 2.0 * of as f64)))
    }

    pub(super) fn conditions_u64_u32_u16() -> Case {
        case("made/conditions_u64_u32_u16", |q| {
            let others = vec![
                ("long", typed(q.told("long"), |value| value as u64)),
                ("word", typed(q.told("word"), |value| value as u32)),
                ("short", typed(q.told("short"), |value| value as u16)),
            ];
            with(q, others)
        })
        .told(wholes("long", &[], 100))
        .told(Told { given: Given::F64, ..wholes("word", &[2], 10) })
        .told(Told { given: Given::F32, ..wholes("short", &[], 10) })
    }

    pub(super) fn conditions_u8_i32_bool() -> Case {
        case("made/conditions_u8_i32_bool", |q| {
            let others =
                vec![("bytes", typed(q.told("bytes"), |value| value as u8)), q.i32s("level"), q.bools("flags")];
            with(q, others)
        })
        .told(wholes("bytes", &[2], 256))
        .told(Told::new("level", Given::I64, |of| filled(&[], -2.0 * of as f64)))
        .told(Told { given: Given::F32, ..masks("flags", &[4]) })
    }

    pub(super) fn joined_before_axis_1() -> Case {
        case("made/joined_before_axis_1", |q| vec![("x", f32s(&joined(2, &[q.told("above"), &q.x]))), ("t", q.index())])
            .told(reals("above", &[2, 2, 4]))
    }

    pub(super) fn joined_behind() -> Case {
        case("made/joined_behind", |q| {
            let x = joined(1, &[&q.x, q.told("edges"), q.told("hint")]);
            vec![("x", f32s(&x)), ("t", q.index())]
        })
        .told(reals("hint", &ITEM))
        .told(reals("edges", &[1, 3, 4]).kept())
    }

    pub(super) fn joined_on_both_sides() -> Case {
        case("made/joined_on_both_sides", |q| {
            let x = joined(1, &[q.told("first"), q.told("second"), &q.x, q.told("hint")]);
            vec![("x", f32s(&x)), ("t", q.index())]
        })
        .told(reals("first", &[1, 3, 4]))
        .told(reals("second", &ITEM))
        .told(reals("hint", &[1, 3, 4]))
    }

    pub(super) fn log_snr() -> Case {
        case("made/log_snr", |q| {
            let Level { alpha, sigma, .. } = q.level;
            vec![("x", q.x()), ("t", f32s(&q.each(2.0 * (alpha / sigma).ln(), 0)))]
        })
    }

    pub(super) fn names_exchanged() -> Case {
        case("made/names_exchanged", |q| {
            vec![("z", q.x()), ("y", q.index()), ("t", i64s(&q.classes(&[q.count()]))), ("x", f32s(q.told("hint")))]
        })
        .classes([3, 0, 2], 4)
        .told(reals("hint", &ITEM))
    }

    pub(super) fn no_batch_axis() -> Case {
        case("made/no_batch_axis", |q| {
            let alone = |values: &ArrayD<f64>| f32s(&values.index_axis(Axis(0), 0).to_owned());
            vec![("x", alone(&q.x)), ("t", f32s(&filled(&[1], q.level.t))), ("text", alone(q.told("text")))]
        })
        .rows(One)
        .told(reals("text", &[5, 3]))
    }

    pub(super) fn one_for_all() -> Case {
        case("made/one_for_all", |q| with(q, vec![q.f32s("style"), q.f32s("text")]))
            .told(reals("style", &[3]).one_for_all())
            .told(reals("text", &[2]))
    }

    pub(super) fn one_hot_f32() -> Case {
        case("made/one_hot_f32", |q| with(q, vec![("class_labels", f32s(&q.one_hot(4)))])).classes([3, 0, 2], 4)
    }

    pub(super) fn one_hot_i64() -> Case {
        case("made/one_hot_i64", |q| with(q, vec![("class_labels", i64s(&q.one_hot(5)))])).classes([3, 0, 2], 4)
    }

    pub(super) fn output_rank_less() -> Case {
        Case::new("made/output_rank_less", &[1, 12], cosine(), V, |q| with(q, vec![]))
    }

    pub(super) fn output_rank_more() -> Case {
        case("made/output_rank_more", |q| with(q, vec![]))
    }

    fn pair(file: &'static str, rows: Rows) -> Case {
        case(file, |q| with(q, vec![q.f32s("text"), ("y", i64s(&q.classes(&[2])))]))
            .rows(rows)
            .classes([3, 0, 2], 4)
            .told(reals("text", &[3]))
    }

    pub(super) fn pair_negative_first_fixed() -> Case {
        pair("made/pair_negative_first_fixed", NegativeFirst)
    }

    pub(super) fn pair_negative_first_free() -> Case {
        pair("made/pair_negative_first_free", NegativeFirst)
    }

    pub(super) fn pair_negative_last_fixed() -> Case {
        pair("made/pair_negative_last_fixed", NegativeLast)
    }

    pub(super) fn pair_negative_last_free() -> Case {
        pair("made/pair_negative_last_free", NegativeLast)
    }

    /// The estimate of a guided run is the guided one, whichever of the conditions the network is told beside it.
    pub(super) fn self_condition() -> Case {
        case("made/self_condition", |q| {
            with(q, vec![("estimate", f32s(&q.last)), ("y", i64s(&q.classes(&[q.count()])))])
        })
        .classes([3, 0, 2], 4)
    }

    pub(super) fn shared_free_size() -> Case {
        Case::new("made/shared_free_size", &[2, 7], cosine(), V, |q| with(q, vec![q.f32s("features")]))
            .bound()
            .told(reals("features", &[7, 3]))
    }

    pub(super) fn time_like_x() -> Case {
        case("made/time_like_x", |q| vec![("x", q.x()), ("t", f32s(&q.each(q.level.sigma.powi(2), 3)))])
    }

    pub(super) fn time_of_ones() -> Case {
        case("made/time_of_ones", |q| vec![("x", q.x()), ("t", i64s(&filled(&[1, 1, 1], q.level.t)))])
    }

    pub(super) fn time_one() -> Case {
        case("made/time_one", |q| vec![("x", q.x()), ("t", f32s(&filled(&[1], q.level.t)))])
    }

    /// On the VP SDE of Song et al. 2021, at evenly spaced times from 1 to 0.001.
    pub(super) fn time_scalar_f64() -> Case {
        let level = |step: usize| {
            let t = 0.001 + 0.999 * (1.0 - step as f64 / (STEPS - 1) as f64);
            let integral = 0.1 * t + 0.5 * 19.9 * t * t;
            Level { t, alpha: (-0.5 * integral).exp(), sigma: (1.0 - (-integral).exp()).sqrt() }
        };
        let levels = (0..STEPS).map(level).chain([CLEAN]).collect();
        Case::new("made/time_scalar_f64", &ITEM, levels, V, |q| {
            vec![("x", q.x()), ("t", typed(&filled(&[], q.level.t), |value| value))]
        })
    }

    pub(super) fn variance_unused() -> Case {
        case("made/variance_unused", |q| with(q, vec![("y", i64s(&q.classes(&[q.count()])))]))
            .answer(first_half)
            .classes([3, 0, 2], 4)
    }
}

/// Items of several classes, of a graph that takes one class for its whole batch, are asked for one by one or refused.
#[test]
fn classes_that_differ_are_not_taken_for_one() {
    for case in [of_script::class_scalar(), of_script::class_one()] {
        let case = case.classes([3, 0, 2], 4).rows(Rows::One);
        let start = case.start(ITEMS);
        let expected = Reference::open(&case).run(&start, false, Change::Nothing);
        match drawn(&case, &model(&case.path()), &start, false) {
            Ok(found) => assert!(apart(&found.mapv(f64::from), &expected) <= case.within, "{}", case.file),
            Err(error) => assert!(matches!(error, Error::Argument { name: "classes", .. }), "{error}"),
        }
    }
}

/// A file that is not named above would be asked by nobody.
#[test]
fn every_graph_is_asked() {
    let cases: Vec<Case> = exported::all().into_iter().chain(made::all()).collect();
    let mut named: Vec<String> = cases.iter().map(|case| format!("{}.onnx", case.file)).collect();
    named.sort();
    let mut found = Vec::new();
    for folder in ["", "made/"] {
        for entry in std::fs::read_dir(repository(FOLDER).join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            found.extend(name.ends_with(".onnx").then(|| format!("{folder}{name}")));
        }
    }
    found.sort();
    assert_eq!(named, found);
}

/// A field of a manifest as it stands there, long lists of numbers shortened.
fn written(value: &Value) -> String {
    match value {
        Value::Array(values) if values.len() > 8 => format!("[{}, …, {}]", values[0], values[values.len() - 1]),
        Value::Array(values) => format!("[{}]", values.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| !["kind", "shape"].contains(&name.as_str()));
            let field = |(name, value): (&String, &Value)| format!("\"{name}\": {}", written(value));
            format!("{{{}}}", fields.into_iter().map(field).collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

fn table(cases: &[Case]) -> String {
    const OWN: [&str; 3] = ["sample", "schedule", "prediction"];
    let mut text = String::from(
        "| graph | what it is | `sample` | `schedule` | `prediction` | what else its manifest says | guided | within |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for case in cases {
        let path = repository(FOLDER).join(format!("{}.diffuse.json", case.file));
        let manifest: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let description = manifest["description"].as_str().unwrap();
        let own = OWN.map(|name| format!("`{}`", written(&manifest[name]))).join(" | ");
        let others = manifest.as_object().unwrap().iter();
        let others = others.filter(|(name, _)| !["diffuse", "description"].iter().chain(&OWN).any(|own| name == own));
        let others: Vec<String> = others.map(|(name, value)| format!("`\"{name}\": {}`", written(value))).collect();
        let guided = if case.has_guidance() { "yes" } else { "" };
        let (file, within) = (case.file, case.within);
        writeln!(text, "| `{file}` | {description} | {own} | {} | {guided} | {within:e} |", others.join("<br>"))
            .unwrap();
    }
    text
}

#[test]
fn the_table_is_fresh() {
    let text = format!(
        "# Graphs as people export them, and their manifests\n\
         \n\
         `cargo test --test all predictors::` draws from each of them in ten steps of DDIM (Euler's on the straight path of\n\
         flow matching), one item and three, without guidance and, where there is something to lead away from, with\n\
         classifier-free guidance at the scale {SCALE}. What comes of it is held against a loop in f64 around the same graph,\n\
         which knows nothing of the manifest: no value differs by more than the share of the largest one that stands under\n\
         *within*. A manifest says no more than it has to. `tests/bless` writes this file.\n\
         \n\
         ## Exported\n\
         \n\
         Names, types, ranks and axes are those of the export scripts of these families; the weights are random.\n\
         \n\
         {}\n\
         ## Made\n\
         \n\
         `onnx/predictors.py` makes these, for what those above lack.\n\
         \n\
         {}",
        table(&exported::all()),
        table(&made::all())
    );
    agree(&format!("{FOLDER}/README.md"), &text);
}
