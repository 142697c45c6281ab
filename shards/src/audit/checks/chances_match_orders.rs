//! An account matches its orders: how many there are, and how many on its day and in its month.
//! Ordinals have no gaps, days do not go back, and no more chances are used than were granted.
use super::row_check::RowCheck;
use crate::audit::history::{DrawHistory, RowContext};
use crate::audit::report::CheckReport;
use crate::audit::rows::{StoredAccount, StoredOrder};

#[derive(Debug, Default)]
pub(super) struct ChancesMatchOrders {
    /// An ordinal out of order is reported once in a history: all that follow are wrong too.
    misnumbered: bool,
}

impl RowCheck for ChancesMatchOrders {
    fn name(&self) -> &'static str {
        "chances_match_orders"
    }

    fn begin(&mut self, _: &mut CheckReport, _: &RowContext<'_>, _: &DrawHistory) {
        self.misnumbered = false;
    }

    fn order(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        history: &DrawHistory,
        order: &StoredOrder,
    ) {
        let (at, id) = (context.at, order.id);
        let expected = history.orders + 1;
        if order.ordinal != expected && !self.misnumbered {
            self.misnumbered = true;
            let ordinal = order.ordinal;
            report.violation(|| {
                format!("{at}: order {id} of {history} has the ordinal {ordinal}, not {expected}")
            });
        }
        let before = history.labels.day;
        if order.day < before {
            let day = order.day;
            report.violation(|| {
                format!(
                    "{at}: order {id} of {history} is of day {day}, the order before it of {before}"
                )
            });
        }
    }

    fn end(&mut self, report: &mut CheckReport, context: &RowContext<'_>, history: &DrawHistory) {
        report.checked += 1;
        let (at, orders) = (context.at, history.orders);
        match history.account {
            None => {
                report.violation(|| format!("{at}: {history} has {orders} orders and no account"));
            }
            Some(account) => {
                let faults = faults(history, account);
                if !faults.is_empty() {
                    report.violation(|| {
                        format!("{at}: the account of {history}: {}", faults.join("; "))
                    });
                }
            }
        }
    }
}

fn faults(history: &DrawHistory, account: StoredAccount) -> Vec<String> {
    let labels = history.labels;
    let counted = [
        ("used", account.used, history.orders),
        ("day", account.day, labels.day),
        ("day_used", account.day_used, labels.day_orders),
        ("month_used", account.month_used, labels.month_orders),
    ];
    let differ = counted
        .into_iter()
        .filter(|(_, stored, counted)| stored != counted)
        .map(|(name, stored, counted)| {
            format!("{name} is {stored}, according to its orders {counted}")
        });
    let (used, granted) = (account.used, account.granted);
    let exceeded =
        (used > granted).then(|| format!("{used} chances are used and {granted} were granted"));
    differ.chain(exceeded).collect()
}
