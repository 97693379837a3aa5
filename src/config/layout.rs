//! What the lines around a syntax error show: the parser tells where it can't go on, not what was meant.
//!
//! Guesses, and worded as what is seen; none of them shows any text of the file.

/// A `: ` where none can stand: one key too deep, or a space that the line before lacks. `None` for a value with a `: `.
pub(super) fn colon(text: &str, line: usize, column: usize) -> Option<String> {
    let here = text.lines().nth(line.checked_sub(1)?)?;
    let before: String = here.chars().take(column.saturating_sub(1)).collect();
    if before.contains(": ") {
        return None;
    }
    let (above, content) = line_above(text, line)?;
    let key = content.trim_start_matches("- ");
    if key.starts_with('-') && !key.starts_with("--") {
        return Some(format!("a space is missing after the `-` of line {above}: write `- key: value`"));
    }
    if key.contains(": ") {
        return (key_column(here) > key_column(text.lines().nth(above - 1)?))
            .then(|| format!("is indented deeper than line {above}: align it"));
    }
    key.contains(':').then(|| format!("a space is missing after the `:` of line {above}: write `key: value`"))
}

/// A key that lines up with nothing above.
pub(super) fn indentation(text: &str, line: usize) -> Option<String> {
    let here = key_column(text.lines().nth(line.checked_sub(1)?)?);
    let (above, _) = line_above(text, line)?;
    let there = key_column(text.lines().nth(above - 1)?);
    match here.cmp(&there) {
        std::cmp::Ordering::Greater => Some(format!("is indented deeper than line {above}: align it")),
        std::cmp::Ordering::Less => {
            Some(format!("is indented less than line {above}, and not as any line above: align it with its neighbours"))
        }
        std::cmp::Ordering::Equal => None,
    }
}

/// Lines of a key around the error: of a PEM file that is not indented, the second line is the first that can't be read.
pub(super) fn key_material(text: &str, line: usize) -> Option<String> {
    let is_body = |content: &str| {
        content.len() >= 40 && content.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
    };
    let is_of_a_key =
        |content: &str| ["-----BEGIN ", "-----END "].iter().any(|frame| content.contains(frame)) || is_body(content);
    let around = text.lines().skip(line.saturating_sub(3)).take(4);
    around.map(str::trim).any(is_of_a_key).then(|| {
        "this looks like a key: indent all its lines under `private_key: |`, or better write `private_key: \"${file:PATH}\"`"
            .to_owned()
    })
}

/// `${` without quotes between braces: the parser takes the second brace for a map.
pub(super) fn placeholder(text: &str, line: usize, column: usize) -> Option<String> {
    let here: Vec<char> = text.lines().nth(line.checked_sub(1)?)?.chars().collect();
    let at = column.checked_sub(2)?;
    (here.get(at) == Some(&'$') && here.get(at + 1) == Some(&'{'))
        .then(|| "between `{` and `}`, or `[` and `]`, a placeholder needs quotes: write `\"${env:NAME}\"`".to_owned())
}

/// The line on which a quoted text was opened that reaches from there to the line of the error.
pub(super) fn quote_from_above(text: &str, line: usize, column: usize) -> Option<usize> {
    let mut open: Option<(char, usize)> = None;
    let mut last: Option<(usize, usize)> = None;
    for (number, content) in (1..).zip(text.lines()).take(line) {
        let mut before = ' ';
        let mut chars = content.chars().enumerate();
        while let Some((at, c)) = chars.next() {
            if number == line && at + 1 >= column {
                break;
            }
            match open {
                Some(('"', _)) if c == '\\' => drop(chars.next()),
                Some((quote, opened)) if c == quote => {
                    last = Some((opened, number));
                    open = None;
                }
                Some(_) => {}
                None if c == '#' && before.is_whitespace() => break,
                None if matches!(c, '"' | '\'')
                    && (before.is_whitespace() || matches!(before, '{' | '[' | ',' | ':')) =>
                {
                    open = Some((c, number));
                }
                None => {}
            }
            before = c;
        }
    }
    let ended_here = last.filter(|(_, ended)| *ended == line).map(|(opened, _)| opened);
    open.map(|(_, opened)| opened).or(ended_here).filter(|opened| *opened < line)
}

/// The nearest line above with something on it, and that without its indentation.
fn line_above(text: &str, line: usize) -> Option<(usize, &str)> {
    let above: Vec<&str> = text.lines().take(line.saturating_sub(1)).collect();
    let found = above.iter().rposition(|content| {
        let content = content.trim_start();
        !content.is_empty() && !content.starts_with('#')
    })?;
    Some((found + 1, above[found].trim_start()))
}

/// Where a line's key begins, behind the `- ` of a list.
fn key_column(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '-']).len()
}
