//! The file of kept calls: the draws that users received, to be checked afterwards.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::error::Malformed;

/// One call with the draw that its user received: a line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Received {
    pub(crate) user_id: String,
    pub(crate) request_id: String,
    #[serde(flatten)]
    pub(crate) drawn: Drawn,
}

/// One call whose user received no draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NotReceived {
    pub(crate) user_id: String,
    pub(crate) request_id: String,
    pub(crate) outcome: NotReceivedOutcome,
}

/// Why a user received no draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NotReceivedOutcome {
    /// Every attempt was refused, or never sent: there must be no order.
    Refused,
    /// The outcome of an attempt is unknown: there may be an order.
    Unknown,
}

/// A line of a kept file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum KeptLine {
    /// A call with its draw.
    Received(Received),
    /// A call without a draw.
    NotReceived(NotReceived),
    /// The first line of an open-loop run: the prefix of all its keys.
    Run {
        /// Hexadecimal digits.
        run: String,
    },
    /// The last line of an open-loop run that was not stopped: how many keys the file has.
    Kept {
        /// Lines with keys.
        kept: u64,
    },
}

/// The data of a draw, or of the record of a draw.
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
    pub(crate) fn prizes(&self) -> &[Prize] {
        match self {
            Self::Several { draws } => draws,
            Self::One(prize) => std::slice::from_ref(prize),
        }
    }

    /// Whether it equals what the user received, prize by prize.
    pub(crate) fn is(&self, received: &Self) -> bool {
        let (now, then) = (self.prizes(), received.prizes());
        now.len() == then.len() && now.iter().zip(then).all(|(now, then)| now.is(then))
    }
}

/// A list of one draw equals that draw: a call with a count of one returns a list, its record does
/// not.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) award_title: Option<String>,
}

impl Prize {
    /// Whether it equals what the user received. Titles are compared where both are known:
    /// other implementations have none.
    pub(crate) fn is(&self, received: &Self) -> bool {
        let titles_agree = match (&self.award_title, &received.award_title) {
            (Some(now), Some(then)) => now == then,
            _ => true,
        };
        self.award_id == received.award_id && self.order_id == received.order_id && titles_agree
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    request_id: Option<String>,
    data: Drawn,
}

impl Drawn {
    /// Reads the body of a response with code `0000`.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self, Malformed> {
        Envelope::from_body(body).map(|envelope| envelope.data)
    }
}

impl Envelope {
    fn from_body(body: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(body).map_err(|_| Malformed("no awardId and orderId"))
    }
}

impl Received {
    /// Reads the response to a draw, which must have the key of the request.
    pub(crate) fn from_draw(user: u64, key: &str, body: &[u8]) -> Result<Self, Malformed> {
        Self::from_body(format!("u{user}"), key, body)
    }

    /// The same for a user of any name.
    pub(crate) fn from_body(user_id: String, key: &str, body: &[u8]) -> Result<Self, Malformed> {
        let envelope = Envelope::from_body(body)?;
        if envelope.request_id.as_deref() != Some(key) {
            return Err(Malformed("requestId is not the key that was sent"));
        }
        Ok(Self {
            user_id,
            request_id: key.to_owned(),
            drawn: envelope.data,
        })
    }
}

/// The file that all connections write to. One lock is enough: writing a line copies it into a
/// buffer, and a driver has one or two threads.
#[derive(Debug)]
pub(crate) struct Keeper(Mutex<BufWriter<File>>);

impl Keeper {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|e| Error::io(path.display().to_string(), e))?;
        Ok(Self(Mutex::new(BufWriter::with_capacity(1 << 16, file))))
    }

    pub(crate) fn keep(&self, received: &Received) -> io::Result<()> {
        self.write(received)
    }

    /// Writes one line, of whatever kind.
    pub(crate) fn write(&self, line: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        let mut file = self.0.lock().expect("no holder panics");
        file.write_all(&line)
    }

    pub(crate) fn flush(&self) -> io::Result<()> {
        self.0.lock().expect("no holder panics").flush()
    }
}

/// Reads a kept file line by line.
pub(crate) fn lines(
    path: &Path,
) -> Result<impl Iterator<Item = Result<KeptLine, Error>> + use<>, Error> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| Error::io(&*name, e))?;
    Ok((1..)
        .zip(BufReader::new(file).lines())
        .map(move |(number, line): (u64, _)| {
            let line = line.map_err(|e| Error::io(&*name, e))?;
            serde_json::from_str(&line)
                .map_err(|e| Error::CannotRun(format!("{name}, line {number}: {e}")))
        }))
}

/// Reads the calls whose users received a draw, and skips the others.
pub(crate) fn received_draws(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Received, Error>> + use<>, Error> {
    Ok(lines(path)?.filter_map(|line| match line {
        Ok(KeptLine::Received(received)) => Some(Ok(received)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        br#"{"code":"0000","requestId":"K","data":{"awardId":7,"awardTitle":"t","orderId":"9"}}"#;

    #[test]
    fn kept_calls_are_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("received");
        let received = Received::from_draw(5, "K", BODY).expect("a draw");
        let keeper = Keeper::create(&path).expect("created");
        keeper.keep(&received).expect("kept");
        keeper.keep(&received).expect("kept");
        keeper.flush().expect("flushed");
        let read: Vec<Received> = super::received_draws(&path)
            .expect("opened")
            .map(|received| received.expect("read"))
            .collect();
        assert_eq!(read, vec![received.clone(), received]);
        let text = std::fs::read_to_string(&path).expect("text");
        let line = r#"{"userId":"u5","requestId":"K","awardId":7,"orderId":"9","awardTitle":"t"}"#;
        assert_eq!(text.lines().next(), Some(line));
    }

    #[test]
    fn every_kind_of_line_is_recognised_and_a_broken_one_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kept");
        let received = Received::from_body("x".to_owned(), "K", BODY).expect("a draw");
        let not_received = NotReceived {
            user_id: "x".to_owned(),
            request_id: "L".to_owned(),
            outcome: NotReceivedOutcome::Unknown,
        };
        let all = [
            KeptLine::Run {
                run: "ab".to_owned(),
            },
            KeptLine::Received(received.clone()),
            KeptLine::NotReceived(not_received),
            KeptLine::Kept { kept: 2 },
        ];
        let keeper = Keeper::create(&path).expect("created");
        for line in &all {
            keeper.write(line).expect("written");
        }
        keeper.flush().expect("flushed");
        let read: Vec<KeptLine> = lines(&path)
            .expect("opened")
            .map(|line| line.expect("read"))
            .collect();
        assert_eq!(read, all);
        assert_eq!(super::received_draws(&path).expect("opened").count(), 1);

        keeper.write(&"cut off").expect("written");
        keeper.flush().expect("flushed");
        let error = lines(&path)
            .expect("opened")
            .find_map(Result::err)
            .expect("an error");
        assert!(error.to_string().contains("kept, line 5: "), "{error}");
    }

    #[test]
    fn a_call_for_several_draws_is_one_line() {
        let body = br#"{"code":"0000","requestId":"K","data":{"draws":[{"awardId":7,"orderId":"9"},{"awardId":8,"orderId":"10"}]}}"#;
        let received = Received::from_draw(5, "K", body).expect("draws");
        let line = serde_json::to_string(&received).expect("JSON");
        let draws = r#"[{"awardId":7,"orderId":"9"},{"awardId":8,"orderId":"10"}]"#;
        assert_eq!(
            line,
            format!(r#"{{"userId":"u5","requestId":"K","draws":{draws}}}"#)
        );
        assert_eq!(
            serde_json::from_str::<Received>(&line).expect("read back"),
            received
        );
        assert_ne!(
            received.drawn,
            Received::from_draw(5, "K", BODY).expect("a draw").drawn
        );
    }

    #[test]
    fn the_response_to_another_call_is_refused() {
        assert!(Received::from_draw(5, "L", BODY).is_err());
        assert!(Received::from_draw(5, "K", br#"{"code":"0000"}"#).is_err());
    }
}
