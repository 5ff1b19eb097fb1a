//! The contents of an image, read from its layers: ELF files, npm packages, packages of the operating system, node.
//! `layer` reads one layer, and `image` stacks the layers. The checks on the contents are here too.

mod archive;
pub mod base;
pub mod budget;
pub mod cache;
pub mod difference;
pub mod elf;
pub mod facts;
#[cfg(test)]
mod hostile;
pub mod image;
pub mod installed;
pub mod layer;
pub mod machine;
pub mod npm;
pub mod read;
pub mod system;
pub mod unseen;
