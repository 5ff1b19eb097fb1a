//! The page for everyone who pulls an adopter's image: this repository's own, with the adopter's names.

use anyhow::Result;

use super::tool;
use crate::inputs::config::Config;
use crate::inputs::pin::HOME;

/// This repository's page.
const PAGE: &str = include_str!("../../../../docs/verifying.md");

/// The name of this repository and of its service in the page.
const OWN_NAME: &str = "carol";

/// Where this repository's service has its files, as the page writes it.
const OWN_FILES: &str = "service/package";

/// The page of a repository with this configuration. Its links lead to the tool's own documents.
///
/// # Errors
/// When the configuration has no image name.
pub(super) fn page(config: &Config) -> Result<String> {
    // The first two pairs keep what is the same for every repository: the tool's origin, and the addresses of its
    // formats.
    let install = tool::install();
    let formats = format!("{HOME}/src/tag/provenance-v");
    let (image, name) = (config.image()?.to_string(), config.repository.name.to_ascii_lowercase());
    let own_image = HOME.trim_start_matches("https://");
    let names = [
        (install.as_str(), install.clone()),
        (&formats, formats.clone()),
        (HOME, config.source_url()),
        (own_image, image),
        (OWN_FILES, config.service.join("package")),
        (OWN_NAME, name),
    ];
    Ok(linked(&replaced(PAGE, &names)))
}

/// `text` with the first part of each pair replaced by the second. Text that was put in is not replaced again; where
/// several pairs match, the first one counts.
fn replaced(text: &str, pairs: &[(&str, String)]) -> String {
    let (mut done, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let (taken, put) = match pairs.iter().find(|(from, _)| rest.starts_with(from)) {
            Some((from, to)) => (from.len(), to.as_str()),
            None => (c.len_utf8(), &rest[..c.len_utf8()]),
        };
        done += put;
        rest = &rest[taken..];
    }
    done
}

/// `text` with links to other pages of this directory leading to the tool's repository: an adopter does not have
/// these pages.
fn linked(text: &str) -> String {
    let documents = tool::documents();
    let mut parts = text.split("](");
    let mut linked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        linked += "](";
        let is_kept = ["#", "http", "../"].iter().any(|start| part.starts_with(start));
        linked += &if is_kept { String::new() } else { format!("{documents}/") };
        linked += part;
    }
    linked
}

#[cfg(test)]
mod tests {
    use super::{OWN_FILES, OWN_NAME, PAGE, page, replaced};
    use crate::commands::init::tool;
    use crate::inputs::config::Config;
    use crate::inputs::pin::HOME;

    fn written_for(service: &str, repository: &str) -> String {
        let manifest = format!(
            "[workspace.metadata.release]\nforge = \"https://forge.example.org\"\nrepository = \"{repository}\"\n\
             title = \"t\"\ndescription = \"d\"\nlicenses = \"MIT\"\nplatforms = [\"linux/amd64\"]\n\
             branches = [\"main\"]\nservice = \"{service}\"\n\
             [workspace.metadata.release.smoke]\nport = 3000\nhealth = \"/\"\n"
        );
        page(&Config::from_manifest(&manifest).unwrap()).unwrap()
    }

    #[test]
    fn an_adopters_page_names_this_repository_only_as_the_origin_of_the_tool() {
        let text = written_for(".", "acme/Clock");
        let own = text.replace(HOME, "");
        for foreign in [OWN_NAME, OWN_NAME.to_uppercase().as_str(), "testbed", "service/", "james", "](/"] {
            let line = own.lines().find(|line| line.contains(foreign) && !line.contains("](/src/tag/v"));
            assert_eq!(line, None, "the page has `{foreign}`");
        }
        for wanted in [
            "IMAGE=forge.example.org/acme/clock\n",
            "for file in Dockerfile package.json package-lock.json; do",
            "--source https://forge.example.org/acme/Clock\n",
            "`/etc/containers/clock-0002.pub`",
            &format!("{HOME}/src/tag/provenance-v1/docs/builder.md#forgejo-actions"),
            &format!("cargo install --locked {}\n", tool::install()),
            &format!("]({}/verification-tests.md#what-other-verifiers-read)", tool::documents()),
        ] {
            assert!(text.contains(wanted), "the page lacks `{wanted}`");
        }
        let other = written_for("apps/web", "acme/carol-web");
        assert!(other.contains("Dockerfile apps/web/package.json apps/web/package-lock.json; do"));
        assert!(other.contains("IMAGE=forge.example.org/acme/carol-web\n"), "a name was replaced twice");
    }

    #[test]
    fn the_page_contains_what_is_to_be_replaced() {
        assert!(PAGE.contains(OWN_FILES), "the page names the service's files in another way");
        let install = format!("cargo install --locked {}\n", tool::install());
        assert!(PAGE.contains(&install), "docs/verifying.md installs another version: write `{install}`");
    }

    #[test]
    fn what_was_put_in_is_not_replaced_again() {
        let pairs = [("ab", "b".to_owned()), ("b", "c".to_owned()), ("é", "ab".to_owned())];
        assert_eq!(replaced("abébx", &pairs), "babcx");
    }
}
