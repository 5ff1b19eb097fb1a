//! The output of `npm audit signatures --json`: packages that no key of their registry signed, and packages whose
//! attestation does not verify.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::inputs::finding::{Finding, Rule};
use crate::oci::exact;

#[derive(Deserialize)]
struct Report {
    invalid: Vec<Package>,
    missing: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    code: String,
}

/// The findings about the packages in the lockfile `lock`.
///
/// # Errors
/// When the answer has another format.
pub(in crate::commands::check) fn findings(lock: &str, answer: &[u8]) -> Result<Vec<Finding>> {
    let report: Report =
        exact::parse(answer).context("reading what `npm audit signatures --json` printed")?;
    let finding = |Package { name, version, code }: &Package, what: &str| {
        let code = if code.is_empty() { String::new() } else { format!(" (`{code}`)") };
        let text = format!(
            "`{name}` {version} has {what}{code}; do not build with it, and ask its maintainers or the registry's before \
             you do"
        );
        Finding::error(Rule::PackageSignature, lock, text)
    };
    let missing = "no signature, though its registry signs packages";
    let invalid = "a signature or attestation that does not hold";
    let of = |packages: &[Package], what: &str| {
        packages.iter().map(|package| finding(package, what)).collect::<Vec<_>>()
    };
    Ok([of(&report.invalid, invalid), of(&report.missing, missing)].concat())
}

#[cfg(test)]
mod tests {
    use super::findings;

    #[test]
    fn a_package_without_a_valid_signature_is_an_error() {
        // The format of npm 11.19 (`lib/utils/verify-signatures.js`).
        let answer = br#"{"invalid": [{"code": "EINTEGRITYSIGNATURE", "message": "m", "integrity": "sha512-", "keyid": "SHA256:k",
            "location": "node_modules/a", "name": "a", "registry": "https://npm.example.org/", "version": "1.0.0", "type": "dependencies"}],
            "missing": [{"integrity": "sha512-", "location": "node_modules/@s/b", "name": "@s/b", "registry": "https://npm.example.org/",
            "resolved": "https://npm.example.org/b.tgz", "version": "2.0.0"}]}"#;
        let found = findings("package-lock.json", answer).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(crate::inputs::finding::Finding::is_error));
        assert!(
            found[0].text.contains(
                "`a` 1.0.0 has a signature or attestation that does not hold (`EINTEGRITYSIGNATURE`)"
            )
        );
        assert!(found[1].text.contains("`@s/b` 2.0.0 has no signature"));
        assert_eq!(findings("package-lock.json", br#"{"invalid": [], "missing": []}"#).unwrap(), []);
        for bad in [
            &b"{}"[..],
            b"",
            br#"{"error": {"code": "ENOTFOUND"}}"#,
            br#"{"invalid": [], "missing": [], "Missing": []}"#,
        ] {
            assert!(findings("package-lock.json", bad).is_err());
        }
    }
}
