//! The network of the second engine: a bridge, its own range of addresses, and the rules that let its containers
//! reach each other and the world. The engine itself writes no rules (see `services/engine/second.rs`).

use std::path::Path;

use anyhow::Result;
use sha2::{Digest as _, Sha256};
use xshell::cmd;

use crate::context::Context;
use crate::layout::Layout;
use crate::parts::docker_2;

/// The first two numbers of its addresses. RFC 2544 reserves the range for tests, so no real network uses it.
const RANGE: &str = "198.18";

/// The bridge of one testbed. Its name differs from that of any other testbed on the same machine.
pub(crate) struct Bridge {
    name: String,
    /// The third number of the first address: a multiple of 16.
    third: u8,
}

impl Bridge {
    /// The bridge of the testbed in this directory.
    pub(crate) fn of(layout: &Layout) -> Self {
        let hash = Sha256::digest(layout.root().as_os_str().as_encoded_bytes());
        // The kernel allows at most 15 bytes in a name.
        let name = format!("testbed-{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2]);
        Self { name, third: hash[3] & 0xf0 }
    }

    /// Its interface.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// All addresses; the lower half is the bridge's.
    fn range(&self) -> String {
        format!("{RANGE}.{}.0/20", self.third)
    }

    /// Addresses for networks that are created by name.
    pub(crate) fn networks(&self) -> String {
        format!("{RANGE}.{}.0/21", self.third + 8)
    }

    /// The rules, as `iptables -S` of the table lists them.
    fn rules(&self) -> [(&'static str, String); 3] {
        let range = self.range();
        [
            // The first engine's rules drop all traffic that no rule accepts, even between containers.
            ("filter", format!("-A FORWARD -s {range} -j ACCEPT")),
            ("filter", format!("-A FORWARD -d {range} -j ACCEPT")),
            ("nat", format!("-A POSTROUTING -s {range} ! -d {range} -j MASQUERADE")),
        ]
    }

    /// Creates the parts that are missing.
    pub(crate) fn make(&self, cx: &Context) -> Result<()> {
        let name = self.name();
        if !self.exists() {
            ip(cx, &["link", "add", name, "type", "bridge"])?;
        }
        ip(cx, &["address", "replace", &format!("{RANGE}.{}.1/24", self.third), "dev", name])?;
        ip(cx, &["link", "set", name, "up"])?;
        for (table, rule) in self.rules() {
            if !iptables(cx, table, "-S")?.lines().any(|line| line == rule) {
                iptables(cx, table, &rule)?;
            }
        }
        Ok(())
    }

    /// Removes all of it, including the bridges of networks that were left behind.
    pub(crate) fn remove(&self, cx: &Context) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        for (table, rule) in self.rules() {
            for _ in iptables(cx, table, "-S")?.lines().filter(|line| *line == rule) {
                iptables(cx, table, &rule.replacen("-A", "-D", 1))?;
            }
        }
        for interface in self.interfaces(&ip(cx, &["-oneline", "-4", "address", "show"])?) {
            ip(cx, &["link", "delete", &interface])?;
        }
        Ok(())
    }

    fn exists(&self) -> bool {
        Path::new("/sys/class/net").join(&self.name).exists()
    }

    /// The interfaces in `ip -oneline address` that have an address in the range, the bridge last.
    fn interfaces(&self, listing: &str) -> Vec<String> {
        let is_ours = |address: &str| {
            let mut numbers = address.strip_prefix(RANGE)?.strip_prefix('.')?.split('.');
            let Ok(third) = numbers.next()?.parse::<u8>() else { return None };
            (third & 0xf0 == self.third).then_some(())
        };
        let interface = |line: &str| {
            let mut words = line.split_whitespace().skip(1);
            let (name, "inet") = (words.next()?, words.next()?) else { return None };
            words.next().and_then(is_ours).map(|()| name.to_owned())
        };
        let mut found: Vec<_> = listing.lines().filter_map(interface).collect();
        found.sort_by_key(|name| *name == self.name);
        found
    }
}

fn ip(cx: &Context, words: &[&str]) -> Result<String> {
    let (shell, program) = (cx.runner.shell()?, docker_2::program(cx, "ip")?);
    cx.runner.call(cmd!(shell, "{program} {words...}")).read()
}

fn iptables(cx: &Context, table: &str, rule: &str) -> Result<String> {
    let (shell, program) = (cx.runner.shell()?, docker_2::program(cx, "iptables")?);
    let words = rule.split(' ');
    cx.runner.call(cmd!(shell, "{program} --wait -t {table} {words...}")).read()
}

#[cfg(test)]
mod tests {
    use super::Bridge;

    #[test]
    fn only_interfaces_in_this_range_are_removed_and_the_bridge_comes_last() {
        let bridge = Bridge { name: "testbed-000000".to_owned(), third: 32 };
        let listing = "1: lo    inet 127.0.0.1/8 scope host lo\n\
                       3: testbed-000000    inet 198.18.32.1/24 scope global testbed-000000\n\
                       4: br-1    inet 198.18.47.65/26 scope global br-1\n\
                       5: br-2    inet 198.18.48.1/26 scope global br-2\n\
                       6: docker0    inet 172.17.0.1/16 scope global docker0\n\
                       7: odd    inet6 198.18.32.1 scope global odd\n";
        assert_eq!(bridge.interfaces(listing), ["br-1", "testbed-000000"]);
        assert_eq!(
            (bridge.range().as_str(), bridge.networks().as_str()),
            ("198.18.32.0/20", "198.18.40.0/21")
        );
    }
}
