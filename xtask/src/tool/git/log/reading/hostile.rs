//! Hostile output of `git log`: the author of a commit chooses most of what git prints about it.

use super::Reading;
use crate::process::hostile::readers;

readers! {
    logs: {
        seeds: vec![
            format!("{} {}\0Ann\0Bob <b@c>\nCid\n\0fix: a\n\nBREAKING CHANGE: b\n c\0", "b".repeat(40), "c".repeat(40)).into(),
        ],
        words: &["\0", "\n", " ", "<", ">", "@", ": ", "BREAKING CHANGE: ", "Revert ", "This reverts commit ", "(cherry picked from commit ", "#", "(#1)", "\u{202e}", "\u{e9}", "\r\n", "a/b!"],
        read: |bytes| {
            let Ok(reading) = Reading::of(&mut &*bytes) else { return };
            for entry in &reading.log.entries {
                assert!(entry.message.parts().is_none_or(|(before, _)| entry.message.subject.starts_with(before)));
            }
        },
    }
}
