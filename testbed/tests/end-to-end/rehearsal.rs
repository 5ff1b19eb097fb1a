//! A rehearsal in a clone without tags: what it prints, whether that is true, and what it leaves on disk.

use std::os::unix::fs::symlink;

use anyhow::{Context as _, Result, ensure};
use testbed::committed::REPOSITORY;
use xtask::process::Output;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use crate::evidence::provenance;
use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::shared::{Shared, rehearsal};
use crate::harness::{alone, call, export, read, test};

/// Every step of a release, in the order of docs/releasing.md.
const STEPS: [&str; 12] = [
    "export",
    "preflight",
    "build",
    "smoke",
    "contents",
    "sign",
    "attest",
    "store",
    "verify",
    "tag",
    "page",
    "latest",
];

#[test]
fn without_tags_head_is_rehearsed_as_v0_1_0() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let head = checkout.git(&["rev-parse", "HEAD"])?;
        assert_eq!(run.field("rehearsed")?, format!("v0.1.0 at {head}"));
        assert!(run.field("image")?.ends_with(&format!("/{REPOSITORY}:v0.1.0")), "{}", run.stdout);
        assert_eq!(run.field("page")?, "target/rehearsal/v0.1.0.md");
        assert_eq!(checkout.pages()?, ["cosign.pub", "v0.1.0", "v0.1.0.json", "v0.1.0.md"]);
        Ok(())
    })
}

#[test]
fn each_step_has_a_line_and_a_duration() -> Result<()> {
    test(|| {
        let stderr = &rehearsal()?.run.stderr;
        let (lines, table) = stderr.trim_end().rsplit_once("\n\n").context("there is no table at the end")?;
        for step in STEPS {
            assert!(lines.lines().any(|line| line.contains(&format!("s  {step} "))), "{step}:\n{lines}");
            assert!(table.contains(&format!("  {step} ")), "{step}:\n{table}");
        }
        let total = table.lines().last().context("the table is empty")?.trim();
        let seconds = total.strip_prefix("total").and_then(|rest| rest.trim().strip_suffix('s'));
        assert!(seconds.is_some_and(|seconds| seconds.parse::<f64>().is_ok_and(|s| s > 0.0)), "{total}");
        assert!(!stderr.contains('\u{1b}'), "standard error is no terminal, and has escape sequences");
        Ok(())
    })
}

#[test]
fn the_printed_commands_work_unchanged_with_both_major_versions_of_cosign() -> Result<()> {
    test(|| {
        let Shared { run, .. } = rehearsal()?;
        let commands = run.commands()?;
        assert_eq!(commands.lines().count(), 3, "{commands}");
        for cosign in ["TESTBED_COSIGN_2", "TESTBED_COSIGN_3"] {
            let pasted = paste(commands, cosign)?;
            ensure!(pasted.status.success(), "{cosign}: {}", pasted.stderr);
            // They do check something: for another version, the same commands fail.
            let other = paste(&commands.replace("version=0.1.0", "version=0.1.1"), cosign)?;
            ensure!(!other.status.success(), "{cosign} accepted a signature of 0.1.0 for 0.1.1");
        }
        Ok(())
    })
}

/// Runs `commands` in a shell at the top of the clone, with the given cosign first on the PATH.
fn paste(commands: &str, cosign: &str) -> Result<Output> {
    let bin = TempDir::new()?;
    symlink(export(cosign)?, bin.path().join("cosign")).context("linking cosign")?;
    let environment = Environment::from_process();
    let path = format!("{}:{}", text(bin.path())?, environment.get("PATH")?.unwrap_or_default());
    let shell = call("sh", &["-e"])?.stdin(commands).dir(rehearsal()?.checkout.top());
    shell.env("PATH", path).output()
}

#[test]
fn the_page_names_the_digest_and_the_printed_commands() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let page = checkout.page(run)?;
        let blocks: Vec<_> =
            page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(blocks.contains(&run.commands()?), "no block holds the printed commands:\n{page}");
        let pull = format!("docker pull {}\n", run.pinned()?);
        assert!(blocks.contains(&pull.as_str()), "no block pulls by digest:\n{page}");
        Ok(())
    })
}

#[test]
fn the_image_verifies_as_a_rehearsal_but_not_with_another_key() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        checkout.write("service/README.md", "changed, and not committed\n")?;
        checkout.replace("Cargo.toml", "[workspace]", "# changed, and not committed\n[workspace]")?;
        let run = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
        let said = "1 file differs from HEAD and is not in this rehearsal; use `--work-tree`";
        ensure!(run.stderr.contains(said), "{}", run.stderr);
        let pinned = run.pinned()?;
        let verify = |key: &str| Xtask::new(&checkout, &["verify", &pinned, "--key", key]).run();
        let verified = verify("target/rehearsal/cosign.pub")?.success()?;
        ensure!(verified.stdout.contains("a rehearsal, and no release"), "{}", verified.stdout);
        let key = "target/rehearsal/cosign.pub";
        Xtask::new(&checkout, &["verify", &pinned, "--key", key, "--save", "saved"]).run()?.success()?;
        let saved = Xtask::new(&checkout, &["verify", &pinned, "--key", key, "--offline", "saved"]);
        saved.run()?.success().context("verifying what was saved")?;
        let other = verify("cosign.pub")?;
        let refused = other.stdout.contains("FALSE  signature ");
        ensure!(other.code == 1 && refused, "{}{}", other.stdout, other.stderr);
        Ok(())
    })
}

#[test]
fn a_work_tree_is_rehearsed_as_it_is_and_left_unchanged() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        checkout.write("service/src/added.js", "// new, and not committed\n")?;
        let before = [checkout.git(&["status", "--porcelain"])?, checkout.git(&["for-each-ref"])?];
        let run = Xtask::new(&checkout, &["rehearse", "--work-tree"]).run()?.success()?;
        let page = checkout.page(&run)?;
        ensure!(page.starts_with("A rehearsal of the work tree"), "{page}");
        let provenance = provenance(&checkout, &run)?;
        let definition = &provenance["buildDefinition"];
        assert_eq!(
            definition["externalParameters"]["localRun"]["command"],
            "cargo xtask rehearse --work-tree"
        );
        let source = &definition["resolvedDependencies"][0];
        assert_eq!(source["annotations"]["workTree"], "true", "{source}");
        let (_, commit) = run.field("rehearsed")?.rsplit_once(' ').context("no commit")?;
        assert_eq!(source["digest"]["gitCommit"], commit);
        ensure!(checkout.git(&["cat-file", "-e", commit]).is_err(), "{commit} is in the repository");
        assert_eq!([checkout.git(&["status", "--porcelain"])?, checkout.git(&["for-each-ref"])?], before);
        checkout.ensure_nothing_is_left()
    })
}

/// Everything in a context has the commit's time, so two contexts may differ only in the content of a file.
#[test]
fn a_file_of_the_same_size_and_time_is_not_taken_from_another_build() -> Result<()> {
    const FILE: &str = "service/src/marker.js";
    test(|| {
        let checkout = Checkout::new()?;
        checkout.write(FILE, "// one\n")?;
        checkout.commit("feat: a file")?;
        let built = |options: &[&str], text: &str| -> Result<()> {
            checkout.write(FILE, text)?;
            let run = Xtask::new(&checkout, &[&["rehearse"], options].concat()).run()?.success()?;
            let cat =
                ["run", "--rm", "--network=none", "--entrypoint=cat", &run.pinned()?, "/app/src/marker.js"];
            assert_eq!(format!("{}\n", read("docker", &cat)?), text);
            Ok(())
        };
        built(&[], "// one\n")?;
        built(&["--work-tree"], "// two\n")?;
        built(&[], "// one\n")
    })
}

#[test]
fn a_rehearsal_leaves_no_process_container_or_temporary_file() -> Result<()> {
    // Other tests rehearse the same commit, and their containers have the same names.
    alone(|| rehearsal()?.checkout.ensure_nothing_is_left())
}
