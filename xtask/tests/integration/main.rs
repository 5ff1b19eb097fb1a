//! What the library and the program promise, tested with real processes, git, curl and servers on loopback. All of
//! it is one program, so that the tests run side by side: most of them wait.

mod canary;
mod cosign;
mod documents;
mod git;
mod golden;
mod handover;
mod http;
mod layers;
mod messages;
mod plain_git;
mod process;
mod program;
mod repository;
mod servers;
mod signed_tags;
mod signers;
mod smoke_network;
mod sources;
mod trial;
mod work_tree;
