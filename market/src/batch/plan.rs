//! Plans each command of a batch, and counts the units that they want together.
use std::collections::HashMap;

use jiff::Timestamp;

use super::context::{Circumstances, Planning};
use super::gather::{Batch, Known};
use super::needs::CommandNeeds;
use super::rows::Rows;
use crate::call::MadeCall;
use crate::command::{Command, Drafts, Fingerprint, Kind, Made, Planned};
use crate::random::{CommandNumbers, Randomness};
use crate::refusal::Refusal;
use crate::units::{StockItem, Supply, Units};

/// A planned batch: every command either has its answer or waits for the stock.
#[derive(Debug)]
pub struct Plan {
    pub(super) commands: Vec<Command>,
    pub(super) of_commands: Vec<CommandNeeds>,
    /// The indexes of accounts of all commands.
    pub(super) accounts: Vec<usize>,
    pub(super) rows: Rows,
    pub(super) planned: Vec<PlannedCommand>,
    pub(super) drafts: Drafts,
    pub(super) now: Timestamp,
    wants: Vec<Units>,
}

/// A command of a planned batch.
#[derive(Debug)]
pub(super) enum PlannedCommand {
    /// It was made earlier.
    Replay(Made),
    Refused(Refusal),
    /// The same call came earlier in this batch: it gets the same answer.
    SameAs(usize),
    /// Another call came earlier in this batch under the same key. If that one makes something,
    /// this one is refused.
    Differs {
        first: usize,
        refusal: Refusal,
    },
    /// Its rules allow it.
    Allowed(Planned),
}

impl Plan {
    /// The units that the batch wants, one entry per prize, in the order of the prizes: locks are
    /// taken in one order everywhere.
    pub fn wants(&self) -> &[Units] {
        &self.wants
    }

    /// How many commands are refused.
    pub fn refused(&self) -> usize {
        let refused = |planned: &&PlannedCommand| {
            matches!(
                planned,
                PlannedCommand::Refused(_) | PlannedCommand::Differs { .. }
            )
        };
        self.planned.iter().filter(refused).count()
    }
}

/// Plans a batch. `numbers` are the commands' own random numbers, one for each in their order; new
/// ones come from `source`.
pub fn plan<'n, S: Randomness>(
    mut batch: Batch,
    mut known: Known,
    around: &Circumstances<'_>,
    numbers: impl IntoIterator<Item = &'n mut CommandNumbers>,
    source: &mut S,
) -> Plan {
    let needs = std::mem::take(&mut batch.needs);
    let given = known.user_awards.iter();
    let expected = given.map(|given| given.unwrap_or(0)).collect();
    let mut planner = Planner {
        batch: &batch,
        expected,
        around,
        source,
        rows: Rows::new(needs, &mut known),
        holders: known.calls.into_iter().map(Holder::of).collect(),
        drafts: Drafts::default(),
    };
    let mut planned = Vec::with_capacity(batch.commands.len());
    for (index, numbers) in (0..batch.commands.len()).zip(numbers) {
        planned.push(planner.plan(index, numbers));
    }
    let Planner { rows, drafts, .. } = planner;
    assert_eq!(
        planned.len(),
        batch.commands.len(),
        "each command has its numbers"
    );
    let wants = count_wants(&planned, &drafts, around.supply);
    Plan {
        commands: batch.commands,
        of_commands: batch.of_commands,
        accounts: batch.accounts,
        rows,
        planned,
        drafts,
        now: around.now,
        wants,
    }
}

struct Planner<'a, S> {
    batch: &'a Batch,
    around: &'a Circumstances<'a>,
    source: &'a mut S,
    /// The rows as the commands planned so far leave them.
    rows: Rows,
    /// Which call has each key.
    holders: Vec<Holder>,
    drafts: Drafts,
    /// How many users have of awards when all draws planned so far are given what they ask for.
    expected: Vec<u32>,
}

/// Who has a key. A refused command does not: its key stays free.
#[derive(Debug)]
enum Holder {
    Free,
    Earlier(MadeCall),
    /// The command at this index of the batch.
    InBatch(usize),
}

impl Holder {
    fn of(stored: Option<MadeCall>) -> Self {
        stored.map_or(Self::Free, Self::Earlier)
    }
}

impl<S: Randomness> Planner<'_, S> {
    /// Plans the command at this index.
    fn plan(&mut self, index: usize, numbers: &mut CommandNumbers) -> PlannedCommand {
        let commands = &self.batch.commands;
        let (ask, call) = (&commands[index].ask, self.batch.of_commands[index].call);
        match &self.holders[call] {
            Holder::Earlier(MadeCall { call, made }) => {
                match differs(ask.fingerprint(), call.fingerprint(), ask.would_make(made)) {
                    None => PlannedCommand::Replay(made.clone()),
                    Some(refusal) => PlannedCommand::Refused(refusal),
                }
            }
            &Holder::InBatch(first) => {
                let earlier = &commands[first].ask;
                match differs(ask.fingerprint(), earlier.fingerprint(), ask == earlier) {
                    None => PlannedCommand::SameAs(first),
                    Some(refusal) => PlannedCommand::Differs { first, refusal },
                }
            }
            Holder::Free => match self.plan_new(index, numbers) {
                Ok(planned) => {
                    self.holders[call] = Holder::InBatch(index);
                    PlannedCommand::Allowed(planned)
                }
                Err(refusal) => PlannedCommand::Refused(refusal),
            },
        }
    }

    /// Applies the rules of the command's kind. If they refuse, its rows are as before.
    fn plan_new(&mut self, index: usize, numbers: &mut CommandNumbers) -> Result<Planned, Refusal> {
        let Command { user, ask, .. } = &self.batch.commands[index];
        let needs = &self.batch.of_commands[index];
        let accounts = &self.batch.accounts[needs.accounts.clone()];
        let mut planning = Planning {
            around: self.around,
            user,
            rows: self.rows.of_command(needs, accounts),
            random: numbers.replay(self.source),
            expected: &mut self.expected,
        };
        let saved = planning.rows.save();
        let planned = ask.plan(&mut planning, &mut self.drafts);
        if planned.is_err() {
            planning.rows.put_back(saved);
        }
        planned
    }
}

/// Why a call is no repeat of an earlier one under its key, if it is none. It is by what it asks
/// for, not by what it got: chances may have been short.
fn differs(call: Fingerprint, earlier: Fingerprint, same_content: bool) -> Option<Refusal> {
    if call == earlier && same_content {
        None
    } else if call.kind != earlier.kind {
        Some(Refusal::RequestIdReused)
    } else if call.activity != earlier.activity {
        Some(Refusal::RequestActivityDiffers)
    } else if call.kind == Kind::Draw {
        Some(Refusal::RequestCountDiffers)
    } else {
        Some(Refusal::RequestIdReused)
    }
}

fn count_wants(planned: &[PlannedCommand], drafts: &Drafts, supply: &Supply) -> Vec<Units> {
    let mut counts: HashMap<StockItem, u32> = HashMap::new();
    for command in planned {
        let PlannedCommand::Allowed(planned) = command else {
            continue;
        };
        for item in planned.wants(drafts).filter(|&item| !supply.lacks(item)) {
            *counts.entry(item).or_default() += 1;
        }
    }
    let units = |(item, count)| Units { item, count };
    let mut wants: Vec<Units> = counts.into_iter().map(units).collect();
    wants.sort_by_key(|units| units.item);
    wants
}
