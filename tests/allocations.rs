//! A step makes no more allocations than one bare call of the session does.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use diffuse::Request;
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

// One test in this program: another thread's allocations would be counted too.
#[test]
fn a_step_allocates_no_more_than_a_bare_call() {
    let model = model("onnx/models/sprites.onnx");
    let (x, t, y) = (vec![0.5f32; 4 * 32 * 32], [7i64], [0i64]);
    let bare = || {
        model.network().unwrap().with_session(|session| {
            let inputs = ort::inputs![
                TensorRef::from_array_view(([1usize, 4, 32, 32], &x[..])).unwrap(),
                TensorRef::from_array_view(([1usize], &t[..])).unwrap(),
                TensorRef::from_array_view(([1usize], &y[..])).unwrap()
            ];
            let outputs = session.run(inputs).unwrap();
            assert!(outputs[0].try_extract_tensor::<f32>().unwrap().1[0].is_finite());
        });
    };
    bare();
    let bare = counted(bare);
    for solver in ["ddim", "ddpm"] {
        let request =
            Request { classes: Some(vec![0]), steps: Some(20), solver: Some(solver.into()), ..Request::default() };
        let mut job = request.job(&model).unwrap();
        job.step().unwrap();
        let steps: Vec<usize> = (1..20).map(|_| counted(|| job.step().unwrap())).collect();
        println!("{solver}: {bare} in a bare call, {steps:?} in the steps after the first");
        assert!(steps.iter().all(|&step| step <= bare), "{solver}: {steps:?}, a bare call {bare}");
    }
}
