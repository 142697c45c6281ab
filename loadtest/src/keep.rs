//! What users were told, kept for whoever checks afterwards that it still holds.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::response::Malformed;

/// One call, as its user was told of it: a line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    pub(crate) user_id: String,
    pub(crate) request_id: String,
    #[serde(flatten)]
    pub(crate) drawn: Drawn,
}

/// What a draw's or a record's answer holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Drawn {
    /// A call for several draws, or its record.
    Several {
        draws: Vec<Prize>,
    },
    One(Prize),
}

impl Drawn {
    fn prizes(&self) -> &[Prize] {
        match self {
            Self::Several { draws } => draws,
            Self::One(prize) => std::slice::from_ref(prize),
        }
    }
}

/// A call that names a count of one is answered with a list, and its record is none.
impl PartialEq for Drawn {
    fn eq(&self, other: &Self) -> bool {
        self.prizes() == other.prizes()
    }
}

impl Eq for Drawn {}

/// The parts of a draw that must never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Prize {
    pub(crate) award_id: i64,
    pub(crate) order_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    request_id: Option<String>,
    data: Drawn,
}

impl Drawn {
    /// Reads the body of an answer with code `0000`.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self, Malformed> {
        Envelope::from_body(body).map(|envelope| envelope.data)
    }
}

impl Envelope {
    fn from_body(body: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(body).map_err(|_| Malformed("no awardId and orderId"))
    }
}

impl Told {
    /// Reads a draw's answer, which must carry the key that was sent.
    pub(crate) fn from_draw(user: u64, key: &str, body: &[u8]) -> Result<Self, Malformed> {
        let envelope = Envelope::from_body(body)?;
        if envelope.request_id.as_deref() != Some(key) {
            return Err(Malformed("requestId is not the key that was sent"));
        }
        Ok(Self { user_id: format!("u{user}"), request_id: key.to_owned(), drawn: envelope.data })
    }
}

/// The file that all connections write to. One lock will do: a line is a copy into the buffer, and
/// a driver has one or two threads.
#[derive(Debug)]
pub(crate) struct Keeper(Mutex<BufWriter<File>>);

impl Keeper {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|e| Error::io(path.display().to_string(), e))?;
        Ok(Self(Mutex::new(BufWriter::with_capacity(1 << 16, file))))
    }

    pub(crate) fn keep(&self, told: &Told) -> io::Result<()> {
        let mut line = serde_json::to_vec(told)?;
        line.push(b'\n');
        let mut file = self.0.lock().expect("no holder panics");
        file.write_all(&line)
    }

    pub(crate) fn flush(&self) -> io::Result<()> {
        self.0.lock().expect("no holder panics").flush()
    }
}

/// Reads a kept file whole.
pub(crate) fn read(path: &Path) -> Result<Vec<Told>, Error> {
    let name = || path.display().to_string();
    let file = File::open(path).map_err(|e| Error::io(name(), e))?;
    let mut all = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|e| Error::io(name(), e))?;
        let told = serde_json::from_str(&line)
            .map_err(|e| Error::CannotRun(format!("{}, line {}: {e}", name(), index + 1)))?;
        all.push(told);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"code":"0000","requestId":"K","data":{"awardId":7,"awardTitle":"t","orderId":"9"}}"#;

    #[test]
    fn what_is_kept_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("told");
        let told = Told::from_draw(5, "K", BODY).expect("a draw");
        let keeper = Keeper::create(&path).expect("created");
        keeper.keep(&told).expect("kept");
        keeper.keep(&told).expect("kept");
        keeper.flush().expect("flushed");
        assert_eq!(read(&path).expect("read"), vec![told.clone(), told]);
        let text = std::fs::read_to_string(&path).expect("text");
        let line = r#"{"userId":"u5","requestId":"K","awardId":7,"orderId":"9"}"#;
        assert_eq!(text.lines().next(), Some(line));
    }

    #[test]
    fn a_call_for_several_draws_is_one_line() {
        let body = br#"{"code":"0000","requestId":"K","data":{"draws":[{"awardId":7,"orderId":"9"},{"awardId":8,"orderId":"10"}]}}"#;
        let told = Told::from_draw(5, "K", body).expect("draws");
        let line = serde_json::to_string(&told).expect("JSON");
        let draws = r#"[{"awardId":7,"orderId":"9"},{"awardId":8,"orderId":"10"}]"#;
        assert_eq!(line, format!(r#"{{"userId":"u5","requestId":"K","draws":{draws}}}"#));
        assert_eq!(serde_json::from_str::<Told>(&line).expect("read back"), told);
        assert_ne!(told.drawn, Told::from_draw(5, "K", BODY).expect("a draw").drawn);
    }

    #[test]
    fn anothers_answer_is_refused() {
        assert!(Told::from_draw(5, "L", BODY).is_err());
        assert!(Told::from_draw(5, "K", br#"{"code":"0000"}"#).is_err());
    }
}
