//! The parts of a filter.

use serde_json::Value;

/// A part of a filter, and its first character's number from 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) position: usize,
    pub(super) part: Part,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Open,
    Close,
    /// `[` or `]`.
    Square,
    /// A string, decoded.
    Text(String),
    /// Attribute, operator, number or word.
    Word(String),
}

/// Takes a filter apart, or says in the words of a refusal why it cannot be.
pub(super) fn tokens(filter: &str) -> Result<Vec<Token>, String> {
    let characters: Vec<char> = filter.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let position = at;
        let part = match characters[at] {
            ' ' => {
                at += 1;
                continue;
            }
            '(' => Part::Open,
            ')' => Part::Close,
            '[' | ']' => Part::Square,
            control if control.is_control() => return Err(format!("Unexpected character at position {position}")),
            '"' => {
                at = end_of_text(&characters, at)
                    .ok_or_else(|| format!("End of input in the string that begins at position {position}"))?;
                let literal: String = characters[position..=at].iter().collect();
                match serde_json::from_str(&literal) {
                    Ok(Value::String(text)) => Part::Text(text),
                    _ => return Err(format!("The string at position {position} is not a valid JSON string")),
                }
            }
            _ => {
                let ends = |next: &char| next.is_control() || matches!(next, ' ' | '(' | ')' | '[' | ']' | '"');
                while characters.get(at + 1).is_some_and(|next| !ends(next)) {
                    at += 1;
                }
                Part::Word(characters[position..=at].iter().collect())
            }
        };
        tokens.push(Token { position, part });
        at += 1;
    }
    Ok(tokens)
}

/// The place of the quote that closes the one at `start`.
fn end_of_text(characters: &[char], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match characters.get(at)? {
            '"' => return Some(at),
            '\\' => at += 2,
            _ => at += 1,
        }
    }
}
