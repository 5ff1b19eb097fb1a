//! What the library and the program promise, shown on real processes, git, curl and servers on loopback. One program, so
//! that all of it runs side by side: most of these tests wait.

mod canary;
mod cosign;
mod git;
mod golden;
mod handover;
mod http;
mod layers;
mod process;
mod program;
mod repository;
mod servers;
mod signed_tags;
mod sources;
mod trial;
mod work_tree;
