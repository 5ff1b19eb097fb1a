//! What a worked service adds to the table of this repository's `Cargo.toml`.

use anyhow::Result;

use crate::harness::test;

/// `manifest` with the tables of `addition` merged in. If both have a key, the addition's wins. A table that only
/// the addition has goes to the end. Both must be in the style that people write: one line for each key, and no
/// dotted keys.
pub(super) fn merged(manifest: &str, addition: &str) -> String {
    let mut tables = tables(manifest);
    for (header, keys) in self::tables(addition) {
        let Some((_, own)) = tables.iter_mut().find(|(own, _)| *own == header && !header.starts_with("[["))
        else {
            tables.push((header, keys));
            continue;
        };
        own.retain(|line| name(line).is_none() || !keys.iter().any(|key| name(key) == name(line)));
        let keys = keys.into_iter().filter(|line| name(line).is_some());
        own.splice(0..0, keys);
    }
    tables
        .into_iter()
        .flat_map(|(header, lines)| [header].into_iter().chain(lines))
        .skip(1)
        .map(|line| line + "\n")
        .collect()
}

/// Each header with the lines up to the next header. The lines before the first one come under an empty header.
fn tables(text: &str) -> Vec<(String, Vec<String>)> {
    let mut tables = vec![(String::new(), Vec::new())];
    for line in text.lines() {
        if line.starts_with('[') {
            tables.push((line.trim_end().to_owned(), Vec::new()));
        } else if let Some((_, lines)) = tables.last_mut() {
            lines.push(line.to_owned());
        }
    }
    tables
}

/// The key that a line sets.
fn name(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    (!line.starts_with(['#', ' '])).then(|| name.trim())
}

#[test]
fn keys_of_the_addition_win_and_its_tables_come_last() -> Result<()> {
    test(|| {
        let manifest = "# a\n[workspace]\nmembers = []\n\n[r]\ntitle = \"x\"\n\n[r.smoke]\nport = 3000\nhealth = \"/\"\n";
        let addition = "# why\n[r]\nservice = \".\"\n\n[r.smoke]\nport = 8080\n\n[[r.smoke.companion]]\nalias = \"db\"\n";
        let expected = "# a\n[workspace]\nmembers = []\n\n[r]\nservice = \".\"\ntitle = \"x\"\n\n\
                        [r.smoke]\nport = 8080\nhealth = \"/\"\n[[r.smoke.companion]]\nalias = \"db\"\n";
        assert_eq!(merged(manifest, addition), expected);
        Ok(())
    })
}
