//! The kinds of calls, and a mix of them as the users of a whole platform make it.

use testkit::random::SplitMix64;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    Draw,
    Account,
    AwardList,
    CreditAccount,
    DrawRecords,
    SignIn,
    Exchange,
    /// A behaviour that an application reports, which is rewarded with chances.
    Report,
}

/// Whether a call changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changes {
    Nothing,
    /// A command, which a lane commits.
    Something,
}

impl CallKind {
    /// In the order of their declaration.
    pub(crate) const ALL: [Self; 8] = [
        Self::Draw,
        Self::Account,
        Self::AwardList,
        Self::CreditAccount,
        Self::DrawRecords,
        Self::SignIn,
        Self::Exchange,
        Self::Report,
    ];

    const fn about(self) -> (&'static str, &'static str, Changes) {
        use Changes::{Nothing, Something};
        match self {
            Self::Draw => ("draw", "activity/draw", Something),
            Self::Account => ("account", "activity/query_user_activity_account", Nothing),
            Self::AwardList => ("award_list", "strategy/query_raffle_award_list", Nothing),
            Self::CreditAccount => (
                "credit_account",
                "activity/query_user_credit_account",
                Nothing,
            ),
            Self::DrawRecords => ("draw_records", "activity/draw_records", Nothing),
            Self::SignIn => ("sign_in", "activity/calendar_sign_rebate", Something),
            Self::Exchange => ("exchange", "activity/credit_pay_exchange_sku", Something),
            Self::Report => ("report", "rebate/rebate", Something),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        self.about().0
    }

    pub(crate) fn path(self) -> String {
        format!("/api/v1/raffle/{}", self.about().1)
    }

    /// Whether it is a command, and so has a key.
    pub(crate) fn is_command(self) -> bool {
        self.about().2 == Changes::Something
    }

    /// Its place in [`CallKind::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// How many of a hundred calls are of each kind: 70 draws, 20 queries, 10 other commands. A page asks
/// for chances and prizes most, and for points and what was drawn now and then.
const MIX: [(CallKind, u64); 8] = [
    (CallKind::Draw, 70),
    (CallKind::Account, 7),
    (CallKind::AwardList, 6),
    (CallKind::CreditAccount, 4),
    (CallKind::DrawRecords, 3),
    (CallKind::SignIn, 4),
    (CallKind::Exchange, 3),
    (CallKind::Report, 3),
];

/// The kind of the next call of the mix.
pub(crate) fn choose(random: &mut SplitMix64) -> CallKind {
    let mut number = random.below(100);
    for (kind, share) in MIX {
        if number < share {
            return kind;
        }
        number -= share;
    }
    unreachable!("the shares sum to 100")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_has_seventy_draws_twenty_queries_and_ten_other_commands() {
        let share = |wanted: &dyn Fn(CallKind) -> bool| -> u64 {
            let shares = MIX.iter().filter(|(kind, _)| wanted(*kind));
            shares.map(|(_, share)| share).sum()
        };
        assert_eq!(share(&|kind| kind == CallKind::Draw), 70);
        assert_eq!(share(&|kind| !kind.is_command()), 20);
        assert_eq!(share(&|_| true), 100);
        for (number, kind) in CallKind::ALL.into_iter().enumerate() {
            assert_eq!((kind.index(), MIX[number].0), (number, kind));
        }
    }

    #[test]
    fn calls_are_chosen_by_their_shares() {
        let mut random = SplitMix64::new(7);
        let mut counts = [0_u32; CallKind::ALL.len()];
        for _ in 0..100_000 {
            counts[choose(&mut random).index()] += 1;
        }
        for ((kind, share), count) in MIX.into_iter().zip(counts) {
            let expected = f64::from(u32::try_from(share).expect("small")) * 1_000.0;
            assert!(
                (f64::from(count) / expected - 1.0).abs() < 0.1,
                "{kind:?}: {count}"
            );
        }
    }
}
