//! Fuzz tests: random and changed files of a repository, and answers of npm and of registries.

use super::online::{advisories, base, signatures};
use super::{renovate, workflows};
use crate::process::hostile::{file, readers};

readers! {
    workflow_files: {
        seeds: vec![file(".forgejo/workflows/ci.yml"), file(".forgejo/workflows/release.yml")],
        words: &[
            "&a ", "*a", "&a [*a,*a]\n", "<<: ", "!!python/object/apply:os.system ", "!!str ", "!<tag:x> ", "!x,", "- ", ": ", "? ", "| \n", ">-\n", "\"",
            "'", "{", "}", "[", "]", ",", "#", "---\n", "...\n", "%YAML 1.2\n", "\t", "\0", "\u{feff}", "\u{85}", "\u{2028}", "\r\n", "\n", "  ", "jobs:\n",
            "uses: a/b@v1\n", "${{ secrets.X }}", "${{", "}}", "timeout-minutes: 5\n", "a: b\n", "\\x00", "~", "@", "`",
        ],
        read: |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let lines = text.lines().count().max(1);
            let found = workflows::of_text(".forgejo/workflows/release.yml", &text);
            assert!(found.iter().all(|one| one.line.is_none_or(|line| (1..=lines + 1).contains(&line))));
        },
    }
    renovates_file: {
        seeds: vec![file("renovate.json")],
        words: &[
            "{", "}", "[", "]", ",", ":", "\"", "\"automerge\": true,", "\"packageRules\": [", "\"matchManagers\": [\"npm\"],", "null", "1e999", "\\ud800",
            "\"minimumReleaseAge\": \"7 days\",", "//", "/*",
        ],
        read: |bytes| drop(renovate::of_file(bytes)),
    }
    npms_advisories: {
        seeds: vec![advisories::tests::report().to_string().into_bytes()],
        words: &[
            "{", "}", "[", "]", ",", ":", "\"", "\"via\": [", "\"nodes\": [\"node_modules/minimist\"],", "\"range\": \"<", "||", ">=", "1.2.3", "*", "null",
            "18446744073709551616", "\\u202e", "GHSA-", "/", "\"auditReportVersion\": 2,",
        ],
        read: |bytes| drop(advisories::read(bytes, &advisories::tests::lockfile())),
    }
    npms_signatures: {
        seeds: vec![br#"{"invalid": [{"code": "E", "name": "a", "version": "1.0.0"}], "missing": [{"name": "b", "version": "2.0.0"}]}"#.to_vec()],
        words: &["{", "}", "[", "]", ",", ":", "\"", "\"invalid\": [", "\"missing\": [", "\"name\": \"", "null", "\\u0000"],
        read: |bytes| drop(signatures::findings("package-lock.json", bytes)),
    }
    dates_of_images: {
        seeds: vec![br#"{"created": "2026-11-29T12:00:00.123456789Z"}"#.to_vec()],
        words: &["{", "\"created\": \"", "9999-12-31T23:59:59Z", "0000-00-00", ".", "Z", "-", "T", ":", "\"}", "\u{e9}"],
        read: |bytes| drop(base::date(bytes)),
    }
}
