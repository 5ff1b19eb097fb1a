//! The repositories, each as its name, the tag whose notes are read, and how it is made.

use super::story::Story;

type Tell = fn(&mut Story);

/// Every story has one earlier release, unless its name says otherwise.
pub(super) const ALL: [(&str, &str, Tell); 55] = [
    ("first-release", "v0.1.0", |s| {
        s.commit("feat: a").tag("v0.1.0");
    }),
    ("nothing-changed", "v0.1.1", |s| {
        first(s).tag("v0.1.1");
    }),
    ("groups", "v0.2.0", |s| {
        for kind in
            ["feat", "fix", "perf", "security", "docs", "chore", "ci", "build", "test", "refactor", "revert"]
        {
            first(s).commit(format!("{kind}: a {kind}"));
        }
        s.commit("area: what").commit("A plain sentence.").tag("v0.2.0");
    }),
    ("scopes", "v0.1.1", |s| {
        first(s).commit("fix(api): a").commit("feat(): b").commit("fix(deps): c").tag("v0.1.1");
    }),
    ("breaking-mark", "v0.2.0", |s| {
        first(s).commit("feat!: a").commit("fix(api)!: b").tag("v0.2.0");
    }),
    ("breaking-footer", "v0.2.0", |s| {
        first(s).commit("feat: a\n\nWords.\n\nBREAKING CHANGE: one\n").tag("v0.2.0");
    }),
    ("breaking-footer-lines", "v0.2.0", |s| {
        first(s)
            .commit("feat: a\n\nBREAKING CHANGE: one\n  two\nthree\nSigned-off-by: Ann <ann@example.org>\n")
            .tag("v0.2.0");
    }),
    ("breaking-footers", "v0.2.0", |s| {
        first(s)
            .commit("a\n\nBREAKING CHANGE: one\nBREAKING-CHANGE: two\n\nBREAKING CHANGES: none\n")
            .tag("v0.2.0");
    }),
    ("backport", "v1.2.9", |s| {
        s.commit("a").tag("v1.2.8").on("line").on("main").commit("feat: b").tag("v1.3.0");
        s.on("line").commit("fix: c").tag("v1.2.9");
    }),
    ("backport-is-news-on-its-line-only", "v1.3.1", |s| {
        s.commit("a").tag("v1.2.8").on("line").on("main").commit("feat: b").tag("v1.3.0");
        s.on("line").commit("fix: c").tag("v1.2.9").on("main").commit("fix: d").tag("v1.3.1");
    }),
    ("backport-merged-back", "v1.3.1", |s| {
        s.commit("a").tag("v1.2.8").on("line").on("main").commit("feat: b").tag("v1.3.0");
        s.on("line")
            .commit("fix: c")
            .tag("v1.2.9")
            .on("main")
            .merge(&["line"], "Merge branch 'line'")
            .tag("v1.3.1");
    }),
    ("candidate-first", "v0.2.0-rc.1", |s| {
        first(s).commit("feat: a").tag("v0.2.0-rc.1");
    }),
    ("candidate-next", "v0.2.0-rc.2", |s| {
        first(s).commit("feat: a").tag("v0.2.0-rc.1").commit("fix: b").tag("v0.2.0-rc.2");
    }),
    ("candidate-tenth", "v0.2.0-rc.10", |s| {
        first(s)
            .commit("feat: a")
            .tag("v0.2.0-rc.2")
            .commit("fix: b")
            .tag("v0.2.0-rc.9")
            .commit("c")
            .tag("v0.2.0-rc.10");
    }),
    ("candidate-became-stable", "v0.2.0", |s| {
        first(s).commit("feat: a").tag("v0.2.0-rc.1").commit("fix: b").tag("v0.2.0");
    }),
    ("candidate-same-commit", "v0.2.0", |s| {
        first(s).commit("feat: a").tag("v0.2.0-rc.1").tag("v0.2.0");
    }),
    ("candidates-only", "v0.1.0-rc.2", |s| {
        s.commit("a").tag("v0.1.0-rc.1").commit("b").tag("v0.1.0-rc.2");
    }),
    ("candidate-of-abandoned-version", "v0.3.0-rc.1", |s| {
        first(s).commit("a").tag("v0.2.0-rc.1").commit("b").tag("v0.3.0-rc.1");
    }),
    ("side-branch", "v0.2.0", |s| {
        first(s)
            .on("side")
            .commit("feat: b")
            .on("main")
            .commit("fix: c")
            .merge(&["side"], "Merge branch 'side'")
            .tag("v0.2.0");
    }),
    ("side-branch-tagged", "v0.2.0", |s| {
        first(s).on("side").commit("feat: b").tag("v0.1.5").on("main").commit("fix: c").tag("v0.2.0");
    }),
    ("merge-with-words", "v0.2.0", |s| {
        first(s).on("side").commit("b").on("main").merge(&["side"], "feat: everything of side").tag("v0.2.0");
    }),
    ("merge-of-pull-request", "v0.2.0", |s| {
        first(s)
            .on("side")
            .commit("b")
            .on("main")
            .merge(&["side"], "Merge pull request 'b' (#7) from side into main")
            .tag("v0.2.0");
    }),
    ("pull-request-merged", "v0.2.0", |s| {
        linked(s).on("side").commit("fix: b").commit("fix: c").on("main").commit("fix: d");
        s.merge(
            &["side"],
            "Merge pull request 'It''s (#3) from x into y' (#7) from side into main\n\nReviewed-on: x\n",
        );
        s.commit("fix: e").tag("v0.2.0");
    }),
    ("pull-request-of-each-forge", "v0.2.0", |s| {
        linked(s);
        for (side, message) in [
            ("forgejo", "Merge pull request 'A title' (#1) from ann/carol:forgejo into main"),
            ("github", "Merge pull request #2 from ann/github\n\nA title"),
            ("gitlab", "Merge branch 'gitlab' into 'main'\n\nA title\n\nSee merge request acme/carol!3"),
            ("words", "feat: a subject of its own\n\nSee merge request acme/carol!4\n"),
        ] {
            s.on(side).commit(format!("fix: merged by {side}")).on("main").merge(&[side], message);
        }
        s.tag("v0.2.0");
    }),
    ("pull-request-within-another", "v0.2.0", |s| {
        linked(s).on("outer").commit("fix: outer").on("inner").commit("fix: inner").on("outer");
        s.commit("fix: outer again").merge(&["inner"], "Merge pull request 'i' (#8) from inner into outer");
        s.on("main").commit("fix: main").on("outer").merge(&["main"], "Merge branch 'main' into outer");
        s.on("by-hand")
            .commit("fix: by hand")
            .on("outer")
            .merge(&["by-hand"], "Merge branch 'by-hand' into outer");
        s.commit("fix: squashed into outer (#9)");
        s.on("main").merge(&["outer"], "Merge pull request 'o' (#10) from outer into main").tag("v0.2.0");
    }),
    ("pull-request-fast-forward", "v0.2.0", |s| {
        // The line continues on the branch: what it had merged is the rest of the line.
        linked(s).on("side").commit("fix: side").on("main").commit("fix: main").on("a").commit("fix: a");
        s.on("main").merge(&["a"], "Merge pull request 'a' (#11) from a into main");
        s.on("side").merge(&["main"], "Merge branch 'main' into side").commit("fix: after").tag("v0.2.0");
    }),
    ("pull-request-in-hostile-words", "v0.2.0", |s| {
        linked(s);
        for (side, message) in [
            ("long", "Merge pull request 'x' (#1234567890) from long into main"),
            ("markup", "Merge pull request 'x' (#1](x)) from markup into main"),
            ("zeros", "Merge pull request #01 from ann/zeros"),
            ("spaces", "Merge branch 'x'\n\nSee merge request acme carol!5"),
            ("subject", "See merge request acme/carol!6"),
        ] {
            s.on(side).commit(format!("fix: {side}")).on("main").merge(&[side], message);
        }
        s.on("x").commit("fix: x").on("main").on("y").commit("fix: y").on("main");
        s.merge(&["x", "y"], "Merge pull request 'octopus' (#12) from x into main");
        s.commit("Merge pull request 'no merge' (#13) from x into main").tag("v0.2.0");
    }),
    ("squash-merge", "v0.2.0", |s| {
        first(s).on("side").commit("wip").on("main").commit("feat: a (#12)\n\n* wip\n* more\n").tag("v0.2.0");
    }),
    ("octopus", "v0.2.0", |s| {
        first(s).on("x").commit("fix: x").on("main").on("y");
        s.commit("fix: y").on("main").merge(&["x", "y"], "Merge branches 'x' and 'y'").tag("v0.2.0");
    }),
    ("two-roots", "v0.2.0", |s| {
        first(s)
            .orphan("other")
            .commit("other: its first")
            .orphan("main")
            .merge(&["other"], "Merge 'other'")
            .tag("v0.2.0");
    }),
    ("revert", "v0.2.0", |s| {
        first(s).commit("feat: a").revert("feat: a").commit("b").tag("v0.2.0");
    }),
    ("revert-of-revert", "v0.2.0", |s| {
        first(s).commit("feat: a").revert("feat: a").revert("Revert \"feat: a\"").tag("v0.2.0");
    }),
    ("revert-of-released", "v0.2.0", |s| {
        first(s).revert("first").tag("v0.2.0");
    }),
    ("revert-of-unknown", "v0.2.0", |s| {
        first(s).commit(format!("Revert \"x\"\n\nThis reverts commit {}.\n", "0".repeat(40))).tag("v0.2.0");
    }),
    ("crlf", "v0.2.0", |s| {
        first(s)
            .commit("feat: a\r\n\r\nBREAKING CHANGE: one\r\n  two\r\n")
            .commit("b\r\nc\r\n\r\nd")
            .tag("v0.2.0");
    }),
    ("carriage-returns", "v0.2.0", |s| {
        first(s).commit("a\rb\rc").tag("v0.2.0");
    }),
    ("no-utf-8", "v0.2.0", |s| {
        first(s).commit(b"caf\xe9 is open").tag("v0.2.0");
    }),
    ("latin-1", "v0.2.0", |s| {
        first(s).encoded("ISO-8859-1").commit(b"caf\xe9 is open").tag("v0.2.0");
    }),
    ("shift-jis", "v0.2.0", |s| {
        first(s).encoded("Shift_JIS").commit(b"\x93\xfa\x96\x7b").tag("v0.2.0");
    }),
    ("unknown-encoding", "v0.2.0", |s| {
        first(s).encoded("no-such").commit(b"caf\xe9").tag("v0.2.0");
    }),
    ("ten-megabytes", "v0.2.0", |s| {
        first(s)
            .commit(format!("fix: a\n\n{}", "0123456789\n".repeat(950_000)))
            .commit("x".repeat(100_000))
            .tag("v0.2.0");
    }),
    ("no-message", "v0.2.0", |s| {
        first(s).commit("").commit("\n\n").tag("v0.2.0");
    }),
    ("emoji", "v0.2.0", |s| {
        first(s).commit("feat: 🎉 party 👩‍👩‍👧").commit(":tada: code").commit("✨ new").tag("v0.2.0");
    }),
    ("right-to-left", "v0.2.0", |s| {
        first(s).commit("fix: תיקון באג").commit("إصلاح").commit("a \u{202e}evil\u{202c} b").tag("v0.2.0");
    }),
    ("five-hundred-authors", "v0.2.0", |s| {
        first(s);
        for number in 0..500 {
            s.by(&format!("Author {number} <a{number}@example.org>")).commit(format!("fix: {number}"));
        }
        s.tag("v0.2.0");
    }),
    ("tags-that-are-no-versions", "v0.2.0", |s| {
        first(s)
            .commit("a")
            .tag("nightly")
            .tag("v0.1.9.1")
            .tag("release-0.1.9")
            .tag("0.1.9")
            .commit("b")
            .tag("v0.2.0");
    }),
    ("rewritten-history", "v0.2.0", |s| {
        first(s).commit("lost").tag("v0.1.1").orphan("anew").commit("feat: anew").tag("v0.2.0");
    }),
    ("replaced-commit", "v0.2.0", |s| {
        let old = first(s).commit("feat: what the commit says").id();
        s.tag("v0.2.0").commit("feat: what the replacement says").run(&format!("replace {old} HEAD"));
    }),
    ("contributors", "v0.2.0", |s| {
        first(s)
            .commit("fix: by somebody who is known")
            .by("Bob <bob@example.org>")
            .commit("feat: a\n\nWords.\n\nCo-authored-by: Cid <cid@example.org>\nCo-Authored-By: Ann <ann@example.org>\n")
            .by("dependabot[bot] <bot@example.org>")
            .commit("deps: update x\n\nSigned-off-by: dependabot[bot] <bot@example.org>\n")
            .by("Merger <merger@example.org>")
            .merge(&["main"], "Merge branch 'x'")
            .tag("v0.2.0");
    }),
    ("contributors-mailmap", "v0.2.0", |s| {
        s.by("bobby <bobby@example.org>").file(".mailmap", "Cid <cid@example.org>\n");
        first(s).file(
            ".mailmap",
            "Bob <bob@example.org> <bobby@example.org>\nCid <cid@example.org> <c@example.org>\n",
        );
        s.by("Bob <bob@example.org>").commit("fix: a").by("bobby <bobby@example.org>");
        s.commit(
            "fix: b\r\n\r\nCo-authored-by: See <c@example.org>\r\nCo-authored-by: Cid <cid@example.org>\r\n",
        );
        s.tag("v0.2.0")
            .commit("after")
            .file(".mailmap", "Eve <eve@example.org> <bob@example.org>\n")
            .checkout();
    }),
    ("contributors-far-back", "v0.3.0", |s| {
        first(s).by("Bob <bob@example.org>");
        for number in 0..1_100 {
            s.commit(format!("fix: {number}"));
        }
        s.tag("v0.2.0").commit("fix: a").by("Ann <ann@example.org>").commit("fix: b");
        s.by("Cid <cid@example.org>").commit("fix: c").tag("v0.3.0");
    }),
    ("contributors-hostile", "v0.2.0", |s| {
        first(s).by("@everyone [x](y) `z` &lt; <a@example.org>").commit("fix: a");
        s.by("\u{202e}bob@example.org <b@example.org>").commit("fix: b").by(" <c@example.org>");
        s.commit("fix: c\n\nCo-authored-by: no address\nCo-authored-by: <d@example.org>\nCo-authored-by:\n");
        s.tag("v0.2.0");
    }),
    ("groups-configured", "v0.2.0", |s| {
        first(s.file("Cargo.toml", CONFIGURATION));
        for kind in ["feat", "fix", "perf", "docs", "chore", "ci", "parser", "chore(deps)"] {
            s.commit(format!("{kind}: a {kind}"));
        }
        s.commit("chore!: what breaks is never hidden").commit("A plain sentence.").tag("v0.2.0");
    }),
    ("secrets", "v0.2.0", |s| {
        let token = "a1B2c3D4e5F6g7H8".repeat(3);
        first(s)
            .commit(format!(
                "fix: drop ghp_{token} from the workflow\n\nBREAKING CHANGE: use glpat-{token} now\n"
            ))
            .commit("feat: read from postgres://bob:hunter2@db/x")
            .commit(format!("-----BEGIN PRIVATE KEY-----\n{token}\n{token}\n-----END PRIVATE KEY-----\n"))
            .commit(format!("deps: Bearer eyJ{token}.eyJ{token}.{token}"))
            .tag("v0.2.0");
    }),
    ("squashed-footer-in-body", "v0.2.0", |s| {
        first(s).commit("Add b (#3)\n\n* fix: c\n\nCo-authored-by: Bob <bob@example.org>\n").tag("v0.2.0");
    }),
];

const CONFIGURATION: &str = r#"
[workspace.metadata.release]
forge = "https://forge.example.org"
repository = "acme/carol"
title = "carol"
description = "a service"
licenses = "MIT"
platforms = ["linux/amd64"]
branches = ["main"]
smoke = { command = ["true"] }

[workspace.metadata.release.notes]
groups = [
    { types = ["feat", "parser"], title = "🚀 Features & parser" },
    { types = ["fix", "perf"], title = "Fixes" },
    { types = ["docs", "ci"], title = "Around it", show = "folded" },
    { types = ["chore"], show = "hidden" },
]
"#;

/// The release that others are compared with. Further calls add nothing.
fn first(story: &mut Story) -> &mut Story {
    if story.is_new() { story.commit("first").tag("v0.1.0") } else { story }
}

/// As [`first`], with a configuration that names the forge, so that the notes have links.
fn linked(story: &mut Story) -> &mut Story {
    first(story.linked().file("Cargo.toml", CONFIGURATION))
}
