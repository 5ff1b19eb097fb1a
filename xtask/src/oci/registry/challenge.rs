//! The token server that a registry names, and whether that server may get our password.

use anyhow::{Result, ensure};

use crate::http::Address;
use crate::oci::reference::Registry;

/// `WWW-Authenticate: Bearer realm="…",service="…"` (distribution specification, "Token authentication").
pub(super) struct Challenge {
    realm: String,
    service: Option<String>,
}

impl Challenge {
    pub(super) fn parse(header: &str) -> Option<Self> {
        let parameters = header.strip_prefix("Bearer ")?;
        let value = |name: &str| {
            let start = parameters.find(&format!("{name}=\""))? + name.len() + 2;
            let length = parameters[start..].find('"')?;
            Some(parameters[start..start + length].to_owned())
        };
        Some(Self { realm: value("realm")?, service: value("service") })
    }

    /// Checks the server that gets our password, because the registry chooses it. Accepted are the registry itself,
    /// any server that proves its name by TLS, and, for a loopback registry, any server on this machine.
    pub(super) fn check_realm(&self, registry: &Registry) -> Result<()> {
        let is_loopback = |host: &str| host.parse::<Registry>().is_ok_and(|host| host.is_loopback());
        let is_safe = |realm: Address<'_>| {
            realm.is_https()
                || realm.origin() == registry.base_url()
                || registry.is_loopback() && is_loopback(realm.authority)
        };
        ensure!(
            Address::parse(&self.realm).is_some_and(is_safe),
            "the registry sends its users to `{}` without TLS: its public address is configured wrongly",
            self.realm
        );
        Ok(())
    }

    pub(super) fn url(&self, scope: &str) -> String {
        let separator = if self.realm.contains('?') { '&' } else { '?' };
        let service = self.service.as_deref().map(|service| format!("service={}&", encode(service)));
        format!("{}{separator}{}scope={}", self.realm, service.unwrap_or_default(), encode(scope))
    }
}

/// Percent-encodes a query value (RFC 3986 §2.3 names the characters that stay).
fn encode(value: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::{Challenge, Registry, encode};

    #[test]
    fn a_challenge_is_read_and_turned_into_an_address() {
        // As Forgejo 15.0.3 sends it (docs/facts.md#recorded-answers, probe `v2 ping anonymous`).
        let header =
            r#"Bearer realm="https://forge.example.org/v2/token",service="container_registry",scope="*""#;
        let challenge = Challenge::parse(header).unwrap();
        assert_eq!(
            challenge.url("repository:acme/carol:pull"),
            "https://forge.example.org/v2/token?service=container_registry&scope=repository%3Aacme%2Fcarol%3Apull"
        );
        let with_query = Challenge { realm: "https://auth.example.org/token?a=b".to_owned(), service: None };
        assert_eq!(with_query.url("x"), "https://auth.example.org/token?a=b&scope=x");
        assert!(Challenge::parse(r#"Basic realm="Gitea Package API""#).is_none());
        assert!(Challenge::parse("Bearer realm=unquoted").is_none());
    }

    #[test]
    fn a_password_is_sent_only_to_the_registry_itself_or_over_tls() {
        let realm = |realm: &str| Challenge { realm: realm.to_owned(), service: None };
        let public = "forge.example.org".parse().unwrap();
        let loopback = "127.0.0.1:3000".parse().unwrap();
        assert!(realm("https://auth.example.org/token").check_realm(&public).is_ok());
        for other in
            ["http://auth.example.org/token", "http://127.0.0.1:3000/token", "http://localhost/token"]
        {
            assert!(realm(other).check_realm(&public).is_err(), "{other}");
        }
        assert!(realm("http://localhost:3000/v2/token").check_realm(&loopback).is_ok());
        for other in ["http://192.0.2.1/v2/token", "http://localhost@192.0.2.1/", "localhost:3000/v2/token"] {
            assert!(realm(other).check_realm(&loopback).is_err(), "{other}");
        }
        let lan = "forge.lan:3000".parse::<Registry>().unwrap().over_http();
        assert!(realm("http://forge.lan:3000/v2/token").check_realm(&lan).is_ok());
        assert!(realm("http://forge.lan/v2/token").check_realm(&lan).is_err());
    }

    #[test]
    fn query_values_are_encoded() {
        assert_eq!(encode("a b&c=d/é"), "a%20b%26c%3Dd%2F%C3%A9");
    }
}
