//! What helps to find out why an image does not do what it should: its settings, its log, and the commands to try it by
//! hand.

use std::ffi::OsStr;

use anyhow::{Error, anyhow};

use crate::process::command_line::quoted;
use crate::process::failure::Refusal;
use crate::process::interrupt::Interrupted;
use crate::tool::docker::Container;

use super::attempt::{Attempt, Containers};

/// The network in the commands to try by hand.
const BY_HAND: &str = "smoke";

/// `error` with everything that helps. An error from a signal or from a rule is returned as it is.
pub(super) fn explain(attempt: &Attempt<'_, '_>, error: Error, containers: &Containers<'_>) -> Error {
    let is_final =
        |cause: &(dyn std::error::Error + 'static)| cause.is::<Interrupted>() || cause.is::<Refusal>();
    if error.chain().any(is_final) {
        return error;
    }
    let mut parts = vec![format!("{}: {error:#}", attempt.image.platform), set(attempt)];
    for (companion, container) in &containers.companions {
        parts.push(log(&format!("companion `{}`", companion.alias), container));
    }
    parts.extend(containers.service.as_ref().map(|service| log("service", service)));
    parts.push(format!("try it by hand:\n{}", by_hand(attempt).join("\n")));
    anyhow!("{}", parts.join("\n"))
}

/// The lines added to a log between two reads of its end: those of `log` that are not in the earlier `before`.
pub(super) fn added<'a>(before: &str, log: &'a str) -> Vec<&'a str> {
    let lines: Vec<_> = log.lines().collect();
    let known: Vec<_> = before.lines().collect();
    // The longest end of `before` that is also the beginning of `log`.
    let overlap = (0..=known.len().min(lines.len())).rev().find(|count| known.ends_with(&lines[..*count]));
    lines[overlap.unwrap_or(0)..].to_vec()
}

fn log(who: &str, container: &Container<'_>) -> String {
    match container.logs() {
        Ok(log) if log.trim().is_empty() => format!("the {who} wrote no log"),
        Ok(log) => format!("the last lines of the {who}'s log:\n{}", log.trim_end()),
        Err(error) => format!("the log of the {who} cannot be read: {error:#}"),
    }
}

/// The settings that the service ran with, in words.
fn set(attempt: &Attempt<'_, '_>) -> String {
    let (run, config) = (attempt.service(BY_HAND), &attempt.image.config);
    let list =
        |words: Vec<&str>, none: &str| if words.is_empty() { none.to_owned() } else { words.join(", ") };
    let or = |word: Option<&String>, default: &str| {
        word.filter(|word| !word.is_empty()).map_or(default, String::as_str).to_owned()
    };
    format!(
        "it was run with a read-only root, writable: {}; variables: {}; working directory {}; user {}; memory {}; \
         processes {}; a network without a way out",
        list(
            run.tmpfs.iter().chain(&run.writable).map(String::as_str).collect(),
            "nothing (`smoke.tmpfs`, `smoke.writable`)"
        ),
        list(run.env.keys().map(String::as_str).collect(), "none but the image's own (`smoke.env`)"),
        or(config.working_dir.as_ref(), "/"),
        or(config.user.as_ref(), "root"),
        run.memory,
        run.pids
    )
}

fn by_hand(attempt: &Attempt<'_, '_>) -> Vec<String> {
    let docker = |words: &[&str]| quoted(OsStr::new("docker"), words.iter().map(OsStr::new));
    let companions = &attempt.context.session.config.smoke.companions;
    let mut lines = vec![docker(&["network", "create", "--internal", BY_HAND])];
    for companion in companions {
        let name = format!("--name={BY_HAND}-{}", companion.alias);
        lines.push(attempt.companion(companion, BY_HAND).by_hand(&["--detach", "--rm", &name]));
    }
    lines.push(attempt.service(BY_HAND).by_hand(&["--rm"]));
    for companion in companions {
        lines.push(docker(&["rm", "--force", "--volumes", &format!("{BY_HAND}-{}", companion.alias)]));
    }
    lines.push(docker(&["network", "rm", BY_HAND]));
    lines
}

#[cfg(test)]
mod tests {
    use super::added;

    #[test]
    fn a_line_of_a_log_is_shown_once() {
        for (before, log, expected) in [
            ("", "", &[][..]),
            ("", "a\nb\n", &["a", "b"]),
            ("a\nb\n", "a\nb\n", &[]),
            ("a\nb\n", "a\nb\nc", &["c"]),
            ("a\nb\n", "b\nc\nd\n", &["c", "d"]),
            ("a\na\n", "a\na\na\n", &["a"]),
            ("a\n", "x\ny\n", &["x", "y"]),
        ] {
            assert_eq!(added(before, log), expected, "{before:?} {log:?}");
        }
    }
}
