//! Hides values that look secret in a text nobody could parse, before it is kept for an operator to look at.

use std::borrow::Cow;

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

/// The text with the values after secret-looking keys replaced by `"***"`. Works on anything, also on JSON that is cut
/// short: a value runs to its closing quote or bracket, or to the end.
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut kept = 0;
    let mut from = 0;
    while let Some(key) = next_key(text, from) {
        from = key.value;
        if !is_secret(key.name) {
            continue;
        }
        let end = value_end(text, key.value);
        masked.push_str(&text[kept..key.value]);
        masked.push_str("\"***\"");
        kept = end;
        from = end;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[kept..]);
    Cow::Owned(masked)
}

struct Key<'a> {
    name: &'a str,
    /// Where its value begins.
    value: usize,
}

/// The next `"name" :` at or after `from`.
fn next_key(text: &str, mut from: usize) -> Option<Key<'_>> {
    loop {
        let open = from + text.get(from..)?.find('"')?;
        let close = string_end(text, open);
        let name = text.get(open + 1..close.saturating_sub(1)).unwrap_or("");
        let after = text.get(close..)?;
        let rest = after.trim_start();
        if let Some(value) = rest.strip_prefix(':') {
            return Some(Key { name, value: text.len() - value.trim_start().len() });
        }
        if rest.is_empty() {
            return None;
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
    SECRET_NAMES.contains(&plain.as_str())
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
            (r#"{"text":"apikey","n":1}"#, r#"{"text":"apikey","n":1}"#),
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
