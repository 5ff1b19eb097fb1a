//! What is in an image, read from its layers: ELF files, npm packages, the packages of the operating system, node.
//! `layer` reads one layer, `image` puts layers upon each other, and what is judged of them is here as well.

mod archive;
pub mod base;
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
