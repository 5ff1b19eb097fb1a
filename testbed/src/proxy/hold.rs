//! Holding one request while others pass. It stops a run of a program at a chosen moment, so that another run can
//! overtake it, as happens by chance on slow networks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Fault, ObservedRequest, Proxy};

/// A request that is held until this value is dropped.
#[must_use = "the request is held for as long as this value lives"]
pub struct Hold {
    is_reached: Arc<AtomicBool>,
    _sender: Sender<()>,
}

impl Hold {
    /// Whether the request has arrived and is held.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.is_reached.load(Ordering::SeqCst)
    }
}

impl Proxy {
    /// Waits for `requests` in this order, and holds the last one before the server sees it. If its client gives up,
    /// the server never sees it. All others pass. Each is written as [`ObservedRequest::is`] reads it. This replaces the
    /// rule; requests that are already held remain so.
    pub fn hold(&self, requests: &[&str]) -> Hold {
        let is_reached = Arc::new(AtomicBool::new(false));
        let (sender, until_dropped) = mpsc::channel::<()>();
        let (reached, until_dropped) = (Arc::clone(&is_reached), Mutex::new(until_dropped));
        let held = Fault::Wait(Arc::new(move || {
            reached.store(true, Ordering::SeqCst);
            // Nothing is ever sent: the call ends with an error when the sender is dropped.
            let _ended = until_dropped.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }));
        let requests: Vec<_> = requests.iter().map(|request| (*request).to_owned()).collect();
        let seen = AtomicUsize::new(0);
        self.set_rule(move |request| {
            let next =
                |seen: usize| requests.get(seen).is_some_and(|line| request.is(line)).then_some(seen + 1);
            match seen.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next) {
                Ok(before) if before + 1 == requests.len() => held.clone(),
                _ => Fault::Pass,
            }
        });
        Hold { is_reached, _sender: sender }
    }
}

impl ObservedRequest {
    /// Whether it matches `line`: its method and the end of its path. One `*` in it stands for letters, digits
    /// and dashes, such as those of a digest: `PUT manifests/sha256-*.att`.
    #[must_use]
    pub fn is(&self, line: &str) -> bool {
        let Some((method, end)) = line.split_once(' ') else { return false };
        method == self.method && ends_with(&self.path, end)
    }
}

fn ends_with(path: &str, end: &str) -> bool {
    let is_whole = |before: &str| before.ends_with('/');
    let Some((first, last)) = end.split_once('*') else {
        return path.strip_suffix(end).is_some_and(is_whole);
    };
    let Some(rest) = path.strip_suffix(last) else { return false };
    let Some((before, any)) = rest.rsplit_once(first) else { return false };
    is_whole(before)
        && !any.is_empty()
        && any.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::ObservedRequest;

    #[test]
    fn a_request_matches_by_its_method_and_the_end_of_its_path() {
        let is = |path: &str, line: &str| {
            ObservedRequest { n: 1, method: "PUT".to_owned(), path: format!("/v2/acme/carol/{path}") }
                .is(line)
        };
        let digest = "ab12".repeat(16);
        let [index, attestations] = ["", ".att"].map(|end| format!("manifests/sha256-{digest}{end}"));
        assert!(is("manifests/v0.1.0", "PUT manifests/v0.1.0") && is("releases/12", "PUT releases/*"));
        assert!(is(&index, "PUT manifests/sha256-*") && is(&attestations, "PUT manifests/sha256-*.att"));
        assert!(is(&format!("blobs/sha256:{digest}"), "PUT blobs/sha256:*"));
        assert!(is("manifests/candidate-v0.1.0-12ab-34", "PUT manifests/candidate-v0.1.0-*"));
        for (path, line) in [
            ("manifests/v0.1.0", "GET manifests/v0.1.0"),
            ("manifests/v0.1.0", "PUT ests/v0.1.0"),
            ("manifests/v0.1.0", "PUT v0.1"),
            (&attestations, "PUT manifests/sha256-*"),
            (&index, "PUT manifests/sha256-*.att"),
            ("releases/12/assets", "PUT releases/*"),
            ("releases/", "PUT releases/*"),
            ("releases/12", "PUT"),
        ] {
            assert!(!is(path, line), "{path} {line}");
        }
    }
}
