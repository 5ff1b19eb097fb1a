//! A docker that builds without using the cache. The cache itself stays as it is for other tests.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use xtask::process::temp_dir::TempDir;

use super::checkout::text;
use super::environment;
use super::run::{Finished, Xtask};

/// A file beside the program. It exists once the program was asked to build.
const BUILT: &str = "built";

/// Runs `xtask` with a program in docker's place. The program passes everything on to docker, and adds `--no-cache`
/// to a build.
pub(crate) fn run_uncached(run: Xtask<'_>) -> Result<Finished> {
    let bin = TempDir::new()?;
    let (docker, built) = (bin.path().join("docker"), bin.path().join(BUILT));
    let real = environment().find_program(Path::new("docker"))?.context("`docker` is not on the PATH")?;
    let script = format!(
        "#!/bin/sh\n\
         if [ \"$1 $2\" = 'buildx build' ]; then shift 2; touch '{}'; set -- buildx build --no-cache \"$@\"; fi\n\
         exec '{}' \"$@\"\n",
        built.display(),
        real.display()
    );
    fs::write(&docker, script).with_context(|| format!("writing `{}`", docker.display()))?;
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making `{}` a program", docker.display()))?;
    let path = environment().get("PATH")?.map(str::to_owned).context("`PATH` is not set")?;
    let finished = run.env("PATH", format!("{}:{path}", text(bin.path())?)).run()?;
    ensure!(built.exists(), "nothing was built:\n{}", finished.stderr);
    Ok(finished)
}
