//! A text of somebody else's, as a message may show it: short, and on one line.

/// The longest text that is kept, in characters.
pub(crate) const MAX_TEXT: usize = 300;

/// The first [`MAX_TEXT`] characters of `text`, with the characters escaped that would end its line or change the order
/// in which a terminal shows it.
pub(crate) fn excerpt(text: &str) -> String {
    let text = text.trim();
    let mut clean = String::with_capacity(text.len().min(MAX_TEXT));
    for (count, character) in text.chars().enumerate() {
        if count == MAX_TEXT {
            clean.push('…');
            break;
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
    }
}
