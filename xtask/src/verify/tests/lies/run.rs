//! Lies about the workflow run that made a release: in the provenance, by the key, or in the forge's records.

use super::super::world::World;
use super::Lie;
use crate::forge::{RunRecord, RunSaid};
use crate::tool::git::Commit;

const RUN: &str = "/buildDefinition/internalParameters/forgejo";

/// A lie that only `provenance.run` detects.
const fn seen(name: &'static str, tell: fn(&mut World)) -> Lie {
    Lie { name, tell, wrong: &["provenance.run"], unchecked: &[] }
}

/// Changes the forge's record.
fn record(world: &mut World, change: impl FnOnce(&mut RunRecord)) {
    let RunSaid::Recorded(record) = &mut world.run.1 else { panic!("the forge has the run") };
    change(record);
}

pub(super) const LIES: &[Lie] = &[
    seen("a run that the forge does not have", |world| world.run.1 = RunSaid::Missing),
    seen("the id of another run in the provenance", |world| world.set(&format!("{RUN}/run_id"), "999999")),
    seen("another event in the provenance", |world| {
        world.set(&format!("{RUN}/event_name"), "workflow_dispatch");
    }),
    seen("a run that the forge has for another commit", |world| {
        record(world, |run| run.commit = Commit::parse(&"8".repeat(40)).expect("a commit"));
    }),
    seen("a run that the forge has for a branch", |world| {
        record(world, |run| run.reference = "main".to_owned());
    }),
    seen("a run that the forge has for a branch with the name of the tag", |world| {
        let branch = format!("refs/heads/{}", world.tag);
        record(world, |run| run.reference = branch);
    }),
    seen("a run that the forge has of another workflow", |world| {
        record(world, |run| run.workflow = "ci.yml".to_owned());
    }),
];
