//! The command that starts the service, and where it was found.

use super::package::Package;
use crate::inputs::dockerfile::existing::{At, Existing, shell};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the existing Dockerfile.
    #[default]
    Dockerfile,
    /// In `scripts.start` of package.json.
    Start,
    /// In `main` of package.json.
    Main,
}

impl Origin {
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Dockerfile => "the Dockerfile",
            Self::Start => "`scripts.start` of package.json",
            Self::Main => "`main` of package.json",
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
}

impl Command {
    /// The first command that starts `node`: the old Dockerfile's, else that of `npm start`, else `main`.
    ///
    /// # Errors
    /// The words that say what is missing, and what to write.
    pub(super) fn of(package: &Package, old: Option<&Existing>) -> Result<Self, String> {
        let of_dockerfile = old.and_then(|old| old.command.as_ref()).map(|command| command.value.clone());
        let start = package.scripts.start.as_deref().unwrap_or_default();
        let of_start = shell::words(start);
        let of_main = (!package.main.is_empty()).then(|| vec!["node".to_owned(), package.main.clone()]);
        let is_node = |word: &str| word.rsplit('/').next() == Some("node");
        let starts_node = |words: &Vec<String>| words.first().is_some_and(|word| is_node(word));
        let is_for_shell = of_start.is_none() && start.split_whitespace().next().is_some_and(is_node);
        if is_for_shell && !of_dockerfile.as_ref().is_some_and(starts_node) {
            return Err(format!(
                "the command: `{start}` of {} takes a shell, which the image does not have; write such as \
                 `node src/server.js` there, and do the rest in that file",
                Origin::Start.said()
            ));
        }
        let origins =
            [(Origin::Dockerfile, of_dockerfile), (Origin::Start, of_start), (Origin::Main, of_main)];
        let found =
            origins.into_iter().filter_map(|(origin, words)| Some((origin, words.filter(starts_node)?)));
        let (origin, words) = found.take(1).next().ok_or_else(|| {
            "the command: neither the Dockerfile nor `scripts.start` nor `main` of package.json starts `node` with a file; \
             set `scripts.start` to such as `node src/server.js`"
                .to_owned()
        })?;
        let workdir = old.and_then(|old| old.workdir.as_ref()).filter(|_| origin == Origin::Dockerfile);
        Self::placed(words, origin, workdir)
    }

    /// Moves the paths below the old working directory to [`HOME`].
    fn placed(mut words: Vec<String>, origin: Origin, workdir: Option<&At<String>>) -> Result<Self, String> {
        let script = script(&words).ok_or_else(|| {
            format!(
                "the command: `{}` of {} names no file; write such as `node src/server.js` there",
                words.join(" "),
                origin.said()
            )
        })?;
        let top = workdir.map_or(HOME, |workdir| workdir.value.as_str());
        let before = top.trim_end_matches('/');
        let below =
            |word: &str| word.strip_prefix(before).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
        let name = words[script].clone();
        let name = below(&name).unwrap_or(name);
        let name = name.trim_start_matches("./");
        if name.starts_with('/') || name.split('/').any(|part| part == "..") {
            return Err(format!(
                "the command: `{}` of {} is not below `{top}`, the directory of the service there; write its path from the \
                 service's folder, such as `node src/server.js`",
                words[script],
                origin.said()
            ));
        }
        let name = name.to_owned();
        for word in words.iter_mut().skip(1).filter(|_| top != "/" && top != HOME) {
            *word = word.replace(&format!("{top}/"), &format!("{HOME}/"));
        }
        words[script] = name;
        Ok(Self { words, script, origin })
    }

    /// The path of the script, from the package's folder.
    pub(super) fn script(&self) -> &str {
        &self.words[self.script]
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
    use crate::inputs::dockerfile::existing::{self, shell};

    pub(in crate::commands::init) fn of_main(text: &str) -> Command {
        Command::placed(shell::words(text).unwrap(), Origin::Main, None).unwrap()
    }

    fn found(json: &str, dockerfile: &str) -> Result<(String, Origin), String> {
        let package: Package = serde_json::from_str(json).unwrap();
        let old = existing::read(dockerfile);
        Command::of(&package, Some(&old)).map(|command| (command.entrypoint(), command.origin))
    }

    #[test]
    fn the_command_is_the_first_that_starts_node() {
        let start = r#"{"scripts": {"start": "node --enable-source-maps ./dist/x.js"}, "main": "y.js"}"#;
        for (json, dockerfile, entrypoint, origin) in [
            (start, "", r#"["node", "--enable-source-maps", "/app/dist/x.js"]"#, Origin::Start),
            (
                start,
                "FROM node\nCMD npm start\n",
                r#"["node", "--enable-source-maps", "/app/dist/x.js"]"#,
                Origin::Start,
            ),
            (start, "FROM node\nCMD [\"node\", \"z.js\"]\n", r#"["node", "/app/z.js"]"#, Origin::Dockerfile),
            (r#"{"main": "index.js"}"#, "", r#"["node", "/app/index.js"]"#, Origin::Main),
            (
                r#"{"scripts": {"start": "node -r dotenv/config --no-warnings src/x.js"}}"#,
                "",
                r#"["node", "-r", "dotenv/config", "--no-warnings", "/app/src/x.js"]"#,
                Origin::Start,
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
