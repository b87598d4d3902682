//! Lists, one page at a time: `limit`, an opaque `cursor`, and `{"items":[…],"nextCursor":…|null}`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::error::Error;

/// Items on a page when nobody says how many, and at most.
const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items on the page, 1 to 200. Default 50.
    limit: Option<i64>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

impl PageQuery {
    /// # Errors
    /// [`Error::BadInput`].
    pub fn limit(&self) -> Result<i64, Error> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if (1..=MAX_LIMIT).contains(&limit) { Ok(limit) } else { Err(Error::bad_input("limit", "must be 1 to 200")) }
    }

    /// Where this page begins; `None` for the first.
    ///
    /// # Errors
    /// [`Error::BadInput`].
    pub fn cursor<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        let Some(raw) = &self.cursor else { return Ok(None) };
        let json = BASE64_URL_SAFE_NO_PAD.decode(raw).ok();
        let place = json.and_then(|json| serde_json::from_slice(&json).ok());
        place.map(Some).ok_or_else(|| Error::bad_input("cursor", "is not one of this list"))
    }
}

/// A place in a list, as the outside carries it.
#[derive(Debug)]
pub struct Cursor(String);

impl Cursor {
    pub fn of(place: &impl Serialize) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default()))
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Cuts `rows`, of which one more than `limit` was read, to a page.
    pub fn cut(mut rows: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| cursor(last).0);
        Self { items: rows, next_cursor }
    }

    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next_cursor: self.next_cursor }
    }
}
