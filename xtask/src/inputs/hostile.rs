//! Random and mutated documents for every reader of a commit's files. Each file is read as a release reads it, and no
//! reader may panic or hang.

use std::path::Path;

use super::config::{Config, Folder};
use super::dockerfile::copied::copied;
use super::dockerfile::ignored::Ignored;
use super::dockerfile::{existing, runtime};
use super::lockfile::pinned::Pinned;
use super::lockfile::{Lockfile, Target};
use super::version::ReleaseTag;
use super::{Inputs, dockerfile, exceptions, keys, lockfile, npmrc, words};
use crate::oci::platform::Platform;
use crate::process::hostile::{file, readers};
use crate::process::shown::is_hidden;

const FILES: [&str; 6] = [
    "Dockerfile",
    "service/package.json",
    "service/package-lock.json",
    "cosign.pub",
    "Cargo.lock",
    "service/.npmrc",
];

fn own_config() -> Config {
    Config::of_work_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// Reads the inputs of this repository, with the bytes of one file replaced.
fn inputs_with(path: &str, bytes: &[u8]) {
    assert!(FILES.contains(&path));
    let read = |paths: &[String]| {
        let content = |requested: &String| match requested == path {
            true => bytes.to_vec(),
            false => file(requested),
        };
        Ok(paths.iter().map(|path| FILES.contains(&&**path).then(|| content(path))).collect())
    };
    if let Ok(inputs) = Inputs::read(&own_config(), &read) {
        inputs.package_lock().unwrap();
        inputs.ensure_kept().unwrap_or_default();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn service() -> Folder {
    "service".to_owned().try_into().unwrap()
}

fn platforms() -> Vec<Platform> {
    ["linux/amd64", "linux/arm64"].map(|name| name.to_owned().try_into().unwrap()).into()
}

/// Makes every query that a release makes of a lockfile.
fn query(found: &Lockfile) {
    for platform in platforms() {
        let target = Target::new(&platform, lockfile::Libc::Glibc).unwrap();
        found.installed(&target).map(drop).unwrap_or_default();
        found.tolerated(&target).map(drop).unwrap_or_default();
        found.chosen_by_cpu(&target).map(drop).unwrap_or_default();
        drop(found.unlocked(&service(), std::slice::from_ref(&target)));
        drop(found.without_libc(&service(), &[target]));
    }
    found.local_manifests(&service()).map(drop).unwrap_or_default();
    drop(found.wrong_marks(&service(), true));
}

fn services(name: &str) -> Vec<Vec<u8>> {
    ["typescript", "native"].map(|service| file(&format!("testbed/services/{service}/{name}"))).into()
}

fn seeds(own: &str, name: &str) -> Vec<Vec<u8>> {
    let released = |number: &str| file(&format!("xtask/testdata/released/{number}/commit/{own}"));
    [vec![file(own), released("1"), released("2")], services(name)].concat()
}

readers! {
    recipes: {
        seeds: seeds("Dockerfile", "Dockerfile"),
        words: &[
            "FROM a AS b\n", "FROM scratch\n", "FROM", " AS ", "RUN ", "RUN <<E\n", "E\n", "<<", "<<-'", "\\\n", "`\n", "#",
            "# escape=`\n", "# syntax=x\n", "$", "${", "${a:-", "}", "ARG a=$a$a\n", "ARG a=1\n", "--mount=from=b,", "--from=0 ",
            "COPY --from=b a a\n", "ADD --checksum=sha256: https://x y\n", "[\"", "\", ", "]\n", "&& ", "|| ", "; ", "npm ci ",
            "--libc=musl ", "--network=none ", "touch --date=@1 ", "ENV a=b\n", "EXPOSE 1/tcp\n", "VOLUME a\n", "'", "\"",
            "\u{feff}", "\r\n", "\n", "RUN", "ENTRYPOINT [", "HEALTHCHECK ", "ONBUILD ",
        ],
        read: |bytes| {
            let text = text(bytes);
            let findings = dockerfile::findings(&text, &platforms());
            let lines = text.lines().count().max(1);
            assert!(findings.iter().all(|finding| finding.line.is_none_or(|line| (1..=lines).contains(&line))));
            if let Ok(recipe) = dockerfile::read(&text, &platforms()) {
                assert_eq!(recipe.findings, findings);
            }
            drop(runtime::read(&text));
            drop(existing::read(&text));
            drop(copied(&text));
        },
    }
    ignore_files: {
        seeds: vec![file(".dockerignore"), b"a/**/b*?\n!a/b/*\n".to_vec()],
        words: &["*", "**", "?", "/", "!", "#", "\n", "[", "\\", "..", ".", "a", "\u{feff}", "\u{e9}", "**/", "*a*a*a*b"],
        read: |bytes| {
            if let Some(ignored) = Ignored::read(&text(bytes)) {
                for path in ["a".repeat(200), "a/".repeat(100)] {
                    assert!(!ignored.leaves_out(&path, true) || ignored.leaves_out(&path, false));
                }
            }
        },
    }
    recipe_among_inputs: {
        seeds: vec![file("Dockerfile")],
        words: &["FROM scratch\n", "ADD --checksum=sha256: https://x y\n", "RUN npm ci\n"],
        read: |bytes| inputs_with("Dockerfile", bytes),
    }
    lockfiles: {
        seeds: seeds("service/package-lock.json", "package-lock.json"),
        words: &[
            "{", "}", "[", "]", ",", ":", "\"", "\"packages\": {", "\"\": {", "\"node_modules/", "/node_modules/", "\"a\": {},",
            "\"resolved\": ", "\"integrity\": \"sha512-\",", "\"link\": true,", "\"dev\": true,", "\"inBundle\": true,",
            "\"dependencies\": {\"a\": \"*\"},", "\"workspaces\": [\"*\"],", "../", "\\u0000", "\"os\": [\"!linux\"],", "null",
            "1e999", "\"lockfileVersion\": 3,", "{\"lockfileVersion\": 3, \"packages\": {",
        ],
        read: |bytes| {
            let manifest = file("service/package.json");
            if let Ok(found) = lockfile::check(&service(), &manifest, bytes) {
                query(&found);
            }
            Pinned::read(bytes).map(drop).unwrap_or_default();
        },
    }
    lockfile_among_inputs: {
        seeds: vec![file("service/package-lock.json")],
        words: &["{", "\"node_modules/", "\"dev\": true,", "\"hasInstallScript\": true,", "\"link\": true,"],
        read: |bytes| inputs_with("service/package-lock.json", bytes),
    }
    manifests: {
        seeds: seeds("service/package.json", "package.json"),
        words: &[
            "{", "}", "[", "]", ",", ":", "\"", "{\"a\":", "\"dependencies\": {", "\"a\": \"file:../..\",", "\"workspaces\": [\"*\"],",
            "\"peerDependenciesMeta\": {\"a\": {\"optional\": true}},", "\"overrides\": {", "null", "1e999", "\\ud800",
        ],
        read: |bytes| inputs_with("service/package.json", bytes),
    }
    npm_settings: {
        seeds: vec![file("service/.npmrc"), b"legacy-peer-deps=true\n; a = b\n".to_vec()],
        words: &["legacy-peer-deps", "=true\n", "=", "\n", " ", ";", "#", "[", "${x}"],
        read: |bytes| assert!(!npmrc::leaves_peers_alone(bytes) || !bytes.is_empty()),
    }
    configurations: {
        seeds: vec![file("Cargo.toml"), file("testbed/services/native/release.toml")],
        words: &[
            "[workspace.metadata.release]\n", "[[workspace.metadata.release.native]]\n", "[", "]", "{", "}", "[[", "=", ".", "a.",
            "a = [", "a = {a=", "\"", "\"\"\"", "'''", "\n", "#", "\\u0000", "platforms = [\"linux/amd64\"]\n", "1979-05-27", "-",
            "a = 1\n", "[a]\n", "[a.a]\n", "[[a]]\n", "[[a.a]]\n", "= [[[[", "\\",
        ],
        read: |bytes| {
            let text = text(bytes);
            let is_in = Config::is_in(Some(text.as_bytes()));
            assert!(Config::from_manifest(&text).is_err() || is_in.unwrap());
        },
    }
    histories_of_keys: {
        seeds: vec![keys::tests::repository()["keys/history.toml"].clone()],
        words: &[
            "[[key]]\n", "fingerprint = \"sha256:", "from = \"1.0.0\"\n", "also = [\"", "unendorsed = \"", "retired = true\n", "[",
            "a = [", "a = {a=", "a.", "#", "\"",
        ],
        read: |bytes| {
            let Ok(entries) = keys::read(bytes) else { return };
            assert!(entries.windows(2).all(|pair| pair[0].from < pair[1].from));
        },
    }
    exceptions_of_vulnerabilities: {
        seeds: vec![exceptions::tests::document().to_string().into_bytes()],
        words: &[
            "{", "[", "}", "]", ",", ":", "\"", "{\"statements\": [", "\"products\": [{\"@id\": \"pkg:npm/a@1\"}],", "pkg:npm/", "@",
            "\"status\": \"affected\",", "Until ", "2027-02-28: ", "9999-12-31: ", "-", "\\u0000", "\\ud800", "null", "1e999",
        ],
        read: |bytes| {
            let Ok(found) = exceptions::read(bytes) else { return };
            assert!(found.iter().all(|one| one.package.starts_with("pkg:npm/") && !one.reason.is_empty()));
        },
    }
    public_keys: {
        seeds: keys::tests::PEM.map(|pem| pem.as_bytes().to_vec()).into(),
        words: &["-----BEGIN PUBLIC KEY-----\n", "-----END PUBLIC KEY-----\n", "=", "A", "\n", "\r\n"],
        read: |bytes| {
            let Ok(key) = keys::PublicKey::parse(bytes) else { return };
            assert_eq!(keys::PublicKey::parse(key.pem().as_bytes()).unwrap(), key);
        },
    }
    words_of_maintainers: {
        seeds: vec![b"Thanks.\n\n### Before you upgrade\n\n- Set `PORT`.\n    - nested\n\n1. [More](https://x)\n".to_vec()],
        words: &["#", "=", "`", "~", "<", "sha256:", " ", "    ", "-", "1.", ">", "\n", "\r\n", "\t", "\u{202e}", "v1.2.0", "release"],
        read: |bytes| {
            let tag: ReleaseTag = "v1.2.0".parse().unwrap();
            for shown in [words::read(bytes).ok(), words::of_tag(&tag, bytes)].into_iter().flatten() {
                let is_plain = |line: &str| !line.chars().any(is_hidden) && !line.contains("```");
                assert!(shown.lines().all(is_plain) && !shown.contains("<"), "{shown}");
                assert_eq!(words::read(shown.as_bytes()).unwrap(), shown);
            }
        },
    }
    versions: {
        seeds: vec![b"v1.2.3".to_vec(), b"v1.2.3-rc.1".to_vec()],
        words: &["v", "1", ".", "-", "+", "0", "18446744073709551616", "rc", "/"],
        read: |bytes| {
            let Ok(tag) = text(bytes).parse::<ReleaseTag>() else { return };
            assert_eq!(tag.to_string().as_bytes(), bytes);
            keys::next_version(&tag).map(drop).unwrap_or_default();
        },
    }
}
