//! A WebSocket's connection after the handshake: frames in, whole messages out. It keeps no buffer while nothing is on
//! its way.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;

use actix_http::ws::{CloseReason, Codec, Frame, Message, ProtocolError};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::codec::{Decoder, Encoder};

use super::MAX_FRAME_BYTES;
use super::gauge::FrameGauge;

/// What a client sends, frame by frame.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    stream: &'a TcpStream,
    codec: Codec,
    gauge: FrameGauge,
    /// Received, and no whole frame yet.
    rest: BytesMut,
}

/// Why no more frames come in.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection is gone, which a closed laptop does and is nobody's fault.
    HungUp,
    /// Too large, or not the protocol: in either case not a client of ours.
    Violation,
}

impl From<ProtocolError> for Broken {
    fn from(_: ProtocolError) -> Self {
        Self::Violation
    }
}

/// Read at a time. Clients say little.
const READ_BYTES: usize = 2048;

impl<'a> Incoming<'a> {
    /// `early` is what came right behind the handshake.
    pub(super) fn new(stream: &'a TcpStream, early: &[u8]) -> Result<Self, Broken> {
        let codec = Codec::new().max_size(MAX_FRAME_BYTES);
        let mut incoming =
            Self { stream, codec, gauge: FrameGauge::new(MAX_FRAME_BYTES as u64), rest: BytesMut::new() };
        incoming.take(early)?;
        Ok(incoming)
    }

    /// The next frame. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When there will be none.
    pub(super) async fn next(&mut self) -> Result<Frame, Broken> {
        loop {
            if let Some(frame) = self.codec.decode(&mut self.rest)? {
                return Ok(frame);
            }
            if self.rest.is_empty() {
                self.rest = BytesMut::new();
            }
            poll_fn(|cx| self.stream.poll_read_ready(cx)).await.map_err(|_| Broken::HungUp)?;
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<(), Broken> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.try_read(&mut bytes) {
            Ok(0) => Err(Broken::HungUp),
            Ok(count) => self.take(&bytes[..count]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(Broken::HungUp),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.gauge.pass(bytes).map_err(|_| Broken::Violation)?;
        self.rest.extend_from_slice(bytes);
        Ok(())
    }
}

/// Messages on their way to a client, each whole and encoded. Several that wait go out together.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    messages: VecDeque<Bytes>,
    bytes: usize,
    /// Since when something waits; `None` when nothing does.
    since: Option<Instant>,
    /// Part of the first message is written already.
    begun: bool,
}

/// Written at a time, so that one reader far behind does not hold up the others of its worker.
const ENOUGH_BYTES: usize = 64 << 10;

impl Outgoing {
    pub(super) fn push(&mut self, message: Bytes) {
        self.since.get_or_insert_with(Instant::now);
        self.bytes += message.len();
        self.messages.push_back(message);
    }

    pub(super) fn push_control(&mut self, message: Message) {
        let mut bytes = BytesMut::new();
        // Only fragments out of order are refused, and we send none.
        if Codec::new().encode(message, &mut bytes).is_ok() {
            self.push(bytes.freeze());
        }
    }

    /// Since when the client owes it to take something; `None` when nothing waits.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        self.since
    }

    /// Whether there is so much that it should be written before more is added.
    pub(super) fn is_enough(&self) -> bool {
        self.bytes >= ENOUGH_BYTES
    }

    /// Drops what no byte has been written of.
    fn cut(&mut self) {
        self.messages.truncate(usize::from(self.begun));
        self.bytes = self.messages.iter().map(Bytes::len).sum();
    }

    /// Writes all of it. Dropping the future loses nothing: what is not written stays.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(super) async fn write_to(&mut self, stream: &TcpStream) -> io::Result<()> {
        while !self.messages.is_empty() {
            match self.try_write(stream) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(e) if e.kind() == ErrorKind::WouldBlock => poll_fn(|cx| stream.poll_write_ready(cx)).await?,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn try_write(&self, stream: &TcpStream) -> io::Result<usize> {
        match &self.messages.as_slices().0 {
            [only] => stream.try_write(only),
            several => {
                let mut slices = [IoSlice::new(&[]); 64];
                let count = slices.len().min(several.len());
                slices.iter_mut().zip(*several).for_each(|(slice, message)| *slice = IoSlice::new(message));
                stream.try_write_vectored(&slices[..count])
            }
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(first) = self.messages.front_mut() {
            if written < first.len() {
                first.advance(written);
                self.begun |= written > 0;
                return;
            }
            written -= first.len();
            self.messages.pop_front();
            self.begun = false;
        }
        self.since = None;
    }
}

/// Says goodbye and ends the connection.
///
/// # Errors
/// When the client does not take it.
pub(super) async fn part(mut stream: TcpStream, mut out: Outgoing, reason: CloseReason) -> io::Result<()> {
    out.cut();
    out.push_control(Message::Close(Some(reason)));
    out.write_to(&stream).await?;
    stream.shutdown().await?;
    // Closed with bytes unread, the system would break the connection off, and the goodbye could be lost on its way.
    let emptied = async { while !matches!(stream.read(&mut [0; 512]).await, Ok(0) | Err(_)) {} };
    let _ = timeout(ANSWER, emptied).await;
    Ok(())
}

/// What a client is given to close its side too.
const ANSWER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use bytes::BufMut;
    use futures_util::FutureExt;
    use proptest::prelude::*;
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// A server's end and a client's, with little room between them.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpSocket::new_v4().unwrap();
        client.set_recv_buffer_size(4096).unwrap();
        let client = client.connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (server, client)
    }

    /// A client's masked text.
    fn said(text: &str) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        Codec::new().client_mode().encode(Message::Text(text.into()), &mut bytes).unwrap();
        bytes.to_vec()
    }

    #[tokio::test]
    async fn frames_are_read_however_they_arrive_and_those_before_the_first_read_too() {
        let (server, mut client) = pair().await;
        let (one, two) = (said("one"), said(&"two".repeat(1000)));
        let mut incoming = Incoming::new(&server, &one[..3]).unwrap();

        client.write_all(&one[3..]).await.unwrap();
        assert_eq!(incoming.next().await.unwrap(), Frame::Text("one".into()));
        client.write_all(&two).await.unwrap();
        assert_eq!(incoming.next().await.unwrap(), Frame::Text("two".repeat(1000).into()));
        assert!(incoming.next().now_or_never().is_none());
        assert_eq!(incoming.rest.capacity(), 0, "nothing is kept while nothing is on its way");
        drop(client);

        assert!(matches!(incoming.next().await, Err(Broken::HungUp)));
    }

    #[tokio::test]
    async fn a_frame_that_says_it_is_too_large_is_not_waited_for() {
        let (server, mut client) = pair().await;
        let mut header = vec![0x81, 0xFF];
        header.put_u64(1 << 30);
        header.put_u32(7);

        client.write_all(&header).await.unwrap();

        let mut incoming = Incoming::new(&server, &[]).unwrap();
        assert!(matches!(incoming.next().await, Err(Broken::Violation)));
    }

    #[tokio::test]
    async fn who_is_cut_off_in_the_middle_of_a_message_gets_the_rest_of_it_and_then_the_goodbye() {
        let (server, mut client) = pair().await;
        let mut out = Outgoing::default();
        // More than the system's buffers take, so that writing stops within the first.
        let large = Bytes::from(vec![b'x'; 16 << 20]);
        out.push(large.clone());
        out.push(Bytes::from_static(b"never begun"));
        let stuck = timeout(Duration::from_millis(50), out.write_to(&server)).await;
        assert!(stuck.is_err() && out.begun && out.waits_since().is_some());

        let reason = CloseReason { code: actix_http::ws::CloseCode::Other(4008), description: Some("too slow".into()) };
        let read = async {
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.unwrap();
            all
        };
        let (parted, all) = tokio::join!(part(server, out, reason), read);

        parted.unwrap();
        let (message, goodbye) = all.split_at(large.len());
        assert!(message == large);
        assert_eq!(goodbye, [&[0x88, 10], &4008u16.to_be_bytes()[..], b"too slow"].concat());
    }

    proptest! {
        #[test]
        fn what_is_left_after_a_write_is_what_was_not_written(
            sizes in prop::collection::vec(1usize..50, 1..20), written in prop::collection::vec(0usize..120, 0..20),
        ) {
            let mut out = Outgoing::default();
            let mut all = Vec::new();
            for (byte, size) in (0u8..).zip(&sizes) {
                let message = Bytes::from(vec![byte; *size]);
                all.extend_from_slice(&message);
                out.push(message);
            }

            for count in written {
                let count = count.min(out.bytes);
                out.advance(count);
                all.drain(..count);
                let left: Vec<u8> = out.messages.iter().flatten().copied().collect();
                prop_assert_eq!(&left, &all);
                prop_assert_eq!(out.bytes, all.len());
                prop_assert_eq!(out.waits_since().is_some(), !all.is_empty());
            }

            let first = out.messages.front().cloned();
            let begun = out.begun;
            out.cut();
            prop_assert_eq!(out.messages.into_iter().collect::<Vec<_>>(), first.filter(|_| begun).into_iter().collect::<Vec<_>>());
        }
    }
}
