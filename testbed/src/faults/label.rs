//! Labels: the words of a call or a request, without the parts that are random or depend on the machine. By its label,
//! the same call or request is found in another run, even of another project.

/// Names of one project and their replacements, in the order of replacement.
pub(super) type Names = [(String, String)];

/// More characters than are needed to distinguish any two calls.
const MAX: usize = 120;

/// A hexadecimal number with at least this many digits is a digest, a commit or random.
const HEX: usize = 12;

/// The form of a UUID: digits in groups.
const UUID: [usize; 5] = [8, 4, 4, 4, 12];

/// A call of `program`. Arguments of these tools hold no secrets.
pub(super) fn of_call(program: &str, arguments: &[String], names: &Names) -> String {
    let line = normal(&format!("{program} {}", arguments.join(" ")), names);
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX).collect()
}

/// A call of curl, from its configuration: the method and the address, but no headers.
pub(super) fn of_curl(config: &str, names: &Names) -> String {
    let value = |name: &str| {
        let mut lines = config.lines().filter_map(|line| line.split_once(" = "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
    };
    let method = if config.lines().any(|line| line == "head") { Some("HEAD") } else { value("request") };
    let url = value("url").unwrap_or_default();
    let url = url.strip_prefix("http://").unwrap_or(url);
    normal(&format!("curl {} {url}", method.unwrap_or("GET")), names)
}

/// A request.
pub(super) fn of_request(method: &str, path: &str, names: &Names) -> String {
    normal(&format!("{method} {path}"), names)
}

fn normal(text: &str, names: &Names) -> String {
    let mut text = text.to_owned();
    for (from, to) in names {
        text = text.replace(from, to);
    }
    let text = without_random_parts(&without_candidate(&text)).replace("xtask-smoke-*", "CONTAINER");
    let words = text.split('/').map(|word| if is_number(word) { "*" } else { word });
    without_upload(&without_port(&words.collect::<Vec<_>>().join("/")))
}

/// A candidate tag has a random part.
fn without_candidate(text: &str) -> String {
    let mut parts = text.split("candidate-");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && !"-._".contains(c)).unwrap_or(part.len());
        out += "CANDIDATE";
        out += &part[end..];
    }
    out
}

/// The name of an upload is random, and may contain any letters.
fn without_upload(text: &str) -> String {
    const UPLOADS: &str = "/blobs/uploads/";
    let Some((before, rest)) = text.split_once(UPLOADS) else { return text.to_owned() };
    let end = rest.find(['?', ' ']).unwrap_or(rest.len());
    let name = if end == 0 { "" } else { "*" };
    format!("{before}{UPLOADS}{name}{}", &rest[end..])
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// `*` in place of UUIDs and of long hexadecimal numbers.
fn without_random_parts(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let size = uuid(rest).unwrap_or_else(|| hex(rest));
        if size >= HEX {
            out.push('*');
            rest = &rest[size..];
        } else {
            let taken = size.max(first.len_utf8());
            out.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
    }
    out
}

fn hex(text: &str) -> usize {
    text.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count()
}

fn uuid(text: &str) -> Option<usize> {
    let mut at = 0;
    for (index, digits) in UUID.into_iter().enumerate() {
        if index > 0 {
            at += text[at..].starts_with('-').then_some(1)?;
        }
        at += (hex(&text[at..]) == digits).then_some(digits)?;
    }
    Some(at)
}

/// The port of a container on loopback is any free one.
fn without_port(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        out += if rest.len() < part.len() { "127.0.0.1:*" } else { "127.0.0.1:" };
        out += rest;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{of_call, of_curl, of_request};

    fn names() -> Vec<(String, String)> {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        vec![pair("127.0.0.1:4000", "FORGE"), pair("faults-0a1b2c3d", "acme"), pair("/tmp/a", "TMP")]
    }

    #[test]
    fn random_parts_are_left_out_of_labels() {
        let names = names();
        let path = "/v2/faults-0a1b2c3d/carol/blobs/uploads/01234567-89ab-4cde-8f01-23456789abcd?digest=sha256%3A\
            0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        assert_eq!(of_request("PUT", path, &names), "PUT /v2/acme/carol/blobs/uploads/*?digest=sha256%3A*");
        for upload in ["POST /v2/acme/carol/blobs/uploads/", "POST /v2/acme/carol/blobs/uploads/?mount=x"] {
            let (method, path) = upload.split_once(' ').unwrap();
            assert_eq!(of_request(method, path, &names), upload);
        }
        assert_eq!(
            of_request("PATCH", "/v2/acme/carol/blobs/uploads/biqq1lzd", &names),
            "PATCH /v2/acme/carol/blobs/uploads/*"
        );
        let page = of_request("PATCH", "/api/v1/repos/faults-0a1b2c3d/carol/releases/1234", &names);
        assert_eq!(page, "PATCH /api/v1/repos/acme/carol/releases/*");
        let candidate = "/v2/acme/carol/manifests/candidate-v0.1.0-0123456789ab-9754?x";
        assert_eq!(of_request("PUT", candidate, &names), "PUT /v2/acme/carol/manifests/CANDIDATE?x");
        let run = ["run", "--name", "xtask-smoke-0123456789abcdef", "--network=xtask-smoke-fedcba9876543210"];
        let call = of_call("docker", &run.map(str::to_owned), &names);
        assert_eq!(call, "docker run --name CONTAINER --network=CONTAINER");
        let scratch = ["--file=/tmp/a/xtask-0123456789abcdef0123456789abcdef/x".to_owned()];
        assert_eq!(of_call("cosign", &scratch, &names), "cosign --file=TMP/xtask-*/x");
    }

    #[test]
    fn the_label_of_a_curl_call_is_its_request_without_the_credential() {
        let config = "silent\nurl = \"http://127.0.0.1:4000/v2/\"\nrequest = \"PUT\"\n\
            header = \"Authorization: Bearer secret\"\n";
        assert_eq!(of_curl(config, &names()), "curl PUT FORGE/v2/");
        let head = "url = \"http://127.0.0.1:32768/v2/\"\nhead\n";
        assert_eq!(of_curl(head, &names()), "curl HEAD 127.0.0.1:*/v2/");
    }
}
