//! A proxy on loopback in front of the forge that hands every byte on as it came and counts: requests by method, and the
//! bytes of their bodies. Both contestants know the forge by its address alone.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};

use super::framing::{forward_body, read_head};

/// What a server says to a client that begins with TLS: clients of a loopback registry try that first.
const NOT_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Requests by method.
    pub(super) requests: BTreeMap<String, u64>,
    /// Bytes in the bodies of requests: what was pushed.
    pub(super) pushed: u64,
    /// Connections.
    pub(super) connections: u64,
}

impl Traffic {
    /// Requests of any method.
    pub(super) fn total(&self) -> u64 {
        self.requests.values().sum()
    }
}

/// A running proxy; it ends with the process.
pub(super) struct Proxy {
    /// Where it listens.
    pub(super) address: SocketAddr,
    traffic: Arc<Mutex<Traffic>>,
}

impl Proxy {
    /// Listens on a free loopback port and hands on to `upstream`.
    pub(super) fn start(upstream: SocketAddr) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("opening a port for the counting proxy")?;
        let address = listener.local_addr().context("asking for the counting proxy's port")?;
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let counted = Arc::clone(&traffic);
        thread::spawn(move || {
            for client in listener.incoming() {
                let counted = Arc::clone(&counted);
                thread::spawn(move || {
                    let served = client.and_then(|client| serve(&client, upstream, &counted));
                    // A client that hangs up in the middle is no news; anything else would make the counts wrong.
                    if let Err(error) = served.or_else(hung_up) {
                        eprintln!("testbed: the counting proxy: {error}");
                    }
                });
            }
        });
        Ok(Self { address, traffic })
    }

    /// What went through since the last call.
    pub(super) fn take(&self) -> Traffic {
        std::mem::take(&mut *lock(&self.traffic))
    }
}

fn lock(traffic: &Mutex<Traffic>) -> MutexGuard<'_, Traffic> {
    traffic.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hung_up(error: io::Error) -> io::Result<()> {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};
    match error.kind() {
        BrokenPipe | ConnectionReset | NotConnected | UnexpectedEof => Ok(()),
        _ => Err(error),
    }
}

/// Serves one connection to its end.
fn serve(client: &TcpStream, upstream: SocketAddr, traffic: &Mutex<Traffic>) -> io::Result<()> {
    lock(traffic).connections += 1;
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(upstream)?;
    server.set_nodelay(true)?;
    let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
    let answering = thread::spawn(move || {
        let copied = io::copy(&mut answers, &mut back);
        // The server has closed: the client must see that, or it waits for an answer that never comes.
        copied.and(back.shutdown(Shutdown::Both))
    });
    let asked = ask(client, &mut server, traffic);
    server.shutdown(Shutdown::Write).or_else(hung_up)?;
    let answered = answering.join().map_err(|_panic| io::Error::other("a thread panicked"))?;
    asked.and(answered.or_else(hung_up))
}

fn ask(client: &TcpStream, server: &mut TcpStream, traffic: &Mutex<Traffic>) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    loop {
        let head = match read_head(&mut reader) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let mut client = client;
                return client.write_all(NOT_HTTP);
            }
            Err(error) => return Err(error),
        };
        *lock(traffic).requests.entry(head.method).or_default() += 1;
        server.write_all(&head.bytes)?;
        let size = forward_body(&head.body, &mut reader, server)?;
        lock(traffic).pushed += size;
    }
}

#[cfg(test)]
mod tests {
    use super::Proxy;
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread;

    #[test]
    fn bytes_pass_unchanged_and_are_counted() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap()).unwrap();
        let request = b"PUT /x HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody".to_vec();
        let expected = request.clone();
        let serving = thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            let mut seen = Vec::new();
            connection.read_to_end(&mut seen).unwrap();
            connection.write_all(b"HTTP/1.1 201 Created\r\n\r\n").unwrap();
            seen
        });
        let mut client = TcpStream::connect(proxy.address).unwrap();
        client.write_all(&request).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(serving.join().unwrap(), expected);
        assert_eq!(answer, "HTTP/1.1 201 Created\r\n\r\n");
        let traffic = proxy.take();
        assert_eq!((traffic.requests["PUT"], traffic.total(), traffic.pushed), (1, 1, 4));
        assert_eq!(proxy.take().total(), 0);
    }
}
