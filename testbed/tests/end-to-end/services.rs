//! The worked services below `testbed/services`: each is released for both platforms on the real forge, pulled back,
//! started and asked on both; gives the same content on another engine and another BuildKit; and its SBOM names what an
//! independent scanner finds. The platform that this machine is not runs by emulation.

mod alpine;
mod asked;
mod companion;
mod configuration;
mod native;
mod own;
mod private;
mod scanner;
mod typescript;
mod worked;
