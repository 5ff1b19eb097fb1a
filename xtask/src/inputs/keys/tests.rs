//! The history can be read in only one way, or is refused with the line of the error.

use std::collections::BTreeMap;

use super::{HISTORY, Keys, PublicKey, next_version, read, statement};
use crate::inputs::PUBLIC_KEY;

/// Three public keys from cosign. Nobody has their private halves.
pub(crate) const PEM: [&str; 3] = [
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvzaAR3BBtb2F2M9TEuWlkkM9CkuC\n\
     4EuYg9URXT//JTM3dLpHBWpG9/p4Tmk5aNinZyp0uBVsZDD2o+MYRhypOA==\n-----END PUBLIC KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgrUl8u6BHGyfLL0/xmBlWabvPBsZ\n\
     NqHS2QlDEvr59a6JO44kvpsR6Lqc4B0kKdyfyYGrwddn6fo8rSLBe3vpHg==\n-----END PUBLIC KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUvgvlyi/t45m4Ddm9MWXtju31B/u\n\
     YdEPWrTKG0jyL6/e7YM8fH9BhxEW3+nxcqJthL99Dsl3gTgarn/GK8x6WA==\n-----END PUBLIC KEY-----\n",
];

fn fingerprint(index: usize) -> String {
    PublicKey::parse(PEM[index].as_bytes()).unwrap().fingerprint().to_string()
}

/// A table of the list.
fn table(index: usize, from: &str, more: &str) -> String {
    format!("[[key]]\nfingerprint = \"{}\"\nfrom = \"{from}\"\n{more}\n", fingerprint(index))
}

/// A repository with three keys: the second is endorsed, the third is not.
pub(crate) fn repository() -> BTreeMap<String, Vec<u8>> {
    let list = [
        table(0, "0.1.0", ""),
        table(1, "1.0.1-0", "also = [\"0.9.5\"]"),
        table(2, "2.0.0", "unendorsed = \"lost\""),
    ];
    let files = [
        (PUBLIC_KEY, PEM[2].to_owned()),
        (HISTORY, list.concat()),
        ("keys/0001.pub", PEM[0].to_owned()),
        ("keys/0002.pub", PEM[1].to_owned()),
        ("keys/0002.endorsement", "b3du".to_owned()),
        ("keys/0003.pub", PEM[2].to_owned()),
    ];
    files.into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())).collect()
}

fn keys(files: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<Keys> {
    Keys::read(&|paths| Ok(paths.iter().map(|path| files.get(path).cloned()).collect())).unwrap()
}

#[test]
fn the_key_of_a_version_lists_it_or_else_is_the_last_that_begins_at_or_below_it() {
    let keys = keys(&repository()).unwrap();
    for (tag, expected) in [
        ("v0.0.9", None),
        ("v0.1.0", Some(1)),
        ("v0.9.4", Some(1)),
        ("v0.9.5", Some(2)),
        ("v1.0.0", Some(1)),
        ("v1.0.1-rc.1", Some(2)),
        ("v1.0.1", Some(2)),
        ("v2.0.0-rc.1", Some(2)),
        ("v2.0.0", Some(3)),
        ("v10.0.0", Some(3)),
    ] {
        let found = keys.of_version(&tag.parse().unwrap()).map(|(number, _)| number);
        assert_eq!(found, expected, "{tag}");
    }
}

#[test]
fn an_endorsement_signs_both_keys_and_the_first_version() {
    let keys = keys(&repository()).unwrap();
    let endorsements = keys.endorsements();
    assert_eq!(endorsements.len(), 1, "the third key has none");
    let [old, new] = [fingerprint(0), fingerprint(1)];
    let expected = format!("xtask-key-endorsement/1\nold {old}\nnew {new}\nfrom 1.0.1-0\n");
    assert_eq!((endorsements[0].number, &endorsements[0].statement), (2, &expected));
    assert_eq!(endorsements[0].by.fingerprint().as_str(), old);
    let again = statement(&old.parse().unwrap(), &new.parse().unwrap(), &"1.0.1-0".parse().unwrap());
    assert_eq!(again, expected);
}

#[test]
fn a_repository_without_a_history_has_one_key_for_every_version() {
    let files = [(PUBLIC_KEY.to_owned(), PEM[0].as_bytes().to_vec())].into();
    let keys = keys(&files).unwrap();
    assert!(!keys.is_written && keys.endorsements().is_empty());
    for tag in ["v0.0.0-0", "v0.1.0", "v9.9.9"] {
        assert_eq!(keys.of_version(&tag.parse().unwrap()).unwrap().0, 1, "{tag}");
    }
}

#[test]
fn an_invalid_list_is_refused_with_the_line() {
    let [first, second] = [table(0, "0.1.0", ""), table(1, "1.0.0", "")];
    assert_eq!(read(format!("# comment\n\n{first}{second}").as_bytes()).unwrap().len(), 2);
    let long = format!("{first}# {}\n", "x".repeat(70 << 10));
    let also = |index, from: &str| table(index, from, "also = [\"0.9.9\"]");
    let words = |size: usize| table(1, "1.0.0", &format!("unendorsed = \"{}\"", "x".repeat(size)));
    assert!(read(format!("{first}{}", words(300)).as_bytes()).is_ok());
    for (text, words) in [
        (String::new(), "it names no key"),
        (format!("{first}{}", table(1, "0.1.0", "")), "line 5, key 2: `from` is 0.1.0"),
        (format!("{first}{}", table(1, "0.0.9", "")), "line 5, key 2: `from` is 0.0.9"),
        (format!("{first}{}", table(0, "1.0.0", "")), "line 5, key 2: sha256:"),
        (table(0, "0.1.0", "also = [\"0.0.9\"]"), "line 1, key 1: the first key needs no `also`"),
        (table(0, "0.1.0", "unendorsed = \"lost\""), "line 1, key 1: the first key cannot be"),
        (format!("{first}{}", table(1, "1.0.0", "also = [\"1.0.0\"]")), "not below `from`"),
        (format!("{first}{}", table(1, "1.0.0", "also = [\"0.9.9\", \"0.9.9\"]")), "listed before"),
        (format!("{first}{}{}", also(1, "1.0.0"), also(2, "2.0.0")), "listed before"),
        (format!("{first}{}", table(1, "1.0.0", "unendorsed = \"\"")), "must say why"),
        (format!("{first}{}", words(301)), "must say why"),
        (format!("{first}{}", table(1, "1.0.0", "unendorsed = \"a\\nb\"")), "must say why"),
        (format!("{first}{}", table(1, "1.0.0", "retired = true")), "line 5, key 2: `retired`"),
        (table(0, "0.1.0", "retired = true"), "line 1, key 1: `retired`"),
        (table(0, "0.1.0+build", ""), "line 1, key 1: `0.1.0+build` is not a version"),
        (table(0, "0.1", ""), "line 1, key 1: `0.1` is not a version"),
        (table(0, "0.1.0", "until = \"1.0.0\""), "unknown field `until`"),
        (table(0, "0.1.0", "from = \"0.2.0\""), "duplicate key"),
        (format!("x = 1\n{first}"), "unknown field `x`"),
        (format!("key = [{{fingerprint = \"{}\", from = \"0.1.0\"}}]", fingerprint(0)), "a table of its own"),
        (long, "bytes"),
    ] {
        let error = format!("{:#}", read(text.as_bytes()).unwrap_err());
        assert!(error.contains(words), "{text}\n{error}\nexpected {words}");
    }
    let many: String = (0..=100).map(|major| table(0, &format!("{major}.0.0"), "")).collect();
    assert!(format!("{:#}", read(many.as_bytes()).unwrap_err()).contains("101 keys"));
    assert!(read(b"\xff").is_err());
}

#[test]
fn files_that_disagree_with_the_list_are_refused_by_name() {
    let long = "b3du".repeat(1 << 10);
    let cases: [(&str, Option<&str>, &str); 11] = [
        ("keys/0002.pub", None, "there is no `keys/0002.pub`"),
        ("keys/0002.pub", Some(PEM[0]), "`keys/0002.pub` has the fingerprint"),
        ("keys/0002.pub", Some("x"), "reading `keys/0002.pub`: it is not one public key"),
        ("keys/0002.endorsement", None, "there is no `keys/0002.endorsement`"),
        ("keys/0002.endorsement", Some("no base64"), "reading `keys/0002.endorsement`: it is not one line"),
        ("keys/0002.endorsement", Some(""), "reading `keys/0002.endorsement`: it is empty"),
        ("keys/0002.endorsement", Some(&long), "reading `keys/0002.endorsement`: it has 4096 bytes"),
        ("keys/0003.endorsement", Some("b3du"), "key 3 of `keys/history.toml` is `unendorsed`"),
        ("keys/0001.endorsement", Some("b3du"), "no key before the first"),
        ("cosign.pub", Some(PEM[1]), "the last key of `keys/history.toml`"),
        ("cosign.pub", None, "there is no `cosign.pub`"),
    ];
    for (path, text, words) in cases {
        let mut files = repository();
        match text {
            Some(text) => files.insert(path.to_owned(), text.as_bytes().to_vec()),
            None => files.remove(path),
        };
        let error = format!("{:#}", keys(&files).unwrap_err());
        assert!(error.contains(words), "{path}: {error}");
    }
}

#[test]
fn a_key_has_one_fingerprint_however_its_file_is_spelled() {
    let key = PublicKey::parse(PEM[0].as_bytes()).unwrap();
    // Output of `openssl pkey -pubin -in cosign.pub -outform DER | sha256sum`.
    assert_eq!(key.fingerprint().hex(), "ab05410f609dc561151b3fc03597ad1524c76da84ae820cc1b86826c80f412c8");
    assert_eq!(key.pem(), PEM[0]);
    for spelling in [PEM[0].trim_end().to_owned(), PEM[0].replace('\n', "\r\n"), format!("\n{}\n", PEM[0])] {
        assert_eq!(PublicKey::parse(spelling.as_bytes()).unwrap(), key, "{spelling:?}");
    }
    for bad in [
        String::new(),
        PEM[0].repeat(2),
        format!("comment\n{}", PEM[0]),
        PEM[0].replace("PUBLIC", "PRIVATE"),
        PEM[0].replace("OA==", "OB=="),
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----".to_owned(),
        "x".repeat(4000),
    ] {
        assert!(PublicKey::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn policies_accept_the_current_key_and_the_one_that_endorsed_it() {
    let numbers = |keys: &Keys| keys.accepted().into_iter().map(|(number, _)| number).collect::<Vec<_>>();
    let mut keys = keys(&repository()).unwrap();
    assert_eq!(numbers(&keys), [3], "a lost key is not accepted beside its successor");
    drop(keys.keys.pop());
    assert_eq!(numbers(&keys), [1, 2]);
    keys.keys[0].entry.retired = true;
    assert_eq!(numbers(&keys), [2]);
    drop(keys.keys.pop());
    keys.keys[0].entry.retired = false;
    assert_eq!(numbers(&keys), [1]);
}

#[test]
fn the_next_key_begins_above_a_tag_and_below_every_later_version() {
    for (tag, expected, after) in [
        ("v1.2.3", "1.2.4-0", ["v1.2.4-alpha", "v1.2.4", "v1.3.0-rc.1"]),
        ("v1.3.0-rc.1", "1.3.0-rc.1.0", ["v1.3.0-rc.1.1", "v1.3.0-rc.2", "v1.3.0"]),
    ] {
        let next = next_version(&tag.parse().unwrap()).unwrap();
        assert_eq!(next.to_string(), expected);
        assert!(next > *tag.parse::<crate::inputs::version::ReleaseTag>().unwrap().version());
        for after in after {
            assert!(
                after.parse::<crate::inputs::version::ReleaseTag>().unwrap().version() > &next,
                "{after}"
            );
        }
    }
}
