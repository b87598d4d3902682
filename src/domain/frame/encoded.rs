//! A frame's bytes as they go out: made once, shared by all who listen.

use std::fmt;

use bytes::Bytes;

/// A frame's JSON text behind the header that makes it a WebSocket message, and its number on the channel it was
/// rendered for. A clone shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    pub seq: i64,
    /// Header and text.
    message: Bytes,
    header_len: usize,
}

/// The longest header of a server's message: two bytes and a length of eight (RFC 6455 §5.2).
const HEADER_ROOM: [char; 10] = ['\0'; 10];
/// The last fragment of a text, which is all of it.
const WHOLE_TEXT: u8 = 0x81;

impl Frame {
    /// A text that `write` appends, of about `text_bytes`.
    pub fn new(seq: i64, text_bytes: usize, write: impl FnOnce(&mut String)) -> Self {
        // The header's length depends on the text's: room is left before it, of which the header takes the end.
        let mut text = String::with_capacity(HEADER_ROOM.len() + text_bytes);
        text.extend(HEADER_ROOM);
        write(&mut text);
        let mut bytes = text.into_bytes();
        let header_len = write_header(&mut bytes);
        Self { seq, message: Bytes::from(bytes).slice(HEADER_ROOM.len() - header_len..), header_len }
    }

    /// The JSON text, one line.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.message[self.header_len..]).unwrap_or_default()
    }

    /// The whole WebSocket message, as a server sends it.
    pub fn message(&self) -> &Bytes {
        &self.message
    }
}

/// Writes the header right before the text and gives its length.
fn write_header(bytes: &mut [u8]) -> usize {
    let (room, text) = bytes.split_at_mut(HEADER_ROOM.len());
    let len = (text.len() as u64).to_be_bytes();
    let (code, extended) = match text.len() {
        ..126 => (len[7], &len[8..]),
        126..65536 => (126, &len[6..]),
        _ => (127, &len[..]),
    };
    let header = &mut room[HEADER_ROOM.len() - 2 - extended.len()..];
    header[0] = WHOLE_TEXT;
    header[1] = code;
    header[2..].copy_from_slice(extended);
    2 + extended.len()
}

/// Never prints the text: it may be somebody's message.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("seq", &self.seq)
            .field("text_bytes", &(self.message.len() - self.header_len))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_websocket_client_reads_the_text_whatever_its_length(
            len in prop_oneof![0usize..300, 65_500usize..65_600, 200_000usize..200_010],
        ) {
            let frame = Frame::new(1, len, |text| text.push_str(&"é".repeat(len / 2)));

            let mut wire = frame.message().as_ref().into();
            let mut client = actix_http::ws::Codec::new().client_mode().max_size(usize::MAX);
            let read = tokio_util::codec::Decoder::decode(&mut client, &mut wire).unwrap();

            prop_assert_eq!(frame.text().len(), len / 2 * 2);
            prop_assert_eq!(read, Some(actix_http::ws::Frame::Text(frame.text().to_owned().into())));
            prop_assert!(wire.is_empty());
        }
    }
}
