//! The rules for `npm ci`, for every spelling that npm and the builder accept, as tables.

use super::{PIN, hold, read};
use crate::oci::platform::Platform;

#[test]
fn a_stage_that_is_based_on_another_runs_where_that_one_runs() {
    let last = format!("\nFROM {PIN}\nCOPY --link --from=dependencies /out/ /\n");
    let there = format!("FROM --platform=$BUILDPLATFORM {PIN} AS tools\n");
    let scripts = "line 3: `npm ci` runs the install scripts of packages on the building machine";
    let per_platform = |amd64: &str, arm64: &str| {
        format!(
            "FROM {amd64}{PIN} AS tools-amd64\nFROM {arm64}{PIN} AS tools-arm64\nFROM tools-$TARGETARCH AS dependencies\n"
        )
    };
    let builds = "--platform=$BUILDPLATFORM ";
    hold(&[
        (format!("{there}FROM tools AS dependencies\nRUN npm ci --omit=dev{last}"), scripts),
        (
            format!("{there}FROM TOOLS AS dependencies\nRUN npm ci --omit=dev --ignore-scripts{last}"),
            "--libc=…",
        ),
        // BuildKit uses the platform of the stage, whatever the flag says.
        (format!("{there}FROM --platform=$TARGETPLATFORM tools AS dependencies\nRUN npm ci{last}"), scripts),
        (format!("{}FROM {builds}tools AS dependencies\nRUN npm ci{last}", there.replace(builds, "")), ""),
        (format!("{}RUN npm ci{last}", per_platform("", "")), ""),
        (
            format!("{}RUN npm ci{last}", per_platform(builds, builds)),
            "line 4: `npm ci` runs the install scripts",
        ),
        (
            format!("{}RUN npm ci{last}", per_platform("", builds)),
            "line 4: `npm ci` runs the install scripts",
        ),
        // Any other platform is the same machine's for every platform of the image.
        (
            format!("FROM --platform=linux/amd64 {PIN} AS dependencies\nRUN npm ci --omit=dev{last}"),
            "--ignore-scripts",
        ),
        (
            format!("FROM --platform=$BUILDOS/$BUILDARCH {PIN} AS dependencies\nRUN npm ci{last}"),
            "--ignore-scripts",
        ),
        (format!("FROM --platform=linux/$TARGETARCH {PIN} AS dependencies\nRUN npm ci{last}"), ""),
        (format!("{there}FROM {PIN} AS Tools\n"), "line 2: `FROM"),
    ]);
    let recipe = read(&format!("{there}FROM tools AS dependencies\nRUN make{last}")).unwrap();
    assert_eq!(recipe.runs_on_target, None);
}

#[test]
fn every_name_that_npm_has_for_a_command_is_recognized() {
    for spelling in [
        "ci",
        "clean-install",
        "cleanInstall",
        "ic",
        "install-clean",
        "install-cl",
        "isntall-clean",
        "install-ci-test",
        "cit",
        "clean-install-test",
        "sit",
        "--prefix service ci",
        "-C service ci",
        "--loglevel error ci",
        "--no-fund true ci",
        "$FLAGS ci",
    ] {
        hold(&[
            (step(&format!("npm {spelling}")), "`npm ci` runs the install scripts of packages"),
            (step(&format!("npm {spelling} --omit=dev --ignore-scripts")), "`--os=linux --cpu=… --libc=…`"),
            (step(&format!("npm {spelling} --ignore-scripts")), ""),
        ]);
    }
    for spelling in
        ["install", "i", "add", "isntall", "insta", "install-test", "it", "installTest", "u", "udpate", "upg"]
    {
        hold(&[(
            step(&format!("npm {spelling} x")),
            &format!("`npm {spelling}` may install something other"),
        )]);
    }
    for other in
        ["run ci", "test", "c get x", "s x", "init", "install-scripts ls", "ls", "run-script install"]
    {
        hold(&[(step(&format!("npm {other}")), "")]);
    }
    for flags in ["--omit dev", "--production", "--only=production", "--only prod"] {
        hold(&[(step(&format!("npm ci {flags} --ignore-scripts")), "`--os=linux --cpu=… --libc=…`")]);
    }
    let musl = read(&step("npm clean-install --libc=musl --ignore-scripts")).unwrap();
    assert_eq!(musl.libc, crate::inputs::lockfile::Libc::Musl);
    let networked = read(&step("npm ic --ignore-scripts")).unwrap();
    assert!(
        !networked.notes().iter().any(|note| note.contains("installs nothing")),
        "{:?}",
        networked.notes()
    );
}

fn step(step: &str) -> String {
    format!(
        "FROM --platform=$BUILDPLATFORM {PIN} AS a\nRUN {step}\nFROM {PIN}\nCOPY --link --from=a /out/ /\n"
    )
}

#[test]
fn a_command_that_resolves_packages_anew_or_runs_scripts_is_named() {
    for (command, expected) in [
        ("npm audit fix --force", "`npm audit` may install something other"),
        ("npm audit", ""),
        ("npm dedupe", "`npm dedupe` may install something other"),
        ("npm uninstall x", "`npm uninstall` may install something other"),
        ("npm ci --ignore-scripts=false", "`npm ci` runs the install scripts"),
        ("npm ci --ignore-scripts --no-ignore-scripts", "`npm ci` runs the install scripts"),
        ("npm ci --no-ignore-scripts --ignore-scripts", ""),
        ("bun install --production", "`bun` does not install what"),
        ("yarn workspaces focus", "`yarn` does not install what"),
        ("corepack yarn install", "`corepack` does not install what"),
        ("corepack enable", ""),
        ("git clone https://example.org/x", "`git` downloads what nothing pins"),
        ("echo \"run npm install locally\"", ""),
        ("npm prune --omit=dev --os=linux --cpu=x64 --libc=glibc", "`npm prune` on the building machine"),
    ] {
        hold(&[(step(command), expected)]);
    }
    for (command, expected) in [
        ("npm rebuild esbuild", "`npm rebuild` runs install scripts on the building machine"),
        ("npm exec -- tsc", "`npm exec` fetches what is not installed"),
        ("npm x tsc", "`npm x` fetches what is not installed"),
    ] {
        let notes = read(&step(command)).unwrap().notes().concat();
        assert!(notes.contains(expected), "{command}: {notes}");
    }
    assert!(!read(&step("npm exec --no tsc")).unwrap().notes().concat().contains("`npm exec"));
}

#[test]
fn a_global_install_is_refused_with_another_remedy_than_npm_ci() {
    for spelling in ["install -g npm@11.1.0", "-g install x", "i --global x", "i --location=global x"] {
        hold(&[(
            step(&format!("npm {spelling}")),
            "write the lockfile with the npm of the base image, or put",
        )]);
        let refused = read(&step(&format!("npm {spelling}"))).unwrap().errors().concat();
        assert!(!refused.contains("write `npm ci`"), "{refused}");
    }
}

#[test]
fn npm_is_recognized_at_any_path_and_other_package_managers_are_refused() {
    let other = "install something other";
    hold(&[
        (step("/usr/local/bin/npm install"), other),
        (step("npx --yes npm@11 install"), other),
        (step("npx --yes npm@11 ci --omit=dev --ignore-scripts"), "`--os=linux --cpu=… --libc=…`"),
        (step("npx -p npm@11 npm ci --omit=dev --ignore-scripts"), "`--os=linux --cpu=… --libc=…`"),
        (step("npx --yes npm@11 ci --ignore-scripts"), ""),
    ]);
    let refused = |program: &str| format!("`{program}` does not install what `package-lock.json` says");
    for command in ["yarn", "yarn install", "yarn --frozen-lockfile", "if true; then yarn add x; fi"] {
        hold(&[(step(command), &refused("yarn"))]);
    }
    for command in ["pnpm install", "corepack enable && pnpm i --frozen-lockfile", "/bin/pnpm add x"] {
        hold(&[(step(command), &refused("pnpm"))]);
    }
    // A template for services that use any of the three.
    hold(&[(
        step(
            "if [ -f yarn.lock ]; then yarn; else npm ci --omit=dev --ignore-scripts --os=linux --cpu=x64 --libc=glibc; fi",
        ),
        "",
    )]);
    for command in ["yarn --version", "yarn build", "pnpm run build", "corepack enable pnpm", "rm yarn"] {
        hold(&[(step(command), "")]);
    }
}

#[test]
fn the_environment_can_make_npm_leave_out_development_packages() {
    let refused = "by `NODE_ENV` or `NPM_CONFIG_OMIT`, takes what fits the building machine";
    let ci = "npm ci --ignore-scripts";
    for (before, step, expected) in [
        ("ENV NODE_ENV=production", ci, refused),
        ("ENV NODE_ENV production", ci, refused),
        ("ENV A=b NODE_ENV=\"production\"", ci, refused),
        ("ARG NODE_ENV=production", ci, refused),
        ("ENV NPM_CONFIG_OMIT=dev", ci, refused),
        ("ENV npm_config_production=true", ci, refused),
        ("ENV NODE_ENV=production", "npm prune", "`npm prune` on the building machine"),
        ("ENV NODE_ENV=production\nENV NODE_ENV=development", ci, ""),
        ("ENV NODE_ENV=production", "npm ci --ignore-scripts --include=dev", ""),
        ("ENV NODE_ENV=production", "npm ci --ignore-scripts --also=dev", ""),
        ("ENV NODE_ENV=production", "npm ci --ignore-scripts --dev", ""),
        ("ENV NODE_ENV=production", "npm ci --ignore-scripts --omit=optional", ""),
        ("ENV NODE_ENV=production", "npm ci --ignore-scripts --os=linux --cpu=x64 --libc=glibc", ""),
        ("ENV NODE_ENV=production", "NODE_ENV=development npm ci --ignore-scripts", ""),
        ("ENV node_env=production", ci, ""),
        ("ENV NODE_ENV=production NPM_CONFIG_INCLUDE=dev", ci, ""),
        ("ENV NODE_ENV=production NPM_CONFIG_INCLUDE=optional", ci, refused),
        ("ENV A=b", "NODE_ENV=production npm ci --ignore-scripts", refused),
        ("ENV A=b", "export NODE_ENV=production && npm ci --ignore-scripts", refused),
        ("ENV A=b", "NODE_ENV=production npm run build && npm ci --ignore-scripts", ""),
        ("ENV A=b", "npm ci --ignore-scripts && npm prune --omit=dev", "`npm prune` on the building machine"),
        (
            "ENV A=b",
            "npm ci --ignore-scripts && npm prune --production",
            "`npm prune` on the building machine",
        ),
        ("ENV A=b", "npm ci --ignore-scripts && npm prune", ""),
    ] {
        let last = format!("FROM {PIN}\nCOPY --link --from=a /out/ /\n");
        let first = format!("FROM --platform=$BUILDPLATFORM {PIN} AS");
        hold(&[
            (format!("{first} a\n{before}\nRUN {step}\n{last}"), expected),
            (format!("{first} b\n{before}\nFROM b AS a\nRUN {step}\n{last}"), expected),
            (format!("{first} b\n{before}\nFROM {PIN} AS a\nRUN {step}\n{last}"), ""),
        ]);
    }
    let global = format!("ARG MODE=production\nFROM --platform=$BUILDPLATFORM {PIN} AS a\n");
    hold(&[
        (format!("{global}ENV NODE_ENV=$MODE\nRUN {ci}\nFROM {PIN}\n"), ""),
        (format!("{global}ARG MODE\nENV NODE_ENV=$MODE\nRUN {ci}\nFROM {PIN}\n"), refused),
        (format!("{}ARG NODE_ENV\nRUN {ci}\nFROM {PIN}\n", global.replace("MODE", "NODE_ENV")), refused),
        (format!("{global}ARG MODE=development\nENV NODE_ENV=$MODE\nRUN {ci}\nFROM {PIN}\n"), ""),
    ]);
}

#[test]
fn a_stage_knows_the_variables_of_the_stage_on_which_it_is_based() {
    let refused = "by `NODE_ENV` or `NPM_CONFIG_OMIT`, takes what fits the building machine";
    let first = format!("FROM --platform=$BUILDPLATFORM {PIN} AS");
    for (before, then, expected) in [
        ("ENV MODE=production", "ENV NODE_ENV=$MODE", refused),
        ("ARG MODE=production", "ENV NODE_ENV=$MODE", refused),
        ("ENV MODE=production\nARG MODE=development", "ENV NODE_ENV=$MODE", refused),
        ("ENV NODE_ENV=production", "WORKDIR /x", refused),
        ("ARG NODE_ENV=production", "WORKDIR /x", refused),
        ("ENV NODE_ENV=production\nARG NODE_ENV=development", "WORKDIR /x", refused),
    ] {
        hold(&[(
            format!("{first} b\n{before}\nFROM b AS a\n{then}\nRUN npm ci --ignore-scripts\nFROM {PIN}\n"),
            expected,
        )]);
    }
}

#[test]
fn commands_are_read_as_the_shell_reads_them() {
    let whole = "npm ci --omit=dev --ignore-scripts --os=linux";
    let install = "`npm install` may install something other";
    hold(&[
        (step(&format!("{whole} --cpu=${{CPU}} --libc=glibc")), ""),
        (
            step(&format!(
                "{whole} --cpu=\"$(case $TARGETARCH in amd64) echo x64 ;; *) echo $TARGETARCH ;; esac)\" --libc=glibc"
            )),
            "",
        ),
        (step(&format!("{whole} --cpu=`node -p process.arch` --libc=glibc")), ""),
        (step("x=\"$(npm install)\""), install),
        (step("{ npm install; }"), install),
        (step("sh -c \"npm install\""), install),
        (step("[\"npm\",\"install\"]"), install),
        (step("--network=default [\"sh\", \"-c\", \"npm install\"]"), install),
        (step(&format!("<<EOF\nset -e\n{whole} \\\n  --cpu=x64 \\\n  --libc=glibc\nEOF")), ""),
        (step("<<EOF\n# not npm install\nnpm ci --ignore-scripts\nEOF"), ""),
        (step("<<EOF\n# not\\\nnpm install\nEOF"), install),
    ]);
    for (text, is_noted) in [("npx tsc", true), ("--network=none npx tsc", true), ("npx --no tsc", false)] {
        let notes = read(&step(text)).unwrap().notes();
        assert_eq!(notes.iter().any(|note| note.contains("`npx` fetches")), is_noted, "{text}: {notes:?}");
    }
}

#[test]
fn dockers_name_of_a_processor_is_refused_where_npm_has_another() {
    let expected = "npm leaves out the packages for it; write `case $TARGETARCH in amd64) cpu=x64 ;;";
    let ci = |cpu: &str| format!("npm ci --omit=dev --ignore-scripts --os=linux {cpu} --libc=glibc");
    for cpu in
        ["--cpu=$TARGETARCH", "--cpu=${TARGETARCH}", "--cpu=\"$TARGETARCH\"", "--cpu \"${TARGETARCH}\""]
    {
        hold(&[(step(&ci(cpu)), expected), (step(&format!("<<EOF\n{}\nEOF", ci(cpu))), expected)]);
        // The variable has npm's name by then.
        let set = format!("if [ \"$TARGETARCH\" = amd64 ]; then TARGETARCH=x64; fi; {}", ci(cpu));
        hold(&[(step(&set), ""), (step(&format!("npm ci --ignore-scripts {cpu}")), "")]);
    }
    for cpu in ["--cpu=$cpu", "--cpu=${TARGETARCH#amd}", "--cpu=$TARGETARCHX"] {
        hold(&[(step(&ci(cpu)), "")]);
    }
    let problems = |platform: &str| {
        let platform = Platform::try_from(platform.to_owned()).unwrap();
        super::super::read(&step(&ci("--cpu=$TARGETARCH")), &[platform]).unwrap().errors().len()
    };
    let found = ["linux/arm64", "linux/s390x", "linux/amd64", "linux/386", "linux/ppc64le"].map(problems);
    assert_eq!(found, [0, 0, 1, 1, 1]);
}
