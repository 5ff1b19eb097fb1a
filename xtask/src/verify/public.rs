//! The claims about what is public: the version tag, the git tag, the page and its commands, `latest`.

use anyhow::{Context as _, Result, ensure};

use crate::forge::{Page, PublishedPage};
use crate::reference::Digest;
use crate::release::source::Source;
use crate::release::{Release, page};
use crate::tool::git::Commit;

use super::claim::{Claim, Seen};
use super::look::{LatestSeen, PublicSeen};

/// The claim about `latest`.
pub(super) const LATEST: &str = "latest";

/// Judges what was seen under the release's names; `expected` is the page as it was or would be written.
pub(super) fn judge(
    release: &Release<'_>,
    digest: &Digest,
    expected: &Page,
    seen: &PublicSeen,
) -> Vec<Claim> {
    let tag = &release.source.tag;
    let found =
        |page: &Option<PublishedPage>| page.clone().with_context(|| format!("there is no page for `{tag}`"));
    vec![
        Claim::judge("tag.image", &seen.version_tag, |found| {
            let name = release.target.image.tagged(&tag.registry_tag());
            let found = found.as_ref().with_context(|| format!("there is no `{name}`"))?;
            ensure!(found == digest, "`{name}` names `{found}`: expected `{digest}`");
            Ok(format!("`{name}` names `{digest}`"))
        }),
        judge_git_tag(release, &seen.forge_tag),
        Claim::judge("page.state", &seen.page, |page| {
            let page = found(page)?;
            ensure!(!page.draft, "the page is a draft");
            ensure!(
                page.page.prerelease == expected.prerelease,
                "it is shown as pre-release: {}",
                page.page.prerelease
            );
            Ok(page.address)
        }),
        Claim::judge("page.image", &seen.page, |page| {
            let page = found(page)?;
            ensure!(page.page.body.contains(digest.as_str()), "the page does not name `{digest}`");
            Ok(format!("names `{digest}`"))
        }),
        Claim::judge("page.commands", &seen.page, |page| {
            let (found, expected) =
                (fenced(page::promises(&found(page)?.page.body)), fenced(page::promises(&expected.body)));
            ensure!(
                found == expected,
                "the page's commands are\n{}\nexpected\n{}",
                found.join("\n"),
                expected.join("\n")
            );
            Ok(format!("{} commands, as they were run", expected.len()))
        }),
        Claim::judge(LATEST, &seen.latest, judge_latest),
    ]
}

/// The claim about the git tag alone, asked for on its own.
pub(super) fn git_tag(release: &Release<'_>) -> Claim {
    let seen = release.target.forge.tag(&release.source.tag).map_err(|error| format!("{error:#}"));
    judge_git_tag(release, &seen)
}

fn judge_git_tag(release: &Release<'_>, seen: &Seen<Option<Commit>>) -> Claim {
    let Source { tag, commit, .. } = release.source;
    Claim::judge("tag.git", seen, |found| {
        let found = found
            .as_ref()
            .with_context(|| format!("the forge has no tag `{tag}`; push it with `git push origin {tag}`"))?;
        ensure!(found == commit, "`{tag}` is at {found} on the forge and at {commit} here");
        Ok(format!("`{tag}` is at {commit} on the forge as well"))
    })
}

fn judge_latest(seen: &LatestSeen) -> Result<String> {
    let Some((tag, digest)) = &seen.highest else {
        ensure!(seen.latest.is_none(), "`latest` names an image, but there is no stable version");
        return Ok("there is no stable version, and no `latest`".to_owned());
    };
    let latest =
        seen.latest.as_ref().with_context(|| format!("there is no `latest`: it belongs on {tag}"))?;
    ensure!(Some(latest) == digest.as_ref(), "`latest` names `{latest}`: it belongs on {tag}");
    Ok(format!("names {tag}"))
}

/// The lines of every fenced block (`CommonMark` 0.31 §4.5): what a reader would paste.
fn fenced(body: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fence: Option<String> = None;
    for line in body.lines() {
        let text = line.trim_start_matches([' ', '>', '-', '*', '+']);
        let run: String = text.chars().take_while(|c| matches!(c, '`' | '~')).collect();
        match &fence {
            None if run.len() >= 3 => fence = Some(run),
            Some(open) if run.starts_with(open.as_str()) && text.trim_end() == run => fence = None,
            Some(_) => lines.push(line.to_owned()),
            None => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{fenced, judge_latest};
    use crate::reference::Digest;
    use crate::verify::look::LatestSeen;

    #[test]
    fn every_fenced_line_counts_wherever_it_is() {
        let body =
            "text\n```sh\none\n```\n- ~~~\n  two\n  ~~~\n> ```\n> three\n> ```\n```` \nfour\n```\nfive\n";
        assert_eq!(fenced(body), ["one", "  two", "> three", "four", "```", "five"]);
    }

    #[test]
    fn latest_is_on_the_highest_stable_version_or_nowhere() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let seen = |latest: Option<&Digest>, highest: Option<&Digest>| LatestSeen {
            latest: latest.cloned(),
            highest: highest.map(|digest| ("v1.0.0".parse().unwrap(), Some(digest.clone()))),
        };
        assert!(judge_latest(&seen(Some(&a), Some(&a))).is_ok());
        assert!(judge_latest(&seen(None, None)).is_ok());
        for (latest, highest) in [(Some(&a), Some(&b)), (None, Some(&a)), (Some(&a), None)] {
            assert!(judge_latest(&seen(latest, highest)).is_err());
        }
    }
}
