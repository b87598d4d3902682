//! A keep-alive connection that posts webhooks one after the other, with as little work as possible: the load runs on the
//! same cores as the server.

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug)]
pub struct Poster {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Poster {
    pub async fn connect(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(4096) })
    }

    /// Sends a whole request and reads its whole answer, which must be a success.
    pub async fn post(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the server closed the connection");
            }
            let Some((status, length)) = answer(&self.read)? else { continue };
            if self.read.len() < length {
                continue;
            }
            if !(200..300).contains(&status) {
                bail!("answered {status}: {}", String::from_utf8_lossy(&self.read));
            }
            return Ok(());
        }
    }
}

/// The status of an answer and its length with head and body; `None` while its head is not whole.
fn answer(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = head.parse(bytes)? else { return Ok(None) };
    let status = head.code.context("an answer without a status")?;
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: usize = match length {
        Some(header) => std::str::from_utf8(header.value)?.trim().parse()?,
        None if status == 204 => 0,
        None => bail!("an answer without a length"),
    };
    Ok(Some((status, head_bytes + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

        assert_eq!(answer(whole).unwrap(), Some((200, whole.len())));
        assert_eq!(answer(&whole[..20]).unwrap(), None);
        assert_eq!(answer(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), Some((204, 27)));
        assert!(answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
