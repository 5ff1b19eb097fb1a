//! Every rule of `cargo xtask check`, with its stable id and its reason. `docs/rules.md` has a section for each.

macro_rules! rules {
    ($($name:ident, $id:literal, $why:literal;)+) => {
        /// A rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $why] $name,)+
        }

        impl Rule {
            /// Every rule, in the order of `docs/rules.md`.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The id, whose meaning never changes. It is used in reports, in JSON, and as a heading in
            /// `docs/rules.md`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }

            /// The reason for the rule.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)+ }
            }
        }
    };
}

rules! {
    ConfigInvalid, "config-invalid", "Every command reads the configuration, and refuses what it does not know.";
    ConfigHome, "config-home", "A copy of the tool's own configuration would release under the tool's own name.";
    InputsUnreadable, "inputs-unreadable", "A file that cannot be read pins nothing.";
    DockerfileSyntax, "dockerfile-syntax", "A frontend is an image that reads the Dockerfile in its own way and is in no provenance.";
    DockerfilePolicy, "dockerfile-policy", "buildx would interpret it on the machine that builds, and nothing of a commit is interpreted there.";
    DockerfileUnclear, "dockerfile-unclear", "What BuildKit reads differently from this tool would get into the image unchecked.";
    DockerfileFrom, "dockerfile-from", "If a `FROM` can be read in two ways, it is unclear what the image is made of.";
    DockerfileFromDigest, "dockerfile-from-digest", "A tag can be moved to another image, a digest cannot.";
    DockerfileVariable, "dockerfile-variable", "If a variable has no value, it is unclear which image is meant.";
    DockerfileAdd, "dockerfile-add", "A server may send other bytes tomorrow.";
    DockerfileCopySource, "dockerfile-copy-source", "A build stops at a file that its context does not have.";
    DockerfileDownload, "dockerfile-download", "Nothing pins what a program downloads in a `RUN`.";
    DockerfileNpmInstall, "dockerfile-npm-install", "`npm install` may resolve versions again, so what is installed may differ from the lockfile.";
    DockerfileNpmScripts, "dockerfile-npm-scripts", "Install scripts run on the building machine, and their results differ from machine to machine.";
    DockerfileNpmTarget, "dockerfile-npm-target", "Without a target, npm installs for the building machine and not for the image.";
    DockerfileNpmWorkspace, "dockerfile-npm-workspace", "The image must have all of the lockfile's production packages.";
    DockerfileNpx, "dockerfile-npx", "`npx` downloads a package that is not installed, in any version.";
    DockerfileLibc, "dockerfile-libc", "Packages for one C library do not run on another.";
    DockerfileDates, "dockerfile-dates", "The builder's cache compares contents and not dates, so the digest would depend on the cache.";
    DockerfileFinalStage, "dockerfile-final-stage", "Every version of BuildKit must record the same final stage.";
    DockerfileFinalWorkdir, "dockerfile-final-workdir", "BuildKit versions make a missing working directory in different ways.";
    DockerfileFinalLink, "dockerfile-final-link", "A layer that depends on the layers below it changes with every new base image.";
    DockerfileOnTarget, "dockerfile-on-target", "A step that runs on the image's platform needs a native builder or emulation.";
    DockerfileRunNetwork, "dockerfile-run-network", "Only the program that downloads something in a step can pin it.";
    NativeDecision, "native-decision", "The image does not run install scripts, so somebody has to decide what is done instead.";
    LockfileOutOfSync, "lockfile-out-of-sync", "npm refuses to install from a lockfile that does not match `package.json`.";
    LockfileMissingEntry, "lockfile-missing-entry", "Nothing pins a package without an entry.";
    LockfileMarks, "lockfile-marks", "npm 10 installs by the marks and npm 11 by walking, so wrong ones give two images.";
    LockfileRegistry, "lockfile-registry", "A lockfile that may name any server lets one merged line bring in a package from anywhere.";
    LockfileHosts, "lockfile-hosts", "Where the configuration names no registry, the lockfile alone says where packages come from.";
    NpmrcSecret, "npmrc-secret", "Anyone who can read a commit can read the secrets in it, and a repository keeps every commit.";
    ServiceInstallScript, "service-install-script", "The image runs no install scripts, those of the service's own included.";
    ServiceEngines, "service-engines", "npm only warns about a node that the service does not run on.";
    ServiceTest, "service-test", "CI runs `npm test`, and a commit whose CI fails is not released.";
    FileIgnored, "file-ignored", "A file that git ignores is in no commit, so the forge never sees it.";
    CargoLock, "cargo-lock", "The workflows build the tool with `--locked`, from exactly the packages that this file pins.";
    PublicKey, "public-key", "Without its public key nobody can verify a release.";
    PublicKeyPlaceholder, "public-key-placeholder", "Nobody has the private half of the placeholder.";
    KeyHistory, "key-history", "Every release, however old, is checked against the history of keys.";
    PolicyStale, "policy-stale", "Self-hosters' tools accept what the policies say, so the policies must match the releases.";
    RenovateInvalid, "renovate-invalid", "Renovate stops at a file that it cannot read, and nothing is updated.";
    RenovateAutomerge, "renovate-automerge", "An update that merges itself gets into the next signed image although nobody reviewed it.";
    RenovateMinimumAge, "renovate-minimum-age", "Most malicious packages are found within days of their publication.";
    WorkflowUnreadable, "workflow-unreadable", "A workflow that is not read is not checked.";
    WorkflowRelease, "workflow-release", "A tag that starts anything else publishes an image that nobody has proven.";
    WorkflowCheck, "workflow-check", "A pull request should show what a release would refuse.";
    WorkflowUnread, "workflow-unread", "A forge reads only the first of its folders for workflows that exists.";
    WorkflowActionPin, "workflow-action-pin", "Anyone who can move a tag of an action can run code beside our secrets.";
    WorkflowImageDigest, "workflow-image-digest", "Anyone who can move a tag of an image can run code beside our secrets.";
    WorkflowTimeout, "workflow-timeout", "A job without a limit can hold a runner for hours.";
    WorkflowSecretPlace, "workflow-secret-place", "Only the release needs secrets; any other workflow that has them is another way to them.";
    WorkflowSecretCargo, "workflow-secret-cargo", "cargo and all that it compiles can read the environment of their step.";
    WorkflowConcurrency, "workflow-concurrency", "A release that is cancelled half-way, or never begins, is a tag without a release.";
    WorkflowRunnerLabel, "workflow-runner-label", "A machine that runs unreviewed code should not be the one that has the key.";
    WorkflowAutomaticToken, "workflow-automatic-token", "The runner puts the automatic token into every step that does not empty it.";
    ExceptionInvalid, "exception-invalid", "Nobody reviews an exception again that has no reason and no last day.";
    ExceptionExpired, "exception-expired", "A judgement about a vulnerability must be reviewed from time to time.";
    ExceptionUnused, "exception-unused", "An exception that matches nothing may hide a later report with the same name.";
    BaseUnavailable, "base-unavailable", "Nobody can rebuild an image whose base no registry serves.";
    BaseIndex, "base-index", "Each platform of the image is built on the same platform of the base image.";
    BaseTag, "base-tag", "Updates of a base image are found by the tag beside its digest.";
    BaseBehind, "base-behind", "Operating system fixes come with a newer base image.";
    BaseStandIn, "base-stand-in", "Answers about a stand-in say nothing about the image that the Dockerfile pins.";
    PackageSignature, "package-signature", "A registry signs what was published, so bytes without its signature may be somebody else's.";
    PackageAdvisory, "package-advisory", "A vulnerability that everyone can read about is one that everyone can use.";
    OnlineUnanswered, "online-unanswered", "A check that could not run has failed.";
}

#[cfg(test)]
mod tests {
    use super::Rule;

    /// The heading and text of each section of the documentation.
    fn sections(text: &str) -> Vec<(&str, &str)> {
        text.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap_or((section, ""))).collect()
    }

    #[test]
    fn every_rule_has_a_section_and_every_section_a_rule() {
        let sections = sections(include_str!("../../../../docs/rules.md"));
        let headings: Vec<_> = sections.iter().map(|(heading, _)| *heading).collect();
        let ids: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        assert_eq!(headings, ids);
        for (rule, (_, text)) in Rule::ALL.iter().zip(sections) {
            for part in [rule.why(), "**What:** ", "**Remedy:** ", "```"] {
                assert!(text.contains(part), "`{}` lacks `{part}`", rule.id());
            }
        }
    }
}
