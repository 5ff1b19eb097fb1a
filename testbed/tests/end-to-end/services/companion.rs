//! A service that needs a database, environment variables and a writable directory, and that exits with 143.

use anyhow::{Context as _, Result, ensure};
use xtask::process::temp_dir::random_hex;

use super::asked::Asked;
use super::worked::{Released, Worked};
use crate::forge::image::Container;
use crate::harness::{export, read, test};

/// A network that is removed when the value is dropped.
struct Network(String);

impl Drop for Network {
    fn drop(&mut self) {
        if let Err(error) = read("docker", &["network", "rm", &self.0]) {
            eprintln!("removing a network: {error:#}");
        }
    }
}

/// The service, and its release.
fn released() -> Result<(Worked, Released)> {
    let worked = Worked::new("companion", &[("COMPANION", &export("TESTBED_COMPANION")?)])?;
    let released = worked.release()?;
    Ok((worked, released))
}

#[test]
fn a_service_with_a_database_answers_on_both_platforms() -> Result<()> {
    test(|| {
        let (worked, released) = released()?;
        let image = export("TESTBED_COMPANION")?;
        let network = Network(format!("e2e-{}", &random_hex()?[..8]));
        read("docker", &["network", "create", &network.0])?;
        let start = ["run", "--detach", "--network", &network.0, "--network-alias", "db", &image];
        let _database = Container(read("docker", &start)?);
        let options =
            ["--network", &network.0, "--env", "REDIS_URL=redis://db:6379", "--read-only", "--tmpfs", "/tmp"];
        for ((platform, image), visits) in released.platforms()?.into_iter().zip(1_u64..) {
            let said = Asked::new(&platform, &image, 8080).with(&options).ask(&worked, &["/visits"])?;
            let said = said.first().context("there is no answer")?;
            ensure!(said["visits"] == visits && said["last"] == visits, "{platform}: it says {said}");
        }
        released.sbom_is_what_the_scanner_finds(&worked)
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_service_with_a_database_is_the_same_everywhere() -> Result<()> {
    test(|| {
        let (worked, released) = released()?;
        released.is_the_same_everywhere(&worked)
    })
}
