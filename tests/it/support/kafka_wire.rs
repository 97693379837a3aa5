//! As much of Kafka's wire protocol as it takes to notice one request: frames, request headers, and `EndTxn`.
//!
//! Source: the Kafka protocol guide, "Request Header" and "EndTxn (Key: 26)". A frame is a 32-bit big-endian length and
//! as many bytes.

use std::io::{self, Read};

/// The API key of `EndTxn`, with which a producer commits or aborts.
pub const END_TXN: i16 = 26;

/// The largest frame passed on; a broker's own limit is 100 MiB.
const MAX_FRAME: usize = 100 << 20;

/// From this version on, `EndTxn` uses compact strings and tagged fields.
const END_TXN_FLEXIBLE: i16 = 3;

/// The first three fields of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
}

impl RequestHeader {
    /// Reads the header of a request frame (without its length); `None` when it is too short.
    pub fn of(frame: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(frame);
        Some(Self { api_key: bytes.i16()?, api_version: bytes.i16()?, correlation_id: bytes.i32()? })
    }
}

/// What an `EndTxn` request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndTxnRequest {
    pub transactional_id: String,
    /// True: commit. False: abort.
    pub commit: bool,
}

impl EndTxnRequest {
    /// Reads a frame whose header says [`END_TXN`]; `None` when it is not as the protocol guide says.
    pub fn of(frame: &[u8]) -> Option<Self> {
        let header = RequestHeader::of(frame)?;
        let flexible = header.api_version >= END_TXN_FLEXIBLE;
        let mut bytes = Bytes(frame.get(8..)?);
        // The client id: the same in both header versions.
        let client_id = usize::try_from(bytes.i16()?).unwrap_or(0);
        let _ = bytes.take(client_id)?;
        let length = if flexible {
            bytes.no_tagged_fields()?;
            bytes.unsigned_varint()?.checked_sub(1)?
        } else {
            usize::try_from(bytes.i16()?).ok()?
        };
        let transactional_id = String::from_utf8(bytes.take(length)?.to_vec()).ok()?;
        // The producer's id and epoch.
        let _ = bytes.take(8 + 2)?;
        let commit = bytes.take(1)? == [1];
        Some(Self { transactional_id, commit })
    }
}

/// The correlation id that a response frame begins with.
pub fn response_correlation_id(frame: &[u8]) -> Option<i32> {
    Bytes(frame).i32()
}

/// Reads one frame, its four bytes of length included; `None` at a clean end of the stream.
pub fn read_frame(source: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match source.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let size = usize::try_from(i32::from_be_bytes(length)).ok().filter(|size| *size <= MAX_FRAME);
    let size = size.ok_or_else(|| io::Error::other(format!("not a Kafka frame: length {length:?}")))?;
    let mut frame = vec![0; 4 + size];
    frame[..4].copy_from_slice(&length);
    source.read_exact(&mut frame[4..])?;
    Ok(Some(frame))
}

/// A cursor over a frame.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn unsigned_varint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = usize::from(*self.take(1)?.first()?);
            value |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// No client sends tagged fields in a request header.
    fn no_tagged_fields(&mut self) -> Option<()> {
        (self.unsigned_varint()? == 0).then_some(())
    }
}

#[test]
fn reads_end_txn_of_old_and_flexible_versions() {
    for (version, commit) in [(1_i16, true), (1, false), (3, true), (5, false)] {
        let flexible = version >= END_TXN_FLEXIBLE;
        let mut frame = Vec::new();
        frame.extend(END_TXN.to_be_bytes());
        frame.extend(version.to_be_bytes());
        frame.extend(77_i32.to_be_bytes());
        frame.extend(3_i16.to_be_bytes());
        frame.extend(b"cli");
        if flexible {
            frame.push(0);
            frame.push(5);
        } else {
            frame.extend(4_i16.to_be_bytes());
        }
        frame.extend(b"tx-7");
        frame.extend(9_i64.to_be_bytes());
        frame.extend(2_i16.to_be_bytes());
        frame.push(u8::from(commit));
        let header = RequestHeader { api_key: END_TXN, api_version: version, correlation_id: 77 };
        assert_eq!(RequestHeader::of(&frame), Some(header));
        let wanted = EndTxnRequest { transactional_id: "tx-7".to_owned(), commit };
        assert_eq!(EndTxnRequest::of(&frame), Some(wanted), "version {version}");
        assert_eq!(EndTxnRequest::of(&frame[..frame.len() - 1]), None, "version {version}, cut off");
    }
}
