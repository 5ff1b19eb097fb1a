//! A proxy on loopback in front of one server, the forge. It numbers and records every request, and a rule decides
//! what happens to each. The forge is registry, token server and API at once. The addresses in its answers have
//! the host that the request named, so a client that was given the proxy's address stays on the proxy.

mod exchange;
mod fault;
mod framing;
mod hold;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};

pub use fault::{Answer, Fault, Rewrite};
pub use hold::Hold;

/// A request, before the rule decides about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedRequest {
    /// Its number since the last [`Proxy::take`], from 1.
    pub n: u64,
    /// Such as `GET`.
    pub method: String,
    /// The path with its query: `/v2/token?service=…`.
    pub path: String,
}

/// A request and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The request.
    pub request: ObservedRequest,
    /// When it arrived.
    pub at: SystemTime,
    /// When the server answered, and with which status. `None` if it has not answered yet, or did not get the
    /// request.
    pub answered: Option<(SystemTime, u16)>,
    /// The status that the client got. `None` while it waits, or if it got no complete head.
    pub status: Option<u16>,
    /// Bytes of the request's body that were passed on.
    pub pushed: u64,
    /// The name of the fault; empty for [`Fault::Pass`].
    pub fault: &'static str,
}

/// Everything that went through the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// In the order of their numbers.
    pub exchanges: Vec<Exchange>,
    /// Connections of clients, including those that did not speak HTTP.
    pub connections: u64,
}

impl Log {
    /// How often each method was requested.
    #[must_use]
    pub fn methods(&self) -> BTreeMap<String, u64> {
        let mut methods = BTreeMap::new();
        for exchange in &self.exchanges {
            *methods.entry(exchange.request.method.clone()).or_default() += 1;
        }
        methods
    }

    /// Bytes in the bodies of requests.
    #[must_use]
    pub fn pushed(&self) -> u64 {
        self.exchanges.iter().map(|exchange| exchange.pushed).sum()
    }

    /// Write requests: all but `GET`, `HEAD` and `OPTIONS`.
    #[must_use]
    pub fn writes(&self) -> Vec<&Exchange> {
        self.exchanges.iter().filter(|exchange| is_write(&exchange.request.method)).collect()
    }
}

fn is_write(method: &str) -> bool {
    !["GET", "HEAD", "OPTIONS"].contains(&method)
}

/// Decides what is done to a request.
type Rule = dyn Fn(&ObservedRequest) -> Fault + Send + Sync;

/// A running proxy. It ends when the value is dropped, except for connections that are still open.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the threads of one proxy share.
struct Shared {
    upstream: SocketAddr,
    rule: Mutex<Arc<Rule>>,
    journal: Mutex<Journal>,
    stop: AtomicBool,
}

/// The record of the proxy.
#[derive(Default)]
struct Journal {
    /// Requests since the start.
    count: u64,
    /// How many of them arrived before the last [`Proxy::take`].
    before: u64,
    connections: u64,
    exchanges: BTreeMap<u64, Exchange>,
    /// Write requests that the server has received but not answered.
    writing: u64,
    /// When the last of these ended.
    wrote: Option<Instant>,
}

impl Proxy {
    /// Listens on a free loopback port. At first, everything is passed on to `upstream`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn start(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("opening a port for the proxy")?;
        let address = listener.local_addr().context("reading the proxy's port")?;
        let shared = Arc::new(Shared {
            upstream,
            rule: Mutex::new(Arc::new(|_: &ObservedRequest| Fault::Pass)),
            journal: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if serving.stop.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&serving);
                thread::spawn(move || {
                    // A client that hangs up early is normal. After any other error, the log would be wrong.
                    let served = client.and_then(|client| exchange::serve(&client, &shared));
                    if let Err(error) = served.or_else(hung_up) {
                        eprintln!("testbed: the proxy: {error}");
                    }
                });
            }
        });
        Ok(Self { address, shared })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, `rule` decides about each request before it is passed on.
    pub fn set_rule(&self, rule: impl Fn(&ObservedRequest) -> Fault + Send + Sync + 'static) {
        *lock(&self.shared.rule) = Arc::new(rule);
    }

    /// From now on, everything is passed on unchanged.
    pub fn pass(&self) {
        self.set_rule(|_| Fault::Pass);
    }

    /// What went through since the last call; the numbers start again at 1. Requests in progress are included in their
    /// current state.
    #[must_use]
    pub fn take(&self) -> Log {
        let mut journal = lock(&self.shared.journal);
        journal.before = journal.count;
        let exchanges = std::mem::take(&mut journal.exchanges).into_values().collect();
        Log { exchanges, connections: std::mem::take(&mut journal.connections) }
    }

    /// How many requests of `line`, as [`ObservedRequest::is`] reads it, were answered since the last [`Proxy::take`].
    #[must_use]
    pub fn answered(&self, line: &str) -> usize {
        let journal = lock(&self.shared.journal);
        let is_it = |one: &&Exchange| one.answered.is_some() && one.request.is(line);
        journal.exchanges.values().filter(is_it).count()
    }

    /// A check, for use at any time, whether the server is working on a write request, or was less than `margin` ago.
    /// Otherwise nothing is being changed there through this proxy.
    pub fn writes_lately(&self, margin: Duration) -> impl Fn() -> bool + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move || {
            let journal = lock(&shared.journal);
            journal.writing > 0 || journal.wrote.is_some_and(|ended| ended.elapsed() < margin)
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the thread, which then sees that it must stop. On an error it sees that anyway.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    /// Records a request and asks the rule about it. Returns its number since the start, and the fault.
    fn decide(&self, method: &str, path: &str) -> (u64, Fault) {
        let (number, request) = {
            let mut journal = lock(&self.journal);
            journal.count += 1;
            let number = journal.count;
            let request = ObservedRequest {
                n: number - journal.before,
                method: method.to_owned(),
                path: path.to_owned(),
            };
            let at = SystemTime::now();
            let exchange =
                Exchange { request: request.clone(), at, answered: None, status: None, pushed: 0, fault: "" };
            journal.exchanges.insert(number, exchange);
            (number, request)
        };
        let rule = Arc::clone(&lock(&self.rule));
        let fault = rule(&request);
        self.note(number, |exchange| exchange.fault = fault.name());
        (number, fault)
    }

    /// Records that the server gets a request with this method.
    fn is_passed_on(&self, method: &str) {
        lock(&self.journal).writing += u64::from(is_write(method));
    }

    /// Records that the proxy has finished with the request, answered or not.
    fn has_ended(&self, method: &str) {
        if is_write(method) {
            let mut journal = lock(&self.journal);
            journal.writing -= 1;
            journal.wrote = Some(Instant::now());
        }
    }

    /// Adds to the record of a request, unless the record was taken meanwhile.
    fn note(&self, number: u64, note: impl FnOnce(&mut Exchange)) {
        if let Some(exchange) = lock(&self.journal).exchanges.get_mut(&number) {
            note(exchange);
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hung_up(error: io::Error) -> io::Result<()> {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests;
