//! Hides values that look secret in a text nobody could parse, before it is kept for an operator to look at.

use std::borrow::Cow;
use std::ops::Range;

/// Names whose values are hidden wherever they stand, compared without case, `_` and `-`.
const SECRET_NAMES: [&str; 15] = [
    "apikey",
    "token",
    "hash",
    "password",
    "secret",
    "authorization",
    "jwtkey",
    "base64",
    "code",
    "qrcode",
    "pairingcode",
    "keydata",
    "mediakey",
    "appstatesynckeyshare",
    "historysyncnotification",
];

/// And whatever ends so: `accessToken`, `client_secret`, `X-Api-Key`.
const SECRET_ENDINGS: [&str; 4] = ["apikey", "token", "secret", "password"];

/// What the two forms of a code to scan begin with: its picture, and its text.
pub const CODE_BEGINNINGS: [&str; 2] = ["data:image", "2@"];

/// The text with codes to scan, and the values after secret-looking keys, replaced by `"***"`. Works on anything, also
/// on JSON that is cut short: a value runs to its closing quote or bracket, or to the end.
pub fn mask(text: &str) -> Cow<'_, str> {
    match hide(text, next_code) {
        Cow::Borrowed(text) => hide(text, next_secret),
        Cow::Owned(text) => Cow::Owned(hide(&text, next_secret).into_owned()),
    }
}

/// The text with everything that `next` finds, at or after a place, replaced.
fn hide(text: &str, next: impl Fn(&str, usize) -> Option<Range<usize>>) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut kept = 0;
    while let Some(span) = next(text, kept) {
        masked.push_str(&text[kept..span.start]);
        masked.push_str("\"***\"");
        kept = span.end;
    }
    if masked.is_empty() {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[kept..]);
    Cow::Owned(masked)
}

/// The next string that is a code. Every quote counts, so that a stray one before it doesn't hide it.
fn next_code(text: &str, from: usize) -> Option<Range<usize>> {
    let mut quotes = text.get(from..)?.match_indices('"').map(|(at, _)| from + at);
    let open = quotes.find(|open| CODE_BEGINNINGS.iter().any(|beginning| text[open + 1..].starts_with(beginning)))?;
    Some(open..string_end(text, open))
}

/// The next value behind `"name" :` whose name looks secret.
fn next_secret(text: &str, mut from: usize) -> Option<Range<usize>> {
    loop {
        let open = from + text.get(from..)?.find('"')?;
        let close = string_end(text, open);
        let name = text.get(open + 1..close.saturating_sub(1)).unwrap_or("");
        let value = text.get(close..)?.trim_start().strip_prefix(':').filter(|_| is_secret(name));
        if let Some(value) = value {
            let start = text.len() - value.trim_start().len();
            return Some(start..value_end(text, start));
        }
        from = close;
    }
}

/// Just behind the string that opens at `open`; the end of the text when it is never closed.
fn string_end(text: &str, open: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn value_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    match bytes.get(start) {
        Some(b'"') => string_end(text, start),
        Some(b'{' | b'[') => {
            let (mut at, mut depth) = (start, 0usize);
            while at < bytes.len() {
                match bytes[at] {
                    b'"' => {
                        at = string_end(text, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return at;
                }
            }
            text.len()
        }
        _ => start + text[start..].find([',', '}', ']', '\n']).unwrap_or(text.len() - start),
    }
}

fn is_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect();
    SECRET_NAMES.contains(&plain.as_str()) || SECRET_ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::mask;

    #[test]
    fn values_behind_secret_names_are_hidden_also_in_broken_json() {
        for (text, masked) in [
            (r#"{"apikey":"TKN","a":1}"#, r#"{"apikey":"***","a":1}"#),
            (r#"{"API_KEY" : "T\"KN" "#, r#"{"API_KEY" : "***" "#),
            (r#"{"token":123,"x":"y"}"#, r#"{"token":"***","x":"y"}"#),
            (r#"{"keyData":{"0":1,"b":[2,"}"]},"x":1}"#, r#"{"keyData":"***","x":1}"#),
            (r#"{"qrcode":"data:image/png;base64,iV"#, r#"{"qrcode":"***""#),
            (r#"{"apikey":"cut short"#, r#"{"apikey":"***""#),
            (r#"{"accessToken":"a","X-Api-Key":"b"}"#, r#"{"accessToken":"***","X-Api-Key":"***"}"#),
            (r#"{"text":"apikey","n":1}"#, r#"{"text":"apikey","n":1}"#),
            (r#"{"data":"data:image/png;base64,iV"#, r#"{"data":"***""#),
            (r#"{"a":["2@x,y","z"],"b":" 2@"}"#, r#"{"a":["***","z"],"b":" 2@"}"#),
            (r#"{"a":"x"y","data":"data:image/png","b":1}"#, r#"{"a":"x"y","data":"***","b":1}"#),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[\\PC\"\\\\{}:,\\[\\]]{0,200}") {
            mask(&text);
        }
    }
}
