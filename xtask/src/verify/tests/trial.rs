//! What is accepted only in a rehearsal or a test. All recordings are tests: their registry was on the machine that
//! made them.

use serde_json::json;

use crate::evidence::provenance::{REHEARSE, WORK_TREE};
use crate::verify::claim::Verdict;

use super::lies::predicate::DEPENDENCIES;
use super::lies::run::by_a_person;
use super::recording::{Recording, all};
use super::world::World;

#[test]
fn stand_ins_work_trees_and_rehearsals_are_accepted_only_in_a_local_registry() {
    let load = || {
        let (_, dir) = all().unwrap().pop().unwrap();
        Recording::load(&dir).unwrap().with_a_small_base()
    };
    let (here, elsewhere) = (load(), load().elsewhere().unwrap());
    type Tell = fn(&mut World);
    let tells: [(&str, Tell); 3] = [
        ("provenance.inputs", |_has_a_stand_in| {}),
        ("provenance.source", |world| {
            world.change_resource(DEPENDENCIES, "source", |source| {
                source["annotations"] = json!({ WORK_TREE: "true" });
            });
        }),
        ("provenance.builder", |world| by_a_person(world, REHEARSE)),
    ];
    for (id, tell) in tells {
        for (recording, expected) in [(&here, Verdict::Holds), (&elsewhere, Verdict::False)] {
            let mut world = recording.world.clone();
            tell(&mut world);
            let claims = recording.judge_with_the_stand_in(&world);
            let claim = claims.iter().find(|claim| claim.id == id).unwrap();
            assert_eq!(claim.verdict, expected, "`{id}`: {}", claim.evidence);
        }
    }
}
