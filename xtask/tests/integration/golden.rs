//! Release notes of small repositories, each compared with a text in `golden/`. If the notes change on purpose,
//! `BLESS=1 cargo test --package xtask --test integration golden` rewrites the texts, and the difference is
//! reviewed.

#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod branches;
mod stories;
mod story;

use std::fs;
use std::path::PathBuf;

use xtask::evidence::page::CHANGES_HEADING;
use xtask::inputs::words::imitation;
use xtask::process::environment::Environment;
use xtask::process::parallel::in_parallel;

use branches::BRANCHES;
use stories::OTHERS;
use story::Story;

#[test]
fn notes_of_small_repositories_are_as_reviewed() {
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/golden"));
    let is_blessed = Environment::from_process().get("BLESS").unwrap().is_some();
    let all = [&BRANCHES[..], &OTHERS].concat();
    let wrong = in_parallel(&all, |(name, tag, tell)| {
        let mut story = Story::new();
        tell(&mut story);
        let found = story.notes(tag);
        let path = dir.join(format!("{name}.md"));
        if is_blessed {
            fs::write(&path, &found).unwrap();
        }
        let imitation = imitation(&found, CHANGES_HEADING);
        assert_eq!(imitation, None, "{name}");
        let expected = fs::read_to_string(&path).unwrap_or_default();
        Ok((found != expected).then(|| format!("{name}: expected\n{expected}\nfound\n{found}")))
    });
    let wrong: Vec<_> = wrong.unwrap().into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let texts = fs::read_dir(&dir).unwrap().filter(|entry| {
        entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "md")
    });
    assert_eq!(texts.count(), all.len(), "each text has its story, and each story its own name");
}
