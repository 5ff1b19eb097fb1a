//! What a stranger can read in what is published: bytes as they are, and payloads, which an envelope holds in base64.
//! Also the lines by which a secret is recognized there.

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Deserializer, Value};

/// The shortest line by which a secret is recognized; a shorter one could occur anywhere.
const SHORTEST: usize = 20;

/// The payload of each envelope in `bytes`, which may be JSON, several lines of it, or anything else.
#[must_use]
pub fn payloads(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for value in Deserializer::from_slice(bytes).into_iter::<Value>().map_while(Result::ok) {
        collect(&value, &mut found);
    }
    let inner: Vec<_> = found.iter().flat_map(|payload| payloads(payload)).collect();
    found.extend(inner);
    found
}

fn collect(value: &Value, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::Object(fields) => {
            let payload = fields.get("payload").and_then(Value::as_str);
            found.extend(payload.and_then(|text| STANDARD.decode(text).ok()));
            fields.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// The lines of `secret` by which it is recognized. A key in JSON has no line breaks, so each line is searched for on
/// its own.
///
/// # Errors
/// When there is no such line.
pub fn telling_lines(secret: &str) -> Result<Vec<String>> {
    let tells = |line: &&str| !line.starts_with("-----") && line.len() >= SHORTEST;
    let lines: Vec<_> = secret.lines().map(str::trim).filter(tells).map(str::to_owned).collect();
    ensure!(!lines.is_empty(), "a secret of {} bytes has no line by which it is recognized", secret.len());
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::{payloads, telling_lines};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn a_payload_is_found_wherever_its_envelope_is() {
        let envelope = |payload: &str| format!(r#"{{"payload": "{}"}}"#, STANDARD.encode(payload));
        let bundle = format!(r#"[{{"dsseEnvelope": {}}}]"#, envelope("one"));
        let lines = format!("{bundle}\n{}\nno JSON", envelope(&envelope("two")));
        assert_eq!(payloads(lines.as_bytes()), [b"one".to_vec(), envelope("two").into(), b"two".to_vec()]);
        for nothing in [&b"\x1f\x8b"[..], b"", br#"{"payload": "?"}"#, br#"{"payload": 1}"#] {
            assert!(payloads(nothing).is_empty());
        }
    }

    #[test]
    fn a_secret_is_recognized_by_its_long_lines() {
        let line = "a".repeat(20);
        let key = format!("-----BEGIN PRIVATE KEY-----\n{line}\nshort\n{line}b\n-----END PRIVATE KEY-----\n");
        assert_eq!(telling_lines(&key).unwrap(), [line.clone(), format!("{line}b")]);
        assert_eq!(telling_lines(&line).unwrap(), [line]);
        assert!(telling_lines("short\n").is_err());
    }
}
