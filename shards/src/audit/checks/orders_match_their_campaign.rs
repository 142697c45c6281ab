//! Each order is one that the campaign version it names can have made, and each version can be
//! read.
use super::row_check::RowCheck;
use crate::audit::campaigns::{Drawer, Versions};
use crate::audit::history::{DrawHistory, RowContext};
use crate::audit::report::CheckReport;
use crate::audit::rows::StoredOrder;

#[derive(Debug)]
pub(super) struct OrdersMatchTheirCampaign;

impl RowCheck for OrdersMatchTheirCampaign {
    fn name(&self) -> &'static str {
        "orders_match_their_campaign"
    }

    fn order(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        history: &DrawHistory,
        order: &StoredOrder,
    ) {
        report.checked += 1;
        let drawer = Drawer {
            user: history.id.as_ref(),
            activity: history.activity,
            day_before: history.labels.day,
        };
        let faults = context.known.versions.faults(drawer, order);
        if !faults.is_empty() {
            let (at, id, version) = (context.at, order.id, order.version);
            report.violation(|| {
                format!(
                    "{at}: order {id} of {history}, version {version}: {}",
                    faults.join("; ")
                )
            });
        }
    }

    /// Puts the versions before the orders: one that cannot be read explains what follows.
    fn all_over(&mut self, report: &mut CheckReport, versions: &Versions) {
        let mut of_versions = CheckReport::new(self.name());
        of_versions.checked = versions.count() as u64;
        for unreadable in versions.unreadable() {
            of_versions.violation(|| unreadable.clone());
        }
        let of_orders = std::mem::replace(report, of_versions);
        report.add(of_orders);
    }
}
