//! Calls that evaluate without a job end when they are cancelled: in the middle of a network that does not end, and
//! where they wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diffuse::denoiser::Condition;
use diffuse::likelihood::Divergence;
use diffuse::network::HostNetwork;
use diffuse::sample::Canceller;
use diffuse::schedule::NoiseLevel;
use diffuse::solver::{Adaptive, Variance};
use diffuse::{Error, Model, ModelOptions, Request, Result};
use ndarray::ArrayD;

use crate::support::graph::{Axis, INT64, MANIFEST, endless, same};
use crate::support::runtime;

const LEVEL: NoiseLevel = NoiseLevel { t: 500.0, alpha: 0.8, sigma: 0.6 };
const TOLERANCE: Adaptive = Adaptive { relative: 1e-5, absolute: 1e-5, max_evaluations: 100_000 };

type Call = (&'static str, fn(&Arc<Model>, &Canceller) -> Result<()>);

/// Every one that takes a canceller.
const CALLS: &[Call] = &[
    ("cost", |model, canceller| Request::default().cost(model, canceller).map(drop)),
    ("trim", |model, canceller| model.trim(canceller)),
    ("denoise", |model, canceller| {
        let x = ArrayD::zeros(vec![1, 4]);
        model.denoise(x.view(), LEVEL, &Condition::default(), canceller).map(drop)
    }),
    ("log_density", |model, canceller| {
        let (x, condition) = (ArrayD::zeros(vec![1, 4]), Condition::default());
        model.log_density(x.view(), &condition, Divergence::Exact, TOLERANCE, 0, canceller).map(drop)
    }),
    ("variational_bound", |model, canceller| {
        let (x, condition) = (ArrayD::zeros(vec![1, 4]), Condition::default());
        model.variational_bound(x.view(), &condition, Variance::Posterior, 0, canceller).map(drop)
    }),
    ("counterfactual", |model, canceller| {
        let image = Some(Arc::new(ArrayD::zeros(vec![1, 4])));
        let guided = Arc::new(|_: &diffuse::denoiser::Query<'_>, _: &mut [f32]| Ok(()));
        let callback = Some(diffuse::request::HostGuidance(guided));
        Request { image, callback, ..Request::default() }.counterfactual(model, canceller, &mut |_| Ok(())).map(drop)
    }),
];

fn open(bytes: &[u8]) -> Arc<Model> {
    Arc::new(Model::from_bytes(&runtime(), bytes, &ModelOptions::default()).unwrap())
}

/// Calls on a thread of its own, and cancels once `begun` says so.
fn cancelled_on_the_way(call: &Call, model: &Arc<Model>, begun: impl Fn()) {
    let (name, call) = *call;
    let canceller = Canceller::default();
    let ended = std::thread::scope(|scope| {
        let working = scope.spawn(|| call(model, &canceller));
        begun();
        canceller.cancel();
        working.join().unwrap()
    });
    assert!(matches!(ended, Err(Error::Cancelled)), "{name}: {ended:?}");
    // It stays cancelled.
    assert!(matches!(call(model, &canceller), Err(Error::Cancelled)), "{name}");
}

#[test]
fn a_network_that_does_not_end_is_ended() {
    let model = open(&endless(MANIFEST));
    for call in CALLS {
        cancelled_on_the_way(call, &model, || std::thread::sleep(Duration::from_millis(30)));
    }
}

#[test]
fn whoever_waits_for_a_turn_is_cancelled_at_once() {
    let model = open(&same(Axis::Free("batch"), INT64, MANIFEST));
    for call in CALLS {
        // The turn is this thread's, for as long as the closure takes.
        model.network().unwrap().with_session(|_| {
            cancelled_on_the_way(call, &model, || std::thread::sleep(Duration::from_millis(10)));
        });
        (call.1)(&model, &Canceller::default()).unwrap();
    }
}

/// The code of a host's network is not ended, but can ask, and what it says then is of no account.
#[test]
fn a_network_of_the_hosts_is_told() {
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    let network = HostNetwork::new(move |question, out| {
        seen.store(true, Ordering::SeqCst);
        while !question.is_cancelled() {
            std::thread::yield_now();
        }
        out.fill(0.0);
        Ok(())
    });
    let model = Arc::new(Model::from_host(MANIFEST, Arc::new(network)).unwrap());
    // There is nothing to give back.
    for call in CALLS.iter().filter(|(name, _)| *name != "trim") {
        asked.store(false, Ordering::SeqCst);
        cancelled_on_the_way(call, &model, || {
            while !asked.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        });
    }
}

#[test]
fn one_canceller_ends_all_that_it_was_handed_to() {
    let models = [open(&endless(MANIFEST)), open(&endless(MANIFEST))];
    let canceller = Canceller::default();
    std::thread::scope(|scope| {
        let working: Vec<_> = models
            .iter()
            .flat_map(|model| CALLS.iter().map(move |call| (model, call)))
            .map(|(model, (_, call))| scope.spawn(|| call(model, &canceller)))
            .collect();
        std::thread::sleep(Duration::from_millis(50));
        canceller.cancel();
        for thread in working {
            assert!(matches!(thread.join().unwrap(), Err(Error::Cancelled)));
        }
    });
}
