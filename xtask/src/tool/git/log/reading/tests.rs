//! What is read from git's log, commit by commit.

use std::io::BufReader;

use super::{Commit, Log, Reading};

fn read(text: &str) -> anyhow::Result<Log> {
    Ok(Reading::of(&mut text.as_bytes())?.log)
}

#[test]
fn a_log_record_has_a_commit_its_authors_and_a_message_with_any_characters() {
    let [commit, parent] = ["b", "c"].map(|digit| digit.repeat(40));
    let parse = |parents: &str, message: &str| {
        let text = format!("{commit} {parents}\0Ann\x1f\0Bob <b@c>\r\nCid\n\0{message}\0");
        let mut reading = Reading::of(&mut text.as_bytes()).unwrap();
        let people = [("Bob <b@c>", "Bob"), ("Cid", "Cid")];
        let people = people.map(|(contact, name)| (contact.to_owned(), Some(name.into())));
        assert_eq!(reading.co_authors.values()[0].people, people);
        assert_eq!(reading.co_authored, [(0, 0)]);
        let entry = reading.log.entries.pop().unwrap();
        assert_eq!(entry.author.as_deref(), Some("Ann"));
        entry
    };
    let entry = parse(&format!("{parent} {parent}"), "fix: a \x1f and `tick`\n\nmore\n");
    assert_eq!((&*entry.message.subject, entry.parents), ("fix: a \x1f and `tick`", 2));
    assert_eq!(parse("", "").parents, 0);
    for long in ["é".repeat(9000), "x".repeat(100_000), format!("x{}", "é".repeat(9000))] {
        assert_eq!(parse("", &long).message.subject, long[..long.floor_char_boundary(8 << 10)]);
    }
    assert!(read("").unwrap().entries.is_empty());
    for wrong in [
        "fatal: not a git repository",
        "a b\0c\0d\0e\0",
        &format!("{commit} \0\0\0"),
        &format!("{commit}\0\0\0\0"),
        "\0",
    ] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
    let long = format!("{commit} \0Ann\0\0{}\0", "x".repeat(100_000));
    assert_eq!(read(&long.repeat(3)).unwrap().entries.len(), 3, "the cut ends with its message");
}

#[test]
fn a_record_is_read_the_same_wherever_a_buffer_ends() {
    let [commit, parent] = ["b", "c"].map(|digit| digit.repeat(40));
    let long = "x".repeat(20_000);
    let words = "BREAKING CHANGE in words\n".repeat(10_000);
    let footers = format!("feat: a\n\nBREAKING CHANGE: first\n---\n{words}\nBREAKING CHANGE: last\n");
    let messages = ["fix: a\n\nBREAKING CHANGE: b\n", "", "Merge branch 'x'", &long, &footers, "last"];
    let record =
        |message: &&str| format!("{commit} {parent} {parent}\0Ann\0Bob <b@c>\nCid <c@d>\0{message}\0");
    let text: String = messages.iter().map(record).collect();
    let whole = Reading::of(&mut text.as_bytes()).unwrap();
    assert_eq!(whole.log.entries.len(), messages.len());
    assert_eq!(whole.log.entries[3].message.subject, long[..8 << 10]);
    assert_eq!(whole.log.entries[4].message.breaking, ["first", "last"]);
    for size in [1, 7, 100, 4096, 64 << 10] {
        let mut buffer = BufReader::with_capacity(size, text.as_bytes());
        let found = Reading::of(&mut buffer).unwrap();
        assert_eq!(found.log.entries, whole.log.entries);
        assert_eq!(
            (found.co_authors.values(), found.co_authored),
            (whole.co_authors.values(), whole.co_authored.clone())
        );
    }
}

#[test]
fn a_line_that_is_cut_off_is_not_read_as_a_footer() {
    let [commit, parent] = ["b", "c"].map(|digit| digit.repeat(40));
    for blanks in 0..40 {
        // There is no line break in the last half, wherever that begins.
        let message = format!("feat: a\n\n{}{}", "x".repeat(blanks), "BREAKING CHANGE: y ".repeat(2_000));
        let log = read(&format!("{commit} {parent}\0Ann\0\0{message}\0")).unwrap();
        let footers = &log.entries[0].message.breaking;
        assert_eq!(footers.len(), usize::from(blanks == 0), "{footers:?}");
    }
}

#[test]
fn a_merge_has_the_title_of_its_pull_request_if_that_announces_a_breaking_change() {
    let [commit, parent] = ["b", "c"].map(|digit| digit.repeat(40));
    for (message, subject, is_bare) in [
        ("Merge pull request 'feat!: drop v1' (#12) from b into main", "feat!: drop v1", false),
        ("Merge pull request #12 from a/b\n\napi(v1)!: drop it\n", "api(v1)!: drop it", false),
        (
            "Merge branch 'b' into 'main'\n\nBREAKING CHANGE: c\n\nSee merge request a/b!12",
            "Merge branch 'b' into 'main'",
            false,
        ),
        ("Merge pull request 'BREAKING CHANGE: d' (!12) from b into main", "BREAKING CHANGE: d", false),
        (
            "Merge pull request 'feat: add v2' (#12) from b into main",
            "Merge pull request 'feat: add v2' (#12) from b into main",
            true,
        ),
        ("Words\n\nfeat!: drop v1\n\nSee merge request a/b!12", "Words", false),
        ("Merge branch 'b'\n\nfeat!: drop v1", "Merge branch 'b'", true),
    ] {
        let log = read(&format!("{commit} {parent} {parent}\0Ann\0\0{message}\0")).unwrap();
        let entry = &log.entries[0];
        assert_eq!((&*entry.message.subject, entry.is_bare_merge()), (subject, is_bare), "{message}");
    }
}

#[test]
fn an_author_of_only_bare_merges_does_not_count() {
    let [commit, parent] = ["b", "c"].map(|digit| digit.repeat(40));
    let text: String = [("Ann", "Merge branch 'x'"), ("Bob", "Merge branch 'y'"), ("Bob", "feat: z")]
        .map(|(name, message)| format!("{commit} {parent} {parent}\0{name}\0{name} <@>\0{message}\0"))
        .concat();
    let found = Reading::of(&mut text.as_bytes()).unwrap();
    let counted: Vec<_> = found
        .known
        .values()
        .iter()
        .map(|author| (author.name.as_deref().unwrap(), author.counts_as_change))
        .collect();
    assert_eq!(counted, [("Ann", false), ("Bob", true)]);
    let counted: Vec<_> = found
        .co_authors
        .values()
        .iter()
        .map(|trailers| (trailers.people[0].1.as_deref().unwrap(), trailers.counts_as_change))
        .collect();
    assert_eq!(counted, [("Ann", false), ("Bob", true)]);
}

#[test]
fn a_range_touches_only_the_parents_of_its_commits_that_are_outside_of_it() {
    let [commit, parent, other, child] = ["b", "c", "d", "e"].map(|digit| digit.repeat(40));
    for parents in [parent.clone(), format!("{other} {parent}"), format!("{parent} {other}")] {
        let text = format!("{child} {commit}\0Ann\0\0words\0{commit} {parents}\0Ann\0\0words\0");
        let log = read(&text).unwrap();
        let touches = |name: &str| log.touches(&Commit::parse(name).unwrap());
        assert!(touches(&parent) && !touches(&commit) && !touches(&child), "{parents}");
    }
}
