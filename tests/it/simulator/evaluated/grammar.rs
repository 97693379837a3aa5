//! Makes queries of an org's own events: paths and values that occur, near misses, and everything the language has.

use std::collections::BTreeMap;

use jiff::Timestamp;
use okta_kafka_source::simulator::StoredEvent;
use serde_json::{Map, Value, json};

const OPERATORS: [&str; 10] = ["eq", "ne", "gt", "ge", "lt", "le", "sw", "ew", "co", "pr"];

pub struct Grammar {
    rng: fastrand::Rng,
    /// Every path that occurs, through arrays, with values that stand there.
    paths: Vec<(String, Vec<Value>)>,
    /// Words of values.
    words: Vec<String>,
}

impl Grammar {
    pub fn new(events: &[Value], seed: u64) -> Self {
        let (mut paths, mut words) = (BTreeMap::new(), Vec::new());
        for event in events {
            collect(event, &mut String::new(), &mut paths, &mut words);
        }
        words.sort();
        words.dedup();
        let is_asked = |path: &str| {
            !path.is_empty() && !path.starts_with("published") && !path.starts_with("target.changeDetails")
        };
        let paths = paths.into_iter().filter(|(path, _)| is_asked(path)).collect();
        Self { rng: fastrand::Rng::with_seed(seed), paths, words }
    }

    /// A query with some of the parameters.
    pub fn query(&mut self, stored: &[StoredEvent]) -> Map<String, Value> {
        let mut query = Map::new();
        let mut put = |name: &str, value: String| drop(query.insert(name.to_owned(), json!(value)));
        if self.rng.u32(..10) > 0 {
            put("filter", self.filter(3));
        }
        if self.rng.u32(..6) == 0 {
            put("q", self.keywords());
        }
        let millis = |event: &StoredEvent| Timestamp::from_millisecond(event.published_millis).unwrap().to_string();
        let (one, other) = (self.rng.usize(..stored.len()), self.rng.usize(..stored.len()));
        if self.rng.u32(..3) == 0 {
            put("since", millis(&stored[one.min(other)]));
        }
        if self.rng.u32(..3) == 0 {
            put("until", millis(&stored[one.max(other)]));
        }
        if self.rng.u32(..3) == 0 {
            put("sortOrder", if self.rng.bool() { "ASCENDING" } else { "DESCENDING" }.to_owned());
        }
        if self.rng.u32(..2) == 0 {
            put("limit", [37, 100, 1_000][self.rng.usize(..3)].to_string());
        }
        query
    }

    /// Each parameter alone, every combination of them, and keywords.
    pub fn parameters(&mut self, stored: &[StoredEvent]) -> Vec<Map<String, Value>> {
        let time = |at: usize| Timestamp::from_millisecond(stored[at].published_millis).unwrap().to_string();
        let word = self.words[self.words.len() / 2].clone();
        let all = [
            ("filter", "outcome.result eq \"SUCCESS\"".to_owned()),
            ("q", "success".to_owned()),
            ("since", time(stored.len() / 4)),
            ("until", time(stored.len() / 2)),
            ("sortOrder", "DESCENDING".to_owned()),
            ("limit", "60".to_owned()),
        ];
        let mut queries: Vec<Map<String, Value>> = (0..1_u32 << all.len())
            .map(|set| {
                let chosen = all.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
                chosen.map(|(_, (name, value))| ((*name).to_owned(), json!(value))).collect()
            })
            .collect();
        // What stands between hyphens, words that follow each other, and what is only a part of a word.
        let uuid = stored[3].uuid.as_deref().unwrap();
        let (first, last) = (uuid.split('-').next().unwrap(), uuid.split('-').next_back().unwrap());
        for q in [
            word.as_str(),
            uuid,
            first,
            &last.to_uppercase(),
            "\"user single\"",
            "\"single user\"",
            "USER single",
            &uuid[..5],
        ] {
            queries.push([("q".to_owned(), json!(q))].into_iter().collect());
        }
        queries
    }

    fn keywords(&mut self) -> String {
        let count = self.rng.usize(1..=2);
        let words: Vec<String> = (0..count)
            .map(|_| {
                let word = self.words[self.rng.usize(..self.words.len())].clone();
                match self.rng.u32(..4) {
                    0 => word.to_uppercase(),
                    1 => word.split('-').next_back().unwrap_or_default().to_owned(),
                    _ => word,
                }
            })
            .collect();
        words.join(" ")
    }

    /// A filter that is valid.
    pub fn filter(&mut self, depth: u32) -> String {
        match self.rng.u32(..10) {
            0..4 if depth > 0 => {
                let count = self.rng.usize(2..=4);
                let mut filter = self.filter(depth - 1);
                for _ in 1..count {
                    let junction = ["and", "or", "AND", "Or"][self.rng.usize(..4)];
                    let space = if self.rng.u32(..8) == 0 { "  " } else { " " };
                    filter = format!("{filter}{space}{junction} {}", self.filter(depth - 1));
                }
                filter
            }
            4..6 if depth > 0 => format!("({})", self.filter(depth - 1)),
            6 if depth > 0 => format!("{} ({})", ["not", "NOT"][self.rng.usize(..2)], self.filter(depth - 1)),
            _ => self.comparison(),
        }
    }

    /// A filter with a few characters changed: some are filters yet, most are none.
    pub fn broken_filter(&mut self) -> String {
        const PIECES: [&str; 22] = [
            "(",
            ")",
            "[",
            "]",
            "\"",
            " ",
            "'",
            "\\",
            "not",
            "and ",
            " or ",
            "eq",
            "pr",
            " co ",
            "x",
            "é",
            "1",
            "-1",
            ".",
            "\t",
            "published",
            "true",
        ];
        let mut characters: Vec<String> = self.filter(2).chars().map(String::from).collect();
        for _ in 0..self.rng.usize(0..4) {
            let at = self.rng.usize(..characters.len().max(1)).min(characters.len().saturating_sub(1));
            let piece = PIECES[self.rng.usize(..PIECES.len())].to_owned();
            match self.rng.u32(..4) {
                0 => drop(characters.remove(at)),
                1 => characters[at] = piece,
                2 => characters.insert(at, piece),
                _ => characters.truncate(at + 1),
            }
            if characters.is_empty() {
                characters.push(" ".to_owned());
            }
        }
        characters.concat()
    }

    fn comparison(&mut self) -> String {
        let at = self.rng.usize(..self.paths.len());
        let (mut path, values) = self.paths[at].clone();
        if self.rng.u32(..12) == 0 {
            path += ".nothing";
        }
        let mut operator = OPERATORS[self.rng.usize(..OPERATORS.len())];
        if operator == "co" && (path.ends_with("debugData.url") || path.ends_with("debugData.requestUri")) {
            operator = "sw";
        }
        let case = if self.rng.u32(..6) == 0 { operator.to_uppercase() } else { operator.to_owned() };
        if operator == "pr" {
            return format!("{path} {case}");
        }
        let mut value = match (self.rng.u32(..8), values.is_empty()) {
            (0, _) | (_, true) => self.any_value(),
            _ => values[self.rng.usize(..values.len())].clone(),
        };
        if let (Value::String(text), true) = (&value, self.rng.u32(..4) > 0) {
            let characters: Vec<char> = text.chars().collect();
            let cut = self.rng.usize(..=characters.len());
            value = match operator {
                "sw" => json!(characters[..cut].iter().collect::<String>()),
                "ew" => json!(characters[cut..].iter().collect::<String>()),
                "co" => {
                    let end = self.rng.usize(cut..=characters.len());
                    json!(characters[cut..end].iter().collect::<String>())
                }
                _ if self.rng.u32(..8) == 0 => json!(text.to_lowercase()),
                _ => value,
            };
        }
        format!("{path} {case} {}", self.literal(&value))
    }

    fn any_value(&mut self) -> Value {
        match self.rng.u32(..6) {
            0 => json!(self.rng.bool()),
            1 => Value::Null,
            2 => json!(self.rng.i64(-3..3)),
            3 => json!(f64::from(self.rng.i32(-200..200)) / 8.0),
            4 => json!(["", "a", "null", "\"", "\\", "é", "(", "and", "x] or (y"][self.rng.usize(..9)]),
            _ => json!(self.words[self.rng.usize(..self.words.len())]),
        }
    }

    /// JSON, now and then with escapes that it need not have.
    fn literal(&mut self, value: &Value) -> String {
        match value {
            Value::String(text) if self.rng.u32(..8) == 0 => {
                let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
                format!("\"{escaped}\"")
            }
            Value::Bool(value) if self.rng.u32(..4) == 0 => value.to_string().to_uppercase(),
            value => value.to_string(),
        }
    }
}

fn collect(value: &Value, path: &mut String, paths: &mut BTreeMap<String, Vec<Value>>, words: &mut Vec<String>) {
    match value {
        Value::Array(elements) => {
            let _ = paths.entry(path.clone()).or_default();
            elements.iter().for_each(|element| collect(element, path, paths, words));
        }
        Value::Object(members) => {
            let _ = paths.entry(path.clone()).or_default();
            for (name, member) in members {
                // What no path can name.
                if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                    || name.starts_with(|c: char| c.is_ascii_digit())
                {
                    continue;
                }
                let length = path.len();
                if length > 0 {
                    path.push('.');
                }
                path.push_str(name);
                collect(member, path, paths, words);
                path.truncate(length);
            }
        }
        scalar => {
            let values = paths.entry(path.clone()).or_default();
            if values.len() < 20 && !values.contains(scalar) {
                values.push(scalar.clone());
            }
            if let Value::String(text) = scalar {
                let is_word = |word: &&str| !word.contains('"') && word.chars().count() <= 40 && words.len() < 20_000;
                let found: Vec<String> = text.split(' ').filter(is_word).map(str::to_owned).collect();
                words.extend(found.into_iter().filter(|word| !word.trim().is_empty()));
            }
        }
    }
}
