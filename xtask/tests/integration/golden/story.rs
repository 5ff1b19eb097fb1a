//! A repository that `git fast-import` writes commit by commit: the same story gives the same commits.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use xshell::cmd;
use xtask::evidence::notes;
use xtask::inputs::config::Config;
use xtask::inputs::history::History;
use xtask::inputs::source::Source;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::tool::git::Git;

/// The time of the first commit. Each further commit is a minute later.
const BEGINNING: usize = 1_700_000_000;

pub(super) struct Story {
    scratch: TempDir,
    runner: Runner,
    /// What has not been imported yet.
    stream: Vec<u8>,
    /// The changes of the next commit.
    changes: String,
    /// The last commit of each branch, by its mark.
    heads: BTreeMap<String, usize>,
    branch: String,
    author: String,
    encoding: Option<String>,
    commits: usize,
    /// Whether the notes link to the forge of the configuration.
    is_linked: bool,
}

impl Story {
    pub(super) fn new() -> Self {
        let scratch = TempDir::new().unwrap();
        let path = Environment::from_process().get("PATH").unwrap().unwrap_or_default().to_owned();
        let home = scratch.path().display().to_string();
        let runner = Runner::new(&Environment::from_pairs([("PATH", path), ("HOME", home)]));
        let story = Self {
            scratch,
            runner,
            stream: Vec::new(),
            changes: String::new(),
            heads: BTreeMap::new(),
            branch: "main".to_owned(),
            author: "Ann <ann@example.org>".to_owned(),
            encoding: None,
            commits: 0,
            is_linked: false,
        };
        fs::create_dir(story.top()).unwrap();
        story.git("init --quiet --initial-branch=main", Vec::new());
        story
    }

    pub(super) fn is_new(&self) -> bool {
        self.commits == 0
    }

    fn top(&self) -> PathBuf {
        self.scratch.path().join("top")
    }

    fn git(&self, arguments: &str, input: Vec<u8>) -> String {
        let sh = self.runner.shell().unwrap();
        let words = arguments.split(' ');
        self.runner.call(cmd!(sh, "git {words...}")).dir(&self.top()).stdin(input).read().unwrap()
    }

    /// A commit on the branch.
    pub(super) fn commit(&mut self, message: impl AsRef<[u8]>) -> &mut Self {
        self.merge(&[], message)
    }

    /// A commit on the branch, with the last commits of `others` as further parents.
    pub(super) fn merge(&mut self, others: &[&str], message: impl AsRef<[u8]>) -> &mut Self {
        self.commits += 1;
        let (mark, time, message) = (self.commits, BEGINNING + 60 * self.commits, message.as_ref());
        let mut text = format!("commit refs/heads/{}\nmark :{mark}\n", self.branch);
        text += &format!("author {} {time} +0000\ncommitter {0} {time} +0000\n", self.author);
        if let Some(encoding) = &self.encoding {
            text += &format!("encoding {encoding}\n");
        }
        text += &format!("data {}\n", message.len());
        self.stream.extend(text.into_bytes());
        self.stream.extend(message);
        let parents = self.heads.get(&self.branch).map(|parent| format!("\nfrom :{parent}"));
        let others = others.iter().map(|other| format!("\nmerge :{}", self.heads[*other]));
        for parent in parents.into_iter().chain(others) {
            self.stream.extend(parent.into_bytes());
        }
        self.stream.extend(format!("\n{}\n", std::mem::take(&mut self.changes)).into_bytes());
        self.heads.insert(self.branch.clone(), mark);
        self
    }

    /// Continues on `branch`. A new branch starts at the end of the current one.
    pub(super) fn on(&mut self, branch: &str) -> &mut Self {
        if let Some(head) = self.heads.get(&self.branch).copied() {
            self.heads.entry(branch.to_owned()).or_insert(head);
        }
        branch.clone_into(&mut self.branch);
        self
    }

    /// Continues on a branch without commits.
    pub(super) fn orphan(&mut self, branch: &str) -> &mut Self {
        branch.clone_into(&mut self.branch);
        self
    }

    /// The author of the commits that follow.
    pub(super) fn by(&mut self, author: &str) -> &mut Self {
        author.clone_into(&mut self.author);
        self
    }

    /// The content of `path` in the next commit.
    pub(super) fn file(&mut self, path: &str, content: &str) -> &mut Self {
        self.changes += &format!("M 100644 inline {path}\ndata {}\n{content}\n", content.len());
        self
    }

    /// Checks the files of the branch out into the work tree.
    pub(super) fn checkout(&mut self) -> &mut Self {
        self.commit("checked out").run("checkout --quiet HEAD")
    }

    /// The encoding that the next commits declare.
    pub(super) fn encoded(&mut self, encoding: &str) -> &mut Self {
        self.encoding = Some(encoding.to_owned());
        self
    }

    /// A tag without a message, on the last commit of the branch.
    pub(super) fn tag(&mut self, name: &str) -> &mut Self {
        let head = self.heads[&self.branch];
        self.stream.extend(format!("reset refs/tags/{name}\nfrom :{head}\n\n").into_bytes());
        self
    }

    /// The id of the branch's last commit.
    pub(super) fn id(&mut self) -> String {
        let (marks, stream) = (self.scratch.path().join("marks"), std::mem::take(&mut self.stream));
        let marks = marks.display();
        self.git(
            &format!("fast-import --quiet --force --import-marks-if-exists={marks} --export-marks={marks}"),
            stream,
        );
        let all = fs::read_to_string(self.scratch.path().join("marks")).unwrap();
        let mark = format!(":{} ", self.heads[&self.branch]);
        all.lines().find_map(|line| line.strip_prefix(&mark)).unwrap().to_owned()
    }

    /// A commit as `git revert` writes it, for the last commit of the branch.
    pub(super) fn revert(&mut self, subject: &str) -> &mut Self {
        let id = self.id();
        self.commit(format!("Revert \"{subject}\"\n\nThis reverts commit {id}.\n"))
    }

    /// Runs git on what is there so far, with the id of the branch's last commit in place of `HEAD`.
    pub(super) fn run(&mut self, arguments: &str) -> &mut Self {
        let id = self.id();
        self.git(&arguments.replace("HEAD", &id), Vec::new());
        self
    }

    /// Links the notes to the forge of the configuration.
    pub(super) fn linked(&mut self) -> &mut Self {
        self.is_linked = true;
        self
    }

    pub(super) fn notes(&mut self, tag: &str) -> String {
        self.id();
        let git = Git::discover(&self.runner, &self.top()).unwrap();
        let source = Source::of_tag(&git, tag.parse().unwrap()).unwrap();
        let config = Config::if_any(&git, &source.commit).unwrap();
        let repository = config.as_ref().filter(|_| self.is_linked).map(Config::source_url);
        let groups = config.map(|config| config.notes.groups).unwrap_or_default();
        let history = History::of(&git, &source, None).unwrap();
        notes::section(repository.as_deref(), &groups, &source.tag, &history, None)
    }
}
