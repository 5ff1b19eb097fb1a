//! The part of an npm registry that `npm ci` and `npm install` read: documents and archives from a table that the test
//! fills. It is not a complete npm registry: nothing can be published to it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};

type Table = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

pub(super) struct Registry {
    pub(super) url: String,
    table: Table,
}

impl Registry {
    /// Runs for as long as the tests run.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let table = Table::default();
        let shared = Arc::clone(&table);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let table = Arc::clone(&shared);
                thread::spawn(move || answer(stream, &table));
            }
        });
        Ok(Self { url, table })
    }

    pub(super) fn put(&self, path: String, bytes: Vec<u8>) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).insert(path, bytes);
    }
}

fn answer(mut stream: TcpStream, table: &Table) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1).context("no path")?.replace("%2f", "/").replace("%2F", "/");
    let found = table.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
    let (status, body) = found.map_or(("404 Not Found", b"{}".to_vec()), |body| ("200 OK", body));
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    Ok(stream.write_all(&body)?)
}
