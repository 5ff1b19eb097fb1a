//! What a call of npm does, in every spelling that npm accepts for it.

use super::shell::{file_name, program};

/// npm's names for the commands that install: aliases and typos that it knows (npm 10.9 and 11.19,
/// `lib/utils/cmd-list.js`). Those that also run the service's tests are listed with what they do first.
const NAMES: [(&str, &[&str]); 8] = [
    (
        "ci",
        &[
            "ci",
            "clean-install",
            "ic",
            "install-clean",
            "isntall-clean",
            "install-ci-test",
            "clean-install-test",
            "cit",
            "sit",
        ],
    ),
    (
        "install",
        &[
            "install",
            "add",
            "i",
            "in",
            "ins",
            "inst",
            "insta",
            "instal",
            "isnt",
            "isnta",
            "isntal",
            "isntall",
            "install-test",
            "it",
        ],
    ),
    ("update", &["update", "u", "up", "upgrade", "udpate"]),
    ("rebuild", &["rebuild", "rb"]),
    ("prune", &["prune"]),
    ("uninstall", &["uninstall", "un", "unlink", "remove", "rm", "r"]),
    ("dedupe", &["dedupe", "ddp"]),
    ("link", &["link", "ln"]),
];

/// Flags whose value may be the next word, so that this word is not mistaken for the command.
const VALUED: [&str; 17] = [
    "--prefix",
    "-C",
    "--cache",
    "--registry",
    "--userconfig",
    "--globalconfig",
    "--loglevel",
    "--workspace",
    "-w",
    "--omit",
    "--include",
    "--only",
    "--os",
    "--cpu",
    "--libc",
    "--install-strategy",
    "--maxsockets",
];

/// A command line that calls npm.
pub(super) struct Call<'a> {
    /// The command as it is written.
    pub(super) written: &'a str,
    /// The name in [`NAMES`] in place of its other names; any other command as it is written.
    pub(super) command: &'a str,
    /// All words after `npm`.
    arguments: &'a [String],
}

impl<'a> Call<'a> {
    /// `None` if the command line does not call npm.
    pub(super) fn of(line: &'a [String]) -> Option<Self> {
        let follows =
            |words: &[String], at: usize, flags: &[&str]| at > 0 && flags.contains(&words[at - 1].as_str());
        let is_npm = |(at, word): &(usize, &String)| {
            let name = file_name(word);
            (name == "npm" || name.starts_with("npm@")) && !follows(line, *at, &["-p", "--package"])
        };
        // What is only printed may read like a call.
        if program(line).is_some_and(|(name, _)| ["echo", "printf"].contains(&name)) {
            return None;
        }
        let (at, _) = line.iter().enumerate().find(is_npm)?;
        let arguments = &line[at + 1..];
        let is_value = |at: usize, word: &str| {
            let is_switch = matches!(word, "true" | "false") && at > 0 && arguments[at - 1].starts_with("--");
            is_switch || follows(arguments, at, &VALUED)
        };
        let is_plain = |word: &str| !word.starts_with(['-', '$']);
        let mut words = arguments.iter().enumerate();
        let (_, written) = words.find(|(at, word)| is_plain(word) && !is_value(*at, word))?;
        Some(Self { written, command: command_of(written).unwrap_or(written), arguments })
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        has(self.arguments, flag)
    }

    /// Whether it may install other packages than the lockfile pins.
    pub(super) fn resolves_anew(&self) -> bool {
        matches!(self.command, "install" | "update" | "uninstall" | "dedupe" | "link")
            || (self.command == "audit" && self.arguments.iter().any(|word| word == "fix"))
    }

    /// Whether it runs no install scripts. The last of npm's flags about that counts.
    pub(super) fn ignores_scripts(&self) -> bool {
        let decides = |(at, word): (usize, &String)| match word.strip_prefix("--ignore-scripts") {
            Some("") => Some(self.arguments.get(at + 1).is_none_or(|next| next != "false")),
            Some(rest) => rest.strip_prefix('=').map(|value| value == "true"),
            None => (word == "--no-ignore-scripts").then_some(false),
        };
        self.arguments.iter().enumerate().rev().find_map(decides).unwrap_or(false)
    }

    /// Whether it runs a program that it fetches if it is not installed, as `npx` does.
    pub(super) fn fetches_program(&self) -> bool {
        matches!(self.command, "exec" | "x" | "create") && !self.has("--no")
    }

    /// Whether it is about the packages of the machine instead of the service's.
    pub(super) fn is_global(&self) -> bool {
        self.has("-g") || self.has("--global") || self.values("--location").any(|place| place == "global")
    }

    /// The values of a flag. npm accepts a value after `=` or as the next word.
    pub(super) fn values(&self, flag: &str) -> impl Iterator<Item = &'a str> {
        let arguments = self.arguments;
        arguments.iter().enumerate().filter_map(move |(at, word)| match word.strip_prefix(flag)? {
            "" => arguments.get(at + 1).map(String::as_str),
            rest => rest.strip_prefix('='),
        })
    }

    /// Whether it leaves out what only development needs. `--only` and `--production` are npm's older flags for that.
    /// `by_default`: what the environment says, see [`default_of`].
    pub(super) fn is_production(&self, by_default: bool) -> bool {
        let is = |flag: &str, wanted: &[&str]| self.values(flag).any(|value| wanted.contains(&value));
        let is_both = is("--include", &["dev"]) || is("--also", &["dev", "development"]) || self.has("--dev");
        if is_both || is("--production", &["false"]) {
            return false;
        }
        by_default && !self.has("--omit")
            || is("--omit", &["dev"])
            || is("--only", &["prod", "production"])
            || ["--production", "--prod"].iter().any(|flag| self.has(flag) && !is(flag, &["false"]))
    }
}

/// Whether npm leaves out what only development needs, by a variable of its environment; `None` if the variable does
/// not decide that (docs/facts.md, "Production by environment").
pub(super) fn default_of(variable: &str, value: &str) -> Option<bool> {
    let value = value.trim_matches(['"', '\'']);
    if value.contains('$') {
        return None;
    }
    match variable.to_ascii_lowercase().as_str() {
        "node_env" if variable == "NODE_ENV" => Some(value == "production"),
        "npm_config_omit" => Some(value.split_whitespace().any(|kind| kind == "dev")),
        "npm_config_include" => value.split_whitespace().any(|kind| kind == "dev").then_some(false),
        "npm_config_only" => Some(["prod", "production"].contains(&value)),
        "npm_config_production" => Some(value == "true"),
        _ => None,
    }
}

/// Whether a call of yarn, pnpm or bun installs packages.
pub(super) fn installs_otherwise(program: &str, arguments: &[String]) -> bool {
    let command = arguments.iter().find(|word| !word.starts_with('-')).map(String::as_str);
    match (program, command) {
        ("yarn", None) => !["--version", "-v", "--help", "-h"].iter().any(|flag| has(arguments, flag)),
        ("yarn" | "pnpm", Some(command)) => {
            ["install", "i", "add", "up", "update", "upgrade", "ci", "import", "fetch", "dlx", "workspaces"]
                .contains(&command)
        }
        ("bun", Some(command)) => ["install", "i", "add", "update", "x"].contains(&command),
        ("corepack", Some(inner)) => arguments
            .iter()
            .position(|word| word == inner)
            .is_some_and(|at| installs_otherwise(inner, &arguments[at + 1..])),
        _ => false,
    }
}

/// Whether a word of `arguments` is `flag`.
pub(super) fn has(arguments: &[String], flag: &str) -> bool {
    arguments
        .iter()
        .any(|word| word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

/// The command that `word` means to npm. npm also accepts camel case, and the beginning of a name if it is
/// unambiguous. That is not checked here, because npm itself refuses an ambiguous one.
fn command_of(word: &str) -> Option<&'static str> {
    let mut name = String::new();
    for c in word.chars() {
        if c.is_ascii_uppercase() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    let is = |matches: &dyn Fn(&str) -> bool| {
        NAMES.iter().find(|(_, names)| names.iter().any(|known| matches(known))).map(|(command, _)| *command)
    };
    // Single letters are names of their own: `c` is `config`.
    is(&|known| known == name).or_else(|| is(&|known| name.len() > 1 && known.starts_with(&name)))
}
