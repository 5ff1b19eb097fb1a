//! Who may push to a registry.

use crate::process::secret::Secret;

/// User and password or token for one registry.
#[derive(Clone)]
pub struct Credentials {
    /// Must not be empty. Forgejo ignores it when the password is a token.
    pub user: String,
    /// Password or token.
    pub password: Secret,
    /// Both together, in the encoding in which they are sent.
    pub pair: Secret,
}

impl Credentials {
    /// The credentials of `user`.
    #[must_use]
    pub fn new(user: impl Into<String>, password: Secret) -> Self {
        let user = user.into();
        let pair = password.with_user(&user);
        Self { user, password, pair }
    }
}
