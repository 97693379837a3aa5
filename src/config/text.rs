//! How keys and values of a file are shown, and which known name an unknown one was meant to be.

use std::path::Path;

use crate::spelling::distance;

/// The longest text that a message repeats.
const MAX_SHOWN: usize = 80;

/// The longest text that is searched for secrets as a whole.
const MAX_SEARCHED: usize = 10_000;

/// The longest path that a message repeats; a longer one is none.
const MAX_PATH: usize = 500;

/// The longest text that is shown where a private key may stand: its number alone, as a JWK has it, is longer.
const MAX_BESIDE_A_KEY: usize = 32;

/// Longer than the words of a key are.
const LONG_WORD: usize = 20;

/// What the name of a key ends in whose value is a secret.
const NAMES_OF_SECRETS: [&str; 12] = [
    "ssws",
    "auth",
    "password",
    "passphrase",
    "passwd",
    "secret",
    "private_key",
    "private.key",
    "key.pem",
    "jaas.config",
    "token",
    "-----begin",
];

/// A value as it is written in the file, short enough for one line, up to what may be a secret.
///
/// Only what stands in the file is ever shown, so `${env:NAME}` stays `${env:NAME}`.
pub(super) fn shown(written: &str) -> String {
    let harmless = &written[..secret_at(written).unwrap_or(written.len())];
    let escaped: String = harmless.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    let quotes_kept = escaped.replace("\\\"", "\"").replace("\\'", "'");
    let is_whole = harmless.len() == written.len() && written.chars().nth(MAX_SHOWN).is_none();
    if is_whole { quotes_kept } else { format!("{quotes_kept}…") }
}

/// Whether a text may be shown that stands where somebody may have written a private key: only what is too short for one,
/// and has none of JSON's quotes. A blacklist would not do: a key has no form that it could be told by in all its parts.
pub(super) fn is_harmless_beside_a_key(written: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " ,._-:${}<".contains(c);
    written.len() <= MAX_BESIDE_A_KEY && written.chars().all(is_plain) && secret_at(written).is_none()
}

/// Whether all of a text may be shown, of which parts are: nowhere in it may a secret begin.
pub(super) fn is_harmless(written: &str) -> bool {
    written.len() <= MAX_SEARCHED && secret_anywhere_at(written).is_none()
}

/// A path as it is written in the file. A brace that is not closed makes a path of the lines that follow.
pub(super) fn path(path: &Path) -> String {
    let written = path.to_string_lossy();
    let end = written.find(|c: char| c.is_control()).unwrap_or(written.len());
    let end = end.min(written.find(": ").unwrap_or(end));
    let short: String = written[..end].chars().take(MAX_PATH).collect();
    if short.len() < written.len() { format!("{short}…") } else { short }
}

/// Where a text that is to be shown may go on with a secret:
///
/// * after `key: `, since a quote that is not closed makes a value of the lines that follow,
/// * after the name of a secret, as `password=`,
/// * at a login, as `https://user:password@host`,
/// * where it looks like an API token of Okta's, a JSON Web Token, a PEM file, what stands in one, or JSON, as a JWK,
///   which somebody wrote under the wrong key.
fn secret_at(text: &str) -> Option<usize> {
    // Longer than what is ever shown, with all its escapes.
    let end = text.char_indices().nth(2 * MAX_SHOWN).map_or(text.len(), |(at, _)| at);
    secret_anywhere_at(&text[..end])
}

/// The same in all of a text.
fn secret_anywhere_at(text: &str) -> Option<usize> {
    let text = text.to_ascii_lowercase();
    let after_key =
        text.match_indices(':').find(|(at, _)| text[at + 1..].starts_with([' ', '\t', '\n'])).map(|(at, _)| at);
    let after_name = NAMES_OF_SECRETS
        .iter()
        .flat_map(|name| text.match_indices(name))
        .filter(|(at, name)| {
            let rest = text[at + name.len()..].trim_start_matches([' ', '"', '\'']);
            // `urn:ietf:params:oauth:…` names none.
            let is_name = *name != "auth" || !text[..*at].ends_with(|c: char| c.is_ascii_alphabetic());
            is_name && rest.starts_with([':', '=']) || matches!(*name, "ssws" | "-----begin")
        })
        .map(|(at, name)| at + name.len());
    let tokens = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)))
        .filter(|word| (word.starts_with("00") && word.len() >= 40) || (word.starts_with("eyj") && word.len() >= 20))
        .map(|word| word.as_ptr() as usize - text.as_ptr() as usize);
    // DER begins with a sequence.
    let bodies = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)))
        .filter(|word| word.starts_with("mi") && word.len() >= 40)
        .map(|word| word.as_ptr() as usize - text.as_ptr() as usize);
    let json = text.match_indices('{').find(|(at, _)| text[at + 1..].trim_start().starts_with('"')).map(|(at, _)| at);
    let logins = text.match_indices('@').filter_map(|(at, _)| {
        let start = text[..at].rfind([' ', '"', '\'', '/', ',', '{', '[']).map_or(0, |before| before + 1);
        text[start..at].contains(':').then_some(start)
    });
    after_key.into_iter().chain(after_name).chain(tokens).chain(bodies).chain(json).chain(logins).min()
}

/// A key as a message may show it: up to the first character that no key has.
///
/// `{ssws:00abc}` without a space after the colon is one key to YAML, and what follows the colon a secret.
pub(super) fn name(key: &str) -> String {
    if is_random(key) {
        return "…".to_owned();
    }
    let end = key.find(|c: char| !(c.is_ascii_alphanumeric() || "._-<".contains(c))).unwrap_or(key.len());
    let end = end.min(MAX_SHOWN).min(secret_at(key).unwrap_or(key.len()));
    if end < key.len() { format!("{}…", &key[..end]) } else { key.to_owned() }
}

/// Whether a text is an API token of Okta's: they have 42 characters, and IDs of apps 20.
pub(super) fn is_api_token(text: &str) -> bool {
    text.len() >= 40 && text.starts_with("00") && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// Whether a key looks drawn by lot rather than thought of, as a line of a PEM file that lost its indentation, or a password:
/// then its beginning is as secret as the rest. No key of ours, of librdkafka's or of a topic's has capitals and digits.
fn is_random(key: &str) -> bool {
    let has = |is: fn(&u8) -> bool| key.as_bytes().iter().any(is);
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    let is_long = |word: &str| {
        word.len() >= LONG_WORD && (word.len() >= 2 * LONG_WORD || word.bytes().filter(u8::is_ascii_digit).count() >= 4)
    };
    key.contains(['+', '/']) && key.len() >= LONG_WORD
        || key.ends_with('=')
        || is_mixed && key.len() >= 12
        || key.split(|c: char| !c.is_ascii_alphanumeric()).any(is_long)
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
    fn a_key_that_looks_drawn_by_lot_is_not_shown() {
        for key in [
            "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQC7VJTUt9Us8cKj",
            "qhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQC7VJTUt9Us8cKjMzEfYyjiWA4R4",
            "aB+cdefghijklmnopqrstu",
            "xYzwQ==",
            "Pl4nted-s3cret",
            "2f9c0e6d1b7a4835c2f9c0e6d1b7a483",
            "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
        ] {
            assert_eq!(name(key), "…");
        }
        for key in [
            "sasl.oauthbearer.client.credentials.client.secret",
            "socketConnectionSetupTimeoutMs",
            "OKTA_API_TOKEN_2026_11",
            "rate_limit_bulk_reserve",
        ] {
            assert_eq!(name(key), key);
        }
    }

    #[test]
    fn a_shown_value_ends_before_what_may_be_a_secret() {
        let token = format!("00{}", "aB_-".repeat(10));
        for (written, expected) in [
            ("60s auth: {ssws: 00abc}", "60s auth…"),
            ("60s\n    auth: {ssws:00abc}", "60s\\n    auth…"),
            ("SSWS 00abc", "SSWS…"),
            ("sasl.password = hunter2", "sasl.password…"),
            ("https://acme.okta.com?Token=hunter2", "https://acme.okta.com?Token…"),
            ("'secret': hunter2", "'secret…"),
            ("https://u:hunter2@idp.example/token", "https://…"),
            ("u:hunter2@idp.example", "…"),
            ("https://***@acme.okta.com", "https://***@acme.okta.com"),
            (&format!("x {token}"), "x …"),
            ("eyJhbGciOiJSUzI1NiJ9.x.y", "…"),
            ("-----BEGIN PRIVATE KEY----- MIIx", "-----BEGIN…"),
            (r#"{"d":"hunter2","kty":"EC"}"#, "…"),
            (r#"x { "kty": "EC", "d": "hunter2"}"#, "x …"),
            ("MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0w hunter2", "…"),
            ("${env:OKTA_API_TOKEN}", "${env:OKTA_API_TOKEN}"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ("https://secret.okta.com:443", "https://secret.okta.com:443"),
        ] {
            assert_eq!(shown(written), expected);
        }
        assert_eq!(name(&token), "…");
    }

    #[test]
    fn a_shown_value_is_one_short_line() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(r#"eventType sw "user.""#), r#"eventType sw "user.""#);
        assert_eq!(shown(&"x".repeat(200)).chars().count(), MAX_SHOWN + 1);
    }
}
