//! A job in its own container, whose network is not the engine's.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use anyhow::{Context as _, Result};

use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::{export, test};

/// Runs a program in a network that only reaches what it is given.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end-to-end/smoke/job.py");

#[test]
fn a_job_outside_the_engines_network_can_run_the_smoke_test() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let within = job(&checkout, &[])?;
        Xtask::new(&checkout, &["rehearse"]).within(&within).run()?.success()?;
        checkout.ensure_nothing_is_left()
    })
}

/// As with docker in docker, and any other engine on another machine: the engine is reached over TCP, it shares neither
/// network nor files with the job, and only it reaches the containers.
#[test]
fn a_job_whose_engine_is_elsewhere_can_run_the_whole_release() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let engine = export("DOCKER_HOST")?;
        let engine = engine.strip_prefix("unix://").context("the testbed's engine has no socket")?;
        let within = job(&checkout, &[(ENGINE_PORT, engine)])?;
        let run = Xtask::new(&checkout, &["rehearse"]).within(&within);
        run.env("DOCKER_HOST", format!("tcp://127.0.0.1:{ENGINE_PORT}")).run()?.success()?;
        checkout.ensure_nothing_is_left()
    })
}

/// docker's own port without TLS.
const ENGINE_PORT: &str = "2375";

/// The command before another one that runs it as such a job. The registry's port leads to the registry, and each of
/// `ports` to a socket.
fn job(checkout: &Checkout, ports: &[(&str, &str)]) -> Result<String> {
    let (socket, registry) = (checkout.beside("registry.sock"), export("TESTBED_REGISTRY")?);
    let (_, port) = registry.rsplit_once(':').context("the registry has no port")?;
    lead_to(&UnixListener::bind(&socket)?, &registry)?;
    let pairs = [&[(port, text(&socket)?)], ports].concat();
    let pairs: Vec<_> = pairs.iter().map(|(port, socket)| format!("{port}={socket}")).collect();
    let python = export("TESTBED_PYTHON")?;
    Ok(format!("unshare --map-root-user --net {python} {SCRIPT} {} --", pairs.join(" ")))
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
