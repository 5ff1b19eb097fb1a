//! `cargo testbed verifiers`: what the verifiers that people use say about a release, in each format. They also
//! check the same release against another key, against another version, and with a stranger's bundle beside it. The
//! command also shows which programs copy all the evidence to another registry. Programs, release and forge are
//! real; `docs/verification-tests.md` has the tables.

mod ask;
mod carrier;
mod subject;
mod table;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use crate::bench::{self, Key};
use crate::context::Context;
use crate::{generated, lock};
use ask::{Answer, Question, ask};
use subject::{Format, Subject};
use table::{Case, Row};
use tool::Found;

/// The version of the release, and another one.
const VERSIONS: (&str, &str) = ("0.1.0", "0.1.1");

/// What is done with the answers.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write the tables into docs/verification-tests.md
    #[arg(long)]
    write: bool,
}

/// Asks every verifier and prints the tables. It is an error if any verifier accepts the release with another key.
#[expect(clippy::print_stdout, reason = "this is the command's data")]
pub(crate) fn run(environment: &Environment, options: &Options) -> Result<()> {
    let cx = Context::new(environment)?;
    let environment = &bench::of_testbed(environment)?;
    let (found, carriers) = {
        let _lock = lock::acquire(&cx.layout, &cx.progress)?;
        (tool::verifiers(&cx, environment)?, carrier::programs(&cx, environment)?)
    };
    let (xtask, _target) = bench::build_xtask(&Runner::new(environment))?;
    let scratch = TempDir::new()?;
    let round = Round {
        cx: &cx,
        environment,
        scratch: scratch.path(),
        xtask: &xtask,
        found: &found,
        carriers: &carriers,
    };
    let (rows, carried) = round.all()?;
    let mut names: Vec<_> = found.iter().map(|found| found.tool.name).collect();
    names.dedup();
    let (verifiers, carriers) = (table::render(&names, &rows), carrier::render(&carried));
    println!("{verifiers}\n{carriers}");
    if options.write {
        generated::write("verification-tests.md", "verifiers", &format!("{verifiers}\n{carriers}"))?;
    }
    let wrong = table::wrong(&rows);
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
}

/// What a run works with.
struct Round<'a> {
    cx: &'a Context,
    environment: &'a Environment,
    scratch: &'a Path,
    xtask: &'a Path,
    found: &'a [Found],
    carriers: &'a [(carrier::Carrier, PathBuf)],
}

impl Round<'_> {
    /// Releases once for each format, and asks every verifier about each release.
    fn all(&self) -> Result<(Vec<Row>, Vec<carrier::Carried>)> {
        let key_dir = self.dir("stranger")?;
        let stranger = Key::make(self.environment, &key_dir)?;
        let (mut rows, mut carried) = (Vec::new(), Vec::new());
        for format in Format::ALL {
            self.cx.progress.line(format.name(), "releasing");
            let dir = self.scratch.join(format.name());
            let subject = Subject::release(self.environment, self.xtask, &dir, format)?;
            if format == Format::Both {
                let registry = self.export("TESTBED_REGISTRY")?;
                carried = carrier::all(&self.cx.progress, registry, self.carriers, &subject, self.scratch)?;
            }
            for case in Case::ALL {
                if case == Case::Stranger {
                    subject.add_strangers_bundle(Path::new(self.export("TESTBED_COSIGN_3")?), &stranger)?;
                }
                self.about(&subject, format, case, &key_dir.join("cosign.pub"), &mut rows)?;
            }
            subject.clean_up()?;
        }
        Ok((rows, carried))
    }

    /// Asks every verifier about one case of an image.
    fn about(
        &self,
        subject: &Subject,
        format: Format,
        case: Case,
        other: &Path,
        rows: &mut Vec<Row>,
    ) -> Result<()> {
        let (image, own, bundles) = (subject.image(), subject.key(), subject.bundles()?);
        for (number, found) in self.found.iter().enumerate() {
            xtask::process::interrupt::check()?;
            let dir = self.dir(&format!("{}-{case:?}-{number}", format.name()))?;
            let question = Question {
                image: &image,
                key: if case == Case::AnotherKey { other } else { &own },
                version: if case == Case::AnotherVersion { VERSIONS.1 } else { VERSIONS.0 },
                is_about_version: case == Case::AnotherVersion,
                bundles: &bundles,
                dir: &dir,
            };
            let answer = ask(&subject.project().runner, found, &question)?;
            let said = if let Answer::Refuses(why) = &answer { why } else { "" };
            let name = found.tool.name;
            self.cx.progress.line(name, &format!("{}, {case:?}: {} {said}", format.name(), answer.word()));
            rows.push(Row { verifier: name, format, case, answer });
            fs::remove_dir_all(&dir).with_context(|| format!("removing `{}`", dir.display()))?;
        }
        Ok(())
    }

    fn export(&self, name: &str) -> Result<&str> {
        self.environment.get(name)?.with_context(|| format!("`{name}` is not set: `cargo testbed up`"))
    }

    fn dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.scratch.join(name);
        fs::create_dir(&dir).with_context(|| format!("making `{}`", dir.display()))?;
        Ok(dir)
    }
}
