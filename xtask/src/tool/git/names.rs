//! The files in one folder of a commit.

use anyhow::{Context as _, Result, ensure};

use super::Git;
use super::commit::Commit;

/// No folder that is listed has more files.
const MAX: usize = 1000;

impl Git {
    /// The paths of the entries directly in the folder `dir` of `commit`; none when there is no such folder.
    ///
    /// # Errors
    /// When git fails, or a name is not UTF-8.
    pub fn names_in(&self, commit: &Commit, dir: &str) -> Result<Vec<String>> {
        let below = format!("{dir}/");
        let words = ["ls-tree", "-z", "--name-only", "--full-tree", commit.as_str(), &*below];
        let listed = self.call(&words)?.output()?.success()?.stdout;
        let names: Vec<_> = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
        ensure!(names.len() <= MAX, "`{dir}` of {commit} has more than {MAX} files");
        let text = |name: &[u8]| {
            let name =
                std::str::from_utf8(name).with_context(|| format!("`{dir}` has a name that is not UTF-8"))?;
            Ok(name.to_owned())
        };
        names.into_iter().map(text).collect()
    }
}
