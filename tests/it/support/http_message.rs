//! An HTTP/1.1 message, read byte for byte from a connection or from memory.

use std::io::{Read, Write};

/// The longest head of a message: room for two links that repeat a long filter.
const LONGEST_HEAD: usize = 256 * 1024;

/// A request or an answer, as it came.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Request line or status line, without its end.
    pub start: String,
    /// Header lines in their order, with the names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes, without what `chunked` adds and still compressed.
    pub body: Vec<u8>,
    /// All of it as it was on the wire.
    pub raw: Vec<u8>,
}

impl Message {
    /// Reads one message; `None` where the connection ends before it is whole. `answers` is whether it has a status
    /// line: such a one may last to the end of the connection.
    pub fn read(stream: &mut impl Read, answers: bool) -> Option<Self> {
        let mut reader = Reader { stream, raw: Vec::new() };
        while !reader.raw.ends_with(b"\r\n\r\n") {
            reader.take(1)?;
            assert!(reader.raw.len() < LONGEST_HEAD, "a head of more than {LONGEST_HEAD} bytes");
        }
        let head = String::from_utf8_lossy(&reader.raw).into_owned();
        let mut lines = head.trim_end().split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let mut message = Self { start, headers, ..Self::default() };
        let bodiless = answers && matches!(message.status(), 204 | 304);
        if message.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            message.body = reader.chunks()?;
        } else if let Some(length) = message.header("content-length") {
            message.body = reader.take(length.parse().ok()?)?.to_vec();
        } else if answers && !bodiless {
            let at = reader.raw.len();
            let _ = reader.stream.read_to_end(&mut reader.raw).ok()?;
            message.body = reader.raw[at..].to_vec();
        }
        message.raw = reader.raw;
        Some(message)
    }

    /// The first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(has, _)| has == name).map(|(_, value)| value.as_str())
    }

    /// All headers of that name (in lower case).
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(has, _)| has == name).map(|(_, value)| value.as_str())
    }

    /// An answer's status; 0 of a request.
    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// The body, decompressed, as text.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        match self.header("content-encoding") {
            Some("gzip") => {
                let _ = flate2::read::GzDecoder::new(&self.body[..]).read_to_end(&mut text).expect("a gzip body");
            }
            _ => text.extend(&self.body),
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

struct Reader<'a, R> {
    stream: &'a mut R,
    raw: Vec<u8>,
}

impl<R: Read> Reader<'_, R> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let at = self.raw.len();
        self.raw.resize(at + count, 0);
        self.stream.read_exact(&mut self.raw[at..]).ok()?;
        Some(&self.raw[at..])
    }

    fn line(&mut self) -> Option<String> {
        let at = self.raw.len();
        while !self.raw[at..].ends_with(b"\r\n") {
            self.take(1)?;
        }
        Some(String::from_utf8_lossy(&self.raw[at..]).trim().to_owned())
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line()?;
            let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
            let chunk = self.take(size + 2)?;
            body.extend(&chunk[..size]);
            if size == 0 {
                return Some(body);
            }
        }
    }
}

/// Writes an answer with these header lines, chunked, and compressed where they say so.
pub fn answer(status: &str, headers: &[(String, String)], body: &str) -> Vec<u8> {
    let compressed =
        headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("content-encoding") && value == "gzip");
    let mut bytes = body.as_bytes().to_vec();
    if compressed {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).expect("writing to memory does not fail");
        bytes = encoder.finish().expect("writing to memory does not fail");
    }
    let mut answer = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in headers {
        answer.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    answer.extend(b"Transfer-Encoding: chunked\r\n\r\n");
    if !bytes.is_empty() {
        answer.extend(format!("{:x}\r\n", bytes.len()).into_bytes());
        answer.extend(bytes);
        answer.extend(b"\r\n");
    }
    answer.extend(b"0\r\n\r\n");
    answer
}
