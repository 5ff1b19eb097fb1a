//! Several small requests to one server, sent as a batch by one curl process over one connection. The checks before a
//! release spend most of their time on starting processes.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;

use super::response::split_response;
use super::{Curl, INSTALL, Request, Response, retry};

/// The most bytes that the answers may have together. An image with its evidence has a hundredth of that.
const MAX_BYTES: usize = 256 << 20;

impl Curl {
    /// Sends `requests` as a batch. The answers are in the order of `requests`. Requests that cannot be batched, and
    /// those that get no answer in the batch or a transient one, are sent one by one with [`Curl::send`].
    pub fn send_all(&self, requests: &[Request]) -> Vec<Result<Response>> {
        if requests.is_empty() {
            return Vec::new();
        }
        // The error of a batch is dropped: a request that fails again on its own reports the reason.
        let mut answers = self.send_batch(requests).unwrap_or_default().into_iter();
        let good =
            |answer: &Response| (200..500).contains(&answer.status) && !retry::is_transient(answer.status);
        let mut left = MAX_BYTES;
        requests
            .iter()
            .map(|request| {
                let response = match answers.next().filter(good) {
                    Some(response) => response,
                    None => self.send(request)?,
                };
                response.take_from(&mut left).map(|()| response)
            })
            .collect()
    }

    fn send_batch(&self, requests: &[Request]) -> Result<Vec<Response>> {
        let plain =
            |request: &Request| request.is_repeatable && request.body.is_none() && !request.is_cleanup;
        ensure!(requests.iter().all(plain), "only requests without a body that may be repeated");
        let configs: Vec<_> =
            requests.iter().map(|request| request.config(self.timeout, None, None)).collect::<Result<_>>()?;
        let sh = self.runner.shell()?;
        let call = self.runner.call(cmd!(sh, "curl -q --config -")).install_hint(INSTALL);
        let call = call.stdin(configs.join("next\n")).timeout(self.timeout + Duration::from_secs(5));
        let output = call.output()?.success()?;
        let mut rest = output.stdout.as_slice();
        let answers = requests.iter().map(|request| split_response(&mut rest, request));
        let answers = answers.collect::<Result<Vec<_>>>().context("splitting the answers of a batch")?;
        ensure!(rest.is_empty(), "there are more answers than requests");
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::{Curl, Duration, Request};
    use crate::http::Method;
    use crate::process::Runner;
    use crate::process::environment::Environment;

    #[test]
    fn only_repeatable_requests_without_a_body_are_batched() {
        let curl = Curl::new(&Runner::new(&Environment::default()), Duration::from_secs(1));
        let request = |method| Request::new(method, "http://localhost:1/");
        for other in [
            request(Method::Post),
            request(Method::Put).body("text/plain", "x"),
            request(Method::Delete).after_interrupt(),
        ] {
            let refused = curl.send_batch(&[request(Method::Get), other]).err().unwrap();
            assert!(refused.to_string().starts_with("only requests"), "{refused:#}");
        }
    }
}
