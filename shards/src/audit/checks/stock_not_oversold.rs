//! No prize has more units in orders than there are.
use crate::audit::report::Check;
use crate::audit::stock::{Counts, name, prizes, units};

/// `issued` are the units in the orders of all shards. They must have been read before the totals:
/// additions and withdrawals in between cannot make sound stock look oversold then.
pub(in crate::audit) fn stock_not_oversold(issued: &Counts, totals: &Counts) -> Check {
    let mut check = Check::new("stock_not_oversold");
    for prize in prizes([issued, totals]) {
        check.checked += 1;
        let (issued, total) = (units(issued, prize), units(totals, prize).max(0));
        if issued > total {
            check.violation(|| {
                format!(
                    "{}: {issued} units are in orders and there are {total}",
                    name(prize)
                )
            });
        }
    }
    check
}
