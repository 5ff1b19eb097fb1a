//! Decisions about install scripts, as tables.

use std::collections::BTreeMap;

use super::{Installed, problems, without_a_stage};
use crate::inputs::config::Native;
use crate::inputs::dockerfile::Download;
use crate::inputs::lockfile::Locked;
use crate::oci::platform::Platform;

const URL: &str = "https://example.org/a.tgz";
const HEX: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn platform(text: &str) -> Platform {
    Platform::try_from(text.to_owned()).unwrap()
}

/// Packages on both platforms: `a` with a script, and `b` without one.
fn installed() -> Installed {
    let locked = |name: &str, has_install_script| Locked {
        path: format!("node_modules/{name}"),
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        integrity: None,
        optional: false,
        local: false,
        has_install_script,
    };
    let packages: BTreeMap<_, _> =
        [("node_modules/a".to_owned(), locked("a", true)), ("node_modules/b".to_owned(), locked("b", false))]
            .into();
    ["linux/amd64", "linux/arm64"].map(|text| (platform(text), packages.clone())).into()
}

fn archive(platform: &str, url: &str) -> String {
    format!("[[native]]\npackage = \"a\"\nplatform = \"{platform}\"\nurl = \"{url}\"\nsha256 = \"{HEX}\"\n")
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

/// As [`installed`], with an older version of `a` for `b`.
fn in_two_versions() -> Installed {
    let mut installed = installed();
    for (_, packages) in &mut installed {
        let older = Locked { version: "0.9.0".to_owned(), ..packages["node_modules/a"].clone() };
        packages.insert("node_modules/b/node_modules/a".to_owned(), older);
    }
    installed
}

/// The lines for the configuration that a message suggests, with an address for each archive, and these addresses.
fn suggested(message: &str) -> (String, Vec<String>) {
    let lines = message.lines().filter(|line| line.contains(" = ") || line.starts_with("[["));
    let text: String =
        lines.map(|line| format!("{}\n", line.replace("workspace.metadata.release.", ""))).collect();
    let mut text = text.replace("\"…\"", &format!("\"{HEX}\""));
    let mut urls = Vec::new();
    while text.contains("https://…") {
        urls.push(format!("https://example.org/{}", urls.len()));
        text = text.replacen("https://…", &urls[urls.len() - 1], 1);
    }
    (text, urls)
}

#[test]
fn a_package_in_two_versions_needs_one_decision() {
    let installed = in_two_versions();
    let [problem] = &problems(&[], &installed, &[])[..] else { panic!("it is reported once") };
    assert!(problem.starts_with("`a` 0.9.0, 1.0.0 brings an install script"), "{problem}");
    let first = suggested(&problem.lines().take(4).collect::<Vec<_>>().join("\n")).0;
    assert_eq!(problems(&decisions(&first).unwrap(), &installed, &[]), [] as [String; 0], "{first}");
    let archives = &problem[problem.find("fetches what the script").unwrap()..];
    let (text, urls) = suggested(archives);
    assert_eq!(urls.len(), 4, "one for each version and platform: {archives}");
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    assert_eq!(
        problems(&decisions(&text).unwrap(), &installed, &downloads(&urls)),
        [] as [String; 0],
        "{text}"
    );
}

#[test]
fn each_version_of_a_package_needs_its_own_archives() {
    let (old, new) = ("https://example.org/old", "https://example.org/new");
    let of = |version: &str, url: &str| {
        ["linux/amd64", "linux/arm64"]
            .map(|platform| {
                archive(platform, url).replace("platform", &format!("version = \"{version}\"\nplatform"))
            })
            .concat()
    };
    let both = of("0.9.0", old) + &of("1.0.0", new);
    let plain = ["linux/amd64", "linux/arm64"].map(|platform| archive(platform, new)).concat();
    let way = |version: &str| format!("[[native]]\npackage = \"a\"\n{version}script = \"unneeded\"\n");
    for (installed, text, expected) in [
        (in_two_versions(), both.clone(), ""),
        (in_two_versions(), of("1.0.0", new) + &way("version = \"0.9.0\"\n"), ""),
        (in_two_versions(), plain.clone(), "add `version` to each of its archives"),
        (in_two_versions(), of("1.0.0", new), "`a` 0.9.0 brings an install script"),
        (
            in_two_versions(),
            both.clone() + &of("0.8.0", new),
            "`a` 0.8.0, and the versions installed are 0.9.0, 1.0.0",
        ),
        (in_two_versions(), both.clone() + &way(""), "archives for `a` 1.0.0, and also"),
        (
            in_two_versions(),
            both.clone() + &of("1.0.0", new),
            "more than one archive of `a` 1.0.0 for `linux/amd64`",
        ),
        (in_two_versions(), both.replacen("amd64", "386", 1), "no archive of `a` 0.9.0 for `linux/amd64`"),
        (installed(), of("1.0.0", new), ""),
        (installed(), plain, ""),
        (installed(), of("0.9.0", new), "`a` 0.9.0, and the versions installed are 1.0.0"),
    ] {
        let decisions = decisions(&text).unwrap();
        let fetched: Vec<_> = [old, new].into_iter().filter(|url| text.contains(url)).collect();
        let found = problems(&decisions, &installed, &downloads(&fetched)).join("\n");
        let holds = found.contains(expected) && found.is_empty() == expected.is_empty();
        assert!(holds, "expected `{expected}` in `{found}` of:\n{text}");
    }
    for version in ["", "1.0.0 ", "^1.0.0", "1.0.0\\u001b[1m"] {
        assert!(decisions(&of(version, new)).is_err(), "{version:?}");
    }
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
        (format!("{amd64}{amd64}{arm64}"), &[URL, other], "more than one archive of `a` for `linux/amd64`"),
        (format!("{amd64}{arm64}{}", way("build = \"target\"")), &[URL, other], "keep only one of them"),
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
fn what_is_built_on_the_target_platform_needs_a_stage_there() {
    let decisions = decisions("[[native]]\npackage = \"a\"\nbuild = \"target\"\n").unwrap();
    assert!(without_a_stage(&decisions, true).is_empty());
    assert!(without_a_stage(&decisions, false)[0].contains("for `a`"));
}

#[test]
fn a_missing_decision_is_reported_with_valid_lines_for_the_configuration() {
    let message = problems(&[], &installed(), &[]).join("\n");
    let (text, _) = suggested(&message);
    assert_eq!(decisions(&text).unwrap().len(), 4, "{message}");
}

#[test]
fn an_invalid_decision_is_refused() {
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
