//! One file a tool: a constructor, and a method for each question that is asked of it.

pub mod cosign;
pub mod docker;
pub mod git;
pub mod tar;
