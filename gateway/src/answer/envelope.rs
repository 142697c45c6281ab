//! The envelope of every answer: `{code, info, requestId, data}`.
use bytes::Bytes;
use market::RequestId;
use serde::Serialize;

use super::code::Code;

/// What surrounds the data is never longer, unless a detail is.
const ENVELOPE_BYTES: usize = 160;

/// The JSON of `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data(Vec<u8>);

impl Data {
    /// The JSON of `value`.
    pub fn new(value: &impl Serialize) -> Self {
        Self(serde_json::to_vec(value).expect("answers are plain values"))
    }

    /// The JSON itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The JSON as a string.
    pub fn into_json(self) -> String {
        String::from_utf8(self.0).expect("JSON is UTF-8")
    }
}

/// Writes the envelope. `request` is the key of a command, which each answer to it names.
pub fn envelope(code: Code, info: &str, request: Option<&RequestId>, data: &[u8]) -> Bytes {
    let mut body = Vec::with_capacity(data.len() + ENVELOPE_BYTES);
    body.extend_from_slice(b"{\"code\":\"");
    body.extend_from_slice(code.as_str().as_bytes());
    body.extend_from_slice(b"\",\"info\":");
    write_string(&mut body, info);
    if let Some(request) = request {
        body.extend_from_slice(b",\"requestId\":");
        write_string(&mut body, request.as_str());
    }
    body.extend_from_slice(b",\"data\":");
    body.extend_from_slice(data);
    body.push(b'}');
    Bytes::from(body)
}

fn write_string(body: &mut Vec<u8>, string: &str) {
    serde_json::to_writer(body, string).expect("a string can be written to memory");
}
