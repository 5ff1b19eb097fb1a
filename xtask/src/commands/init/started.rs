//! Follows a command line to what it starts in the end, through npm's scripts and programs that only start another
//! one.

use super::base::is_distroless;
use super::command::Origin;
use super::package::Package;
use crate::inputs::dockerfile::existing::{Existing, shell};
use crate::inputs::dockerfile::is_variable;

/// The most scripts that are followed: a script may call another one, or itself.
const MAX_SCRIPTS: usize = 8;

/// A command that starts `node`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Started {
    /// Begins with `node`, with or without its folder.
    pub(super) words: Vec<String>,
    pub(super) origin: Origin,
    /// The variables that are set before it.
    pub(super) variables: Vec<(String, String)>,
}

impl Started {
    pub(super) fn of_main(main: &str) -> Self {
        let words = vec!["node".to_owned(), main.to_owned()];
        Self { words, origin: Origin::Main, variables: Vec::new() }
    }
}

/// The command of the existing Dockerfile. A distroless image has node as its entrypoint, and `CMD` holds its arguments.
pub(super) fn of_dockerfile(old: &Existing) -> Option<Vec<String>> {
    let words = old.command.as_ref().map(|command| command.value.clone())?;
    let has_entrypoint = old.command_lines.iter().any(|line| {
        line.value.split_whitespace().next().is_some_and(|keyword| keyword.eq_ignore_ascii_case("ENTRYPOINT"))
    });
    let is_of_node = old.base.as_ref().is_some_and(|base| is_distroless(&base.value)) && !has_entrypoint;
    Some(if is_of_node { [vec!["node".to_owned()], words].concat() } else { words })
}

/// What the command of `origin` starts, if that is `node`.
///
/// # Errors
/// When it starts `node` in a script that needs a shell. The error says what to write.
pub(super) fn of(words: Vec<String>, origin: Origin, package: &Package) -> Result<Option<Started>, String> {
    let (mut words, mut origin, mut variables) = (words, origin, Vec::new());
    for _ in 0..MAX_SCRIPTS {
        let (set, rest) = unwrapped(words);
        variables.extend(set);
        if rest.first().is_some_and(|word| is(word, "node")) {
            return Ok(Some(Started { words: rest, origin, variables }));
        }
        let Some(name) = script(&rest) else { return Ok(None) };
        let Some(text) = package.scripts.named(&name) else { return Ok(None) };
        origin = Origin::Script(name);
        words = match shell::words(text) {
            Some(words) => words,
            None if starts_node(text) => {
                return Err(format!(
                    "the command: `{text}` of {} needs a shell, which the image does not have; write a command \
                     such as `node src/server.js` there, and do the rest in that file",
                    origin.said()
                ));
            }
            None => return Ok(None),
        };
    }
    Ok(None)
}

/// What `npm run NAME` starts, if that is `node`.
///
/// # Errors
/// As [`of`].
pub(super) fn of_script(name: &str, package: &Package) -> Result<Option<Started>, String> {
    let words = ["npm", "run", name].map(str::to_owned).to_vec();
    of(words, Origin::Script(name.to_owned()), package)
}

fn is(word: &str, program: &str) -> bool {
    word.rsplit('/').next() == Some(program)
}

fn starts_node(text: &str) -> bool {
    let words = text.split_whitespace().map(str::to_owned).collect();
    unwrapped(words).1.first().is_some_and(|word| is(word, "node"))
}

/// The variables that a command line sets, and what it starts after them: `tini`, `dumb-init`, `exec` and `cross-env`
/// only start something else.
fn unwrapped(words: Vec<String>) -> (Vec<(String, String)>, Vec<String>) {
    let mut variables = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.peek().cloned() {
        if let Some(variable) = variable(&word) {
            variables.push(variable);
            words.next();
        } else if ["exec", "env", "cross-env"].iter().any(|program| is(&word, program)) {
            words.next();
        } else if ["tini", "tini-static", "dumb-init"].iter().any(|program| is(&word, program)) {
            words.next();
            while let Some(flag) = words.next_if(|word| word.starts_with('-')) {
                if matches!(flag.as_str(), "-e" | "-p" | "-r" | "--rewrite") {
                    words.next();
                }
            }
        } else {
            break;
        }
    }
    (variables, words.collect())
}

fn variable(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    is_variable(name).then(|| (name.to_owned(), value.to_owned()))
}

/// The script that a call of npm runs.
fn script(words: &[String]) -> Option<String> {
    let (npm, arguments) = words.split_first()?;
    let mut arguments = arguments.iter().filter(|word| !word.starts_with('-')).map(String::as_str);
    match arguments.next().filter(|_| is(npm, "npm"))? {
        "start" => Some("start".to_owned()),
        "run" | "run-script" => arguments.next().map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{of, of_script};
    use crate::commands::init::command::Origin;
    use crate::commands::init::package::Package;

    #[test]
    fn a_command_is_followed_to_the_node_that_it_starts() {
        let package: Package = serde_json::from_str(
            r#"{"scripts": {"start": "npm run start:prod", "start:prod": "cross-env A=b node dist/main", "x": "npm run x",
                "y": "NODE_ENV=production node a.js && b", "z": "nest start"}}"#,
        )
        .unwrap();
        let prod = "scripts.start:prod";
        for (line, expected, origin) in [
            ("node a.js", "node a.js", "the Dockerfile"),
            ("/sbin/tini -g -e 143 -- node a.js", "node a.js", "the Dockerfile"),
            ("dumb-init --rewrite 15:3 node a.js", "node a.js", "the Dockerfile"),
            ("tini NODE_ENV=production exec node a.js", "NODE_ENV=production node a.js", "the Dockerfile"),
            ("npm start", "A=b node dist/main", prod),
            ("npm run --silent start:prod", "A=b node dist/main", prod),
            ("npm run x", "", ""),
            ("npm run none", "", ""),
            ("npm run z", "", ""),
            ("npm --prefix api start", "", ""),
            ("pm2-runtime node", "", ""),
            ("", "", ""),
        ] {
            let words = line.split_whitespace().map(str::to_owned).collect();
            let found = of(words, Origin::Dockerfile, &package).unwrap();
            let text = found.as_ref().map_or(String::new(), |found| {
                let set = found.variables.iter().map(|(name, value)| format!("{name}={value} "));
                set.collect::<String>() + &found.words.join(" ")
            });
            assert_eq!(text, expected, "{line}");
            assert!(found.is_none_or(|found| found.origin.said().contains(origin)), "{line}");
        }
        let error = of_script("y", &package).unwrap_err();
        assert!(error.contains("&& b` of `scripts.y` of package.json needs a shell"), "{error}");
    }
}
