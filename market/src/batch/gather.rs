//! Which rows a batch has to lock and read.
use jiff::Timestamp;

use super::needs::{CommandNeeds, Distinct, Gathered, NeededRows, Needing, Needs, RowCount};
use crate::call::MadeCall;
use crate::campaign::Catalogue;
use crate::chances::Account;
use crate::command::Command;
use crate::ids::{ActivityId, AwardId, RequestId, UserId};
use crate::points::PointsAccount;
use crate::sign_ins::SignIn;

/// The commands of a batch, and what must be read for them.
#[derive(Debug)]
pub struct Batch {
    pub(super) commands: Vec<Command>,
    pub(super) needs: Needs,
    pub(super) of_commands: Vec<CommandNeeds>,
    /// The indexes of accounts of all commands, one range for each.
    pub(super) accounts: Vec<usize>,
}

/// What the store knows of that; each list in the order of the needs' own.
#[derive(Debug, Default)]
pub struct Known {
    /// The stored accounts.
    pub accounts: Vec<Option<Account>>,
    /// The stored accounts of points.
    pub points: Vec<Option<PointsAccount>>,
    /// The stored sign-ins.
    pub sign_ins: Vec<Option<SignIn>>,
    /// How many users were given of awards, as stored.
    pub user_awards: Vec<Option<u32>>,
    /// The earlier calls.
    pub calls: Vec<Option<MadeCall>>,
}

impl Known {
    /// Where nothing is stored.
    pub fn nothing(needs: &Needs) -> Self {
        Self {
            accounts: vec![None; needs.accounts.len()],
            points: vec![None; needs.points.len()],
            sign_ins: vec![None; needs.sign_ins.len()],
            user_awards: vec![None; needs.user_awards.len()],
            calls: vec![None; needs.calls.len()],
        }
    }
}

impl Batch {
    /// Lists what commands need, each row once. What they need follows from what is published, and
    /// open at `now`.
    pub fn gather(commands: Vec<Command>, catalogue: &Catalogue, now: Timestamp) -> Self {
        let count = commands.len();
        let mut gathered = Gathered {
            accounts: Distinct::with_capacity(count),
            points: Distinct::with_capacity(0),
            sign_ins: Distinct::with_capacity(0),
            user_awards: Distinct::with_capacity(0),
            calls: Distinct::with_capacity(count),
            account_of: Vec::with_capacity(count),
        };
        let mut of_commands = Vec::with_capacity(count);
        for Command { user, request, ask } in &commands {
            let first = gathered.account_of.len();
            let mut of_command = CommandNeeds {
                accounts: first..first,
                points: None,
                sign_ins: Vec::new(),
                user_awards: Vec::new(),
                call: gathered.calls.index((user, request)),
                makes: RowCount::ONE,
            };
            let mut needing = Needing {
                user,
                gathered: &mut gathered,
                of_command: &mut of_command,
            };
            ask.needs(user, catalogue, now, &mut needing);
            of_commands.push(of_command);
        }
        let owned = |(user, activity): (&UserId, ActivityId)| (user.clone(), activity);
        let award = |(user, activity, award): (&UserId, ActivityId, AwardId)| {
            (user.clone(), activity, award)
        };
        let key = |(user, request): (&UserId, &RequestId)| (user.clone(), request.clone());
        let needs = Needs {
            accounts: gathered.accounts.0.into_iter().map(owned).collect(),
            points: gathered.points.0.into_iter().cloned().collect(),
            sign_ins: gathered.sign_ins.0.into_iter().map(owned).collect(),
            user_awards: gathered.user_awards.0.into_iter().map(award).collect(),
            calls: gathered.calls.0.into_iter().map(key).collect(),
        };
        let accounts = gathered.account_of;
        Self {
            commands,
            needs,
            of_commands,
            accounts,
        }
    }

    /// The commands in arrival order.
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// What must be locked and read.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Whether each command needs the same rows as in another batch of the same commands, and makes as
    /// many.
    pub fn needs_the_same_as(&self, other: &Self) -> bool {
        self.needs == other.needs
            && self.of_commands == other.of_commands
            && self.accounts == other.accounts
    }

    /// For each command how many rows with ids of their own it makes.
    pub fn makes(&self) -> impl Iterator<Item = RowCount> {
        self.of_commands.iter().map(|needs| needs.makes)
    }

    /// For each command whether one of its rows is among these, each list in the order of the
    /// needs' own.
    pub fn with_rows(&self, rows: &NeededRows) -> Vec<bool> {
        let has_one = |needs: &CommandNeeds| {
            let mut accounts = self.accounts[needs.accounts.clone()].iter();
            accounts.any(|&index| rows.accounts[index])
                || needs.points.is_some_and(|index| rows.points[index])
                || needs.sign_ins.iter().any(|&index| rows.sign_ins[index])
                || (needs.user_awards.iter()).any(|&index| rows.user_awards[index])
                || rows.calls[needs.call]
        };
        self.of_commands.iter().map(has_one).collect()
    }

    /// None of the rows that it needs.
    pub fn no_rows(&self) -> NeededRows {
        NeededRows {
            accounts: vec![false; self.needs.accounts.len()],
            points: vec![false; self.needs.points.len()],
            sign_ins: vec![false; self.needs.sign_ins.len()],
            user_awards: vec![false; self.needs.user_awards.len()],
            calls: vec![false; self.needs.calls.len()],
        }
    }
}
