//! `cargo xtask doctor`: checks everything that a release needs and that does not depend on a tag, and prints a
//! remedy for each problem. It changes nothing, unless `--fix` tells it to create the forge's missing rules.

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::build::logins;
use crate::commands::release::with_secrets;
use crate::forge::Protections;
use crate::forge::default_branch::DefaultBranch;
use crate::inputs::config::{Config, Platforms, TagPolicy};
use crate::inputs::pin::document;
use crate::inputs::run::Run;
use crate::inputs::{ALLOWED_SIGNERS, Inputs, PUBLIC_KEY, is_placeholder};
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::failure::{Refusal, Transient};
use crate::process::problem::Problem;
use crate::process::progress::Steps;
use crate::process::secret::redact;
use crate::process::shown;
use crate::process::stdout;
use crate::refuse;
use crate::release::preflight::{self, Check, Found, checks, not_asked, observed};
use crate::release::secrets::Secrets;
use crate::release::target::Target;
use crate::release::{Session, Tools, smoke};
use crate::tool::docker::DockerConfig;
use crate::tool::git::Git;

/// Programs that are used as installed, with the command that installs each.
const PROGRAMS: [(&str, &str); 2] = [("curl", "apt-get install curl"), ("tar", "apt-get install tar")];

/// Checks everything and prints a line for each result. If `maintainers` are named, it first creates the rules that
/// the forge lacks; afterwards only these accounts can push release tags.
///
/// # Errors
/// A [`Refusal`] when something is missing, or the forge does not let the token create a rule; [`Transient`] when a
/// server was unavailable and nothing else is wrong.
pub fn run(environment: &Environment, maintainers: &[String]) -> Result<()> {
    let runner = &Runner::new(environment);
    let git = &Git::here(runner)?;
    let config = &Config::of_work_tree(git.root())?;
    let secrets = Secrets::to_release(environment, config)?;
    let (mut problems, has_secrets) = (secrets.problems.clone(), secrets.problems.is_empty());
    let run = Run::of(environment, config)?;
    problems.extend(Run::other_address(environment, config)?.map(|words| Problem::new("run", words)));
    let target = &with_secrets(environment, runner, config, git, secrets, run.as_ref())?;
    if !maintainers.is_empty() {
        make_rules(target, maintainers)?;
    }
    let steps = &Steps::new(environment)?;
    let session = &Session { runner, environment, git, config, steps };
    let (login, anonymous) = (
        logins::docker_config(config, environment, target.login(), steps)?,
        DockerConfig::new(environment, None)?,
    );
    let tools = &Tools::new(session, target, &login, &anonymous);
    let head = git.peel("HEAD")?.context("HEAD has no commit")?;

    let inputs = Inputs::of_commit(git, &head, config);
    let mut all = checks::of_machine(session, tools, target);
    match &inputs {
        Ok(inputs) => {
            problems.extend(placeholder(inputs));
            problems.extend(inputs.problems.iter().map(|problem| Problem::new("commit", problem)));
            all.extend(checks::of_commit(session, tools, target, inputs));
        }
        Err(error) => problems.push(Problem::of_error("commit", error)),
    }
    // A missing secret has been reported already; skip the checks that need it.
    all.retain(|(name, _)| has_secrets || !["signing key", "registry"].contains(name));
    all.push((
        "forge",
        Box::new(|| Ok(observed(format!("`{}` answers", config.forge), target.forge.check_access()?))),
    ));
    all.push(("protections", Box::new(|| protections(target))));
    if config.tags == TagPolicy::Signed {
        all.push(("signed tags", Box::new(|| signed_tags(session, target))));
    }
    all.push(("platforms", Box::new(|| platforms(session, tools))));
    all.push(("disk", Box::new(|| preflight::check_disk().map(disk))));
    all.extend(
        PROGRAMS
            .iter()
            .map(|program| -> Check<'_> { ("programs", Box::new(move || version(runner, *program))) }),
    );
    let (lines, problems) = told(preflight::run_checks(&all)?, problems);
    stdout::print(&lines)?;
    conclude(&problems)
}

/// The lines to print about the checks and all problems, and those problems: first `problems`, which were known
/// before, then what the checks found.
pub(super) fn told(
    looked: Vec<(&'static str, Result<Found>)>,
    mut problems: Vec<Problem>,
) -> (String, Vec<Problem>) {
    let mut lines = String::new();
    for (name, result) in looked {
        match result {
            Ok(found) if found.problems.is_empty() => lines += &good(name, &found),
            Ok(found) => problems.extend(found.problems),
            Err(error) => problems.push(Problem::of_error(name, &error)),
        }
    }
    let lines = problems.iter().fold(lines, |lines, problem| lines + &bad(problem));
    (lines, problems)
}

/// The free space of `free` bytes, in words.
fn disk(free: u64) -> Found {
    let (mib, gib) = (free >> 20, free >> 30);
    let words = if gib > 0 { format!("{gib} GiB free") } else { format!("{mib} MiB free") };
    observed(words, [])
}

/// The placeholder key that comes with the repository cannot sign anything.
fn placeholder(inputs: &Inputs) -> Option<Problem> {
    let key = inputs.public_key.as_deref()?;
    is_placeholder(key).then(|| {
        let text = format!(
            "`{PUBLIC_KEY}` is the placeholder that this project comes with; run `cargo xtask keygen DIR`, which replaces it, \
             and commit the file"
        );
        Problem::new("signing key", text)
    })
}

/// Who may push what is released. A forge that does not answer is reported by another check.
fn protections(target: &Target) -> Result<Found> {
    let Protections { said, problems, were_told, .. } = target.forge.protections()?;
    Ok(Found { seen: said.into_iter().map(|text| ("", text)).collect(), problems, not_asked: !were_told })
}

/// Creates the missing rules. Rules that somebody set up differently stay as they are.
fn make_rules(target: &Target, maintainers: &[String]) -> Result<()> {
    let found = target.forge.protections().context("asking for the forge's rules; none was made")?;
    if !found.were_told {
        refuse!(
            "the forge did not list its protection rules, so none was created: {}",
            found.said.join(", ")
        );
    }
    for rule in &found.missing {
        target.forge.protect(rule, maintainers).with_context(|| format!("making the rule for {rule}"))?;
        stdout::print(&format!("made     protections  {rule}\n"))?;
    }
    Ok(())
}

/// Whether a signed tag could be verified: `ssh-keygen` must be installed, and the default branch must have the list of
/// signers.
fn signed_tags(session: &Session<'_>, target: &Target) -> Result<Found> {
    session.git.check_ssh_keygen()?;
    let default = DefaultBranch::read(&*target.forge, session.git)?;
    let problem = default.filter(|default| default.allowed_signers.is_none()).map(|DefaultBranch { branch, .. }| {
        let text = format!(
            "`tags` is `\"signed\"`, and the forge's default branch `{}` has no `{ALLOWED_SIGNERS}`; commit the keys of those \
             who may sign tags there ({})",
            branch.name,
            document!("keys.md")
        );
        Problem::new("signed tags", text)
    });
    Ok(observed("nothing is missing", problem))
}

/// Which of the platforms the smoke test can run on this machine.
fn platforms(session: &Session<'_>, tools: &Tools<'_>) -> Result<Found> {
    if !tools.can_build() {
        return Ok(not_asked(checks::NO_BUILDER));
    }
    let runs = tools.docker.runs()?;
    let is_run = |platform: &String| runs.contains(platform);
    let wanted = session.config.platforms.iter().map(ToString::to_string);
    let (run, others): (Vec<_>, Vec<_>) = wanted.partition(is_run);
    let mut seen = vec![("runs", if run.is_empty() { "none".to_owned() } else { run.join(" and ") })];
    let mut problems = Vec::new();
    for platform in others {
        let remedy = smoke::emulation(&platform);
        match session.config.smoke.platforms {
            Platforms::Possible => seen.push((
                "builds",
                format!("{platform}, and does not run it in the smoke test; to have it run, {remedy}"),
            )),
            Platforms::All => problems.push(Problem::new(
                "platforms",
                format!("the engine cannot run {platform}, and `smoke.platforms` is `\"all\"`; {remedy}"),
            )),
        }
    }
    Ok(Found { seen, ..problems.into_iter().collect() })
}

fn version(runner: &Runner, (program, remedy): (&'static str, &'static str)) -> Result<Found> {
    let sh = runner.shell()?;
    let text = runner.call(cmd!(sh, "{program} --version")).install_hint(remedy).read()?;
    Ok(match version_in(program, &text) {
        Some(version) => Found { seen: vec![(program, version.to_owned())], ..Found::default() },
        None => {
            let found = text.lines().next().unwrap_or_default();
            let text =
                format!("`{program} --version` says `{found}`, which is not the usual {program}; {remedy}");
            [Problem::new("programs", text)].into_iter().collect()
        }
    })
}

/// The version in the output of `program --version`. `None` when it is another program of that name: a tar other than
/// GNU's has other options.
fn version_in<'a>(program: &str, text: &'a str) -> Option<&'a str> {
    let line = text.lines().next()?;
    let rest = match program {
        "tar" => line.strip_prefix("tar (GNU tar) "),
        program => line.strip_prefix(program)?.strip_prefix(' '),
    };
    rest?.split(' ').next().filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

/// The line for a check without a problem, with `?` instead of `ok` if the check was not made.
fn good(name: &str, Found { seen, not_asked, .. }: &Found) -> String {
    let seen: Vec<_> =
        seen.iter().map(|(tool, version)| format!("{tool} {version}").trim_start().to_owned()).collect();
    format!("{:<8} {name:<12} {}\n", if *not_asked { "?" } else { "ok" }, seen.join(", "))
}

/// The line for a problem.
fn bad(problem: &Problem) -> String {
    format!("problem  {:<12} {}\n", problem.check, shown::lines(&redact(&problem.text)))
}

/// The number of problems, as an error. The problems themselves have been printed.
///
/// # Errors
/// A [`Refusal`] if there is a problem; [`Transient`] if all of them are transient.
pub(super) fn conclude(problems: &[Problem]) -> Result<()> {
    let found = match problems.len() {
        0 => return Ok(()),
        1 => "1 problem found".to_owned(),
        count => format!("{count} problems found"),
    };
    if problems.iter().all(|problem| problem.is_transient) {
        return Err(Transient::new(format!("{found}: transient, run it again later")).into());
    }
    Err(Refusal::new(found).into())
}

#[cfg(test)]
mod tests {
    use super::{Problem, bad, conclude, disk, good, not_asked, version_in};
    use crate::process::failure::exit_code;

    #[test]
    fn problems_are_counted_and_the_exit_code_is_75_only_if_all_are_transient() {
        let (ours, transient) = (Problem::new("git", "old"), Problem::transient("forge", "answered 502"));
        assert_eq!(bad(&ours), "problem  git          old\n");
        assert!(conclude(&[]).is_ok());
        for (problems, code, words) in [
            (&[ours.clone()][..], 3, "1 problem found"),
            (&[ours, transient.clone()], 3, "2 problems found"),
            (&[transient], 75, "1 problem found: transient, run it again later"),
        ] {
            let error = conclude(problems).unwrap_err();
            assert_eq!((exit_code(&error), error.to_string().as_str()), (code, words));
        }
    }

    #[test]
    fn free_space_is_shown_in_gib_or_else_in_mib() {
        assert_eq!(good("disk", &disk(5 << 30)), "ok       disk         5 GiB free\n");
        assert_eq!(good("disk", &disk(300 << 20)), "ok       disk         300 MiB free\n");
    }

    #[test]
    fn a_check_that_was_not_made_has_a_question_mark_and_not_ok() {
        assert_eq!(good("protections", &not_asked("no token")), "?        protections  no token\n");
    }

    #[test]
    fn versions_are_read_only_from_the_output_of_curl_and_gnu_tar() {
        for (program, text, version) in [
            ("curl", "curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1\nRelease-Date: x\n", Some("7.88.1")),
            ("tar", "tar (GNU tar) 1.34\nCopyright\n", Some("1.34")),
            ("tar", "bsdtar 3.7.4 - libarchive 3.7.4 zlib/1.3.1\n", None),
            ("tar", "tar (busybox) 1.36.1\n", None),
            ("tar", "", None),
        ] {
            assert_eq!(version_in(program, text), version, "{text}");
        }
    }
}
