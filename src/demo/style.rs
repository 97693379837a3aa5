//! Colours for terminals, plain text for everything else, and text that fits its column.

/// How text is set off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Colours on a terminal, unless it can't show them or `NO_COLOR` is set and not empty (no-color.org).
    pub fn new(is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> Self {
        let refused = env("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env("TERM").is_some_and(|term| term == "dumb");
        Self { colour: is_terminal && !refused && !dumb }
    }

    /// Whether there are colours.
    pub fn has_colour(self) -> bool {
        self.colour
    }

    /// A heading.
    pub fn heading(self, text: &str) -> String {
        self.set(text, "1;36")
    }

    /// What stands beside the point.
    pub fn dim(self, text: &str) -> String {
        self.set(text, "2")
    }

    /// Good news.
    pub fn good(self, text: &str) -> String {
        self.set(text, "1;32")
    }

    /// Bad news.
    pub fn bad(self, text: &str) -> String {
        self.set(text, "1;31")
    }

    fn set(self, text: &str, code: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A number with commas between thousands.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Breaks text into lines of at most `width` characters: at spaces, else behind the punctuation of JSON and URLs. A piece
/// that has neither is cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > width {
        let head = &rest[..=width];
        let space = head.iter().rposition(|c| *c == ' ').filter(|at| *at > width / 2);
        let punctuation =
            || head[..width].iter().rposition(|c| matches!(c, ',' | '&' | '?')).filter(|at| *at > width / 2);
        // A space goes, punctuation stays at the end of its line.
        let (end, next) = match (space, punctuation()) {
            (Some(at), _) => (at, at + 1),
            (None, Some(at)) => (at + 1, at + 1),
            (None, None) => (width, width),
        };
        lines.push(rest[..end].iter().collect());
        rest.drain(..next);
    }
    lines.push(rest.into_iter().collect());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let rows = [
            (true, "TERM=xterm", true),
            (false, "TERM=xterm", false),
            (true, "NO_COLOR=1", false),
            (true, "NO_COLOR=", true),
            (true, "TERM=dumb", false),
        ];
        for (is_terminal, variable, expected) in rows {
            let env = |name: &str| variable.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
            let style = Style::new(is_terminal, env);
            assert_eq!(style.good("yes") != "yes", expected, "{is_terminal} {variable}");
        }
    }

    #[test]
    fn thousands_are_told_apart() {
        let rows = [(0, "0"), (999, "999"), (1_000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")];
        for (number, expected) in rows {
            assert_eq!(count(number), expected);
        }
    }

    #[test]
    fn wrapped_text_is_whole_and_fits() {
        let rows: [(&str, usize, &[&str]); 5] = [
            ("short", 10, &["short"]),
            ("one two three", 8, &["one two", "three"]),
            (r#"{"a":1,"b":22,"c":3}"#, 14, &[r#"{"a":1,"b":22,"#, r#""c":3}"#]),
            ("aaaaaaaaaa", 4, &["aaaa", "aaaa", "aa"]),
            ("", 4, &[""]),
        ];
        for (text, width, expected) in rows {
            assert_eq!(wrap(text, width), expected, "{text}");
        }
    }
}
