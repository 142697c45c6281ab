//! Prizes of which one user gets a few at most: how many a user was given is counted in a row of its
//! own, under the user's lock.
//!
//! The count is made twice. While a batch is planned, a draw counts as given when it asks for its
//! prize: so a call for ten does not take ten units of a prize of which its user gets one. When the
//! batch is settled, what was really given counts. The two can differ only where the stock had
//! none: then it has none for the user's later draws of the batch either, so nobody loses a prize by
//! the first count.
use super::decide::{Decision, DrawOutcome};
use crate::batch::context::{Planning, Settling};
use crate::campaign::Strategy;

/// How many a user has of each prize with such a limit, in the order of
/// [`Strategy::user_limits`], when all draws planned so far are given what they ask for. Empty in
/// campaigns that have no such prize.
pub(super) struct Given(Vec<u32>);

impl Given {
    /// What the commands before this one leave.
    pub(super) fn expected<R>(strategy: &Strategy, planning: &Planning<'_, R>) -> Self {
        let limits = 0..strategy.user_limits().len();
        Self(limits.map(|nth| planning.expected(nth)).collect())
    }

    /// Leaves its own to the commands after it.
    pub(super) fn keep<R>(self, planning: &mut Planning<'_, R>) {
        for (nth, given) in self.0.into_iter().enumerate() {
            planning.expect(nth, given);
        }
    }

    /// The decision for a user who has so many, and counts its prize.
    pub(super) fn count(&mut self, strategy: &Strategy, decision: Decision) -> Decision {
        let Some((nth, _)) = decision.user_limit(strategy) else {
            return decision;
        };
        let decision = decision.after_given(strategy, self.0[nth]);
        self.0[nth] += u32::from(decision.user_limit(strategy).is_some());
        decision
    }
}

/// The decision for a user who was really given so many.
pub(super) fn within_limit<M>(
    strategy: &Strategy,
    decision: Decision,
    settling: &Settling<'_, M>,
) -> Decision {
    match decision.user_limit(strategy) {
        Some((nth, _)) => decision.after_given(strategy, settling.rows.given(nth)),
        None => decision,
    }
}

/// Counts the prize, if it was given.
pub(super) fn count<M>(
    strategy: &Strategy,
    decision: Decision,
    outcome: DrawOutcome,
    settling: &mut Settling<'_, M>,
) {
    if let (Some((nth, _)), None) = (decision.user_limit(strategy), outcome.node) {
        settling.rows.give_one(nth);
    }
}
