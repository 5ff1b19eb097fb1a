//! Licences in the form of `CycloneDX`: an SPDX identifier, an SPDX expression, or free text.

use serde_json::{Value, json};

/// Identifiers of the SPDX list 3.25 that are in use at npm and in Alpine. Any other text is passed on unchanged as
/// free text, which is valid too. The schema refuses identifiers that are not on its list.
const KNOWN: [&str; 70] = [
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-3.0",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-1.0-Perl",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-3-Clause-Clear",
    "BSD-4-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.2",
    "GPL-1.0-or-later",
    "GPL-2.0",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "ISC",
    "LGPL-2.0-or-later",
    "LGPL-2.1",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "NCSA",
    "NIST-PD",
    "ODC-By-1.0",
    "OFL-1.1",
    "OpenSSL",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "Ruby",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "ZPL-2.1",
    "Zlib",
    "blessing",
];

/// The value of `licenses` for a licence that a package declares.
pub(super) fn json(text: &str) -> Value {
    if KNOWN.contains(&text) {
        json!([{"license": {"id": text}}])
    } else if is_expression(text) {
        json!([{"expression": text}])
    } else {
        json!([{"license": {"name": text}}])
    }
}

/// Whether the text consists of known identifiers, joined by `AND` and `OR`, with balanced parentheses.
fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let (mut depth, mut wants_name) = (0usize, true);
    for word in spaced.split_whitespace() {
        match (word, wants_name) {
            ("(", true) => depth += 1,
            (")", false) if depth > 0 => depth -= 1,
            ("AND" | "OR", false) => wants_name = true,
            (name, true) if KNOWN.contains(&name.trim_end_matches('+')) => wants_name = false,
            _ => return false,
        }
    }
    depth == 0 && !wants_name
}
