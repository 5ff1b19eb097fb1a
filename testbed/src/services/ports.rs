//! Loopback ports for services that want the same port every time, so that recorded addresses stay valid.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result};

use crate::context::Context;

/// The address that the service `name` had last time.
pub(crate) fn last(cx: &Context, name: &str) -> Result<Option<SocketAddr>> {
    let path = cx.layout.data(&format!("{name}.port"));
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse() {
            Ok(port) => Ok(Some(loopback(port))),
            // A file that a crash has cut short is not an error: any free port will do.
            Err(_cut_short) => Ok(None),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading `{}`", path.display())),
    }
}

/// A port on this machine's loopback.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// `wanted` if it is free, else any free port. Remembered for [`last`].
///
/// The port is bound and released, because only the service itself can keep it. If another process takes it first,
/// the service fails to start.
pub(crate) fn claim(cx: &Context, name: &str, wanted: SocketAddr) -> Result<SocketAddr> {
    let free = TcpListener::bind(wanted).or_else(|error| match error.kind() {
        ErrorKind::AddrInUse => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)),
        _ => Err(error),
    });
    let address =
        free.and_then(|listener| listener.local_addr()).context("looking for a free loopback port")?;
    let path = cx.layout.data(&format!("{name}.port"));
    fs::write(&path, format!("{}\n", address.port()))
        .with_context(|| format!("writing `{}`", path.display()))?;
    Ok(address)
}
