//! What a machine can do to a release in progress. Each time the release ends with a message that says what
//! happened, and the same command finishes it once the machine is in order again.

mod clock;
mod disk;
mod engine;
mod registry;
mod scene;
