//! The differences between the images of two releases, read from their commits: what a person has to do before
//! upgrading, and the dependencies. Names and versions are hostile input, and are shown as written.

use std::collections::BTreeSet;

use crate::inputs::dockerfile::runtime::Runtime;
use crate::inputs::engines::node_of;
use crate::inputs::lockfile::pinned::Pinned;
use crate::inputs::shape::{Offer, Part, Shape, Shapes, Trial};
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::undigested;
use crate::process::shown::few;

use super::text::as_written;

/// The maximum number of values on one line.
const MAX: usize = 20;

/// The settings of [`Runtime::settings`] that a person may have replaced.
const SETTINGS: [(&str, &str); 3] =
    [("ENTRYPOINT", "The entry point"), ("CMD", "The command"), ("WORKDIR", "The working directory")];

/// Lines of Markdown. Each is a list entry or a sentence.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// What changes for the person who runs it.
    pub(super) upgrade: Vec<String>,
    /// Base image and packages.
    pub(super) dependencies: Vec<String>,
    /// What could not be compared.
    pub(super) unread: Vec<String>,
}

impl Compared {
    pub(super) fn of(previous: &ReleaseTag, shapes: &Shapes) -> Self {
        let Shapes { before, after } = shapes;
        let mut compared = Self::default();
        if let (Part::Read(before), Part::Read(after)) = (&before.offer, &after.offer) {
            compared.offer(before, after);
        }
        if let (Part::Read(before), Part::Read(after)) = (&before.key, &after.key)
            && before != after
        {
            compared.upgrade.push(format!(
                "The key that signs it: `{before}` → `{after}`. Policies and copies of the key have to have the new one."
            ));
        }
        if let (Part::Read(before), Part::Read(after)) = (&before.runtime, &after.runtime) {
            compared.image(before, after);
        }
        compared.ports(before, after);
        if let (Part::Read(before), Part::Read(after)) = (&before.trial, &after.trial) {
            compared.trial(before, after);
        }
        if let (Part::Read(before), Part::Read(after)) = (&before.packages, &after.packages) {
            compared.packages(before, after);
        }
        for (shape, whose) in [(before, format!("of {previous}")), (after, "of this release".to_owned())] {
            let is_unread = [
                shape.packages == Part::Unread,
                shape.runtime == Part::Unread,
                shape.trial == Part::Unread,
                shape.key == Part::Unread,
            ];
            let names = ["lockfile", "Dockerfile", "configuration", "public key"].into_iter().zip(is_unread);
            for (name, _) in names.filter(|(_, is_unread)| *is_unread) {
                compared
                    .unread
                    .push(format!("The {name} {whose} could not be read, so what it says is not compared."));
            }
        }
        compared
    }

    /// Nobody has to do anything about a new platform, so only a removed one is worth a line here.
    fn offer(&mut self, before: &Offer, after: &Offer) {
        if before.image != after.image {
            let (old, new) = (as_written(&before.image), as_written(&after.image));
            self.upgrade.push(format!("The image: {old} → {new}. The old name gets no new versions."));
        }
        if !before.platforms.is_subset(&after.platforms) {
            self.set("Platforms", &before.platforms, &after.platforms);
        }
        if before.licenses != after.licenses {
            let (old, new) = (as_written(&before.licenses), as_written(&after.licenses));
            self.upgrade.push(format!("Licence: {old} → {new}."));
        }
    }

    fn image(&mut self, before: &Runtime, after: &Runtime) {
        if let (Some(before), Some(after)) = (&before.base, &after.base) {
            self.base(before, after);
        }
        let show = |value: Option<&String>| {
            value.map_or_else(|| "that of the base image".to_owned(), |value| as_written(value))
        };
        if before.user != after.user {
            let (old, new) = (show(before.user.as_ref()), show(after.user.as_ref()));
            self.upgrade.push(format!(
                "The user that it runs as: {old} → {new}. Files on volumes must belong to it."
            ));
        }
        self.set("Volumes", &before.volumes, &after.volumes);
        for (name, what) in SETTINGS {
            let (old, new) = (before.settings.get(name), after.settings.get(name));
            if old != new {
                let (old, new) = (show(old), show(new));
                self.upgrade
                    .push(format!("{what}: {old} → {new}. What you set in its place may have to change."));
            }
        }
        let has_check =
            |image: &Runtime| image.settings.get("HEALTHCHECK").is_some_and(|check| check != "NONE");
        if has_check(before) && !has_check(after) {
            self.upgrade.push("The image has no health check of its own any more.".to_owned());
        }
        self.variables(before, after);
    }

    /// Nobody has to do anything about a variable that was not set before.
    fn variables(&mut self, before: &Runtime, after: &Runtime) {
        let show = |value: &Option<String>| {
            value.as_deref().map_or_else(|| "a value that is not known here".to_owned(), as_written)
        };
        let changed = before.variables.iter().filter_map(|(name, old)| {
            let new = after.variables.get(name);
            let new = match new {
                Some(new) if new == old => return None,
                Some(new) => show(new),
                None => "not set".to_owned(),
            };
            Some(format!("{} {} → {new}", as_written(name), show(old)))
        });
        if let Some(changed) = few(changed.collect::<Vec<_>>(), MAX) {
            self.upgrade.push(format!("Variables that the image sets: {changed}."));
        }
    }

    fn base(&mut self, before: &str, after: &str) {
        if let (Some(old), Some(new)) = (node_of(before), node_of(after))
            && old != new
        {
            self.upgrade.push(format!("Node.js `{old}` → `{new}`."));
        }
        if before == after {
            return;
        }
        let ((old_name, old_digest), (new_name, new_digest)) = (undigested(before), undigested(after));
        let names = if old_name == new_name {
            as_written(old_name)
        } else {
            format!("{} → {}", as_written(old_name), as_written(new_name))
        };
        let show = |digest: Option<&str>| digest.map_or_else(|| "no digest".to_owned(), as_written);
        let digests = if old_digest == new_digest {
            String::new()
        } else {
            format!(": {} → {}", show(old_digest), show(new_digest))
        };
        if without_versions(old_name) != without_versions(new_name) {
            self.upgrade.push(format!(
                "The base image: {names}. What you build on the image, or run in it, may have to change."
            ));
        }
        self.dependencies.push(format!("Base image {names}{digests}"));
    }

    /// The port in the configuration of the smoke test counts as a port of the service, whether or not the Dockerfile
    /// names it.
    fn ports(&mut self, before: &Shape, after: &Shape) {
        let configured = match (&before.trial, &after.trial) {
            (Part::Read(before), Part::Read(after)) => [before.port, after.port],
            _ => [None, None],
        };
        let exposed = match (&before.runtime, &after.runtime) {
            (Part::Read(before), Part::Read(after)) => [before.ports.clone(), after.ports.clone()],
            _ => [BTreeSet::new(), BTreeSet::new()],
        };
        let [mut before, mut after] = exposed;
        before.extend(configured[0].map(|port| port.to_string()));
        after.extend(configured[1].map(|port| port.to_string()));
        self.set("Ports", &before, &after);
    }

    fn trial(&mut self, before: &Trial, after: &Trial) {
        let only = |one: &Trial, other: &Trial| {
            one.variables.difference(&other.variables).cloned().collect::<BTreeSet<_>>()
        };
        let (new, gone) = (only(after, before), only(before, after));
        if !new.is_empty() {
            self.upgrade
                .push(format!("New variables that it is tested with, and may need: {}.", listed(&new)));
        }
        if !gone.is_empty() {
            self.upgrade.push(format!("Variables that it is no longer tested with: {}.", listed(&gone)));
        }
        self.set("Directories that it writes to", &before.writable, &after.writable);
    }

    fn set(&mut self, what: &str, before: &BTreeSet<String>, after: &BTreeSet<String>) {
        if before != after {
            self.upgrade.push(format!("{what}: {} → {}.", listed(before), listed(after)));
        }
    }

    fn packages(&mut self, before: &Pinned, after: &Pinned) {
        let (mut added, mut removed, mut updated) = (0, 0, 0);
        let names: BTreeSet<_> = before.versions.keys().chain(after.versions.keys()).collect();
        for name in names {
            let (old, new) = (before.versions.get(name), after.versions.get(name));
            if old == new {
                continue;
            }
            if before.direct.contains(name) || after.direct.contains(name) {
                let name = as_written(name);
                self.dependencies.push(match (old, new) {
                    (Some(old), Some(new)) => format!("{name} {} → {}", listed(old), listed(new)),
                    (None, Some(new)) => format!("{name} {}, added", listed(new)),
                    (old, None) => format!("{name} {}, removed", old.map(listed).unwrap_or_default()),
                });
                continue;
            }
            *(match (old, new) {
                (None, _) => &mut added,
                (_, None) => &mut removed,
                _ => &mut updated,
            }) += 1;
        }
        let counts = [(added, "added"), (removed, "removed"), (updated, "updated")];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts.map(|(count, what)| format!("{count} {what}")).collect();
        if !counts.is_empty() {
            self.dependencies.push(format!("Packages that other packages need: {}", counts.join(", ")));
        }
        self.licenses(before, after);
    }

    /// A lockfile without licences, from an npm that wrote none, is not compared.
    fn licenses(&mut self, before: &Pinned, after: &Pinned) {
        let new: BTreeSet<_> = after.licenses.difference(&before.licenses).cloned().collect();
        if !before.licenses.is_empty() && !new.is_empty() {
            self.dependencies.push(format!("New licences, by what the packages say: {}", listed(&new)));
        }
    }
}

/// The name of an image without the digits and points of versions: what is left differs between `node:24-slim` and
/// `node:24-alpine`.
fn without_versions(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit() && *c != '.').collect()
}

fn listed(values: &BTreeSet<String>) -> String {
    few(values.iter().map(|value| as_written(value)), MAX).unwrap_or_else(|| "none".to_owned())
}

#[cfg(test)]
mod tests;
