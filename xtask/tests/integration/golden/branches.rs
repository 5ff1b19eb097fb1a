//! Histories with more than one line: backports, candidates, branches, merges, pull requests and reverts.

use super::stories::{CONFIGURATION, Tell, first, linked};

/// As [`super::stories::OTHERS`].
pub(super) const BRANCHES: [(&str, &str, Tell); 36] = [
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
    ("merge-with-breaking-footer", "v0.2.0", |s| {
        first(s).on("side").commit("b").on("main");
        s.merge(&["side"], "Merge branch 'side'\n\nBREAKING CHANGE: the port is another one\n").tag("v0.2.0");
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
    ("pull-request-titles", "v0.2.0", |s| {
        first(s.linked().file("Cargo.toml", CONFIGURATION));
        for (side, subjects, message) in [
            (
                "forgejo",
                &["wip", "review"][..],
                "Merge pull request 'Export as CSV' (#1) from forgejo into main",
            ),
            ("github", &["more", "db: index"], "Merge pull request #2 from ann/github\n\nfix: the time zone"),
            (
                "gitlab",
                &["a"],
                "Merge branch 'gitlab' into 'main'\n\nSign in by mail\n\nSee merge request a/b!3",
            ),
            ("same", &["Show totals"], "Merge pull request 'Show totals' (#4) from same into main"),
            ("typed", &["feat: c", "wip"], "Merge pull request 'Some work' (#5) from typed into main"),
            ("areas", &["db: d", "web: e"], "Merge pull request 'More work' (#6) from areas into main"),
            (
                "untitled",
                &["f"],
                "Merge pull request #7 from ann/untitled\n\nSigned-off-by: Ann <ann@example.org>",
            ),
            (
                "broken",
                &["g"],
                "Merge pull request 'Users' (#8) from broken into main\n\nBREAKING CHANGE: the port\n",
            ),
        ] {
            s.on(side);
            for subject in subjects {
                s.commit(subject);
            }
            s.on("main").merge(&[side], message);
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
    ("revert-of-merge", "v0.2.0", |s| {
        first(s).on("side").commit("feat: a shiny export button").on("main");
        let merge = s.merge(&["side"], "Merge branch 'side'").id();
        s.commit(format!(
            "Revert \"Merge branch 'side'\"\n\nThis reverts commit {merge}, reversing\nchanges made to {}.\n",
            "0".repeat(40)
        ));
        s.tag("v0.2.0");
    }),
    ("revert-of-released", "v0.2.0", |s| {
        first(s).revert("first").tag("v0.2.0");
    }),
    ("reverts-of-each-kind", "v0.2.0", |s| {
        let released = "0".repeat(40);
        first(s.linked().file("Cargo.toml", CONFIGURATION)).commit("A plain sentence.").commit("feat: a");
        for (subject, body) in [
            ("Revert \"feat: export (#12)\" (#21)", "Reverts acme/carol#12".to_owned()),
            ("Revert \"perf: a cache\"", format!("This reverts commit {released}.")),
            ("Reapply \"fix: the time zone\"", format!("This reverts commit {released}.")),
            ("Revert \"Revert \"fix: the currency\"\"", format!("This reverts commit {released}.")),
            ("revert(api): pages of 100", String::new()),
            ("Revert the new queue", format!("This reverts commit {released} (feat: a queue, 2026-01-01).")),
            ("Revert to the old fonts", String::new()),
            ("Revert \"feat!: no passwords\"", format!("This reverts commit {released}.")),
        ] {
            s.commit(format!("{subject}\n\n{body}\n"));
        }
        s.tag("v0.2.0");
    }),
    ("reverts-configured", "v0.2.0", |s| {
        let groups =
            r#"notes = { groups = [{ types = ["revert"], title = "Taken back", show = "folded" }] }"#;
        first(s.file("Cargo.toml", &[CONFIGURATION, groups].concat()));
        s.commit("Revert \"feat: a\"").commit("revert: b").commit("fix: c").tag("v0.2.0");
    }),
    ("revert-by-button", "v0.2.0", |s| {
        let id = first(s).commit("feat: a\n\nBREAKING CHANGE: b\n").id();
        s.commit(format!("revert {id}\n\nrevert feat: a\n\nBREAKING CHANGE: b\n"));
        let released = "0".repeat(40);
        s.commit(format!("revert {released}\n\nrevert feat!: c\n\nBREAKING CHANGE: d\n")).tag("v0.2.0");
    }),
    ("revert-in-other-words", "v0.2.0", |s| {
        let id = first(s).commit("feat: a").commit("feat: b").commit("feat: c").id();
        s.commit("revert: feat: c\n\nRefs: ".to_owned() + &id + "\n");
        s.commit("Revert \"feat: a\"\n\nSigned-off-by: Ann <ann@example.org>\n");
        s.commit("Revert \"feat: b\"\n\nOnly half of it.\n");
        let id = s.commit("feat: d").id();
        s.commit(format!("Revert \"feat: d\"\n\nIt was slow.\n\nThis reverts commit {id}.\n")).tag("v0.2.0");
    }),
    ("revert-that-is-only-mentioned", "v0.2.0", |s| {
        let id = first(s).commit("perf: cache the token").id();
        s.commit(format!(
            "feat: sessions in Redis\n\nThis reverts commit {id}, whose cache is not needed any more.\n\n\
             BREAKING CHANGE: REDIS_URL must be set\n"
        ));
        s.tag("v0.2.0");
    }),
    ("cherry-pick", "v0.2.0", |s| {
        let id = first(s).on("hotfix").commit("fix: a").id();
        s.on("main").commit("feat: b").commit(format!("fix: a\n\n(cherry picked from commit {id})\n"));
        s.merge(&["hotfix"], "Merge branch 'hotfix'").tag("v0.2.0");
    }),
    ("merge-with-breaking-title", "v0.2.0", |s| {
        linked(s).on("side").commit("b").on("main");
        s.merge(&["side"], "Merge pull request 'feat!: drop the v1 API' (#12) from side into main")
            .tag("v0.2.0");
    }),
    ("revert-of-unknown", "v0.2.0", |s| {
        first(s).commit(format!("Revert \"x\"\n\nThis reverts commit {}.\n", "0".repeat(40))).tag("v0.2.0");
    }),
];
