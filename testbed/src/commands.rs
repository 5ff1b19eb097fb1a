//! The commands `up`, `down`, `env` and `status`.

use std::fs;
use std::io::{self, Write as _};

use anyhow::{Context as _, Result, bail};
use xtask::process::environment::Environment;

use crate::context::Context;
use crate::emulation;
use crate::exports::{State, for_shell};
use crate::files::private_dir;
use crate::files::{remove_dir, remove_file};
use crate::host::Host;
use crate::image::{self, companion, musl};
use crate::layout::Layout;
use crate::lock;
use crate::mounts;
use crate::network;
use crate::parts::{self, docker_2, emulator};
use crate::provision;
use crate::services::engine::{self, FIRST, SECOND, second};
use crate::services::forge::Origin;
use crate::services::{self, buildkit, forge, registry};

/// The parts that a rehearsal needs.
const FOR_REHEARSAL: [&str; 3] = ["docker", "cosign 2", "registry"];

/// Provisions what is missing, starts what is not running, and writes the exports last. Without `whole`, only what a
/// rehearsal needs. With `forgejo`, the forge is the published Forgejo image.
pub(crate) fn up(environment: &Environment, whole: bool, forgejo: bool) -> Result<()> {
    let cx = Context::new(environment)?;
    let _lock = lock::acquire(&cx.layout, &cx.progress)?;
    // A call for less must not take away what others already use.
    let has_forge = State::read(&cx.layout)?.is_some_and(|state| state.exports.contains_key(forge::URL));
    let whole = whole || has_forge;
    for name in ["prefix", "run", "data", "downloads/npm"] {
        private_dir(&cx.layout.root().join(name))?;
    }
    provision::sweep(&cx.layout.prefix(""))?;
    provision::sweep(&cx.layout.downloads("npm"))?;
    let mut state = State::default();
    let origin = Origin::decide(&cx, forgejo)?;
    let builder = buildkit::given(&cx)?;
    let second = second::given(&cx)?;
    let needs_emulator = emulation::needs_emulator(&cx)?;
    let needs = |part: &str| match (whole, part) {
        (false, _) => FOR_REHEARSAL.contains(&part),
        (true, buildkit::NAME) => builder.is_none(),
        (true, docker_2::NAME) => second.is_none(),
        (true, emulator::NAME) => needs_emulator,
        (true, _) => origin.needs(part),
    };
    let found = parts::ensure(&cx, needs)?;
    for (part, found) in &found {
        part.export(found, &mut state);
        state
            .parts
            .push((part.name().to_owned(), format!("{}  {}", found.describe(), found.program.display())));
    }
    let of = |name: &str| {
        let part = found.iter().find(|(part, _)| part.name() == name);
        part.map(|(_, found)| found).with_context(|| format!("no part is called {name}"))
    };
    engine::ensure(&cx, of("docker")?, &mut state)?;
    let address = registry::ensure(&cx, of("registry")?, &mut state)?;
    image::ensure(&cx, of("docker")?, address, &mut state)?;
    if whole {
        match &builder {
            Some(given) => buildkit::take(&cx, given, &mut state)?,
            None => buildkit::ensure(&cx, of(buildkit::NAME)?, of("docker")?, address, &mut state)?,
        }
        companion::ensure(&cx, of("docker")?, address, &mut state)?;
        musl::ensure(&cx, of("docker")?, of("judges")?, address, &mut state)?;
        let emulator = found.iter().find(|(part, _)| part.name() == emulator::NAME);
        emulation::ensure(&cx, emulator.map(|(_, found)| found), &mut state)?;
        match second {
            Some(given) => second::take(&cx, given, &mut state)?,
            None => second::ensure(&cx, of(docker_2::NAME)?, address, &mut state)?,
        }
        origin.ensure(&cx, of, &mut state)?;
    }
    state.write(&cx.layout)?;
    cx.progress.line("testbed", "up; `eval \"$(cargo testbed env)\"` exports it to a shell");
    Ok(())
}

/// Stops what `up` started.
pub(crate) fn down(environment: &Environment, purge: bool) -> Result<()> {
    let cx = Context::new(environment)?;
    if !cx.layout.root().exists() {
        cx.progress.line("testbed", "nothing to stop");
        return Ok(());
    }
    let _lock = lock::acquire(&cx.layout, &cx.progress)?;
    // This comes first, so that nobody starts to use what is about to stop.
    remove_file(&cx.layout.state())?;
    forge::stop(&cx)?;
    services::end(&cx, buildkit::NAME)?;
    services::end(&cx, registry::NAME)?;
    second::stop(&cx)?;
    FIRST.stop(&cx)?;
    mounts::unmount_below(cx.layout.root(), &cx.runner)?;
    network::restore(&cx)?;
    emulation::remove(&cx)?;
    remove_dir(&cx.layout.run(""))?;
    if purge {
        let root = cx.layout.root();
        fs::remove_dir_all(root).with_context(|| format!("removing `{}`", root.display()))?;
    }
    cx.progress.line("testbed", if purge { "down, and its directory is removed" } else { "down" });
    Ok(())
}

/// Prints the exports of a running testbed.
pub(crate) fn env(environment: &Environment, json: bool) -> Result<()> {
    let layout = Layout::from_environment(environment)?;
    let Some(state) = State::read(&layout)? else {
        bail!("the testbed is not up; start it with `cargo testbed up`");
    };
    for name in &state.services {
        if services::processes(&layout, name)?.is_empty() {
            bail!("{name} is not running any more; `cargo testbed up` starts it again");
        }
    }
    let path = environment.get("PATH")?.context("reading `PATH`: it is not set")?;
    let variables = state.variables(&Host::of_this_machine(path, layout.root())?.path());
    let text = if json {
        serde_json::to_string_pretty(&variables).context("rendering the exports")? + "\n"
    } else {
        for_shell(&variables)
    };
    print(&text)
}

/// Prints what is there and what runs.
pub(crate) fn status(environment: &Environment) -> Result<()> {
    let layout = Layout::from_environment(environment)?;
    let state = State::read(&layout)?.unwrap_or_default();
    let mut text = format!("directory    {}\n", layout.root().display());
    for (name, description) in &state.parts {
        text += &format!("{name:<12} {description}\n");
    }
    for name in services::NAMES {
        let pids: Vec<_> =
            services::processes(&layout, name)?.iter().map(|found| found.pid.to_string()).collect();
        let address = address(&layout, &state, name);
        text += &match (pids.is_empty(), address) {
            (true, Some(address))
                if [forge::NAME, buildkit::NAME, SECOND.dockerd].contains(&name)
                    && !state.services.iter().any(|own| own == name) =>
            {
                format!("{name:<12} on {address}\n")
            }
            (true, _) => format!("{name:<12} stopped\n"),
            (false, None) => format!("{name:<12} running, process {}\n", pids.join(" ")),
            (false, Some(address)) => {
                format!("{name:<12} running, process {}, on {address}\n", pids.join(" "))
            }
        };
    }
    if let Some(architecture) = state.exports.get(emulation::EXPORT) {
        text += &format!("{:<12} {architecture}\n", "emulation");
    }
    if let Some(stand_in) = state.exports.get("TESTBED_BASE_STAND_IN") {
        text += &format!("{:<12} stand-in {stand_in}\n", "base image");
    }
    print(&text)
}

fn address(layout: &Layout, state: &State, name: &str) -> Option<String> {
    match name {
        forge::NAME => state.exports.get(forge::URL).cloned(),
        buildkit::NAME => state.exports.get(buildkit::ADDRESS).cloned(),
        registry::NAME => state.exports.get("TESTBED_REGISTRY").cloned(),
        _ if name == SECOND.dockerd => state.exports.get(second::ADDRESS).cloned(),
        _ if name == FIRST.dockerd => Some(FIRST.socket(layout).display().to_string()),
        _ => {
            let store = [FIRST, SECOND].into_iter().find(|engine| engine.containerd == name);
            store.map(|engine| engine.store(layout).display().to_string())
        }
    }
}

fn print(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes()).context("writing to standard output")
}
