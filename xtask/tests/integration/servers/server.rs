//! A small server on loopback, which answers as each test requires.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use xtask::http::Curl;
use xtask::oci::registry::{Client, Credentials};
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::secret::Secret;

/// The parts of a request that tests look at: its method and path, and its credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) what: String,
    pub(crate) authorization: Option<String>,
}

/// An answer: status, headers, body.
pub(crate) type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A server that answers until the test's process ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `answer` gets the request and the server's own address.
    pub(crate) fn start(answer: impl Fn(&Asked, SocketAddr) -> Answer + Send + 'static) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, asked) = (listener.local_addr()?, Arc::new(Mutex::new(Vec::new())));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that disconnects early makes its own test fail.
                let _served = stream
                    .map_err(Into::into)
                    .and_then(|stream| serve(&stream, &log, &|asked| answer(asked, address)));
            }
        });
        Ok(Self { address, asked })
    }

    pub(crate) fn client(&self, credentials: Option<Credentials>) -> Result<Client> {
        Ok(Client::new(curl(), format!("{}/acme/carol", self.address).parse()?, credentials))
    }

    /// The requests since the last call, without their credentials.
    pub(crate) fn asked(&self) -> Result<Vec<String>> {
        Ok(self.log()?.into_iter().map(|asked| asked.what).collect())
    }

    /// The requests since the last call.
    pub(crate) fn log(&self) -> Result<Vec<Asked>> {
        Ok(std::mem::take(&mut *self.asked.lock().map_err(|_poisoned| anyhow!("the server panicked"))?))
    }
}

fn serve(mut stream: &TcpStream, log: &Mutex<Vec<Asked>>, answer: &impl Fn(&Asked) -> Answer) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().context("there was no request")??;
    let what = first.rsplit_once(' ').context("no request")?.0.to_owned();
    let mut asked = Asked { what, authorization: None };
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                asked.authorization = Some(value.to_owned());
            }
            _ => {}
        }
    }
    log.lock().map_err(|_poisoned| anyhow!("another connection panicked"))?.push(asked.clone());
    let (status, headers, body) = answer(&asked);
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if !asked.what.starts_with("HEAD") {
        stream.write_all(&body)?;
    }
    Ok(())
}

pub(crate) fn empty(status: u16) -> Answer {
    (status, Vec::new(), Vec::new())
}

pub(crate) fn challenge(address: SocketAddr) -> Answer {
    let challenge = format!("Bearer realm=\"http://{address}/token\",service=\"registry\"");
    (401, vec![("WWW-Authenticate", challenge)], Vec::new())
}

pub(crate) fn alice() -> Credentials {
    Credentials::new("alice", Secret::new("password-of-alice"))
}

/// The HTTP client.
pub(crate) fn curl() -> Curl {
    Curl::new(&Runner::new(&Environment::from_process()), Duration::from_secs(30))
}
