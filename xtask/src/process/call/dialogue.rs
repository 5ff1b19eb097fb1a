//! A child that answers one question after another, until the [`Dialogue`] is dropped.

use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, anyhow};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::{Call, STDERR_TAIL, group_of};
use crate::process::interrupt::{self, GRACE, Registration};
use crate::process::output::Output;
use crate::process::pipes::{Printed, Running, Tail, collect_tail, join};
use crate::process::stderr;
use crate::process::wait::wait;

/// The longest question, in bytes. The pipe is empty when a question is written, because the child has read the
/// previous one to answer it, and accepts this many bytes at once (`PIPE_BUF` in pipe(7)): writing a question never
/// blocks.
const MAX_PROMPT_LEN: usize = 4096;

/// The running child. Dropping this closes the child's standard input, and ends the child if it does not end by
/// itself.
pub struct Dialogue {
    /// `None` after an error.
    child: Option<Child>,
    group: i32,
    /// `None` after an error.
    questions: Option<ChildStdin>,
    answers: BufReader<Timed<ChildStdout>>,
    stderr: Option<JoinHandle<io::Result<Tail>>>,
    running: Option<Running>,
    timeout: Duration,
    line: String,
    _registration: Option<Registration>,
}

impl Call {
    /// Starts it, for questions on its standard input. The timeout applies to each answer.
    ///
    /// # Errors
    /// When it cannot start.
    pub fn converse(mut self) -> Result<Dialogue> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let line = self.line();
        let mut child = self.spawn(&line)?;
        let registration = self.register(&child)?;
        let group = group_of(&child)?;
        let (running, ended) = Running::new().context("making a pipe")?;
        let questions = child.stdin.take();
        let stdout = child.stdout.take().with_context(|| format!("`{line}` has no standard output"))?;
        let answers = BufReader::new(Timed { pipe: stdout, deadline: Instant::now(), has_ended: false });
        let stderr = child.stderr.take().map(|pipe| collect_tail(Printed::new(pipe, &ended), STDERR_TAIL));
        Ok(Dialogue {
            child: Some(child),
            group,
            questions,
            answers,
            stderr,
            running: Some(running),
            timeout: self.timeout,
            line,
            _registration: registration,
        })
    }
}

impl Dialogue {
    /// Writes `question` and reads the answer with `read`, which has to read all of it and no more, and has to limit
    /// what it keeps. After an error no further question can be asked.
    ///
    /// # Errors
    /// When the child has ended or does not answer in time, and those of `read`. When the child failed by itself, its
    /// failure is reported.
    pub fn ask<T>(&mut self, question: &[u8], read: impl FnOnce(&mut dyn BufRead) -> Result<T>) -> Result<T> {
        interrupt::check()?;
        let answer = self.write(question).and_then(|()| {
            self.answers.get_mut().deadline = Instant::now() + self.timeout;
            read(&mut self.answers)
        });
        answer.map_err(|error| self.explained(error))
    }

    fn write(&mut self, question: &[u8]) -> Result<()> {
        let pipe = self.questions.as_mut().context("an earlier question failed")?;
        if question.len() > MAX_PROMPT_LEN {
            return Err(anyhow!("a question of {} bytes", question.len()));
        }
        pipe.write_all(question).context("asking")
    }

    /// Ends the child. If it had already failed by itself, its failure is returned: `error` is only a consequence.
    fn explained(&mut self, error: Error) -> Error {
        self.questions = None;
        let Some(child) = self.child.take() else { return error };
        // Only a child that closed its output or its input can have failed by itself.
        if !self.answers.get_ref().has_ended && !error.chain().any(is_broken_pipe) {
            interrupt::end(self.group, Signal::SIGKILL);
        }
        let status = wait(child, self.group, GRACE, None, &self.line);
        interrupt::end(self.group, Signal::SIGKILL);
        self.running = None;
        if let Err(stopped) = interrupt::check() {
            return stopped.into();
        }
        let stderr = join(self.stderr.take()).map(|tail| tail.text());
        match (status, stderr) {
            (Ok(status), Ok(stderr)) if status.code().is_some_and(|code| code != 0) => {
                Output { status, stdout: Vec::new(), stderr, command_line: self.line.clone() }.failure()
            }
            _ => error.context(format!("asking `{}`", self.line)),
        }
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        // The child ends by itself once its standard input is closed.
        self.questions = None;
        if let Err(error) = wait(child, self.group, GRACE, None, &self.line) {
            stderr::line(format_args!("xtask: {error:#}"));
        }
        interrupt::end(self.group, Signal::SIGKILL);
    }
}

/// A pipe that is read until a deadline.
struct Timed<R> {
    pipe: R,
    deadline: Instant,
    /// Whether the other end was closed.
    has_ended: bool,
}

impl<R: Read + AsFd> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let mut pipe = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
            match poll(&mut pipe, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
                Err(Errno::EINTR) => {}
                Ok(0) if left.is_zero() => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
                }
                Ok(0) => {}
                found => {
                    found?;
                    let count = self.pipe.read(buffer)?;
                    self.has_ended = count == 0 && !buffer.is_empty();
                    return Ok(count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::time::{Duration, Instant};

    use anyhow::{Result, ensure};
    use xshell::cmd;

    use crate::process::Runner;
    use crate::process::environment::Environment;
    use crate::process::interrupt::GRACE;

    fn dialogue(script: &str, timeout: Duration) -> super::Dialogue {
        let runner = Runner::new(&Environment::from_process());
        let shell = runner.shell().unwrap();
        runner.call(cmd!(shell, "sh -c {script}")).timeout(timeout).converse().unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    fn line(from: &mut dyn BufRead) -> Result<String> {
        let mut line = String::new();
        from.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "the answer ends too early");
        Ok(line)
    }

    #[test]
    fn each_question_gets_its_answer_and_the_child_ends_with_the_dialogue() {
        let mut dialogue = dialogue("while read word; do echo \"<$word>\"; done; sleep 100", LONG);
        for word in ["one", "two"] {
            let answer = dialogue.ask(format!("{word}\n").as_bytes(), line).unwrap();
            assert_eq!(answer, format!("<{word}>\n"));
        }
        let (child, began) = (dialogue.child.as_ref().unwrap().id(), Instant::now());
        drop(dialogue);
        assert!(!std::path::Path::new(&format!("/proc/{child}")).exists());
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn after_a_failure_a_timeout_or_a_partial_answer_no_question_can_be_asked() {
        const SHORT: Duration = Duration::from_millis(200);
        for (script, timeout, expected) in [
            ("read word; echo broken >&2; exit 3", LONG, "exited with 3: broken"),
            ("sleep 100", SHORT, "no answer in time"),
            ("read word; printf part; exec sleep 100", SHORT, "no answer in time"),
            ("read word; printf part", LONG, "the answer ends too early"),
        ] {
            let (mut dialogue, began) = (dialogue(script, timeout), Instant::now());
            let error = dialogue.ask(b"word\n", line).unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{script}: {error:#}");
            assert!(began.elapsed() < GRACE, "{script}: {:?}", began.elapsed());
            let error = dialogue.ask(b"word\n", line).unwrap_err();
            assert!(format!("{error:#}").contains("an earlier question failed"), "{script}: {error:#}");
        }
        let error = dialogue("cat", LONG).ask(&[b'x'; 5000], line).unwrap_err();
        assert!(format!("{error:#}").contains("a question of 5000 bytes"), "{error:#}");
    }
}
