//! A text of somebody else's, as a message may show it: short, and on one line.

/// The longest text that is kept, in characters.
pub(crate) const MAX_TEXT: usize = 300;

/// The first [`MAX_TEXT`] characters of `text`, with the characters escaped that would end its line or change the order
/// in which a terminal shows it.
pub(crate) fn excerpt(text: &str) -> String {
    shortened(text, MAX_TEXT)
}

/// The same of a text whose end says more than its middle: two thirds of what is kept are the end. Okta's complaint about a
/// filter repeats all of the filter first.
pub(crate) fn excerpt_with_end(text: &str) -> String {
    shortened(text, MAX_TEXT / 3)
}

/// The first `head` characters, and of the end what is left of [`MAX_TEXT`].
fn shortened(text: &str, head: usize) -> String {
    let text = text.trim();
    let mut clean = String::with_capacity(text.len().min(MAX_TEXT));
    let count = text.chars().count();
    let left_out = if count > MAX_TEXT { head..count - (MAX_TEXT - head) } else { 0..0 };
    for (index, character) in text.chars().enumerate() {
        if left_out.contains(&index) {
            if index == left_out.start {
                clean.push('…');
            }
            continue;
        }
        if character.is_control() || is_directional(character) {
            clean.extend(character.escape_unicode());
        } else {
            clean.push(character);
        }
    }
    clean
}

/// Characters that make a terminal show a text in another order than it is written.
pub(crate) fn is_directional(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(" a\nb\u{202e}c "), "a\\u{a}b\\u{202e}c");
        assert_eq!(excerpt(&"é".repeat(1000)).chars().count(), MAX_TEXT + 1);
        let long = format!("a{}z", "é".repeat(1000));
        assert!(excerpt(&long).starts_with('a') && excerpt(&long).ends_with("é…"));
        let both = excerpt_with_end(&long);
        assert!(both.starts_with("aé") && both.contains("é…é") && both.ends_with("éz"), "{both}");
        assert_eq!(both.chars().count(), MAX_TEXT + 1);
        assert_eq!(excerpt_with_end(&"é".repeat(MAX_TEXT)), "é".repeat(MAX_TEXT));
    }
}
