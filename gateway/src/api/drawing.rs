//! A call to draw: its key, the layers that need its user and activity, and its answer.
use hyper::HeaderMap;
use jiff::Timestamp;
use market::draw::DrawAsk;
use market::random::Randomness as _;
use market::{DrawCount, RequestId};

use super::activity::{DrawnForm, drawn};
use super::answer::{Data, Failure};
use super::endpoints::{Call, Endpoint};
use super::fields::{Fields, Name, header_key, lent_key};
use super::{Api, Found, Reply};
use crate::identity::Caller;
use crate::trace::hexadecimal;

impl Api {
    pub(super) async fn answer_draw(
        &self,
        call: Call,
        caller: &Caller,
        headers: &HeaderMap,
        fields: Result<Fields<'_>, Failure>,
    ) -> Reply {
        let (request, checked) = self.draw_key(headers, fields.as_ref().ok());
        let drawn = match checked.and(fields) {
            Ok(fields) => self.draw(call, caller, &fields, request.clone()).await,
            Err(failure) => Err(failure),
        };
        let (outcome, draws) = match drawn {
            Ok((data, draws)) => (Ok(Found::Data(data)), draws),
            Err(failure) => (Err(failure), 0),
        };
        Reply {
            outcome,
            request: Some(request),
            draws,
        }
    }

    /// The layers that need the user and the activity; answers how many draws were made too.
    async fn draw(
        &self,
        call: Call,
        caller: &Caller,
        fields: &Fields<'_>,
        request: RequestId,
    ) -> Result<(Data, usize), Failure> {
        let (user, activity, asked) = (
            fields.user(caller)?,
            fields.activity()?,
            asked(call, fields.count()?)?,
        );
        let ask = DrawAsk {
            activity,
            count: asked.unwrap_or(DrawCount::ONE),
        };
        let now = Timestamp::now();
        // The word of operations comes before all rules, and costs a hash.
        self.obey_switches(&user, ask, now)?;
        // One user's taps must not become many batches. A tap is a call, whatever it asks for.
        self.admit_user(Endpoint::Draw, &user, Some(activity), now)?;
        // Then, in `Shards::draw`: the shard of the user, its breaker (a shard that hangs is not
        // waited for), its share of the places in flight, the bound of the lane's queue, and the
        // deadline of whoever waits there.
        let orders = self.shards.draw(user, request, ask).await?;
        let form = match (call.count, asked) {
            (Some(_), _) => DrawnForm::Ten,
            (None, Some(_)) => DrawnForm::List,
            (None, None) => DrawnForm::One,
        };
        Ok((drawn(&orders, form), orders.len()))
    }

    /// The request id that the answer to a draw names: the caller's, from the header or the
    /// parameters, or one that a proxy lends, or a new one; and whether the caller's was as it
    /// should be.
    pub(super) fn draw_key(
        &self,
        headers: &HeaderMap,
        fields: Option<&Fields<'_>>,
    ) -> (RequestId, Result<(), Failure>) {
        let key = match (
            header_key(headers),
            fields.map_or(Ok(None), Fields::request),
        ) {
            (Ok(Some(header)), Ok(Some(field))) if header != field => Err(Failure::field(
                Name::Request.as_str(),
                "differs from the header Idempotency-Key",
            )),
            (Ok(header), Ok(field)) => Ok(header.or(field)),
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        };
        let made = || lent_key(headers).unwrap_or_else(|| self.new_request_id());
        match key {
            Ok(key) => (key.unwrap_or_else(made), Ok(())),
            Err(failure) => (made(), Err(failure)),
        }
    }

    /// A key of 128 random bits.
    fn new_request_id(&self) -> RequestId {
        let halves = {
            let mut random = self.random();
            [
                hexadecimal(random.next_u64()),
                hexadecimal(random.next_u64()),
            ]
        };
        let text = str::from_utf8(halves.as_flattened()).expect("ASCII");
        RequestId::new(text).expect("hexadecimal digits are visible")
    }
}

/// How many draws a call asks for: by its path, by its `count`, or by both in agreement.
fn asked(call: Call, count: Option<DrawCount>) -> Result<Option<DrawCount>, Failure> {
    match (call.count, count) {
        (Some(of_path), Some(count)) if of_path != count => Err(Failure::field(
            Name::Count.as_str(),
            format!("this path asks for {} draws", of_path.get()),
        )),
        (of_path, count) => Ok(of_path.or(count)),
    }
}
