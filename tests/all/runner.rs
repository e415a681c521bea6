//! Jobs on threads of their own: side by side on one model, paused, for a time, opened and cancelled on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diffuse::denoiser::Query;
use diffuse::guidance::Callback;
use diffuse::request::HostGuidance;
use diffuse::run::{Run, Runner, Stage, State, Work};
use diffuse::sample::Canceller;
use diffuse::{Error, Model, ModelOptions, Request};
use ndarray::ArrayD;

use crate::support::{model, repository, runtime};

const FOREVER: Duration = Duration::from_secs(600);

fn request(seed: u64, steps: usize) -> Request {
    Request { seed, steps: Some(steps), classes: Some(vec![3]), ..Request::default() }
}

fn sample(runner: &Runner) -> ArrayD<f32> {
    runner.look(|run| Ok(run.job()?.sample().to_owned())).unwrap()
}

/// A runner that opens the sprites itself.
fn opening(options: ModelOptions, path: &'static str, request: Request) -> Runner {
    let open = move |canceller: &Canceller| {
        let options = ModelOptions { canceller: Some(canceller.clone()), ..options.clone() };
        Model::open(&runtime(), &repository(path), &options)
    };
    Runner::new(Run::open(Box::new(open), request))
}

#[test]
fn jobs_side_by_side_draw_what_they_draw_alone() {
    let model = model("onnx/models/sprites.onnx");
    let kinds = [("ddim", 20), ("ddpm", 30), ("dpm-solver", 12), ("heun", 9)];
    let of = |i: usize| {
        let (solver, steps) = kinds[i % kinds.len()];
        request(i as u64, steps).with("solver", solver).unwrap().job(&model).unwrap()
    };
    let alone: Vec<ArrayD<f32>> = (0..8).map(|i| of(i).run().unwrap()).collect();
    for _ in 0..3 {
        let runners: Vec<Runner> = (0..8).map(|i| Runner::new(of(i))).collect();
        runners.iter().for_each(|runner| runner.start(None).unwrap());
        for (runner, alone) in runners.iter().zip(&alone) {
            runner.wait(FOREVER).unwrap();
            assert_eq!(runner.state(), State::Finished);
            assert!(sample(runner) == *alone);
        }
    }
}

/// Where the last estimate is not what the run ends with: multistep solvers, and runs that end at a noisy level.
#[test]
fn the_preview_is_the_result_after_the_last_step() {
    let model = model("onnx/models/sprites.onnx");
    for (key, value) in [("solver", "lms"), ("solver", "unipc"), ("ending", "first"), ("invert", "1")] {
        let mut request = request(7, 6).with(key, value).unwrap();
        if key == "invert" {
            request.image = Some(Arc::new(ArrayD::zeros(vec![4, 32, 32])));
        }
        let runner = Runner::new(request.job(&model).unwrap());
        runner.start(None).unwrap();
        runner.wait(FOREVER).unwrap();
        assert!(runner.preview(|preview| Ok(preview == sample(&runner))).unwrap(), "{key} {value}");
    }
}

/// Which took two hundred times as long as one after another when the end of each evaluation woke all of them.
#[test]
fn eight_hundred_jobs_at_once_draw_what_they_draw_alone() {
    let model = model("onnx/fixtures/time_first.onnx");
    let of = |seed: u64| Request { seed, steps: Some(6), ..Request::default() }.job(&model).unwrap();
    let alone: Vec<ArrayD<f32>> = (0..800).map(|seed| of(seed).run().unwrap()).collect();
    let runners: Vec<Runner> = (0..800).map(|seed| Runner::new(of(seed))).collect();
    runners.iter().for_each(|runner| runner.start(None).unwrap());
    for (runner, alone) in runners.iter().zip(&alone) {
        assert_eq!(runner.wait(FOREVER).unwrap(), State::Finished);
        assert!(sample(runner) == *alone);
    }
}

/// Whoever is cancelled in the middle of the line goes, and the others have their turns.
#[test]
fn of_many_who_wait_those_who_are_cancelled_go() {
    let model = model("onnx/fixtures/time_first.onnx");
    let of = |seed: u64| Runner::new(Request { seed, steps: Some(6), ..Request::default() }.job(&model).unwrap());
    let runners: Vec<Runner> = (0..60).map(of).collect();
    let (gone, staying): (Vec<_>, Vec<_>) = runners.iter().enumerate().partition(|(i, _)| i % 3 == 0);
    model.network().unwrap().with_session(|_| {
        runners.iter().for_each(|runner| runner.start(None).unwrap());
        std::thread::sleep(Duration::from_millis(20));
        for (_, runner) in &gone {
            runner.cancel();
            assert!(matches!(runner.wait(FOREVER), Err(Error::Cancelled)));
        }
        assert!(staying.iter().all(|(_, runner)| runner.state() == State::Running));
    });
    for (i, runner) in staying {
        assert_eq!(runner.wait(FOREVER).unwrap(), State::Finished, "{i}");
    }
}

#[test]
fn none_of_them_waits_for_the_others_to_end() {
    let model = model("onnx/models/sprites.onnx");
    let runners: Vec<Runner> = (0..4).map(|i| Runner::new(request(i, 1000).job(&model).unwrap())).collect();
    runners.iter().for_each(|runner| runner.start(None).unwrap());
    let done = |runner: &Runner| runner.progress().1.step;
    while runners.iter().any(|runner| done(runner) == 0) {
        std::thread::yield_now();
    }
    // From when all have begun they go on side by side.
    let before: Vec<usize> = runners.iter().map(done).collect();
    while runners.iter().map(done).max() < before.iter().max().map(|most| most + 200) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let made: Vec<usize> = runners.iter().zip(before).map(|(runner, before)| done(runner) - before).collect();
    println!("{made:?}");
    assert!(made.iter().all(|made| *made > 50), "{made:?}");
}

#[test]
fn a_paused_run_goes_on_and_ends_the_same() {
    let model = model("onnx/models/sprites.onnx");
    let whole = request(1, 40).job(&model).unwrap().run().unwrap();
    let runner = Runner::new(request(1, 40).job(&model).unwrap());
    // Of one that does not run it is nothing.
    runner.pause();
    assert_eq!(runner.state(), State::Idle);
    let mut pauses = 0;
    loop {
        runner.start(None).unwrap();
        while runner.progress().1.step == 0 {
            std::thread::yield_now();
        }
        runner.pause();
        runner.wait(FOREVER).unwrap();
        if runner.state() == State::Finished {
            break;
        }
        assert_eq!(runner.state(), State::Paused);
        pauses += 1;
        // In between it can be kept, and stepped by its owner.
        let snapshot = runner.look(Run::save).unwrap();
        runner.change(|run| run.restore(&snapshot)).unwrap();
        runner.step().unwrap();
    }
    assert!(pauses > 0);
    assert!(sample(&runner) == whole);
}

#[test]
fn a_time_that_is_up_leaves_the_best_estimate() {
    let model = model("onnx/models/sprites.onnx");
    let runner = Runner::new(request(1, 1000).job(&model).unwrap());
    // Nothing is known of the first step, which is done.
    runner.start(Some(Duration::ZERO)).unwrap();
    runner.wait(FOREVER).unwrap();
    assert_eq!((runner.state(), runner.progress().1.step), (State::Paused, 1));
    assert!(runner.preview(|preview| Ok(preview.iter().all(|value| value.is_finite()))).unwrap());
    // A time that nothing fits into.
    runner.start(Some(Duration::ZERO)).unwrap();
    runner.wait(FOREVER).unwrap();
    assert_eq!((runner.state(), runner.progress().1.step), (State::Paused, 1));
    runner.start(Some(FOREVER)).unwrap();
    runner.wait(FOREVER).unwrap();
    assert_eq!(runner.state(), State::Finished);
    assert!(sample(&runner) == request(1, 1000).job(&model).unwrap().run().unwrap());
}

#[test]
fn a_worker_opens_the_model_as_well() {
    let model = model("onnx/models/sprites.onnx");
    let runner = opening(ModelOptions::default(), "onnx/models/sprites.onnx", request(5, 10));
    assert_eq!(runner.progress().0, Stage::Loading);
    assert!(matches!(runner.samples(), Err(Error::NotYet { .. })));
    assert!(matches!(runner.look(Run::save), Err(Error::NotYet { .. })));
    assert!(matches!(runner.change(|run| run.restore(&[])), Err(Error::NotYet { .. })));
    assert!(matches!(runner.preview(|_| Ok(())), Err(Error::NotYet { .. })));
    runner.start(None).unwrap();
    runner.wait(FOREVER).unwrap();
    assert_eq!(runner.samples().unwrap().shape, [1, 4, 32, 32]);
    assert_eq!((runner.progress().0, runner.progress().1.step), (Stage::Sampling, 10));
    assert!(sample(&runner) == request(5, 10).job(&model).unwrap().run().unwrap());

    // What is wrong is said by whoever opens, and again by the next try.
    for path in ["onnx/models/nowhere.onnx", "README.md"] {
        let runner = opening(ModelOptions::default(), path, request(5, 10));
        runner.start(None).unwrap();
        let first = runner.wait(FOREVER).unwrap_err().to_string();
        assert!(first.contains(path), "{first}");
        assert_eq!(runner.state(), State::Stopped);
        assert_eq!(runner.step().unwrap_err().to_string(), first);
    }
    let runner = opening(ModelOptions::default(), "onnx/models/sprites.onnx", request(5, 1_000_000));
    assert!(matches!(runner.step(), Err(Error::Argument { name: "steps", .. })));
}

#[test]
fn cancelling_ends_the_opening() {
    let before = opening(ModelOptions::default(), "onnx/models/sprites.onnx", request(5, 10));
    before.cancel();
    assert!(matches!(before.step(), Err(Error::Cancelled)));
    assert!(matches!(before.start(None), Err(Error::Cancelled)));
    assert!(before.samples().is_err(), "the model was opened all the same");
    let cut = Arc::new(AtomicUsize::new(0));
    for round in 0..40 {
        let counted = Arc::clone(&cut);
        let open = move |canceller: &Canceller| {
            let options = ModelOptions { canceller: Some(canceller.clone()), ..ModelOptions::default() };
            let model = Model::open(&runtime(), &repository("onnx/models/sprites.onnx"), &options);
            // What had begun was cut off.
            counted.fetch_add(usize::from(matches!(model, Err(Error::Cancelled))), Ordering::SeqCst);
            model
        };
        let runner = Runner::new(Run::open(Box::new(open), request(5, 1000)));
        runner.start(None).unwrap();
        std::thread::sleep(Duration::from_micros(700 * round));
        runner.cancel();
        assert!(matches!(runner.wait(FOREVER), Err(Error::Cancelled)));
    }
    println!("{} of 40 openings were cut off", cut.load(Ordering::SeqCst));
    assert!(cut.load(Ordering::SeqCst) > 0);
}

/// There is nothing to come, so that who waits is told at once, also where it was paused in between.
#[test]
fn waiting_for_one_that_was_cancelled_before_its_start_is_cancelled() {
    let model = model("onnx/models/sprites.onnx");
    let runner = Runner::new(request(1, 1000).job(&model).unwrap());
    assert_eq!(runner.wait(FOREVER).unwrap(), State::Idle);
    runner.cancel();
    assert!(matches!(runner.wait(FOREVER), Err(Error::Cancelled)));
    let runner = Runner::new(request(1, 1000).job(&model).unwrap());
    runner.start(Some(Duration::ZERO)).unwrap();
    assert_eq!(runner.wait(FOREVER).unwrap(), State::Paused);
    runner.cancel();
    assert!(matches!(runner.wait(FOREVER), Err(Error::Cancelled)));
    // What is at its end stays so.
    let runner = Runner::new(request(1, 2).job(&model).unwrap());
    runner.run().unwrap();
    runner.cancel();
    assert_eq!(runner.wait(FOREVER).unwrap(), State::Finished);
    let opening = opening(ModelOptions::default(), "onnx/models/sprites.onnx", request(5, 10));
    opening.cancel();
    assert!(matches!(opening.wait(FOREVER), Err(Error::Cancelled)));
}

#[test]
fn one_that_waits_for_its_turn_is_cancelled_at_once() {
    let model = model("onnx/models/sprites.onnx");
    let runner = Runner::new(request(2, 1000).job(&model).unwrap());
    // The turn is this thread's, for as long as the closure takes.
    model.network().unwrap().with_session(|_| {
        runner.start(None).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        runner.cancel();
        assert!(matches!(runner.wait(Duration::from_secs(120)), Err(Error::Cancelled)));
    });
}

/// Readers are told that it is busy, and do not end a run by coming in between.
#[test]
fn who_looks_does_not_disturb_a_run() {
    let model = model("onnx/models/sprites.onnx");
    for on_worker in [true, false] {
        let runner = Runner::new(request(1, 200).job(&model).unwrap());
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let mut busy = 0;
                while runner.state() != State::Finished {
                    match runner.look(Run::save) {
                        Err(Error::Busy) => busy += 1,
                        result => drop(result.unwrap()),
                    }
                }
                busy
            });
            if on_worker {
                while let Err(error) = runner.start(None) {
                    assert!(matches!(error, Error::Busy), "{error}");
                }
                runner.wait(FOREVER).unwrap();
            } else {
                while let Err(error) = runner.run() {
                    assert!(matches!(error, Error::Busy) && runner.progress().1.step == 0, "{error}");
                }
            }
            assert_eq!(runner.state(), State::Finished);
            assert!(looking.join().unwrap() > 0);
        });
    }
}

#[test]
fn the_state_is_that_of_the_job() {
    let model = model("onnx/models/sprites.onnx");
    let runner = Runner::new(request(1, 3).job(&model).unwrap());
    let snapshot = runner.look(Run::save).unwrap();
    runner.step().unwrap();
    assert_eq!(runner.state(), State::Idle);
    runner.run().unwrap();
    assert_eq!(runner.state(), State::Finished);
    runner.change(|run| run.restore(&snapshot)).unwrap();
    assert_eq!(runner.state(), State::Idle);
    runner.start(Some(Duration::ZERO)).unwrap();
    runner.wait(FOREVER).unwrap();
    runner.run().unwrap();
    assert_eq!((runner.state(), runner.wait(FOREVER).unwrap()), (State::Finished, State::Finished));
}

/// One that was told of a snapshot between two runs took a worker that had just been started for none, so that the
/// next start waited for a thread that waited for it.
#[test]
fn who_starts_and_who_changes_do_not_wait_for_each_other() {
    let request = Request { steps: Some(999), ..Request::default() };
    let runner = Runner::new(request.job(&model("onnx/fixtures/time_first.onnx")).unwrap());
    let over = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while over.load(Ordering::SeqCst) == 0 {
                let _ = runner.change(|run| run.restore(&[0; 4]));
                let _ = runner.change(|_| Ok(()));
            }
        });
        let mut started = 0;
        while started < 500 {
            started += usize::from(runner.start(Some(Duration::ZERO)).is_ok());
        }
        over.store(1, Ordering::SeqCst);
    });
    runner.wait(FOREVER).unwrap();
}

#[test]
fn a_change_that_fails_leaves_what_was_said() {
    let runner = opening(ModelOptions::default(), "onnx/models/nowhere.onnx", request(5, 10));
    runner.start(None).unwrap();
    runner.wait(FOREVER).unwrap_err();
    assert!(matches!(runner.change(|run| run.restore(&[])), Err(Error::NotYet { .. })));
    assert_eq!(runner.state(), State::Stopped);

    let callback: Arc<Callback> = Arc::new(|_: &Query<'_>, _: &mut [f32]| panic!("for this test"));
    let request = Request { callback: Some(HostGuidance(callback)), ..request(1, 3) };
    let runner = Runner::new(request.job(&model("onnx/models/sprites.onnx")).unwrap());
    let snapshot = runner.look(Run::save).unwrap();
    runner.start(None).unwrap();
    runner.wait(FOREVER).unwrap_err();
    runner.change(|run| run.restore(&[0; 4])).unwrap_err();
    assert_eq!(runner.state(), State::Stopped);
    assert!(matches!(runner.wait(FOREVER), Err(Error::Panic { .. })));
    runner.change(|run| run.restore(&snapshot)).unwrap();
    assert_eq!(runner.state(), State::Idle);
}

#[test]
fn a_panic_is_an_error_that_stays() {
    let graph = model("onnx/models/sprites.onnx");
    let callback: Arc<Callback> = Arc::new(|_: &Query<'_>, _: &mut [f32]| panic!("for this test"));
    let request = Request { callback: Some(HostGuidance(callback)), ..request(1, 3) };
    let runner = Runner::new(request.job(&graph).unwrap());
    assert!(runner.failure().is_none());
    runner.start(None).unwrap();
    let said = [runner.wait(FOREVER).unwrap_err(), runner.failure().unwrap(), runner.step().unwrap_err()];
    for error in said {
        assert!(matches!(&error, Error::Panic { reason } if reason == "for this test"), "{error}");
    }
}

#[test]
fn what_is_worked_on_is_busy() {
    let model = model("onnx/models/sprites.onnx");
    let runner = Runner::new(request(1, 1000).job(&model).unwrap());
    runner.start(None).unwrap();
    assert!(matches!(runner.step(), Err(Error::Busy)));
    assert!(matches!(runner.start(None), Err(Error::Busy)));
    assert!(matches!(runner.advance(Duration::ZERO), Err(Error::Busy)));
    assert!(matches!(runner.look(Run::save), Err(Error::Busy)));
    // Dropped while it runs.
}

/// ONNX Runtime's threads and the worker give way, the caller's own does not, and what is drawn is the same.
#[test]
#[cfg(target_os = "linux")]
fn what_is_in_the_background_gives_way() {
    use std::path::Path;

    use diffuse::Priority;

    fn nice_of(task: &Path) -> Option<(String, i64)> {
        let name = std::fs::read_to_string(task.join("comm")).ok()?.trim().to_owned();
        let stat = std::fs::read_to_string(task.join("stat")).ok()?;
        let nice = stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse().ok()?;
        Some((name, nice))
    }
    let nice = |wanted: &str| -> Vec<i64> {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
        tasks.filter_map(|task| nice_of(&task)).filter(|(name, _)| name == wanted).map(|(_, nice)| nice).collect()
    };
    let own = nice_of(Path::new("/proc/thread-self")).unwrap().1;
    let request = request(3, 8);
    let expected = request.job(&model("onnx/models/sprites.onnx")).unwrap().run().unwrap();
    let options = ModelOptions { threads: 2, priority: Priority::Background, ..ModelOptions::default() };
    let path = repository("onnx/models/sprites.onnx");
    let model = Arc::new(Model::open(&runtime(), &path, &options).unwrap());
    assert_eq!(model.priority(), Priority::Background);
    // There is one beside the thread that calls.
    assert_eq!(nice("diffuse network"), [(own + 10).min(19)]);
    let runner = Runner::new(Run::new(&model, &request).unwrap());
    runner.set_priority(model.priority());
    runner.start(None).unwrap();
    let mut seen = Vec::new();
    while runner.state() == State::Running {
        seen.extend(nice(diffuse::run::THREAD));
        std::thread::sleep(Duration::from_millis(1));
    }
    // Others draw in this process as well, with another priority.
    assert!(seen.contains(&(own + 10).min(19)), "{seen:?}");
    assert_eq!(nice_of(Path::new("/proc/thread-self")).unwrap().1, own);
    assert_eq!(sample(&runner), expected);
    drop(runner);
    drop(model);
    assert!(nice("diffuse network").is_empty());
    // Opened on a worker that gives way already, they give way as far.
    let open = move |_: &Canceller| Model::open(&runtime(), &path, &options);
    let runner = Runner::new(Run::open(Box::new(open), request));
    runner.set_priority(Priority::Background);
    runner.start(None).unwrap();
    assert!(matches!(runner.wait(Duration::from_secs(600)), Ok(State::Finished)));
    assert_eq!(nice("diffuse network"), [(own + 10).min(19)]);
    assert_eq!(sample(&runner), expected);
}
