//! A repository, and a server on loopback that is both its registry and its forge, and records what it gets.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use xshell::cmd;
use xtask::process::environment::Environment;
use xtask::process::scratch::Scratch;
use xtask::process::{Output, Runner};

use crate::plain_git;

/// Every secret that a shell or a step may have, under its name there.
pub(crate) const SECRETS: [(&str, &str); 5] = [
    ("REGISTRY_TOKEN", "canary-registry"),
    ("FORGEJO_TOKEN", "canary-forgejo"),
    ("GITHUB_TOKEN", "canary-github"),
    ("COSIGN_PRIVATE_KEY", "canary-key"),
    ("COSIGN_PASSWORD", "canary-password"),
];

/// Requires a login.
const DENIED: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"packages\"\r\nContent-Length: 0\r\n\
    Connection: close\r\n\r\n";

/// A server that records the head of every request.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// A server that requires a login for everything.
    pub(crate) fn start() -> Result<Self> {
        Self::answering(|_request| DENIED.to_owned())
    }

    /// A server that gives the answer to the first line of each request.
    pub(crate) fn answering(answer: fn(&str) -> String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, heads) = (listener.local_addr()?, Arc::new(Mutex::new(Vec::new())));
        let kept = Arc::clone(&heads);
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(stream, &kept, answer));
            }
        });
        Ok(Self { address, heads })
    }

    /// The requests since the last call: the first line, and the `Authorization` header if there is one.
    pub(crate) fn asked(&self) -> Result<Vec<(String, Option<String>)>> {
        let heads =
            std::mem::take(&mut *self.heads.lock().map_err(|_poisoned| anyhow!("the server panicked"))?);
        let authorization = |head: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization:"));
            line.map(str::to_owned)
        };
        Ok(heads
            .iter()
            .map(|head| (head.lines().next().unwrap_or_default().to_owned(), authorization(head)))
            .collect())
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<String>>, answer: fn(&str) -> String) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut head = String::new();
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        head.push_str(&line);
        head.push('\n');
    }
    let answer = answer(head.lines().next().unwrap_or_default());
    kept.lock().map_err(|_poisoned| anyhow!("another thread panicked"))?.push(head);
    let mut stream = stream;
    Ok(stream.write_all(answer.as_bytes())?)
}

/// A repository whose commit at `v0.1.0` releases to `host` and `image`.
pub(crate) fn repository(scratch: &Scratch, name: &str, host: &str, image: &str) -> Result<PathBuf> {
    let (root, dir) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), scratch.path().join(name));
    fs::create_dir_all(dir.join("service"))?;
    for file in ["Dockerfile", "service/package.json", "service/package-lock.json"] {
        fs::copy(root.join(file), dir.join(file)).with_context(|| format!("copying `{file}`"))?;
    }
    git(&dir, &["init", "--quiet"])?;
    configure(&dir, host, image)?;
    git(&dir, &["tag", "v0.1.0"])?;
    Ok(dir)
}

/// Commits a configuration.
pub(crate) fn configure(dir: &Path, host: &str, image: &str) -> Result<()> {
    let manifest = format!(
        "[workspace]\n\n[workspace.metadata.release]\nforge = \"http://{host}\"\nimage = \"{image}\"\n\
         repository = \"acme/carol\"\ntitle = \"carol\"\ndescription = \"a service\"\nlicenses = \"MIT\"\n\
         platforms = [\"linux/amd64\"]\nbranches = [\"main\"]\n\n\
         [workspace.metadata.release.smoke]\nport = 3000\nhealth = \"/healthz\"\nversion = \"/version\"\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest)?;
    git(dir, &["add", "."])?;
    git(dir, &["commit", "--quiet", "--message=one"])
}

pub(crate) fn git(dir: &Path, words: &[&str]) -> Result<()> {
    plain_git::call(dir, words)?.run()
}

pub(crate) fn verify(dir: &Path, arguments: &[&str], more: &[(&str, &str)]) -> Result<Output> {
    xtask(dir, &[&["verify"], arguments].concat(), more)
}

/// Runs the program with every secret in its environment.
pub(crate) fn xtask(dir: &Path, arguments: &[&str], more: &[(&str, &str)]) -> Result<Output> {
    let runner = Runner::new(&Environment::of_this_process());
    let (sh, program) = (runner.shell()?, env!("CARGO_BIN_EXE_xtask"));
    let mut call = runner.call(cmd!(sh, "{program} {arguments...}")).dir(dir);
    for (name, value) in SECRETS.iter().chain(more) {
        call = call.env(name, value);
    }
    call.output().context("running xtask")
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), output.stderr)
}
