//! A process that outlives the child that started it, and holds the child's streams open.

use std::path::Path;
use std::time::{Duration, Instant};

use xshell::cmd;
use xtask::process::temp_dir::TempDir;
use xtask::process::{Call, Runner};

use super::runner;

#[test]
fn a_process_left_behind_delays_no_call_and_partial_output_is_an_error() {
    let part = "a process that it left behind keeps this stream open";
    let cases: [&(dyn Fn(Left<'_>) + Sync); 5] = [
        &|left| {
            let error = format!("{:#}", left.behind("2>/dev/null", 0).read().unwrap_err());
            assert!(error.contains("reading what `sh -c") && error.contains(part), "{error}");
        },
        &|left| {
            let mut seen = String::new();
            let found = left.behind("2>/dev/null", 0).stream(|output| Ok(output.read_to_string(&mut seen)?));
            assert!(format!("{:#}", found.unwrap_err()).contains(part));
            assert_eq!(seen, "half\n", "the output until then is read");
        },
        &|left| {
            let all = left.behind(">/dev/null", 0).read().unwrap();
            assert_eq!(all, "half", "its standard output has ended");
        },
        &|left| {
            let error = left.behind(">/dev/null", 3).run().unwrap_err().to_string();
            let words = "why\n(a process that it left behind";
            assert!(error.contains("exited with 3") && error.contains(words), "{error}");
        },
        &|left| {
            let file = std::fs::File::create(left.scratch.join("saved")).unwrap();
            let error = left.behind("", 0).save(file).unwrap_err().to_string();
            assert!(error.contains("left a process behind"), "{error}");
        },
    ];
    // Each case waits for seconds on purpose.
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| Left::tried(case));
        }
    });
}

#[test]
fn a_call_with_inherited_streams_ends_its_whole_group() {
    let (runner, scratch) = (runner(), TempDir::new().unwrap());
    let pid = scratch.path().join("pid");
    for (script, passes) in [
        ("sleep 100 & echo $! > $0", true),
        ("sleep 100 & echo $! > $0; exit 3", false),
        // A process that ignores SIGTERM is still there when the child itself has ended by it.
        ("sh -c 'trap \"\" TERM; echo $$ > $0; exec sleep 100' $0 & wait", false),
    ] {
        let sh = runner.shell().unwrap();
        let call = runner.call(cmd!(sh, "sh -c {script} {pid}")).timeout(Duration::from_secs(1));
        assert_eq!(call.inherit().is_ok(), passes, "{script}");
        let left = std::fs::read_to_string(&pid).unwrap();
        assert!(is_gone(left.trim()), "{script}: {left}");
    }
}

/// Whether the process has ended, or does so within two seconds. Its new parent may not have reaped it yet.
fn is_gone(pid: &str) -> bool {
    (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')),
            Err(_gone) => true,
        }
    })
}

/// A call that leaves a process behind.
#[derive(Clone, Copy)]
struct Left<'a> {
    runner: &'a Runner,
    scratch: &'a Path,
}

impl Left<'_> {
    /// Tries `case`, which must not wait for the process, and ends the process.
    fn tried(case: &dyn Fn(Left<'_>)) {
        let (runner, scratch) = (&runner(), TempDir::new().expect("a directory"));
        let (began, scratch) = (Instant::now(), scratch.path());
        case(Left { runner, scratch });
        assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
        let pid = std::fs::read_to_string(scratch.join("pid")).expect("it wrote its id");
        let (sh, pid) = (runner.shell().expect("a shell"), pid.trim());
        runner.call(cmd!(sh, "kill {pid}")).run().expect("it still ran");
    }

    /// A call that exits with `code` and leaves a process behind, which holds the call's streams except those that
    /// `streams` redirects.
    fn behind(self, streams: &str, code: u8) -> Call {
        // In a session of its own, no signal to the child's group reaches it.
        let script = format!(
            "setsid sh -c 'echo $$ > $0; exec sleep 100' $0 {streams} & \
             while [ ! -s $0 ]; do :; done; echo half; echo why >&2; exit {code}"
        );
        let (sh, pid) = (self.runner.shell().expect("a shell"), self.scratch.join("pid"));
        self.runner.call(cmd!(sh, "sh -c {script} {pid}")).timeout(Duration::from_secs(50))
    }
}
