//! The way of a draw behind the desk.
use jiff::Timestamp;
use market::draw::DrawAsk;
use market::{Orders, RequestId, UserId};

use super::service::Desk;
use crate::answer::{Endpoint, Failure};

impl Desk {
    /// Draws. The checks that need the user and the activity run from the cheapest to the dearest.
    pub async fn draw(
        &self,
        user: UserId,
        request: RequestId,
        ask: DrawAsk,
    ) -> Result<Orders, Failure> {
        let now = Timestamp::now();
        // Switches first: operations overrule all rules, and a look at them costs a hash.
        self.obey_switches(&user, ask, now)?;
        // One user's taps must not become many batches. A call counts once, whatever the number of
        // its draws.
        self.admit_user(Endpoint::Draw, &user, Some(ask.activity), now)?;
        // Then, in `Shards::draw`: the shard of the user, its breaker (a shard that hangs is not
        // waited for), its share of the draws in flight, the bound of the lane's queue, and the
        // deadline of draws that wait there.
        Ok(self.shards.draw(user, request, ask).await?)
    }
}
