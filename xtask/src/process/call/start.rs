//! Starts a program whose file may just have been written.

use std::io::{self, ErrorKind};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

/// How often a busy file is retried, and the pause before each retry: one second in total.
const MAX_ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Starts `command`. While another thread starts a child, that child briefly has all files open that are open here.
/// If one of them is the program that was just written, the kernel reports it as busy (`ETXTBSY` in execve(2)) until
/// the child executes its own program.
///
/// # Errors
/// Those of the start.
pub(super) fn start(command: &mut Command) -> io::Result<Child> {
    for _ in 0..MAX_ATTEMPTS {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::sleep(PAUSE),
            other => return other,
        }
    }
    command.spawn()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::thread;
    use std::time::Duration;

    use xshell::cmd;

    use crate::process::Runner;
    use crate::process::environment::Environment;
    use crate::process::temp_dir::TempDir;

    #[test]
    fn starting_a_program_is_retried_while_its_file_is_busy() {
        let (scratch, runner) = (TempDir::new().unwrap(), Runner::new(&Environment::from_process()));
        let (program, sh) = (scratch.path().join("program"), runner.shell().unwrap());
        fs::copy("/bin/true", &program).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let writer = File::options().append(true).open(&program).unwrap();
        let ended = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            drop(writer);
        });
        runner.call(cmd!(sh, "{program}")).run().unwrap();
        ended.join().unwrap();
    }
}
