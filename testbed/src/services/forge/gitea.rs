//! Runs Gitea on a loopback port. Everything that it stores belongs to one `up`: `down` removes it, so that the
//! next `up` starts with an empty forge.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use xshell::cmd;

use super::settings::Settings;
use super::{Forge, NAME, PREFERRED_PORT, is_ready};
use crate::context::Context;
use crate::exports::State;
use crate::files::{private_dir, read_file, write_private};
use crate::parts::{Found, pages};
use crate::process::Service;
use crate::provision::text;
use crate::services::{end, marker, ports, processes};

/// The start takes a second, including the creation of its database.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Starts it unless it runs and answers.
pub(super) fn ensure(cx: &Context, gitea: &Found, state: &mut State) -> Result<Forge> {
    let dir = cx.layout.run(NAME);
    private_dir(&dir)?;
    let share = match pages::built(cx) {
        Some(built) => built,
        None => gitea.prefix.as_ref().context("the forge is only used as provisioned")?.join("share"),
    };
    let settings = Settings { dir, share, keys: keys(cx, gitea)? };
    let configuration = marker(&cx.layout, NAME);
    let mut address = ports::last(cx, NAME)?.unwrap_or(ports::loopback(PREFERRED_PORT));
    let is_current = read_file(&configuration)? == Some(settings.render(address)?);
    if is_current && !processes(&cx.layout, NAME)?.is_empty() && is_ready(address)? {
        cx.progress.line(NAME, &format!("already running on {address}"));
    } else {
        end(cx, NAME)?;
        address = ports::claim(cx, NAME, address)?;
        write_private(&configuration, &settings.render(address)?)?;
        let service = Service {
            name: NAME,
            program: gitea.program.clone(),
            arguments: vec!["web".into(), "--config".into(), configuration.clone().into()],
            marker: configuration.clone(),
            environment: BTreeMap::new(),
            log: cx.layout.log(NAME),
        };
        let pid = service.start(&cx.runner)?;
        service.wait(pid, TIMEOUT, || is_ready(address))?;
        cx.progress.line(NAME, &format!("started on {address}"));
    }
    state.services.push(NAME.to_owned());
    Ok(Forge {
        url: format!("http://{address}"),
        program: gitea.program.clone(),
        arguments: vec!["--config".to_owned(), text(&configuration)?.to_owned()],
        runner_token: &["actions", "generate-runner-token"],
        environment: Vec::new(),
    })
}

/// The forge's own secrets, made once: without them, what it has encrypted is lost.
fn keys(cx: &Context, gitea: &Found) -> Result<[String; 3]> {
    let path = cx.layout.run(NAME).join("keys");
    if let Some(text) = read_file(&path)? {
        let keys: Vec<_> = text.lines().map(str::to_owned).collect();
        return keys.try_into().map_err(|_wrong| anyhow!("`{}` does not hold three keys", path.display()));
    }
    let (shell, program) = (cx.runner.shell()?, &gitea.program);
    let generate = |kind: &str| cx.runner.call(cmd!(shell, "{program} generate secret {kind}")).read();
    let keys = [generate("SECRET_KEY")?, generate("INTERNAL_TOKEN")?, generate("JWT_SECRET")?];
    write_private(&path, &keys.join("\n"))?;
    Ok(keys)
}
