//! `verify --source` clones the repository at the given address. Of the user's settings, only those apply that say
//! how a server is reached.

use std::fs;

use xtask::tool::git::Git;

use super::Repository;
use crate::servers::server::{Server, empty};

/// `OTHER` is another repository, `TOP` the one that is cloned, `TEMPLATE` a directory for new repositories.
const SETTINGS: &[&str] = &[
    "[url \"OTHER\"]\ninsteadOf = TOP\n",
    "[remote \"origin\"]\nurl = OTHER\n",
    "[remote \"origin\"]\nfetch = +refs/notes/*:refs/heads/*\n",
    "[remote \"origin\"]\nuploadpack = false\n",
    "[remote \"origin\"]\ntagOpt = --no-tags\n",
    "[transfer]\nhideRefs = refs/tags\n",
    "[uploadpack]\nhideRefs = refs/heads\n",
    "[transfer]\nfsckObjects = true\n",
    "[protocol]\nallow = never\n",
    "[init]\ntemplateDir = TEMPLATE\n",
    "[clone]\ndefaultRemoteName = up/stream\n",
    "[core]\nworktree = /\nbare = false\n",
    "[safe]\nbareRepository = explicit\n",
];

#[test]
fn the_users_settings_do_not_change_what_is_cloned() {
    let repository = Repository::new(&[("a.js", b"right\n")]);
    repository.git("tag v0.1.0");
    repository.git("notes add -m words");
    let (top, other) = (repository.top(), repository.scratch.path().join("other"));
    repository.git(&format!("clone --quiet . {}", other.display()));
    repository.git(&format!("-C {} commit --quiet --allow-empty --message wrong", other.display()));
    repository.git(&format!("-C {} tag --force v0.1.0", other.display()));
    let template = repository.home().join("template");
    fs::create_dir_all(template.join("refs/tags")).unwrap();
    fs::write(template.join("refs/tags/v9.0.0"), repository.git("rev-parse HEAD")).unwrap();
    let right = repository.git("for-each-ref refs/heads refs/tags");

    let mut wrong = Vec::new();
    for (number, settings) in SETTINGS.iter().enumerate() {
        let settings =
            settings.replace("OTHER", other.to_str().unwrap()).replace("TOP", top.to_str().unwrap());
        let settings = settings.replace("TEMPLATE", template.to_str().unwrap());
        fs::write(repository.home().join(".gitconfig"), &settings).unwrap();
        let clone = repository.scratch.path().join(number.to_string());
        let found = Git::cloned(&repository.runner, top.to_str().unwrap(), &clone);
        fs::remove_file(repository.home().join(".gitconfig")).unwrap();
        let refs = found
            .map(|_| repository.git(&format!("-C {} for-each-ref", clone.display())))
            .unwrap_or_else(|error| format!("{error:#}"));
        if refs != right {
            wrong.push(format!("{settings}{refs}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_clone_uses_the_users_http_settings() {
    let repository = Repository::new(&[("a.js", b"one\n")]);
    let server = Server::start(|_, _| empty(404)).unwrap();
    let url = format!("http://{}/acme/carol", server.address);
    // With all characters that have to be quoted in a configuration file.
    let value = "Authorization: Bearer a\"b\\c;d#e  f";
    repository.git(&format!("config --global --add http.{url}.extraHeader x"));
    let file = repository.home().join(".gitconfig");
    let text = fs::read_to_string(&file).unwrap();
    let quoted = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    fs::write(&file, text.replace("extraHeader = x", &format!("extraHeader = {quoted}"))).unwrap();
    assert!(Git::cloned(&repository.runner, &url, &repository.scratch.path().join("clone")).is_err());
    let requests = server.log().unwrap();
    assert_eq!(requests[0].authorization.as_deref(), value.split_once(": ").map(|(_, value)| value));
}
