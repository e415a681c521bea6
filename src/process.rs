//! The process: its forks, which have none of its other threads, and its end, which may come while threads of this
//! crate run.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Once, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cancel::{Canceller, Interrupt};
use crate::error::{Error, Result};
use crate::sync::Mutex;

/// How often this process was forked. Its parent counts one less. The system may use the number of a process again, in
/// another namespace.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// A process, by its generation and, for messages, its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    generation: u32,
    number: u32,
}

impl Process {
    /// The current process. A fork is noticed when it happens, since a handle checks its process at every call.
    pub(crate) fn current() -> Self {
        /// The number of this process; 0 until it is first needed.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut number = NUMBER.load(Ordering::Relaxed);
        if number == 0 {
            notice_forks(&NUMBER);
            number = std::process::id();
            NUMBER.store(number, Ordering::Relaxed);
        }
        Self { generation: GENERATION.load(Ordering::Relaxed), number }
    }

    /// The generation, which differs from that of its parents. It is 0 for the first process that has the library.
    pub(crate) fn generation(self) -> u32 {
        self.generation
    }

    /// Whether it is the current process.
    pub(crate) fn is_current(self) -> bool {
        self.generation == Self::current().generation
    }

    /// Refuses the object `name`, which was made in this process.
    ///
    /// # Errors
    /// [`Error::Argument`] in a process that was forked from it. The threads that worked on the object are not there,
    /// and may hold its locks.
    pub(crate) fn check(self, name: &'static str) -> Result<()> {
        if self.is_current() {
            return Ok(());
        }
        let reason =
            format!("opened in process {}, which this one was forked from; open another one here", self.number);
        Err(Error::argument(name, reason))
    }
}

/// Sets `number` back to 0 in every child from now on.
#[cfg(unix)]
fn notice_forks(number: &'static AtomicU32) {
    static NUMBERS: AtomicPtr<AtomicU32> = AtomicPtr::new(null_mut());
    static ONCE: Once = Once::new();
    extern "C" fn before() {
        // ONNX Runtime makes what it needs in its first calls, behind locks that the child would inherit. None begins
        // from here on, so there is no next one to wait for.
        FORKS.fetch_add(1, Ordering::SeqCst);
        let start = Instant::now();
        while others_call_first() && start.elapsed() < LONGEST_FORK {
            std::thread::sleep(Duration::from_micros(100));
        }
        while REGISTERING.swap(true, Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }
    extern "C" fn in_the_parent() {
        REGISTERING.store(false, Ordering::SeqCst);
        FORKS.fetch_sub(1, Ordering::SeqCst);
    }
    extern "C" fn in_the_child() {
        REGISTERING.store(false, Ordering::SeqCst);
        GENERATION.fetch_add(1, Ordering::Relaxed);
        TORN.store(TORN.load(Ordering::SeqCst) || others_call_first(), Ordering::SeqCst);
        FIRST_CALLS.store(0, Ordering::SeqCst);
        FORKS.store(0, Ordering::SeqCst);
        // SAFETY: it was stored before this function was registered, and lives for ever.
        unsafe { &*NUMBERS.load(Ordering::SeqCst) }.store(0, Ordering::Relaxed);
    }
    NUMBERS.store(std::ptr::from_ref(number).cast_mut(), Ordering::SeqCst);
    ONCE.call_once(|| {
        // SAFETY: the functions do what one may do around a fork, which is to load and store. Where there is no memory
        // for it, forks go unnoticed, as they would without it.
        unsafe { libc::pthread_atfork(Some(before), Some(in_the_parent), Some(in_the_child)) };
    });
}

/// How long a fork waits for other threads that open ONNX Runtime or a model, or evaluate one for the first time.
#[cfg(unix)]
const LONGEST_FORK: Duration = Duration::from_secs(1);

/// Whether a fork left ONNX Runtime in the middle of such a call.
static TORN: AtomicBool = AtomicBool::new(false);

#[cfg(unix)]
fn others_call_first() -> bool {
    FIRST_CALLS.load(Ordering::SeqCst) > OWN_FIRST_CALLS.get()
}

/// Checks that this process can use ONNX Runtime.
///
/// # Errors
/// [`Error::Runtime`] in a child of a fork that found another thread in the middle of an opening. ONNX Runtime would
/// wait for that thread for ever.
pub(crate) fn check_runtime() -> Result<()> {
    if !TORN.load(Ordering::SeqCst) {
        return Ok(());
    }
    let reason =
        "another thread was opening it, or a model, as this process was forked; fork before that, or when it is done";
    Err(Error::runtime(reason))
}

#[cfg(not(unix))]
fn notice_forks(_: &'static AtomicU32) {}

/// A static value of which each process has its own. A fork begins with a fresh one, since that of its parent may be
/// locked by threads that are not there.
pub(crate) struct PerProcess<T>(AtomicPtr<(u32, T)>);

impl<T: Default + Send + Sync + 'static> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// The value of this process, which lives as long as the process.
    pub(crate) fn get(&'static self) -> &'static T {
        let generation = Process::current().generation;
        loop {
            let known = self.0.load(Ordering::SeqCst);
            // SAFETY: what is stored there comes from a box that is never freed.
            if let Some((of, thing)) = unsafe { known.as_ref() }
                && *of == generation
            {
                return thing;
            }
            let fresh = Box::into_raw(Box::new((generation, T::default())));
            if self.0.compare_exchange(known, fresh, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                // SAFETY: it was made above, and no other thread has it.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}

/// A worker thread of this crate.
pub(crate) trait Worker: Send + Sync {
    /// Makes it end soon.
    fn stop(&self);

    /// Waits until it has ended, but not beyond `until`, whatever it and others hold.
    fn join(&self, until: Instant);
}

/// What has to be stopped when the process ends.
#[derive(Default)]
struct State {
    workers: Mutex<Vec<Weak<dyn Worker>>>,
    /// Cancelled at the end. It interrupts every evaluation, and every opening of a model.
    ending: Canceller,
    /// The number of running calls of ONNX Runtime.
    calls: AtomicUsize,
    /// The number of workers, until everything that they had is freed.
    working: AtomicUsize,
    /// Whether the end has been noticed.
    ended: AtomicBool,
    /// Whether the waiting is over. What is not freed by now is never freed.
    over: AtomicBool,
}

static STATE: PerProcess<State> = PerProcess::new();

fn state() -> &'static State {
    STATE.get()
}

thread_local! {
    /// The number of calls of ONNX Runtime that this thread is in.
    static OWN_CALLS: Cell<usize> = const { Cell::new(0) };
    /// The number of [`FIRST_CALLS`] that are this thread's.
    static OWN_FIRST_CALLS: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread ends the process.
    static FIRST_TO_END: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread is a worker.
    static WORKS: Cell<bool> = const { Cell::new(false) };
}

/// Stops `worker` when the process ends.
pub(crate) fn stop_at_exit(worker: &Arc<dyn Worker>) {
    static ONCE: Once = Once::new();
    ONCE.call_once(register);
    attend();
    let mut workers = state().workers.held();
    workers.retain(|known| known.strong_count() > 0);
    workers.push(Arc::downgrade(worker));
}

/// Interrupts `interrupt` when the process ends.
pub(crate) fn interrupt_at_exit(interrupt: &Arc<dyn Interrupt>) {
    state().ending.add(interrupt);
}

/// Whether the process ends.
pub(crate) fn is_ending() -> bool {
    state().ending.is_cancelled()
}

/// Whether a thread is in the system's `atexit`. A fork waits for it. Otherwise the child's own end would wait for ever
/// for the lock that the thread holds.
static REGISTERING: AtomicBool = AtomicBool::new(false);

/// Registers the function that stops everything at the end of the process.
fn register() {
    // From now on forks are noticed.
    Process::current();
    while REGISTERING.swap(true, Ordering::SeqCst) {
        std::thread::yield_now();
    }
    // Windows ends all other threads before a library is told of the end. It then holds the loader's lock, under which
    // no thread can be waited for.
    #[cfg(unix)]
    // SAFETY: the function may be called at exit, and at the unloading of its module, for which the system's `atexit`
    // provides. Where there is no memory for it, the process ends as it would without it.
    unsafe {
        libc::atexit(at_exit)
    };
    REGISTERING.store(false, Ordering::SeqCst);
}

/// Makes forks wait while it lives, up to [`LONGEST_FORK`], and waits for a fork that is running. What is locked or
/// half made here would stay so in the child for ever.
pub(crate) struct Unforked(Process);

impl Unforked {
    pub(crate) fn begin() -> Self {
        let process = Process::current();
        loop {
            FIRST_CALLS.fetch_add(1, Ordering::SeqCst);
            // A call within another goes on, and the fork waits for both.
            if FORKS.load(Ordering::SeqCst) == 0 || OWN_FIRST_CALLS.get() > 0 {
                break;
            }
            FIRST_CALLS.fetch_sub(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_micros(100));
        }
        OWN_FIRST_CALLS.set(OWN_FIRST_CALLS.get() + 1);
        Self(process)
    }
}

impl Drop for Unforked {
    fn drop(&mut self) {
        if self.0.is_current() {
            OWN_FIRST_CALLS.set(OWN_FIRST_CALLS.get() - 1);
            FIRST_CALLS.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Calls [`register`] again and again while it lives, beside a call of ONNX Runtime.
///
/// What was registered last is called first. The destructors of ONNX Runtime must not run while a thread is in it. They
/// are registered when it is loaded, and more of them during its first calls. [`attend`] notices the end before any of
/// them, but not in every process.
pub(crate) struct Vigil {
    over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
    /// The field that is dropped last.
    unforked: Unforked,
}

/// The number of these calls that are running.
static FIRST_CALLS: AtomicUsize = AtomicUsize::new(0);

/// The number of forks that are running. None of these calls begins beside one.
static FORKS: AtomicUsize = AtomicUsize::new(0);

impl Vigil {
    /// Watches over a call of this kind. The first calls of a kind register something.
    pub(crate) fn keep(kind: &str) -> Self {
        /// The number of calls of a kind until nothing new is registered, with some to spare.
        const CALLS: usize = 8;
        static SEEN: PerProcess<Mutex<BTreeMap<String, usize>>> = PerProcess::new();
        let over = Arc::new(AtomicBool::new(false));
        let mut vigil = Self { over: Arc::clone(&over), watcher: None, unforked: Unforked::begin() };
        if cfg!(not(unix)) {
            return vigil;
        }
        let mut seen = SEEN.get().held();
        let count = seen.entry(kind.to_owned()).or_default();
        *count += 1;
        if *count > CALLS {
            return vigil;
        }
        drop(seen);
        register();
        let watch = move || {
            let start = Instant::now();
            while !over.load(Ordering::SeqCst) {
                // Each takes a few bytes for good, so they get rarer in a long call.
                std::thread::park_timeout((start.elapsed() / 64).max(Duration::from_micros(100)));
                register();
            }
        };
        // Without the thread the call goes on as well.
        vigil.watcher = std::thread::Builder::new().name("diffuse exit".into()).stack_size(64 << 10).spawn(watch).ok();
        vigil
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        if !self.unforked.0.is_current() {
            return;
        }
        self.over.store(true, Ordering::SeqCst);
        if let Some(watcher) = self.watcher.take() {
            watcher.thread().unpark();
            let _ = watcher.join();
            register();
        }
    }
}

/// Makes the end of the process noticed before anything is destroyed, where this is the main thread. On Linux `exit`
/// first runs the thread's own destructors. With glibc, those of the main thread run at no other time.
pub(crate) fn attend() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        struct MainThread(bool);

        impl Drop for MainThread {
            fn drop(&mut self) {
                if self.0 {
                    at_exit();
                }
            }
        }

        thread_local! {
            // SAFETY: a system call without arguments, which cannot fail.
            static THREAD: MainThread = MainThread(u32::try_from(unsafe { libc::gettid() }) == Ok(std::process::id()));
        }

        // In the thread's last moments there is nothing left to notice.
        let _ = THREAD.try_with(|_| ());
    }
}

/// How long the end of the process waits for calls of ONNX Runtime. It checks between the nodes of a network and the
/// parts of an opening.
const LONGEST_CALL: Duration = Duration::from_secs(10);

/// How long the end of the process waits for workers that are in the host's code.
const LONGEST_WORKER: Duration = Duration::from_secs(2);

#[cfg_attr(not(unix), expect(dead_code, reason = "nothing is stopped there"))]
extern "C" fn at_exit() {
    let state = state();
    // It is registered more than once. Another thread that ends the process as well must not go on to the destructors
    // before this one is done.
    if state.ended.swap(true, Ordering::SeqCst) {
        let start = Instant::now();
        while !FIRST_TO_END.get() && start.elapsed() < LONGEST_CALL + LONGEST_WORKER + LONGEST_WORKER {
            std::thread::sleep(Duration::from_millis(1));
        }
        return;
    }
    FIRST_TO_END.set(true);
    state.ending.cancel();
    let workers: Vec<Arc<dyn Worker>> = state.workers.held().iter().filter_map(Weak::upgrade).collect();
    workers.iter().for_each(|worker| worker.stop());
    let start = Instant::now();
    state.wait_for_calls(start + LONGEST_CALL);
    let until = Instant::now() + LONGEST_WORKER;
    workers.iter().for_each(|worker| worker.join(until));
    drop(workers);
    while state.working.load(Ordering::SeqCst) > usize::from(WORKS.get()) && Instant::now() < until {
        std::thread::sleep(Duration::from_micros(200));
    }
    state.over.store(true, Ordering::SeqCst);
    // Some calls may have begun just before.
    state.wait_for_calls(start + LONGEST_CALL + LONGEST_WORKER);
}

impl State {
    /// Waits until no other thread is in a call of ONNX Runtime, but not for ever.
    fn wait_for_calls(&self, until: Instant) {
        while self.calls.load(Ordering::SeqCst) > OWN_CALLS.get() && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

/// Gives way to the threads of other work, as far as the system lets a thread lower its own priority.
pub(crate) fn give_way() -> std::io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // The nice value is a thread's on Linux, and not its process's as in POSIX: 0 is the calling thread. It counts
        // from the main thread's, since a thread begins with that of its creator, which may give way already.
        const STEPS: i32 = 10;
        // SAFETY: no call touches memory. -1 may be a nice value; an error is one of the last call as well.
        let (own, lowered, refused) = unsafe {
            let own = libc::getpriority(libc::PRIO_PROCESS, 0);
            let main = libc::getpriority(libc::PRIO_PROCESS, libc::getpid().cast_unsigned());
            let lowered = (main + STEPS).clamp(own, 19.max(own));
            (own, lowered, libc::setpriority(libc::PRIO_PROCESS, 0, lowered))
        };
        if refused == 0 || own == lowered { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    }
    #[cfg(target_vendor = "apple")]
    {
        // SAFETY: it touches no memory.
        match unsafe { libc::pthread_set_qos_class_self_np(libc::qos_class_t::QOS_CLASS_UTILITY, 0) } {
            0 => Ok(()),
            code => Err(std::io::Error::from_raw_os_error(code)),
        }
    }
    #[cfg(windows)]
    {
        #[link(name = "kernel32")]
        unsafe extern "system" {
            fn GetCurrentThread() -> *mut std::ffi::c_void;
            fn SetThreadPriority(thread: *mut std::ffi::c_void, priority: i32) -> i32;
        }
        /// The constant THREAD_PRIORITY_LOWEST.
        const LOWEST: i32 = -2;
        // SAFETY: the handle is a constant that stands for the thread that calls.
        if unsafe { SetThreadPriority(GetCurrentThread(), LOWEST) } != 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows)))]
    Err(std::io::ErrorKind::Unsupported.into())
}

/// A worker, from its first moment to its last. The end of the process waits for it.
pub(crate) struct Working(&'static State);

impl Working {
    pub(crate) fn begin() -> Self {
        let state = state();
        state.working.fetch_add(1, Ordering::SeqCst);
        WORKS.set(true);
        Self(state)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A call of ONNX Runtime, from its creation to its drop. The end of the process waits for it.
pub(crate) struct Call(&'static State);

impl Call {
    /// Begins a call.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the process ends.
    pub(crate) fn begin() -> Result<Self> {
        let call = Self::begin_the_last();
        // The call is counted first. The thread that ends the process sets the flag before it reads the count.
        if call.0.ending.is_cancelled() { Err(Error::Cancelled) } else { Ok(call) }
    }

    /// Begins a call that is not refused.
    fn begin_the_last() -> Self {
        let state = state();
        state.calls.fetch_add(1, Ordering::SeqCst);
        OWN_CALLS.set(OWN_CALLS.get() + 1);
        Self(state)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        OWN_CALLS.set(OWN_CALLS.get() - 1);
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A value that is freed only in the process that made it. The threads that its freeing waits for are there.
#[derive(Debug)]
pub(crate) struct Own<T> {
    thing: ManuallyDrop<T>,
    process: Process,
    native: bool,
}

impl<T> Own<T> {
    pub(crate) fn new(thing: T) -> Self {
        Self::made(thing, false)
    }

    /// A value of ONNX Runtime's. It is not freed once the process has ended all calls, since what it needs may be
    /// gone.
    pub(crate) fn native(thing: T) -> Self {
        Self::made(thing, true)
    }

    fn made(thing: T, native: bool) -> Self {
        Self { thing: ManuallyDrop::new(thing), process: Process::current(), native }
    }
}

impl<T> Deref for Own<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.thing
    }
}

impl<T> DerefMut for Own<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.thing
    }
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        let call = self.native.then(Call::begin_the_last);
        if self.process.is_current() && !call.as_ref().is_some_and(|call| call.0.over.load(Ordering::SeqCst)) {
            // SAFETY: it is not used again, since this is its owner's drop.
            unsafe { ManuallyDrop::drop(&mut self.thing) };
        }
    }
}
