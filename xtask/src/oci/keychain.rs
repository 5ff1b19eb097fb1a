//! Which secret may go to which host. Each secret is bound to one host when it is read. No other host gets it, whatever
//! a commit, an argument or an answer names.

use crate::http::WebUrl;
use crate::oci::reference::Registry;
use crate::oci::registry::Credentials;
use crate::process::secret::Secret;

/// The secrets that requests may carry. With an empty keychain, requests are anonymous.
#[derive(Clone, Default)]
pub struct Keychain {
    registry: Option<(Registry, Credentials)>,
    forge: Option<(WebUrl, Secret)>,
}

impl Keychain {
    /// Adds the credentials for `registry`. No other registry gets them.
    #[must_use]
    pub fn with_registry(self, registry: Registry, credentials: Credentials) -> Self {
        Self { registry: Some((registry, credentials)), ..self }
    }

    /// Adds the token for `forge`. No other forge gets it.
    #[must_use]
    pub fn with_forge(self, forge: WebUrl, token: Secret) -> Self {
        Self { forge: Some((forge, token)), ..self }
    }

    /// The credentials for `registry`.
    #[must_use]
    pub fn credentials(&self, registry: &Registry) -> Option<&Credentials> {
        self.registry.as_ref().filter(|(bound, _)| bound == registry).map(|(_, credentials)| credentials)
    }

    /// The token for `forge`.
    #[must_use]
    pub fn token(&self, forge: &WebUrl) -> Option<&Secret> {
        self.forge.as_ref().filter(|(bound, _)| bound == forge).map(|(_, token)| token)
    }

    /// The registry for which there are credentials.
    #[must_use]
    pub fn registry(&self) -> Option<&Registry> {
        self.registry.as_ref().map(|(registry, _)| registry)
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registry.is_none() && self.forge.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::Keychain;
    use crate::oci::registry::Credentials;
    use crate::process::secret::Secret;

    #[test]
    fn each_secret_is_given_only_to_its_own_host() {
        let (own, other) = ("forge.example.org".parse().unwrap(), "mirror.example.org".parse().unwrap());
        let web = |text: &str| text.to_owned().try_into().unwrap();
        let chain = Keychain::default()
            .with_registry(
                "forge.example.org".parse().unwrap(),
                Credentials::new("acme", Secret::new("one-token")),
            )
            .with_forge(web("https://forge.example.org"), Secret::new("another-token"));
        assert!(chain.credentials(&own).is_some());
        assert!(chain.credentials(&other).is_none());
        assert!(chain.credentials(&"forge.example.org:5000".parse().unwrap()).is_none());
        assert!(chain.token(&web("https://forge.example.org")).is_some());
        for foreign in ["http://forge.example.org", "https://forge.example.org.evil.org", "https://other.org"]
        {
            assert!(chain.token(&web(foreign)).is_none(), "{foreign}");
        }
    }
}
