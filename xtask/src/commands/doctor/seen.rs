//! What `doctor` says of a check that found nothing wrong and has no version to name.

use crate::inputs::PUBLIC_KEY;
use crate::inputs::config::Config;
use crate::oci::reference::Image;

/// The words for the check `name`, the `nth` of that name from 0. `has_cosign` says whether cosign itself passed:
/// without it, the key was not looked at.
pub(super) fn words(name: &str, nth: usize, config: &Config, image: &Image, has_cosign: bool) -> String {
    match (name, nth) {
        ("docker", _) => "the builder fetches only what a source policy allows".to_owned(),
        ("base image", 0) => "no stand-in is in the way".to_owned(),
        ("base image", _) => "each exists for every platform".to_owned(),
        ("registry", _) => format!("takes pushes to `{image}`"),
        ("build secrets", _) if config.build_secrets.is_empty() => "none configured".to_owned(),
        ("build secrets", _) => {
            let names: Vec<_> = config.build_secrets.iter().map(|name| format!("`{name}`")).collect();
            format!("{} set", names.join(", "))
        }
        ("signing key", _) if has_cosign => format!("belongs to `{PUBLIC_KEY}`"),
        ("signing key", _) => "not looked at: cosign is missing or not the configured one".to_owned(),
        ("forge", _) => format!("`{}` answers", config.forge),
        _ => "nothing is missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::words;
    use crate::inputs::config::tests::{example, example_with};

    #[test]
    fn a_check_without_findings_says_what_was_seen() {
        let config = example();
        let image = config.image().unwrap();
        let said = |name: &str, has_cosign: bool| words(name, 0, &config, &image, has_cosign);
        assert_eq!(said("build secrets", true), "none configured");
        assert_eq!(said("signing key", true), "belongs to `cosign.pub`");
        assert!(said("signing key", false).starts_with("not looked at"));
        assert!(said("registry", true).contains(&image.to_string()));
        let two = example_with("build-secrets = [\"NPM_TOKEN\", \"X_TOKEN\"]");
        assert_eq!(words("build secrets", 0, &two, &image, true), "`NPM_TOKEN`, `X_TOKEN` set");
    }
}
