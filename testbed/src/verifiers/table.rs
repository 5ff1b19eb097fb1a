//! The answers as a table, and what they must satisfy.

use super::ask::Answer;
use super::subject::Format;

/// The question about each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// As released, with the project's key.
    Honest,
    /// With another key.
    AnotherKey,
    /// As another version.
    AnotherVersion,
    /// With the project's key, and with a stranger's bundle beside the release's own.
    Stranger,
}

impl Case {
    /// All, in the order of the table.
    pub(super) const ALL: [Self; 4] = [Self::Honest, Self::AnotherKey, Self::AnotherVersion, Self::Stranger];

    fn name(self) -> &'static str {
        match self {
            Self::Honest => "as released",
            Self::AnotherKey => "by another key",
            Self::AnotherVersion => "as another version",
            Self::Stranger => "a stranger's bundle beside it",
        }
    }
}

/// One answer.
pub(super) struct Row {
    pub(super) verifier: &'static str,
    pub(super) format: Format,
    pub(super) case: Case,
    pub(super) answer: Answer,
}

/// One line for each verifier and format, one column for each case.
pub(super) fn render(verifiers: &[&str], rows: &[Row]) -> String {
    let mut text = "| verifier | format |".to_owned();
    text.extend(Case::ALL.map(|case| format!(" {} |", case.name())));
    text += "\n|---|---|---|---|---|---|\n";
    for verifier in verifiers {
        for format in Format::ALL {
            let cells = Case::ALL.map(|case| {
                let row = rows
                    .iter()
                    .find(|row| row.verifier == *verifier && row.format == format && row.case == case);
                format!(" {} |", row.map_or("–", |row| row.answer.word()))
            });
            text += &format!("| {verifier} | {} |{}\n", format.name(), cells.concat());
        }
    }
    text
}

/// What is wrong: another key that a verifier accepts. Some do not check the version, and the table says so.
pub(super) fn wrong(rows: &[Row]) -> Vec<String> {
    let accepted = rows.iter().filter(|row| row.case == Case::AnotherKey && row.answer == Answer::Accepts);
    accepted
        .map(|row| format!("{} accepts it {} ({})", row.verifier, row.case.name(), row.format.name()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Answer, Case, Format, Row, render, wrong};

    fn row(format: Format, case: Case, answer: Answer) -> Row {
        Row { verifier: "v", format, case, answer }
    }

    fn refuses() -> Answer {
        Answer::Refuses("no".to_owned())
    }

    #[test]
    fn each_verifier_has_a_line_for_each_format() {
        let rows = [
            row(Format::Both, Case::Honest, Answer::Accepts),
            row(Format::Both, Case::AnotherKey, refuses()),
            row(Format::Both, Case::AnotherVersion, Answer::NotAsked),
        ];
        let text = render(&["v", "w"], &rows);
        assert_eq!(text.lines().count(), 2 + 2 * 3, "{text}");
        assert!(text.contains("| v | both | accepts | refuses | – | – |"), "{text}");
    }

    #[test]
    fn it_is_wrong_only_if_a_verifier_accepts_another_key() {
        assert!(wrong(&[row(Format::Both, Case::Honest, Answer::Accepts)]).is_empty());
        assert!(wrong(&[row(Format::Both, Case::Stranger, Answer::Accepts)]).is_empty());
        assert!(wrong(&[row(Format::Both, Case::AnotherKey, refuses())]).is_empty());
        assert_eq!(wrong(&[row(Format::Legacy, Case::AnotherKey, Answer::Accepts)]).len(), 1);
        assert!(wrong(&[row(Format::Bundle, Case::AnotherVersion, Answer::Accepts)]).is_empty());
    }
}
