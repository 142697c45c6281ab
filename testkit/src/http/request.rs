//! Requests, spelled out when they are sent.

/// A request of HTTP/1.1.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) method: &'static str,
    target: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    /// A request for any target.
    pub fn raw(method: &'static str, target: &str) -> Self {
        Self {
            method,
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The request with one more header, unchecked.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The request with another body.
    #[must_use]
    pub fn with_body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(&format!("Content-Length: {}\r\n", self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The same with the body in chunks.
    pub fn chunked_bytes(&self, chunk_size: usize) -> Vec<u8> {
        let mut bytes = self.head("Transfer-Encoding: chunked\r\n");
        for chunk in self.body.chunks(chunk_size) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }

    fn head(&self, framing: &str) -> Vec<u8> {
        let Self {
            method,
            target,
            headers,
            body,
        } = self;
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nHost: drawbridge.test\r\n").into_bytes();
        for (name, value) in headers {
            head.extend_from_slice(format!("{name}: ").as_bytes());
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        // Browsers send a GET without a length of the body.
        if *method == "POST" || !body.is_empty() {
            head.extend_from_slice(framing.as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}
