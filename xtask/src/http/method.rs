//! HTTP methods, and what follows from them (RFC 9110 §9.2).

use std::fmt;

/// A method that this program sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "RFC 9110 §9.3 and RFC 5789 say what each of them means")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// Whether sending the request twice has the same effect as sending it once. This includes `PATCH`, because the
    /// ones sent here only set fields to values.
    pub(super) const fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post)
    }

    /// Whether it changes nothing.
    pub(super) const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// As in the request line.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        })
    }
}
