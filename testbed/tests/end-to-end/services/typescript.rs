//! A compiled service with two workspaces.

use anyhow::Result;

use super::asked::Asked;
use super::worked::Worked;
use crate::harness::test;

#[test]
fn a_service_in_typescript_with_workspaces_is_the_same_everywhere_and_answers_on_both_platforms() -> Result<()>
{
    test(|| {
        let worked = Worked::new("typescript", &[])?;
        let released = worked.release()?;
        released.is_the_same_everywhere(&worked)?;
        for (platform, image) in released.platforms()? {
            Asked::new(&platform, &image, 3000).ask(&worked, &[])?;
        }
        released.sbom_is_what_the_scanner_finds(&worked)
    })
}
