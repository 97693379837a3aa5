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

/// A connection of which no read goes beyond a line feed. lettre keeps what it has read already when it begins TLS, so that somebody in
/// between could put answers behind that to STARTTLS, which would then count as the server's own inside of TLS: `250`, where the
/// mail was refused. So they are left where they are, and the handshake fails by them.
#[derive(Debug)]
pub(super) struct Lines(TcpStream);

impl Lines {
    pub(super) async fn connect(server: impl ToSocketAddrs) -> io::Result<Self> {
        TcpStream::connect(server).await.map(Self)
    }
}

impl AsyncTokioStream for Lines {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

impl AsyncRead for Lines {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; AT_ONCE];
        let room = buf.remaining().min(AT_ONCE);
        let there = ready!(self.0.poll_peek(context, &mut ReadBuf::new(&mut bytes[..room])))?;
        let line = bytes[..there].iter().position(|byte| *byte == b'\n').map_or(there, |end| end + 1);
        let mut taken = ReadBuf::new(&mut bytes[..line]);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut taken))?;
        buf.put_slice(taken.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
