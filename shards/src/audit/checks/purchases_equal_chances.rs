//! Each recharge order is what its kind says, and what a published version of its campaign offers: a
//! purchase has the chances and the price of its sku, a reward is one of the campaign's. Its chances
//! are on an account.
//!
//! That an account has no other chances is `chances_granted_as_published`; that the price was paid
//! and points were given is `points_equal_entries`.
use super::row_check::RowCheck;
use crate::audit::history::RowContext;
use crate::audit::report::CheckReport;
use crate::audit::rows::BesideDraws;

#[derive(Debug)]
pub(super) struct PurchasesEqualChances;

impl RowCheck for PurchasesEqualChances {
    fn name(&self) -> &'static str {
        "purchases_equal_chances"
    }

    fn user(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        beside: &BesideDraws<'_>,
    ) {
        let (at, user) = (context.at, beside.user);
        for order in beside.recharges {
            report.checked += 1;
            let has_account = || {
                let mut accounts = beside.accounts.iter();
                order.chances == 0 || accounts.any(|account| account.activity == order.activity)
            };
            let fault = context.known.versions.recharge_fault(order).or_else(|| {
                (!has_account()).then(|| {
                    let (chances, activity) = (order.chances, order.activity);
                    format!("it gave {chances} chances in activity {activity}, where is no account")
                })
            });
            if let Some(fault) = fault {
                let id = order.id;
                report.violation(|| format!("{at}: recharge order {id} of user {user:?}: {fault}"));
            }
        }
    }
}
