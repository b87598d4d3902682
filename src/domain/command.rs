//! What can be asked of an instance at Evolution: a command is asked for, done in its turn, and pending until an event
//! or a read-back confirms it (DESIGN "The life of an instance"). How each is done is `domain/procedure.rs`.

use serde::{Deserialize, Serialize};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Ensures the instance at Evolution and starts its connection.
    Connect,
    /// "Reconectar agora".
    Reconnect,
    /// Unlinks the phone; the instance stays.
    Unlink,
    /// Removes the instance here and at Evolution.
    Remove,
    /// Reads how things stand, and sets the webhook right.
    Check,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Connect, Self::Reconnect, Self::Unlink, Self::Remove, Self::Check];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reconnect => "reconnect",
            Self::Unlink => "unlink",
            Self::Remove => "remove",
            Self::Check => "check",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == raw)
    }
}

/// Why something did not come about: a published `statusReason`, and for operators what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub advice: Option<String>,
}

impl Note {
    pub fn new(code: &str) -> Self {
        Self { code: code.to_owned(), advice: None }
    }

    #[must_use]
    pub fn with_advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// How a command stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not ended: waiting, or under way.
    Open,
    Confirmed,
    Unconfirmed(Note),
}
