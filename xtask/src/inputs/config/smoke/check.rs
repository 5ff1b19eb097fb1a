//! Refuses invalid values in the configuration of the smoke test, and names them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};

use crate::inputs::dockerfile::is_variable;
use crate::oci::reference::Digest;

use super::{ALIAS, Companion, Smoke};

/// Whether `text` is the path of a request.
#[must_use]
pub fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic())
}

impl Smoke {
    /// Refuses invalid values.
    pub(in crate::inputs::config) fn check(&self) -> Result<()> {
        match (self.port, &self.health) {
            (None, None) => {
                ensure!(self.version.is_none(), "`smoke.version` needs `smoke.port` and `smoke.health`");
                ensure!(
                    !self.command.is_empty(),
                    "`smoke` checks nothing: set `port` and `health`, or `command` for a service without HTTP"
                );
            }
            (Some(port), Some(_)) => ensure!(port > 0, "`smoke.port` is 0: expected the service's port"),
            _ => bail!("`smoke.port` and `smoke.health` go together: set both, or neither"),
        }
        for (key, path) in [("smoke.health", &self.health), ("smoke.version", &self.version)] {
            let Some(path) = path else { continue };
            ensure!(is_path(path), "`{key}` is `{path}`: expected a path such as `/healthz`");
        }
        ensure!(!self.exit_codes.is_empty(), "`smoke.exit-codes` is empty: name at least one, such as 0");
        for (key, seconds) in
            [("smoke.start-seconds", self.start_seconds), ("smoke.stop-seconds", self.stop_seconds)]
        {
            ensure!(seconds > 0, "`{key}` is 0: expected a number of seconds, such as 30");
        }
        ensure!(self.pids > 0, "`smoke.pids` is 0: expected a number of processes, such as 512");
        ensure!(
            is_size(&self.memory),
            "`smoke.memory` is `{}`: expected a size such as `512m` or `1g`",
            self.memory
        );
        check_words("smoke.command", &self.command)?;
        check_env("smoke.env", &self.env)?;
        check_directories(&[("smoke.tmpfs", &self.tmpfs), ("smoke.writable", &self.writable)])?;
        let mut aliases = BTreeSet::from([ALIAS]);
        for companion in &self.companions {
            companion.check()?;
            ensure!(
                aliases.insert(&companion.alias),
                "two containers of `smoke` are called `{}`: give each companion an alias of its own, not `{ALIAS}`",
                companion.alias
            );
        }
        Ok(())
    }
}
impl Companion {
    fn check(&self) -> Result<()> {
        let Self { image, alias, .. } = self;
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c))
        };
        let is_pinned = image
            .split_once('@')
            .is_some_and(|(name, digest)| is_name(name) && digest.parse::<Digest>().is_ok());
        ensure!(
            is_pinned,
            "the image of a companion is `{image}`: expected one with its digest, such as `postgres:17@sha256:…`; \
             `docker buildx imagetools inspect {}` prints it",
            if is_name(image) { image } else { "IMAGE" }
        );
        let is_host = alias.starts_with(|c: char| c.is_ascii_lowercase())
            && alias.len() <= 63
            && alias.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        ensure!(
            is_host,
            "the alias of a companion is `{alias}`: expected a host name of lower-case letters, such as `db`"
        );
        check_env("smoke.companion.env", &self.env)?;
        check_words("smoke.companion.command", &self.command)?;
        check_words("smoke.companion.ready", &self.ready)?;
        check_directories(&[("smoke.companion.tmpfs", &self.tmpfs)])
    }
}

/// Whether `text` is a number with a unit, in docker's notation.
fn is_size(text: &str) -> bool {
    let number = text.strip_suffix(['k', 'm', 'g']).unwrap_or_default();
    !number.starts_with(['0', '+']) && number.parse::<u32>().is_ok()
}

fn check_env(key: &str, env: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in env {
        ensure!(
            is_variable(name),
            "`{key}` has `{name}`: expected the name of a variable, such as `DATABASE_URL`"
        );
        ensure!(!value.contains('\0'), "`{key}.{name}` has a NUL character, which no variable can hold");
    }
    Ok(())
}

fn check_words(key: &str, words: &[String]) -> Result<()> {
    let is_word = |word: &String| !word.contains('\0');
    ensure!(words.iter().all(is_word), "`{key}` has a NUL character, which no argument can hold");
    let first = words.first().is_none_or(|program| !program.is_empty() && !program.starts_with('-'));
    ensure!(
        first,
        "`{key}` does not begin with a program: expected a list such as `[\"pg_isready\", \"--quiet\"]`"
    );
    Ok(())
}

/// In docker's options, `:` and `,` separate a path from what follows.
fn check_directories(lists: &[(&str, &Vec<String>)]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for (key, path) in lists.iter().flat_map(|(key, paths)| paths.iter().map(move |path| (key, path))) {
        let plain = |word: &str| {
            !["", ".", ".."].contains(&word)
                && word.chars().all(|c| c.is_ascii_graphic() && !":,\\\"".contains(c))
        };
        let is_path = path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(plain));
        ensure!(is_path, "`{key}` has `{path}`: expected an absolute path such as `/tmp`");
        ensure!(seen.insert(path), "`{path}` is named twice in `smoke`: once is enough");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::inputs::config::{Http, Platforms, Smoke};

    const HTTP: &str = "port = 3000\nhealth = \"/healthz\"\n";
    const COMPANION: &str = "[[companion]]\nalias = \"db\"\n";
    const PINNED: &str =
        "image = \"postgres:17@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"\n";

    fn read(text: &str) -> anyhow::Result<Smoke> {
        let smoke: Smoke = basic_toml::from_str(text)?;
        smoke.check()?;
        Ok(smoke)
    }

    #[test]
    fn a_port_and_a_health_path_are_enough() {
        let smoke = read(HTTP).unwrap();
        assert_eq!(smoke.http(), Some(Http { port: 3000, health: "/healthz", version: None }));
        assert_eq!(smoke.exit_codes, [0, 143]);
        assert_eq!((smoke.memory.as_str(), smoke.pids), ("1g", 512));
        assert_eq!(smoke.platforms, Platforms::Possible);
    }

    #[test]
    fn a_command_is_enough_without_http() {
        let smoke = read("command = [\"node\", \"/app/check.js\"]").unwrap();
        assert_eq!(smoke.http(), None);
    }

    #[test]
    fn a_companion_has_everything_that_a_database_needs() {
        let text = format!(
            "{HTTP}platforms = \"all\"\n[env]\nA = \"b\"\n{COMPANION}{PINNED}ready = [\"pg_isready\"]\ntmpfs = [\"/run\"]\n\
             [companion.env]\nPOSTGRES_PASSWORD = \"x\"\n"
        );
        let smoke = read(&text).unwrap();
        let companion = smoke.companions.first().unwrap();
        assert_eq!((companion.alias.as_str(), smoke.platforms), ("db", Platforms::All));
        assert_eq!(companion.ready, ["pg_isready"]);
        assert_eq!(companion.env["POSTGRES_PASSWORD"], "x");
    }

    #[test]
    fn an_invalid_value_is_refused_and_named() {
        let with = |more: &str| format!("{HTTP}{more}");
        let companion = |more: &str| format!("{HTTP}{COMPANION}{more}");
        let cases = [
            (String::new(), "`smoke` checks nothing"),
            ("port = 3000".to_owned(), "go together"),
            ("health = \"/\"".to_owned(), "go together"),
            ("port = 0\nhealth = \"/\"".to_owned(), "smoke.port"),
            ("version = \"/version\"\ncommand = [\"x\"]".to_owned(), "`smoke.version` needs"),
            (with("version = \"version\""), "smoke.version"),
            (with("exit-codes = []"), "`smoke.exit-codes` is empty"),
            (with("exit-codes = [256]"), "256"),
            (with("pids = 0"), "smoke.pids"),
            (with("start-seconds = 0"), "smoke.start-seconds"),
            (with("stop-seconds = 0"), "smoke.stop-seconds"),
            (with("memory = \"much\""), "smoke.memory"),
            (with("memory = \"1\""), "smoke.memory"),
            (with("memory = \"0g\""), "smoke.memory"),
            (with("platforms = \"some\""), "some"),
            (with("command = [\"--version\"]"), "smoke.command"),
            (with("tmpfs = [\"tmp\"]"), "smoke.tmpfs"),
            (with("tmpfs = [\"/\"]"), "smoke.tmpfs"),
            (with("tmpfs = [\"/tmp:exec\"]"), "smoke.tmpfs"),
            (with("writable = [\"/a/../etc\"]"), "smoke.writable"),
            (with("writable = [\"/a\"]\ntmpfs = [\"/a\"]"), "named twice"),
            (with("[env]\n\"A B\" = \"x\""), "smoke.env"),
            (with("[env]\nPORT = 3000"), "string"),
            (with("[enviroment]\nA = \"x\""), "enviroment"),
            (companion("image = \"postgres:17\""), "imagetools inspect postgres:17"),
            (companion("image = \"--privileged\""), "with its digest"),
            (companion(&PINNED.replace("postgres", "-v/:/x")), "with its digest"),
            (companion(&format!("{PINNED}{COMPANION}{PINNED}")), "called `db`"),
            (companion(PINNED).replace("\"db\"", "\"service\""), "called `service`"),
            (companion(PINNED).replace("\"db\"", "\"my_db\""), "host name"),
            (companion(&format!("{PINNED}port = 1")), "port"),
        ];
        for (text, expected) in cases {
            let error = format!("{:#}", read(&text).unwrap_err());
            assert!(error.contains(expected), "expected `{expected}` in: {error}\n{text}");
        }
    }
}
