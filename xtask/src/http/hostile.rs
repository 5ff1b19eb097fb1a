//! Random and mutated answers of servers.

use std::time::Duration;

use super::redirect::resolve;
use super::response::{parse_response, split_response};
use super::retry::{RetryState, Tried, pause};
use super::{Method, Request, Response};
use crate::process::hostile::readers;

readers! {
    answers: {
        seeds: vec![
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/2 200 \r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".to_vec(),
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"https://x/\",service=\"y\"\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ],
        words: &[
            "HTTP/1.1 100 \r\n\r\n", "HTTP/1.1 ", "200", "999999", " ", "\r\n", "\r\n\r\n", ":", "Content-Length: 18446744073709551615\r\n",
            "Content-Length: -1\r\n", "Content-Length: 0\r\n", "\0", "\n\n", "Location: ",
        ],
        read: |bytes| {
            let request = Request::new(Method::Get, "https://registry.example.org/v2/");
            if let Ok(response) = parse_response(bytes, &request) {
                assert!(bytes.ends_with(&response.body) && !(100..200).contains(&response.status));
                drop((response.unexpected(), response.header("location").map(str::to_owned)));
            }
            let mut rest = bytes;
            while let Ok(response) = split_response(&mut rest, &request) {
                assert!(response.body.len() + rest.len() < bytes.len());
            }
        },
    }
    headers_that_say_when_and_where: {
        seeds: vec![b"Mon, 23 Nov 2026 18:09:00 GMT".to_vec(), b"120".to_vec(), b"//s3.example.org/x?y".to_vec()],
        words: &["18446744073709551615", "-1", ".", "Mon, ", " Nov ", "5124095576030432:00:00", " GMT", "//", "/", "?", "://", "@", "http", "\u{e9}"],
        read: |bytes| {
            let value = String::from_utf8_lossy(bytes);
            let tried = Tried::Answer(Response::of(429, &[("Retry-After", &value)], b""));
            let left = Duration::from_secs(3600);
            let state = RetryState { tries: 1, random: 0.5, now: 1_795_457_340, left };
            assert!(pause(true, &tried, &state).is_none_or(|pause| pause < left));
            assert!(resolve("https://forge.example.org/v2/", &value).is_ok_and(|to| to.contains("://")) || resolve("https://x", &value).is_err());
        },
    }
}
