//! A job in its own container, whose network is not the engine's.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use anyhow::{Context as _, Result};

use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::{export, test};

/// Runs a program in a network that only reaches the registry.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end-to-end/smoke/job.py");

#[test]
fn a_job_outside_the_engines_network_can_run_the_smoke_test() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let (socket, registry) = (checkout.beside("registry.sock"), export("TESTBED_REGISTRY")?);
        let (_, port) = registry.rsplit_once(':').context("the registry has no port")?;
        lead_to(&UnixListener::bind(&socket)?, &registry)?;
        let python = export("TESTBED_PYTHON")?;
        let within = format!("unshare --map-root-user --net {python} {SCRIPT} {} {port}", text(&socket)?);
        Xtask::new(&checkout, &["rehearse"]).within(&within).run()?.success()?;
        checkout.ensure_nothing_is_left()
    })
}

/// Connects every client of `listener` to `address` for as long as the tests run.
fn lead_to(listener: &UnixListener, address: &str) -> Result<()> {
    let (listener, address) = (listener.try_clone()?, address.to_owned());
    thread::spawn(move || {
        for client in listener.incoming() {
            // If a connection fails, the client notices and reports it.
            client.and_then(|client| connect(client, &address)).ok();
        }
    });
    Ok(())
}

fn connect(client: UnixStream, address: &str) -> io::Result<()> {
    let server = TcpStream::connect(address)?;
    let (mut from_client, mut to_client) = (client.try_clone()?, client);
    let (mut from_server, mut to_server) = (server.try_clone()?, server);
    thread::spawn(move || {
        io::copy(&mut from_client, &mut to_server)?;
        to_server.shutdown(Shutdown::Write)
    });
    thread::spawn(move || {
        io::copy(&mut from_server, &mut to_client)?;
        to_client.shutdown(Shutdown::Write)
    });
    Ok(())
}
