//! A connection that is read line by line.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, ToSocketAddrs};

/// A read ends with a line feed, or here.
const AT_ONCE: usize = 4096;
/// RFC 5321, 4.5.3.1.5, allows 512.
const LONGEST: usize = 4096;
/// What begins a record of TLS that is one of a handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// A connection of which no read goes beyond a line feed. lettre keeps what it has read already when it begins TLS, so that somebody in
/// between could put answers behind that to STARTTLS, which would then count as the server's own inside of TLS: `250`, where the
/// mail was refused. So they are left where they are, and the handshake fails by them.
///
/// Nor does it keep a line for ever: lettre reads one to its end, however long that is.
#[derive(Debug)]
pub(super) struct Lines {
    stream: TcpStream,
    /// How long the line is by now that has no end yet.
    line: usize,
    is_tls: bool,
}

impl Lines {
    pub(super) async fn connect(server: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(Self { stream: TcpStream::connect(server).await?, line: 0, is_tls: false })
    }
}

impl AsyncTokioStream for Lines {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Lines {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; AT_ONCE];
        let room = buf.remaining().min(AT_ONCE);
        let there = ready!(self.stream.poll_peek(context, &mut ReadBuf::new(&mut bytes[..room])))?;
        let line = bytes[..there].iter().position(|byte| *byte == b'\n').map_or(there, |end| end + 1);
        let mut taken = ReadBuf::new(&mut bytes[..line]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut taken))?;
        let has_end = taken.filled().ends_with(b"\n");
        self.line = if has_end || self.is_tls { 0 } else { self.line + taken.filled().len() };
        if self.line > LONGEST {
            let problem = format!("a line of more than {LONGEST} bytes");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, problem)));
        }
        buf.put_slice(taken.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // No command begins so. Of TLS there are no lines.
        self.is_tls |= bytes.first() == Some(&HANDSHAKE);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
