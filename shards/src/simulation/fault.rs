//! Rules of the protocol that the fakes can break.
use super::scenario::Theme;

/// A broken rule. The names are those of the exhaustive model where it has the rule too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A commit is not fenced by the epoch.
    NoEpoch,
    /// All processes of a stock server have one `run_id`.
    NoInc,
    /// A void row does not stop a commit.
    NoVoid,
    /// A stock server behind the meta database's epoch says that it is not.
    NoBehind,
    /// Giving back acts on grants that are closed.
    GiveBackTwice,
    /// A shard counts what it issued before it raises its epoch.
    EarlySum,
    /// The job deletes receipts of grants that may be open on their servers.
    ReclaimOpen,
    /// A fold deletes counters that have grown since it read them.
    FoldUnlocked,
    /// The verdict over a batch is looked up, not forced: units are given back, and the grant is
    /// not void.
    SelectOnly,
    /// A take that was not answered is sent again under its grant id.
    ReuseId,
    /// A grant is closed before its batch commits.
    SettleFirst,
    /// An account that prefetch did not see is written over whatever is there.
    Upsert,
    /// Of a call for several draws the first order alone is looked up.
    FirstOnly,
    /// A batch claims keys without noticing that they have a call.
    ClaimUnseen,
    /// A key belongs to one call of each kind.
    KeyByKind,
    /// A verdict takes any call under the key for the batch's own.
    VerdictByKey,
    /// Points are taken or added, and the ledger has no entry of it.
    DebitWithoutEntry,
    /// The ledger has an entry, and the account is as it was.
    EntryWithoutDebit,
    /// The unit that a purchase was granted counts as issued, although its debit was refused.
    SkuUnitCounted,
    /// The server keeps the unit that a purchase was granted, although its debit was refused.
    SkuUnitKept,
    /// A sign-in does not look when the user last signed in, and writes over whatever is there.
    SignInTwice,
    /// A prize is given, and how many its user has is not written.
    GivenUncounted,
    /// A draw does not look how many of its prize the user has, and writes over whatever is there.
    GivenUnseen,
    /// A draw's day is the gateway's, even when the account's is later.
    ClockLabel,
    /// A lane deletes the receipt of its last batch, whether or not the grant is closed.
    DeleteOpen,
    /// A lane waits for rows that others have locked, and does not ask whose they are.
    HeldTogether,
    /// A gateway's clock is not compared with its shard's.
    ClockUnchecked,
    /// An addition is applied each time that it is brought.
    AddTwice,
    /// An addition is applied in a later epoch too.
    AddLate,
    /// A withdrawal takes units each time that it is brought.
    WithdrawTwice,
    /// A withdrawal is done in any epoch.
    WithdrawLate,
    /// What was withdrawn under a past epoch lowers the totals all the same.
    NoteLate,
    /// A server says that it knows grants of all epochs, when it closes some.
    CloseFlatters,
    /// No gateway asks whose the units are that a server holds.
    NoIdentity,
}

impl Fault {
    /// What a run must be about for few seeds to show it.
    pub(super) const fn theme(self) -> Option<Theme> {
        match self {
            Self::DeleteOpen | Self::VerdictByKey => Some(Theme::InDoubt),
            Self::WithdrawLate | Self::NoteLate => Some(Theme::Operations),
            Self::CloseFlatters => Some(Theme::SplitBrain),
            Self::NoIdentity => Some(Theme::Intruders),
            Self::HeldTogether => Some(Theme::Frozen),
            Self::ClockUnchecked => Some(Theme::Clocks),
            _ => None,
        }
    }
}
