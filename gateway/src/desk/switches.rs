//! Where draws meet the switches of operations.
use jiff::Timestamp;
use market::draw::DrawAsk;
use market::switches::{Effect, Switch, Switches};
use market::{ActivityId, DrawCount, UserId};

use super::service::Desk;
use crate::answer::Code;

impl Desk {
    /// Refuses a draw that the switches do not allow, before any store is asked. `fallback_only` is
    /// applied where draws are planned, and only counted here.
    pub(super) fn obey_switches(
        &self,
        user: &UserId,
        DrawAsk { activity, count }: DrawAsk,
        now: Timestamp,
    ) -> Result<(), Code> {
        let catalogue = self.shards.catalogue();
        let is_flipped = |switch| {
            let switches = catalogue.switches();
            self.is_flipped(switches, switch, Some(activity), user, count, now)
        };
        if is_flipped(Switch::ReadOnly) {
            return Err(Code::ReadOnly);
        }
        if is_flipped(Switch::Draw) {
            return Err(Code::SwitchedOff);
        }
        is_flipped(Switch::FallbackOnly);
        Ok(())
    }

    /// Returns whether a switch has left its normal position for this user: `read_only` on, `draw`
    /// off, `limits` off. Counts the draws that this affects, and those that it would affect if the
    /// switch were not only observed.
    pub(super) fn is_flipped(
        &self,
        switches: &Switches,
        switch: Switch,
        activity: Option<ActivityId>,
        user: &UserId,
        draws: DrawCount,
        now: Timestamp,
    ) -> bool {
        let effect = switches.effect(switch, activity, user, now);
        if let Some(effect) = effect {
            self.metrics.switched(switch, effect, draws);
        }
        effect == Some(Effect::Applied)
    }
}
