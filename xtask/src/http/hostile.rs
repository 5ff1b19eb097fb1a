//! Random and mutated answers of servers.

use super::Request;
use super::response::{parse_response, split_response};
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
            let request = Request::new("GET", "https://registry.example.org/v2/");
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
}
