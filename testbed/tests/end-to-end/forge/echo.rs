//! A server that refuses every credential and sends it back in its answer. Forgejo does that with a bad token,
//! Gitea does not. This server lets the test run on either.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// After this long without a byte, a client is taken to be gone.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The server. It ends when the value is dropped.
pub(super) struct Echo {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Echo {
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("listening on a free port")?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                // It does not matter to the server if a client hangs up in the middle.
                stream.and_then(answer).ok();
            }
        });
        Ok(Self { address, stop })
    }

    /// `127.0.0.1:PORT`
    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread, which then sees that it must stop.
        TcpStream::connect(self.address).ok();
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let (mut first, mut credential) = (None, String::new());
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            value.clone_into(&mut credential);
        }
        first.get_or_insert(line);
    }
    // An answer to HEAD has no body that could send anything back.
    let is_head = first.is_some_and(|line| line.starts_with("HEAD "));
    let (status, body) = if is_head {
        ("404 Not Found", String::new())
    } else {
        ("401 Unauthorized", format!("{{\"message\":\"access token does not exist [sha: {credential}]\"}}"))
    };
    let headers =
        "WWW-Authenticate: Basic realm=\"echo\"\r\nContent-Type: application/json\r\nConnection: close";
    write!(stream, "HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
