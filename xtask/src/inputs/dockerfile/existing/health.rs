//! The path that a `HEALTHCHECK` requests: a starting point for `smoke.health`.

/// Characters of a host with a port, which may be a variable.
const HOST: &str = ".:-_${}[]";

/// Characters of a path with a query.
const PATH: &str = "/-_.~%?=&+:@";

/// The path of the first address in the command. `None` if there is none, or if it is known only at run time.
pub(super) fn path(command: &str) -> Option<String> {
    let (_, rest) = command.split_once("http://").or_else(|| command.split_once("https://"))?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || HOST.contains(c))).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let end = path.find(|c: char| c.is_whitespace() || "\"'`|;,)\\".contains(c)).unwrap_or(path.len());
    let path = &path[..end];
    let is_path =
        path.starts_with('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || PATH.contains(c));
    match (host, path) {
        ("", _) => None,
        // The command composes the address at run time.
        (host, "") if host.ends_with(':') => None,
        (_, "") => Some("/".to_owned()),
        _ => is_path.then(|| path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn the_path_is_that_of_the_first_address_or_unknown() {
        for (command, expected) in [
            ("CMD curl -f http://localhost:3000/health || exit 1", Some("/health")),
            ("CMD [\"wget\", \"-q\", \"http://127.0.0.1:${PORT}/api/up?x=1\"]", Some("/api/up?x=1")),
            ("CMD node -e \"fetch('http://localhost:3000/a').then(r => r)\"", Some("/a")),
            ("CMD curl http://localhost:3000", Some("/")),
            ("CMD curl http://localhost:3000/$X", None),
            ("CMD node -e \"get('http://'+host)\"", None),
            ("CMD node -e \"get('http://localhost:' + port + '/a')\"", None),
            ("CMD node healthcheck.js", None),
            ("NONE", None),
        ] {
            assert_eq!(path(command).as_deref(), expected, "{command}");
        }
    }
}
