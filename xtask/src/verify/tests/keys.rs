//! The keys of a project with a history, as a clone has them, and the stand-in for cosign that judges endorsements: an
//! endorsement is right if it is the digest of the signing key and the statement.

use std::collections::BTreeMap;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::evidence::bundle::Hint;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::keys::tests::PEM;
use crate::inputs::keys::{Endorsement, HISTORY, PublicKey, statement};
use crate::inputs::source::release_tags;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;
use crate::tool::git::Commit;
use crate::verify::claim::{Claim, Observed, Unavailable, Verdict};
use crate::verify::judge;
use crate::verify::observe::keys::{self, Before, ObservedKeys, Sources, fingerprint};

/// What a clone knows.
#[derive(Clone)]
pub(super) struct KeyWorld {
    /// The key of the released commit.
    pub(super) used: Vec<u8>,
    /// The files at the head of the default branch.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// The tags of lower versions, and the key at each.
    pub(super) before: Vec<(&'static str, Vec<u8>)>,
    /// Whether the forge has a later head.
    pub(super) is_behind: bool,
    /// Whether cosign cannot be run.
    pub(super) is_without_cosign: bool,
}

/// The first key of the history, which signed the previous release.
pub(super) const OLDER: &str = PEM[0];
/// A key that the project never had.
pub(super) const FOREIGN: &str = PEM[1];

impl KeyWorld {
    /// The project rotated from [`OLDER`] to `present` before the release.
    pub(super) fn of(present: &[u8]) -> Result<Self> {
        let mut world = Self {
            used: present.to_vec(),
            files: BTreeMap::new(),
            before: vec![("v0.0.9", OLDER.into())],
            is_behind: false,
            is_without_cosign: false,
        };
        world.write(PUBLIC_KEY, present);
        world.write("keys/0001.pub", OLDER.as_bytes());
        world.write("keys/0002.pub", present);
        world.list(&[(OLDER.as_bytes(), "0.0.1", ""), (present, "0.0.10-0", "")])?;
        let [old, new] = [OLDER.as_bytes(), present].map(fingerprint);
        let (old, new) = (old?, new?);
        let signed = signature(&old, &statement(&old, &new, &"0.0.10-0".parse()?));
        world.write("keys/0002.endorsement", signed.as_bytes());
        Ok(world)
    }

    /// The hint by which bundles name the released commit's key.
    pub(super) fn hint(&self) -> Result<Hint> {
        Ok(Hint::of(&PublicKey::parse(&self.used)?))
    }

    pub(super) fn write(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert(path.to_owned(), bytes.to_vec());
    }

    /// Writes the list of keys: each with its first version and further lines.
    pub(super) fn list(&mut self, keys: &[(&[u8], &str, &str)]) -> Result<()> {
        let mut text = String::new();
        for (pem, from, more) in keys {
            text += &format!("[[key]]\nfingerprint = \"{}\"\nfrom = \"{from}\"\n{more}\n", fingerprint(pem)?);
        }
        self.write(HISTORY, text.as_bytes());
        Ok(())
    }

    /// Changes the text of the list.
    pub(super) fn edit_list(&mut self, from: &str, to: &str) {
        let text = String::from_utf8_lossy(&self.files[HISTORY]).into_owned();
        assert!(text.contains(from), "{text}");
        self.write(HISTORY, text.replacen(from, to, 1).as_bytes());
    }

    fn ask(&self, asked: &Endorsement<'_>) -> Observed<Result<(), String>> {
        if self.is_without_cosign {
            return Err(Unavailable::Failed("`cosign` is not installed".to_owned()));
        }
        let is_right = asked.signature == signature(&asked.by.fingerprint(), &asked.statement);
        Ok(if is_right { Ok(()) } else { Err("invalid signature".to_owned()) })
    }

    /// What `verify` sees of this.
    pub(super) fn seen(&self) -> Result<ObservedKeys> {
        let files = |paths: &[String]| Ok(paths.iter().map(|path| self.files.get(path).cloned()).collect());
        let ask = |asked: &Endorsement<'_>| self.ask(asked);
        let head = Commit::parse(&"a".repeat(40))?;
        let history = keys::history(head, Some("main".to_owned()), Sources { files: &files, ask: &ask });
        let used = PublicKey::parse(&self.used)?.fingerprint();
        let is_new_enough = match self.is_behind {
            true => Err(Unavailable::Failed("run `git fetch origin`".to_owned())),
            false => Ok(()),
        };
        let before = |(tag, pem): &(&str, Vec<u8>)| {
            Ok(Before { tag: tag.parse::<ReleaseTag>()?, key: fingerprint(pem)?, is_within: true })
        };
        let before = self.before.iter().map(before).collect::<Result<Vec<Before>>>()?;
        let versions = Ok(before.iter().map(|before| before.tag.clone()).collect());
        Ok(ObservedKeys { used: Ok(used), history, is_new_enough, versions, before: Ok(before) })
    }
}

/// Stands for a signature by the key with this fingerprint.
pub(super) fn signature(by: &Digest, statement: &str) -> String {
    STANDARD.encode(Digest::of(format!("{by} {statement}").as_bytes()).hex())
}

/// The claim `key.continuity` of the release `tag`, with what the registry lists.
fn continuity(tag: &str, seen: &ObservedKeys, listed: Option<&[&str]>) -> Claim {
    let listed = listed.map(|tags| Ok(tags.iter().map(ToString::to_string).collect()));
    let tag = tag.parse().unwrap();
    judge::keys::judge(&tag, seen, listed.as_ref(), &untagged(&tag, seen, listed.as_ref())).pop().unwrap()
}

/// The earlier versions that are listed and have no git tag, as if all of them had signatures.
pub(super) fn untagged(
    tag: &ReleaseTag,
    seen: &ObservedKeys,
    listed: Option<&Observed<Vec<String>>>,
) -> Observed<Vec<ReleaseTag>> {
    let Some(Ok(listed)) = listed else { return Ok(Vec::new()) };
    let versions = seen.versions.as_ref().map_err(Clone::clone)?;
    let mut found = release_tags(listed);
    found.retain(|listed| listed < tag && !versions.contains(listed));
    Ok(found)
}

#[test]
fn a_foreign_key_at_a_tag_counts_only_if_the_registry_lists_that_release() {
    let mut rotated = KeyWorld::of(PEM[2].as_bytes()).unwrap();
    rotated.before.push(("v0.0.10", FOREIGN.into()));
    let mut unwritten = KeyWorld::of(PEM[2].as_bytes()).unwrap();
    unwritten.files.retain(|path, _| path == PUBLIC_KEY);
    let mut lost = KeyWorld::of(PEM[2].as_bytes()).unwrap();
    lost.files.remove("keys/0002.endorsement");
    let unendorsed = "unendorsed = \"the key before it was lost\"";
    lost.list(&[(OLDER.as_bytes(), "0.0.1", ""), (PEM[2].as_bytes(), "0.0.10-0", unendorsed)]).unwrap();
    lost.before.push(("v0.0.8", FOREIGN.into()));
    for (world, listed, verdict) in [
        (&rotated, Some(&["v0.0.9"][..]), Verdict::Holds),
        (&rotated, Some(&["v0.0.9", "v0.0.10"]), Verdict::False),
        (&rotated, None, Verdict::Unchecked),
        (&unwritten, Some(&["v0.0.9"]), Verdict::False),
        (&unwritten, Some(&[]), Verdict::Holds),
        // The registry has a release whose key the clone does not show.
        (&rotated, Some(&["v0.0.8", "v0.0.9"]), Verdict::Unchecked),
        (&unwritten, Some(&["v0.0.8"]), Verdict::Unchecked),
        (&unwritten, Some(&["v0.0.8", "v0.0.9"]), Verdict::False),
        (&rotated, Some(&["v0.0.9", "v0.1.0", "v0.2.0", "latest"]), Verdict::Holds),
        (&unwritten, None, Verdict::Unchecked),
        // False whatever the foreign key is.
        (&lost, None, Verdict::False),
    ] {
        let claim = continuity("v0.1.0", &world.seen().unwrap(), listed);
        assert_eq!(claim.verdict, verdict, "{listed:?}: {}", claim.evidence);
    }
}

#[test]
fn a_backport_by_a_later_key_does_not_count_as_an_earlier_release() {
    let present = PEM[2].as_bytes();
    let mut world = KeyWorld::of(present).unwrap();
    let [old, new] = [OLDER.as_bytes(), present].map(|pem| fingerprint(pem).unwrap());
    let signed = signature(&old, &statement(&old, &new, &"0.2.0-0".parse().unwrap()));
    world.write("keys/0002.endorsement", signed.as_bytes());
    world.used = OLDER.into();
    world.before = vec![("v0.0.8", OLDER.into()), ("v0.0.9", present.to_vec())];
    for (also, is_within, verdict) in [
        ("also = [\"0.0.9\"]", false, Verdict::Holds),
        ("also = [\"0.0.7\"]", false, Verdict::False),
        // The release has that tag in its history, so it came later.
        ("also = [\"0.0.9\"]", true, Verdict::False),
    ] {
        world.list(&[(OLDER.as_bytes(), "0.0.1", ""), (present, "0.2.0-0", also)]).unwrap();
        let mut seen = world.seen().unwrap();
        seen.before.as_mut().unwrap().iter_mut().for_each(|before| before.is_within = is_within);
        let claim = continuity("v0.1.1", &seen, Some(&["v0.0.8", "v0.0.9"]));
        assert_eq!(claim.verdict, verdict, "{also} {is_within}: {}", claim.evidence);
    }
}

#[test]
fn only_rotations_since_the_previous_release_need_an_endorsement() {
    let [first, second, third] = [PEM[0], PEM[1], PEM[2]].map(str::as_bytes);
    let mut world = KeyWorld::of(third).unwrap();
    let unendorsed = "unendorsed = \"the key before it was lost\"";
    world.list(&[(first, "0.0.1", ""), (second, "0.0.5", unendorsed), (third, "0.0.10-0", "")]).unwrap();
    world.write("keys/0002.pub", second);
    world.write("keys/0003.pub", third);
    world.files.remove("keys/0002.endorsement");
    let [old, new] = [second, third].map(|pem| fingerprint(pem).unwrap());
    let endorsed = statement(&old, &new, &"0.0.10-0".parse().unwrap());
    world.write("keys/0003.endorsement", signature(&old, &endorsed).as_bytes());
    for (previous, by, verdict) in [("v0.0.9", second, Verdict::Holds), ("v0.0.4", first, Verdict::False)] {
        world.before = vec![(previous, by.to_vec())];
        let claim = continuity("v0.1.0", &world.seen().unwrap(), Some(&[previous]));
        assert_eq!(claim.verdict, verdict, "{previous}: {}", claim.evidence);
    }
}
