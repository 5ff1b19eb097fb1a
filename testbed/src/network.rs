//! The machine's network, as far as dockerd needs and changes it.
//!
//! When our dockerd ends, this removes what it leaves in the machine's network: its bridge, its chains, and its policy
//! for forwarded packets. It does so only if the bridge was not there before our dockerd, and no other engine uses it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::context::Context;
use crate::files::remove_file;
use crate::parts::docker;
use crate::process;

/// dockerd's default bridge.
const BRIDGE: &str = "docker0";

/// Before dockerd starts, notes the state of the machine's network, unless an engine was there first.
pub(crate) fn remember(cx: &Context) -> Result<()> {
    if has_bridge() {
        return Ok(());
    }
    let note = note(cx);
    let policy = policy(&run(cx, &["-S", "FORWARD"])?).to_owned();
    fs::write(&note, policy).with_context(|| format!("writing `{}`", note.display()))
}

/// Restores the machine's network to the state that [`remember`] found.
pub(crate) fn restore(cx: &Context) -> Result<()> {
    let note = note(cx);
    let policy = match fs::read_to_string(&note) {
        Ok(policy) => policy,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("reading `{}`", note.display())),
    };
    // Another testbed or the machine's own engine was started later and shares the bridge, which now belongs to it.
    if process::is_any_running("dockerd")? {
        return remove_file(&note);
    }
    for table in ["filter", "nat"] {
        for removal in removals(&run(cx, &["-t", table, "-S"])?) {
            let words: Vec<_> = ["-t", table].into_iter().chain(removal.iter().map(String::as_str)).collect();
            run(cx, &words)?;
        }
    }
    run(cx, &["-P", "FORWARD", &policy])?;
    if has_bridge() {
        match cx.host.which("ip") {
            Some(ip) => {
                let shell = cx.runner.shell()?;
                cx.runner.call(cmd!(shell, "{ip} link delete {BRIDGE}")).run()?;
            }
            None => cx.progress.line("network", &format!("the bridge {BRIDGE} stays: there is no `ip`")),
        }
    }
    remove_file(&note)
}

/// The largest packet, in bytes, that the interface of the default route transmits; `None` without such a route.
///
/// dockerd gives its containers an MTU of 1500 by default. Behind an interface with a smaller one, containers depend on
/// an ICMP report for each packet that was too large. Where these reports do not arrive, connections hang.
pub(crate) fn mtu() -> Result<Option<u32>> {
    const ROUTES: &str = "/proc/net/route";
    let routes = fs::read_to_string(ROUTES).with_context(|| format!("reading `{ROUTES}`"))?;
    let Some(interface) = default_interface(&routes) else { return Ok(None) };
    let path = Path::new("/sys/class/net").join(interface).join("mtu");
    let text = fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
    let mtu = text.trim().parse().with_context(|| format!("`{}` is not a number", path.display()))?;
    Ok(Some(mtu))
}

/// The interface of the default route, in a table like `/proc/net/route`: its destination and its mask are zero.
fn default_interface(routes: &str) -> Option<&str> {
    routes.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        (fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000")).then(|| fields[0])
    })
}

fn note(cx: &Context) -> PathBuf {
    cx.layout.data("forward-policy")
}

fn has_bridge() -> bool {
    Path::new("/sys/class/net").join(BRIDGE).exists()
}

fn run(cx: &Context, words: &[&str]) -> Result<String> {
    let program = docker::prefix(cx).join("bin/iptables");
    let shell = cx.runner.shell()?;
    cx.runner.call(cmd!(shell, "{program} --wait {words...}")).read()
}

/// The policy in the output of `iptables -S FORWARD`.
fn policy(listing: &str) -> &str {
    listing.lines().find_map(|line| line.strip_prefix("-P FORWARD ")).unwrap_or("ACCEPT")
}

/// The commands that undo docker's rules in the output of `iptables -S`: first its rules in other chains, then its
/// own chains.
fn removals(listing: &str) -> Vec<Vec<String>> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = listing.lines().map(words).collect();
    let is_docker = |word: &String| word.starts_with("DOCKER");
    let rules = lines.iter().filter(|line| {
        let [verb, chain, rest @ ..] = line.as_slice() else { return false };
        verb == "-A" && !is_docker(chain) && rest.iter().any(|word| is_docker(word) || word == BRIDGE)
    });
    let chains = |verb: &'static str| {
        let own = lines.iter().filter_map(|line| match line.as_slice() {
            [new, chain] if new == "-N" && is_docker(chain) => Some(vec![verb.to_owned(), chain.clone()]),
            _ => None,
        });
        own.collect::<Vec<_>>()
    };
    let rules = rules.map(|line| [&["-D".to_owned()], &line[1..]].concat());
    rules.chain(chains("-F")).chain(chains("-X")).collect()
}

#[cfg(test)]
mod tests {
    use super::{default_interface, policy, removals};

    #[test]
    fn the_default_route_is_the_one_with_destination_and_mask_zero() {
        let head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
        let bridge = "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        let default = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
        assert_eq!(default_interface(&format!("{head}{bridge}{default}")), Some("eth0"));
        assert_eq!(default_interface(&format!("{head}{bridge}")), None);
    }

    #[test]
    fn dockers_rules_and_chains_are_removed_and_others_stay() {
        let listing = "-P FORWARD DROP\n-N DOCKER\n-N OTHER\n-A FORWARD -j OTHER\n\
                       -A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n-A FORWARD -j DOCKER\n-A DOCKER -j RETURN\n";
        let commands: Vec<_> = removals(listing).iter().map(|words| words.join(" ")).collect();
        assert_eq!(
            commands,
            [
                "-D FORWARD -i docker0 ! -o docker0 -j ACCEPT",
                "-D FORWARD -j DOCKER",
                "-F DOCKER",
                "-X DOCKER"
            ]
        );
        assert_eq!(policy(listing), "DROP");
    }
}
