//! Chances that an operator gives a user.
use market::grant::GrantAsk;
use market::recharge::RechargeOrder;
use market::{Ask, Command, Made, RequestId, UserId};

use super::{CarriedOut, Shards};
use crate::error::CommandError;

/// Chances that a user was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenChances {
    /// The record of it.
    pub order: RechargeOrder,
    /// Whether an earlier call under the same key gave them, and this one changed nothing.
    pub is_repeat: bool,
    /// What the account was granted in all by now; `None` where it could not be read.
    pub total: Option<u32>,
}

impl Shards {
    /// Gives a user chances, and answers once they are committed.
    pub async fn give_chances(
        &self,
        user: UserId,
        request: RequestId,
        ask: GrantAsk,
    ) -> Result<GivenChances, CommandError> {
        let command = Command {
            user: user.clone(),
            request,
            ask: Ask::Grant(ask),
        };
        let CarriedOut { made, now } = self.carry_out(command).await?;
        let Made::Grant(order) = made else {
            unreachable!("a grant makes a recharge order")
        };
        // The chances are given, whether the account can be read just now or not.
        let account = self.account(&user, ask.activity).await.ok().flatten();
        Ok(GivenChances {
            order,
            is_repeat: !now,
            total: account.map(|account| account.granted),
        })
    }
}
