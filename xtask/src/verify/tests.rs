//! Recorded releases (`testdata/released`): each one verifies with today's tool, and every lie about the newest one
//! is detected. Nothing here queries a server or starts a program (docs/decisions/0015-formats-have-versions.md).

mod archives;
mod asked;
mod bundle;
mod by_hand;
mod change;
mod cosign;
mod golden;
mod image;
mod keys;
mod lies;
mod mutation;
mod offline;
mod rebuilt;
mod recording;
mod small;
mod table;
mod trial;
mod world;
