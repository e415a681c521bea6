//! Runs work on a worker thread or on the caller's, and lets other threads look at it.

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

/// The name of the worker thread.
pub const THREAD: &str = "diffuse job";

/// The state of a runner's job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// No worker thread has it, and it is not finished. Its owner makes the steps.
    Idle,
    /// A worker thread runs it.
    Running,
    /// It is finished, whichever thread ran it.
    Finished,
    /// Its worker thread stopped early with an error, which [`Runner::wait`] returns.
    Stopped,
    /// Its worker thread stopped early because of a pause, or because its time was up.
    Paused,
}

/// Work that several threads may watch and cancel: its progress and its latest estimate.
///
/// The work is done inside of [`step`](Self::step), [`run`](Self::run) and [`advance`](Self::advance) on the calling
/// thread. After [`start`](Self::start) it is done on a worker thread. Meanwhile other calls that use the work return
/// [`Error::Busy`]. Dropping the runner cancels the work and waits for its thread.
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
    /// Whether the work will have samples.
    draws: bool,
    /// The stage, how much of it is done, and how many of the sampling steps are done.
    progress: Mutex<(Stage, Progress, Progress)>,
    /// The expected time of the next step in nanoseconds; 0 before the first.
    expected: AtomicU64,
    /// The thread that is in a step, by its number of [`this_thread`]; 0 for none.
    stepping: AtomicUsize,
    state: AtomicU8,
    pause: AtomicBool,
    /// The priority of the worker threads.
    priority: Mutex<Priority>,
    worker: Mutex<Worker>,
    ended: Condvar,
    /// The error of the latest step that failed.
    failure: Mutex<Option<Error>>,
    /// How many times the preview was made anew.
    estimates: AtomicU64,
    /// A copy of the latest estimate, so that looking at it does not wait for the evaluation that is running.
    preview: Mutex<Option<ArrayD<f32>>>,
    /// The buffer of the next preview.
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

/// A number of this thread that no other living thread has. `std::thread::current` would allocate in a thread that Rust
/// did not start.
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
    /// Creates a runner of a run, or of a [`Job`](crate::Job) alone.
    #[must_use]
    pub fn new(run: impl Into<Run>) -> Self {
        Self::of(run.into())
    }
}

impl<W: Work> Runner<W> {
    /// Creates a runner of work of any kind.
    #[must_use]
    pub fn of(work: W) -> Self {
        Self { shared: Own::new(Arc::new(Shared::new(work))) }
    }

    /// Sets the priority of the worker threads that [`start`](Self::start) creates from now on.
    pub fn set_priority(&self, priority: Priority) {
        *self.shared.priority.held() = priority;
    }

    /// Makes one step, and all that has to be prepared for it.
    ///
    /// # Errors
    /// As [`Work::step`]. [`Error::Busy`] while another thread works on the job. [`Error::Panic`] if it panics.
    pub fn step(&self) -> Result<Progress> {
        let mut steps = 1..=1;
        self.shared.drive_here(|_| steps.next().is_some())
    }

    /// Makes all steps to the end.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run(&self) -> Result<()> {
        self.shared.drive_here(|_| true).map(drop)
    }

    /// Makes as many steps as are expected to fit into `budget`, as [`Job::advance`](crate::Job::advance) does.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn advance(&self, budget: Duration) -> Result<Progress> {
        let mut budget = Budget::new(budget);
        self.shared.drive_here(|pace| budget.allows(pace))
    }

    /// Starts a worker thread that runs the job to its end, or for as long as `time` lasts. The rule of
    /// [`advance`](Self::advance) decides which steps fit. Afterwards, or after a [`pause`](Self::pause), the job can
    /// be started again. So can a job that stopped with an error, unless it was cancelled.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if it was cancelled. [`Error::Busy`] if it runs already, or while another thread makes a
    /// step or looks at it. [`Error::Runtime`] if the system refuses a thread.
    pub fn start(&self, time: Option<Duration>) -> Result<()> {
        Shared::start(&self.shared, time)
    }

    /// Lets the worker thread end after the step that it is in. The samples are whole then. They can be looked at, or
    /// kept in a snapshot.
    pub fn pause(&self) {
        self.shared.pause.store(true, Ordering::SeqCst);
    }

    /// The state of the job.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// Waits until the worker thread has ended, but not longer than `most`. Returns the state of the job then, which is
    /// [`State::Running`] if the time was too short.
    ///
    /// # Errors
    /// The error that the worker stopped with. [`Error::Cancelled`] also if the job was cancelled before its start.
    /// [`Error::Argument`] in a callback of the job itself, which would wait for ever.
    pub fn wait(&self, most: Duration) -> Result<State> {
        self.shared.wait(most)
    }

    /// The error of the latest step that failed, whichever thread it was on. `None` if none has failed.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.shared.failure.held().as_ref().map(Error::again)
    }

    /// Cancels the job, as [`Canceller::cancel`] does.
    pub fn cancel(&self) {
        self.shared.canceller.cancel();
    }

    /// The stage that the work is in, and how much of it is done.
    #[must_use]
    pub fn progress(&self) -> (Stage, Progress) {
        let (stage, progress, _) = *self.shared.progress.held();
        (stage, progress)
    }

    /// How many sampling steps are done, and how many there are: [`Work::steps`].
    #[must_use]
    pub fn steps(&self) -> Progress {
        self.shared.progress.held().2
    }

    /// The expected time of the next step, which any thread may read:
    /// [`Job::expected_step`](crate::Job::expected_step).
    #[must_use]
    pub fn expected_step(&self) -> Option<Duration> {
        match self.shared.expected.load(Ordering::SeqCst) {
            0 => None,
            nanoseconds => Some(Duration::from_nanos(nanoseconds)),
        }
    }

    /// The shape of the samples and how they look.
    ///
    /// # Errors
    /// [`Error::NotYet`] before that is known, which may take a model.
    pub fn samples(&self) -> Result<&Samples> {
        self.shared.samples.get().ok_or_else(|| if self.shared.draws { not_yet() } else { draws_nothing() })
    }

    /// Calls `look` with the work.
    ///
    /// # Errors
    /// [`Error::Busy`] while another thread works on it. Also what `look` returns, which is [`Error::NotYet`] for a run
    /// that has no job yet.
    pub fn look<T>(&self, look: impl FnOnce(&W) -> Result<T>) -> Result<T> {
        look(&*self.shared.lock()?)
    }

    /// Calls `change` with the work, between two steps. `change` must not put other work in its place. The state of a
    /// worker that has stopped is cleared, unless `change` fails. If it fails it must leave the work as it was.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub fn change<T>(&self, change: impl FnOnce(&mut W) -> Result<T>) -> Result<T> {
        let work = &mut *self.shared.lock()?;
        let result = change(work)?;
        // Work that has no samples yet only prepares.
        if work.samples().is_some() {
            self.shared.publish(work);
            self.shared.settle(work.is_finished());
        }
        Ok(result)
    }

    /// Calls `read` with the latest estimate of the clean samples, also while a step is running.
    ///
    /// # Errors
    /// [`Error::NotYet`] before the first step. Also what `read` returns.
    pub fn preview<T>(&self, read: impl FnOnce(ArrayViewD<'_, f32>) -> Result<T>) -> Result<T> {
        match self.shared.preview.held().as_ref() {
            Some(preview) => read(preview.view()),
            None if !self.shared.draws => Err(draws_nothing()),
            None => Err(Error::not_yet("the job has no preview before its first step")),
        }
    }

    /// How many estimates there were since the runner was created. A host that shows the [`preview`](Self::preview)
    /// redraws it when this number has changed.
    #[must_use]
    pub fn estimates(&self) -> u64 {
        self.shared.estimates.load(Ordering::SeqCst)
    }

    /// Cancels the work, and waits until no thread works on it and its worker thread has ended. In a callback of the
    /// job itself it does not wait. It must not be called within [`look`](Self::look) or [`change`](Self::change),
    /// which it would wait for.
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

/// The expected time of the next step in nanoseconds; 0 where nothing is known.
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

    /// Locks the work for a call of the owner's. It fails while the worker has it.
    fn lock(&self) -> Result<Guard<'_, W>> {
        self.process.check("job")?;
        // The order matters: a thread that starts a worker holds the work, so a state that is seen with it stays.
        let work = self.work.try_held().ok_or(Error::Busy)?;
        if self.state() == State::Running {
            return Err(Error::Busy);
        }
        Ok(work)
    }

    /// Locks the work for the thread that works on it.
    fn claimed(&self) -> Result<Guard<'_, W>> {
        match self.lock() {
            // The thread that frees the job holds it for a moment.
            Err(Error::Busy) if self.canceller.is_cancelled() => Err(Error::Cancelled),
            work => work,
        }
    }

    /// Sets the state of a job that no worker has.
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

    /// Makes steps on this thread for as long as `more` returns true, and publishes what comes of them.
    fn drive<'a>(&self, mut work: Guard<'a, W>, mut more: impl FnMut(&mut Pace) -> bool) -> Result<Guard<'a, W>> {
        let stepping = Stepping::begin(&self.stepping);
        // A panic becomes an error like any other. It may come from the caller's own code.
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

    /// Publishes the progress of the work and its latest estimate to other threads.
    fn publish(&self, work: &mut W) {
        // This is not the copy that others look at, so they do not wait for it. This thread may be of low priority.
        let mut next = self.next_preview.held();
        match (work.preview(), next.as_mut()) {
            (Some(latest), Some(next)) => next.assign(&latest),
            // Without memory for it there is no preview.
            (latest, _) => *next = latest.and_then(|latest| copy(&latest).ok()),
        }
        let is_there = next.is_some();
        std::mem::swap(&mut *self.preview.held(), &mut *next);
        // A preview that has gone counts as a new one.
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
        // This is held until others see that the job runs. As everywhere, it comes before the worker's lock.
        let claim = self.claimed()?;
        let mut worker = self.worker.held();
        // A worker that has ended only has to be joined.
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
            // The job may be freed here, before the thread ends.
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

    /// The worker thread's function.
    fn run(&self, time: Option<Duration>) -> Result<State> {
        let (mut budget, mut first) = (time.map(Budget::from_now), true);
        // This waits for any thread that looked at the work when it was started.
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
            // It was cancelled before it was started, or between two starts. Nothing will come of it.
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
        // A thread that is still in the host's code is left behind.
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
