//! Where in an event a value stands, as a JSON Pointer (RFC 6901).

use super::log_event::LogEvent;
use super::text::Text;
use super::typed::{Kind, Typed};

/// The longest place that a message shows, in characters.
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

    /// The place as a message shows it: short, and with `*` for a name that no field has. Such a name can be content, as
    /// somebody's login in an object that has free members.
    pub(super) fn shown(&self) -> String {
        let mut shown = String::new();
        let _ = self.show(&mut shown);
        match shown.char_indices().nth(MAX_SHOWN) {
            Some((end, _)) => format!("{}…", &shown[..end]),
            None => shown,
        }
    }

    /// Appends the place as a message shows it; gives the type that the schema has for it, if any.
    fn show(&self, shown: &mut String) -> Option<Kind> {
        match self {
            Self::Event => Some(LogEvent::KIND),
            Self::Member { of, name } => {
                let field = match of.show(shown) {
                    Some(Kind::Record(_, fields)) => {
                        fields.iter().find(|(field, _)| name.means_the_same(Text::plain(field)))
                    }
                    _ => None,
                };
                shown.push('/');
                shown.push_str(field.map_or("*", |(field, _)| field));
                field.map(|(_, kind)| *kind)
            }
            Self::Element { of, index } => {
                let array = of.show(shown);
                shown.push('/');
                shown.push_str(&index.to_string());
                match array {
                    Some(Kind::Array(kind)) => Some(*kind),
                    _ => None,
                }
            }
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
    fn a_message_shows_a_short_place_and_no_name_but_fields() {
        let target = Path::Event.member(Text::plain("target"));
        let first = target.element(0);
        assert_eq!(first.member(Text::escaped(r"\u0069d")).shown(), "/target/0/id");
        assert_eq!(first.member(Text::plain("uuid")).shown(), "/target/0/*", "a field of another record");
        let entry = first.member(Text::plain("detailEntry"));
        assert_eq!(entry.member(Text::plain("id")).shown(), "/target/0/detailEntry/*", "a free member");
        let unknown = Path::Event.member(Text::plain("a\nb"));
        assert_eq!(unknown.member(Text::plain("id")).shown(), "/*/*");
        // Deeper than any event.
        fn deeper(path: &Path<'_>, levels: usize) -> String {
            if levels == 0 { path.shown() } else { deeper(&path.element(0), levels - 1) }
        }
        let shown = deeper(&target, 200);
        assert_eq!(shown.chars().count(), MAX_SHOWN + 1);
        assert!(shown.starts_with("/target/0/0/0") && shown.ends_with('…'), "{shown}");
    }
}
