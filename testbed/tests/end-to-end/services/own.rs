//! The service of this repository, an example of a service that needs nothing besides itself.

use anyhow::Result;

use super::asked::Asked;
use super::worked::{Released, Worked};
use crate::harness::test;

/// The service, and its release.
fn released() -> Result<(Worked, Released)> {
    let worked = Worked::own()?;
    let released = worked.release()?;
    Ok((worked, released))
}

#[test]
fn this_repositorys_service_answers_on_both_platforms() -> Result<()> {
    test(|| {
        let (worked, released) = released()?;
        for (platform, image) in released.platforms()? {
            Asked::new(&platform, &image, 3000).ask(&worked, &[])?;
        }
        released.sbom_is_what_the_scanner_finds(&worked)
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn this_repositorys_service_is_the_same_everywhere() -> Result<()> {
    test(|| {
        let (worked, released) = released()?;
        released.is_the_same_everywhere(&worked)
    })
}
