//! Whether and when a request is retried: a pure decision from status codes and curl's exit codes.

use std::time::Duration;

use super::{Response, proxy};
use crate::process::backoff::{self, MAX_ATTEMPTS};
use crate::process::failure::Transient;
use crate::process::time::parse_http_date;

/// The result of one attempt.
pub(super) enum Tried {
    /// A complete answer, of any status.
    Answer(Response),
    /// No answer, or part of one. The next attempt may have another result.
    NoAnswer(anyhow::Error),
    /// An error that the next attempt would repeat.
    Final(anyhow::Error),
}

/// What a pause depends on besides the result of the attempt.
pub(super) struct RetryState {
    /// The number of attempts so far, this one included.
    pub(super) tries: u32,
    /// From 0 to 1. Jitter: clients that failed together must not retry together.
    pub(super) random: f64,
    /// Seconds since 1970.
    pub(super) now: u64,
    /// The time until the request as a whole is given up.
    pub(super) left: Duration,
}

/// The longest `Retry-After` that is honoured. An answer with a longer one is returned to the caller.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(20);

/// curl's exit codes (curl(1), "EXIT CODES") for a name or a server that cannot be reached, an answer that was cut off,
/// a timeout, a failed handshake, an empty answer, and a connection that broke while sending or receiving.
const NO_ANSWER: [i32; 10] = [5, 6, 7, 18, 28, 35, 52, 55, 56, 92];

/// Whether curl's exit code means a transient fault. A proxy that refuses to connect (RFC 9110 §9.3.6) causes the
/// same exit code as a connection that broke; `proxy` is the status that it answered.
pub(super) fn is_no_answer(exit: Option<i32>, proxy: Option<u16>) -> bool {
    exit.is_some_and(|exit| NO_ANSWER.contains(&exit)) && !proxy.is_some_and(proxy::is_refusal)
}

/// Whether curl's exit code means that the server was silent for too long: it may be down, or hang.
pub(super) fn is_curl_timeout(exit: Option<i32>) -> bool {
    exit == Some(28)
}

/// Whether `error` comes from a request whose last attempt timed out without an answer: the server was silent, which is
/// neither a refusal nor a failed connection.
#[must_use]
pub fn is_timeout(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<Transient>()).any(Transient::is_timeout)
}

/// Whether the same request may get another status than `status` later.
pub(super) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504)
}

/// How long to wait before the next attempt, or `None` if the caller gets this result. With 429 a server has not acted
/// on the request, so even a request that is not idempotent may be repeated.
pub(super) fn pause(is_repeatable: bool, tried: &Tried, state: &RetryState) -> Option<Duration> {
    let is_undone = matches!(tried, Tried::Answer(response) if response.status == 429);
    if !(is_repeatable || is_undone) || state.tries >= MAX_ATTEMPTS {
        return None;
    }
    let own = backoff::pause(state.tries, state.random);
    let pause = match tried {
        Tried::Final(_) => return None,
        Tried::NoAnswer(_) => own,
        Tried::Answer(response) => match response.status {
            status if is_transient(status) => {
                retry_after(response, state.now).map_or(own, |asked| asked.max(own))
            }
            _ => return None,
        },
    };
    (pause <= MAX_RETRY_AFTER && pause < state.left).then_some(pause)
}

/// `Retry-After`, in seconds or as a date (RFC 9110 §10.2.3).
fn retry_after(response: &Response, now: u64) -> Option<Duration> {
    let value = response.header("Retry-After")?;
    let seconds =
        value.parse().or_else(|_no_number| parse_http_date(value).map(|date| date.saturating_sub(now)));
    seconds.map(Duration::from_secs).ok()
}

#[cfg(test)]
mod tests {
    use super::{Response, RetryState, Tried, is_curl_timeout, is_no_answer, pause};
    use anyhow::anyhow;
    use std::time::Duration;

    /// 2026-11-23T18:09:00Z
    const NOW: u64 = 1_795_457_340;

    fn state(tries: u32, random: f64, left: u64) -> RetryState {
        RetryState { tries, random, now: NOW, left: Duration::from_secs(left) }
    }

    fn answer(status: u16) -> Tried {
        Tried::Answer(Response::of(status, &[], b""))
    }

    fn asks(value: &str) -> Tried {
        Tried::Answer(Response::of(429, &[("Retry-After", value)], b""))
    }

    fn lost() -> Tried {
        Tried::NoAnswer(anyhow!("reset"))
    }

    #[test]
    fn transient_faults_of_repeatable_requests_are_retried() {
        let again = |is_repeatable, tried: &Tried| pause(is_repeatable, tried, &state(1, 0.5, 30)).is_some();
        assert!(again(true, &lost()));
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(again(true, &answer(status)), "{status}");
        }
        for status in [200, 201, 202, 301, 304, 400, 401, 403, 404, 409, 413, 422, 501, 505] {
            assert!(!again(true, &answer(status)), "{status}");
        }
        assert!(!again(true, &Tried::Final(anyhow!("bad certificate"))));
        assert!(!again(false, &lost()) && !again(false, &answer(503)), "the server may have acted on it");
        assert!(again(false, &answer(429)), "the server has not acted on it");
    }

    #[test]
    fn pauses_grow_with_jitter_and_attempts_are_limited() {
        let wait = |tries, random| pause(true, &lost(), &state(tries, random, 30));
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!([wait(1, 0.0), wait(1, 0.5), wait(1, 1.0)], [ms(100), ms(200), ms(300)]);
        assert_eq!([wait(2, 0.5), wait(3, 0.5), wait(4, 0.5)], [ms(600), ms(1800), None]);
        assert_eq!(pause(true, &lost(), &state(1, 0.5, 0)), None, "no time is left");
    }

    #[test]
    fn retry_after_is_honoured_within_limits() {
        let wait = |tried: &Tried| pause(true, tried, &state(1, 0.5, 30));
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait(&asks("3")), seconds(3));
        assert_eq!(wait(&asks("Mon, 23 Nov 2026 18:09:07 GMT")), seconds(7));
        assert_eq!(
            wait(&asks("Mon, 23 Nov 2026 18:08:00 GMT")),
            Some(Duration::from_millis(200)),
            "in the past"
        );
        assert_eq!(wait(&asks("0")), Some(Duration::from_millis(200)));
        assert_eq!(wait(&asks("soon")), Some(Duration::from_millis(200)));
        let long = pause(true, &asks("3600"), &state(1, 0.5, 7200));
        assert_eq!(long, None, "an hour is too long to wait, even with time left");
        for absurd in [
            "18446744073709551615",
            "99999999999999999999999",
            "-1",
            "Mon, 23 Nov 2026 5124095576030432:00:00 GMT",
            "Mon, 23 Nov 18446744073709551615 18:09:00 GMT",
        ] {
            assert!(wait(&asks(absurd)).is_none_or(|pause| pause < Duration::from_secs(1)), "{absurd}");
        }
        assert_eq!(pause(true, &asks("15"), &state(1, 0.5, 10)), None, "the request would time out before");
    }

    #[test]
    fn exit_codes_distinguish_transient_faults() {
        for exit in [6, 7, 18, 28, 35, 52, 55, 56] {
            assert!(is_no_answer(Some(exit), None), "{exit}");
        }
        for exit in [Some(0), Some(1), Some(2), Some(3), Some(26), Some(60), Some(77), None] {
            assert!(!is_no_answer(exit, None), "{exit:?}");
        }
        for (proxy, expected) in
            [(200, true), (400, false), (403, false), (407, false), (429, true), (502, true), (503, true)]
        {
            assert_eq!(is_no_answer(Some(56), Some(proxy)), expected, "{proxy}");
        }
        assert!(is_curl_timeout(Some(28)) && ![Some(7), Some(52), None].into_iter().any(is_curl_timeout));
    }
}
