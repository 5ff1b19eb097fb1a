//! `cargo xtask` of this repository. Another repository that releases with this tool has the same few lines and pins
//! the tool in its `Cargo.toml` (docs/adopting.md).

fn main() -> std::process::ExitCode {
    xtask::main()
}
