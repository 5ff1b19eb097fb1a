//! What a person should look at in the files that were written.

use super::carried::short;
use super::package::UNKNOWN_LICENSE;
use super::survey::{Health, Survey};
use crate::inputs::pin::document;
use crate::inputs::{engines, is_placeholder_test};

/// One sentence for each thing to look at.
pub(super) fn of(survey: &Survey) -> Vec<String> {
    [of_image(survey), of_configuration(survey)].concat()
}

/// As [`of`], for what concerns the repository and not the image. `hidden` are files that git ignores; `no_release` is
/// why a pushed tag does not start a release.
pub(super) fn of_repository(survey: &Survey, hidden: &[String], no_release: Option<&str>) -> Vec<String> {
    let quoted =
        |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut notes = Vec::new();
    notes.extend(no_release.map(str::to_owned));
    if !hidden.is_empty() {
        notes.push(format!(
            "git ignores {}, and a commit without them cannot be released: change `.gitignore`, or add them with `git add --force`",
            quoted(hidden)
        ));
    }
    if !survey.unread_workflows.is_empty() {
        notes.push(format!(
            "{} will no longer run, because the forge reads only the first folder of workflows that it finds, which is now \
             `.forgejo/workflows`: move them there with `git mv`",
            quoted(&survey.unread_workflows)
        ));
    }
    if survey.forge_is_guess {
        notes.push(format!(
            "`forge = \"{}\"` is a guess from the remote `origin`, which is for ssh; if the address is another one, change it in \
             `Cargo.toml`, or name it in the first run with `--forge`",
            survey.forge
        ));
    }
    if !survey.other_recipes.is_empty() {
        notes.push(format!(
            "{} were not read, because none of them is at the top or in the service's folder",
            quoted(&survey.other_recipes)
        ));
    }
    notes
}

fn of_image(survey: &Survey) -> Vec<String> {
    let listed = |names: Vec<&str>| {
        names.iter().map(|name| format!("`{}`", short(name))).collect::<Vec<_>>().join(", ")
    };
    let taken: Vec<_> = super::dockerfile::taken(survey);
    let left: Vec<_> = super::dockerfile::left_out(survey);
    let mut notes = vec![format!("the image has {}", listed(taken))];
    if !left.is_empty() {
        notes.push(format!(
            "it does not have {}; if the service reads one of them, copy it in the stage `service`",
            listed(left)
        ));
    }
    if let Some((range, node)) = engines::misfit(&survey.package.engines, &survey.base) {
        notes.push(format!(
            "`engines.node` of package.json is `{}`, and the base image is node {node}; `--base` names another",
            short(&range)
        ));
    }
    let by_hand: Vec<_> = survey.local.by_hand.iter().map(String::as_str).collect();
    if !by_hand.is_empty() {
        notes.push(format!(
            "the lockfile names {}, which the Dockerfile does not copy: {}",
            listed(by_hand),
            document!("services.md#workspaces-and-file-packages")
        ));
    }
    if survey.npmrc_has_variable {
        notes.push(format!(
            "`.npmrc` takes a value from the environment, which no `npm ci` of the Dockerfile has; if it is a token, mount it: {}",
            document!("services.md#private-packages")
        ));
    }
    if survey.dockerfile.as_ref().is_none_or(|old| old.command_lines.is_empty()) {
        notes.push(format!("`{}` is from {}", survey.command.entrypoint(), survey.command.origin.said()));
    }
    notes
}

fn of_configuration(survey: &Survey) -> Vec<String> {
    let mut notes = Vec::new();
    if survey.package.scripts.test.as_ref().is_none_or(|script| is_placeholder_test(script)) {
        notes.push(
            "package.json has no `scripts.test`, or the failing one of `npm init`, and `cargo xtask ci` fails without tests: it \
             runs `npm test`"
                .to_owned(),
        );
    }
    if survey.package.license() == UNKNOWN_LICENSE {
        notes.push(format!(
            "`licenses = \"{UNKNOWN_LICENSE}\"`: package.json names no license; if there is one, write it in `Cargo.toml` before the \
             first release"
        ));
    }
    if survey.package.description.is_empty() {
        notes.push(format!(
            "`description = \"{}\"`: package.json has none; write one in `Cargo.toml` before the first release",
            survey.title()
        ));
    }
    if let Some(from) = survey.branch_from {
        notes.push(format!(
            "`branches = [\"{}\"]` is {from}; if releases are made from another branch, change it in `Cargo.toml`",
            survey.branch
        ));
    }
    match survey.health_from {
        Health::Guessed => notes.push(format!(
            "`smoke.health = \"{}\"` is a guess: nothing in the repository says which path answers 200; if it is another one, \
             change it in `Cargo.toml`, or name it in the first run with `--health /healthz`",
            survey.health
        )),
        Health::Healthcheck => {
            notes.push(format!("`smoke.health = \"{}\"` is from `HEALTHCHECK`", survey.health));
        }
        Health::Said => {}
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::{of, of_repository};
    use crate::commands::init::survey::tests::example;
    use crate::commands::init::survey::{Health, Survey};

    fn survey() -> Survey {
        example("node:22-slim@sha256:0".to_owned())
    }

    #[test]
    fn a_command_that_is_not_from_a_dockerfile_is_noted_with_its_source() {
        assert!(of(&survey()).iter().any(|note| note.contains("is from `main`")));
    }

    #[test]
    fn a_guessed_health_path_is_noted_as_a_guess() {
        let said = |health_from| of(&Survey { health_from, ..survey() }).join("\n");
        let guess = said(Health::Guessed);
        assert!(guess.contains("is a guess") && guess.contains("`--health /healthz`"), "{guess}");
        assert!(said(Health::Healthcheck).contains("is from `HEALTHCHECK`"));
        assert!(!said(Health::Said).contains("smoke.health"));
    }

    #[test]
    fn the_failing_test_script_of_npm_counts_as_none() {
        for (script, is_noted) in
            [(r#"echo \"Error: no test specified\" && exit 1"#, true), ("node --test", false)]
        {
            let package = format!(r#"{{"scripts": {{"test": "{script}"}}}}"#);
            let package = serde_json::from_str(&package).unwrap();
            let notes = of(&Survey { package, ..survey() }).join("\n");
            assert_eq!(notes.contains("or the failing one of `npm init`"), is_noted, "{notes}");
        }
    }

    #[test]
    fn what_would_be_lost_or_stopped_in_the_repository_is_noted() {
        let plain = survey();
        assert_eq!(of_repository(&plain, &[], None), Vec::<String>::new());
        let odd = Survey {
            forge_is_guess: true,
            unread_workflows: vec![".github/workflows/a.yml".to_owned()],
            other_recipes: vec!["a/Dockerfile".to_owned(), "b/Dockerfile".to_owned()],
            ..plain
        };
        let notes = of_repository(&odd, &["Cargo.lock".to_owned()], Some("no step releases"));
        for (note, words) in notes.iter().zip([
            "no step releases",
            "git ignores `Cargo.lock`",
            "`.github/workflows/a.yml` will no longer run",
            "`forge = \"https://forge.example.org\"` is a guess",
            "`a/Dockerfile`, `b/Dockerfile` were not read",
        ]) {
            assert!(note.contains(words), "{note}");
        }
        assert_eq!(notes.len(), 5);
    }

    #[test]
    fn a_license_and_description_missing_in_package_json_are_noted() {
        let said = |json: &str| {
            let package = serde_json::from_str(json).unwrap();
            of(&Survey { package, ..survey() }).join("\n")
        };
        let silent = said("{}");
        assert!(silent.contains("`licenses = \"NOASSERTION\"`: package.json names no license"), "{silent}");
        assert!(silent.contains("`description = \"") && silent.contains("package.json has none"), "{silent}");
        let complete = said(r#"{"license": "MIT", "description": "a shop"}"#);
        assert!(!complete.contains("licenses") && !complete.contains("description"), "{complete}");
    }

    #[test]
    fn a_base_image_whose_node_is_outside_engines_is_noted() {
        let noted = |range: &str| {
            let package = serde_json::from_value(serde_json::json!({"engines": {"node": range}})).unwrap();
            let words = "is `>=24`, and the base image is node 22; `--base` names another";
            of(&Survey { package, ..survey() }).iter().any(|note| note.contains(words))
        };
        assert_eq!([">=24", ">=20"].map(noted), [true, false]);
    }
}
