//! SPDX licence expressions: `OR` needs one side, `AND` both, `WITH` belongs to the licence before it. `AND` binds
//! tighter than `OR`; an old manifest's `/` means `OR`.

/// Whether the expression can be fulfilled with the allowed licences alone.
///
/// # Errors
/// In words, when it is no expression.
pub(super) fn allowed(expression: &str, list: &[&str]) -> Result<bool, String> {
    let mut words = words(expression);
    words.reverse();
    let mut reader = Reader { words, list };
    let allowed = reader.any()?;
    match reader.words.pop() {
        None => Ok(allowed),
        Some(left) => Err(format!("`{left}` is left over")),
    }
}

fn words(expression: &str) -> Vec<String> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Reader<'a> {
    /// What is still to be read, the next one last.
    words: Vec<String>,
    list: &'a [&'a str],
}

impl Reader<'_> {
    fn any(&mut self) -> Result<bool, String> {
        let mut allowed = self.all()?;
        while self.next_is("OR") {
            allowed |= self.all()?;
        }
        Ok(allowed)
    }

    fn all(&mut self) -> Result<bool, String> {
        let mut allowed = self.one()?;
        while self.next_is("AND") {
            allowed &= self.one()?;
        }
        Ok(allowed)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.next_is("(") {
            let allowed = self.any()?;
            return if self.next_is(")") { Ok(allowed) } else { Err("a `(` is never closed".into()) };
        }
        let mut licence = self.name()?;
        if self.next_is("WITH") {
            licence = format!("{licence} WITH {}", self.name()?);
        }
        Ok(self.list.contains(&licence.as_str()))
    }

    fn name(&mut self) -> Result<String, String> {
        let word = self.words.pop().ok_or("it ends too early")?;
        match word.as_str() {
            "OR" | "AND" | "WITH" | "(" | ")" => Err(format!("`{word}` where a licence should be")),
            _ => Ok(word),
        }
    }

    fn next_is(&mut self, word: &str) -> bool {
        let is = self.words.last().is_some_and(|next| next == word);
        if is {
            self.words.pop();
        }
        is
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    const LIST: [&str; 3] = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];

    #[test]
    fn one_side_of_or_is_enough_and_both_of_and_are_needed() {
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("MIT AND GPL-3.0", false),
            ("MIT AND ISC", true),
            ("(GPL-3.0 OR MIT) AND ISC", true),
            ("GPL-3.0 OR MIT AND AGPL-3.0", false),
            ("MIT OR GPL-3.0 AND AGPL-3.0", true),
            ("Apache-2.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
        ] {
            assert_eq!(allowed(expression, &LIST), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_an_error_and_never_allowed() {
        for expression in ["", "OR", "MIT OR", "(MIT", "MIT)", "MIT ISC", "MIT AND OR ISC", "MIT WITH"] {
            assert!(allowed(expression, &LIST).is_err(), "{expression}");
        }
    }
}
