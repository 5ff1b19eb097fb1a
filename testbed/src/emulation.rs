//! Lets the kernel run programs of the other architecture through an emulator, in containers too: `binfmt_misc`.
//! The registration is for the whole machine. An existing one is used, and only our own is removed again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::context::Context;
use crate::exports::State;
use crate::files::remove_file;
use crate::parts::Found;
use crate::parts::emulator;
use crate::provision::text;

/// Where the kernel lists the registrations.
const DIRECTORY: &str = "/proc/sys/fs/binfmt_misc";

/// The variable with the emulated architecture, in docker's terms.
pub(crate) const EXPORT: &str = "TESTBED_EMULATION";

/// The kernel opens the emulator at registration. Only then can containers use it.
const OPEN_AT_ONCE: char = 'F';

/// The start of a 64-bit little-endian ELF executable, up to the architecture.
const HEADER: [u8; 18] = [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0];

/// Which bits are compared. The ABI is not, and type 3, a position-independent executable, matches too.
const MASK: [u8; 20] =
    [255, 255, 255, 255, 255, 255, 255, 0, 255, 255, 255, 255, 255, 255, 255, 255, 254, 255, 255, 255];

/// The architecture that this machine does not have.
pub(crate) struct Foreign {
    /// In docker's terms.
    docker: &'static str,
    /// In QEMU's terms.
    pub(crate) machine: &'static str,
    /// ELF's `e_machine`, as its bytes are in the file.
    elf: [u8; 2],
}

/// Of the two architectures of a release, the one that this machine does not have.
pub(crate) fn foreign(cx: &Context) -> Foreign {
    match cx.host.architecture {
        "arm64" => Foreign { docker: "amd64", machine: "x86_64", elf: [0x3e, 0] },
        _ => Foreign { docker: "arm64", machine: "aarch64", elf: [0xb7, 0] },
    }
}

/// One registration, as the kernel shows it.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    interpreter: PathBuf,
    is_enabled: bool,
    flags: String,
    magic: String,
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Some(Self {
            interpreter: field("interpreter ")?.into(),
            is_enabled: text.lines().next() == Some("enabled"),
            flags: field("flags:")?.to_owned(),
            magic: field("magic ")?.to_owned(),
        })
    }

    /// Whether containers can run programs of `foreign` with it.
    fn serves(&self, foreign: &Foreign) -> bool {
        let architecture = hex(&foreign.elf);
        self.is_enabled
            && self.flags.contains(OPEN_AT_ONCE)
            && self.magic.starts_with(&hex(&HEADER[..4]))
            && self.magic.get(36..40) == Some(&architecture)
    }
}

/// Whether an emulator must be provisioned: nobody has registered one, and registering one is possible here.
pub(crate) fn needs_emulator(cx: &Context) -> Result<bool> {
    let foreign = foreign(cx);
    let others = entries()?.into_iter().filter(|(_, entry)| !is_ours(cx, entry));
    let is_served = others.into_iter().any(|(_, entry)| entry.serves(&foreign));
    Ok(!is_served && cx.host.is_root && cx.host.debian.is_some() && Path::new(DIRECTORY).is_dir())
}

/// Registers `emulator` unless one is registered already, and exports the emulated architecture. Where this is not
/// possible, it says so and exports nothing; the tests that need emulation say so too.
pub(crate) fn ensure(cx: &Context, emulator: Option<&Found>, state: &mut State) -> Result<()> {
    let foreign = foreign(cx);
    match register(cx, emulator, &foreign) {
        Ok(how) => {
            cx.progress.line("emulation", &format!("{} {how}", foreign.docker));
            state.export(EXPORT, foreign.docker);
        }
        Err(error) => {
            cx.progress.line("emulation", &format!("{} is not emulated: {error:#}", foreign.docker));
        }
    }
    Ok(())
}

fn register(cx: &Context, emulator: Option<&Found>, foreign: &Foreign) -> Result<&'static str> {
    let Some(emulator) = emulator else {
        let has_one = entries()?.iter().any(|(_, entry)| entry.serves(foreign));
        return has_one.then_some("by this machine's own emulator").context(
            "no emulator is registered, and the testbed registers one only as root on Debian 12 or later, with a \
             kernel that has binfmt_misc",
        );
    };
    for (file, entry) in entries()?.iter().filter(|(_, entry)| is_ours(cx, entry)) {
        if entry.interpreter == emulator.program && entry.serves(foreign) {
            return Ok("already registered");
        }
        write(file, "-1")?;
    }
    let file = Path::new(DIRECTORY).join("register");
    if !file.exists() {
        // The note comes before the mount: a killed run must not leave a mount that nobody removes.
        let note = note(cx);
        fs::write(&note, "").with_context(|| format!("writing `{}`", note.display()))?;
        let shell = cx.runner.shell()?;
        cx.runner.call(cmd!(shell, "mount -t binfmt_misc binfmt_misc {DIRECTORY}")).run()?;
    }
    write(&file, &registration(&name(foreign), foreign, text(&emulator.program)?))?;
    Ok("registered")
}

/// The line for the kernel: `:name:M::magic:mask:interpreter:flags`.
fn registration(name: &str, foreign: &Foreign, interpreter: &str) -> String {
    let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let magic = escaped(&HEADER) + &escaped(&foreign.elf);
    format!(":{name}:M::{magic}:{}:{interpreter}:{OPEN_AT_ONCE}", escaped(&MASK))
}

fn name(foreign: &Foreign) -> String {
    format!("testbed-{}", foreign.machine)
}

/// Removes what this testbed registered, and the mount that it made.
pub(crate) fn remove(cx: &Context) -> Result<()> {
    for (file, _entry) in entries()?.iter().filter(|(_, entry)| is_ours(cx, entry)) {
        write(file, "-1")?;
        cx.progress.line("emulation", "the registration is removed");
    }
    let note = note(cx);
    if !note.exists() {
        return Ok(());
    }
    if entries()?.is_empty() && Path::new(DIRECTORY).join("register").exists() {
        let shell = cx.runner.shell()?;
        cx.runner.call(cmd!(shell, "umount {DIRECTORY}")).run()?;
    }
    remove_file(&note)
}

/// The file that marks the mount as ours.
fn note(cx: &Context) -> PathBuf {
    cx.layout.data("binfmt-mounted")
}

/// Whether the registered emulator is in the state directory, even one from an earlier recipe.
fn is_ours(cx: &Context, entry: &Entry) -> bool {
    entry.interpreter.starts_with(cx.layout.prefix(""))
        && text(&entry.interpreter).is_ok_and(|path| path.contains(emulator::NAME))
}

/// All registrations; none if nothing is mounted.
fn entries() -> Result<Vec<(PathBuf, Entry)>> {
    let mut found = Vec::new();
    let directory = Path::new(DIRECTORY);
    if !directory.is_dir() {
        return Ok(found);
    }
    for file in fs::read_dir(directory).with_context(|| format!("listing `{DIRECTORY}`"))? {
        let file = file.with_context(|| format!("listing `{DIRECTORY}`"))?;
        // `register` can only be written, and `status` holds no registration.
        if file.file_name() == "register" || file.file_name() == "status" {
            continue;
        }
        let path = file.path();
        let text = fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
        // Registrations by file extension have no magic and are not for binaries.
        found.extend(Entry::parse(&text).map(|entry| (path, entry)));
    }
    Ok(found)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("writing `{text}` to `{}`", file.display()))
}

#[cfg(test)]
mod tests {
    use super::{Entry, Foreign, registration};

    const ARM: Foreign = Foreign { docker: "arm64", machine: "aarch64", elf: [0xb7, 0] };

    const ENTRY: &str = "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n\
        magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";

    #[test]
    fn an_emulator_must_be_enabled_visible_in_containers_and_for_the_architecture() {
        let serves = |text: &str| Entry::parse(text).is_some_and(|entry| entry.serves(&ARM));
        assert!(serves(ENTRY));
        assert!(!serves(&ENTRY.replace("enabled", "disabled")));
        assert!(!serves(&ENTRY.replace("OCF", "OC")), "containers cannot use it");
        assert!(!serves(&ENTRY.replace("b700", "3e00")), "another architecture");
        assert!(!serves("enabled\ninterpreter /x\nflags: \nextension .py\n"));
    }

    #[test]
    fn a_registration_has_the_magic_the_mask_and_the_flag_to_open_at_once() {
        let expected = ":testbed-aarch64:M::\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\
                        \\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\
                        \\xfe\\xff\\xff\\xff:/t/qemu:F";
        assert_eq!(registration("testbed-aarch64", &ARM, "/t/qemu"), expected);
    }
}
