//! What a machine can do to a release that is under way: each time it ends with a message that says what happened, and the
//! same command finishes it once the machine is as it should be.

mod clock;
mod disk;
mod engine;
mod registry;
mod scene;
