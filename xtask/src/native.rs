//! Packages that bring an install script: each needs a decision in the configuration, and each archive that the Dockerfile
//! fetches stands there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::config::{Native, Platform, Way};
use crate::dockerfile::Download;
use crate::lockfile::Locked;

/// What is installed on a platform, by path in the lockfile.
pub type Installed = Vec<(Platform, BTreeMap<String, Locked>)>;

/// Holds the decisions against what is installed on each platform, and the downloads of the Dockerfile against the archives.
/// Gives every problem.
#[must_use]
pub fn problems(decisions: &[Native], installed: &Installed, downloads: &[Download]) -> Vec<String> {
    let mut problems = undecided(decisions, installed);
    let packages: BTreeSet<_> = decisions.iter().map(|native| native.package.as_str()).collect();
    for package in packages {
        problems.extend(of_package(package, decisions, installed));
    }
    problems.extend(of_downloads(decisions, downloads));
    problems
}

fn undecided(decisions: &[Native], installed: &Installed) -> Vec<String> {
    let mut platforms: BTreeMap<(&str, &str), Vec<&Platform>> = BTreeMap::new();
    for (platform, packages) in installed {
        for locked in packages.values().filter(|locked| locked.has_install_script && !locked.local) {
            let found = platforms.entry((&locked.name, &locked.version)).or_default();
            if !found.contains(&platform) {
                found.push(platform);
            }
        }
    }
    let is_decided = |package: &str| decisions.iter().any(|native| native.package == package);
    let open = platforms.into_iter().filter(|((package, _), _)| !is_decided(package));
    open.map(|((package, version), platforms)| ways(package, version, &platforms)).collect()
}

fn ways(package: &str, version: &str, platforms: &[&Platform]) -> String {
    const HEAD: &str = "[[workspace.metadata.release.native]]";
    let mut text = format!(
        "`{package}` {version} brings an install script, which the image does not run, and nobody has decided what then. \
         Write one of these into `Cargo.toml`. It works without the script (try it):\n\
         {HEAD}\npackage = \"{package}\"\nscript = \"unneeded\"\n\
         The Dockerfile builds it in a stage of the target platform (docs/services.md):\n\
         {HEAD}\npackage = \"{package}\"\nbuild = \"target\"\n\
         The Dockerfile fetches what the script would have made, for each platform:"
    );
    for platform in platforms {
        let archive = format!("platform = \"{platform}\"\nurl = \"https://…\"\nsha256 = \"…\"");
        // Writing to a string cannot fail.
        write!(text, "\n{HEAD}\npackage = \"{package}\"\n{archive}").unwrap_or_default();
    }
    text
}

/// What is wrong with the decisions about one package.
fn of_package(package: &str, decisions: &[Native], installed: &Installed) -> Vec<String> {
    let of_it: Vec<_> = decisions.iter().filter(|native| native.package == package).collect();
    let has = |packages: &BTreeMap<String, Locked>| packages.values().any(|locked| locked.name == package);
    let needed: Vec<_> =
        installed.iter().filter(|(_, packages)| has(packages)).map(|(platform, _)| platform).collect();
    if needed.is_empty() {
        return vec![format!(
            "`native` names `{package}`, which is installed on no released platform; take it out of `Cargo.toml`"
        )];
    }
    let archives: Vec<_> =
        of_it.iter().filter_map(|native| native.archive()).map(|(_, archive)| archive).collect();
    if archives.is_empty() {
        let twice = of_it.len() > 1;
        return twice
            .then(|| format!("`native` decides about `{package}` more than once"))
            .into_iter()
            .collect();
    }
    let mut problems = Vec::new();
    if archives.len() != of_it.len() {
        problems.push(format!(
            "`native` has archives for `{package}`, and `build` or `script` besides: keep one way"
        ));
    }
    for platform in &needed {
        match archives.iter().filter(|archive| archive.platform == **platform).count() {
            0 => problems.push(format!(
                "`native` has no archive of `{package}` for `{platform}`; add one with `package`, `platform`, `url` and `sha256`"
            )),
            1 => {}
            _ => problems.push(format!("`native` has more than one archive of `{package}` for `{platform}`")),
        }
    }
    for archive in archives.iter().filter(|archive| !needed.contains(&&archive.platform)) {
        problems.push(format!(
            "`native` has an archive of `{package}` for `{}`, where it is not installed; take it out of `Cargo.toml`",
            archive.platform
        ));
    }
    problems
}

fn of_downloads(decisions: &[Native], downloads: &[Download]) -> Vec<String> {
    let archives: Vec<_> = decisions.iter().filter_map(Native::archive).map(|(_, archive)| archive).collect();
    let mut problems = Vec::new();
    for Download { line, url, digest } in downloads {
        match archives.iter().find(|archive| archive.url.to_string() == *url) {
            None => problems.push(format!(
                "Dockerfile line {line} fetches `{url}`, which no `[[workspace.metadata.release.native]]` names; add it \
                 there, or commit the file"
            )),
            Some(archive) if archive.sha256 != *digest => problems.push(format!(
                "Dockerfile line {line} fetches `{url}` with {digest}: `native` says sha256:{}",
                archive.sha256.hex()
            )),
            Some(_) => {}
        }
    }
    for archive in archives {
        if !downloads.iter().any(|download| download.url == archive.url.to_string()) {
            problems.push(format!(
                "`native` names `{}`, which the Dockerfile does not fetch; write `ADD --checksum={} {} …` (docs/services.md)",
                archive.url, archive.sha256, archive.url
            ));
        }
    }
    problems
}

/// Whether some package is built on its own platform, so that a stage may run there.
#[must_use]
pub fn builds_on_target(decisions: &[Native]) -> bool {
    decisions.iter().any(|native| native.way == Way::Target)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Installed, problems};
    use crate::config::{Native, Platform};
    use crate::dockerfile::Download;
    use crate::lockfile::Locked;

    const URL: &str = "https://example.org/a.tgz";
    const HEX: &str = "1111111111111111111111111111111111111111111111111111111111111111";

    fn platform(text: &str) -> Platform {
        Platform::try_from(text.to_owned()).unwrap()
    }

    /// `a`, with a script, on both platforms, and `b`, without one.
    fn installed() -> Installed {
        let locked = |name: &str, has_install_script| Locked {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            integrity: None,
            optional: false,
            local: false,
            has_install_script,
        };
        let packages: BTreeMap<_, _> = [
            ("node_modules/a".to_owned(), locked("a", true)),
            ("node_modules/b".to_owned(), locked("b", false)),
        ]
        .into();
        ["linux/amd64", "linux/arm64"].map(|text| (platform(text), packages.clone())).into()
    }

    fn archive(platform: &str, url: &str) -> String {
        format!(
            "[[native]]\npackage = \"a\"\nplatform = \"{platform}\"\nurl = \"{url}\"\nsha256 = \"{HEX}\"\n"
        )
    }

    fn decisions(text: &str) -> anyhow::Result<Vec<Native>> {
        #[derive(serde::Deserialize)]
        struct Document {
            #[serde(default)]
            native: Vec<Native>,
        }
        Ok(basic_toml::from_str::<Document>(text)?.native)
    }

    fn downloads(urls: &[&str]) -> Vec<Download> {
        let digest = format!("sha256:{HEX}");
        urls.iter()
            .map(|url| Download { line: 1, url: (*url).to_owned(), digest: digest.parse().unwrap() })
            .collect()
    }

    #[test]
    fn every_package_with_a_script_needs_one_decision_for_every_platform() {
        let other = "https://example.org/b.tgz";
        let way = |line: &str| format!("[[native]]\npackage = \"a\"\n{line}\n");
        let (amd64, arm64) = (archive("linux/amd64", URL), archive("linux/arm64", other));
        for (text, fetched, expected) in [
            (String::new(), &[][..], "`a` 1.0.0 brings an install script"),
            (way("script = \"unneeded\""), &[], ""),
            (way("build = \"target\""), &[], ""),
            (format!("{amd64}{arm64}"), &[URL, other], ""),
            (amd64.clone(), &[URL], "no archive of `a` for `linux/arm64`"),
            (
                format!("{amd64}{arm64}{}", archive("linux/386", "https://example.org/c")),
                &[URL, other, "https://example.org/c"],
                "where it is not installed",
            ),
            (
                format!("{amd64}{amd64}{arm64}"),
                &[URL, other],
                "more than one archive of `a` for `linux/amd64`",
            ),
            (format!("{amd64}{arm64}{}", way("build = \"target\"")), &[URL, other], "keep one way"),
            (format!("{}{}", way("script = \"unneeded\""), way("build = \"target\"")), &[], "more than once"),
            (
                format!(
                    "{}{}",
                    way("script = \"unneeded\""),
                    way("build = \"target\"").replace("\"a\"", "\"c\"")
                ),
                &[],
                "`c`, which is installed on no",
            ),
            (format!("{amd64}{arm64}"), &[URL], "which the Dockerfile does not fetch"),
            (way("build = \"target\""), &[URL], "which no `[[workspace.metadata.release.native]]` names"),
            (format!("{amd64}{}", arm64.replace('1', "2")), &[URL, other], "`native` says sha256:2222"),
        ] {
            let found = problems(&decisions(&text).unwrap(), &installed(), &downloads(fetched)).join("\n");
            let holds = found.contains(expected) && found.is_empty() == expected.is_empty();
            assert!(holds, "expected `{expected}` in `{found}` of:\n{text}");
        }
    }

    #[test]
    fn what_is_undecided_is_told_with_lines_that_can_be_written_down() {
        let told = problems(&[], &installed(), &[]).join("\n");
        let lines = told.lines().filter(|line| line.contains(" = ") || line.starts_with("[["));
        let text: String =
            lines.map(|line| format!("{}\n", line.replace("workspace.metadata.release.", ""))).collect();
        let text = text.replace("\"…\"", &format!("\"{HEX}\"")).replace("https://…", URL);
        assert_eq!(decisions(&text).unwrap().len(), 4, "{told}");
    }

    #[test]
    fn a_decision_that_cannot_be_meant_is_refused() {
        for line in [
            "build = \"host\"",
            "script = \"run\"",
            "platform = \"linux/amd64\"",
            "build = \"target\"\nscript = \"unneeded\"",
            "x = 1",
            "",
        ] {
            assert!(decisions(&format!("[[native]]\npackage = \"a\"\n{line}\n")).is_err(), "{line}");
        }
        let short = archive("linux/amd64", URL).replace(HEX, "11");
        assert!(decisions(&short).is_err());
        assert!(decisions(&archive("linux/amd64", "ftp://example.org/a")).is_err());
    }
}
