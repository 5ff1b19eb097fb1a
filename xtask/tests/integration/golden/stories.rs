//! The repositories of one line of history, each as its name, the tag whose notes are read, and how it is made.

use super::story::Story;

pub(super) type Tell = fn(&mut Story);

/// Every story has one earlier release, unless its name says otherwise.
pub(super) const OTHERS: [(&str, &str, Tell); 36] = [
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
    ("breaking-of-each-kind", "v0.2.0", |s| {
        first(s);
        for message in [
            "BREAKING: rename DB_URL",
            "[BREAKING] Drop MySQL",
            "Drop SQLite (BREAKING)",
            "Breaking change: the file has moved",
            "feat!(api): drop v1",
            "[v0.2/carol] fix(api)!: drop v2",
            "fix: a\n\nBREAKING CHANGES: set A",
            "fix: b\n\n**BREAKING CHANGE:** set B",
            "fix: c\n\n## Breaking changes\n\n- set C\n- set D\n\n## Tests\n\nDone.",
            "fix: d\n\n## Breaking changes\n\nNone.\n",
            "fix: e\n\nBREAKING CHANGE: /data has moved.\n\nBefore: /data\nAfter: /var/lib\n\nRefs: #3\n",
        ] {
            s.commit(message);
        }
        s.tag("v0.2.0");
    }),
    ("squash-merge-with-breaking-commits", "v0.2.0", |s| {
        first(s)
            .commit("Rework the login (#12)\n\n* feat!: sessions in Redis\n\n* fix: a typo\n\n* refactor(api)!: /v1 is gone\n")
            .tag("v0.2.0");
    }),
    ("security-of-each-kind", "v0.2.0", |s| {
        first(s);
        for subject in [
            "security: a",
            "fix(security): b",
            "fix(login): c (CVE-2026-12345)",
            "[SECURITY] Escape names",
            "Fix GHSA-abcd-efgh-ijkl in the parser",
            "[v0.2] fix: d [security] (#7)",
            "chore(security): rotate e",
            "Add a page about CVE-2026-12345",
        ] {
            s.commit(subject);
        }
        s.tag("v0.2.0");
    }),
    ("tags-in-brackets", "v0.2.0", |s| {
        first(s);
        for subject in
            ["[api] fix: a", "[v0.2/carol] feat: b", "[fix] c", "[docs]: d", "[ui] e", "[#12] fix: f"]
        {
            s.commit(subject);
        }
        s.tag("v0.2.0");
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
    ("gitmoji", "v0.2.0", |s| {
        first(s);
        for subject in [
            "✨ Export as CSV",
            ":bug: Fix time zones (#12)",
            "⚡️ Faster reports",
            "🔒️ Escape titles",
            "⬆️ Upgrade x",
            "📝 Document the export",
            "💥 Drop the v1 API",
            "⏪️ Undo the cache",
            "✨ feat(web): dark mode",
            ":lipstick: A softer button",
            "💥 fix: drop old sessions",
        ] {
            s.commit(subject);
        }
        s.tag("v0.2.0");
    }),
    ("versions-set", "v0.2.0", |s| {
        first(s).commit("0.2.0-rc.1").commit("A plain sentence.").commit("Bump version to 0.2.0");
        s.commit("Release v0.2.0 (#7)").commit("0.2.0").tag("v0.2.0");
    }),
    ("full-width-colon", "v0.2.0", |s| {
        first(s)
            .commit("feat：新增导出功能")
            .commit("fix(登录)：修复崩溃")
            .commit("说明：文字")
            .tag("v0.2.0");
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
        first(s.file("Cargo.toml", &[CONFIGURATION, GROUPS].concat()));
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

pub(super) const CONFIGURATION: &str = r#"
[workspace.metadata.release]
forge = "https://forge.example.org"
repository = "acme/carol"
title = "carol"
description = "a service"
licenses = "MIT"
platforms = ["linux/amd64"]
branches = ["main"]
smoke = { command = ["true"] }
"#;

const GROUPS: &str = r#"
[workspace.metadata.release.notes]
groups = [
    { types = ["feat", "parser"], title = "🚀 Features & parser" },
    { types = ["fix", "perf"], title = "Fixes" },
    { types = ["docs", "ci"], title = "Around it", show = "folded" },
    { types = ["chore"], show = "hidden" },
]
"#;

/// The release that others are compared with. Further calls add nothing.
pub(super) fn first(story: &mut Story) -> &mut Story {
    if story.is_new() { story.commit("first").tag("v0.1.0") } else { story }
}

/// As [`first`], with a configuration that names the forge, so that the notes have links.
pub(super) fn linked(story: &mut Story) -> &mut Story {
    first(story.linked().file("Cargo.toml", &[CONFIGURATION, GROUPS].concat()))
}
