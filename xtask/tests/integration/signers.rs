//! Who signed a release that two people must sign, checked with real git and ssh-keygen.

#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

use xtask::inputs::config::TagSigners;
use xtask::inputs::signers::Signers;
use xtask::inputs::source::Source;

use crate::signed_tags::Repository;

const APPROVAL: &str = "approved/v0.1.0";

fn signers(repository: &Repository, allowed: &str, wanted: TagSigners) -> Signers {
    let git = repository.asked();
    let source = Source::of_tag(&git, "v0.1.0".parse().unwrap()).unwrap();
    Signers::of(&git, &source, allowed.as_bytes(), wanted).unwrap()
}

/// A repository whose `v0.1.0` is signed by alice, and the list with alice, bob, and another key of alice's.
fn repository() -> (Repository, String) {
    let repository = Repository::new();
    for name in ["bob", "alice-2"] {
        repository.new_key(name);
    }
    repository.sign("v0.1.0", "alice");
    let second = repository.allows("alice-2").replacen("alice-2@", "alice@", 1);
    let allowed = format!("{}{}{second}", repository.allows("alice"), repository.allows("bob"));
    (repository, allowed)
}

#[test]
fn a_release_is_signed_by_two_people() {
    let (repository, allowed) = repository();
    let one = signers(&repository, &allowed, TagSigners::One);
    assert!(one.approval.is_none() && one.release.is_ok(), "{one:?}");
    repository.sign(APPROVAL, "bob");
    let Signers { release, approval } = signers(&repository, &allowed, TagSigners::Two);
    let (release, approval) = (release.unwrap(), approval.unwrap().unwrap());
    assert_eq!([release.principal, approval.principal], ["alice@example.org", "bob@example.org"]);
    assert_ne!(release.fingerprint, approval.fingerprint);
}

#[test]
fn an_approval_counts_only_if_a_second_person_signed_it() {
    let (repository, allowed) = repository();
    let (alice, also_bob) =
        (repository.allows("alice"), repository.allows("alice").replacen("alice@", "bob@", 1));
    let both_names = allowed.replace("bob@example.org", "bob@example.org,alice@example.org");
    let refused = |allowed: &str, words: &str| {
        let Signers { release, approval } = signers(&repository, allowed, TagSigners::Two);
        let why = approval.unwrap().unwrap_err();
        assert!(why.contains(words), "no `{words}` in: {why}");
        assert!(release.is_ok(), "{release:?}");
    };
    let made = |allowed: &str, words: &str, make: &dyn Fn()| {
        make();
        refused(allowed, words);
        repository.git(&["tag", "--delete", APPROVAL]);
    };
    let sign = |who: &'static str| move |repository: &Repository| repository.sign(APPROVAL, who);
    let (by_alice, by_bob) = (sign("alice"), sign("bob"));

    refused(&allowed, "there is no such tag here");
    made(&allowed, "it is a lightweight tag", &|| drop(repository.git(&["tag", APPROVAL])));
    made(&allowed, "no signature found", &|| {
        drop(repository.git(&["tag", "--annotate", "--message", "m", APPROVAL]));
    });
    made(&allowed, "No principal matched", &|| repository.sign(APPROVAL, "mallory"));
    made(&alice, "No principal matched", &|| by_bob(&repository));
    made(&allowed, "its key SHA256:", &|| by_alice(&repository));
    made(&format!("{also_bob}{alice}"), "its key SHA256:", &|| by_alice(&repository));
    let words = "`alice@example.org` signed `v0.1.0` as well, with another key";
    made(&allowed, words, &|| repository.sign(APPROVAL, "alice-2"));
    // git reports only bob.
    made(&both_names, words, &|| by_bob(&repository));
    made(&allowed, "its object belongs to another tag, `approved/v0.0.9`", &|| {
        repository.sign("approved/v0.0.9", "bob");
        repository.git(&["update-ref", &format!("refs/tags/{APPROVAL}"), "refs/tags/approved/v0.0.9"]);
    });
    made(&allowed, "its object belongs to another tag, `v0.1.0`", &|| {
        repository.git(&["update-ref", &format!("refs/tags/{APPROVAL}"), "refs/tags/v0.1.0"]);
    });
    made(&allowed, "its object points to commit", &|| {
        repository.git(&["commit", "--quiet", "--allow-empty", "--message", "second"]);
        by_bob(&repository);
    });
}

#[test]
fn an_approval_in_place_of_the_releases_tag_does_not_sign_the_release() {
    let (repository, allowed) = repository();
    repository.sign(APPROVAL, "bob");
    repository.git(&["update-ref", "refs/tags/v0.1.0", &format!("refs/tags/{APPROVAL}")]);
    let Signers { release, approval } = signers(&repository, &allowed, TagSigners::Two);
    assert!(release.unwrap_err().contains("another tag, `approved/v0.1.0`"));
    assert!(approval.unwrap().is_ok());
}
