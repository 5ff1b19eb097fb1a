//! The proxy between a client and a server that are plain sockets.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Fault, Proxy};

/// A server that reads each request's body to its end, counts requests, and answers `answer`.
fn server(answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
            let is_whole = |seen: &[u8]| {
                let text = String::from_utf8_lossy(seen).into_owned();
                let (head, body) = text.split_once("\r\n\r\n")?;
                let size = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                (body.len() >= size.map_or(0, |size| size.parse().unwrap())).then_some(())
            };
            while is_whole(&seen).is_none() {
                let size = connection.read(&mut buffer).unwrap();
                if size == 0 {
                    break;
                }
                seen.extend_from_slice(&buffer[..size]);
            }
            if is_whole(&seen).is_some() {
                assert!(String::from_utf8_lossy(&seen).contains("Connection: close\r\n"));
                counted.fetch_add(1, Ordering::SeqCst);
                connection.write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    (address, count)
}

/// The answer that a client gets for `request` on its own connection.
fn ask(proxy: &Proxy, request: &str) -> String {
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    // A reset counts as an end.
    client.read_to_end(&mut answer).ok();
    String::from_utf8(answer).unwrap()
}

const PUT: &str = "PUT /x?y=z HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
const SIX: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nanswer";

#[test]
fn two_requests_on_one_connection_pass_and_are_logged() {
    let (address, count) = server(SIX);
    let proxy = Proxy::start(address).unwrap();
    let answers = ask(&proxy, &format!("{PUT}GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"));
    let once = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer";
    assert_eq!(answers, once.repeat(2));
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let log = proxy.take();
    assert_eq!((log.connections, log.exchanges.len(), log.pushed(), log.methods()["PUT"]), (1, 2, 4, 1));
    let first = &log.exchanges[0];
    assert_eq!((first.request.n, &*first.request.path, first.status), (1, "/x?y=z", Some(200)));
    assert_eq!(log.writes(), [first]);
    assert!(proxy.take().exchanges.is_empty());
    ask(&proxy, PUT);
    assert_eq!(proxy.take().exchanges[0].request.n, 1, "the numbers start again");
}

#[test]
fn a_client_that_does_not_speak_http_gets_400() {
    let (address, count) = server(SIX);
    let proxy = Proxy::start(address).unwrap();
    assert!(ask(&proxy, "\x16\x03\x01\x02").starts_with("HTTP/1.1 400 "));
    assert_eq!((proxy.take().connections, count.load(Ordering::SeqCst)), (1, 0));
}

/// Whether an answer is the right one.
type Judge = fn(&str) -> bool;

#[test]
fn each_fault_has_its_effect_on_client_and_server() {
    let cases: [(Fault, Judge, usize); 7] = [
        (
            Fault::status(502, ("Content-Type", "text/html"), "<html>"),
            |a| a.starts_with("HTTP/1.1 502 ") && a.ends_with("<html>"),
            0,
        ),
        (Fault::CutBefore, str::is_empty, 0),
        (Fault::CutAfter, str::is_empty, 1),
        (Fault::Truncate, |a| a.contains("Content-Length: 6\r\n") && a.ends_with("\r\n\r\nans"), 1),
        (Fault::Hang, str::is_empty, 0),
        (Fault::Delay(Duration::from_millis(1)), |a| a.ends_with("answer"), 1),
        (
            Fault::rewrite(|answer| {
                answer.set_header("Date", "never");
                answer.body.extend(b"ed");
            }),
            |a| {
                a.contains("Date: never\r\n")
                    && a.contains("Content-Length: 8\r\n")
                    && a.ends_with("answered")
            },
            1,
        ),
    ];
    for (fault, is_right, received) in cases {
        let (address, count) = server(SIX);
        let proxy = Proxy::start(address).unwrap();
        let name = fault.name();
        proxy.set_rule(move |request| if request.method == "PUT" { fault.clone() } else { Fault::Pass });
        let answer = ask(&proxy, PUT);
        assert!(is_right(&answer), "{name}: {answer:?}");
        assert_eq!(count.load(Ordering::SeqCst), received, "{name}");
        assert!(ask(&proxy, "GET / HTTP/1.1\r\n\r\n").ends_with("answer"), "{name}: the rule is for PUT");
        let log = proxy.take();
        assert_eq!((log.exchanges[0].fault, log.exchanges[1].fault), (name, ""));
        proxy.pass();
        assert!(ask(&proxy, PUT).ends_with("answer"), "{name}: the rule is gone");
    }
}

#[test]
fn answers_in_chunks_or_without_a_body_are_truncated_too() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nansw\r\n2\r\ner\r\n0\r\n\r\n";
    let proxy = Proxy::start(server(chunked).0).unwrap();
    assert!(ask(&proxy, PUT).ends_with("0\r\n\r\n"), "chunks pass as chunks");
    proxy.set_rule(|_| Fault::Truncate);
    assert!(ask(&proxy, PUT).ends_with("Content-Length: 6\r\n\r\nans"));
    let proxy = Proxy::start(server("HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n").0).unwrap();
    let head = "HEAD / HTTP/1.1\r\n\r\n";
    assert!(ask(&proxy, head).ends_with("Content-Length: 600\r\n\r\n"), "an answer to HEAD has no body");
    proxy.set_rule(|_| Fault::Truncate);
    let half = ask(&proxy, head);
    assert!(half.starts_with("HTTP/1.1 200") && !half.ends_with("\r\n\r\n"), "{half:?}");
}

#[test]
fn a_hang_gives_no_answer_and_does_not_reach_the_server() {
    let (address, count) = server(SIX);
    let proxy = Proxy::start(address).unwrap();
    proxy.set_rule(|_| Fault::Hang);
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.write_all(PUT.as_bytes()).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(client.read(&mut [0]).is_err(), "nothing is answered, and the connection stays open");
    assert_eq!((proxy.take().exchanges[0].status, count.load(Ordering::SeqCst)), (None, 0));
}

#[test]
fn a_write_is_reported_while_the_server_works_on_it_and_shortly_after() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
    let at_once = proxy.writes_lately(Duration::ZERO);
    let lately = proxy.writes_lately(Duration::from_secs(600));
    let send = |request: &str| {
        let mut client = TcpStream::connect(proxy.address()).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        client
    };
    let serve = |answers: bool| {
        let mut connection = listener.accept().unwrap().0;
        assert!(connection.read(&mut [0; 4096]).unwrap() > 0);
        if answers {
            connection.write_all(SIX.as_bytes()).unwrap();
        }
        connection
    };

    let mut reader = send(&PUT.replace("PUT", "GET"));
    drop(serve(true));
    reader.read_exact(&mut [0; 6]).unwrap();
    assert!(!lately(), "a GET changes nothing");

    proxy.set_rule(|_| Fault::too_many_requests());
    send(PUT).read_exact(&mut [0; 6]).unwrap();
    assert!(!lately(), "the server has not seen it");

    proxy.pass();
    let client = send(PUT);
    let connection = serve(false);
    assert!(at_once(), "the server works on it");
    drop((client, connection));
    let deadline = Instant::now() + Duration::from_secs(30);
    while at_once() {
        assert!(Instant::now() < deadline, "the connection is closed, but the write is still reported");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(lately(), "it has only just ended");
}

#[test]
fn a_large_upload_in_chunks_passes_and_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
    let reading = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let (mut total, mut buffer, mut end) = (0_usize, vec![0; 1 << 16], Vec::new());
        while !end.ends_with(b"0\r\n\r\n") {
            let size = connection.read(&mut buffer).unwrap();
            total += size;
            end.extend_from_slice(&buffer[..size]);
            end.drain(..end.len().saturating_sub(5));
        }
        connection.write_all(SIX.as_bytes()).unwrap();
        total
    });
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.write_all(b"PATCH /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = vec![7; 1 << 20];
    for _ in 0..100 {
        client.write_all(b"100000\r\n").unwrap();
        client.write_all(&chunk).unwrap();
        client.write_all(b"\r\n").unwrap();
    }
    client.write_all(b"0\r\n\r\n").unwrap();
    let began = Instant::now();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200", "{:?}", began.elapsed());
    assert!(reading.join().unwrap() > 100 << 20);
    assert_eq!(proxy.take().pushed(), 100 << 20);
}

#[test]
fn an_answer_is_held_back_until_the_sender_is_dropped() {
    let (address, count) = server(SIX);
    let proxy = Proxy::start(address).unwrap();
    let (sender, held) = Fault::held();
    proxy.set_rule(move |_| held.clone());
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&proxy, PUT));
        while count.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        assert!(!asked.is_finished());
        drop(sender);
        assert!(asked.join().unwrap().ends_with("answer"));
    });
}

#[test]
fn the_last_request_is_held_and_never_sent_if_its_client_gives_up() {
    let get = "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
    for gives_up in [false, true] {
        let (address, count) = server(SIX);
        let proxy = Proxy::start(address).unwrap();
        let hold = proxy.hold(&["GET 2", "PUT x?y=z"]);
        ask(&proxy, PUT);
        assert!(!hold.is_reached(), "the request before it has not arrived");
        ask(&proxy, get);
        let mut client = TcpStream::connect(proxy.address()).unwrap();
        client.write_all(PUT.as_bytes()).unwrap();
        while !hold.is_reached() {
            thread::yield_now();
        }
        ask(&proxy, PUT);
        assert_eq!(count.load(Ordering::SeqCst), 3, "others pass");
        if gives_up {
            client.shutdown(Shutdown::Write).unwrap();
        }
        drop(hold);
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"answer") && client.read(&mut byte).unwrap() > 0 {
            answer.extend(byte);
        }
        assert_eq!(
            (answer.is_empty(), count.load(Ordering::SeqCst)),
            (gives_up, if gives_up { 3 } else { 4 })
        );
    }
}
