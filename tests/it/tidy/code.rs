//! Rust text without its comments and without the insides of its literals, so that prose never breaks a rule.

/// The same text, same lines, with comments and literals blanked.
pub(super) fn bare(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut bare = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = blank_until(&chars, at);
        if end == at {
            bare.push(chars[at]);
            at += 1;
        } else {
            bare.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    bare
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
fn blank_until(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1);
    match chars[at] {
        '/' if next == Some(&'/') => find(chars, at, &['\n']).unwrap_or(chars.len()),
        '/' if next == Some(&'*') => block_comment(chars, at),
        '"' => quoted(chars, at, '"'),
        'r' if !follows_a_word(chars, at) => raw_string(chars, at).unwrap_or(at),
        '\'' if next == Some(&'\\') || chars.get(at + 2) == Some(&'\'') => quoted(chars, at, '\''),
        _ => at,
    }
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') if depth == 1 => return at + 2,
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    chars.len()
}

fn quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(start + 1 + hashes) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    Some(find(chars, start + 2 + hashes, &close).map_or(chars.len(), |at| at + close.len()))
}

/// `br"…"` is a raw literal too, but `for"` or a name's last letter is not.
fn follows_a_word(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).map(|at| chars[at]);
    before.is_some_and(|c| (c.is_alphanumeric() || c == '_') && c != 'b')
}

fn find(chars: &[char], from: usize, what: &[char]) -> Option<usize> {
    chars[from.min(chars.len())..].windows(what.len()).position(|window| window == what).map(|at| at + from)
}

/// Bare code with its inline test modules blanked too.
pub(super) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut left = code.to_owned();
    let mut from = 0;
    while let Some(mark) = left[from..].find(MARK).map(|at| at + from) {
        from = mark + MARK.len();
        if !left[from..].trim_start().starts_with("mod ") {
            continue;
        }
        let Some(end) = end_of_item(&left[from..]).map(|at| at + from) else { break };
        let blank: String = left[from..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        left.replace_range(from..end, &blank);
    }
    left
}

/// Past the `;` or the closing brace of the item at the beginning.
fn end_of_item(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            ';' if depth == 0 => return Some(at + 1),
            '{' => depth += 1,
            '}' if depth <= 1 => return Some(at + 1),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The line, counted from one, of a byte position.
pub(super) fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

/// Positions where a path begins with this word: `tokio` finds `tokio::spawn`, not `my_tokio` nor `a::tokio`.
pub(super) fn mentions<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let joins = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(joins) && !after.is_some_and(joins)
    })
}
