//! The values that the user has to give, because the repository does not say them.

use anyhow::Result;

use super::listed;
use crate::process::failure::Misuse;

/// Messages about the values that are missing, collected to report all of them at once.
#[derive(Default)]
pub(super) struct Missing(Vec<String>);

impl Missing {
    /// The value, or a default that is never used.
    pub(super) fn unless<T: Default>(&mut self, value: Option<T>, what: &str, flag: &str) -> T {
        self.or(value.ok_or_else(|| format!("{what}: name it, such as `{flag}`")))
    }

    /// The value, or a default that is never used. The error says what is missing and what to type.
    pub(super) fn or<T: Default>(&mut self, value: Result<T, String>) -> T {
        value.unwrap_or_else(|words| {
            self.0.push(words);
            T::default()
        })
    }

    /// # Errors
    /// [`Misuse`] that lists everything.
    pub(super) fn none(self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let lines = listed(&self.0);
        Err(Misuse::new(format!(
            "nothing was written, because the repository does not say everything:{lines}"
        ))
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::Missing;

    #[test]
    fn everything_that_is_missing_is_reported_at_once() {
        let mut missing = Missing::default();
        assert_eq!(missing.unless(Some(1), "the number", "--number 1"), 1);
        assert_eq!(missing.unless::<u16>(None, "the port", "--port 3000"), 0);
        assert_eq!(missing.or::<String>(Err("the command: x".to_owned())), "");
        let error = missing.none().unwrap_err();
        assert_eq!(crate::process::failure::exit_code(&error), 2);
        let text = error.to_string();
        assert!(text.contains("- the port: name it, such as `--port 3000`\n- the command: x"), "{text}");
        Missing::default().none().unwrap();
    }
}
