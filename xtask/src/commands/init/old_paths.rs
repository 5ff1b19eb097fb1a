//! Where the old image has the service. The new image has it in [`HOME`].

use super::command::HOME;
use crate::inputs::dockerfile::existing::Existing;

/// Absolute directories of the old image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OldPaths {
    /// The directory of the package's folder.
    pub(super) home: String,
    /// The directory in which its command starts.
    workdir: String,
}

impl Default for OldPaths {
    fn default() -> Self {
        Self { home: HOME.to_owned(), workdir: HOME.to_owned() }
    }
}

impl OldPaths {
    /// `prefix` is what the paths in the package's folder begin with in the repository.
    pub(super) fn of(old: &Existing, prefix: &str) -> Self {
        let workdir = old.workdir.as_ref().map_or(HOME, |workdir| workdir.value.as_str()).to_owned();
        let copied = old.copied.as_ref().map(|top| format!("/{}", plain(&format!("{top}/{prefix}"))));
        // If the command starts outside of the copied directory, its files come from elsewhere.
        let home = copied.filter(|copied| below(&workdir, copied).is_some());
        Self { home: home.unwrap_or_else(|| workdir.clone()), workdir }
    }

    /// `path` from the package's folder; `None` if it is not in it.
    pub(super) fn below_home(&self, path: &str) -> Option<String> {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", self.workdir) };
        below(&format!("/{}", plain(&path)), &self.home).map(str::to_owned)
    }

    /// `text` with [`HOME`] in place of the old directory, wherever that is a whole path or the beginning of one.
    pub(super) fn relocated(&self, text: &str) -> String {
        if self.home == "/" || self.home == HOME {
            return text.to_owned();
        }
        let is_of_path = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        let (mut moved, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(&self.home) {
            let (before, found) = rest.split_at(at);
            let (found, after) = found.split_at(self.home.len());
            moved.push_str(before);
            let begins = !moved.ends_with(is_of_path);
            let ends = after.starts_with('/') || !after.starts_with(is_of_path);
            moved.push_str(if begins && ends { HOME } else { found });
            rest = after;
        }
        moved + rest
    }
}

/// The rest of `path` in `directory`: nothing if it is the directory itself, `None` if it is elsewhere.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

/// A path without `.`, `..` and empty parts, and without a slash at its beginning.
pub(super) fn plain(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::OldPaths;
    use crate::inputs::dockerfile::existing;

    #[test]
    fn the_services_old_directory_is_where_the_repository_was_copied() {
        for (lines, prefix, home, script) in [
            ("", "", "/app", Some("x.js")),
            ("WORKDIR /srv\nCOPY . .", "", "/srv", Some("x.js")),
            ("WORKDIR /app\nCOPY --chown=node:node . .\nWORKDIR /app/api", "", "/app", Some("api/x.js")),
            ("WORKDIR /app\nCOPY . ./\nWORKDIR api", "api/", "/app/api", Some("x.js")),
            ("COPY . /usr/src/app/\nWORKDIR /usr/src/app", "", "/usr/src/app", Some("x.js")),
            ("COPY . /build\nWORKDIR /run", "", "/run", Some("x.js")),
            ("WORKDIR /app\nCOPY . .\nWORKDIR /app", "api/", "/app", Some("x.js")),
        ] {
            let old_paths = OldPaths::of(&existing::read(&format!("FROM node\n{lines}\n")), prefix);
            assert_eq!(
                (old_paths.home.as_str(), old_paths.below_home("./x.js").as_deref()),
                (home, script),
                "{lines}"
            );
        }
    }

    #[test]
    fn only_whole_paths_are_moved() {
        let old_paths = OldPaths::of(&existing::read("FROM node\nWORKDIR /usr/src/app\n"), "");
        for (text, expected) in [
            ("/usr/src/app", "/app"),
            ("A=/usr/src/app B=\"/usr/src/app/x\"", "A=/app B=\"/app/x\""),
            ("PATH=/usr/src/app/bin:$PATH", "PATH=/app/bin:$PATH"),
            ("/usr/src/application", "/usr/src/application"),
            ("/data/usr/src/app", "/data/usr/src/app"),
        ] {
            assert_eq!(old_paths.relocated(text), expected);
        }
    }
}
