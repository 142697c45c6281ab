//! An account says what its orders say: how many there are, how many on its day and in its month.
//! Ordinals have no gaps, days never go back, and no more chances are used than were granted.
use super::draw_check::DrawCheck;
use crate::audit::history::{Context, History};
use crate::audit::report::Check;
use crate::audit::rows::{StoredAccount, StoredOrder};

#[derive(Debug)]
pub(super) struct ChancesMatchOrders {
    pub(super) check: Check,
    /// One report of an ordinal out of order will do: all that follow are too.
    misnumbered: bool,
}

impl Default for ChancesMatchOrders {
    fn default() -> Self {
        Self {
            check: Check::new("chances_match_orders"),
            misnumbered: false,
        }
    }
}

impl DrawCheck for ChancesMatchOrders {
    fn begin(&mut self, _: &Context<'_>, _: &History) {
        self.misnumbered = false;
    }

    fn order(&mut self, context: &Context<'_>, history: &History, order: &StoredOrder) {
        let (place, id) = (context.place, order.id);
        let expected = history.orders + 1;
        if order.ordinal != expected && !self.misnumbered {
            self.misnumbered = true;
            let ordinal = order.ordinal;
            self.check.violation(|| {
                format!("{place}: order {id} of {history} is numbered {ordinal}, not {expected}")
            });
        }
        let before = history.labels.day;
        if order.day < before {
            let day = order.day;
            self.check.violation(|| {
                format!(
                    "{place}: order {id} of {history} is of day {day}, the one before of {before}"
                )
            });
        }
    }

    fn end(&mut self, context: &Context<'_>, history: &History) {
        self.check.checked += 1;
        let (place, orders) = (context.place, history.orders);
        match history.account {
            None => self
                .check
                .violation(|| format!("{place}: {history} has {orders} orders and no account")),
            Some(account) => {
                let faults = faults(history, account);
                if !faults.is_empty() {
                    self.check.violation(|| {
                        format!("{place}: the account of {history}: {}", faults.join("; "))
                    });
                }
            }
        }
    }
}

fn faults(history: &History, account: StoredAccount) -> Vec<String> {
    let labels = history.labels;
    let counted = [
        ("used", account.used, history.orders),
        ("day", account.day, labels.day),
        ("day_used", account.day_used, labels.day_orders),
        ("month_used", account.month_used, labels.month_orders),
    ];
    let differ = counted
        .into_iter()
        .filter(|(_, stored, counted)| stored != counted);
    let differ = differ
        .map(|(name, stored, counted)| format!("{name} is {stored}, its orders say {counted}"));
    let (used, granted) = (account.used, account.granted);
    let exceeded =
        (used > granted).then(|| format!("{used} chances are used and {granted} were granted"));
    differ.chain(exceeded).collect()
}
