//! Subjects whose beginning tells their kind, but not in the form of Conventional Commits: an emoji of
//! <https://gitmoji.dev>, or a type before a full-width colon.

/// The type that each emoji stands for, with the name that forges give it. Emoji that do not say what a change means
/// to a person who runs the service are left out.
const EMOJI: [(char, &str, &str); 22] = [
    ('✨', "sparkles", "feat"),
    ('🐛', "bug", "fix"),
    ('🚑', "ambulance", "fix"),
    ('🩹', "adhesive_bandage", "fix"),
    ('⚡', "zap", "perf"),
    ('🔒', "lock", "security"),
    ('⏪', "rewind", "revert"),
    ('⬆', "arrow_up", "deps"),
    ('⬇', "arrow_down", "deps"),
    ('📌', "pushpin", "deps"),
    ('➕', "heavy_plus_sign", "deps"),
    ('➖', "heavy_minus_sign", "deps"),
    ('📝', "memo", "docs"),
    ('💡', "bulb", "docs"),
    ('🎨', "art", "style"),
    ('🚨', "rotating_light", "style"),
    ('♻', "recycle", "refactor"),
    ('✅', "white_check_mark", "test"),
    ('🧪', "test_tube", "test"),
    ('👷', "construction_worker", "ci"),
    ('💚', "green_heart", "ci"),
    ('🔖', "bookmark", "chore"),
];

/// The emoji of a breaking change, of any type.
const BREAKING: (char, &str) = ('💥', "boom");

/// The colon of Chinese and Japanese keyboards. It needs no blank after it.
const WIDE_COLON: char = '：';

/// What may come between an emoji and the words: the variation selector for its coloured form, and blanks.
const BETWEEN: [char; 2] = ['\u{fe0f}', ' '];

/// The longest name of an emoji, in bytes.
const MAX_NAME_LEN: usize = 40;

/// How a subject begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Opening<'a> {
    /// The head and the rest, if the words that follow have a head.
    pub(super) head: Option<(&'a str, &'a str)>,
    /// The type that the emoji stands for, if there is no such head.
    pub(super) name: Option<&'static str>,
    pub(super) breaks: bool,
    /// What follows.
    pub(super) words: &'a str,
}

impl<'a> Opening<'a> {
    pub(super) fn of(subject: &'a str) -> Option<Self> {
        // Most subjects of a long history are ruled out here, without a search.
        if subject.is_ascii() && !subject.starts_with(':') {
            return None;
        }
        if let Some((emoji, words)) = emoji(subject) {
            let is = |(sign, code): (char, &str)| emoji.is(sign, code);
            let name = EMOJI.iter().find(|(sign, code, _)| is((*sign, code))).map(|(_, _, name)| *name);
            let head = words.split_once(": ").or_else(|| wide(words));
            return Some(Self { head, name, breaks: is(BREAKING), words });
        }
        if let Some(head) = wide(subject) {
            return Some(Self { head: Some(head), words: subject, ..Self::default() });
        }
        None
    }
}

/// An emoji, or its name between colons.
enum Emoji<'a> {
    Sign(char),
    Code(&'a str),
}

impl Emoji<'_> {
    fn is(&self, sign: char, code: &str) -> bool {
        match self {
            Self::Sign(own) => *own == sign,
            Self::Code(own) => *own == code,
        }
    }
}

/// The emoji that a subject begins with, and the words after it.
fn emoji(subject: &str) -> Option<(Emoji<'_>, &str)> {
    let (emoji, rest) = match subject.as_bytes().first()? {
        b':' => {
            let (code, rest) = subject[1..].split_once(':').filter(|(code, _)| code.len() <= MAX_NAME_LEN)?;
            let is_name =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_+-".contains(&byte);
            (!code.is_empty() && code.bytes().all(is_name)).then_some((Emoji::Code(code), rest))?
        }
        byte if byte.is_ascii() => return None,
        _ => {
            let sign = subject.chars().next()?;
            // The blocks from arrows to miscellaneous symbols, and the blocks of pictographs.
            let is_emoji = matches!(sign, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}');
            is_emoji.then(|| (Emoji::Sign(sign), &subject[sign.len_utf8()..]))?
        }
    };
    let words = rest.trim_start_matches(BETWEEN);
    (!words.is_empty()).then_some((emoji, words))
}

/// The two parts around a full-width colon that follows the first word.
fn wide(text: &str) -> Option<(&str, &str)> {
    if !text.as_bytes().first()?.is_ascii_alphabetic() {
        return None;
    }
    let ends_head =
        |c: char| c == WIDE_COLON || (c.is_ascii() && !c.is_ascii_alphanumeric() && !"()!-_/".contains(c));
    let (head, rest) = text.split_at_checked(text.find(ends_head)?)?;
    Some((head, rest.strip_prefix(WIDE_COLON)?.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::Opening;

    #[test]
    fn an_emoji_stands_for_a_type_and_may_precede_one() {
        for (subject, name, head, breaks, words) in [
            ("✨ a page", Some("feat"), None, false, "a page"),
            ("✨a page", Some("feat"), None, false, "a page"),
            ("⚡️ faster", Some("perf"), None, false, "faster"),
            ("⚡ faster", Some("perf"), None, false, "faster"),
            (":zap: faster", Some("perf"), None, false, "faster"),
            (":bug: (api) a", Some("fix"), None, false, "(api) a"),
            ("🔖 1.2.0", Some("chore"), None, false, "1.2.0"),
            ("💥 no v1", None, None, true, "no v1"),
            (":boom: feat: a", None, Some(("feat", "a")), true, "feat: a"),
            ("🚀 feat(ui): a", None, Some(("feat(ui)", "a")), false, "feat(ui): a"),
            ("✨ feat：a", Some("feat"), Some(("feat", "a")), false, "feat：a"),
            ("🎉 a", None, None, false, "a"),
            (":unknown: a", None, None, false, "a"),
        ] {
            assert_eq!(Opening::of(subject), Some(Opening { head, name, breaks, words }), "{subject}");
        }
        for subject in
            ["", "a page", "é", "日本", "::", ": a", ":A: b", ":a b: c", "✨", "✨ ", ":bug:", "(a) b"]
        {
            assert_eq!(Opening::of(subject), None, "{subject}");
        }
    }

    #[test]
    fn a_type_may_be_followed_by_a_full_width_colon() {
        for (subject, head) in [
            ("feat：新增", Some(("feat", "新增"))),
            ("fix(登录)：a", Some(("fix(登录)", "a"))),
            ("fix(api)!： a", Some(("fix(api)!", "a"))),
            ("新增：a", None),
            ("feat: a：b", None),
            ("a b：c", None),
            ("：a", None),
        ] {
            assert_eq!(Opening::of(subject).and_then(|opening| opening.head), head, "{subject}");
        }
    }
}
