//! Reading JSON in place: a value is its own text, borrowed, and is decoded only where somebody asks for it. So a text
//! with NUL escapes, lone surrogates or numbers beyond `f64` passes through untouched, and depth costs no stack
//! (`serde_json` skips a value without recursion).

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use memchr::memchr;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One valid JSON value as it was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// `text` as one JSON value; `None` when it is not one.
    pub fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str::<&RawValue>(text).ok().map(|raw| Self(raw.get()))
    }

    /// The value as it was written.
    pub const fn raw(self) -> &'a str {
        self.0
    }

    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    pub fn is_string(self) -> bool {
        self.0.starts_with('"')
    }

    pub fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    pub fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    /// A string's content; `None` for other types and for what no Rust string can hold (a lone surrogate).
    pub fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    /// A string that says something: as [`Json::text`], but `None` when empty.
    pub fn filled_text(self) -> Option<Cow<'a, str>> {
        self.text().filter(|text| !text.is_empty())
    }

    pub fn is_true(self) -> bool {
        self.0 == "true"
    }

    /// A whole number in any of Evolution's encodings (CONTRACT §4.1): a number, a decimal string, or a Long object
    /// `{"low":…,"high":…,"unsigned":…}`.
    pub fn integer(self) -> Option<i64> {
        let Some(long) = self.object() else { return self.plain_integer() };
        let low = u32::try_from(long.get("low")?.plain_integer()? & 0xffff_ffff).ok()?;
        let high = long.get("high")?.plain_integer()?;
        high.checked_mul(1 << 32)?.checked_add(i64::from(low))
    }

    /// Apart from [`Json::integer`] so that a Long inside a Long inside … costs no stack.
    fn plain_integer(self) -> Option<i64> {
        self.text().unwrap_or(Cow::Borrowed(self.0)).parse().ok()
    }

    /// The members, when this is an object.
    pub fn object(self) -> Option<Object<'a>> {
        if self.is_object() { Object::parse(self.0).ok() } else { None }
    }

    /// The last member called `name`, when this is an object that has one.
    pub fn get(self, name: &str) -> Option<Self> {
        if self.is_object() { last_member(self.0, name) } else { None }
    }

    /// Whether this is written with escapes, if it is a string.
    fn is_escaped(self) -> bool {
        memchr(b'\\', self.0.as_bytes()).is_some()
    }

    /// Whether this is the string `text`, however it was spelt. `is_escaped` is what [`Json::is_escaped`] says.
    fn says(self, text: &str, is_escaped: bool) -> bool {
        if is_escaped {
            return self.is_string() && self.text().is_some_and(|own| own == text);
        }
        // Lengths first: nearly all that is compared differs in them.
        self.0.len() == text.len() + 2 && self.is_string() && &self.0[1..=text.len()] == text
    }

    /// The value at the end of a chain of member names.
    pub fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The elements, when this is an array; none otherwise.
    pub fn elements(self) -> Vec<Self> {
        if !self.is_array() {
            return Vec::new();
        }
        let raw: Vec<&'a RawValue> = serde_json::from_str(self.0).unwrap_or_default();
        raw.into_iter().map(|element| Self(element.get())).collect()
    }

    /// Where this value stands in the text it was read from.
    pub fn span_in(self, text: &str) -> Range<usize> {
        let start = self.0.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
        start..start.wrapping_add(self.0.len())
    }
}

/// Never prints the value: it may be somebody's message.
impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// An object's members in the order they were written, repeated names included.
#[derive(Clone, Debug)]
pub struct Object<'a>(Vec<Member<'a>>);

#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The name as it was written, quotes and escapes included.
    name: Json<'a>,
    value: Json<'a>,
    /// Whether the name is written with escapes: asked once, since a name is compared with many.
    is_escaped: bool,
}

impl<'a> Object<'a> {
    /// # Errors
    /// What `serde_json` says: of category `Data` when `text` is JSON but not an object.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The value of the last member called `name`: of repeated names the last counts, as in JavaScript.
    pub fn get(&self, name: &str) -> Option<Json<'a>> {
        self.0.iter().rev().find(|member| member.is_called(name)).map(|member| member.value)
    }

    /// The values of all members called `name`.
    pub fn all<'o>(&'o self, name: &'o str) -> impl Iterator<Item = Json<'a>> + 'o {
        self.0.iter().filter(move |member| member.is_called(name)).map(|member| member.value)
    }

    pub fn members(&self) -> &[Member<'a>] {
        &self.0
    }

    /// The pieces of `text` that must go so that this object loses the members `unwanted` picks and stays an object.
    /// `text` is what this object was read from.
    pub fn spans_without(&self, text: &str, unwanted: impl Fn(&Member<'a>) -> bool) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut kept_before = false;
        for (i, member) in self.0.iter().enumerate() {
            if !unwanted(member) {
                kept_before = true;
                continue;
            }
            let own = member.name.span_in(text).start..member.value.span_in(text).end;
            let previous = i.checked_sub(1).and_then(|before| self.0.get(before));
            spans.push(match (previous, self.0.get(i + 1)) {
                (Some(previous), _) if kept_before => previous.value.span_in(text).end..own.end,
                (_, Some(next)) => own.start..next.name.span_in(text).start,
                _ => own,
            });
        }
        spans
    }
}

impl<'a> Member<'a> {
    /// The decoded name; `None` when no Rust string can hold it.
    pub fn name(&self) -> Option<Cow<'a, str>> {
        self.name.text()
    }

    /// Whether this is the member `name`, however it was spelt (`"api\u006bey"`).
    pub fn is_called(&self, name: &str) -> bool {
        self.name.says(name, self.is_escaped)
    }

    pub const fn value(&self) -> Json<'a> {
        self.value
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some((name, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
            let name = Json(name.get());
            members.push(Member { name, value: Json(value.get()), is_escaped: name.is_escaped() });
        }
        Ok(Object(members))
    }
}

/// The last member called `name` of the object that `text` is, or begins: what follows a fault is not looked at. Takes
/// no memory however many members there are.
pub fn last_member<'a>(text: &'a str, name: &str) -> Option<Json<'a>> {
    let mut found = None;
    let seed = LastMember { name, found: &mut found };
    // A fault only ends the search.
    let _ = seed.deserialize(&mut serde_json::Deserializer::from_str(text));
    found
}

struct LastMember<'o, 'de> {
    name: &'o str,
    found: &'o mut Option<Json<'de>>,
}

impl<'de> DeserializeSeed<'de> for LastMember<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for LastMember<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
            let name = Json(name.get());
            if name.says(self.name, name.is_escaped()) {
                *self.found = Some(Json(value.get()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_repeated_names_the_last_counts_however_it_is_spelt() {
        let object = Object::parse(r#"{"a":1,"\u0061":2,"\ud800":3}"#).unwrap();

        assert_eq!(object.get("a").unwrap().raw(), "2");
        assert_eq!(object.all("a").count(), 2);
    }

    #[test]
    fn a_text_is_known_in_every_spelling_and_by_what_it_says_only() {
        for (raw, said, is_said) in [
            (r#""apikey""#, "apikey", true),
            (r#""api\u006bey""#, "apikey", true),
            (r#""a\\b""#, r"a\b", true),
            (r#""a\\b""#, r"a\\b", false),
            (r#""apikeys""#, "apikey", false),
            ("apikey", "apikey", false),
        ] {
            assert_eq!(
                Json::parse(raw).is_some_and(|json| json.says(said, json.is_escaped())),
                is_said,
                "{raw} {said}"
            );
        }
    }

    #[test]
    fn a_member_is_found_before_a_fault_and_its_value_only_when_whole() {
        for (text, found) in [
            (r#"{"a":"x","b":[1"#, Some("\"x\"")),
            (r#"{"":0,"a":1,"\u0061":{"a":2},"\ud800":3}"#, Some(r#"{"a":2}"#)),
            (r#"{"a":1} trailing"#, Some("1")),
            (r#"{"a":1,nonsense,"a":2}"#, Some("1")),
            (r#"{"a":"cut"#, None),
            (r#"{"b":{"a":1}}"#, None),
            (r#"["a",1]"#, None),
            ("", None),
        ] {
            assert_eq!(last_member(text, "a").map(Json::raw), found, "{text}");
        }
    }

    #[test]
    fn a_whole_number_is_read_in_all_three_encodings() {
        for same in ["1795211000000", "\"1795211000000\"", r#"{"low":-85329728,"high":417,"unsigned":false}"#] {
            assert_eq!(Json::parse(same).unwrap().integer(), Some(1_795_211_000_000), "{same}");
        }
        for none in ["null", "\"\"", "1e400", "{}", r#"{"low":1,"high":99999999999999}"#, "[1]", "true"] {
            assert_eq!(Json::parse(none).unwrap().integer(), None, "{none}");
        }
    }

    #[test]
    fn a_text_that_rust_cannot_hold_is_passed_on_but_not_decoded() {
        let lone = Json::parse(r#""\ud800 and \u0000""#).unwrap();

        assert_eq!(lone.text(), None);
        assert_eq!(lone.raw(), r#""\ud800 and \u0000""#);
    }
}
