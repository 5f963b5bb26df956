//! Bounds the memory that an `aws-chunked` body takes.
//!
//! s3s collects a whole chunk before it passes it on, and the Go SDK (so rclone) sends an unsigned body as *one* chunk,
//! whatever its size. Unsigned chunks are therefore cut here into as many as there are reads. A signed chunk cannot be
//! cut, for its signature covers it whole; one above [`SIGNED_CHUNK_BYTES_MAX`] is refused.
//!
//! Wire format: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::{
    fault::BodyFault,
    limits::{CHUNK_HEADER_BYTES_MAX, SIGNED_CHUNK_BYTES_MAX},
};

/// Reads one `aws-chunked` body and gives it out again in small chunks.
pub struct Rechunker {
    signed: bool,
    state: State,
    header: BytesMut,
}

enum State {
    /// Before or within `hex-size[;chunk-signature=…]\r\n`.
    Header,
    /// Within a chunk's data, so many bytes to go.
    Data(u64),
    /// The CRLF after a chunk's data, so many bytes to go.
    DataEnd(usize),
    /// After the empty last chunk: trailer lines, passed on as they are.
    Trailer,
}

impl Rechunker {
    /// A rechunker for a body whose chunks are `signed`, or are not.
    pub fn new(signed: bool) -> Self {
        Self {
            signed,
            state: State::Header,
            header: BytesMut::new(),
        }
    }

    /// Takes the next bytes of the body and appends to `out` what s3s is to read in their place.
    ///
    /// # Errors
    /// [`BodyFault::Malformed`] for framing that is not `aws-chunked`, [`BodyFault::ChunkTooLarge`] for a signed chunk
    /// above the limit.
    pub fn push(&mut self, mut input: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), BodyFault> {
        while !input.is_empty() {
            match self.state {
                State::Header => self.read_header(&mut input, out)?,
                State::Data(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let data = input.split_to(here);
                    let left = left - data.len() as u64;
                    if self.signed {
                        out.push_back(data);
                    } else {
                        out.push_back(Bytes::from(format!("{here:x}\r\n")));
                        out.push_back(data);
                        out.push_back(Bytes::from_static(b"\r\n"));
                    }
                    self.state = if left == 0 {
                        State::DataEnd(2)
                    } else {
                        State::Data(left)
                    };
                }
                State::DataEnd(left) => {
                    let end = input.split_to(left.min(input.len()));
                    let wanted: &[u8] = if left == 2 { b"\r\n" } else { b"\n" };
                    if !wanted.starts_with(&end) {
                        return Err(BodyFault::Malformed);
                    }
                    let left = left - end.len();
                    if self.signed {
                        out.push_back(end);
                    }
                    self.state = if left == 0 {
                        State::Header
                    } else {
                        State::DataEnd(left)
                    };
                }
                State::Trailer => out.push_back(std::mem::take(&mut input)),
            }
        }
        Ok(())
    }

    /// Whether the empty last chunk was seen; a body that ends before it was cut off.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Trailer)
    }

    fn read_header(&mut self, input: &mut Bytes, out: &mut VecDeque<Bytes>) -> Result<(), BodyFault> {
        let Some(newline) = input.iter().position(|&b| b == b'\n') else {
            self.header.extend_from_slice(&input.split_to(input.len()));
            return if self.header.len() > CHUNK_HEADER_BYTES_MAX {
                Err(BodyFault::Malformed)
            } else {
                Ok(())
            };
        };
        self.header.extend_from_slice(&input.split_to(newline + 1));
        let line = self.header.split().freeze();
        if line.len() > CHUNK_HEADER_BYTES_MAX {
            return Err(BodyFault::Malformed);
        }
        let size = chunk_size(&line).ok_or(BodyFault::Malformed)?;
        if size == 0 {
            out.push_back(if self.signed {
                line
            } else {
                Bytes::from_static(b"0\r\n")
            });
            self.state = State::Trailer;
            return Ok(());
        }
        if self.signed {
            if size > SIGNED_CHUNK_BYTES_MAX {
                return Err(BodyFault::ChunkTooLarge);
            }
            out.push_back(line);
        }
        self.state = State::Data(size);
        Ok(())
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r\n")?;
    let digits = line.split(|&b| b == b';').next()?;
    // `from_str_radix` would take a sign.
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(signed: bool, body: &[u8], step: usize) -> Result<(Vec<u8>, bool), BodyFault> {
        let mut rechunker = Rechunker::new(signed);
        let mut out = VecDeque::new();
        for piece in body.chunks(step) {
            rechunker.push(Bytes::copy_from_slice(piece), &mut out)?;
        }
        let flat = out.iter().flat_map(|b| b.to_vec()).collect();
        Ok((flat, rechunker.is_complete()))
    }

    const UNSIGNED: &[u8] = b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";

    #[test]
    fn one_big_unsigned_chunk_becomes_small_ones() {
        let (out, complete) = run(false, UNSIGNED, 8).unwrap();
        assert!(complete);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
        );
    }

    #[test]
    fn a_split_anywhere_keeps_the_content() {
        for step in 1..UNSIGNED.len() {
            let (out, complete) = run(false, UNSIGNED, step).unwrap();
            assert!(complete, "step {step}");
            // Read back by a second pass that takes the whole at once.
            let (again, _) = run(false, &out, out.len()).unwrap();
            assert_eq!(again, out, "step {step}");
        }
    }

    #[test]
    fn signed_chunks_pass_unchanged() {
        let body = b"3;chunk-signature=aa\r\nabc\r\n0;chunk-signature=bb\r\n\r\n";
        for step in 1..body.len() {
            assert_eq!(
                run(true, body, step).unwrap(),
                (body.to_vec(), true),
                "step {step}"
            );
        }
    }

    #[test]
    fn what_is_not_aws_chunked_is_refused() {
        for bad in [
            &b"zz\r\nabc"[..],
            b"+3\r\nabc\r\n",
            b"\r\nabc",
            b"3\nabc",
            b"3\r\nabcd\r\n",
            b"11112222333344445\r\na",
            &[b'0'; 300],
        ] {
            assert_eq!(run(false, bad, 64), Err(BodyFault::Malformed), "{bad:?}");
        }
        assert_eq!(
            run(true, b"1000001;chunk-signature=aa\r\n", 64),
            Err(BodyFault::ChunkTooLarge)
        );
    }

    #[test]
    fn a_cut_off_body_is_not_complete() {
        for end in 0..UNSIGNED.len() - 32 {
            let (_, complete) = run(false, &UNSIGNED[..end], 7).unwrap();
            assert_eq!(complete, end >= 19, "cut at {end}");
        }
    }
}
