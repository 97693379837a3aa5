//! How keys and values of a file are shown, and which known name an unknown one was meant to be.

/// The longest text that a message repeats.
const MAX_SHOWN: usize = 80;

/// A value as it is written in the file, short enough for one line.
///
/// Only what stands in the file is ever shown, so `${env:NAME}` stays `${env:NAME}`.
pub(super) fn shown(written: &str) -> String {
    let escaped: String = written.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    let quotes_kept = escaped.replace("\\\"", "\"").replace("\\'", "'");
    if written.chars().nth(MAX_SHOWN).is_some() { format!("{quotes_kept}…") } else { quotes_kept }
}

/// A key as a message may show it: up to the first character that no key has.
///
/// `{ssws:00abc}` without a space after the colon is one key to YAML, and what follows the colon a secret.
pub(super) fn name(key: &str) -> String {
    let end = key.find(|c: char| !(c.is_ascii_alphanumeric() || "._-<".contains(c))).unwrap_or(key.len());
    let end = end.min(MAX_SHOWN);
    if end < key.len() { format!("{}…", &key[..end]) } else { key.to_owned() }
}

/// The known name that is nearest to an unknown one, if one is near enough to be a slip of the hand.
pub(super) fn nearest<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if unknown.len() > MAX_SHOWN {
        return None;
    }
    let folded = fold(unknown);
    let allowed = (folded.len() / 4).clamp(1, 3);
    known
        .into_iter()
        .map(|name| (distance(&folded, &fold(name)), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `groupId`, `group-id` and `group.id` are the same slip for `group_id`.
fn fold(name: &str) -> Vec<char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Edit distance with transpositions of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_none() {
        let known = ["interval", "group_id", "large_pages", "org"];
        for (unknown, expected) in [
            ("intervall", Some("interval")),
            ("intreval", Some("interval")),
            ("groupId", Some("group_id")),
            ("group.id", Some("group_id")),
            ("large_page", Some("large_pages")),
            ("orgs", Some("org")),
            ("schedule", None),
            ("", None),
        ] {
            assert_eq!(nearest(unknown, known), expected, "{unknown}");
        }
    }

    #[test]
    fn what_follows_a_colon_in_a_key_is_not_shown() {
        assert_eq!(name("ssws:00abc"), "ssws…");
        assert_eq!(name("sasl.password=hunter2"), "sasl.password…");
        assert_eq!(name("linger.ms"), "linger.ms");
    }

    #[test]
    fn a_shown_value_is_one_short_line() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(r#"eventType sw "user.""#), r#"eventType sw "user.""#);
        assert_eq!(shown(&"x".repeat(200)).chars().count(), MAX_SHOWN + 1);
    }
}
