//! What a Dockerfile that was written for another builder says about its service. It is a starting point, and none of
//! it is trusted. Every instruction ends up in one of the fields, so that none is lost silently.

mod health;
pub mod shell;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::parse::{Instruction, instructions};
use super::words::{self, MAX_VALUE_LEN, Values};
use super::{arguments, chain};

/// A value with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The line, from 1.
    pub line: usize,
    /// The value.
    pub value: T,
}

/// The contents of its last stage and of the stages on which that is based.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    /// The image on which it is based. Variables are replaced if their values are known.
    pub base: Option<Located<String>>,
    /// The first port of `EXPOSE`.
    pub port: Option<Located<u16>>,
    /// The absolute path of its last `WORKDIR`.
    pub workdir: Option<Located<String>>,
    /// The absolute path of the directory into which the whole build context is copied.
    pub copied: Option<String>,
    /// The path of the address that `HEALTHCHECK` requests.
    pub health: Option<Located<String>>,
    /// Each `ENV` that uses no `ARG`, as written after the keyword.
    pub variables: Vec<Located<String>>,
    /// The absolute directories of `VOLUME`.
    pub volumes: Vec<Located<String>>,
    /// The program and its arguments; `None` if they are written as a shell command.
    pub command: Option<Located<Vec<String>>>,
    /// The instructions that `command` comes from, as written.
    pub command_lines: Vec<Located<String>>,
    /// Every instruction that is in no field above, as written, those of other stages included.
    pub others: Vec<Located<String>>,
    /// Whether it was written for this tool: its stages have the names that are used in the tool's own Dockerfiles.
    pub is_ours: bool,
}

/// Reads a Dockerfile. The result is empty for a file that is too long.
#[must_use]
pub fn read(text: &str) -> Existing {
    if text.len() > super::MAX_SIZE {
        return Existing::default();
    }
    let all = instructions(text);
    let mut reader = Reader { values: arguments::automatic(), ..Reader::default() };
    let (before, begun) = chain::stages(&all);
    before.iter().for_each(|instruction| reader.before_stages(instruction));
    let chain = chain::of_last(&begun, &reader.values);
    for (number, stage) in begun.iter().enumerate() {
        for instruction in *stage {
            if chain.contains(&number) {
                reader.take(instruction, chain.first() == Some(&number));
            } else {
                reader.other(instruction);
            }
        }
    }
    let mut found = reader.finish();
    found.is_ours = all
        .iter()
        .any(|instruction| instruction.is("COPY") && instruction.text.contains("--from=dependencies /out/"));
    found
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    found: Existing,
    /// The values of `ARG` and `ENV`, as far as they are known.
    values: Values,
    /// The names of every `ARG`.
    arguments: BTreeSet<String>,
    entrypoint: Option<Located<Vec<String>>>,
    cmd: Option<Located<Vec<String>>>,
    /// Whether the stage that is read has a `CMD` of its own, or inherits one.
    has_own_cmd: bool,
    /// Whether `ENTRYPOINT` is written for a shell, and whether `CMD` is.
    is_shell: bool,
    is_shell_cmd: bool,
}

impl Reader {
    fn before_stages(&mut self, instruction: &Instruction) {
        if instruction.is("ARG") {
            arguments::take_defaults(instruction, &mut self.values);
            self.arguments.extend(words::assigned(instruction).into_iter().map(|(name, _)| name.to_owned()));
        }
        self.other(instruction);
    }

    fn other(&mut self, instruction: &Instruction) {
        self.found.others.push(Located { line: instruction.line, value: instruction.text.clone() });
    }

    /// Reads an instruction of the chain. `is_first` says whether its stage is the one that begins with an image.
    fn take(&mut self, instruction: &Instruction, is_first: bool) {
        let line = instruction.line;
        let rest = instruction.rest();
        self.has_own_cmd &= !instruction.is("FROM");
        match instruction.keyword().to_ascii_uppercase().as_str() {
            "FROM" if is_first => {
                let image = instruction.arguments().next().unwrap_or_default();
                let image = words::expand(image, &[&self.values]).unwrap_or_else(|_unknown| image.to_owned());
                self.found.base = Some(Located { line, value: image });
            }
            "EXPOSE" => self.expose(instruction),
            "ENV" => self.variable(instruction),
            "ARG" => self.before_stages(instruction),
            "WORKDIR" => self.workdir(instruction),
            "VOLUME" => self.volumes(instruction),
            "COPY" | "ADD" => {
                self.copied(instruction);
                self.other(instruction);
            }
            "HEALTHCHECK" => {
                self.found.health = health::path(rest).map(|value| Located { line, value });
                self.other(instruction);
            }
            "ENTRYPOINT" => {
                let words = serde_json::from_str::<Vec<String>>(rest).ok();
                self.is_shell = words.is_none();
                self.entrypoint = words.map(|value| Located { line, value });
                self.command_line(instruction);
                if !self.has_own_cmd {
                    self.drop_cmd();
                }
            }
            "CMD" => {
                let words = serde_json::from_str(rest).ok();
                (self.has_own_cmd, self.is_shell_cmd) = (true, words.is_none());
                self.cmd = words.or_else(|| shell::words(rest)).map(|value| Located { line, value });
                self.command_line(instruction);
            }
            _ => self.other(instruction),
        }
    }

    fn expose(&mut self, instruction: &Instruction) {
        let line = instruction.line;
        for word in instruction.words() {
            let port = words::expand(word, &[&self.values]).ok();
            let port = port.and_then(|port| port.trim_end_matches("/tcp").parse().ok());
            match port {
                Some(value) if self.found.port.is_none() => self.found.port = Some(Located { line, value }),
                _ => self.found.others.push(Located { line, value: format!("EXPOSE {word}") }),
            }
        }
    }

    /// A variable whose value comes from an `ARG` has no value without it.
    fn variable(&mut self, instruction: &Instruction) {
        let rest = instruction.rest();
        if words::names_used(rest).any(|name| self.arguments.contains(name)) {
            return self.other(instruction);
        }
        let expanded = |value| words::expand(value, &[&self.values]).ok();
        let assigned = words::assigned(instruction).into_iter();
        // Every value of a line is expanded before any of them is set.
        let set: Vec<_> = assigned.map(|(name, value)| (name, value.and_then(expanded))).collect();
        words::take(&mut self.values, set);
        self.found.variables.push(Located { line: instruction.line, value: rest.to_owned() });
    }

    fn volumes(&mut self, instruction: &Instruction) {
        let line = instruction.line;
        for word in instruction.list() {
            // A shell creates the directory.
            let path = words::expand(&word, &[&self.values]).map(|path| self.absolute(&path));
            match path.ok().filter(|path| !path.contains(|c: char| c.is_control() || "'\"\\$`".contains(c))) {
                Some(value) => self.found.volumes.push(Located { line, value }),
                None => self.found.others.push(Located { line, value: format!("VOLUME {word}") }),
            }
        }
    }

    fn workdir(&mut self, instruction: &Instruction) {
        let Ok(path) = words::expand(instruction.rest(), &[&self.values]) else {
            return self.other(instruction);
        };
        let path = self.absolute(&path);
        // Each relative `WORKDIR` makes the path longer.
        if path.len() > MAX_VALUE_LEN {
            return self.other(instruction);
        }
        let before = self.found.workdir.take();
        self.found.workdir = Some(Located { line: instruction.line, value: path });
        self.found.others.extend(
            before.map(|before| Located { line: before.line, value: format!("WORKDIR {}", before.value) }),
        );
    }

    /// `path`, relative to the current working directory.
    fn absolute(&self, path: &str) -> String {
        let top = self.found.workdir.as_ref().map_or("", |workdir| workdir.value.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("{top}/{path}") };
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
        format!("/{}", parts.collect::<Vec<_>>().join("/"))
    }

    /// The directory of a `COPY` of the whole context, such as `COPY . /app`.
    fn copied(&mut self, instruction: &Instruction) {
        let words: Vec<_> = instruction.arguments().collect();
        let whole = matches!(words[..], ["." | "./", _]) && instruction.flag("from").is_none();
        if let Some(Ok(to)) = whole.then(|| words::expand(words[1], &[&self.values])) {
            self.found.copied = Some(self.absolute(&to));
        }
    }

    /// `BuildKit` (`dispatchEntrypoint`) clears a `CMD` that a stage inherits if the stage has an `ENTRYPOINT`.
    fn drop_cmd(&mut self) {
        (self.cmd, self.is_shell_cmd) = (None, false);
        let is_kept = |line: &Located<String>| line.value.to_ascii_uppercase().starts_with("ENTRYPOINT");
        let (kept, dropped) = self.found.command_lines.drain(..).partition(is_kept);
        self.found.command_lines = kept;
        self.found.others.extend::<Vec<_>>(dropped);
    }

    fn command_line(&mut self, instruction: &Instruction) {
        let keyword = instruction.keyword().to_ascii_uppercase();
        let is_same = |known: &Located<String>| known.value.to_ascii_uppercase().starts_with(&keyword);
        let (replaced, kept) = self.found.command_lines.drain(..).partition(is_same);
        self.found.command_lines = kept;
        self.found.others.extend::<Vec<_>>(replaced);
        self.found.command_lines.push(Located { line: instruction.line, value: instruction.text.clone() });
    }

    /// `CMD` holds the arguments of `ENTRYPOINT`. A shell gets none, and one that is written for a shell becomes the
    /// arguments `/bin/sh -c …`.
    fn finish(self) -> Existing {
        let mut found = self.found;
        found.command = match (self.entrypoint, self.cmd) {
            (Some(_), _) if self.is_shell_cmd => None,
            (Some(entrypoint), cmd) => {
                let more = cmd.map(|cmd| cmd.value).unwrap_or_default();
                Some(Located { line: entrypoint.line, value: [entrypoint.value, more].concat() })
            }
            (None, cmd) => cmd.filter(|_| !self.is_shell),
        };
        found
    }
}
