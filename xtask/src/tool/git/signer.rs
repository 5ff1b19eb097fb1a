//! Who signed a tag, by git's own verification. Only SSH signatures count, including those with a FIDO key: for them
//! git reads the accepted keys from a file that the caller names. For OpenPGP and X.509 it uses the keys of the user
//! who happens to run it.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use xshell::cmd;

use super::{Commit, Git};
use crate::process::temp_dir::TempDir;

const INSTALL: &str = "install it, for example with `apt-get install openssh-client`";

/// The largest list of allowed signers, in bytes: nobody has a longer one.
const MAX_ALLOWED: usize = 1 << 20;

/// Overrides for the repository's own settings. The programs of the other formats are set to fail, so that no key ring
/// decides (docs/facts.md#signed-tags). The SSH program is the one on the PATH.
const SETTINGS: [&str; 6] = [
    "gpg.program=false",
    "gpg.openpgp.program=false",
    "gpg.x509.program=false",
    "gpg.ssh.program=ssh-keygen",
    "gpg.ssh.revocationFile=/dev/null",
    "gpg.minTrustLevel=fully",
];

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The name in the list of allowed signers.
    pub principal: String,
    /// The key's fingerprint, as `ssh-keygen -l` prints it: `SHA256:` and 43 characters.
    pub fingerprint: String,
}

/// The id of a tag object. It has the form of a commit id.
type TagObject = Commit;

impl Git {
    /// Who signed `tag`. It must be an annotated tag with that name at `commit`, signed with a key in `allowed`, the
    /// content of an `allowed_signers` file (ssh-keygen(1), "ALLOWED SIGNERS"). `Err` of the inner result gives the
    /// reason for a rejection.
    ///
    /// # Errors
    /// When git or ssh-keygen is not installed, or answers in an undocumented form: that is neither yes nor no.
    pub fn signer(&self, tag: &str, commit: &Commit, allowed: &[u8]) -> Result<Result<Signer, String>> {
        ensure!(allowed.len() <= MAX_ALLOWED, "the list of allowed signers is larger than 1 MiB");
        let object = match self.tag_object(tag, commit)? {
            Ok(object) => object,
            Err(words) => return Ok(Err(words)),
        };
        self.check_ssh_keygen()?;
        let scratch = TempDir::new()?;
        let file = scratch.path().join("allowed_signers");
        fs::write(&file, allowed).context("writing the allowed signers for git")?;
        let list = format!("gpg.ssh.allowedSignersFile={}", file.display());
        let settings = SETTINGS.iter().copied().chain([list.as_str()]).flat_map(|setting| ["-c", setting]);
        // By the object's id, because the tag may be moved in the meantime.
        let arguments: Vec<_> = settings.chain(["verify-tag", "--raw", object.as_str()]).collect();
        let output = self.call(&arguments)?.output()?;
        match output.status.code() {
            Some(0) => parsed_signer(&output.stderr).map(Ok),
            Some(1) => Ok(Err(format!("git does not accept its signature: {}", one_line(&output.stderr)))),
            // For every kind but SSH, `SETTINGS` name a program that reads nothing. It may end before git has written
            // the signed data to it.
            None if output.status.signal() == Some(Signal::SIGPIPE as i32) => {
                Ok(Err("git does not accept its signature: it was not made with an SSH key".to_owned()))
            }
            _ => Err(output.failure()),
        }
    }

    /// The object of `tag`, which must be an annotated tag with that name at `commit`. `Err` of the inner result says
    /// what it is instead.
    ///
    /// # Errors
    /// When git fails, or answers in an undocumented form.
    pub fn tag_object(&self, tag: &str, commit: &Commit) -> Result<Result<TagObject, String>> {
        let fields = ["objecttype", "objectname", "type", "object", "tag"].map(|field| format!("%({field})"));
        let format = format!("--format={}", fields.join("%00"));
        let printed = self.call(&["for-each-ref", &format, &format!("refs/tags/{tag}")])?.read()?;
        tag_object(&printed, tag, commit)
    }

    /// Checks that there is an `ssh-keygen`: git reports a missing program in the same way as a missing signature.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn check_ssh_keygen(&self) -> Result<()> {
        let sh = self.runner.shell()?;
        let ask = cmd!(sh, "ssh-keygen -Y find-principals -s /dev/null -f /dev/null");
        // It fails because there is no signature. All that matters is that it starts.
        self.runner
            .call(ask)
            .install_hint(INSTALL)
            .output()
            .context("verifying the signature of a tag")
            .map(|_| ())
    }
}

/// Parses the `for-each-ref` output for `tag`. An object with another tag name is somebody's signature of another
/// release. A tag of a tag says nothing about the commit that is compared with the forge.
fn tag_object(printed: &str, tag: &str, commit: &Commit) -> Result<Result<TagObject, String>> {
    if printed.is_empty() {
        return Ok(Err("there is no such tag here".to_owned()));
    }
    let [kind, id, of, target, name] = printed.split('\0').collect::<Vec<_>>()[..] else {
        bail!("`git for-each-ref` printed `{}` of `{tag}`: expected five fields", printed.escape_debug());
    };
    Ok(match (kind, of) {
        ("tag", "commit") if name != tag => {
            Err(format!("its object belongs to another tag, `{}`", name.escape_debug()))
        }
        ("tag", "commit") if target != commit.as_str() => {
            Err(format!("its object points to commit {target}"))
        }
        ("tag", "commit") => Ok(Commit::parse(id)?),
        ("tag", other) => Err(format!("it is a tag of a {}, not of a commit", other.escape_debug())),
        _ => Err("it is a lightweight tag, which cannot be signed".to_owned()),
    })
}

/// Parses the ssh-keygen output for a signature that git accepts.
fn parsed_signer(printed: &str) -> Result<Signer> {
    let signer = |line: &str| {
        let (principal, key) = line.strip_prefix("Good \"git\" signature for ")?.rsplit_once(" with ")?;
        let fingerprint = key.split_once(" key ")?.1;
        let digits = fingerprint.strip_prefix("SHA256:")?;
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
        let is_known = !principal.is_empty() && digits.len() == 43 && digits.chars().all(is_base64);
        let principal = principal.escape_debug().to_string();
        is_known.then(|| Signer { principal, fingerprint: fingerprint.to_owned() })
    };
    let mut found = printed.lines().filter_map(signer);
    match (found.next(), found.next()) {
        (Some(signer), None) => Ok(signer),
        _ => bail!("git accepts the signature but does not say whose it is: {}", one_line(printed)),
    }
}

/// The output of git and ssh-keygen on one line. The tag's author may have written parts of it.
fn one_line(words: &str) -> String {
    let lines: Vec<_> = words.trim().lines().map(|line| line.escape_debug().to_string()).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::{parsed_signer, tag_object};
    use crate::tool::git::Commit;

    #[test]
    fn a_tag_object_must_have_the_name_of_the_tag_and_point_to_the_commit() {
        let (id, commit) = ("a".repeat(40), Commit::parse(&"b".repeat(40)).unwrap());
        let read = |fields: [&str; 5]| tag_object(&fields.join("\0"), "v1.0.0", &commit).unwrap();
        assert_eq!(read(["tag", &id, "commit", commit.as_str(), "v1.0.0"]).unwrap().as_str(), id);
        for (fields, words) in [
            (["tag", &id, "commit", commit.as_str(), "v0.9.0"], "another tag, `v0.9.0`"),
            (["tag", &id, "commit", &id, "v1.0.0"], "points to commit aaaa"),
            (["tag", &id, "tag", &id, "v1.0.0"], "a tag of a tag"),
            (["tag", &id, "tree", &id, "v1.0.0"], "a tag of a tree"),
            (["tag", &id, "blob", &id, "v1.0.0"], "a tag of a blob"),
            (["commit", commit.as_str(), "", "", ""], "lightweight"),
        ] {
            let found = read(fields).unwrap_err();
            assert!(found.contains(words), "{found}");
        }
        assert!(tag_object("", "v1.0.0", &commit).unwrap().is_err());
        assert!(tag_object("fatal: x", "v1.0.0", &commit).is_err());
    }

    #[test]
    fn the_signer_is_read_only_from_exactly_one_good_signature() {
        let key = format!("SHA256:{}", "a".repeat(43));
        let good = format!("Good \"git\" signature for alice@example.org with ED25519 key {key}\n");
        let signer = parsed_signer(&good).unwrap();
        assert_eq!((signer.principal.as_str(), signer.fingerprint), ("alice@example.org", key.clone()));
        for bad in [
            String::new(),
            // git refuses these with exit code 1. If it accepted one, no signer would be named.
            format!("Good \"git\" signature with ED25519 key {key}\n"),
            "Good \"git\" signature for alice with ED25519 key SHA256:x\n".to_owned(),
            format!("{good}{good}"),
        ] {
            assert!(parsed_signer(&bad).is_err(), "{bad}");
        }
    }
}

#[cfg(test)]
mod hostile {
    //! The output of git and ssh-keygen for a tag and a list of allowed signers, parts of which their authors have
    //! written. Only ssh-keygen reads the list itself.

    use super::{one_line, parsed_signer, tag_object};
    use crate::process::hostile::readers;
    use crate::tool::git::Commit;

    readers! {
        words_about_signers: {
            seeds: vec![
                format!("Good \"git\" signature for anna@example.org with ED25519 key SHA256:{}\n", "A".repeat(43)).into_bytes(),
                ["tag", &"a".repeat(40), "commit", &"b".repeat(40), "v1.0.0"].join("\0").into_bytes(),
            ],
            words: &["Good \"git\" signature for ", " with ", " key ", "SHA256:", "\n", "\r", "\0", "\u{1b}[2J", "A", "+/=", "tag", "commit", "\u{202e}"],
            read: |bytes| {
                let text = String::from_utf8_lossy(bytes);
                if let Ok(signer) = parsed_signer(&text) {
                    assert!(signer.fingerprint.len() == 50 && !signer.principal.chars().any(char::is_control));
                }
                assert!(!one_line(&text).chars().any(char::is_control));
                drop(tag_object(&text, "v1.0.0", &Commit::parse(&"b".repeat(40)).unwrap()));
            },
        }
    }
}
