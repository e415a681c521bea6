//! Work that several threads may ask, with a thread of its own if that is wanted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ndarray::{ArrayD, ArrayViewD};

use super::draw::Run;
use super::work::{Samples, Stage, Work, draws_nothing, not_yet};
use crate::error::{Error, Result};
use crate::float::{self, Usual};
use crate::priority::Priority;
use crate::process::{self, Own, Process, Working};
use crate::sample::{Budget, Canceller, Pace, Progress};
use crate::sync::{Condvar, Guard, Mutex};
use crate::tensor::copy;

/// The name of the thread that a job runs on.
pub const THREAD: &str = "diffuse job";

/// How a runner's job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// No worker has it, and it is not at its end: it is stepped by its owner.
    Idle,
    /// A worker runs it.
    Running,
    /// It is at its end, whoever has run it.
    Finished,
    /// Its worker has stopped before, with an error: [`Runner::wait`] says which.
    Stopped,
    /// Its worker has stopped before because that was asked for, or its time was up.
    Paused,
}

/// Work that several threads may ask: how far it is, its latest estimate, to cancel. It is done inside of
/// [`step`](Self::step), [`run`](Self::run) and [`advance`](Self::advance), on the calling thread, or after
/// [`start`](Self::start) on a thread of its own; meanwhile what else would use the work is [`Error::Busy`]. Dropping
/// it cancels it and waits for its thread.
#[derive(Debug)]
pub struct Runner<W: Work = Run> {
    shared: Own<Arc<Shared<W>>>,
}

struct Shared<W> {
    process: Process,
    at_exit: Once,
    work: Mutex<W>,
    canceller: Canceller,
    samples: OnceLock<Samples>,
    /// Whether there will be any.
    draws: bool,
    /// What it is at, how much of that is done, and how many of the steps are.
    progress: Mutex<(Stage, Progress, Progress)>,
    /// What the next step is expected to take, in nanoseconds; 0 before the first.
    expected: AtomicU64,
    /// The thread that is in a step, as [`this_thread`] has it; 0 for none.
    stepping: AtomicUsize,
    state: AtomicU8,
    pause: AtomicBool,
    /// That of its workers.
    priority: Mutex<Priority>,
    worker: Mutex<Worker>,
    ended: Condvar,
    /// What the latest step that failed said.
    failure: Mutex<Option<Error>>,
    /// How often that copy was made anew.
    estimates: AtomicU64,
    /// A copy of the latest estimate, so that looking at it does not wait for the evaluation that is running.
    preview: Mutex<Option<ArrayD<f32>>>,
    /// Where the next one is written.
    next_preview: Mutex<Option<ArrayD<f32>>>,
}

/// The thread that runs a job, and how its run ended.
#[derive(Default)]
struct Worker {
    thread: Option<JoinHandle<()>>,
    outcome: Option<Error>,
}

impl<W: Work> std::fmt::Debug for Shared<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// A number of this thread, which no other one has while it lives. `std::thread::current` would allocate in a thread
/// that is not ours.
fn this_thread() -> usize {
    thread_local!(static PLACE: u8 = const { 0 });
    PLACE.with(|place| std::ptr::from_ref(place) as usize)
}

/// Marks the thread that is in a step, until it is dropped.
struct Stepping<'a>(&'a AtomicUsize);

impl<'a> Stepping<'a> {
    fn begin(stepping: &'a AtomicUsize) -> Self {
        stepping.store(this_thread(), Ordering::SeqCst);
        Self(stepping)
    }
}

impl Drop for Stepping<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

impl Runner {
    /// A runner of a run, or of a [`Job`](crate::Job) alone.
    #[must_use]
    pub fn new(run: impl Into<Run>) -> Self {
        Self::of(run.into())
    }
}

impl<W: Work> Runner<W> {
    /// A runner of work of any kind.
    #[must_use]
    pub fn of(work: W) -> Self {
        Self { shared: Own::new(Arc::new(Shared::new(work))) }
    }

    /// Lets the threads that [`start`](Self::start) makes from now on have this priority.
    pub fn set_priority(&self, priority: Priority) {
        *self.shared.priority.held() = priority;
    }

    /// One step, and all that has to be prepared for it.
    ///
    /// # Errors
    /// As [`Work::step`]; [`Error::Busy`] while another thread works on the job; [`Error::Panic`] if it panics.
    pub fn step(&self) -> Result<Progress> {
        let mut steps = 1..=1;
        self.shared.drive_here(|_| steps.next().is_some())
    }

    /// Steps to the end.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run(&self) -> Result<()> {
        self.shared.drive_here(|_| true).map(drop)
    }

    /// [`Job::advance`](crate::Job::advance).
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn advance(&self, budget: Duration) -> Result<Progress> {
        let mut budget = Budget::new(budget);
        self.shared.drive_here(|pace| budget.allows(pace))
    }

    /// Runs the job on a thread of its own: to its end, or for as long as `time` lasts, by the rule of
    /// [`advance`](Self::advance). Then, or after [`pause`](Self::pause), it can be started again, and so can one that
    /// has stopped, unless it was cancelled.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if it was cancelled; [`Error::Busy`] if it runs already, or another thread is in a step or
    /// a look at it; [`Error::Runtime`] if the system refuses a thread.
    pub fn start(&self, time: Option<Duration>) -> Result<()> {
        Shared::start(&self.shared, time)
    }

    /// Lets the worker end after the step that it is in. The samples are whole then: to be looked at, or kept as a
    /// snapshot.
    pub fn pause(&self) {
        self.shared.pause.store(true, Ordering::SeqCst);
    }

    /// How the job stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// Waits until the worker has ended, but not longer than `most`, and says how the job stands then, which is
    /// [`State::Running`] if the time was too short.
    ///
    /// # Errors
    /// What it stopped with; [`Error::Cancelled`] also if it was cancelled before its start; [`Error::Argument`] in a
    /// callback of the job itself, which would wait for ever.
    pub fn wait(&self, most: Duration) -> Result<State> {
        self.shared.wait(most)
    }

    /// What the latest step that failed said, whichever thread it was on; `None` if none has.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.shared.failure.held().as_ref().map(Error::again)
    }

    /// [`Canceller::cancel`].
    pub fn cancel(&self) {
        self.shared.canceller.cancel();
    }

    /// How far it is: in which stage, and with how much of it.
    #[must_use]
    pub fn progress(&self) -> (Stage, Progress) {
        let (stage, progress, _) = *self.shared.progress.held();
        (stage, progress)
    }

    /// How many steps of sampling are done, of how many: [`Work::steps`].
    #[must_use]
    pub fn steps(&self) -> Progress {
        self.shared.progress.held().2
    }

    /// [`Job::expected_step`](crate::Job::expected_step), which any thread may ask.
    #[must_use]
    pub fn expected_step(&self) -> Option<Duration> {
        match self.shared.expected.load(Ordering::SeqCst) {
            0 => None,
            nanoseconds => Some(Duration::from_nanos(nanoseconds)),
        }
    }

    /// What the samples are.
    ///
    /// # Errors
    /// [`Error::NotYet`] before that is known, which may take a model.
    pub fn samples(&self) -> Result<&Samples> {
        self.shared.samples.get().ok_or_else(|| if self.shared.draws { not_yet() } else { draws_nothing() })
    }

    /// Hands the work to `look`.
    ///
    /// # Errors
    /// [`Error::Busy`] while it is worked on; what `look` returns, which for a run without a job yet is
    /// [`Error::NotYet`].
    pub fn look<T>(&self, look: impl FnOnce(&W) -> Result<T>) -> Result<T> {
        look(&*self.shared.lock()?)
    }

    /// Hands the work to `change`, between two steps, which must not put other work in its place. A worker that has
    /// stopped is forgotten then, unless `change` fails, which is to leave the work as it was.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub fn change<T>(&self, change: impl FnOnce(&mut W) -> Result<T>) -> Result<T> {
        let work = &mut *self.shared.lock()?;
        let result = change(work)?;
        // What has no samples yet only prepares.
        if work.samples().is_some() {
            self.shared.publish(work);
            self.shared.settle(work.is_finished());
        }
        Ok(result)
    }

    /// Hands the latest estimate of what the samples will be to `read`, also while a step is running.
    ///
    /// # Errors
    /// [`Error::NotYet`] before the first step; what `read` returns.
    pub fn preview<T>(&self, read: impl FnOnce(ArrayViewD<'_, f32>) -> Result<T>) -> Result<T> {
        match self.shared.preview.held().as_ref() {
            Some(preview) => read(preview.view()),
            None if !self.shared.draws => Err(draws_nothing()),
            None => Err(Error::not_yet("the job has no preview before its first step")),
        }
    }

    /// How often there was a new estimate to look at, since this was made: a host that draws the
    /// [`preview`](Self::preview) does so where this is another number than last time.
    #[must_use]
    pub fn estimates(&self) -> u64 {
        self.shared.estimates.load(Ordering::SeqCst)
    }

    /// Cancels it, and waits until nobody works on it and its thread is gone; in a callback of the job itself it does
    /// not wait. Not to be called in a [`look`](Self::look) or a [`change`](Self::change), which it would wait for.
    pub fn close(&self) {
        if !self.shared.process.is_current() {
            return;
        }
        self.cancel();
        if !self.shared.is_stepped_here() {
            drop(self.shared.work.held());
            let thread = self.shared.worker.held().thread.take();
            if let Some(thread) = thread {
                let _ = thread.join();
            }
        }
    }
}

impl<W: Work> Drop for Runner<W> {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the next step is expected to take, in nanoseconds; 0 where nothing is known.
fn nanoseconds(pace: &Pace) -> u64 {
    pace.expected().map_or(0, |step| u64::try_from(step.as_nanos()).unwrap_or(u64::MAX).max(1))
}

const STATES: [State; 5] = [State::Idle, State::Running, State::Finished, State::Stopped, State::Paused];

impl<W: Work> Shared<W> {
    fn new(mut work: W) -> Self {
        let (canceller, progress, expected) =
            (work.canceller(), (work.stage(), work.progress(), work.steps()), nanoseconds(work.pace()));
        let samples = work.samples().map_or_else(OnceLock::new, OnceLock::from);
        let draws = work.draws();
        Self {
            process: Process::current(),
            at_exit: Once::new(),
            work: Mutex::new(work),
            canceller,
            samples,
            draws,
            progress: Mutex::new(progress),
            expected: AtomicU64::new(expected),
            stepping: AtomicUsize::new(0),
            state: AtomicU8::new(0),
            pause: AtomicBool::new(false),
            priority: Mutex::default(),
            worker: Mutex::default(),
            ended: Condvar::default(),
            failure: Mutex::new(None),
            estimates: AtomicU64::new(0),
            preview: Mutex::new(None),
            next_preview: Mutex::new(None),
        }
    }

    fn state(&self) -> State {
        STATES[usize::from(self.state.load(Ordering::SeqCst))]
    }

    fn enter(&self, state: State) {
        let place = STATES.iter().position(|known| *known == state);
        self.state.store(place.unwrap_or_default() as u8, Ordering::SeqCst);
    }

    fn is_stepped_here(&self) -> bool {
        self.stepping.load(Ordering::SeqCst) == this_thread()
    }

    fn note(&self, work: &W) {
        *self.progress.held() = (work.stage(), work.progress(), work.steps());
    }

    /// What is to be done, for a call of the owner's; not while the worker has it.
    fn lock(&self) -> Result<Guard<'_, W>> {
        self.process.check("job")?;
        // In this order: whoever starts a worker holds the work, so that a state that is seen with it stays.
        let work = self.work.try_held().ok_or(Error::Busy)?;
        if self.state() == State::Running {
            return Err(Error::Busy);
        }
        Ok(work)
    }

    /// What is to be done, for whoever works on it.
    fn claimed(&self) -> Result<Guard<'_, W>> {
        match self.lock() {
            // Whoever frees the job holds it for a moment.
            Err(Error::Busy) if self.canceller.is_cancelled() => Err(Error::Cancelled),
            work => work,
        }
    }

    /// Lets the state be that of a job that no worker has.
    fn settle(&self, finished: bool) {
        let mut worker = self.worker.held();
        worker.outcome = None;
        self.enter(if finished { State::Finished } else { State::Idle });
    }

    /// [`drive`](Self::drive) for the owner, on its thread.
    fn drive_here(&self, more: impl FnMut(&mut Pace) -> bool) -> Result<Progress> {
        let work = self.drive(self.claimed()?, more)?;
        self.settle(work.is_finished());
        Ok(work.progress())
    }

    /// Steps for as long as `more` says so, on this thread, and lets the others see what comes of it.
    fn drive<'a>(&self, mut work: Guard<'a, W>, mut more: impl FnMut(&mut Pace) -> bool) -> Result<Guard<'a, W>> {
        let stepping = Stepping::begin(&self.stepping);
        // A panic, which may be one of the caller's own code, is an error like any other.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let work = &mut *work;
            while work.prepares() {
                self.note(work);
                work.step()?;
            }
            if self.samples.get().is_none() {
                work.samples().into_iter().for_each(|samples| drop(self.samples.set(samples)));
                self.note(work);
            }
            while !work.is_finished() && more(work.pace()) {
                while work.prepares() {
                    work.step()?;
                    self.note(work);
                }
                work.step()?;
                self.publish(work);
            }
            self.expected.store(nanoseconds(work.pace()), Ordering::SeqCst);
            Ok(())
        }));
        drop(stepping);
        let result = result.unwrap_or_else(|panic| Err(Error::panic(&*panic)));
        if let Err(error) = &result {
            *self.failure.held() = Some(error.again());
        }
        result.map(|()| work)
    }

    /// Lets other threads see how far the work is, and its latest estimate.
    fn publish(&self, work: &mut W) {
        // Beside the one that others look at, which they do not wait for then: this thread may be one that gives way.
        let mut next = self.next_preview.held();
        match (work.preview(), next.as_mut()) {
            (Some(latest), Some(next)) => next.assign(&latest),
            // Where there is no memory for it there is no preview.
            (latest, _) => *next = latest.and_then(|latest| copy(&latest).ok()),
        }
        let is_there = next.is_some();
        std::mem::swap(&mut *self.preview.held(), &mut *next);
        // One that is gone is something new as well.
        let is_news = is_there || next.is_some();
        drop(next);
        if is_news {
            self.estimates.fetch_add(1, Ordering::SeqCst);
        }
        self.expected.store(nanoseconds(work.pace()), Ordering::SeqCst);
        self.note(work);
    }

    fn start(self: &Arc<Self>, time: Option<Duration>) -> Result<()> {
        if self.canceller.is_cancelled() {
            return Err(Error::Cancelled);
        }
        // Held until the others see that it runs; before the worker's lock, as everywhere.
        let claim = self.claimed()?;
        let mut worker = self.worker.held();
        // One that has ended is only waited for.
        if let Some(thread) = worker.thread.take() {
            let _ = thread.join();
        }
        worker.outcome = None;
        self.pause.store(false, Ordering::SeqCst);
        self.at_exit.call_once(|| process::stop_at_exit(&(Arc::clone(self) as Arc<dyn process::Worker>)));
        let (shared, hosts, priority) = (Arc::clone(self), float::hosts(), *self.priority.held());
        let body = move || {
            let _working = Working::begin();
            priority.take();
            // Before that ends, the job may be freed here.
            let shared = shared;
            let _usual = Usual::on_behalf_of(hosts);
            let result = shared.run(time);
            let mut worker = shared.worker.held();
            shared.enter(*result.as_ref().unwrap_or(&State::Stopped));
            worker.outcome = result.err();
            shared.ended.notify_all();
        };
        let before = self.state();
        self.enter(State::Running);
        drop(claim);
        match std::thread::Builder::new().name(THREAD.into()).spawn(body) {
            Ok(thread) => worker.thread = Some(thread),
            Err(error) => {
                self.enter(before);
                return Err(Error::runtime(format!("the system refuses a thread for the job: {error}")));
            }
        }
        Ok(())
    }

    /// What the worker does.
    fn run(&self, time: Option<Duration>) -> Result<State> {
        let (mut budget, mut first) = (time.map(Budget::from_now), true);
        // Whoever looked at it when it was started is waited for.
        let work = self.drive(self.work.held(), |pace| {
            let asked = !std::mem::take(&mut first) && self.pause.load(Ordering::SeqCst);
            !asked && budget.as_mut().is_none_or(|budget| budget.allows(pace))
        })?;
        Ok(if work.is_finished() { State::Finished } else { State::Paused })
    }

    fn wait(&self, most: Duration) -> Result<State> {
        self.process.check("job")?;
        let worker = self.worker.held();
        if self.is_stepped_here() {
            return Err(Error::argument("job", "its own callback cannot wait for it"));
        }
        let running = |_: &mut Worker| self.state() == State::Running;
        let worker = self.ended.wait_while(worker, most, running);
        // The two change together, behind this lock.
        match (&worker.outcome, self.state()) {
            (Some(error), _) => Err(error.again()),
            // Before it was started, or between two starts: there is nothing to come.
            (None, State::Idle | State::Paused) if self.canceller.is_cancelled() => Err(Error::Cancelled),
            (None, state) => Ok(state),
        }
    }
}

impl<W: Work> process::Worker for Shared<W> {
    fn stop(&self) {
        self.canceller.cancel();
    }

    fn join(&self, until: Instant) {
        if self.is_stepped_here() {
            return;
        }
        // One that is in the host's code still is left behind.
        while Instant::now() < until {
            if let Some(mut worker) = self.worker.try_held()
                && worker.thread.as_ref().is_none_or(JoinHandle::is_finished)
            {
                let _ = worker.thread.take().map(JoinHandle::join);
                return;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}
