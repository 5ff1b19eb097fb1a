//! What the exit codes mean (docs/releasing.md, "Exit codes"), where what is wrong is on the way and not in the release.

use anyhow::Result;
use xtask::process::scratch::Scratch;

use crate::server::{Server, repository, said, xtask};

const TRANSIENT: i32 = 75;

const BUSY: &str =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[test]
fn a_registry_that_is_busy_is_neither_refused_nor_a_matter_of_secrets() -> Result<()> {
    let (server, scratch) = (Server::answering(BUSY)?, Scratch::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let output = xtask(&dir, &["release", "v0.1.0"], &[("COSIGN_PASSWORD", "x")])?;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(TRANSIENT), "{said}");
    assert!(said.contains("answered 503") && !said.contains("REGISTRY_TOKEN"), "{said}");
    assert!(said.contains("this run pushed no version tag"), "{said}");
    assert!(said.ends_with("; this may pass by itself: run the same command again\n"), "{said}");
    Ok(())
}
