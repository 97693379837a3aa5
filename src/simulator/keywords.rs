//! The keywords of `q`: what Okta refuses of them, and which events have them.
//!
//! developer.okta.com/docs/reference/system-log-query, "Keyword filter": matched against "attribute values", all of them
//! "exactly" and "case-insensitive"; a value with hyphens also by what stands between them. `q=San Francisco` is its example
//! for a city, so a value is taken apart at spaces, as `q` is. A text in double quotes is one keyword, found as words that
//! follow each other; that is not documented.

use serde_json::Value;

use super::error_body::OktaError;

/// The longest keyword, in characters.
const MAX_KEYWORD: usize = 40;
/// As many as a query may have.
const MAX_KEYWORDS: usize = 10;

/// What an event must have, each as lower-case words that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keywords(Vec<Vec<String>>);

impl Keywords {
    /// Reads a `q`; without a word it asks for nothing.
    ///
    /// # Errors
    /// A keyword is too long, or there are too many; the words of the second were not seen.
    pub(super) fn parse(q: &str) -> Result<Option<Self>, OktaError> {
        let mut quoted = false;
        let mut keywords = Vec::new();
        for keyword in q.split(|character| {
            quoted ^= character == '"';
            character == ' ' && !quoted
        }) {
            let keyword = keyword.trim_matches('"');
            if keyword.chars().count() > MAX_KEYWORD {
                return Err(OktaError::LongKeyword);
            }
            let words: Vec<String> = keyword.split_whitespace().map(str::to_lowercase).collect();
            if !words.is_empty() {
                keywords.push(words);
            }
        }
        if keywords.len() > MAX_KEYWORDS {
            return Err(OktaError::TooManyKeywords);
        }
        Ok((!keywords.is_empty()).then_some(Self(keywords)))
    }

    /// Whether an event has them all.
    pub(super) fn are_in(&self, event: &Value) -> bool {
        let mut texts = Vec::new();
        collect(event, &mut texts);
        self.0.iter().all(|keyword| texts.iter().any(|words| has(words, keyword)))
    }
}

/// Every value's words, in lower case.
fn collect(value: &Value, texts: &mut Vec<Vec<String>>) {
    match value {
        Value::Null => {}
        Value::String(text) => texts.push(text.to_lowercase().split_whitespace().map(str::to_owned).collect()),
        Value::Bool(_) | Value::Number(_) => texts.push(vec![value.to_string()]),
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, texts)),
        Value::Object(members) => members.values().for_each(|member| collect(member, texts)),
    }
}

fn has(words: &[String], keyword: &[String]) -> bool {
    match keyword {
        [one] => words.iter().any(|word| word == one || word.split('-').any(|part| part == one)),
        several => words.windows(several.len()).any(|window| window == several),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_keywords_are_words_of_values_whatever_their_case() {
        let event = json!({
            "client": {"geographicalContext": {"city": "San Francisco"}, "zone": null},
            "target": [{"id": "XOxBw-2JIRnCFd0gG0GjHAAABjY", "displayName": "Zoë O'Brien"}],
            "debugContext": {"debugData": {"risk": "{level=LOW}", "n": 12}},
        });
        for (q, expected) in [
            ("San Francisco", true),
            ("francisco san", true),
            ("\"san francisco\"", true),
            ("\"francisco san\"", false),
            ("Fran", false),
            ("XOxBw", true),
            ("2jirncfd0gg0gjhaaabjy", true),
            ("XOxBw-2JIRnCFd0gG0GjHAAABjY", true),
            ("ZOË", true),
            ("zoë francisco", true),
            ("zoë london", false),
            ("12", true),
            ("city", false),
            ("null", false),
            ("level", false),
        ] {
            let keywords = Keywords::parse(q).expect(q).expect(q);
            assert_eq!(keywords.are_in(&event), expected, "{q}");
        }
        for q in ["", " ", "\"\"", "\" \""] {
            assert_eq!(Keywords::parse(q), Ok(None), "{q}");
        }
    }

    #[test]
    fn what_is_refused() {
        let long = "é".repeat(41);
        assert_eq!(Keywords::parse(&long), Err(OktaError::LongKeyword));
        assert_eq!(Keywords::parse("a b c d e f g h i j k"), Err(OktaError::TooManyKeywords));
        assert!(Keywords::parse(&format!("\"{}\" b c d e f g h i j", "a b".repeat(13))).is_ok());
    }
}
