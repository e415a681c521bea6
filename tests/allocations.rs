//! A step makes no more allocations than bare calls of the session do, guided or not. A program of its own, since its
//! allocator counts those of the whole process.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diffuse::tensor::Tensor;
use diffuse::{Model, Request};
use ndarray::ArrayD;
use ort::value::TensorRef;
use support::model;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted<T>(work: impl FnOnce() -> T) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    work();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// The allocations of a bare call: the inputs are borrowed, and the first value of the answer is looked at.
macro_rules! bare {
    ($model:expr, $($shape:expr => $values:expr),*) => {{
        let call = || $model.network().unwrap().with_session(|session| {
            let inputs = ort::inputs![$(TensorRef::from_array_view(($shape, &$values[..])).unwrap()),*];
            let outputs = session.run(inputs).unwrap();
            assert!(outputs[0].try_extract_tensor::<f32>().unwrap().1[0].is_finite());
        });
        call();
        counted(call)
    }};
}

/// The steps after the first, if one of them allocates more than `most`.
fn over(model: &Arc<Model>, request: &Request, most: usize, what: &str) -> Option<String> {
    let mut job = request.job(model).unwrap();
    job.step().unwrap();
    let steps: Vec<usize> = (1..20).map(|_| counted(|| job.step().unwrap())).collect();
    println!("{what}: {most} in the bare calls, {steps:?} in the steps after the first");
    steps.iter().any(|&step| step > most).then(|| format!("{what}: {steps:?}, and {most} in the bare calls"))
}

// One test in this program: another thread's allocations would be counted too.
#[test]
fn a_step_allocates_no_more_than_bare_calls() {
    let sprites = model("onnx/models/sprites.onnx");
    let (x, t, y) = (vec![0.5f32; 2 * 4 * 32 * 32], [7i64; 2], [0i64; 2]);
    let one = bare!(sprites, [1usize, 4, 32, 32] => x[..4096], [1usize] => t[..1], [1usize] => y[..1]);
    let two = bare!(sprites, [2usize, 4, 32, 32] => x, [2usize] => t, [2usize] => y);
    let request = Request { classes: Some(vec![0]), steps: Some(20), ..Request::default() };
    let mut wrong = Vec::new();
    for solver in ["ddim", "ddpm"] {
        let request = request.clone().with("solver", solver).unwrap();
        wrong.extend(over(&sprites, &request, one, solver));
        // Guided: one call of a batch of two, or two calls.
        let guided = request.with("guidance_scale", 2).unwrap();
        for (pairing, most) in [("batched", two), ("sequential", 2 * one)] {
            let request = guided.clone().with("guidance_pairing", pairing).unwrap();
            wrong.extend(over(&sprites, &request, most, &format!("{solver}, guided, {pairing}")));
        }
    }
    // Conditions that are tensors, and others to lead away from.
    let conditioned = model("onnx/fixtures/conditioned.onnx");
    let (x, t) = (vec![0.5f32; 2 * 3 * 8 * 8], [7i64; 2]);
    let (small, vector) = (vec![0.5f32; 2 * 3 * 4 * 4], vec![0.5f32; 2 * 5]);
    let one = bare!(conditioned, [1usize, 3, 8, 8] => x[..192], [1usize] => t[..1], [1usize, 3, 4, 4] => small[..48], [1usize, 5] => vector[..5]);
    let two =
        bare!(conditioned, [2usize, 3, 8, 8] => x, [2usize] => t, [2usize, 3, 4, 4] => small, [2usize, 5] => vector);
    let tensors = |value: f32| -> BTreeMap<String, Arc<Tensor>> {
        let of = |name: &str, shape: &[usize]| (name.to_owned(), Arc::new(ArrayD::from_elem(shape, value).into()));
        [of("small", &[3, 4, 4]), of("vector", &[5])].into()
    };
    let request = Request { conditions: tensors(0.5), classes: None, ..request }.with("solver", "ddim").unwrap();
    wrong.extend(over(&conditioned, &request, one, "conditioned"));
    let guided = Request { negative_conditions: tensors(0.0), ..request }.with("guidance_scale", 2).unwrap();
    for (pairing, most) in [("batched", two), ("sequential", 2 * one)] {
        let request = guided.clone().with("guidance_pairing", pairing).unwrap();
        wrong.extend(over(&conditioned, &request, most, &format!("conditioned, guided, {pairing}")));
    }
    wrong.extend(of_other_shapes());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Conditions of a size that is free, a batch that is the pair of guidance, and a network that is told its estimate.
fn of_other_shapes() -> Vec<String> {
    let folder = "onnx/fixtures/predictors/made";
    let request = |classes: Option<i64>, conditions: &[(&str, &[usize])]| {
        let of = |(name, shape): &(&str, &[usize])| {
            ((*name).to_owned(), Arc::new(Tensor::from(ArrayD::from_elem(*shape, 0.5f32))))
        };
        let conditions = conditions.iter().map(of).collect();
        let classes = classes.map(|class| vec![class]);
        Request { classes, conditions, steps: Some(20), ..Request::default() }.with("solver", "ddim").unwrap()
    };
    let guided = |request: &Request, negative: &Request| {
        let negative_conditions = negative.conditions.clone();
        Request { negative_conditions, ..request.clone() }.with("guidance_scale", 2).unwrap()
    };
    let (values, t, y) = (vec![0.5f32; 64], [7i64; 2], [0i64; 2]);
    let mut wrong = Vec::new();

    let free = model(&format!("{folder}/shared_free_size.onnx"));
    let one = bare!(free, [1usize, 2, 4] => values[..8], [1usize, 4, 3] => values[..12], [1usize] => t[..1]);
    let two = bare!(free, [2usize, 2, 4] => values[..16], [2usize, 4, 3] => values[..24], [2usize] => t);
    let plain = request(None, &[("features", &[4, 3])]);
    wrong.extend(over(&free, &plain, one, "a free size"));
    wrong.extend(over(&free, &guided(&plain, &plain), two, "a free size, guided"));

    let pair = model(&format!("{folder}/pair_negative_first_fixed.onnx"));
    let both = bare!(pair, [2usize, 2, 3, 4] => values[..48], [2usize] => t, [2usize, 3] => values[..6], [2usize] => y);
    let plain = request(Some(0), &[("text", &[3])]);
    wrong.extend(over(&pair, &plain, both, "a pair"));
    wrong.extend(over(&pair, &guided(&plain, &plain), both, "a pair, guided"));

    let told = model(&format!("{folder}/self_condition.onnx"));
    let one = bare!(told, [1usize, 2, 3, 4] => values[..24], [1usize] => t[..1], [1usize, 2, 3, 4] => values[..24], [1usize] => y[..1]);
    wrong.extend(over(&told, &request(Some(0), &[]), one, "self-conditioning"));
    wrong
}
