//! The command that starts the service, and where it was found.

#[cfg(test)]
pub(super) mod tests;

use super::old_paths::{OldPaths, plain};
use super::package::Package;
use super::started::{self, Started};
use crate::inputs::dockerfile::existing::Existing;

/// The service's directory in the image.
pub(super) const HOME: &str = "/app";

/// Options of node whose value is the next word.
const WITH_VALUE: [&str; 10] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
    "--title",
    "--max-old-space-size",
];

/// Where the command was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the existing Dockerfile.
    #[default]
    Dockerfile,
    /// In the script of this name in package.json.
    Script(String),
    /// In `main` of package.json.
    Main,
}

impl Origin {
    pub(super) fn said(&self) -> String {
        match self {
            Self::Dockerfile => "the Dockerfile".to_owned(),
            Self::Script(name) => format!("`scripts.{name}` of package.json"),
            Self::Main => "`main` of package.json".to_owned(),
        }
    }
}

/// The program and its arguments. The script's path is relative to the package's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    words: Vec<String>,
    /// Which of the words is the script.
    script: usize,
    pub(super) origin: Origin,
    /// The variables that its command line sets.
    pub(super) variables: Vec<(String, String)>,
}

impl Command {
    /// The first command that starts `node`: the old Dockerfile's, else that of `npm start`, else `main`. `was` says
    /// where the old image has the service.
    ///
    /// # Errors
    /// A message that says what is missing, and what to write.
    pub(super) fn of(
        package: &Package,
        old: Option<&Existing>,
        old_paths: &OldPaths,
    ) -> Result<Self, String> {
        let of_dockerfile = old.and_then(started::of_dockerfile);
        if let Some(words) = of_dockerfile
            && let Some(started) = started::of(words, Origin::Dockerfile, package)?
        {
            return Self::placed(started, package, old_paths);
        }
        if let Some(started) = started::of_script("start", package)? {
            return Self::placed(started, package, old_paths);
        }
        // With a build step, `main` is seldom what the step writes: it is there for other packages.
        let is_start_other = package.scripts.start.is_some() && package.scripts.build.is_some();
        if package.main.is_empty() || is_start_other {
            return Err(
                "the command: neither the Dockerfile, if there is one, nor `scripts.start` nor `main` of package.json starts `node` with a file \
                 that is sure to be the service's; set `scripts.start` to a command such as `node src/server.js`"
                    .to_owned(),
            );
        }
        Self::placed(Started::of_main(&package.main), package, old_paths)
    }

    /// As [`Command::of`]. Without a build step, the script must also be one of the `tracked` files.
    ///
    /// # Errors
    /// As [`Command::of`].
    pub(super) fn in_files(
        package: &Package,
        old: Option<&Existing>,
        old_paths: &OldPaths,
        tracked: &[&str],
    ) -> Result<Self, String> {
        let command = Self::of(package, old, old_paths)?;
        if package.scripts.build.is_none() {
            command.is_among(tracked)?;
        }
        Ok(command)
    }

    /// Moves the paths below the old place of the service to [`HOME`].
    fn placed(started: Started, package: &Package, old_paths: &OldPaths) -> Result<Self, String> {
        let Started { mut words, origin, variables } = started;
        let script = script(&words).ok_or_else(|| {
            format!(
                "the command: `{}` of {} names no file; write a command such as `node src/server.js` there",
                words.join(" "),
                origin.said()
            )
        })?;
        let default = OldPaths::default();
        let old_paths = if origin == Origin::Dockerfile { old_paths } else { &default };
        let name = old_paths.below_home(&words[script]).ok_or_else(|| {
            format!(
                "the command: `{}` of {} is not below `{}`, the directory of the service there; write its path from the \
                 service's folder, such as `node src/server.js`",
                words[script],
                origin.said(),
                old_paths.home
            )
        })?;
        // `node .` starts what `main` names.
        let main = if package.main.is_empty() { "index.js".to_owned() } else { plain(&package.main) };
        for word in words.iter_mut().skip(1) {
            *word = old_paths.relocated(word);
        }
        words[script] = if name.is_empty() { main } else { name };
        Ok(Self { words, script, origin, variables })
    }

    /// Makes this `node` the program. One with another path, such as `/usr/local/bin/node`, is kept.
    pub(super) fn starts(&mut self, node: &str) {
        if let Some(word) =
            self.words.first_mut().filter(|word| matches!(word.as_str(), "node" | "/nodejs/bin/node"))
        {
            node.clone_into(word);
        }
    }

    /// The path of the script, from the package's folder.
    pub(super) fn script(&self) -> &str {
        &self.words[self.script]
    }

    /// Checks that node starts one of the `tracked` files. It also accepts a name without its ending, and a
    /// directory.
    ///
    /// # Errors
    /// A message that says what is missing, and what to write.
    fn is_among(&self, tracked: &[&str]) -> Result<(), String> {
        let script = self.script();
        let ends = ["", ".js", ".json", ".node", "/index.js", "/package.json"];
        if ends.iter().any(|end| tracked.contains(&format!("{script}{end}").as_str())) {
            return Ok(());
        }
        Err(format!(
            "the command: `{script}` of {} is not among the files that git tracks; set `scripts.start` to a command \
             such as `node src/server.js`, and if a build step writes the file, name that step `scripts.build`",
            self.origin.said()
        ))
    }

    /// The `ENTRYPOINT` instruction of the image.
    pub(super) fn entrypoint(&self) -> String {
        let word = |(number, word): (usize, &String)| {
            let word = if number == self.script { format!("{HOME}/{word}") } else { word.clone() };
            serde_json::Value::from(word).to_string()
        };
        format!("ENTRYPOINT [{}]", self.words.iter().enumerate().map(word).collect::<Vec<_>>().join(", "))
    }
}

/// The first word after the options of node.
fn script(words: &[String]) -> Option<usize> {
    let mut number = 1;
    while let Some(word) = words.get(number) {
        if !word.starts_with('-') {
            return Some(number);
        }
        number += if WITH_VALUE.contains(&word.as_str()) { 2 } else { 1 };
    }
    None
}
