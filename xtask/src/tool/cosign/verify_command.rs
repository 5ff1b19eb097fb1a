//! The commands that check an image, as a page prints them and a release runs them.

use std::path::Path;

use crate::oci::reference::{Digest, Image};
use crate::process::command_line;

/// A command that checks an image. It is printed and run from this one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyCommand {
    verb: &'static str,
    options: Vec<String>,
    /// The images, or the file or directory.
    targets: Vec<String>,
    /// The digests of the images that it checks, wherever these are stored.
    pub digests: Vec<Digest>,
}

impl VerifyCommand {
    /// `cosign verify`: the signature. The signed version must match too, so that an older signed image does not pass.
    #[must_use]
    pub fn signature(key: &str, version: &semver::Version, image: &Image, digests: &[&Digest]) -> Self {
        Self::new("verify", key, &["-a".to_owned(), format!("version={version}")], image, digests)
    }

    /// `cosign verify-attestation` for one predicate type.
    #[must_use]
    pub fn attestation(key: &str, predicate_type: &str, image: &Image, digest: &Digest) -> Self {
        Self::new(
            "verify-attestation",
            key,
            &["--type".to_owned(), predicate_type.to_owned()],
            image,
            &[digest],
        )
    }

    /// `cosign verify-blob`: the `signature` of a file. It makes no network request. cosign 3 prints that it prefers a
    /// bundle, but for a bundle cosign 2 wants Sigstore's own roots (docs/facts.md#signed-bytes).
    #[must_use]
    pub fn blob(key: &str, signature: &str, file: &str) -> Self {
        let options = ["--key", key, "--insecure-ignore-tlog", "--signature", signature];
        let (options, targets) = (options.map(str::to_owned).to_vec(), vec![file.to_owned()]);
        Self { verb: "verify-blob", options, targets, digests: Vec::new() }
    }

    /// The same check of the image in a directory that `cosign save` made.
    #[must_use]
    pub fn of_layout(mut self, directory: &Path) -> Self {
        self.options.push("--local-image".to_owned());
        self.targets = vec![directory.display().to_string()];
        self
    }

    /// The same check of the legacy format only. Without this, cosign 3 looks only at bundles if there are any.
    #[must_use]
    pub fn of_legacy(mut self) -> Self {
        self.options.insert(0, "--new-bundle-format=false".to_owned());
        self
    }

    /// Whether it checks signatures, not an attestation.
    #[must_use]
    pub fn is_signature(&self) -> bool {
        self.verb == "verify"
    }

    pub(super) fn arguments(&self) -> Vec<&str> {
        let rest = self.options.iter().chain(&self.targets).map(String::as_str);
        [self.verb].into_iter().chain(rest).collect()
    }

    fn new(verb: &'static str, key: &str, wanted: &[String], image: &Image, digests: &[&Digest]) -> Self {
        // The command needs only access to the registry: it queries no transparency log, and the page says so.
        let fixed = ["--key", key, "--insecure-ignore-tlog"].map(str::to_owned);
        let plain: Vec<_> = super::without_tls(image).into_iter().map(str::to_owned).collect();
        let targets = digests.iter().map(|digest| image.pinned(digest)).collect();
        let digests = digests.iter().copied().cloned().collect();
        Self { verb, options: [&fixed, wanted, &plain].concat(), targets, digests }
    }
}

impl std::fmt::Display for VerifyCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arguments = self.arguments().into_iter().map(std::ffi::OsStr::new);
        f.write_str(&command_line::quoted(std::ffi::OsStr::new("cosign"), arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::VerifyCommand;
    use crate::oci::reference::Digest;

    #[test]
    fn each_command_has_exactly_the_expected_arguments() {
        let image: crate::oci::reference::Image = "forge.example.org/acme/carol".parse().unwrap();
        let digest = Digest::of(b"x");
        let version = semver::Version::new(1, 2, 3);
        let lan = crate::oci::reference::Image {
            registry: "192.168.1.10:3000".parse::<crate::oci::reference::Registry>().unwrap().over_http(),
            path: "acme/carol".to_owned(),
        };
        assert_eq!(
            VerifyCommand::signature("cosign.pub", &version, &lan, &[&digest]).to_string(),
            format!(
                "cosign verify --key cosign.pub --insecure-ignore-tlog -a version=1.2.3 --allow-http-registry \
                 192.168.1.10:3000/acme/carol@{digest}"
            )
        );
        let pinned = format!("forge.example.org/acme/carol@{digest}");
        assert_eq!(
            VerifyCommand::signature("cosign.pub", &version, &image, &[&digest]).to_string(),
            format!("cosign verify --key cosign.pub --insecure-ignore-tlog -a version=1.2.3 {pinned}")
        );
        let several = VerifyCommand::signature("cosign.pub", &version, &image, &[&digest, &digest]);
        assert_eq!(
            several.of_layout("/saved".as_ref()).of_legacy().to_string(),
            "cosign verify --new-bundle-format=false --key cosign.pub --insecure-ignore-tlog -a version=1.2.3 \
             --local-image /saved"
        );
        assert_eq!(
            VerifyCommand::attestation("cosign.pub", "slsaprovenance1", &image, &digest).to_string(),
            format!(
                "cosign verify-attestation --key cosign.pub --insecure-ignore-tlog --type slsaprovenance1 {pinned}"
            )
        );
    }
}
