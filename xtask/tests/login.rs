//! To whom `verify` and `release` send which secret: the program itself, against a server on loopback that is registry and forge at once,
//! wants a login for everything, and keeps what it was sent.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use xshell::cmd;
use xtask::process::environment::Environment;
use xtask::process::scratch::Scratch;
use xtask::process::{Output, Runner};

/// Every secret that a shell or a step may have, by the name it has there.
const SECRETS: [(&str, &str); 5] = [
    ("REGISTRY_TOKEN", "canary-registry"),
    ("FORGEJO_TOKEN", "canary-forgejo"),
    ("GITHUB_TOKEN", "canary-github"),
    ("COSIGN_PRIVATE_KEY", "canary-key"),
    ("COSIGN_PASSWORD", "canary-password"),
];

const DENIED: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"packages\"\r\nContent-Length: 0\r\n\
    Connection: close\r\n\r\n";

/// A server that keeps the head of every request.
struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, heads) = (listener.local_addr()?, Arc::new(Mutex::new(Vec::new())));
        let kept = Arc::clone(&heads);
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || answer(stream, &kept));
            }
        });
        Ok(Self { address, heads })
    }

    /// What was asked since the last time: the first line, and the `Authorization` where there is one.
    fn asked(&self) -> Result<Vec<(String, Option<String>)>> {
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

fn answer(stream: TcpStream, kept: &Mutex<Vec<String>>) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut head = String::new();
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        head.push_str(&line);
        head.push('\n');
    }
    kept.lock().map_err(|_poisoned| anyhow!("another thread panicked"))?.push(head);
    let mut stream = stream;
    Ok(stream.write_all(DENIED.as_bytes())?)
}

/// A repository of which the commit at `v0.1.0` releases to `host` and `image`.
fn repository(scratch: &Scratch, name: &str, host: &str, image: &str) -> Result<PathBuf> {
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
fn configure(dir: &Path, host: &str, image: &str) -> Result<()> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))?;
    let forge = "forge = \"https://forge.example.org\"";
    ensure!(manifest.contains(forge), "the configuration names another forge");
    let here = format!("forge = \"http://{host}\"\nimage = \"{image}\"");
    fs::write(dir.join("Cargo.toml"), manifest.replacen(forge, &here, 1))?;
    git(dir, &["add", "."])?;
    git(dir, &["commit", "--quiet", "--message=one"])
}

fn git(dir: &Path, words: &[&str]) -> Result<()> {
    let runner = Runner::new(&Environment::of_this_process());
    let (sh, identity) = (runner.shell()?, ["-c", "user.name=x", "-c", "user.email=x@example.org"]);
    runner.call(cmd!(sh, "git {identity...} {words...}")).dir(dir).run()
}

fn verify(dir: &Path, arguments: &[&str], more: &[(&str, &str)]) -> Result<Output> {
    xtask(dir, &[&["verify"], arguments].concat(), more)
}

/// Runs it with every secret in its environment.
fn xtask(dir: &Path, arguments: &[&str], more: &[(&str, &str)]) -> Result<Output> {
    let runner = Runner::new(&Environment::of_this_process());
    let (sh, program) = (runner.shell()?, env!("CARGO_BIN_EXE_xtask"));
    let mut call = runner.call(cmd!(sh, "{program} {arguments...}")).dir(dir);
    for (name, value) in SECRETS.iter().chain(more) {
        call = call.env(name, value);
    }
    call.output().context("running xtask")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), output.stderr)
}

#[test]
fn without_login_verify_sends_no_secret_to_anyone_and_says_how_to() -> Result<()> {
    let (server, scratch) = (Server::start()?, Scratch::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let digest = format!("{host}/acme/carol@sha256:{}", "a".repeat(64));
    for arguments in [&["v0.1.0"][..], &["--all"], &[&digest]] {
        let output = verify(&dir, arguments, &[])?;
        let (asked, said) = (server.asked()?, said(&output));
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {said}");
        assert!(!asked.is_empty(), "{arguments:?}: nothing was asked: {said}");
        for (line, authorization) in &asked {
            assert_eq!(authorization, &None, "{arguments:?}: {line}");
        }
        assert!(said.contains("cannot be read anonymously") && said.contains("add `--login`"), "{said}");
    }
    Ok(())
}

#[test]
fn a_run_of_another_forge_decides_neither_where_verify_asks_nor_what() -> Result<()> {
    let (server, other, scratch) = (Server::start()?, Server::start()?, Scratch::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let api = format!("http://{}/api/v1", other.address);
    let run = [("GITHUB_API_URL", api.as_str()), ("GITHUB_REF_TYPE", "tag"), ("GITHUB_REF_NAME", "v9.9.9")];
    let output = verify(&dir, &[], &run)?;
    let said = said(&output);
    assert!(!said.contains("v9.9.9") && said.contains("v0.1.0"), "{said}");
    assert_eq!(other.asked()?, []);
    assert!(server.asked()?.iter().any(|(line, _)| line.contains("/api/v1/repos/acme/carol/")));
    Ok(())
}

#[test]
fn with_login_each_token_goes_to_the_host_of_the_checkout() -> Result<()> {
    let (server, scratch) = (Server::start()?, Scratch::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let output = verify(&dir, &["v0.1.0", "--login"], &[])?;
    let asked = server.asked()?;
    // `acme:canary-registry`, as the Basic scheme has it.
    let basic = "Basic YWNtZTpjYW5hcnktcmVnaXN0cnk=";
    let sent = |path: &str, what: &str| {
        let mut of_path = asked.iter().filter(|(line, _)| line.contains(path));
        of_path.any(|(_, authorization)| authorization.as_ref().is_some_and(|sent| sent.ends_with(what)))
    };
    assert!(sent("/v2/", basic), "{asked:?} {}", said(&output));
    assert!(sent("/api/v1/", "token canary-forgejo"), "{asked:?}");
    for (line, authorization) in &asked {
        let wrong = if line.contains("/v2/") { "token " } else { "Basic " };
        assert!(
            !authorization.as_ref().is_some_and(|sent| sent.contains(wrong)),
            "{line}: {authorization:?}"
        );
        assert!(!authorization.as_ref().is_some_and(|sent| sent.contains("canary-github")), "{line}");
    }
    Ok(())
}

#[test]
fn with_login_neither_an_argument_nor_a_commit_chooses_who_is_given_a_token() -> Result<()> {
    let (server, mirror, scratch) = (Server::start()?, Server::start()?, Scratch::new()?);
    let (host, elsewhere) = (server.address.to_string(), mirror.address.to_string());
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let digest = format!("{elsewhere}/acme/carol@sha256:{}", "a".repeat(64));
    let output = verify(&dir, &[&digest, "--login"], &[])?;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains(&format!("`REGISTRY={elsewhere}`")), "{}", said(&output));
    assert_eq!(mirror.asked()?, []);
    assert_eq!(server.asked()?, []);

    // The commit names the other server for both, and so does its address; the work tree is another project's.
    let theirs = repository(&scratch, "theirs", &elsewhere, &format!("{elsewhere}/acme/carol"))?;
    let source = theirs.to_string_lossy().into_owned();
    let output = verify(&dir, &["v0.1.0", "--login", "--source", &source], &[("REGISTRY", &host)])?;
    let asked = mirror.asked()?;
    assert!(!asked.is_empty(), "{}", said(&output));
    for (line, authorization) in &asked {
        assert_eq!(authorization, &None, "{line}");
    }
    Ok(())
}

#[test]
fn a_tagged_commit_does_not_choose_who_is_given_the_tokens_of_its_release() -> Result<()> {
    let (server, evil, scratch) = (Server::start()?, Server::start()?, Scratch::new()?);
    let (host, elsewhere) = (server.address.to_string(), evil.address.to_string());
    let dir = repository(&scratch, "own", &elsewhere, &format!("{elsewhere}/acme/carol"))?;
    configure(&dir, &host, &format!("{host}/acme/carol"))?;
    let output = xtask(&dir, &["release", "v0.1.0"], &[])?;
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    for words in [format!("set `REGISTRY={elsewhere}`"), format!("`FORGEJO_TOKEN` is for `http://{host}`")] {
        assert!(said(&output).contains(&words), "{}", said(&output));
    }
    assert_eq!((evil.asked()?, server.asked()?), (Vec::new(), Vec::new()));

    // What only reads asks there as anyone may.
    let output = xtask(&dir, &["release", "v0.1.0", "--plan"], &[])?;
    let asked = evil.asked()?;
    assert!(!asked.is_empty(), "{}", said(&output));
    for (line, authorization) in &asked {
        assert_eq!(authorization, &None, "{line}");
    }
    Ok(())
}
