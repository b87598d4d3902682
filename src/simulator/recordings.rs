//! Webhooks recorded from a real Evolution API 2.3.6 (all names and numbers in them are fictitious).

use serde_json::Value;

macro_rules! recordings {
    ($($name:ident = $file:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Recording { $($name),* }

        impl Recording {
            fn text(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!("recordings/", $file, ".json"))),* }
            }

            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

recordings! {
    Text = "upsert-text-conversation",
    Image = "upsert-image-no-base64",
    Audio = "upsert-audio-ptt",
    Location = "upsert-location",
    Reaction = "upsert-reaction",
    Group = "upsert-group-text-lid",
    Poll = "upsert-poll-creation",
    Document = "upsert-document",
    FromMe = "upsert-from-me-other-device",
    HistoryNotice = "history-notice",
    SentImage = "send-image",
}

impl Recording {
    /// The webhook's body.
    pub(super) fn body(self) -> Value {
        let mut file: Value = serde_json::from_str(self.text()).unwrap_or_default();
        file["request"]["body"].take()
    }

    /// `data` of the webhook's body.
    pub(super) fn data(self) -> Value {
        self.body()["data"].take()
    }

    /// Where a message of this kind has its words: a field of `message`, and the field inside where it is an object.
    pub(super) const fn place_of_words(self) -> Option<(&'static str, Option<&'static str>)> {
        match self {
            Self::Text | Self::FromMe | Self::Group => Some(("conversation", None)),
            Self::Image => Some(("imageMessage", Some("caption"))),
            Self::Document => Some(("documentMessage", Some("caption"))),
            Self::Location => Some(("locationMessage", Some("name"))),
            Self::Poll => Some(("pollCreationMessageV3", Some("name"))),
            Self::Reaction => Some(("reactionMessage", Some("text"))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Recording;

    #[test]
    fn every_recording_has_a_body_with_an_event() {
        for recording in Recording::ALL {
            assert!(recording.body()["event"].is_string(), "{recording:?}");
        }
    }
}
