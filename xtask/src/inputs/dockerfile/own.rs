//! What a Dockerfile itself adds to its base image. Anything else above the base image comes from instructions that no
//! rule has seen, such as the `ONBUILD` of a base image.

use super::parse::Instruction;
use super::stages::Stages;
use super::{final_stage, install, words};

/// What a Dockerfile adds to the image on which the final stage is based.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own {
    /// The line of the `FROM` with that image, from 1.
    pub from: usize,
    /// The layers that its instructions make (docs/facts.md, "Triggers of a base image").
    pub layers: usize,
    /// Whether it may set `NODE_VERSION`.
    pub sets_node_version: bool,
    /// Whether it has npm leave out optional packages.
    pub omits_optional: bool,
}

/// The instructions that make a layer.
const WITH_LAYER: [&str; 4] = ["ADD", "COPY", "RUN", "WORKDIR"];

pub(super) fn of(instructions: &[Instruction], stages: &Stages<'_>) -> Own {
    let all = final_stage::published(instructions, stages);
    let sets_node = |instruction: &&Instruction| {
        let mut names = words::assigned(instruction).into_iter().map(|(name, _)| name);
        instruction.is("ENV") && names.any(|name| name == "NODE_VERSION" || name.contains('$'))
    };
    Own {
        from: all.first().map_or(1, |first| first.line),
        layers: all
            .iter()
            .filter(|instruction| WITH_LAYER.iter().any(|keyword| instruction.is(keyword)))
            .count(),
        sets_node_version: all.iter().any(sets_node),
        omits_optional: instructions.iter().any(install::omits_optional),
    }
}

#[cfg(test)]
mod tests {
    use super::Own;
    use crate::inputs::dockerfile::tests::{PIN, read};

    #[test]
    fn what_the_dockerfile_adds_is_counted_in_every_stage_that_becomes_the_image() {
        let none = Own { from: 1, layers: 0, sets_node_version: false, omits_optional: false };
        for (text, expected) in [
            ("FROM P\n", none),
            (
                "FROM P AS a\nRUN x\nFROM P\nCOPY a b\nwork\\\ndir /x\nENV A=NODE_VERSION\n",
                Own { from: 3, layers: 2, ..none },
            ),
            (
                "FROM P AS a\nADD a b\nENV A=1 NODE_VERSION=2\nFROM a\nCOPY <<E /x\nRUN x\nE\n",
                Own { layers: 2, sets_node_version: true, ..none },
            ),
            ("FROM P AS a\nENV NODE_VERSION=2\nFROM P\n", Own { from: 3, ..none }),
            ("FROM P\nENV NODE_VERSION 2\n", Own { sets_node_version: true, ..none }),
            ("FROM P\nENV ${X}=2\n", Own { sets_node_version: true, ..none }),
            (
                "FROM P AS a\nRUN <<E\nnpm ci --omit=dev --omit optional\nE\nFROM P\n",
                Own { from: 5, omits_optional: true, ..none },
            ),
            (
                "FROM P AS a\nRUN --network=none npm ci --no-optional\nFROM P\n",
                Own { from: 3, omits_optional: true, ..none },
            ),
            ("FROM P AS a\nRUN npm ci --omit=dev && echo --omit=optional\nFROM P\n", Own { from: 3, ..none }),
        ] {
            assert_eq!(
                read(&text.replace("FROM P", &format!("FROM {PIN}"))).unwrap().own,
                expected,
                "{text}"
            );
        }
    }
}
