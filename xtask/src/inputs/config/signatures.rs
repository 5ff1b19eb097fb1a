//! The formats in which a release is signed.

use anyhow::{Result, bail, ensure};
use serde::Deserialize;

/// The formats, from the list `signatures`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Format>")]
pub struct Signatures {
    /// Whether Sigstore bundles are written in addition to the legacy format, which is always written.
    pub bundles: bool,
}

impl Default for Signatures {
    fn default() -> Self {
        Self { bundles: true }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    Legacy,
    Bundle,
}

impl TryFrom<Vec<Format>> for Signatures {
    type Error = anyhow::Error;

    fn try_from(formats: Vec<Format>) -> Result<Self> {
        for (number, format) in formats.iter().enumerate() {
            ensure!(!formats[..number].contains(format), "`signatures` names a format twice");
        }
        if !formats.contains(&Format::Legacy) {
            bail!(
                "`signatures` does not name `legacy`: cosign 2, podman and skopeo verify nothing else with a key; write \
                 `[\"legacy\", \"bundle\"]`"
            );
        }
        Ok(Self { bundles: formats.contains(&Format::Bundle) })
    }
}

#[cfg(test)]
mod tests {
    use super::Signatures;

    #[test]
    fn legacy_must_be_named_and_no_format_twice() {
        let parse = |text: &str| serde_json::from_str::<Signatures>(text);
        assert!(Signatures::default().bundles);
        assert!(parse(r#"["legacy", "bundle"]"#).unwrap().bundles);
        assert!(parse(r#"["bundle", "legacy"]"#).unwrap().bundles);
        assert!(!parse(r#"["legacy"]"#).unwrap().bundles);
        let wrong = [
            "[]",
            r#"["bundle"]"#,
            r#"["legacy", "legacy"]"#,
            r#"["Legacy"]"#,
            r#""legacy""#,
            r#"["legacy", "x"]"#,
        ];
        for wrong in wrong {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
