//! What is rehearsed if there are tags.

use anyhow::Result;

use crate::harness::checkout::Checkout;
use crate::harness::run::Xtask;
use crate::harness::test;

#[test]
fn annotated_and_lightweight_tags_on_one_commit_are_two_releases() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let head = checkout.git(&["rev-parse", "HEAD"])?;
        checkout.git(&["tag", "--annotate", "--message", "an annotated tag", "v0.2.0"])?;
        let annotated = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
        assert_eq!(
            annotated.field("rehearsed")?,
            format!("v0.2.0 at {head}"),
            "the commit, not the tag object"
        );

        checkout.git(&["tag", "v0.3.0"])?;
        let lightweight = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
        assert_eq!(lightweight.field("rehearsed")?, format!("v0.3.0 at {head}"), "the highest at HEAD");
        assert_ne!(lightweight.digest()?, annotated.digest()?, "each image carries its version");

        let named = Xtask::new(&checkout, &["rehearse", "v0.2.0"]).run()?.success()?;
        assert_eq!(named.digest()?, annotated.digest()?);
        Ok(())
    })
}

#[test]
fn a_commit_after_the_last_tag_is_rehearsed_as_the_next_version() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        checkout.git(&["tag", "v1.4.2"])?;
        checkout.write("CHANGES", "one\n")?;
        checkout.commit("fix: <b>bold</b> news")?;
        let head = checkout.git(&["rev-parse", "HEAD"])?;
        let run = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
        assert_eq!(run.field("rehearsed")?, format!("v1.4.3 at {head}"));
        let page = checkout.page(&run)?;
        let notes: Vec<_> = page.lines().filter(|line| line.starts_with("- ")).collect();
        let expected = format!("- `<b>bold</b> news` ([{}](", &head[..12]);
        assert!(
            notes.len() == 1 && notes[0].starts_with(&expected),
            "the one commit since v1.4.2: {notes:?}"
        );
        Ok(())
    })
}
