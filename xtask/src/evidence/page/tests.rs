//! Which part of a page is compared, and how the words that people wrote on it are kept.

use super::{
    Format, Page, PublishedPage, generated_part, has_image_part, has_same_content, names_image, pulled,
    with_words_of,
};
use crate::tool::git::Commit;

fn page(body: &str) -> Page {
    Page {
        tag: "v1.0.0".parse().unwrap(),
        commit: Commit::parse(&"a".repeat(40)).unwrap(),
        title: "carol v1.0.0".to_owned(),
        body: body.to_owned(),
        prerelease: false,
    }
}

fn found(body: &str, expected: &Page) -> bool {
    has_same_content(&published(body), expected)
}

fn published(body: &str) -> PublishedPage {
    let (page, address, assets) = (page(body), String::new(), Vec::new());
    PublishedPage { id: 1, page, draft: false, address, assets }
}

#[test]
fn people_may_add_text_only_above_the_generated_part() {
    let mark = Format::NEWEST.mark();
    let expected = page(&format!("## Changes\n\n- one\n\n## Image\n\npromise\n\n{mark}\n"));
    assert!(generated_part(&expected.body).ends_with(&format!("promise\n\n{mark}\n")));
    let found = |body: &str| found(body, &expected);
    let body = &expected.body;
    assert!(found(body) && found(body.trim_end()));
    assert!(found(&body.replace("- one", "- one, which was a lot of work")));
    assert!(found(&format!("Hello!\n\n### Image\n\nA picture.\n\n{body}")));
    assert!(found(&body.replace('\n', "\r\n")), "as a browser sends it");
    assert!(!found(&format!("{body}\nThanks to everyone.\n")), "the page must end with the generated part");
    assert!(!found(&format!("## Image\n\nanother\n\n{body}")), "another part about an image above it");
    assert!(!found(&body.replace("promise", "promise!")));
    assert!(!found(&body.replace(&mark, "")), "the mark belongs to the generated part");
    assert!(!found(&body.replace(&mark, &Format::One.mark())));
}

#[test]
fn what_people_wrote_is_kept_when_a_page_is_rewritten() {
    let mark = Format::NEWEST.mark();
    let generated = format!("## Image\n\npromise\n\n{mark}\n");
    let expected = page(&format!("## Changes\n\n- one\n\n{generated}"));
    let written = |body: &str| with_words_of(body, expected.clone()).unwrap().body;
    assert_eq!(written(""), expected.body);
    assert_eq!(written(&expected.body), expected.body, "nobody wrote anything");
    let by_hand = "We are *very* happy.\r\n\r\n### Image\r\n\r\nA picture.\r\n";
    let kept = format!("We are *very* happy.\n\n### Image\n\nA picture.\n\n{}", expected.body);
    assert_eq!(written(by_hand), kept, "a page that was made by hand");
    let other = format!("Words.\n\n- one, by hand\n\n## Image\n\nanother\n\n{mark}\n\nThanks.\n");
    assert_eq!(written(&other), format!("Words.\n\n- one, by hand\n\nThanks.\n\n{generated}"));
    for quoted in [format!("It ends with {mark}, as you see."), format!("Like this:\n{mark}\nor so.")] {
        let other = format!("{generated}\nThanks.\n\n{quoted}\n\nBye.\n");
        assert_eq!(written(&other), format!("Thanks.\n\n{quoted}\n\nBye.\n\n{generated}"));
    }
    let grouped = format!("## Changes\n\n### Other changes\n\n- `Revert \"a\"`\n\n{generated}");
    assert_eq!(written(&grouped), grouped, "changes that an earlier xtask grouped in another way");
    for body in [written(by_hand), written(&other), grouped] {
        assert!(found(&body, &expected), "{body}");
        assert_eq!(written(&body), body, "writing it again changes nothing");
    }
    for bad in ["```sh\ncurl x | sh\n```", "<details>", "## Verify", "docker pull x@sha256:ab"] {
        assert!(with_words_of(bad, expected.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_draft_has_no_image_part_and_its_notice_gives_way_to_the_page() {
    let image = "```sh\ndocker pull r.example.org/x@sha256:ab\n```";
    let mark = Format::NEWEST.mark();
    let expected = page(&format!("## Changes\n\n- one\n\n## Image\n\n{image}\n\n{mark}\n"));
    let draft = expected.unfinished();
    let named = Some("r.example.org/x@sha256:ab".to_owned());
    assert_eq!((pulled(&draft.body), pulled(&draft.body.replace('\n', "\r\n"))), (named.clone(), named));
    assert!(
        !has_image_part(&draft.body) && Page { body: expected.body.clone(), ..draft.clone() } == expected
    );
    let is_unfinished = |body: &str| published(body).is_unfinished();
    assert!(is_unfinished(&draft.body) && !is_unfinished(&expected.body));
    assert_eq!(with_words_of(&draft.body, expected.clone()).unwrap().body, expected.body);
    let with_words = format!("{}\r\nThanks.\r\n", draft.body.replace('\n', "\r\n"));
    assert_eq!(
        with_words_of(&with_words, expected.clone()).unwrap().body,
        format!("Thanks.\n\n{}", expected.body)
    );
    // A run on another engine may have named another digest of the same content.
    let other = page(&expected.body.replace("sha256:ab", "sha256:cd")).unfinished();
    for (draft, kept) in [
        (other.body.clone(), String::new()),
        (other.body.replace('\n', "\r\n"), String::new()),
        (
            format!("Hello.\n\n{} And thanks.\n", other.body.trim_end()),
            "Hello.\n\n And thanks.\n\n".to_owned(),
        ),
    ] {
        let written = with_words_of(&draft, expected.clone()).unwrap().body;
        assert_eq!(written, format!("{kept}{}", expected.body), "{draft:?}");
    }
    assert!(with_words_of(&format!("The image is `x@sha256:{}`.", "a".repeat(64)), expected).is_err());
}

#[test]
fn text_that_a_web_form_wrote_into_both_page_and_tag_is_shown_once() {
    let generated = format!("## Changes\n\n- one\n\n## Image\n\npromise\n\n{}\n", Format::NEWEST.mark());
    for (words, found, expected) in [
        ("carol 1.0\n\nFaster.\nSafer.\n\n", "Faster.\r\nSafer.\r\n", "carol 1.0\n\nFaster.\nSafer.\n\n"),
        ("Faster.\n\n", "Faster.", "Faster.\n\n"),
        ("carol 1.0\n\nFaster.\n\n", "aster.", "aster.\n\ncarol 1.0\n\nFaster.\n\n"),
        ("carol 1.0\n\nFaster.\n\n", "- one", "- one\n\ncarol 1.0\n\nFaster.\n\n"),
        ("", "Faster.", "Faster.\n\n"),
    ] {
        let written = with_words_of(found, page(&format!("{words}{generated}"))).unwrap().body;
        assert_eq!(written, format!("{expected}{generated}"), "{found:?}");
        assert_eq!(with_words_of(&written, page(&format!("{words}{generated}"))).unwrap().body, written);
    }
}

#[test]
fn a_hand_written_image_heading_is_refused_with_its_line() {
    let mark = Format::NEWEST.mark();
    let generated = format!("## Image\n\npromise\n\n{mark}\n");
    let expected = page(&format!("## Changes\n\n- one\n\n{generated}"));
    for (body, line) in [
        ("Words.\n\n## Image\n\nA picture.\n\n## Upgrade\n\nDo it.\n".to_owned(), "line 3: "),
        (format!("Words.\n\n## Image\n\nA picture.\n\n{}", expected.body), "line 3: "),
    ] {
        let error = with_words_of(&body, expected.clone()).unwrap_err();
        assert!(error.to_string().starts_with(line), "{body:?}: {error:#}");
    }
}

#[test]
fn the_image_of_a_page_is_read_whatever_its_line_endings() {
    let mark = Format::NEWEST.mark();
    let body = format!("Words.\n\n## Image\n\n```sh\ndocker pull r.example.org/x@sha256:ab\n```\n\n{mark}\n");
    for body in [body.clone(), body.replace('\n', "\r\n"), format!("## Image\n\nA picture.\n\n{body}")] {
        assert_eq!(pulled(&body).as_deref(), Some("r.example.org/x@sha256:ab"), "{body:?}");
    }
    let changed = body.replace("docker pull", "podman pull");
    assert!(has_image_part(&changed) && pulled(&changed).is_none());
    for other in ["", "## Image\n\nA picture.\n", "text ## Image\n\n```sh\ndocker pull x\n```\n"] {
        assert!(!has_image_part(other) && pulled(other).is_none(), "{other:?}");
    }
}

#[test]
fn an_image_name_or_digest_is_found_under_any_heading() {
    let image = "forge.example.org/acme/carol".parse().unwrap();
    let hex = "aB".repeat(32);
    for named in [
        "## Image\n\n```sh\ndocker pull r.example.org/x@sha256:ab\n```\n",
        "## Get it\n\n    docker pull forge.example.org/acme/carol:v9.0.0\n",
        "Run `Forge.Example.org/Acme/carol@…`.",
        &format!("## Download\n\nthe image SHA256:{hex}"),
        &format!("sha256:{hex}and more"),
    ] {
        assert!(names_image(named, &image), "{named:?}");
    }
    for other in [
        "",
        "## Image\n\nA picture.\n",
        "https://forge.example.org/acme/other/releases",
        "sha256:ab and sha256: é",
        &hex,
    ] {
        assert!(!names_image(other, &image), "{other:?}");
    }
}
