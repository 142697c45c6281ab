//! One draw, and the calls that ask for it.
use serde_json::Value;

use testkit::http::{Envelope, Request};

/// A draw that a client wants to be made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    pub user: String,
    pub key: String,
    pub activity: u64,
}

impl Call {
    pub fn request(&self) -> Request {
        Request::draw(&self.user, self.activity, &self.key)
    }

    pub fn record(&self) -> Request {
        Request::record(&self.user, "requestId", &self.key)
    }

    /// Checks that the record of this draw is what the client was answered.
    #[track_caller]
    pub fn assert_as_answered(&self, reported: &Envelope, record: &Value) {
        for name in ["awardId", "awardTitle", "awardIndex", "orderId"] {
            assert_eq!(record[name], reported.data[name], "{name} of {self:?}");
        }
        let (activity, key) = (record["activityId"].as_u64(), record["requestId"].as_str());
        assert_eq!((activity, key), (Some(self.activity), Some(&*self.key)));
    }
}
