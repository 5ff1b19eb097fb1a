//! Which component needs which: the dependencies of the lockfile, between those of its packages that are in the image.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::PlatformImage;
use super::component::{Component, reference_of_archive};

/// What each component needs, by `bom-ref`. Nothing is known about what a component needs that is not listed, such as a
/// package of the base image.
#[derive(Default)]
pub(super) struct Graph(BTreeMap<String, BTreeSet<String>>);

impl Graph {
    /// Adds the `components` of one platform, by what the packages of the lockfile need. `root` stands for the service
    /// itself. A component that is in several places or on several platforms needs what it needs in any of them.
    pub(super) fn add(
        &mut self,
        root: &str,
        needs: &BTreeMap<String, Vec<String>>,
        platform: &PlatformImage<'_>,
        components: &[Component],
    ) {
        let PlatformImage { held, archives, .. } = platform;
        let of_path = |component: &Component| Some((component.locked.clone()?, component.reference.clone()));
        let mut by_path: BTreeMap<_, _> = components.iter().filter_map(of_path).collect();
        by_path.insert(String::new(), root.to_owned());
        for (path, component) in &by_path {
            let needed = needs.get(path).into_iter().flatten();
            let needed = needed.filter_map(|path| by_path.get(path)).filter(|needed| *needed != component);
            self.of(component).extend(needed.cloned());
        }
        for (native, archive) in archives {
            let packages =
                held.locked.values().filter(|locked| native.is_about(&locked.name, &locked.version));
            for package in packages.filter_map(|locked| by_path.get(&locked.path)) {
                self.of(package).insert(reference_of_archive(native, archive));
            }
        }
        let node = components.iter().find(|component| component.is_node);
        self.of(root).extend(node.map(|node| node.reference.clone()));
    }

    fn of(&mut self, component: &str) -> &mut BTreeSet<String> {
        self.0.entry(component.to_owned()).or_default()
    }

    /// The value of `dependencies` in `CycloneDX`.
    pub(super) fn json(&self) -> Value {
        self.0.iter().map(|(component, needed)| json!({"ref": component, "dependsOn": needed})).collect()
    }
}
