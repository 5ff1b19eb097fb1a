//! What a clone says about a released commit and its tag, read from real git: the branches that may be released,
//! and the signers that the default branch lists.

#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::fs;
use std::path::PathBuf;

use xshell::cmd;
use xtask::forge::Read;
use xtask::forge::forgejo::Forgejo;
use xtask::inputs::config::Config;
use xtask::inputs::source::{Purpose, Source};
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::tool::git::Git;
use xtask::verify::claim::Verdict;
use xtask::verify::{self, SharedClone};

use crate::servers::server::{Server, curl, empty};

const URL: &str = "https://forge.example.org/acme/carol.git";

/// A configuration that may release `branch`.
fn manifest(branch: &str, more: &str) -> String {
    format!(
        "[workspace.metadata.release]\nforge = \"https://forge.example.org\"\nrepository = \"acme/carol\"\n\
         title = \"carol\"\ndescription = \"d\"\nlicenses = \"MIT\"\nplatforms = [\"linux/amd64\"]\n\
         branches = [\"{branch}\"]\n{more}[workspace.metadata.release.smoke]\nport = 3000\nhealth = \"/healthz\"\n\
         version = \"/version\"\n"
    )
}

/// A repository on a forge: `v0.1.0` is on main, and `v0.2.0` is on a branch that only its own configuration allows.
struct Forge {
    scratch: TempDir,
    runner: Runner,
}

impl Forge {
    fn new(more: &str) -> Self {
        let scratch = TempDir::new().unwrap();
        let path = Environment::from_process().get("PATH").unwrap().unwrap_or_default().to_owned();
        let home = scratch.path().display().to_string();
        let runner = Runner::new(&Environment::from_pairs([("PATH", path), ("HOME", home)]));
        let forge = Self { scratch, runner };
        fs::write(forge.dir(".gitconfig"), "[user]\nname = a\nemail = a@example.org\n").unwrap();
        fs::create_dir(forge.dir("forge")).unwrap();
        forge.git("forge", "init --quiet --initial-branch=main");
        forge.commit("main", more);
        forge.git("forge", "tag v0.1.0");
        forge.git("forge", "checkout --quiet -b evil");
        forge.commit("evil", "");
        forge.git("forge", "tag v0.2.0");
        forge.git("forge", "checkout --quiet main");
        forge
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn git(&self, dir: &str, arguments: &str) {
        let (sh, words) = (self.runner.shell().unwrap(), arguments.split(' '));
        self.runner.call(cmd!(sh, "git {words...}")).dir(&self.dir(dir)).run().unwrap();
    }

    fn commit(&self, branch: &str, more: &str) {
        fs::write(self.dir("forge/Cargo.toml"), manifest(branch, more)).unwrap();
        self.git("forge", "add --all");
        self.git("forge", "commit --quiet --allow-empty --message x");
    }

    /// A checkout, as after a clone from the forge.
    fn checkout(&self) -> Git {
        self.git(".", "clone --quiet forge checkout");
        self.git("checkout", &format!("config remote.origin.url {URL}"));
        Git::discover(&self.runner, &self.dir("checkout")).unwrap()
    }
}

/// The claims about `tag`, and the claims that were not asked.
fn claims(git: &Git, tag: &str) -> (Vec<(&'static str, Verdict)>, Vec<&'static str>) {
    claims_with(git, None, tag)
}

/// Like [`claims`], with a forge that may be queried.
fn claims_with(
    git: &Git,
    forge: Option<&dyn Read>,
    tag: &str,
) -> (Vec<(&'static str, Verdict)>, Vec<&'static str>) {
    let source = Source::of_tag(git, tag.parse().unwrap()).unwrap();
    let (claims, not_asked) = verify::source(git, forge, &source, &SharedClone::default());
    (claims.into_iter().map(|claim| (claim.id, claim.verdict)).collect(), not_asked)
}

const BRANCH: &str = "source.branch";
const SIGNED: &str = "tag.signed";

#[test]
fn a_release_is_from_a_branch_that_main_names_and_not_from_one_that_names_itself() {
    let forge = Forge::new("");
    let git = Git::cloned(&forge.runner, forge.dir("forge").to_str().unwrap(), &forge.dir("bare")).unwrap();
    assert_eq!(claims(&git, "v0.1.0"), (vec![(BRANCH, Verdict::Holds)], vec![]));
    assert_eq!(claims(&git, "v0.2.0"), (vec![(BRANCH, Verdict::False)], vec![]));
}

#[test]
fn a_claim_is_not_false_because_of_commits_that_a_checkout_may_lack() {
    let forge = Forge::new("");
    let git = forge.checkout();
    assert_eq!(claims(&git, "v0.1.0"), (vec![(BRANCH, Verdict::Holds)], vec![]));
    assert_eq!(claims(&git, "v0.2.0"), (vec![(BRANCH, Verdict::Unchecked)], vec![]), "it may be behind");
    forge.git("checkout", "config remote.origin.url https://mirror.example.net/acme/carol");
    assert_eq!(claims(&git, "v0.2.0"), (vec![], vec![BRANCH]), "its branches are somebody else's");
    forge.git("checkout", &format!("config remote.origin.url {URL}"));
    forge.git("checkout", "remote set-head origin --delete");
    assert_eq!(claims(&git, "v0.2.0"), (vec![], vec![BRANCH]), "nothing says which branch is the default");
}

#[test]
fn making_a_missing_tag_is_suggested_only_for_a_release() {
    let forge = Forge::new("");
    forge.commit("main", "");
    let git = forge.checkout();
    let (makes, fetches) = ("`git tag v9.9.9`", "run `git fetch --tags`, then the same command again");
    for (found, expected, is_made) in [
        (Source::to_release(&git, None, Some("v9.9.9")), makes, true),
        (Source::for_rehearsal(&git, Some("v9.9.9"), Purpose::Release), makes, true),
        (Source::for_rehearsal(&git, Some("v9.9.9"), Purpose::Read), fetches, false),
        (Source::to_read(&git, Some("v9.9.9")), fetches, false),
        (Source::of_tag(&git, "v9.9.9".parse().unwrap()), fetches, false),
        (Source::to_release(&git, None, None), "`git tag v0.1.1`", true),
        (Source::to_read(&git, None), "nothing to verify; name one", false),
    ] {
        let said = found.unwrap_err().to_string();
        assert!(said.contains(expected) && said.contains("git tag v") == is_made, "{said}");
    }
    assert_eq!(Source::to_read(&git, Some("v0.1.0")).unwrap().tag.to_string(), "v0.1.0");
}

/// A forge whose main is at `head`, and the configuration that names it.
fn forge_at(head: String) -> (Server, Config) {
    let server = Server::start(move |asked, _| match asked.what.as_str() {
        "GET /api/v1/repos/acme/carol/branches/main" => {
            (200, Vec::new(), format!("{{\"commit\": {{\"id\": \"{head}\"}}}}").into_bytes())
        }
        _ => empty(404),
    });
    let server = server.unwrap();
    let address = format!("http://{}", server.address);
    let config = manifest("main", "").replace("https://forge.example.org", &address);
    (server, Config::from_manifest(&config).unwrap())
}

#[test]
fn a_checkout_with_the_forges_head_shows_that_a_commit_is_on_no_branch() {
    let forge = Forge::new("");
    let git = forge.checkout();
    let head = git.peel("refs/remotes/origin/main").unwrap().unwrap().to_string();
    for (head, verdict) in [(head, Verdict::False), ("b".repeat(40), Verdict::Unchecked)] {
        let (server, config) = forge_at(head);
        let client = Forgejo::new(curl(), &git, &config, None, None);
        assert_eq!(claims_with(&git, Some(&client), "v0.2.0"), (vec![(BRANCH, verdict)], vec![]));
        assert_eq!(claims_with(&git, Some(&client), "v0.1.0"), (vec![(BRANCH, Verdict::Holds)], vec![]));
        assert_eq!(server.asked().unwrap().len(), 1, "a merged commit needs no query");
    }
}

#[test]
fn a_release_from_a_branch_that_was_deleted_later_is_not_false() {
    let forge = Forge::new("");
    forge.commit("main\", \"1.x", "");
    forge.git("forge", "checkout --quiet -b 1.x");
    forge.commit("main", "");
    forge.git("forge", "tag v0.1.1");
    forge.git("forge", "checkout --quiet main");
    for (name, verdicts) in
        [("before", [Verdict::Holds, Verdict::False]), ("after", [Verdict::Unchecked, Verdict::Unchecked])]
    {
        let git = Git::cloned(&forge.runner, forge.dir("forge").to_str().unwrap(), &forge.dir(name)).unwrap();
        assert_eq!(claims(&git, "v0.1.0").0, [(BRANCH, Verdict::Holds)], "{name}");
        for (tag, verdict) in ["v0.1.1", "v0.2.0"].into_iter().zip(verdicts) {
            assert_eq!(claims(&git, tag).0, [(BRANCH, verdict)], "{name}: {tag}");
        }
        if name == "before" {
            forge.git("forge", "branch --quiet -D 1.x");
        }
    }
}

#[test]
fn the_default_branch_decides_whether_tags_must_be_signed_and_by_whom() {
    let forge = Forge::new("tags = \"signed\"\n");
    let key = forge.dir("alice");
    let sh = forge.runner.shell().unwrap();
    forge.runner.call(cmd!(sh, "ssh-keygen -q -t ed25519 -N '' -f {key}")).run().unwrap();
    let git = forge.checkout();
    let of = |tag: &str| claims(&git, tag).0;
    assert_eq!(of("v0.1.0"), [(BRANCH, Verdict::Holds), (SIGNED, Verdict::False)], "there is no list");

    fs::create_dir(forge.dir("forge/keys")).unwrap();
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    fs::write(forge.dir("forge/keys/allowed_signers"), format!("alice@example.org {public}")).unwrap();
    forge.commit("main", "tags = \"signed\"\n");
    let sign = format!("-c gpg.format=ssh -c user.signingKey={} tag --sign --message m", key.display());
    forge.git("forge", &format!("{sign} v0.1.1 v0.1.0"));
    forge.git("forge", &format!("{sign} v0.2.1 evil"));
    let origin = forge.dir("forge").display().to_string();
    forge.git("checkout", &format!("fetch --quiet --tags {origin} main:refs/remotes/origin/main"));
    assert_eq!(
        of("v0.1.1"),
        [(BRANCH, Verdict::Holds), (SIGNED, Verdict::Holds)],
        "signed before it was merged"
    );
    assert_eq!(of("v0.1.0"), [(BRANCH, Verdict::Holds), (SIGNED, Verdict::False)]);
    // The commit's own configuration says that any tag is acceptable.
    assert_eq!(of("v0.2.0"), [(BRANCH, Verdict::Unchecked), (SIGNED, Verdict::False)]);
    assert_eq!(of("v0.2.1"), [(BRANCH, Verdict::Unchecked), (SIGNED, Verdict::Holds)]);

    // The signer may have been taken off the list since. This applies to a new clone too, because its origin may be
    // an old mirror.
    let head = git.peel("refs/remotes/origin/main").unwrap().unwrap().to_string();
    let bare = Git::cloned(&forge.runner, &origin, &forge.dir("bare")).unwrap();
    for (head, verdict) in [(head, Verdict::Holds), ("b".repeat(40), Verdict::Unchecked)] {
        let (_server, config) = forge_at(head);
        for git in [&git, &bare] {
            let client = Forgejo::new(curl(), git, &config, None, None);
            let found = claims_with(git, Some(&client), "v0.1.1").0;
            assert_eq!(found, [(BRANCH, Verdict::Holds), (SIGNED, verdict)]);
        }
    }
}

#[test]
fn a_second_signature_that_the_clone_may_lack_does_not_count_as_missing() {
    const TWO: &str = "tags = \"signed\"\ntag-signers = 2\n";
    let forge = Forge::new(TWO);
    let sh = forge.runner.shell().unwrap();
    fs::create_dir(forge.dir("forge/keys")).unwrap();
    let mut list = String::new();
    for name in ["alice", "bob"] {
        let key = forge.dir(name);
        forge.runner.call(cmd!(sh, "ssh-keygen -q -t ed25519 -N '' -f {key}")).run().unwrap();
        list += &format!("{name}@example.org {}", fs::read_to_string(key.with_extension("pub")).unwrap());
    }
    fs::write(forge.dir("forge/keys/allowed_signers"), list).unwrap();
    forge.commit("main", TWO);
    let sign = |who: &str, tag: &str| {
        let key = forge.dir(who).display().to_string();
        let sign = format!("-c gpg.format=ssh -c user.signingKey={key} tag --sign --force --message m");
        forge.git("forge", &format!("{sign} {tag} main"));
    };
    sign("alice", "v0.3.0");
    let (git, address) = (forge.checkout(), forge.dir("forge").display().to_string());
    let cloned = |name: &str| {
        let bare = Git::cloned(&forge.runner, &address, &forge.dir(name)).unwrap();
        claims(&bare, "v0.3.0").0
    };
    let signed = |verdict| vec![(BRANCH, Verdict::Holds), (SIGNED, verdict)];
    assert_eq!(cloned("before"), signed(Verdict::False), "a new clone has what the forge has");

    for (status, verdict) in [(200, Verdict::Unchecked), (404, Verdict::False)] {
        let head = git.peel("refs/remotes/origin/main").unwrap().unwrap().to_string();
        let server = Server::start(move |asked, _| match asked.what.as_str() {
            "GET /api/v1/repos/acme/carol/branches/main" => {
                (200, Vec::new(), format!("{{\"commit\": {{\"id\": \"{head}\"}}}}").into_bytes())
            }
            "GET /api/v1/repos/acme/carol/tags/approved/v0.3.0" => {
                let id = "a".repeat(40);
                (
                    status,
                    Vec::new(),
                    format!("{{\"id\":\"{id}\",\"commit\":{{\"sha\":\"{id}\"}}}}").into_bytes(),
                )
            }
            "GET /api/v1/repos/acme/carol" => (200, Vec::new(), b"{}".to_vec()),
            _ => empty(500),
        });
        let server = server.unwrap();
        let config =
            manifest("main", TWO).replace("https://forge.example.org", &format!("http://{}", server.address));
        let client = Forgejo::new(curl(), &git, &Config::from_manifest(&config).unwrap(), None, None);
        assert_eq!(claims_with(&git, Some(&client), "v0.3.0").0, signed(verdict), "{status}");
    }
    assert_eq!(claims(&git, "v0.3.0").0, signed(Verdict::Unchecked), "the forge was not queried");

    for (who, verdict) in [("alice", Verdict::False), ("bob", Verdict::Holds)] {
        sign(who, "approved/v0.3.0");
        forge.git("checkout", &format!("fetch --quiet --force --tags {address}"));
        assert_eq!(claims(&git, "v0.3.0").0, signed(verdict), "approved by {who}");
    }
    assert_eq!(cloned("after"), signed(Verdict::Holds));
    // Releases from before the rule need a second signature as well.
    assert_eq!(claims(&git, "v0.1.0").0, signed(Verdict::False));
}
