//! Random and mutated output of git. The author of a commit chooses most of what git prints about it.

use super::commit::time;
use super::objects::next;
use super::people::{name, parse_shortlog, shown};
use super::pull_request::merged;
use super::tag_message::{message, without_signature};
use super::tree::entries;
use crate::process::hostile::readers;
use crate::process::shown::is_hidden;

fn tree(mode: &str, kind: &str, path: &str) -> String {
    format!("{mode} {kind} {}\t{path}\0", "a".repeat(40))
}

readers! {
    messages_of_merges: {
        seeds: vec![b"Merge pull request #12 from a/b\n\nSee merge request a/b!1\n".to_vec()],
        words: &["Merge pull request ", "See merge request ", "'", " (#1) from ", " into ", "!", "/", "#", "\n", "999999999", "\0"],
        read: |bytes| assert_ne!(merged(&String::from_utf8_lossy(bytes)), Some(0)),
    }
    trees: {
        seeds: vec![[tree("100644", "blob", "a/b"), tree("120000", "blob", "c")].concat().into_bytes()],
        words: &["\0", "\t", " ", "/", "..", ".git", ".GIT", "100644", "160000", "\u{e9}", "\u{212a}", "a/", "\n"],
        read: |bytes| drop(entries(bytes)),
    }
    authors: {
        seeds: vec![b"     3\tAnn\n     1\tBob <b@c>\n".to_vec()],
        words: &["18446744073709551615\tA\n", "\t", "\n", "<", ">", " <", "@", " ", "-1\t", "\u{202e}", "\u{200b}", "ghp_", "\0"],
        read: |bytes| {
            let text = String::from_utf8_lossy(bytes);
            drop(parse_shortlog(&text));
            assert_eq!(name(&text), shown(&text), "the shortcut for plain names gives the same result");
            assert!(name(&text).is_none_or(|name| !name.is_empty() && !name.chars().any(is_hidden)));
        },
    }
    commits: {
        seeds: vec![b"tree a\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1700000000 +0000\n\nfix: a\n".to_vec()],
        words: &["\n", "committer ", "> ", "<", " +0000", "-", "253402300800", "18446744073709551616", "\u{e9}", "\0"],
        read: |bytes| assert!(time(bytes).is_ok_and(|time| time < 253_402_300_800) || time(bytes).is_err()),
    }
    messages_of_tags: {
        seeds: vec![b"object a\n\nwords\n-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n".to_vec()],
        words: &["-----BEGIN SSH SIGNATURE-----", "-----BEGIN PGP SIGNATURE-----", "\n", "\r\n", "\0", "-----"],
        read: |bytes| assert!(message(bytes).starts_with(without_signature(message(bytes)))),
    }
    objects: {
        seeds: vec![b"abc blob 3\na\nb\nHEAD:x missing\nfed tree 2\nx\n\n".to_vec()],
        words: &["\n", " ", "blob", "tree", " missing", " ambiguous", "18446744073709551615", "67108864", "0", "-1", "\0"],
        read: |bytes| {
            let mut rest = bytes;
            while let Ok(Some(object)) = next(&mut rest) {
                assert!(object.bytes.len() < bytes.len());
            }
        },
    }
}
