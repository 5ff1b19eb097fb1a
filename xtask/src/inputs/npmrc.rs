//! What npm reads in a `.npmrc`, as far as a release depends on it (npmrc(5)).

/// Whether `.npmrc` makes npm ignore peer dependencies, so that it does not install packages that are needed only as
/// peers.
#[must_use]
pub fn leaves_peers_alone(npmrc: &[u8]) -> bool {
    let text = String::from_utf8_lossy(npmrc);
    let value = text.lines().rev().find_map(|line| {
        let (key, value) = line.split_once('=').unwrap_or((line, "true"));
        (plain(key) == "legacy-peer-deps").then(|| plain(value))
    });
    value.is_some_and(|value| value == "true")
}

/// A key or value of an ini file, as npm reads it: without quotes and comments. An escaped `;` or `#` begins no
/// comment.
fn plain(text: &str) -> &str {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inside;
        }
    }
    let mut is_escaped = false;
    let comment = text.find(|c: char| {
        let begins = matches!(c, ';' | '#') && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        begins
    });
    text[..comment.unwrap_or(text.len())].trim_end()
}

/// The keys whose values are secrets, also after an address and a colon.
const SECRETS: [&str; 3] = ["_authToken", "_auth", "_password"];

/// The number of the first line with a secret that is more than a variable, and its key.
#[must_use]
pub fn literal_secret(npmrc: &[u8]) -> Option<(usize, &'static str)> {
    let text = String::from_utf8_lossy(npmrc);
    text.lines().zip(1..).find_map(|(line, number)| {
        let (key, value) = line.split_once('=')?;
        let key = plain(key);
        let name = key.rsplit(':').next().unwrap_or(key);
        let secret = SECRETS.into_iter().find(|known| *known == name)?;
        let value = plain(value);
        let is_variable = value.starts_with("${") && value.ends_with('}') && value.matches('$').count() == 1;
        (!value.is_empty() && !is_variable).then_some((number, secret))
    })
}

#[cfg(test)]
mod tests {
    use super::{leaves_peers_alone, literal_secret};

    #[test]
    fn the_last_legacy_peer_deps_line_decides() {
        for (npmrc, expected) in [
            ("", false),
            ("legacy-peer-deps=true", true),
            ("audit=false\nlegacy-peer-deps = true\n", true),
            ("legacy-peer-deps\n", true),
            ("legacy-peer-deps=true\nlegacy-peer-deps=false\n", false),
            ("# legacy-peer-deps=true\n", false),
            ("; legacy-peer-deps=true\n", false),
            ("legacy-peer-deps=true ; why\n", true),
            ("legacy-peer-deps=true# why\n", true),
            ("legacy-peer-deps # why\n", true),
            ("legacy-peer-deps=\"true\"\n", true),
            ("legacy-peer-deps='true'\n", true),
            ("legacy-peer-deps=true\\;\n", false),
            ("legacy-peer-deps=\"\n", false),
        ] {
            assert_eq!(leaves_peers_alone(npmrc.as_bytes()), expected, "{npmrc}");
        }
    }
    #[test]
    fn a_secret_that_is_no_variable_is_named_by_its_line() {
        for (npmrc, expected) in [
            ("", None),
            ("//npm.example.org/:_authToken=${NPM_TOKEN}\n", None),
            ("audit=false\n//npm.example.org/:_authToken=npm_abc\n", Some((2, "_authToken"))),
            ("_auth = \"YTpi\"\n", Some((1, "_auth"))),
            ("//a/:_password=x${Y}\n", Some((1, "_password"))),
            ("//a/:_password=\n# _auth=x\n", None),
            ("//a/:username=ann\nalways-auth=true\n", None),
        ] {
            assert_eq!(literal_secret(npmrc.as_bytes()), expected, "{npmrc}");
        }
    }
}
