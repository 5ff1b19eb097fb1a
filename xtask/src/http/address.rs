//! The parts of a web address.

use std::net::IpAddr;

/// An `http` or `https` address in its parts (RFC 3986 §3).
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// `https` or `http`.
    pub scheme: &'a str,
    /// The host and its port. It is not empty, and may include a user.
    pub authority: &'a str,
    /// What follows: nothing, or text that begins with `/`, `?` or `#`.
    pub path: &'a str,
}

impl<'a> Address<'a> {
    /// `None` when `text` is no such address.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) =
            text.split_once("://").filter(|(scheme, _)| matches!(*scheme, "https" | "http"))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        (!authority.is_empty()).then_some(Self { scheme, authority, path })
    }

    /// Whether connections to it use TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// Whether its host is `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.authority.rsplit('@').next().unwrap_or_default();
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None => host.split(':').next(),
        };
        host.is_some_and(|host| host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()))
    }

    /// The scheme and the authority: `https://forge.example.org`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        for (text, authority, path) in [
            ("https://forge.example.org", "forge.example.org", ""),
            ("https://forge.example.org/a/b?c#d", "forge.example.org", "/a/b?c#d"),
            ("http://127.0.0.1:3000?c", "127.0.0.1:3000", "?c"),
            ("https://forge.example.org#@127.0.0.1/", "forge.example.org", "#@127.0.0.1/"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.authority, address.path), (authority, path), "{text}");
            assert_eq!(address.origin() + path, text);
        }
        for (text, expected) in [
            ("http://localhost:3000/", true),
            ("http://[::1]:3000/", true),
            ("http://127.0.0.2/", true),
            ("https://localhost:x@evil.example/", false),
            ("https://[::1]@evil.example/", false),
            ("https://user@localhost/", true),
            ("https://localhost.evil.example/", false),
        ] {
            assert_eq!(Address::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
        for bad in
            ["", "https://", "https:///", "https:///a", "https:/a", "http://?a", "ftp://a", "//a", "/a"]
        {
            assert!(Address::parse(bad).is_none(), "{bad}");
        }
    }
}
