//! A service with a package from the forge's own npm registry, which requires a token.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::forge_client::{Client, User};
use xtask::process::temp_dir::TempDir;

use super::asked::Asked;
use super::worked::{Released, Worked};
use crate::harness::checkout::text;
use crate::harness::{call, environment, test};

/// The package that the tests publish.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/services/private-greeting");

/// A registry with the package. Nobody sees its owner without a token.
struct Registry {
    owner: User,
    /// In the form that npm expects, with a trailing slash.
    url: String,
    /// The integrity of the published package, as in a lockfile.
    integrity: String,
}

impl Registry {
    fn new() -> Result<Self> {
        let client = Client::from_environment(&environment())?;
        let owner = client.new_hidden_user("npm")?;
        let url = format!("{}/api/packages/{}/npm/", client.url(), owner.name());
        let scratch = TempDir::new()?;
        // Not on a command line: npm reads the token from its configuration.
        let configuration = scratch.path().join("npmrc");
        let authority = authority(&url)?;
        let token = owner.new_token(&["write:package"])?;
        fs::write(
            &configuration,
            format!("@acme:registry={url}\n{authority}:_authToken={}\n", token.expose()),
        )?;
        fs::set_permissions(&configuration, fs::Permissions::from_mode(0o600))?;
        let npm = |words: &[&str]| {
            let npm = call("npm", words)?.dir(scratch.path());
            npm.env("npm_config_userconfig", text(&configuration)?).read()
        };
        let packed: Value =
            serde_json::from_str(&npm(&["pack", "--json", PACKAGE])?).context("what npm packed")?;
        let field =
            |name: &str| packed[0][name].as_str().with_context(|| format!("npm names no {name}: {packed}"));
        npm(&["publish", field("filename")?])?;
        Ok(Self { url, integrity: field("integrity")?.to_owned(), owner })
    }

    /// Whether the package can be downloaded, with or without a token.
    fn gives(&self, token: Option<&str>) -> Result<bool> {
        let url = format!("{}@acme%2Fgreeting", self.url);
        let curl = call(
            "curl",
            &["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--config", "-", &url],
        )?;
        let header = token.map(|token| format!("header = \"Authorization: Bearer {token}\"\n"));
        Ok(curl.stdin(header.unwrap_or_default()).read()? == "200")
    }
}

/// The URL in the form in which npm's configuration says whom a token is for.
fn authority(url: &str) -> Result<&str> {
    url.find("//").map(|start| &url[start..]).with_context(|| format!("`{url}` is no URL"))
}

/// The service, and its release.
fn released() -> Result<(Worked, Released)> {
    let registry = Registry::new()?;
    let token = registry.owner.new_token(&["read:package"])?;
    ensure!(!registry.gives(None)?, "the registry does not require a token");
    ensure!(registry.gives(Some(token.expose()))?, "the registry does not accept the token");
    let values = [
        ("REGISTRY", registry.url.as_str()),
        ("AUTHORITY", authority(&registry.url)?),
        ("INTEGRITY", &registry.integrity),
    ];
    let worked = Worked::new("private", &values)?.with("NPM_TOKEN", token.expose());
    let released = worked.release()?;
    Ok((worked, released))
}

#[test]
fn a_service_with_a_private_package_answers_on_both_platforms() -> Result<()> {
    test(|| {
        let (worked, released) = released()?;
        for (platform, image) in released.platforms()? {
            let said = Asked::new(&platform, &image, 3000).ask(&worked, &["/greeting"])?;
            ensure!(
                said.iter().all(|said| said["greeting"] == "hello, world"),
                "{platform}: it says {said:?}"
            );
        }
        released.sbom_is_what_the_scanner_finds(&worked)
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_service_with_a_private_package_is_the_same_everywhere() -> Result<()> {
    test(|| {
        let (worked, released) = released()?;
        released.is_the_same_everywhere(&worked)
    })
}
