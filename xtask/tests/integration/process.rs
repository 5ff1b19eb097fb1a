//! What `process.rs` promises, tested with real processes.

mod left_behind;

use std::cell::Cell;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;
use xshell::cmd;
use xtask::process::environment::Environment;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::TempDir;
use xtask::process::{Runner, Watch};

fn runner() -> Runner {
    let path = Environment::from_process().get("PATH").expect("PATH is UTF-8").unwrap_or_default().to_owned();
    Runner::new(&Environment::from_pairs([
        ("PATH", path.as_str()),
        ("FORGEJO_TOKEN", "inherited-secret-value"),
    ]))
}

#[test]
fn a_child_sees_the_secret_it_is_given_and_no_other() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let key = Secret::new("given-secret-value");
    let seen = runner.call(cmd!(sh, "env")).secret_env("COSIGN_PASSWORD", &key).read().unwrap();
    assert!(seen.contains("COSIGN_PASSWORD=given-secret-value"), "{seen}");
    let without = runner.call(cmd!(sh, "env")).read().unwrap();
    assert!(!without.contains("secret-value"), "{without}");
}

#[test]
fn only_a_child_that_connects_by_ssh_sees_the_agent() {
    let path = Environment::from_process().get("PATH").unwrap().unwrap_or_default().to_owned();
    let runner =
        Runner::new(&Environment::from_pairs([("PATH", path.as_str()), ("SSH_AUTH_SOCK", "/run/agent")]));
    let sh = runner.shell().unwrap();
    let seen = runner.call_with_ssh_agent(cmd!(sh, "env")).read().unwrap();
    assert!(seen.contains("SSH_AUTH_SOCK=/run/agent"), "{seen}");
    let others = runner.call(cmd!(sh, "env")).read().unwrap();
    assert!(!others.contains("SSH_AUTH_SOCK"), "{others}");
}

#[test]
fn an_error_has_the_exit_code_and_the_end_of_standard_error_but_no_secret() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let _known = Secret::new("echoed-secret-value");
    let script = "echo 'refused: echoed-secret-value' >&2; exit 7";
    let error = runner.call(cmd!(sh, "sh -c {script}")).run().unwrap_err().to_string();
    assert!(error.contains("exited with 7") && error.contains("refused: ***"), "{error}");
    assert!(!error.contains("echoed-secret-value"), "{error}");
}

#[test]
fn only_the_end_of_long_output_is_shown() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let script = "i=0; while [ $i -lt 3000 ]; do echo \"line $i\" >&2; i=$((i+1)); done; exit 1";
    let error = runner.call(cmd!(sh, "sh -c {script}")).run().unwrap_err().to_string();
    assert!(error.contains("line 2999") && !error.contains("line 100\n"), "{}", &error[..200]);
    assert!(error.contains("line 2400\n"), "the reason for a failed build may be 6 KB before the end");
    assert!(error.len() < 9000);
}

#[test]
fn a_secret_where_long_output_is_cut_is_not_shown_in_part() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let secret = "boundary-secret-value";
    let _known = Secret::new(secret);
    for after in [8191, 8181, 8172] {
        let script = "{ head -c 9000 /dev/zero | tr '\\0' x; printf %s $0; head -c $1 /dev/zero | tr '\\0' y; } >&2; exit 1";
        let after = after.to_string();
        let error = runner.call(cmd!(sh, "sh -c {script} {secret} {after}")).run().unwrap_err().to_string();
        let shown = error.split_once("exited with 1: ").unwrap().1;
        assert!(shown.chars().all(|c| c == 'y'), "{after}: {}", &shown[..100]);
    }
}

#[test]
fn a_program_in_the_working_directory_is_not_started_even_if_the_path_names_it() {
    let scratch = TempDir::new().unwrap();
    let file = scratch.path().join("surely-not-installed");
    std::fs::write(&file, "#!/bin/sh\necho started\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    for path in [":/usr/bin:/bin", "/usr/bin:/bin:", "/usr/bin:.:/bin"] {
        let runner = Runner::new(&Environment::from_pairs([("PATH", path)]));
        let sh = runner.shell().unwrap();
        let error = runner.call(cmd!(sh, "surely-not-installed")).dir(scratch.path()).run().unwrap_err();
        assert!(error.to_string().contains("`surely-not-installed` is not on the PATH"), "{path}: {error:#}");
        let by_path = runner.call(cmd!(sh, "./surely-not-installed")).dir(scratch.path()).read().unwrap();
        assert_eq!(by_path, "started", "a path is not searched for");
    }
}

#[test]
fn a_stream_is_read_as_it_arrives_and_the_first_failure_is_reported() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let stream = |script: &str, most: u64| {
        runner.call(cmd!(sh, "sh -c {script}")).stream(|output| {
            let read = std::io::copy(&mut output.take(most), &mut std::io::sink())?;
            if read == most { bail!("enough of it") } else { Ok(read) }
        })
    };
    let long = "head -c 100000000 /dev/zero";
    assert_eq!(stream(long, u64::MAX).unwrap(), 100_000_000, "more than is ever held");
    let script = "echo half; echo broken >&2; exit 3";
    let broken = runner.call(cmd!(sh, "sh -c {script}"));
    // It reads to the end, which comes when the child has ended. If it stopped reading earlier, the child would be
    // killed.
    let half = broken.stream(|output| -> anyhow::Result<()> {
        std::io::copy(output, &mut std::io::sink())?;
        bail!("half of an answer")
    });
    let error = format!("{:#}", half.unwrap_err());
    assert!(error.contains("exited with 3: broken"), "the incomplete output is not the reason: {error}");
    let began = Instant::now();
    let error = format!("{:#}", stream(&format!("{long}; sleep 60"), 10).unwrap_err());
    assert!(error.contains("reading what `sh -c") && error.ends_with("enough of it"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30), "nobody reads on, so the child is ended");
    let late = runner.call(cmd!(sh, "sleep 60")).timeout(Duration::from_millis(50));
    let error = late.stream(|output| Ok(output.read(&mut [0])?)).unwrap_err().to_string();
    assert!(error.contains("did not finish within"), "{error}");
}

#[test]
fn a_timeout_ends_the_whole_process_group() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let scratch = TempDir::new().unwrap();
    let pid_file = scratch.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", pid_file.display());
    let began = Instant::now();
    let error =
        runner.call(cmd!(sh, "sh -c {script}")).timeout(Duration::from_millis(500)).run().unwrap_err();
    assert!(error.to_string().contains("did not finish within 0.5 s"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30));
    let pid = std::fs::read_to_string(pid_file).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_alive(pid.trim()) {
        assert!(Instant::now() < deadline, "the grandchild {pid} is still alive");
        std::thread::yield_now();
    }
}

#[test]
fn a_watch_that_reports_an_error_ends_the_call_without_a_retry() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let (good, wrong, scratch) = (Cell::new(0), Cell::new(0), TempDir::new().unwrap());
    let file = scratch.path().join("runs");
    let runs = || std::fs::read_to_string(&file).unwrap_or_default();
    let watch = Watch::new(Duration::from_millis(5), || {
        if good.get() < 2 || runs().is_empty() {
            good.set(good.get() + 1);
            return Ok(());
        }
        wrong.set(wrong.get() + 1);
        bail!("the server says nothing")
    });
    let script = "echo run >> $0; sleep 60";
    let call = runner.call(cmd!(sh, "sh -c {script} {file}")).repeatable();
    let error = format!("{:#}", call.run_watched(Some(&watch)).unwrap_err());
    assert!(error.ends_with("was ended: the server says nothing"), "{error}");
    assert_eq!((wrong.get(), &*runs()), (1, "run\n"), "it is not run again");
}

#[test]
fn a_watch_that_reports_no_error_changes_neither_result_nor_timeout() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let watch = Watch::new(Duration::from_millis(5), || Ok(()));
    runner.call(cmd!(sh, "sleep 0.1")).run_watched(Some(&watch)).unwrap();
    let failed = runner.call(cmd!(sh, "sh -c 'sleep 0.1; exit 7'")).run_watched(Some(&watch)).unwrap_err();
    assert!(failed.to_string().contains("exited with 7"), "{failed}");
    let endless = runner.call(cmd!(sh, "sleep 60")).timeout(Duration::from_millis(100));
    let late = endless.run_watched(Some(&watch)).unwrap_err();
    assert!(late.to_string().contains("did not finish within 0.1 s"), "{late}");
}

#[test]
fn a_call_that_finishes_during_a_health_check_is_not_aborted() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let scratch = TempDir::new().unwrap();
    let pid_file = scratch.path().join("pid");
    let watch = Watch::new(Duration::from_millis(5), || {
        let pid = std::fs::read_to_string(&pid_file).unwrap_or_default();
        if pid.trim().is_empty() {
            return Ok(());
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        // Gone means reaped as well: by then, the call knows the exit code.
        while Path::new(&format!("/proc/{}", pid.trim())).exists() {
            assert!(Instant::now() < deadline, "the child does not end");
            std::thread::yield_now();
        }
        bail!("the server says nothing")
    });
    let script = "echo $$ > $0.part; mv $0.part $0; sleep 0.1";
    runner.call(cmd!(sh, "sh -c {script} {pid_file}")).run_watched(Some(&watch)).unwrap();
}

/// A killed process that nobody has reaped yet is a zombie, which counts as dead.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

#[test]
fn the_error_for_a_missing_program_has_its_install_hint() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let call = runner.call(cmd!(sh, "no-such-program --flag")).install_hint("install it with `x`");
    let error = call.run().unwrap_err().to_string();
    assert_eq!(error, "`no-such-program` is not installed; install it with `x`");
}

#[test]
fn a_child_that_reads_nothing_does_not_block_its_input() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    runner.call(cmd!(sh, "true")).stdin(vec![b'x'; 1 << 20]).run().unwrap();
}

#[test]
fn the_printed_command_reads_back_as_the_same_arguments() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let awkward = ["two words", "it's", "$HOME", "", "*"];
    let line = runner.call(cmd!(sh, "printf %s\\n {awkward...}")).line();
    let printed = runner.call(cmd!(sh, "sh -c {line}")).read().unwrap();
    assert_eq!(printed.split('\n').collect::<Vec<_>>(), awkward);
}

/// Records its runs in a file, and succeeds on the third run.
const THIRD_TIME: &str = "cat > /dev/null; echo run >> $0; test $(wc -l < $0) -ge 3";

#[test]
fn a_repeatable_call_is_retried_and_any_other_is_not() {
    let (runner, scratch) = (runner(), TempDir::new().unwrap());
    let sh = runner.shell().unwrap();
    let runs = |name: &str| {
        let file = scratch.path().join(name);
        (cmd!(sh, "sh -c {THIRD_TIME} {file}"), move || {
            std::fs::read_to_string(&file).unwrap().lines().count()
        })
    };
    let (patient, count) = runs("patient");
    runner.call(patient).stdin("the same each time").repeatable().run().unwrap();
    assert_eq!(count(), 3);
    let (once, count) = runs("once");
    assert!(runner.call(once).run().is_err());
    assert_eq!(count(), 1);
}

#[test]
fn a_tool_is_retried_only_within_its_timeout() {
    let (runner, scratch) = (runner(), TempDir::new().unwrap());
    let sh = runner.shell().unwrap();
    let file = scratch.path().join("runs");
    let script = "echo run >> $0; sleep 60";
    let call = runner.call(cmd!(sh, "sh -c {script} {file}")).timeout(Duration::from_millis(300));
    assert!(call.repeatable().run().unwrap_err().to_string().contains("did not finish"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "run\n", "the first run used the whole timeout");
    let began = Instant::now();
    let call = runner.call(cmd!(sh, "false")).timeout(Duration::from_millis(90));
    assert!(call.repeatable().run().unwrap_err().to_string().contains("exited with 1"));
    assert!(began.elapsed() < Duration::from_secs(30), "no pause is longer than the time that is left");
}
