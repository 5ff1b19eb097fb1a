//! A proxy on loopback in front of one server, the forge: it numbers and records every request, and does to each what a
//! rule says. The forge is registry, token server and API at once, and answers with addresses at the host that it was asked
//! by: a client that was given the proxy's address stays on the proxy.

mod exchange;
mod fault;
mod framing;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};

pub use fault::{Answer, Fault, Rewrite};

/// A request before anything is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSeen {
    /// Its number since the last [`Proxy::take`], from 1.
    pub n: u64,
    /// Such as `GET`.
    pub method: String,
    /// With the query: `/v2/token?service=…`.
    pub path: String,
}

/// A request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The request.
    pub request: RequestSeen,
    /// When it came.
    pub at: SystemTime,
    /// When the server behind answered, and with which status; `None` while it has not, or when it was not asked.
    pub answered: Option<(SystemTime, u16)>,
    /// What the client was answered; `None` while it waits, or when it got no whole head.
    pub status: Option<u16>,
    /// Bytes in the request's body that were handed on.
    pub pushed: u64,
    /// What was done to it, in a word; empty for [`Fault::Pass`].
    pub fault: &'static str,
}

/// What went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// By number.
    pub exchanges: Vec<Exchange>,
    /// Connections of clients, those that came with something else than HTTP included.
    pub connections: u64,
}

impl Log {
    /// How often each method was asked.
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

    /// Requests that ask for a change: all but `GET`, `HEAD` and `OPTIONS`.
    #[must_use]
    pub fn writes(&self) -> Vec<&Exchange> {
        self.exchanges.iter().filter(|exchange| is_write(&exchange.request.method)).collect()
    }
}

fn is_write(method: &str) -> bool {
    !["GET", "HEAD", "OPTIONS"].contains(&method)
}

/// What is done to a request.
type Rule = dyn Fn(&RequestSeen) -> Fault + Send + Sync;

/// A running proxy; it ends with the value, connections that are under way apart.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the threads of one proxy share.
struct Shared {
    upstream: SocketAddr,
    rule: Mutex<Arc<Rule>>,
    book: Mutex<Book>,
    stop: AtomicBool,
}

/// What is written down.
#[derive(Default)]
struct Book {
    /// Requests since the start.
    count: u64,
    /// Of these, before the last [`Proxy::take`].
    before: u64,
    connections: u64,
    exchanges: BTreeMap<u64, Exchange>,
    /// Requests that ask for a change, and that the server has been handed and not answered.
    writing: u64,
    /// When the last one of these ended.
    wrote: Option<Instant>,
}

impl Proxy {
    /// Listens on a free loopback port and hands on to `upstream`, everything at first.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn start(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("opening a port for the proxy")?;
        let address = listener.local_addr().context("asking for the proxy's port")?;
        let shared = Arc::new(Shared {
            upstream,
            rule: Mutex::new(Arc::new(|_: &RequestSeen| Fault::Pass)),
            book: Mutex::default(),
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
                    // A client that hangs up in the middle is no news; anything else would make the log wrong.
                    let served = client.and_then(|client| exchange::serve(&client, &shared));
                    if let Err(error) = served.or_else(hung_up) {
                        eprintln!("testbed: the proxy: {error}");
                    }
                });
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, `rule` decides about each request before it is handed on.
    pub fn set_rule(&self, rule: impl Fn(&RequestSeen) -> Fault + Send + Sync + 'static) {
        *lock(&self.shared.rule) = Arc::new(rule);
    }

    /// From now on, everything is handed on as it is.
    pub fn pass(&self) {
        self.set_rule(|_| Fault::Pass);
    }

    /// What went through since the last call; the numbers begin again. Requests that are under way are in it as they are.
    #[must_use]
    pub fn take(&self) -> Log {
        let mut book = lock(&self.shared.book);
        book.before = book.count;
        let exchanges = std::mem::take(&mut book.exchanges).into_values().collect();
        Log { exchanges, connections: std::mem::take(&mut book.connections) }
    }

    /// Tells, at any time, whether the server behind has a request that asks for a change, or had one less than `margin` ago.
    /// While it has none, nothing changes there through this proxy.
    pub fn writes_lately(&self, margin: Duration) -> impl Fn() -> bool + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move || {
            let book = lock(&shared.book);
            book.writing > 0 || book.wrote.is_some_and(|ended| ended.elapsed() < margin)
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the thread, which then sees that it is over. An error means that it sees it anyway.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    /// Writes a request down and asks the rule about it; returns its number since the start with that.
    fn decide(&self, method: &str, path: &str) -> (u64, Fault) {
        let (number, request) = {
            let mut book = lock(&self.book);
            book.count += 1;
            let number = book.count;
            let request =
                RequestSeen { n: number - book.before, method: method.to_owned(), path: path.to_owned() };
            let at = SystemTime::now();
            let exchange =
                Exchange { request: request.clone(), at, answered: None, status: None, pushed: 0, fault: "" };
            book.exchanges.insert(number, exchange);
            (number, request)
        };
        let rule = Arc::clone(&lock(&self.rule));
        let fault = rule(&request);
        self.note(number, |exchange| exchange.fault = fault.name());
        (number, fault)
    }

    /// The server gets a request of this method.
    fn is_handed_on(&self, method: &str) {
        lock(&self.book).writing += u64::from(is_write(method));
    }

    /// It has answered it, or was left.
    fn has_ended(&self, method: &str) {
        if is_write(method) {
            let mut book = lock(&self.book);
            book.writing -= 1;
            book.wrote = Some(Instant::now());
        }
    }

    /// Adds to what is written of a request, unless that was taken meanwhile.
    fn note(&self, number: u64, note: impl FnOnce(&mut Exchange)) {
        if let Some(exchange) = lock(&self.book).exchanges.get_mut(&number) {
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
