//! The claims about what is public: the version tag, the git tag, the page and its commands, `latest`.

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::evidence::claims;
use crate::evidence::commands::verify_commands;
use crate::evidence::page::{self, Format, PublishedPage};
use crate::evidence::provenance::BuildType;
use crate::inputs::release::Release;
use crate::inputs::source::Source;
use crate::inputs::words;
use crate::oci::reference::Digest;
use crate::tool::git::Commit;

use super::assets::{self, Required};
use super::image::smoked;
use super::lines::{fenced, first_difference};
use crate::verify::claim::{Claim, Observed, Unavailable, Verdict};
use crate::verify::observe::{Answer, Names, ObservedImage, ObservedLatest, ObservedPublic};

/// Judges what was seen under the release's names. `image` is the result of the page's cosign commands; `None` if the
/// same process ran them before. `attested` determines which files the page must have.
pub(in crate::verify) fn judge(
    release: &Release<'_>,
    digest: &Digest,
    key_address: Option<&str>,
    seen: &ObservedPublic,
    image: Option<&ObservedImage>,
    attested: &Observed<Required>,
) -> Vec<Claim> {
    let mut claims = vec![tag_image(release, Some(digest), &seen.version_tag)];
    claims.extend(names(release, &seen.names));
    let page = found_page(&seen.names.page);
    claims.push(Claim::judge(claims::PAGE_IMAGE, &page, |page| {
        ensure!(page.page.body.contains(digest.as_str()), "the page does not name `{digest}`");
        Ok(format!("names `{digest}`"))
    }));
    let build_type = attested.as_ref().ok().map(|attested| attested.build_type);
    claims.push(commands(release, digest, key_address, &page, image, build_type));
    let is_there = page.map(|_page| ());
    claims.push(assets::judge(release, digest, attested, &is_there, &seen.names.assets));
    claims
}

/// The claim that the version tag exists and names the image that was asked for.
pub(in crate::verify) fn tag_image(
    release: &Release<'_>,
    digest: Option<&Digest>,
    seen: &Observed<Option<Digest>>,
) -> Claim {
    Claim::judge(claims::TAG_IMAGE, seen, |found| {
        let name = release.tagged();
        let found = found.as_ref().with_context(|| format!("there is no `{name}`"))?;
        let expected = digest.unwrap_or(found);
        ensure!(found == expected, "`{name}` names `{found}`: expected `{expected}`");
        Ok(format!("`{name}` names `{found}`"))
    })
}

/// The claims that need no digest: the git tag, and that there is a page.
pub(in crate::verify) fn names(release: &Release<'_>, seen: &Names) -> Vec<Claim> {
    let tag = &release.source.tag;
    let state = Claim::judge(claims::PAGE_STATE, &seen.page, |page| {
        let page = page.as_ref().with_context(|| format!("there is no page for `{tag}` that is public"))?;
        ensure!(!page.draft, "the page is a draft, which is not public");
        let (marked, version) =
            if tag.is_stable() { ("", "a stable version") } else { ("not ", "a pre-release") };
        ensure!(
            page.page.prerelease != tag.is_stable(),
            "the page is {marked}marked as a pre-release, and `{tag}` is {version}"
        );
        Ok(page.address.clone())
    });
    vec![git_tag(release, &seen.forge_tag), state]
}

fn found_page(seen: &Observed<Option<PublishedPage>>) -> Observed<&PublishedPage> {
    let page = seen.as_ref().map_err(Clone::clone)?;
    page.as_ref().ok_or(Unavailable::DependsOn(claims::PAGE_STATE))
}

/// The fenced lines of the page must be exactly those that a release prints in the format of its provenance's build
/// type. Above the page's part about the image there must be no block of code or HTML, and nothing that could pass
/// for that part, so that nobody is given anything else to paste. The page's cosign commands were run unchanged.
/// Nothing else on a page is ever run.
fn commands(
    release: &Release<'_>,
    digest: &Digest,
    key_address: Option<&str>,
    page: &Observed<&PublishedPage>,
    image: Option<&ObservedImage>,
    build_type: Option<BuildType>,
) -> Claim {
    let page = page.as_ref().map_err(Clone::clone).and_then(|page| {
        let format = Format::of(&page.page.body).map_err(|newer| Unavailable::Failed(newer.to_string()))?;
        // Without a known provenance, only the page itself says which format it has.
        Ok((page, build_type.map_or(format, Format::of_release)))
    });
    let text = Claim::judge(claims::PAGE_COMMANDS, &page, |(page, format)| {
        let body = page.page.body.replace("\r\n", "\n");
        let promised = page::generated_part(&body);
        let above = &body[..body.len() - promised.len()];
        if let Some(line) = words::block(above) {
            bail!("line {line} of the page may begin a block of code or HTML, which no release writes there");
        }
        if let Some((line, why)) = words::imitation(above, page::CHANGES_HEADING) {
            bail!("line {line} of the page {why}; find out who changed the page, and take that out");
        }
        let (found, expected) = (fenced(promised), page::commands(*format, release, key_address, digest));
        if let Some(difference) = first_difference(&found, &expected) {
            bail!("the page's commands: {difference}; find out who changed the page");
        }
        // Without a readable provenance, which another claim reports, it is unknown what the page has to say about
        // the test.
        if let Some(Ok(smoked)) = image.map(|image| smoked(release, image, digest)) {
            let ours = page::generated(*format, release, key_address, digest, &smoked)?;
            if !page::ends_with(&page.page.body, &ours) {
                let [found, ours] =
                    [promised, &*ours].map(|part| part.trim_end().split('\n').collect::<Vec<_>>());
                let difference = first_difference(&found, &ours).unwrap_or_default();
                bail!("the page from `## Image` on: {difference}; find out who changed it");
            }
        }
        Ok(format!(
            "{} lines, exactly those of a release; cosign accepts what they check about the image",
            expected.len()
        ))
    });
    let Some(image) = image.filter(|_| text.verdict == Verdict::Holds) else { return text };
    let answers = [&image.signature, &image.provenance, &image.sbom];
    let rejected = verify_commands(release, digest).into_iter().zip(answers).find_map(|(command, answer)| {
        let Ok(Answer::Rejected(words)) = answer else { return None };
        Some(format!("`{command}` fails: {words}"))
    });
    let unknown = answers.into_iter().find_map(|answer| answer.as_ref().err().cloned());
    let ran = match (rejected, unknown) {
        (None, Some(unknown)) => Err(unknown),
        (rejected, _) => Ok(rejected),
    };
    Claim::judge(claims::PAGE_COMMANDS, &ran, |rejected| match rejected {
        Some(words) => bail!("{words}"),
        None => Ok(text.evidence),
    })
}

/// The claim about `latest`. What makes it false does so even if it is unknown whether the version has a git tag.
pub(in crate::verify) fn latest(seen: &Observed<ObservedLatest>) -> Claim {
    let looked_at = seen.as_ref().map_err(Clone::clone);
    let looked_at = looked_at.and_then(|seen| match (judge_latest(seen), &seen.is_tagged) {
        (Ok(_), Err(unseen)) => Err(unseen.clone()),
        (said, _) => Ok(said.map_err(|wrong| format!("{wrong:#}"))),
    });
    Claim::judge(claims::LATEST, &looked_at, |said| said.clone().map_err(|wrong| anyhow!(wrong)))
}

/// The claim about the git tag.
pub(in crate::verify) fn git_tag(release: &Release<'_>, seen: &Observed<Option<Commit>>) -> Claim {
    let Source { tag, commit, .. } = release.source;
    Claim::judge(claims::TAG_GIT, seen, |found| {
        let found = found.as_ref().with_context(|| {
            format!(
                "the forge has no tag `{tag}`, which is {commit} here; find out who removed it, or push it if you made it: \
                 `git push origin {tag}`"
            )
        })?;
        ensure!(found == commit, "`{tag}` is at {found} on the forge and at {commit} here");
        Ok(format!("`{tag}` is at {commit} on the forge as well"))
    })
}

fn judge_latest(seen: &ObservedLatest) -> Result<String> {
    let Some((tag, digest)) = &seen.highest else {
        ensure!(seen.latest.is_none(), "`latest` names an image, but there is no stable version");
        return Ok("there is no stable version, and no `latest`".to_owned());
    };
    ensure!(
        !matches!(seen.is_tagged, Ok(false)),
        "the highest version in the registry is {tag}, which belongs to no release: neither this clone nor the forge has \
         such a git tag; find out who pushed it"
    );
    let place = format!("it belongs on {tag}; if {tag} is being released right now, verify again afterwards");
    let latest = seen.latest.as_ref().with_context(|| format!("there is no `latest`: {place}"))?;
    ensure!(Some(latest) == digest.as_ref(), "`latest` names `{latest}`: {place}");
    Ok(format!("names {tag}, the highest stable version"))
}

#[cfg(test)]
mod tests {
    use super::{judge_latest, latest};
    use crate::oci::reference::Digest;
    use crate::verify::claim::{Unavailable, Verdict};
    use crate::verify::observe::ObservedLatest;

    #[test]
    fn latest_is_on_the_highest_stable_version_or_nowhere() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let seen = |latest: Option<&Digest>, highest: Option<&Digest>| ObservedLatest {
            latest: latest.cloned(),
            highest: highest.map(|digest| ("v1.0.0".parse().unwrap(), Some(digest.clone()))),
            is_tagged: Ok(true),
        };
        assert!(judge_latest(&seen(Some(&a), Some(&a))).is_ok());
        assert!(judge_latest(&seen(None, None)).is_ok());
        for (latest, highest) in [(Some(&a), Some(&b)), (None, Some(&a)), (Some(&a), None)] {
            assert!(judge_latest(&seen(latest, highest)).is_err());
        }
    }

    #[test]
    fn latest_is_false_on_a_version_that_has_no_git_tag() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let away = || Err(Unavailable::Transient("answered 503".to_owned()));
        for (on, is_tagged, expected) in [
            (&a, Ok(true), Verdict::Holds),
            (&a, Ok(false), Verdict::False),
            (&a, away(), Verdict::Unchecked),
            (&b, Ok(false), Verdict::False),
            (&b, away(), Verdict::False),
        ] {
            let highest = Some(("v99.0.0".parse().unwrap(), Some(a.clone())));
            let claim = latest(&Ok(ObservedLatest { latest: Some(on.clone()), highest, is_tagged }));
            assert_eq!(claim.verdict, expected, "{}", claim.evidence);
        }
    }
}
