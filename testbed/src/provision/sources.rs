//! Reads the machine's own package sources and derives private ones from them: the same mirrors and keys, but
//! another suite. This repository contains no address of a mirror.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The release that is never released. It has neither updates nor a security suite.
const UNSTABLE: &str = "sid";

/// One place where packages come from, in the terms of sources.list(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    uris: String,
    suites: Vec<String>,
    /// A keyring's path, or the key itself on several lines; empty for apt's own keyrings.
    signed_by: String,
}

/// Every enabled binary source of this machine that has component `main`.
pub(crate) fn of_this_machine() -> Result<Vec<Source>> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    match fs::read_dir("/etc/apt/sources.list.d") {
        Ok(entries) => {
            for entry in entries {
                files.push(entry.context("listing `/etc/apt/sources.list.d`")?.path());
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).context("listing `/etc/apt/sources.list.d`"),
    }
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        match extension(&file) {
            "list" => sources.extend(parse_list(&read(&file)?)),
            "sources" => sources.extend(parse_deb822(&read(&file)?)),
            _ => {}
        }
    }
    Ok(sources)
}

fn extension(file: &Path) -> &str {
    file.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

fn read(file: &Path) -> Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        result => result.with_context(|| format!("reading `{}`", file.display())),
    }
}

/// The sources of Debian release `codename`, rewritten for `wanted`, as a deb822 file.
pub(crate) fn for_release(sources: &[Source], codename: &str, wanted: &str) -> Result<String> {
    let mut text = String::new();
    for source in sources {
        let suites = source.suites.iter().filter_map(|suite| {
            let rest = suite.strip_prefix(codename)?;
            let has_suite = rest.is_empty() || (rest.starts_with('-') && wanted != UNSTABLE);
            has_suite.then(|| format!("{wanted}{rest}"))
        });
        // Backports never override the release's own versions, and not every mirror has them.
        let suites: Vec<_> = suites.filter(|suite| !suite.contains("-backports")).collect();
        if suites.is_empty() {
            continue;
        }
        let uris = &source.uris;
        write!(text, "Types: deb\nURIs: {uris}\nSuites: {}\nComponents: main\n", suites.join(" "))?;
        if !source.signed_by.is_empty() {
            writeln!(text, "Signed-By: {}", source.signed_by)?;
        }
        text.push('\n');
    }
    if text.is_empty() {
        bail!(
            "looking for a package source of `{codename}` in `/etc/apt/sources.list` and `/etc/apt/sources.list.d`: \
             none found; add the release's own source there"
        );
    }
    Ok(text)
}

/// One-line style: `deb [signed-by=FILE] URI SUITE COMPONENT…`
fn parse_list(text: &str) -> Vec<Source> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Source> {
    let mut rest = line.strip_prefix("deb")?;
    rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let mut signed_by = String::new();
    if let Some(bracketed) = rest.strip_prefix('[') {
        let (options, after) = bracketed.split_once(']')?;
        let key = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
        signed_by = key.unwrap_or_default().replace(',', " ");
        rest = after;
    }
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    words.any(|component| component == "main").then(|| Source {
        uris: uri.to_owned(),
        suites: vec![suite.to_owned()],
        signed_by,
    })
}

/// deb822 style: stanzas of `Field: value`. A value continues on lines that begin with a space.
fn parse_deb822(text: &str) -> Vec<Source> {
    let mut stanzas: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some(stanza) = stanzas.last_mut() else { break };
        if line.trim().is_empty() {
            stanzas.push(Vec::new());
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = stanza.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((field, value)) = line.split_once(':') {
            stanza.push((field.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    stanzas.iter().filter_map(|stanza| source_of(stanza)).collect()
}

fn source_of(stanza: &[(String, String)]) -> Option<Source> {
    let field = |name: &str| stanza.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let has =
        |name: &str, word: &str| field(name).is_some_and(|value| value.split_whitespace().any(|w| w == word));
    let disabled = field("enabled").is_some_and(|value| ["no", "false", "0", "off"].contains(&value));
    if disabled || !has("types", "deb") || !has("components", "main") {
        return None;
    }
    Some(Source {
        uris: field("uris")?.to_owned(),
        suites: field("suites")?.split_whitespace().map(str::to_owned).collect(),
        signed_by: field("signed-by").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{for_release, parse_deb822, parse_list};

    const DEB822: &str = "Types: deb deb-src\n# a comment\nURIs: http://mirror.example/debian\n\
        Suites: bookworm bookworm-updates bookworm-backports\nComponents: main\nSigned-By:\n -----BEGIN\n .\n x\n\n\
        Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\nComponents: main\n\n\
        Enabled: no\nTypes: deb\nURIs: http://off.example\nSuites: bookworm\nComponents: main\n\n\
        Types: deb\nURIs: http://other.example\nSuites: nodistro\nComponents: main\n";

    #[test]
    fn suites_are_rewritten_and_keys_are_kept() {
        let text = for_release(&parse_deb822(DEB822), "bookworm", "trixie").unwrap();
        assert_eq!(
            text,
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie trixie-updates\nComponents: main\n\
             Signed-By: \n -----BEGIN\n .\n x\n\n\
             Types: deb\nURIs: http://mirror.example/security\nSuites: trixie-security\nComponents: main\n\n"
        );
    }

    #[test]
    fn unstable_has_one_suite_and_no_security_archive() {
        let text = for_release(&parse_deb822(DEB822), "bookworm", "sid").unwrap();
        assert_eq!(
            text,
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: sid\nComponents: main\n\
             Signed-By: \n -----BEGIN\n .\n x\n\n"
        );
    }

    #[test]
    fn one_line_sources_are_read_with_their_key() {
        let list = "# deb http://no.example bookworm main\n\
                    deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib # x\n\
                    deb-src http://mirror.example/debian bookworm main\n\
                    deb http://mirror.example/debian bookworm contrib\n";
        let text = for_release(&parse_list(list), "bookworm", "bookworm").unwrap();
        assert_eq!(
            text,
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\nSigned-By: /k.gpg\n\n"
        );
    }

    #[test]
    fn a_machine_without_a_source_of_its_own_release_is_an_error() {
        let error = for_release(&parse_deb822(DEB822), "trixie", "trixie").unwrap_err().to_string();
        assert!(error.contains("`trixie`"), "{error}");
    }
}
