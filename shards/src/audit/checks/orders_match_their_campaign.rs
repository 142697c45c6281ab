//! Each order is one that the campaign version it names can have made, and each version can be
//! read.
use super::draw_check::DrawCheck;
use crate::audit::campaigns::{Drawer, Versions};
use crate::audit::history::{Context, History};
use crate::audit::report::Check;
use crate::audit::rows::StoredOrder;

#[derive(Debug)]
pub(super) struct OrdersMatchTheirCampaign {
    pub(super) check: Check,
}

impl Default for OrdersMatchTheirCampaign {
    fn default() -> Self {
        Self {
            check: Check::new("orders_match_their_campaign"),
        }
    }
}

impl DrawCheck for OrdersMatchTheirCampaign {
    fn order(&mut self, context: &Context<'_>, history: &History, order: &StoredOrder) {
        self.check.checked += 1;
        let drawer = Drawer {
            user: history.id.as_ref(),
            activity: history.activity,
            day_before: history.labels.day,
        };
        let faults = context.known.versions.faults(drawer, order);
        if !faults.is_empty() {
            let (place, id, version) = (context.place, order.id, order.version);
            self.check.violation(|| {
                format!(
                    "{place}: order {id} of {history}, version {version}: {}",
                    faults.join("; ")
                )
            });
        }
    }
}

impl OrdersMatchTheirCampaign {
    /// Together with what the versions are themselves.
    pub(super) fn with_versions(self, versions: &Versions) -> Check {
        let mut check = Check::new(self.check.name);
        check.checked = versions.count() as u64;
        for unreadable in versions.unreadable() {
            check.violation(|| unreadable.clone());
        }
        check.add(self.check);
        check
    }
}
