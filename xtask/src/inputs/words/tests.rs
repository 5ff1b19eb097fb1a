//! Which texts are allowed on a page, and where a block begins.

use super::{block, of_tag, read};

#[test]
fn a_tag_message_is_used_only_if_it_says_more_than_the_version() {
    let words = |message: &str| of_tag(&"v1.2.0-rc.1".parse().unwrap(), message.as_bytes());
    for nothing in [
        "",
        "\n",
        "v1.2.0-rc.1\n",
        "1.2.0-rc.1",
        "Release v1.2.0-rc.1.",
        "Release: 1.2.0-rc.1",
        "Version 1.2.0-rc.1\n",
        "chore(release): 1.2.0-rc.1\n\nSigned-off-by: Ann <ann@example.org>\n",
        "Signed-off-by: Ann <ann@example.org>",
    ] {
        assert_eq!(words(nothing), None, "{nothing}");
    }
    for text in ["Faster than ever.", "- one\n- two", "v1.2.0", "Release 1.2.0-rc.1 is faster"] {
        assert_eq!(words(&format!("{text}\n")).as_deref(), Some(text));
    }
    assert_eq!(words("Release 1.2.0-rc.1\n\nFaster.\n\n- one\n").as_deref(), Some("Faster.\n\n- one"));
    let signed = "Faster.\n\nReviewed-by: Bob <b@x>\nSigned-off-by: Ann <ann@example.org>\n";
    assert_eq!(words(signed).as_deref(), Some("Faster."));
    let unfit = words("Words.\n\n## Image\n").unwrap();
    assert!(
        unfit.starts_with("The message of the git tag is not shown here: line 3: ")
            && !unfit.contains("##\u{20}"),
        "{unfit}"
    );
    let secret = words("See https://bob:hunter2@example.org\n").unwrap();
    assert!(secret.contains("line 1: this looks like a token") && !secret.contains("hunter2"), "{secret}");
}

/// The test tries every 29th text of four of these lines. An accepted text must render without anything that is
/// forbidden.
const LINES: [&str; 26] = [
    "",
    "text",
    "- item",
    "* item",
    "1. item",
    "2) item",
    "> quote",
    "  - nested",
    "    - nested",
    "    text",
    "  text",
    "-",
    "---",
    "- ---",
    "> ---",
    "===",
    "* * *",
    "-     curl x | sh",
    ">     curl x | sh",
    "1.      curl x | sh",
    "- > text",
    "1) ## Image",
    "### Image",
    "      - deep",
    "sha256&#58;ab",
    "`docker pull x`",
];

#[test]
fn accepted_words_render_without_code_html_and_top_level_headings() {
    use pulldown_cmark::{Event, HeadingLevel, Parser, Tag};
    let is_wrong = |event: &Event<'_>| match event {
        Event::Start(Tag::CodeBlock(_)) | Event::Html(_) | Event::InlineHtml(_) => true,
        Event::Start(Tag::Heading { level, .. }) => *level <= HeadingLevel::H2,
        Event::Text(text) => text.contains("sha256:"),
        _ => false,
    };
    let (count, mut accepted) = (LINES.len(), 0);
    for number in (0..count.pow(4)).step_by(29) {
        let lines = (0..4).map(|place| LINES[number / count.pow(place) % count]);
        let text = lines.collect::<Vec<_>>().join("\n");
        let Ok(words) = read(text.as_bytes()) else { continue };
        accepted += 1;
        let wrong = Parser::new(&words).find(is_wrong);
        assert!(wrong.is_none(), "{text:?}: {wrong:?}");
    }
    assert!(accepted > 1_000, "{accepted}");
}

#[test]
fn the_beginning_of_a_block_is_found_in_lists_and_quotes_too() {
    for text in [
        "",
        "- `one`\n- ```` ```sh ```` (4993ff5a)\n    - nested\n",
        "<details><summary>Dependencies (1)</summary>\n\n- a\n\n</details>\n",
        "a < b, `<pre>`, ~~no~~",
        "<details><summary>A &amp; b (12)</summary>\n\n### New\n\n- ``<a>` ``\n\n</details>\n\n<details><summary>C (1)</summary>\n\n- d\n\n</details>\n\nend",
        "- `| <a> |` ([#1](https://x/y))\n  - `<b>`\n- `[a](x`\n- `<c>`\n",
        "| a | b |\n|---|---|\n| c | `d` |",
        "[a](https://x/src/commit/4993ff5a/b.md)\n\n`https://x/y/z/src/commit/4993ff5a/b#L1` and `&#60;`",
        "10. a\n\n    - b",
    ] {
        assert_eq!(block(text), None, "{text:?}");
    }
    for bad in [
        "```sh",
        "  ~~~ `a`",
        "1. ```",
        "12) > - ```sh",
        "+ ~~~",
        "    curl x | sh",
        "\tcurl x | sh",
        "- a\n\n      curl x | sh",
        "> \tcurl x | sh",
        "<pre>",
        "> <pre>",
        "<!-- hidden",
        "<details>",
        "<DETAILS><summary>",
        "</details><pre>",
    ] {
        let text = format!("words\n\n{bad}\n\nmore\n");
        assert!(block(&text).is_some_and(|line| line >= 3), "{bad:?}");
    }
}

#[test]
fn blocks_that_only_forges_render_and_folds_unlike_the_notes_own_are_found() {
    for bad in [
        // Extensions of forges: definitions, footnotes, formulas, other line endings.
        "run\n: ```sh\n  curl x | sh",
        "run\n:         curl x | sh",
        "run\n\n: - ~~~",
        "a[^1]\n\n[^1]: ```sh",
        "> [^a]: 1. ~~~",
        "[^1]:         curl x | sh",
        "$$\ncurl x | sh\n$$",
        "a $$curl x | sh$$",
        "- \\[\ncurl x | sh",
        "words\r```sh\rcurl x | sh",
        "https://forge/a/b/src/commit/4993ff5a/install.sh#L1-L3",
        "https://forge/a/b/src\\/commit/4993ff5a/install.sh#L1-L3",
        "https://forge/a/b/src&#47;commit/4993ff5a/install.sh#L1-L3",
        // HTML within a line, also where only some renderers see a code span.
        "run <pre>curl x | sh</pre>",
        "see <https://x>",
        "- a <!-- hidden",
        "\\`<pre>`",
        "`a\nb` <pre> `",
        "[a](x`y) <pre> `",
        "[a](x \"\n`\") <pre> `",
        "https://x.y/` <pre> `",
        "$`$ <pre> `",
        "| `a | <pre>b</pre>` |\n|---|---|",
        // No list at all.
        "1234567890. a\n\n    - curl x | sh",
        "1. a\n\n  b\n\n    - curl x | sh",
        // Folds that are not those of the notes.
        "<details><summary>Upgrade</summary><pre><code>curl x | sh</code></pre></details>",
        "<details><summary>Old, do not use</summary>",
        "<details><summary>Old, do not use (1)</summary>",
        "<details><summary>Old <b>(1)</summary>\n\n</details>",
        "<details><summary>Old (1)</summary>\n`<pre>`\n\n</details>",
        "<details><summary>Old (1)</summary>\n\n<details><summary>Old (1)</summary>\n\n</details>",
        "<details><summary>Old (1)</summary>\n\n</details>\n`<pre>`",
        "</details>\n",
    ] {
        let text = format!("words\n\n{bad}\n\nmore\n");
        assert!(block(&text).is_some_and(|line| line >= 3), "{bad:?}");
    }
}

#[test]
fn words_that_could_pass_for_the_generated_part_are_refused() {
    let fine = "Thanks to everyone.\n\n### Before you upgrade\n\n- Set `PORT`.\n    - nested\n\n1. [More](https://example.org)\n";
    assert_eq!(read(fine.as_bytes()).unwrap(), fine.trim());
    assert_eq!(read(b"a\r\nb\r\n").unwrap(), "a\nb");
    for (bad, words) in [
        ("```sh\ncurl x | sh\n```", "line 1: a block of code"),
        ("1. ```sh", "a block of code"),
        ("a\n\n    curl x | sh", "line 3: a block of code"),
        ("~~~", "a block of code"),
        ("<!-- hidden", "HTML"),
        ("<details>", "HTML"),
        ("docker pull x@sha256:abc", "a digest"),
        ("a\n\nuse npm_a1B2c3D4e5F6g7H8a1B2c3D4e5F6g7H8a1B2", "line 3: this looks like a token"),
        ("https://bob:hunter2@example.org", "this looks like a token"),
        ("-----BEGIN PRIVATE KEY-----", "this looks like a token"),
        ("## Image", "headings"),
        ("# Title", "headings"),
        ("> ## Image", "headings"),
        ("Image\n=====", "line 2: the page's own headings"),
        ("Image\n-----", "line 2: the page's own headings"),
        ("> Image\n> -", "line 2: the page's own headings"),
        ("1) ## Image", "headings"),
        ("Image\n: ## Image", "headings"),
        ("run\n:         curl x | sh", "line 2: a block of code"),
        ("$$\ncurl x | sh\n$$", "line 1: a block of code"),
        ("https://x/a/b/src/commit/4993ff5a/install.sh#L1", "line 1: a block of code"),
        ("text\n\n    - curl x | sh", "line 3: a block of code"),
        ("-     curl x | sh", "a block of code"),
        (">     curl x | sh", "a block of code"),
        ("x@sha256&#58;abc", "a sign that is written as another one"),
        ("x@sha256\\:abc", "a digest"),
        ("x@SHA**256:**abc", "a digest"),
        ("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "a digest"),
        ("a\tb", "cannot be seen"),
        ("a\u{202e}b", "cannot be seen"),
        ("a\u{1b}[2K", "cannot be seen"),
    ] {
        let error = format!("{:#}", read(bad.as_bytes()).unwrap_err());
        assert!(error.contains(words), "{bad:?}: {error}");
    }
    assert!(read(b"caf\xe9").is_err() && read(&vec![b'x'; 20 << 10]).is_err());
}

/// Parts of random texts: what has a meaning in Markdown and in the extensions of forges.
const PARTS: [&str; 44] = [
    "\n",
    "\n",
    "\n",
    "\n\n",
    "\n\n",
    " ",
    "  ",
    "    ",
    "- ",
    "* ",
    "1. ",
    "100) ",
    "> ",
    ": ",
    ":",
    "[^1]: ",
    "[^1]",
    "`",
    "`",
    "``",
    "```",
    "~~~",
    "<pre>",
    "</pre>",
    "<b>",
    "<!-- ",
    " -->",
    "<https://x.y>",
    "</details>\n",
    "\n<details><summary>Old (1)</summary>\n\n",
    "[a](x",
    ")",
    " \"",
    "\\",
    "$",
    "$$",
    "| ",
    "|---|---|\n",
    "&lt;",
    "https://x.y/",
    "## ",
    "===",
    "word",
    "curl x | sh",
];

#[test]
fn a_text_in_which_no_block_is_found_has_none_with_every_extension_either() {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let is_wrong = |event: &Event<'_>| match event {
        Event::Start(Tag::CodeBlock(_)) | Event::InlineHtml(_) | Event::DisplayMath(_) => true,
        Event::Html(html) => {
            !html.trim_end().ends_with("Old (1)</summary>") && html.trim_end() != "</details>"
        }
        _ => false,
    };
    let (mut seed, mut accepted) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    let mut below = |end: usize| {
        seed = (seed ^ (seed << 13)) ^ ((seed ^ (seed << 13)) >> 7);
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap() % end
    };
    for _ in 0..20_000 {
        let text: String = (0..2 + below(9)).map(|_| PARTS[below(PARTS.len())]).collect();
        if block(&text).is_some() {
            continue;
        }
        accepted += 1;
        let wrong = Parser::new_ext(&text, Options::all()).find(is_wrong);
        assert!(wrong.is_none(), "{text:?}: {wrong:?}");
    }
    assert!(accepted > 4_000, "{accepted}");
}
