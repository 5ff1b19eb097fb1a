//! Checks the origin of archives: the registries that the configuration names, or a single host.

use std::collections::BTreeMap;

use super::Lockfile;
use super::address::{Address, Registries};
use super::grammar::is_in_node_modules;
use super::strict::{Remedy, Wrong, in_words, shortened};
use crate::inputs::config::Folder;

impl Lockfile {
    /// The entries that do not come from the configuration's registries. Also a note that names the single host, if the
    /// configuration names no registry.
    #[must_use]
    pub fn elsewhere(&self, service: &Folder, registries: &Registries) -> (Vec<String>, Option<String>) {
        let (mut found, mut hosts) = (Vec::new(), BTreeMap::<String, (usize, &str)>::new());
        for (path, entry) in
            self.lock.packages.iter().filter(|(path, entry)| !entry.link && is_in_node_modules(path))
        {
            // `problems` reports entries that are not an address at all.
            let Some(Ok(address)) = entry.resolved.as_deref().map(Address::parse) else { continue };
            if !registries.trust(&address) {
                let wrong = Wrong(
                    format!("comes from `{}`, without TLS", address.origin()),
                    Remedy::Other("have its registry use `https`, or name the host in `plain-http`"),
                );
                found.push(in_words(path, &wrong, service));
            } else if !registries.have(&address) {
                let wrong = Wrong(
                    format!("comes from `{}`, which is below none of `npm-registries`", address.origin()),
                    Remedy::Other("take it from one of those, or name its registry there"),
                );
                found.push(in_words(path, &wrong, service));
            }
            hosts.entry(address.origin()).or_insert((0, path)).0 += 1;
        }
        let mut note = None;
        if registries.named.is_empty() {
            let words: Vec<_> = hosts
                .iter()
                .map(|(host, (count, path))| {
                    format!("{count} of its packages from `{host}`, such as `{path}`")
                })
                .collect();
            match &words[..] {
                [] => {}
                [only] => {
                    note = Some(format!(
                        "`package-lock.json` has {only}; name the registry in `npm-registries`, so that no other is taken"
                    ));
                }
                several => found.push(format!(
                    "`package-lock.json` has {}; name the registries that are meant in `npm-registries`",
                    several.join(", and ")
                )),
            }
        }
        (shortened(found), note)
    }
}
