//! What a batch's transaction notes of its grant: that it commits, and which units it issues. Here
//! is only what the rows look like; why there are any is told in `stock`.
use crate::stock::{Epoch, Receipt, ServerId};

use super::rows::{json_rows, number};
use super::{Columns, Dialect, Expected, GrantId, Input, Issuing, Outcome, Rows, Step, StoreError, Value};

/// The rows of one grant.
pub(crate) struct GrantNote<'r> {
    grant: GrantId,
    receipt: &'r Receipt,
    /// The grant's own row first, then one for each stock server with what it gave, as JSON.
    rows: Vec<(ServerId, Epoch, String)>,
}

impl<'r> GrantNote<'r> {
    pub(crate) fn new(grant: GrantId, receipt: &'r Receipt) -> Self {
        // The grant's own row has no units: those of stock in memory are counted at once.
        let own = (ServerId::NONE, Epoch(0), "[]".to_owned());
        let of_server = |(&server, &epoch)| {
            let parts = receipt.used.iter().filter(|part| part.server == server);
            let units = json_rows(
                parts.map(|part| (part.prize.activity.get(), part.prize.award.get(), part.segment, part.count)),
            );
            (server, epoch, units)
        };
        let rows = std::iter::once(own).chain(receipt.epochs.iter().map(of_server)).collect();
        Self { grant, receipt, rows }
    }

    /// The statements that note it, for [`GrantNote::check`] to look at what they did.
    pub(crate) fn steps(&self, dialect: &Dialect) -> Vec<Step<'_>> {
        let mut servers = Rows::default();
        for server in self.receipt.epochs.keys() {
            servers.push([server.0.into()]);
        }
        let mut rows = Rows::default();
        for (server, epoch, units) in &self.rows {
            rows.push([server.0.into(), number(self.grant.0), Value::Integer(0), number(epoch.0), (&**units).into()]);
        }
        let (sql, expected) = (dialect.shard.insert_grant, Expected::Rows(self.rows.len()));
        let insert = Step { sql, input: Input::Rows(rows), expected };
        match dialect.issuing {
            Issuing::FromServers { hold_epochs } => {
                vec![Step::read(hold_epochs, Input::Rows(servers)), insert]
            }
            Issuing::FromMemory { forget_grants, count_issued } => {
                let mut issued = Rows::default();
                for part in &self.receipt.used {
                    let (activity, award) = (part.prize.activity.get(), part.prize.award.get());
                    issued.push([number(activity), number(award), part.count.into()]);
                }
                let grant = Input::Json(json_rows([[self.grant.0]]));
                vec![
                    insert,
                    Step { sql: forget_grants, input: grant, expected: Expected::Any },
                    Step {
                        sql: count_issued,
                        input: Input::Rows(issued),
                        expected: Expected::Rows(self.receipt.used.len()),
                    },
                ]
            }
        }
    }

    /// Whether each server's epoch is still the one that its units were granted under.
    pub(crate) fn check<R: Columns>(&self, outcomes: &[Outcome<R>]) -> Result<(), StoreError> {
        let mut current = 0;
        for row in outcomes.iter().flat_map(|outcome| &outcome.rows) {
            let (server, epoch) = (ServerId(row.number(0)?), Epoch(row.number(1)?));
            current += usize::from(self.receipt.epochs.get(&server) == Some(&epoch));
        }
        let wanted = self.receipt.epochs.len();
        if current != wanted {
            return Err(StoreError::Fenced(format!("{current} of {wanted} stock servers have still that epoch")));
        }
        Ok(())
    }
}
