//! What threads share, in interleavings by the thousand that shuttle's scheduler chooses: the breaker, the places of a
//! backend, the budget of retries, and the swap of plans. Time stands still but where a rule waits for none.
//!
//! A failure names its schedule, which `shuttle::replay` goes through again.

use std::fs;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use koigate_core::health::{Phase, Sign};
use koigate_core::plan;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, Runner};

use super::breaker::LiveBreaker;
use super::configuration::Configuration;
use super::reload::Reloader;
use super::{Ground, Running};
use crate::metrics::Metrics;
use crate::outbound::Connector;
use crate::sync::{AtomicUsize, Ordering};

/// Half of them choose the next thread evenly, half let one run as long as it can but for a few turns (PCT).
const SCHEDULES: usize = 2_000;
const TURNS: usize = 3;

fn check(model: impl Fn() + Send + Sync + 'static) {
    let model = Arc::new(model);
    let again = Arc::clone(&model);
    let mut config = Config::new();
    // Its own is for bare models; here whole plans are brought to life.
    config.stack_size = 1 << 20;
    Runner::new(RandomScheduler::new(SCHEDULES / 2), config.clone()).run(move || model());
    Runner::new(PctScheduler::new(TURNS, SCHEDULES / 2), config).run(move || again());
}

/// Runs this in so many threads and waits for all.
fn together(threads: usize, each: impl Fn(usize) + Send + Sync + 'static) {
    let each = Arc::new(each);
    let running: Vec<JoinHandle<()>> = (0..threads)
        .map(|thread| {
            let each = Arc::clone(&each);
            thread::spawn(move || each(thread))
        })
        .collect();
    for thread in running {
        thread.join().unwrap();
    }
}

/// A configuration of one backend: the n-th has a timeout of n seconds.
fn configuration(n: u64) -> Configuration {
    let text = format!(
        "[backends.a]\nurl = 'http://127.0.0.1:9/'\ntimeout = '{n}s'\nmax_in_flight = 2\nretries = 1\n\
         breaker = {{ failures = 2, cool_off = '1h' }}\n[hooks.onMessage]\nchain = ['a']\n"
    );
    let file = std::env::temp_dir().join(format!("koigate-model-{:016x}.toml", fastrand::u64(..)));
    fs::write(&file, text).unwrap();
    let configuration = Configuration::read_as_written(&file).unwrap();
    fs::remove_file(file).unwrap();
    configuration
}

fn again(configuration: &Configuration) -> Configuration {
    Configuration {
        plan: configuration.plan.clone(),
        warnings: configuration.warnings.clone(),
        origin: configuration.origin.clone(),
    }
}

/// What the plans of one execution live on; the roots are read once.
fn ground(connector: &Connector) -> Ground {
    Ground {
        connector: connector.clone(),
        metrics: Arc::new(Metrics::new().unwrap()),
        room: Arc::default(),
    }
}

/// Counts who is inside at once.
#[derive(Default)]
struct Inside(AtomicUsize);

impl Inside {
    /// Comes in and leaves again, with no more than so many inside.
    fn visit(&self, most: usize) {
        let others = self.0.fetch_add(1, Ordering::SeqCst);
        assert!(others < most, "{} inside", others + 1);
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

// === the breaker ===

fn breaker(failures: u32, cool_off: Duration) -> Arc<LiveBreaker> {
    let rule = plan::Breaker {
        failures: NonZeroU32::new(failures).unwrap(),
        cool_off,
    };
    LiveBreaker::new(&configuration(1).plan.backends[0], rule)
}

/// Makes a call through the breaker that shows this, if it is let in.
fn call(breaker: &Arc<LiveBreaker>, sign: Sign, meanwhile: impl FnOnce()) -> bool {
    let admitted = breaker.admit(None);
    let is_in = admitted.is_ok();
    if let Ok(mut admitted) = admitted {
        meanwhile();
        admitted.ends(sign);
    }
    is_in
}

#[test]
fn one_trial_is_out_at_a_time() {
    check(|| {
        let (breaker, inside) = (breaker(1, Duration::ZERO), Arc::new(Inside::default()));
        assert!(call(&breaker, Sign::Sick, || ()));
        // None is well, so that it never closes.
        together(3, move |_| {
            for sign in [Sign::Sick, Sign::Unknown] {
                call(&breaker, sign, || inside.visit(1));
            }
        });
    });
}

#[test]
fn failures_in_a_row_open_it_whoever_meets_them() {
    check(|| {
        let breaker = breaker(3, Duration::from_secs(3600));
        let in_threads = Arc::clone(&breaker);
        together(3, move |_| {
            assert!(call(&in_threads, Sign::Sick, thread::yield_now));
        });
        assert_eq!(breaker.phase(), Phase::Open);
        assert!(!call(&breaker, Sign::Well, || ()));
    });
}

#[test]
fn no_end_leaves_it_waiting_for_a_trial_that_is_over() {
    check(|| {
        let breaker = breaker(1, Duration::ZERO);
        let in_threads = Arc::clone(&breaker);
        together(3, move |thread| {
            for turn in 0..2 {
                let sign = [Sign::Sick, Sign::Well, Sign::Unknown][(thread + turn) % 3];
                call(&in_threads, sign, thread::yield_now);
            }
        });
        assert_ne!(breaker.phase(), Phase::Trial);
        assert!(
            call(&breaker, Sign::Well, || ()),
            "nobody is out, and it lets nobody in"
        );
        assert_eq!(breaker.phase(), Phase::Closed);
    });
}

// === a backend ===

#[test]
fn a_budget_is_spent_once() {
    let (configuration, connector) = (configuration(1), Connector::new().unwrap());
    check(move || {
        let running = Running::new(configuration.plan.clone(), None, &ground(&connector));
        let (live, paid) = (running.backends[0].clone(), Arc::new(AtomicUsize::new(0)));
        let in_threads = Arc::clone(&paid);
        together(3, move |_| {
            for _ in 0..3 {
                in_threads.fetch_add(usize::from(live.pay_for_retry()), Ordering::SeqCst);
            }
        });
        // A full one is worth five.
        assert_eq!(paid.load(Ordering::SeqCst), 5);
    });
}

// === the swap ===

/// Four plans, and beside the one who swaps them two who run hooks: each on one plan, none on an older one than it
/// has known, and never more calls at once than the backend takes, whichever plan they began with.
#[test]
fn hooks_begin_on_one_plan_and_plans_go_with_their_last_hook() {
    let (configurations, connector) = ([1, 2, 3, 4].map(configuration), Connector::new().unwrap());
    check(move || {
        let first = again(&configurations[0]);
        let reloader = Arc::new(Reloader::start(first, ground(&connector)));
        let next: Mutex<Vec<_>> = Mutex::new(configurations[1..].iter().map(again).collect());
        let (in_threads, inside) = (Arc::clone(&reloader), Inside::default());
        together(3, move |thread| match thread {
            0 => {
                for configuration in next.lock().unwrap().drain(..) {
                    in_threads.take(configuration);
                }
            }
            _ => run_hooks(&in_threads, &inside),
        });
        let standing = reloader.standing();
        assert_eq!((standing.generation, standing.plans), (4, 1));
        let last = &reloader.running().backends[0];
        assert_eq!((last.in_flight(), last.breaker()), (0, Some(Phase::Closed)));
    });
}

fn run_hooks(reloader: &Reloader, inside: &Inside) {
    let mut known = Duration::ZERO;
    for _ in 0..3 {
        let running = reloader.running();
        let (live, configured) = (&running.backends[0], &running.plan.backends[0]);
        assert_eq!(&live.backend, configured, "half of each of two plans");
        assert!(known <= configured.timeout, "an older plan");
        known = configured.timeout;
        assert!(reloader.standing().plans <= 4);
        if let Ok(_place) = live.enter() {
            inside.visit(configured.max_in_flight);
        }
    }
}
