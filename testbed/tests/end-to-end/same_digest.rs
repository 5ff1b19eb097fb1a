//! The same commit gives the same digest, whatever surrounds it on the machine.

use anyhow::Result;
use xtask::process::temp_dir::TempDir;

use crate::harness::checkout::Checkout;
use crate::harness::engine::newest_buildx;
use crate::harness::run::Xtask;
use crate::harness::shared::rehearsal;
use crate::harness::test;
use crate::harness::uncached::run_uncached;

#[test]
fn in_another_directory_with_another_umask() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        let run = Xtask::new(&checkout, &["rehearse"]).before("umask 077").run()?.success()?;
        assert_eq!(run.digest()?, rehearsal()?.run.digest()?);
        Ok(())
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn twice_in_one_clone_the_second_time_without_a_cache() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        let first = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
        let second = run_uncached(Xtask::new(&checkout, &["rehearse"]))?.success()?;
        assert_eq!(second.digest()?, first.digest()?);
        assert_ne!(
            second.pinned()?,
            first.pinned()?,
            "each rehearsal has a place of its own in the registry"
        );
        Ok(())
    })
}

#[test]
fn with_uncommitted_changes_in_the_work_tree() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        checkout.write("service/src/server.js", "process.exit(1);\n")?;
        checkout.write("service/src/extra.js", "// not committed\n")?;
        checkout.write("Dockerfile", "FROM scratch\n")?;
        checkout.write(".dockerignore", "")?;
        let run = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
        assert_eq!(run.digest()?, rehearsal()?.run.digest()?);
        Ok(())
    })
}

#[test]
fn with_an_uncommitted_change_of_the_configuration() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        checkout.replace("Cargo.toml", "title = \"carol\"", "title = \"something else\"")?;
        let run = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
        assert_eq!(run.digest()?, rehearsal()?.run.digest()?);
        Ok(())
    })
}

#[test]
fn with_the_newest_buildx() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        let configuration = TempDir::new()?;
        let rehearse = Xtask::new(&checkout, &["rehearse"]);
        let run = rehearse.env("DOCKER_CONFIG", newest_buildx(&configuration)?).run()?.success()?;
        assert_eq!(run.digest()?, rehearsal()?.run.digest()?);
        let predicate = crate::evidence::predicate(&checkout, &run, 1)?;
        let version = predicate["runDetails"]["builder"]["version"]["docker-buildx"].as_str();
        assert!(version.is_some_and(|version| version.starts_with("0.38")), "{version:?}");
        Ok(())
    })
}
