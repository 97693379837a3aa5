//! Where in an event a value stands, as a JSON Pointer (RFC 6901).

use super::text::Text;
use crate::okta::excerpt::excerpt;

/// The longest pointer that a message shows, in characters.
const MAX_SHOWN: usize = 120;

/// The way from a value up to the event.
///
/// It is a list on the call stack: its text is made only where something does not fit, so that a typical event pays
/// nothing for it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'p> {
    /// The event itself.
    Event,
    /// A member of an object.
    Member {
        /// The object.
        of: &'p Path<'p>,
        /// The member's name.
        name: Text<'p>,
    },
    /// An element of an array.
    Element {
        /// The array.
        of: &'p Path<'p>,
        /// The element's index.
        index: usize,
    },
}

impl<'p> Path<'p> {
    pub(super) fn member(&'p self, name: Text<'p>) -> Self {
        Self::Member { of: self, name }
    }

    pub(super) fn element(&'p self, index: usize) -> Self {
        Self::Element { of: self, index }
    }

    /// The JSON Pointer: empty for the event itself. An unpaired surrogate in a name, which no pointer can hold, is
    /// written as U+FFFD; no value is recorded under such a name (see [`super::typed`]).
    pub(super) fn pointer(&self) -> String {
        let mut pointer = String::new();
        self.write(&mut pointer);
        pointer
    }

    /// The pointer as a message shows it: short, on one line.
    pub(super) fn shown(&self) -> String {
        let pointer = excerpt(&self.pointer());
        match pointer.char_indices().nth(MAX_SHOWN) {
            Some((end, _)) => format!("{}…", &pointer[..end]),
            None => pointer,
        }
    }

    fn write(&self, pointer: &mut String) {
        match self {
            Self::Event => {}
            Self::Member { of, name } => {
                of.write(pointer);
                pointer.push('/');
                for character in name.lossy().chars() {
                    match character {
                        '~' => pointer.push_str("~0"),
                        '/' => pointer.push_str("~1"),
                        other => pointer.push(other),
                    }
                }
            }
            Self::Element { of, index } => {
                of.write(pointer);
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_escaped_as_the_rfc_says() {
        let target = Path::Event.member(Text::plain("target"));
        let first = target.element(0);
        let name = first.member(Text::plain("a/b~c~1.d"));
        assert_eq!(name.pointer(), "/target/0/a~1b~0c~01.d");
        assert_eq!(first.member(Text::plain("")).pointer(), "/target/0/");
        assert_eq!(Path::Event.pointer(), "");
    }

    #[test]
    fn a_message_shows_a_pointer_on_one_short_line() {
        let name = "a\nb".repeat(1000);
        let shown = Path::Event.member(Text::plain(&name)).shown();
        assert_eq!(shown.chars().count(), MAX_SHOWN + 1);
        assert!(shown.starts_with("/a\\u{a}ba") && shown.ends_with('…'), "{shown}");
    }
}
