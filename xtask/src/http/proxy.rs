//! A proxy that refuses to connect: curl reports it with the same exit code as a connection that breaks.

use super::retry::is_transient;

/// What curl writes to standard error after its own message: the status with which a proxy answered `CONNECT` (RFC
/// 9110 §9.3.6). It is 000 without a proxy or without an answer.
pub(super) const WRITE_OUT: &str = "%{stderr}\\nproxy-answered:%{http_connect}";

/// Splits what curl wrote to standard error into its own message and the proxy's status.
pub(super) fn words_and_status(stderr: &str) -> (&str, Option<u16>) {
    match stderr.rsplit_once("proxy-answered:") {
        Some((words, status)) => (words.trim(), status.trim().parse().ok().filter(|status| *status > 0)),
        None => (stderr.trim(), None),
    }
}

/// Whether `status` means that the proxy refused the request, and would do so again.
pub(super) fn is_refusal(status: u16) -> bool {
    status >= 300 && !is_transient(status)
}

/// curl's exit code for a TLS handshake that failed (curl(1), "EXIT CODES").
const NO_HANDSHAKE: i32 = 35;

/// What to do if curl exited with `exit` after the proxy answered `status`. Empty if the proxy is not the cause, or
/// if it may accept the request later. A proxy that answers 200 and then closes the connection cannot be
/// distinguished from a server that does.
pub(super) fn remedy(exit: Option<i32>, status: Option<u16>) -> &'static str {
    match status {
        Some(200..300) if exit == Some(NO_HANDSHAKE) => {
            "; the proxy of `HTTPS_PROXY` accepted the request, but no TLS handshake followed: if that persists, have this host \
             allowed there, or write the host into `NO_PROXY` if this machine reaches it without the proxy"
        }
        Some(407) => {
            "; the proxy asks for a login: write it into `HTTPS_PROXY`, as `http://USER:PASSWORD@HOST:PORT`"
        }
        Some(status) if is_refusal(status) => {
            "; the proxy of `HTTPS_PROXY` refuses to connect to this host: have it allowed there, or write the host into \
             `NO_PROXY` if this machine reaches it without the proxy"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{is_refusal, remedy, words_and_status};

    #[test]
    fn the_proxys_status_is_split_from_curls_own_message() {
        const REFUSED: &str = "curl: (56) CONNECT tunnel failed, response 407";
        let refused = format!("{REFUSED}\n\nproxy-answered:407");
        for (stderr, expected) in [
            (refused.as_str(), (REFUSED, Some(407))),
            ("curl: (7) no\n\nproxy-answered:000", ("curl: (7) no", None)),
            ("curl: (7) no\n", ("curl: (7) no", None)),
            ("proxy-answered:x", ("", None)),
        ] {
            assert_eq!(words_and_status(stderr), expected);
        }
    }

    #[test]
    fn a_refusal_of_the_proxy_has_a_remedy_and_a_transient_status_has_none() {
        let remedy = |status| remedy(Some(56), status);
        for (status, refuses) in
            [(200, false), (400, true), (403, true), (407, true), (429, false), (502, false), (503, false)]
        {
            assert_eq!(
                (is_refusal(status), remedy(Some(status)).is_empty()),
                (refuses, !refuses),
                "{status}"
            );
        }
        assert!(remedy(None).is_empty());
        for (exit, status, expected) in [(35, Some(200), true), (35, None, false), (35, Some(503), false)] {
            assert_eq!(
                super::remedy(Some(exit), status).contains("if that persists"),
                expected,
                "{exit} {status:?}"
            );
        }
    }
}
