//! As much of HTTP/1.1 as is needed to find the end of a response, and to read its code.

use crate::chunks;
use crate::error::Malformed;

/// More header lines than any response of the gateway has, CORS included.
const HEADERS_MAX: usize = 32;

/// Where a whole response is in the input, and what its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) status: u16,
    pub(crate) head_len: usize,
    /// As received, chunk sizes included.
    pub(crate) body_len: usize,
    /// The body comes in chunks, and must be joined.
    pub(crate) chunked: bool,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after_s: Option<u32>,
    /// The server will close the connection after this response.
    pub(crate) closes: bool,
}

/// Finds one whole response in `input`; `None` when more bytes are needed. Each piece starts the
/// parser again: responses of this size nearly always come in one piece, so state would cost more.
pub(crate) fn parse(input: &[u8]) -> Result<Option<Frame>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let head_len = match response.parse(input) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed("head")),
    };
    let status = response.code.ok_or(Malformed("status"))?;
    let headers = &*response.headers;
    let chunked = value_of(headers, "transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"));
    let body_len = if chunked {
        let Some(body_len) = chunks::wire_len(&input[head_len..])? else {
            return Ok(None);
        };
        body_len
    } else {
        body_len(status, headers)?
    };
    let closes =
        value_of(headers, "connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
    let retry_after_s = value_of(headers, "retry-after").and_then(number);
    let surplus = input.len().checked_sub(head_len + body_len);
    match surplus {
        None => Ok(None),
        Some(0) => Ok(Some(Frame {
            status,
            head_len,
            body_len,
            chunked,
            retry_after_s,
            closes,
        })),
        Some(_) => Err(Malformed("bytes after the body")),
    }
}

fn body_len(status: u16, headers: &[httparse::Header<'_>]) -> Result<usize, Malformed> {
    if status == 204 || status == 304 {
        return Ok(0);
    }
    let value = value_of(headers, "content-length").ok_or(Malformed("no content-length"))?;
    number(value).ok_or(Malformed("content-length"))
}

fn value_of<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

fn number<N: std::str::FromStr>(value: &[u8]) -> Option<N> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// The value of the envelope's `code`, searched in the bytes. It comes first, and parsing each
/// response as JSON would use processor time that the measured server needs.
pub(crate) fn code_of(body: &[u8]) -> Option<&str> {
    const NAME: &[u8] = b"\"code\"";
    let start = body.windows(NAME.len()).position(|part| part == NAME)? + NAME.len();
    let value = body[start..].trim_ascii_start().strip_prefix(b":")?;
    let value = value.trim_ascii_start().strip_prefix(b"\"")?;
    let end = value.iter().position(|&byte| byte == b'"')?;
    std::str::from_utf8(&value[..end]).ok()
}

/// How many draws a response has: each has an `"orderId"`. No title can have that, because quotes
/// in strings are escaped.
pub(crate) fn draws_in(body: &[u8]) -> u64 {
    const NAME: &[u8] = b"\"orderId\":";
    let mut draws = 0;
    let mut rest = body;
    while let Some(quote) = rest.iter().position(|&byte| byte == b'"') {
        let found = rest[quote..].starts_with(NAME);
        draws += u64::from(found);
        rest = &rest[quote + if found { NAME.len() } else { 1 }..];
    }
    draws
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-LENGTH: 15\r\n\r\n{\"code\":\"0000\"}";

    #[test]
    fn a_response_in_pieces_is_whole_only_at_its_last_byte() {
        for cut in 0..ANSWER.len() {
            assert_eq!(parse(&ANSWER[..cut]), Ok(None), "cut at {cut}");
        }
        let frame = parse(ANSWER).expect("well formed").expect("whole");
        assert_eq!(
            (frame.status, frame.body_len, frame.closes),
            (200, 15, false)
        );
        assert_eq!(code_of(&ANSWER[frame.head_len..]), Some("0000"));
    }

    #[test]
    fn a_close_is_seen() {
        let answer = b"HTTP/1.1 503 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let frame = parse(answer).expect("well formed").expect("whole");
        assert_eq!((frame.status, frame.closes), (503, true));
    }

    #[test]
    fn when_to_ask_again_is_seen_where_it_is_a_number() {
        let answer =
            |value| format!("HTTP/1.1 429 x\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n");
        let seen = |value| {
            parse(answer(value).as_bytes())
                .expect("well formed")
                .expect("whole")
                .retry_after_s
        };
        assert_eq!(seen("7"), Some(7));
        assert_eq!(seen("Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }

    #[test]
    fn a_body_in_chunks_is_measured_on_the_wire() {
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        let frame = parse(answer).expect("well formed").expect("whole");
        assert_eq!((frame.chunked, frame.body_len), (true, 12));
        assert_eq!(parse(&answer[..answer.len() - 1]), Ok(None));
    }

    #[test]
    fn what_cannot_be_framed_is_refused() {
        let surplus = [ANSWER, b"x"].concat();
        for (answer, why) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], "no content-length"),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                "content-length",
            ),
            (b"SSH-2.0-x\r\n\r\n", "head"),
            (&surplus, "bytes after the body"),
        ] {
            assert_eq!(parse(answer), Err(Malformed(why)));
        }
    }

    #[test]
    fn draws_are_counted_by_their_orders() {
        assert_eq!(
            draws_in(br#"{"code":"0000","data":{"awardTitle":"orderId","orderId":"9"}}"#),
            1
        );
        let two =
            br#"{"data":{"draws":[{"awardTitle":"\"orderId\\","orderId":"1"},{"orderId":"2"}]}}"#;
        assert_eq!(draws_in(two), 2);
        assert_eq!(draws_in(b"{}"), 0);
    }

    #[test]
    fn the_code_is_found_with_and_without_white_space() {
        assert_eq!(code_of(br#"{"info":"x","code" : "ERR_1"}"#), Some("ERR_1"));
        assert_eq!(code_of(br#"{"code":7}"#), None);
        assert_eq!(code_of(br#"{"code":"#), None);
        assert_eq!(code_of(b""), None);
    }
}
