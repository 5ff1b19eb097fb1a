//! What a person sees while a command works: a line for each step as it starts, with the time since the command began,
//! and a table of durations at the end. On a terminal the running step's line counts up.

pub mod events;

use std::fmt;
use std::io::IsTerminal as _;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::process::environment::Environment;
use crate::process::secret::redact;
use crate::process::shown::one_line;
use crate::process::stderr;

use events::Event;

/// How often a live line is redrawn.
const REPAINT: Duration = Duration::from_millis(100);

/// The steps of one command.
pub struct Steps {
    began: Instant,
    style: Style,
    finished: Mutex<Vec<(String, Duration)>>,
    /// Keeps lines of different threads, including live ones, from mixing.
    terminal: Arc<Mutex<()>>,
    /// Also prints steps as events, if requested.
    print_event: Option<fn(&Event<'_>) -> Result<()>>,
}

/// The step in which an error occurred, as its context: [`anyhow::Error::downcast_ref`] finds it.
#[derive(Debug)]
pub struct AtStep(String);

impl AtStep {
    /// The step `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The step's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AtStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step `{}`", self.0)
    }
}

/// What the terminal can show.
#[derive(Clone, Copy)]
struct Style {
    live: bool,
    color: bool,
}

/// Clears the live line of any step from the terminal.
const CLEAR: &str = "\r\x1b[K";

impl Style {
    /// One complete line, which replaces a live one.
    fn line(self, elapsed: Duration, name: &str, detail: &str) -> String {
        let clear = if self.live { CLEAR } else { "" };
        let (bold, plain) = if self.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        format!(
            "{clear}{:>7.2}s  {bold}{name:<12}{plain}  {}\n",
            elapsed.as_secs_f64(),
            one_line(&redact(detail))
        )
    }
}

impl Steps {
    /// Lines go to standard error, because standard output is for data only.
    ///
    /// # Errors
    /// When the environment cannot be read.
    pub fn new(environment: &Environment) -> Result<Self> {
        let live = std::io::stderr().is_terminal() && environment.get("TERM")? != Some("dumb");
        let color = live && environment.get("NO_COLOR")?.is_none();
        Ok(Self {
            began: Instant::now(),
            style: Style { live, color },
            finished: Mutex::default(),
            terminal: Arc::default(),
            print_event: None,
        })
    }

    /// Steps without a live line, for work that writes to the terminal itself.
    #[must_use]
    pub fn plain() -> Self {
        let style = Style { live: false, color: false };
        Self {
            began: Instant::now(),
            style,
            finished: Mutex::default(),
            terminal: Arc::default(),
            print_event: None,
        }
    }

    /// The same steps, which are also printed as events on standard output.
    #[must_use]
    pub fn with_events(self) -> Self {
        Self { print_event: Some(print_event), ..self }
    }

    /// Runs `work` as the step `name`; `detail` says what it works on.
    ///
    /// # Errors
    /// Those of `work`, with [`AtStep`] added.
    pub fn run<T>(&self, name: &str, detail: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Instant::now();
        self.line(name, detail);
        self.event(&Event::begun(name, detail)).context(AtStep::new(name))?;
        let live = self
            .style
            .live
            .then(|| Live::start(name.to_owned(), self.style.color, Arc::clone(&self.terminal)));
        let result = work();
        if let Some(live) = live {
            live.stop();
        }
        let took = started.elapsed();
        self.lock_finished().push((name.to_owned(), took));
        let printed = self.event(&Event::finished(name, took, result.is_ok()));
        let value = result.context(AtStep::new(name))?;
        printed.context(AtStep::new(name))?;
        Ok(value)
    }

    fn event(&self, event: &Event<'_>) -> Result<()> {
        self.print_event.map_or(Ok(()), |print| print(event))
    }

    /// Prints one line without beginning a step.
    pub fn line(&self, name: &str, detail: &str) {
        let _one_at_a_time = self.terminal.lock().unwrap_or_else(PoisonError::into_inner);
        stderr::print(&self.style.line(self.began.elapsed(), name, detail));
    }

    /// The duration of each step and of the whole command, as lines.
    #[must_use]
    pub fn table(&self) -> String {
        let row = |name: &str, took: Duration| format!("  {name:<12} {:>7.2}s\n", took.as_secs_f64());
        let steps: String = self.lock_finished().iter().map(|(name, took)| row(name, *took)).collect();
        steps + &row("total", self.began.elapsed())
    }

    fn lock_finished(&self) -> MutexGuard<'_, Vec<(String, Duration)>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A function, so that it works for every lifetime of the event.
fn print_event(event: &Event<'_>) -> Result<()> {
    event.print()
}

/// The last line of the terminal, which counts until the step ends and then vanishes.
struct Live {
    stop: Sender<()>,
    painter: JoinHandle<()>,
}

impl Live {
    fn start(name: String, color: bool, terminal: Arc<Mutex<()>>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let (dim, plain) = if color { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        let started = Instant::now();
        let painter = thread::spawn(move || {
            let paint = |text: &str| {
                let _one_at_a_time = terminal.lock().unwrap_or_else(PoisonError::into_inner);
                stderr::print(&format!("{CLEAR}{text}"));
            };
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(REPAINT) {
                paint(&format!("{dim}          {name} … {:.1}s{plain}", started.elapsed().as_secs_f64()));
            }
            paint("");
        });
        Self { stop, painter }
    }

    fn stop(self) {
        drop(self.stop);
        if self.painter.join().is_err() {
            stderr::line("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::events::Event;
    use super::{AtStep, Steps, Style};
    use crate::process::environment::Environment;
    use anyhow::{Result, bail};
    use std::time::Duration;

    #[test]
    fn the_table_lists_the_steps_in_order_and_an_error_names_its_step() {
        let steps = Steps::new(&Environment::default()).unwrap();
        steps.run("first", "", || Ok(())).unwrap();
        let error = steps.run("second", "", || -> Result<()> { bail!("no") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `second`: no");
        let table = steps.table();
        let names: Vec<_> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["first", "second", "total"]);
    }

    #[test]
    fn a_line_replaces_the_live_line_of_a_parallel_step() {
        let line = |live| Style { live, color: false }.line(Duration::from_millis(340), "sbom", "x");
        assert_eq!(line(true), "\r\x1b[K   0.34s  sbom          x\n");
        assert_eq!(line(false), "   0.34s  sbom          x\n");
    }

    #[test]
    fn an_event_that_cannot_be_printed_fails_its_step_without_hiding_the_steps_own_error() {
        let steps = |print| Steps { print_event: Some(print), ..Steps::plain() };
        let gone = steps(|_: &Event<'_>| bail!("standard output is closed"));
        let error = gone.run("page", "", || Ok(())).unwrap_err();
        assert_eq!(error.downcast_ref::<AtStep>().map(AtStep::name), Some("page"));
        let at_the_end = steps(|event: &Event<'_>| match event {
            Event::Finished { .. } => bail!("standard output is closed"),
            _ => Ok(()),
        });
        let error = at_the_end.run("tag", "", || Ok(())).unwrap_err();
        assert_eq!(error.downcast_ref::<AtStep>().map(AtStep::name), Some("tag"));
        let error = at_the_end.run("tag", "", || -> Result<()> { bail!("moved") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `tag`: moved");
    }
}
