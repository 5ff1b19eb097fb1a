//! What the image gets from the package's folder: everything at its top that the service may read when it runs.

/// Names at the top of a package that no image needs.
const NOT_SHIPPED: [&str; 31] = [
    "test",
    "tests",
    "__tests__",
    "spec",
    "e2e",
    "cypress",
    "docs",
    "doc",
    "example",
    "examples",
    "xtask",
    "target",
    "policies",
    "keys",
    "coverage",
    "node_modules",
    "package.json",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "cosign.pub",
    "renovate.json",
    "rust-toolchain.toml",
    "nodemon.json",
    "biome.json",
    "tslint.json",
    "turbo.json",
    "nx.json",
    "lerna.json",
    "Makefile",
    "Procfile",
];

/// What the names of files for people, for docker and for compilers begin with, in lower case.
const NOT_SHIPPED_BEGIN: [&str; 8] =
    ["readme", "license", "changelog", "dockerfile", "docker-compose", "compose", "cargo", "tsconfig"];

/// What the names of files for a build begin with. The image does not get these files.
const BUILD_BEGIN: [&str; 5] = ["tsconfig", ".babelrc", ".swcrc", "turbo.json", "nx.json"];

/// The names at the top of the package's folder, sorted by where they go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shipped {
    /// The directories that the image gets.
    pub(super) directories: Vec<String>,
    /// The files that the image gets.
    pub(super) files: Vec<String>,
    /// Files such as `tsconfig.json` that only the build step reads.
    pub(super) build_files: Vec<String>,
    /// Everything else, except what no service reads, such as the lockfile.
    pub(super) left_out: Vec<String>,
}

impl Shipped {
    /// Sorts the `tracked` files of a package's folder.
    pub(super) fn of(tracked: &[&str]) -> Self {
        let mut found = Self::default();
        for path in tracked {
            let (top, is_directory) = match path.split_once('/') {
                Some((top, _)) => (top, true),
                None => (*path, false),
            };
            let list = match (is_needed(top), is_directory) {
                (true, true) => &mut found.directories,
                (true, false) => &mut found.files,
                (false, false) if is_for_build(top) => &mut found.build_files,
                (false, _) if is_never_read(top) => continue,
                (false, _) => &mut found.left_out,
            };
            if !list.iter().any(|known| known == top) {
                list.push(top.to_owned());
            }
        }
        found
    }

    /// Adds the directories with these `names`, even if their names are among those that are not shipped.
    pub(super) fn take<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            self.left_out.retain(|known| known != name);
            if !self.directories.iter().any(|known| known == name) {
                self.directories.push(name.to_owned());
            }
        }
    }

    /// Everything that the image gets, the directories first.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.directories.iter().chain(&self.files).map(String::as_str)
    }
}

/// Whether a shell reads a name as one word without quotes.
pub(super) fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || "._-+@".contains(c))
}

/// Whether a service may read this at run time. A name that needs quotes in a shell is left to its owner.
fn is_needed(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_of_tools = name.starts_with('.') || lower.contains(".config.") || lower.ends_with(".md");
    is_plain(name)
        && !is_of_tools
        && !NOT_SHIPPED.contains(&name)
        && !NOT_SHIPPED_BEGIN.iter().any(|begin| lower.starts_with(begin))
}

/// Whether this is a file of git, docker, npm or this tool.
fn is_never_read(name: &str) -> bool {
    const BEGIN: [&str; 9] = [
        ".",
        "package",
        "Dockerfile",
        "Cargo.",
        "compose.",
        "docker-compose",
        "cosign.pub",
        "renovate.",
        "rust-",
    ];
    BEGIN.iter().any(|begin| name.starts_with(begin))
        || ["xtask", "policies", "target", "keys"].contains(&name)
}

fn is_for_build(name: &str) -> bool {
    BUILD_BEGIN.iter().any(|begin| name.starts_with(begin)) || name.contains(".config.")
}

#[cfg(test)]
mod tests {
    use super::Shipped;

    #[test]
    fn the_image_gets_what_the_service_reads_and_not_what_people_and_tools_read() {
        let tracked = [
            "index.js",
            "lib/a.js",
            "lib/b.js",
            "test/a.js",
            "README.md",
            ".github/x.yml",
            "package.json",
            "Dockerfile",
            "xtask/Cargo.toml",
            "jest.config.js",
            "tsconfig.json",
            "public/index.html",
            "knexfile.js",
            "nodemon.json",
            "a b/x",
        ];
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let expected = Shipped {
            directories: names(&["lib", "public"]),
            files: names(&["index.js", "knexfile.js"]),
            build_files: names(&["jest.config.js", "tsconfig.json"]),
            left_out: names(&["test", "README.md", "nodemon.json", "a b"]),
        };
        assert_eq!(Shipped::of(&tracked), expected);
    }
}
