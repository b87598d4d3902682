//! What is asked of Evolution: a route, a body, and how patient and how insistent the asking may be.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use url::Url;

use crate::domain::evolution::Failure;

/// Largest answer read: status answers have some KiB, a code 15, an instance's row 2.
const MAX_BYTES: usize = 2 << 20;
/// The same for lists, messages and media.
const MAX_LARGE_BYTES: usize = 96 << 20;

/// A request, built of parts: nothing in it can lead anywhere else.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    pub(super) within: Duration,
    pub(super) max_bytes: usize,
    pub(super) is_harmless: bool,
    pub(super) is_counted: bool,
}

/// Names the route only: the rest may hold numbers, texts and keys.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.route())
    }
}

impl Request {
    fn new(method: Method, segments: &[&str], body: Option<Value>, is_harmless: bool) -> Self {
        Self {
            method,
            segments: segments.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
            body,
            within: Duration::from_secs(5),
            max_bytes: MAX_BYTES,
            is_harmless,
            is_counted: true,
        }
    }

    pub(super) fn get<const N: usize>(segments: [&str; N]) -> Self {
        Self::new(Method::GET, &segments, None, true)
    }

    pub(super) fn post<const N: usize>(segments: [&str; N], body: Value) -> Self {
        Self::new(Method::POST, &segments, Some(body), false)
    }

    pub(super) fn delete<const N: usize>(segments: [&str; N]) -> Self {
        Self::new(Method::DELETE, &segments, None, false)
    }

    pub(super) fn query(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, value.to_owned()));
        self
    }

    pub(super) fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// From the first byte sent to the last one read.
    pub(super) fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Its answer may be large.
    pub(super) fn large(self) -> Self {
        Self { max_bytes: MAX_LARGE_BYTES, ..self }
    }

    /// It may be repeated whatever came of it.
    pub(super) fn harmless(self) -> Self {
        Self { is_harmless: true, ..self }
    }

    /// It may be repeated only if it certainly never left.
    pub(super) fn once(self) -> Self {
        Self { is_harmless: false, ..self }
    }

    /// That it takes too long, or breaks, says nothing of the server: it may be of one instance, or of WhatsApp.
    pub(super) fn uncounted(self) -> Self {
        Self { is_counted: false, ..self }
    }

    /// For the log and for people: without the instance.
    pub(super) fn route(&self) -> String {
        self.segments.iter().take(2).map(String::as_str).collect::<Vec<_>>().join("/")
    }

    /// Each part is one segment, whatever characters it has.
    pub(super) fn url(&self, base: &Url) -> Result<Url, Failure> {
        if !self.segments.iter().all(|segment| can_be_named(segment)) {
            return Err(Failure::Rejected("an instance can't have such a name".to_owned()));
        }
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::NotEvolution("its address can't have a path"))?
            .pop_if_empty()
            .extend(&self.segments);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

/// A URL knows no way to name the two dots, escaped or not, and leaves line breaks and tabs out: `a\tb` would be `ab`.
fn can_be_named(segment: &str) -> bool {
    !matches!(segment, "." | "..") && !segment.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, name: &str) -> String {
        Request::get(["instance", "connect", name]).url(&base.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn whatever_a_name_has_it_stays_one_segment() {
        let odd = [
            ("a/../b", "a%2F..%2Fb"),
            ("a\\b", "a%5Cb"),
            ("%2e%2e", "%252e%252e"),
            ("a?instanceName=b", "a%3FinstanceName=b"),
            ("a#b", "a%23b"),
            ("a b", "a%20b"),
            ("a;b@c:d", "a;b@c:d"),
            ("ação🙂", "a%C3%A7%C3%A3o%F0%9F%99%82"),
        ];

        for (name, segment) in odd {
            assert_eq!(url("http://e:8080", name), format!("http://e:8080/instance/connect/{segment}"));
        }
    }

    #[test]
    fn what_a_url_cannot_carry_is_refused() {
        for name in [".", "..", "a\tb", "a\nb", "\r"] {
            let refused = Request::get(["instance", "connect", name]).url(&"http://e".parse().unwrap());

            assert!(matches!(refused, Err(Failure::Rejected(_))), "{name:?}");
        }
    }

    #[test]
    fn a_base_may_have_a_path_and_end_in_a_slash() {
        for (base, root) in
            [("http://e", "http://e/"), ("http://e/evo", "http://e/evo/"), ("http://e/evo/", "http://e/evo/")]
        {
            assert_eq!(url(base, "a"), format!("{root}instance/connect/a"));
            assert_eq!(Request::get([""]).url(&base.parse().unwrap()).unwrap().as_str(), root);
        }
    }
}
