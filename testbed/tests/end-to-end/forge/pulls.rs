//! Release notes name every pull request, however it was merged, if the forge is queried. Offline, they name those that
//! the forge wrote into a commit.

use anyhow::{Result, ensure};

use super::project::Project;
use crate::harness::run::Xtask;
use crate::harness::test;

#[test]
fn notes_link_pull_requests_merged_in_any_way_and_work_without_a_forge() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        let (checkout, repository) = (&project.checkout, &project.repository);
        project.push_tag("v0.1.0")?;
        let mut numbers = Vec::new();
        for style in ["merge", "rebase", "squash", "fast-forward-only"] {
            checkout.git(&["checkout", "--quiet", "-B", style])?;
            checkout.write(&format!("CHANGES-{style}"), "\n")?;
            checkout.commit(&format!("by {style}"))?;
            repository.push(checkout.top(), &[&format!("HEAD:refs/heads/{style}")])?;
            numbers.push((style, repository.merge_pull_request(style, style)?));
            checkout.git(&["fetch", "--quiet", &repository.url(), "main"])?;
            checkout.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"])?;
        }
        project.tag("v0.2.0")?;
        let notes =
            |more: &[&str]| Xtask::new(checkout, &[&["notes", "v0.2.0"], more].concat()).run()?.success();
        let online = notes(&[])?;
        ensure!(online.stderr.is_empty(), "{}", online.stderr);
        for (style, number) in &numbers {
            let link = format!("([#{number}]({}/pulls/{number}), [", repository.url());
            let lines: Vec<_> = online.stdout.lines().filter(|line| line.contains(&link)).collect();
            let of = |word: &str| format!("- `{word} {style}` (");
            let expected = match *style {
                // The title stands for the commits, which are folded below.
                "merge" => vec![of("from"), of("by")],
                // The forge gives a squash commit the title of its pull request.
                "squash" => vec![of("from")],
                _ => vec![of("by")],
            };
            let is_expected = lines.len() == expected.len()
                && lines.iter().zip(&expected).all(|(line, expected)| line.starts_with(expected));
            ensure!(is_expected, "expected {expected:?} in\n{}", online.stdout);
        }
        let offline = notes(&["--offline"])?.stdout;
        let has_link = |number: &u64| offline.contains(&format!("([#{number}]("));
        let linked: Vec<_> =
            numbers.iter().filter(|(_, number)| has_link(number)).map(|(style, _)| style).collect();
        assert_eq!(linked, [&"merge", &"squash"], "in\n{offline}");
        Ok(())
    })
}
