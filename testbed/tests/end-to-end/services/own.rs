//! The service of this repository, an example of a service that needs nothing.

use anyhow::Result;

use super::asked::Asked;
use super::worked::Worked;
use crate::harness::test;

#[test]
fn the_own_service_is_the_same_everywhere_and_answers_on_both_platforms() -> Result<()> {
    test(|| {
        let worked = Worked::own()?;
        let released = worked.release()?;
        released.is_the_same_everywhere(&worked)?;
        for (platform, image) in released.platforms()? {
            Asked::new(&platform, &image, 3000).ask(&worked, &[])?;
        }
        released.sbom_is_what_the_scanner_finds(&worked)
    })
}
