//! One file per tool: a constructor, and a method for each use of the tool.

pub mod cosign;
pub mod docker;
pub mod git;
pub mod tar;
