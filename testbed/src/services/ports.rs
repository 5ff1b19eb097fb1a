//! Loopback ports for services that want the same one every time, so that addresses written down once still hold.

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
            // A file cut short by a crash is no reason to stop: any free port will do.
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

/// `wanted` when it is free, else any free one; remembered for [`last`].
///
/// It is bound and let go: only the service itself can hold it, so somebody may be quicker; then its start fails.
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
