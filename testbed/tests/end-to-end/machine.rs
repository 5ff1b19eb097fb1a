//! What a machine can do to a release that is under way: each time it ends with a message that says what happened, and the
//! same command finishes it once the machine is as it should be. Tests run one after the other, as `cargo xtask ci` has it:
//! some of these end the engine that all share.

mod clock;
mod disk;
mod engine;
mod registry;
mod scene;
