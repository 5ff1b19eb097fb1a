//! How the values of `init`'s flags are parsed: as the types of the configuration and of the Dockerfile.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;

use crate::http::WebUrl;
use crate::inputs::config;
use crate::inputs::dockerfile::BaseImage;
use crate::tool::git::Commit;

/// Parses a web address. The error does not repeat it, because it may hold a password.
#[derive(Clone)]
pub(super) struct WebUrlParser;

impl TypedValueParser for WebUrlParser {
    type Value = WebUrl;

    fn parse_ref(
        &self,
        command: &clap::Command,
        flag: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<WebUrl, clap::Error> {
        let parsed = value.to_str().map(|text| WebUrl::try_from(text.to_owned()));
        let Some(Ok(address)) = parsed else {
            let flag = flag.map(ToString::to_string).unwrap_or_default();
            let words = format!(
                "the value of `{flag}` is not a web address such as `https://forge.example.org`, without a user and a password\n"
            );
            return Err(clap::Error::raw(ErrorKind::ValueValidation, words).with_cmd(command));
        };
        Ok(address)
    }
}

/// A value of the configuration.
pub(super) fn value<T: TryFrom<String, Error = anyhow::Error>>(text: &str) -> Result<T, String> {
    T::try_from(text.to_owned()).map_err(|error| format!("{error:#}"))
}

/// The path of a request.
pub(super) fn path(text: &str) -> Result<String, String> {
    if config::is_path(text) {
        Ok(text.to_owned())
    } else {
        Err("expected a path such as `/healthz`".to_owned())
    }
}

/// An image with its tag and digest.
pub(super) fn base(text: &str) -> Result<BaseImage, String> {
    BaseImage::parse("", text).map_err(|error| format!("{error:#}"))
}

/// A full commit name.
pub(super) fn commit(text: &str) -> Result<Commit, String> {
    Commit::parse(text).map_err(|error| format!("{error:#}; `git rev-parse` prints it"))
}

/// A runner's label that needs no quotes in a workflow.
pub(super) fn label(text: &str) -> Result<String, String> {
    let is_label = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if is_label { Ok(text.to_owned()) } else { Err("expected letters, digits, `-`, `_` and `.`".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;
    use clap::error::ErrorKind;

    use super::super::Options;
    use super::label;

    #[test]
    fn a_label_that_would_need_quotes_is_refused() {
        assert_eq!(label("release-1").unwrap(), "release-1");
        for bad in ["", "a b", "a: b", "a\nb", "[x]"] {
            assert!(label(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn flags_are_validated_while_they_are_parsed_and_no_password_is_repeated() {
        let parse = |words: &[&str]| {
            let command = Options::augment_args(clap::Command::new("init"));
            command
                .try_get_matches_from([&["init", "."], words].concat())
                .map_err(|error| (error.kind(), error.to_string()))
        };
        let digest = "a".repeat(64);
        let base = format!("node:22@sha256:{digest}");
        for words in [
            &["--port", "3000", "--health", "/healthz"][..],
            &["--forge", "https://forge.example.org:3000/x", "--repository", "acme/app"],
            &["--base", &base],
            &["--tool-url", "http://127.0.0.1:3000/x/carol", "--tool-rev", &digest[..40]],
        ] {
            parse(words).unwrap();
        }
        for words in [
            ["--port", "0"],
            ["--health", "healthz"],
            ["--forge", "forge.example.org"],
            ["--forge", "https://alice:hunter2@forge.example.org"],
            ["--tool-url", "https://alice:hunter2@forge.example.org/x"],
            ["--repository", "clock"],
            ["--base", "node:22"],
            ["--base", "node:22@sha256:abc"],
            ["--tool-rev", "main"],
        ] {
            let (kind, text) = parse(&words).unwrap_err();
            assert_eq!(kind, ErrorKind::ValueValidation, "{words:?}");
            assert!(text.contains(words[0]) && !text.contains("hunter2"), "{text}");
        }
        for words in
            [["--check", "--runner=x"], ["--update", "--port=4000"], ["--check", "--forge=https://x"]]
        {
            assert_eq!(parse(&words).unwrap_err().0, ErrorKind::ArgumentConflict, "{words:?}");
        }
    }
}
