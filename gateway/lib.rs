//! Koigate: one URL receives every hook of a koipy bot, every configured callback service is asked, and their
//! verdicts become one answer.
//!
//! This crate is the edges: everything that awaits. What is decided is decided in [`koigate_core`], which does
//! no I/O; what the file says is read by [`koigate_config`] into a plan that can't be wrong.
//!
//! ```text
//! main        arguments, log, exit codes; one match over the commands (cli)
//! assembly    a plan's parts put together
//! server      listeners, signals, draining: the only place that knows the process
//! workers     the threads that serve callers, and beside each one for large bodies
//! inbound     bytes to Request, Response to bytes; Door is what stands behind a listener
//! serve       the hooks' door: auth, route, permits, dispatch, metrics, journal, headers of the answer
//! dispatch    one hook through its chain; the only place that fans out
//! aside       what goes on beside a hook: its shadows, which nobody waits for
//! apart       the thread on which that goes on
//! observers   what follows a hook: who is told of it, in order, once the answer has left
//! buffered    the room for bodies and replies, of all hooks together
//! calls       the calls of one stage; dropping them lets the losers end by rule
//! offload     heavy judgement off the thread; drawing is the same for picture sheets
//! priority    what these threads give way by
//! outbound    one exchange with one backend: dial, pool, codec
//! http1, tls  message framing and TLS, shared by both directions
//! live        a plan, and per backend what lives beside it: pool, permits, meters
//! traces      the last hooks, remembered: bounded in number and bytes
//! metrics, admin, journal, logging, ids, alarm, milliseconds, version
//! ```
//!
//! What holds everywhere:
//!
//! - A hook is answered within its deadline, and by Koigate: never an empty or framework-made error page.
//! - Nothing waits without a bound: bodies, replies, queues, pools, time.
//! - A hook runs on the plan that it began with.
//! - Dropping a future is always safe: state that must outlive it stands outside, and calls end by their own rule.
//! - Configured order decides, never the order of arrival; the one exception is "first reject wins".
//! - Documents, secrets, users' texts and backends' addresses are never logged at `info` or above.

pub mod admin;
pub mod alarm;
pub mod apart;
pub mod aside;
pub mod assembly;
pub mod auth;
pub mod buffered;
pub mod calls;
pub mod descriptors;
pub mod dispatch;
pub mod drawing;
pub mod http1;
pub mod ids;
pub mod inbound;
pub mod journal;
pub mod live;
pub mod logging;
pub mod metrics;
pub mod milliseconds;
pub mod observers;
pub mod offload;
pub mod outbound;
pub mod panics;
pub mod priority;
pub mod route;
pub mod serve;
pub mod server;
mod sync;
pub mod tls;
pub mod traces;
pub mod version;
pub mod workers;
