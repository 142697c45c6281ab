//! What a batch makes of the units that it was granted.
use super::context::Settling;
use super::plan::{Plan, PlannedCommand};
use super::rows::Rows;
use crate::call::MadeCall;
use crate::command::{Command, Made};
use crate::ids::{OrderId, UserId};
use crate::refusal::Refusal;
use crate::units::{Purse, Units};

/// The answer to one command.
pub type CommandAnswer = Result<Made, Refusal>;

/// A settled batch: what to write, and what to answer once it is written.
#[derive(Debug)]
pub struct Settlement {
    /// One answer per command, in the batch's order.
    pub answers: Vec<CommandAnswer>,
    /// The rows as they are to be.
    pub rows: Rows,
    /// The granted units that were used.
    pub used: Vec<Units>,
    /// The indexes of commands whose answer does not count: another call had their key and was
    /// refused after all. They are to be tried again, in a batch without that call.
    pub undecided: Vec<usize>,
}

impl Settlement {
    /// For each command whether it has made something now. A refused one has not, nor has a repeat
    /// of an earlier call.
    pub fn made_now(&self) -> impl Iterator<Item = bool> {
        // Each command that makes something has a call, in the batch's order.
        let mut calls = self.rows.made.iter().peekable();
        self.answers.iter().map(move |answer| {
            let is_its_own = |own: &&MadeCall| {
                let made = answer.as_ref();
                made.is_ok_and(|made| made.first_id() == own.call.first_id)
            };
            calls.next_if(is_its_own).is_some()
        })
    }
}

/// Gives the `granted` units out in arrival order, and within a call in the order of its draws.
/// `mint` makes an order id that carries the user's slot, for the command at an index of the batch.
/// It is called for the rows of one call without any other call's in between, so that their ids are
/// one step apart: `router::nth_after`.
pub fn settle(
    plan: Plan,
    granted: &[Units],
    mut mint: impl FnMut(usize, &UserId) -> OrderId,
) -> Settlement {
    let Plan {
        commands,
        of_commands,
        accounts,
        mut rows,
        planned,
        drafts,
        now,
        ..
    } = plan;
    let mut purse = Purse::new(granted);
    let mut answers: Vec<CommandAnswer> = Vec::with_capacity(planned.len());
    let mut undecided = Vec::new();
    rows.made.reserve(planned.len());
    for (index, (command, planned)) in commands.iter().zip(planned).enumerate() {
        answers.push(match planned {
            PlannedCommand::Replay(made) => Ok(made),
            PlannedCommand::Refused(refusal) => Err(refusal),
            PlannedCommand::SameAs(first) => answers[first].clone(),
            PlannedCommand::Differs { first, refusal } => {
                if answers[first].is_err() {
                    undecided.push(index);
                }
                Err(refusal)
            }
            PlannedCommand::Allowed(planned) => {
                let Command { user, request, .. } = command;
                let needs = &of_commands[index];
                let accounts = &accounts[needs.accounts.clone()];
                let made = planned.settle(
                    &drafts,
                    &mut Settling {
                        user,
                        request,
                        now,
                        rows: rows.of_command(needs, accounts),
                        purse: &mut purse,
                        mint: &mut |user: &UserId| mint(index, user),
                    },
                );
                if let Ok(made) = &made {
                    rows.made.push(MadeCall::new(command, made.clone(), now));
                }
                made
            }
        });
    }
    Settlement {
        answers,
        rows,
        used: purse.used(),
        undecided,
    }
}
