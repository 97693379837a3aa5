//! The keywords of `q`: Okta takes ten, of at most forty characters each, before they are encoded.

use thiserror::Error;

/// The longest keyword, in characters.
const MAX_KEYWORD: usize = 40;
/// The most keywords.
const MAX_KEYWORDS: usize = 10;

/// Why Okta would refuse `q`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeywordError {
    /// Too long.
    #[error(
        "`{keyword}` has {length} characters, and Okta takes keywords of at most {MAX_KEYWORD}: shorten it, or write a --filter"
    )]
    TooLong {
        /// Which.
        keyword: String,
        /// In characters.
        length: usize,
    },
    /// Too many.
    #[error("there are {count} keywords, and Okta takes at most {MAX_KEYWORDS}: leave some out, or write a --filter")]
    TooMany {
        /// So many.
        count: usize,
    },
    /// A quotation mark is not closed.
    #[error("`{text}` opens a quotation mark and does not close it: write `\"` on both sides of what belongs together")]
    OpenQuote {
        /// As given.
        text: String,
    },
}

/// The value of `q`: all that was given, with spaces in between. A space within one separates keywords, too, but between
/// quotation marks.
///
/// # Errors
/// Okta would refuse it.
pub fn joined(given: &[String]) -> Result<Option<String>, KeywordError> {
    let mut count = 0;
    for text in given {
        if !text.matches('"').count().is_multiple_of(2) {
            return Err(KeywordError::OpenQuote { text: text.clone() });
        }
        let mut is_quoted = false;
        let keywords = text.split(|character: char| {
            is_quoted ^= character == '"';
            character.is_whitespace() && !is_quoted
        });
        for keyword in keywords.filter(|keyword| !keyword.is_empty()) {
            let length = keyword.trim_matches('"').chars().count();
            if length > MAX_KEYWORD {
                return Err(KeywordError::TooLong { keyword: keyword.to_owned(), length });
            }
            count += 1;
        }
    }
    if count > MAX_KEYWORDS {
        return Err(KeywordError::TooMany { count });
    }
    let given: Vec<&str> = given.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    Ok((!given.is_empty()).then(|| given.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &[&str]) -> Result<Option<String>, KeywordError> {
        joined(&given.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn ten_of_forty_characters_and_no_more() {
        let forty = "é".repeat(40);
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[" "]), Ok(None));
        assert_eq!(of(&["a", "b c", &forty]), Ok(Some(format!("a b c {forty}"))));
        let quoted = format!("\"{} {}\"", "a".repeat(20), "b".repeat(19));
        assert_eq!(of(&[&quoted]), Ok(Some(quoted.clone())), "what is quoted is one keyword");
        assert_eq!(of(&["a b c d e", "f", "g h i j"]), Ok(Some("a b c d e f g h i j".to_owned())));
        assert_eq!(of(&["a b c d e f g h i j", "k"]), Err(KeywordError::TooMany { count: 11 }));
        let long = "é".repeat(41);
        assert_eq!(of(&["a", &long]), Err(KeywordError::TooLong { keyword: long, length: 41 }));
        assert!(matches!(of(&["\"a b"]), Err(KeywordError::OpenQuote { .. })));
    }
}
