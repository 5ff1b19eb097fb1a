//! curl as `http.rs` runs it, against a small server on loopback that answers each connection as instructed.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Error, Result, anyhow};
use xtask::http::{Curl, Method, Request, is_timeout};
use xtask::oci::registry::Client;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::failure::is_transient;
use xtask::process::temp_dir::TempDir;

/// Answers the connections one after the other, and returns the first line of each request.
fn serve(answers: &'static [&'static str]) -> Result<(String, JoinHandle<Result<Vec<String>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    let server = thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept()?;
            let mut lines = BufReader::new(stream.try_clone()?).lines();
            requests.push(lines.next().transpose()?.unwrap_or_default());
            while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
            stream.write_all(answer.as_bytes())?;
        }
        Ok(requests)
    });
    Ok((url, server))
}

fn curl() -> Curl {
    Curl::new(&Runner::new(&Environment::from_process()), Duration::from_secs(30))
}

fn join(server: JoinHandle<Result<Vec<String>>>) -> Result<Vec<String>> {
    server.join().map_err(|_panic| anyhow!("the server panicked"))?
}

const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwhole";
const CUT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\nwho";
const BUSY: &str =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[test]
fn a_request_is_retried_after_a_truncated_answer_and_when_the_server_is_busy() -> Result<()> {
    let (url, server) = serve(&[CUT, BUSY, "", WHOLE])?;
    let response = curl().send(&Request::new(Method::Get, url))?;
    assert_eq!((response.status, response.body.as_slice()), (200, b"whole".as_slice()));
    assert_eq!(join(server)?, ["GET / HTTP/1.1"; 4]);
    Ok(())
}

/// Old versions of curl only enforce a size limit if the answer gives its size.
#[test]
fn a_download_is_limited_whether_or_not_the_answer_gives_its_size() -> Result<()> {
    const UNSIZED: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwhole";
    let scratch = TempDir::new()?;
    let file = scratch.path().join("answer");
    let download = |answer: &'static [&'static str], most| {
        let (url, server) = serve(answer)?;
        let answer = curl().download(&Request::new(Method::Get, url), &file, most, Duration::from_secs(30));
        join(server)?;
        Ok::<_, Error>(answer)
    };
    for answer in [&[WHOLE], &[UNSIZED]] {
        assert_eq!(download(answer, 5)??.status, 200);
        assert!(download(answer, 4)?.is_err());
    }
    Ok(())
}

/// curl ends in the same way on a full disk.
#[test]
fn an_answer_that_cannot_be_written_is_an_error_with_the_file_and_not_transient() -> Result<()> {
    let (url, server) = serve(&[WHOLE])?;
    let scratch = TempDir::new()?;
    let file = scratch.path().join("missing/file");
    let answer = curl().download(&Request::new(Method::Get, url), &file, 5, Duration::from_secs(30));
    let error = answer.err().ok_or_else(|| anyhow!("it was written"))?;
    let (said, path) = (format!("{error:#}"), file.display().to_string());
    assert!(said.contains(&path) && said.contains("set `TMPDIR`") && !is_transient(&error), "{said}");
    join(server)?;
    Ok(())
}

/// A larger file from an earlier download does not end a request whose answer is late.
#[test]
fn a_download_discards_the_old_content_of_its_file() -> Result<()> {
    let scratch = TempDir::new()?;
    let file = scratch.path().join("answer");
    fs::write(&file, "of an earlier answer")?;
    let (listener, left) = (TcpListener::bind("127.0.0.1:0")?, file.clone());
    let url = format!("http://{}/", listener.local_addr()?);
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        // There is no answer until the file or the client is gone.
        stream.set_read_timeout(Some(Duration::from_millis(10)))?;
        while left.exists() && !matches!(stream.read(&mut [0; 1 << 10]), Ok(0)) {}
        Ok::<_, Error>(stream.write_all(WHOLE.as_bytes())?)
    });
    let answer = curl().download(&Request::new(Method::Get, url), &file, 5, Duration::from_secs(30))?;
    assert_eq!((answer.status, fs::read(&file)?), (200, b"whole".to_vec()));
    server.join().map_err(|_panic| anyhow!("the server panicked"))?
}

/// A response without an end is not read forever.
#[test]
fn an_endless_download_is_stopped_at_its_limit() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        // Until the client is gone.
        while stream.write_all(&[b'x'; 1 << 10]).is_ok() {}
        Ok::<_, Error>(())
    });
    let scratch = TempDir::new()?;
    let file = scratch.path().join("answer");
    let answer = curl().download(&Request::new(Method::Get, url), &file, 1 << 20, Duration::from_secs(300));
    let error = answer.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains("more than 1048576 bytes") || error.contains("file size"), "{error}");
    server.join().map_err(|_panic| anyhow!("the server panicked"))?
}

#[test]
fn a_request_that_may_have_been_processed_is_not_retried() -> Result<()> {
    let (url, server) = serve(&[CUT])?;
    let error = curl().send(&Request::new(Method::Post, url).body("text/plain", "x")).err();
    assert!(error.is_some_and(|error| format!("{error:#}").contains("no answer")));
    assert_eq!(join(server)?, ["POST / HTTP/1.1"]);
    Ok(())
}

#[test]
fn after_the_last_attempt_the_caller_gets_the_answer() -> Result<()> {
    let (url, server) = serve(&[BUSY, BUSY, BUSY, BUSY])?;
    assert_eq!(curl().send(&Request::new(Method::Put, url).body("text/plain", "x"))?.status, 503);
    assert_eq!(join(server)?.len(), 4);
    Ok(())
}

#[test]
fn a_silent_server_is_distinguished_from_one_that_is_down_or_busy() -> Result<()> {
    // The system accepts the connection, but no program does, so no answer comes.
    let hangs = TcpListener::bind("127.0.0.1:0")?;
    // Nothing listens there, and a process that requests a free port never gets this one.
    let away = "127.0.0.1:1";
    let (busy, server) = serve(&[BUSY, BUSY, BUSY, BUSY])?;
    let answers = |url: &str, seconds| {
        let curl = Curl::new(&Runner::new(&Environment::from_process()), Duration::from_secs(seconds));
        let image = format!("{}/acme/carol", url.trim_start_matches("http://").trim_end_matches('/'));
        Ok::<_, Error>(Client::new(curl, image.parse()?, None).answers())
    };
    let error = answers(&hangs.local_addr()?.to_string(), 1)?.err();
    assert!(error.is_some_and(|error| is_timeout(&error)));
    assert!(answers(away, 30)?.is_ok() && answers(&busy, 30)?.is_ok());
    assert_eq!(join(server)?, ["GET /v2/ HTTP/1.1"; 4]);
    Ok(())
}

/// curl ends with the same exit code whether a proxy refuses to connect or the connection breaks.
#[test]
fn a_proxy_that_refuses_is_distinguished_from_one_that_is_busy() -> Result<()> {
    const DENIED: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const LOGIN: &str = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\
        Content-Length: 0\r\nConnection: close\r\n\r\n";
    const THROUGH: &str = "HTTP/1.1 200 OK\r\n\r\n";
    for (answers, is_passing, words) in [
        (&[DENIED][..], false, "the proxy of `HTTPS_PROXY` refuses"),
        (&[LOGIN], false, "the proxy asks for a login"),
        (&[BUSY, BUSY, BUSY, BUSY], true, "response 503"),
        (&["", "", "", ""], true, "no answer: curl: (56)"),
        // This may be permanent, but cannot be distinguished from a server that drops the connection.
        (&[THROUGH, THROUGH, THROUGH, THROUGH], true, "if that persists, have this host allowed"),
    ] {
        let (url, server) = serve(answers)?;
        let environment =
            Environment::from_process().with([("HTTPS_PROXY", url.clone()), ("https_proxy", url)]);
        let curl = Curl::new(&Runner::new(&environment), Duration::from_secs(30));
        let error = curl.send(&Request::new(Method::Get, "https://registry.example.org/v2/")).err();
        let error = error.ok_or_else(|| anyhow!("an answer"))?;
        assert_eq!(is_transient(&error), is_passing, "{error:#}");
        assert!(format!("{error:#}").contains(words), "{error:#}");
        assert_eq!(join(server)?, vec!["CONNECT registry.example.org:443 HTTP/1.1"; answers.len()]);
    }
    Ok(())
}

/// An impossible time in a header changes neither the answer nor how the program ends.
#[test]
fn an_absurd_retry_after_causes_neither_an_error_nor_an_endless_wait() -> Result<()> {
    const ABSURD: &str = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: Mon, 23 Nov 2026 5124095576030432:00:00 GMT\r\n\
        Content-Length: 0\r\nConnection: close\r\n\r\n";
    const FOREVER: &str = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 18446744073709551615\r\n\
        Content-Length: 0\r\nConnection: close\r\n\r\n";
    let (url, server) = serve(&[ABSURD, WHOLE])?;
    assert_eq!(curl().send(&Request::new(Method::Get, url))?.status, 200, "as without the header");
    assert_eq!(join(server)?.len(), 2);
    let (url, server) = serve(&[FOREVER])?;
    assert_eq!(curl().send(&Request::new(Method::Get, url))?.status, 503);
    assert_eq!(join(server)?.len(), 1);
    Ok(())
}
