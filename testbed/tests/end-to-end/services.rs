//! The worked services below `testbed/services`. Each is released for both platforms on the real forge, pulled
//! back, started, and queried on both. It must give the same content on another engine and another BuildKit, and
//! its SBOM must name what an independent scanner finds. The platform that this machine does not have is emulated.

mod alpine;
mod asked;
mod companion;
mod configuration;
mod distroless;
mod native;
mod own;
mod private;
mod scanner;
mod typescript;
mod worked;
