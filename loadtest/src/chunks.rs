//! Bodies in chunks: the gateway never sends them, other implementations do.

use std::ops::Range;

use crate::error::Malformed;

/// One chunk: the range of its data in the received bytes, and where the next chunk begins.
struct Chunk {
    data: Range<usize>,
    next: usize,
}

/// The chunk at `at`; `None` when more bytes are needed. The last one is empty.
fn chunk(wire: &[u8], at: usize) -> Result<Option<Chunk>, Malformed> {
    let (line_len, size) = match httparse::parse_chunk_size(&wire[at..]) {
        Ok(httparse::Status::Complete(found)) => found,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed("chunk size")),
    };
    let start = at + line_len;
    let end = usize::try_from(size)
        .ok()
        .and_then(|size| start.checked_add(size));
    let end = end.ok_or(Malformed("chunk size"))?;
    match wire.get(end..).and_then(|rest| rest.get(..2)) {
        None => Ok(None),
        Some(b"\r\n") => Ok(Some(Chunk {
            data: start..end,
            next: end + 2,
        })),
        Some(_) => Err(Malformed("the end of a chunk")),
    }
}

/// The length of a whole body as received; `None` when more bytes are needed.
pub(crate) fn wire_len(wire: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut at = 0;
    while at <= wire.len() {
        match chunk(wire, at)? {
            None => return Ok(None),
            Some(last) if last.data.is_empty() => return Ok(Some(last.next)),
            Some(chunk) => at = chunk.next,
        }
    }
    Ok(None)
}

/// Moves the data of all chunks to the front. Returns its length.
pub(crate) fn join(wire: &mut [u8]) -> Result<usize, Malformed> {
    let (mut at, mut joined) = (0, 0);
    while let Some(Chunk { data, next }) = chunk(wire, at)? {
        if data.is_empty() {
            break;
        }
        let len = data.len();
        wire.copy_within(data, joined);
        joined += len;
        at = next;
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: &[u8] = b"5\r\n{\"cod\r\nA;x=y\r\ne\":\"0000\"}\r\n0\r\n\r\n";

    #[test]
    fn a_body_is_whole_only_at_its_last_byte_and_is_joined_then() {
        for cut in 0..WIRE.len() {
            assert_eq!(wire_len(&WIRE[..cut]), Ok(None), "cut at {cut}");
        }
        assert_eq!(wire_len(WIRE), Ok(Some(WIRE.len())));
        // Bytes behind the body do not belong to it.
        assert_eq!(wire_len(&[WIRE, b"HTTP"].concat()), Ok(Some(WIRE.len())));
        let mut wire = WIRE.to_vec();
        let len = join(&mut wire).expect("whole");
        assert_eq!(&wire[..len], br#"{"code":"0000"}"#);
    }

    #[test]
    fn broken_chunks_are_refused() {
        for wire in [
            &b"x\r\n"[..],
            b"1\r\nab\r\n0\r\n\r\n",
            b"0\r\nTrailer: 1\r\n\r\n",
            b"fffffffffffffffff\r\n",
        ] {
            assert!(wire_len(wire).is_err(), "{wire:?}");
        }
        assert_eq!(wire_len(b"7fffffffffffffff\r\nab"), Ok(None));
    }
}
