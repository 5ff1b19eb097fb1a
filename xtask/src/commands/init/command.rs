//! The command that starts the service, and where it was found.

use super::package::Package;
use super::started::{self, Started};
use super::was::{Was, plain};
use crate::inputs::dockerfile::existing::Existing;

/// The image's directory of the service.
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
    /// The variables that were set for it alone.
    pub(super) variables: Vec<(String, String)>,
}

impl Command {
    /// The first command that starts `node`: the old Dockerfile's, else that of `npm start`, else `main`. `was`: the
    /// places of the service in the old image.
    ///
    /// # Errors
    /// The words that say what is missing, and what to write.
    pub(super) fn of(package: &Package, old: Option<&Existing>, was: &Was) -> Result<Self, String> {
        let of_dockerfile = old.and_then(started::of_dockerfile);
        if let Some(words) = of_dockerfile
            && let Some(started) = started::of(words, Origin::Dockerfile, package)?
        {
            return Self::placed(started, package, was);
        }
        if let Some(started) = started::of_script("start", package)? {
            return Self::placed(started, package, was);
        }
        // What a build step writes is seldom `main`, which other packages read.
        let is_start_other = package.scripts.start.is_some() && package.scripts.build.is_some();
        if package.main.is_empty() || is_start_other {
            return Err(
                "the command: neither the Dockerfile nor `scripts.start` nor `main` of package.json starts `node` with a \
                 file that is sure to be the service's; set `scripts.start` to such as `node src/server.js`"
                    .to_owned(),
            );
        }
        Self::placed(Started::of_main(&package.main), package, was)
    }

    /// Moves the paths below the old place of the service to [`HOME`].
    fn placed(started: Started, package: &Package, was: &Was) -> Result<Self, String> {
        let Started { mut words, origin, variables } = started;
        let script = script(&words).ok_or_else(|| {
            format!(
                "the command: `{}` of {} names no file; write such as `node src/server.js` there",
                words.join(" "),
                origin.said()
            )
        })?;
        let default = Was::default();
        let was = if origin == Origin::Dockerfile { was } else { &default };
        let name = was.from_home(&words[script]).ok_or_else(|| {
            format!(
                "the command: `{}` of {} is not below `{}`, the directory of the service there; write its path from the \
                 service's folder, such as `node src/server.js`",
                words[script],
                origin.said(),
                was.home
            )
        })?;
        // `node .` starts what `main` names.
        let main = if package.main.is_empty() { "index.js".to_owned() } else { plain(&package.main) };
        for word in words.iter_mut().skip(1) {
            *word = was.moved(word);
        }
        words[script] = if name.is_empty() { main } else { name };
        Ok(Self { words, script, origin, variables })
    }

    /// The path of the script, from the package's folder.
    pub(super) fn script(&self) -> &str {
        &self.words[self.script]
    }

    /// Whether one of the `tracked` files is what node starts. It also takes a name without its ending, and a directory.
    ///
    /// # Errors
    /// The words that say what is missing, and what to write.
    pub(super) fn is_among(&self, tracked: &[&str]) -> Result<(), String> {
        let script = self.script();
        let ends = ["", ".js", ".json", ".node", "/index.js", "/package.json"];
        if ends.iter().any(|end| tracked.contains(&format!("{script}{end}").as_str())) {
            return Ok(());
        }
        Err(format!(
            "the command: `{script}` of {} is not among the files that git tracks; set `scripts.start` to such as \
             `node src/server.js`, and if a build step writes the file, name that step `scripts.build`",
            self.origin.said()
        ))
    }

    /// The instruction for the image.
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

#[cfg(test)]
pub(super) mod tests {
    use super::{Command, Origin};
    use crate::commands::init::package::Package;
    use crate::commands::init::started::Started;
    use crate::commands::init::was::Was;
    use crate::inputs::dockerfile::existing::{self, shell};

    pub(in crate::commands::init) fn of_main(text: &str) -> Command {
        let words = shell::words(text).unwrap();
        let started = Started { words, origin: Origin::Main, variables: Vec::new() };
        Command::placed(started, &Package::default(), &Was::default()).unwrap()
    }

    fn found(json: &str, dockerfile: &str) -> Result<(String, Origin), String> {
        let package: Package = serde_json::from_str(json).unwrap();
        let old = existing::read(dockerfile);
        let command = Command::of(&package, Some(&old), &Was::of(&old, ""))?;
        Ok((command.entrypoint(), command.origin))
    }

    #[test]
    fn the_command_is_the_first_that_starts_node() {
        let start = r#"{"scripts": {"start": "node --enable-source-maps ./dist/x.js"}, "main": "y.js"}"#;
        for (json, dockerfile, entrypoint, origin) in [
            (
                start,
                "",
                r#"["node", "--enable-source-maps", "/app/dist/x.js"]"#,
                Origin::Script("start".to_owned()),
            ),
            (
                start,
                "FROM node\nCMD npm start\n",
                r#"["node", "--enable-source-maps", "/app/dist/x.js"]"#,
                Origin::Script("start".to_owned()),
            ),
            (start, "FROM node\nCMD [\"node\", \"z.js\"]\n", r#"["node", "/app/z.js"]"#, Origin::Dockerfile),
            (r#"{"main": "index.js"}"#, "", r#"["node", "/app/index.js"]"#, Origin::Main),
            (
                r#"{"scripts": {"start": "node -r dotenv/config --no-warnings src/x.js"}}"#,
                "",
                r#"["node", "-r", "dotenv/config", "--no-warnings", "/app/src/x.js"]"#,
                Origin::Script("start".to_owned()),
            ),
        ] {
            let expected = (format!("ENTRYPOINT {entrypoint}"), origin);
            assert_eq!(found(json, dockerfile), Ok(expected), "{json} {dockerfile}");
        }
        let piped = r#"{"scripts": {"start": "node x.js | pino"}, "main": "y.js"}"#;
        let from_dockerfile = found(piped, "FROM node\nCMD node z.js\n");
        assert_eq!(from_dockerfile.unwrap().0, r#"ENTRYPOINT ["node", "/app/z.js"]"#);
        let error = found(piped, "FROM node\nCMD node z.js && x\n").unwrap_err();
        assert!(error.contains("`node x.js | pino` of `scripts.start`"), "{error}");
        for json in
            [r#"{"scripts": {"start": "next start"}}"#, r#"{"scripts": {"start": "node -r x"}}"#, "{}"]
        {
            assert!(found(json, "").unwrap_err().contains("node src/server.js"), "{json}");
        }
    }

    #[test]
    fn a_path_below_the_old_working_directory_is_below_the_new_one() {
        let with = |lines: &str| found("{}", &format!("FROM node\n{lines}\n"));
        let moved = |lines: &str| with(lines).unwrap().0;
        assert_eq!(
            moved("WORKDIR /usr/src/app\nCMD [\"node\", \"/usr/src/app/src/server.js\"]"),
            r#"ENTRYPOINT ["node", "/app/src/server.js"]"#
        );
        assert_eq!(
            moved(
                "WORKDIR /srv\nCMD [\"node\", \"--require=/srv/trace.js\", \"./server.js\", \"--data=/data\"]"
            ),
            r#"ENTRYPOINT ["node", "--require=/app/trace.js", "/app/server.js", "--data=/data"]"#
        );
        assert_eq!(moved("CMD [\"node\", \"/app/x.js\"]"), r#"ENTRYPOINT ["node", "/app/x.js"]"#);
        assert_eq!(moved("WORKDIR /\nCMD [\"node\", \"/x.js\"]"), r#"ENTRYPOINT ["node", "/app/x.js"]"#);
        for lines in [
            "WORKDIR /usr/src/app\nCMD [\"node\", \"/app/src/server.js\"]",
            "WORKDIR /usr/src/app\nCMD [\"node\", \"/usr/src/application/x.js\"]",
            "CMD [\"node\", \"/srv/x.js\"]",
            "WORKDIR /srv\nCMD [\"node\", \"../x.js\"]",
        ] {
            let error = with(lines).unwrap_err();
            assert!(error.contains("is not below") && error.contains("`node src/server.js`"), "{error}");
        }
    }
}
