//! The platforms that an engine can run: its own, and those that it emulates.

use anyhow::{Context as _, Result};

use super::Docker;

impl Docker<'_> {
    /// The platform of the engine, such as `linux/amd64`. The engine may be on another machine.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn platform(&self) -> Result<String> {
        self.call(&["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"])?.read()
    }

    /// The platforms that the engine can run, natively or by emulation, as determined by its `BuildKit`.
    ///
    /// # Errors
    /// When docker does not report them.
    pub fn runs(&self) -> Result<Vec<String>> {
        let context = self.call(&["context", "show"])?.read()?;
        let text = self.call(&["buildx", "inspect", &context])?.read()?;
        parse_platforms(&text)
    }
}

/// Parses the first node's `Platforms:` in the output of `docker buildx inspect`.
fn parse_platforms(text: &str) -> Result<Vec<String>> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("Platforms:"));
    let line = line.with_context(|| format!("`docker buildx inspect` names no platforms:\n{text}"))?;
    // `*` marks the platforms that the builder prefers.
    Ok(line.split(',').map(|platform| platform.trim().trim_end_matches('*').to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::parse_platforms;

    #[test]
    fn the_platforms_are_those_of_the_first_node() {
        let text = "Name: default\nNodes:\nName: default\nPlatforms: linux/amd64*, linux/amd64/v2, linux/386\n\
            Name: other\nPlatforms: linux/arm64\n";
        assert_eq!(parse_platforms(text).unwrap(), ["linux/amd64", "linux/amd64/v2", "linux/386"]);
        assert!(parse_platforms("Name: default").is_err());
    }
}
