//! Which rows a batch has to lock and read.
use std::collections::HashMap;

use super::slots::AccountKey;
use crate::call::MadeCall;
use crate::chances::Account;
use crate::command::Command;
use crate::ids::{RequestId, UserId};

/// The commands of a batch, and what must be read for them.
#[derive(Debug)]
pub struct Batch {
    pub(super) commands: Vec<Command>,
    pub(super) needs: Needs,
    /// For each command the index of its account in the needs.
    account_of: Vec<usize>,
    /// For each command the index of its call in the needs.
    call_of: Vec<usize>,
}

/// What a batch must lock and read: distinct keys, in the order in which commands name them.
#[derive(Debug, Default)]
pub struct Needs {
    /// Accounts.
    pub accounts: Vec<AccountKey>,
    /// Keys under which earlier calls may have been made.
    pub calls: Vec<(UserId, RequestId)>,
}

/// What the store knows of that; each list in the order of the needs' own.
#[derive(Debug)]
pub struct Known {
    /// The stored accounts.
    pub accounts: Vec<Option<Account>>,
    /// The earlier calls.
    pub calls: Vec<Option<MadeCall>>,
}

impl Batch {
    /// Lists what commands need, each row once.
    pub fn gather(commands: Vec<Command>) -> Self {
        let count = commands.len();
        let mut needs = Needs {
            accounts: Vec::with_capacity(count),
            calls: Vec::with_capacity(count),
        };
        let mut accounts = HashMap::with_capacity(count);
        let mut calls = HashMap::with_capacity(count);
        let mut account_of = Vec::with_capacity(count);
        let mut call_of = Vec::with_capacity(count);
        for Command { user, request, ask } in &commands {
            let activity = ask.activity();
            account_of.push(*accounts.entry((user, activity)).or_insert_with(|| {
                needs.accounts.push((user.clone(), activity));
                needs.accounts.len() - 1
            }));
            call_of.push(*calls.entry((user, request)).or_insert_with(|| {
                needs.calls.push((user.clone(), request.clone()));
                needs.calls.len() - 1
            }));
        }
        Self {
            commands,
            needs,
            account_of,
            call_of,
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

    /// For each command the index of its account in the needs.
    pub fn account_of(&self) -> &[usize] {
        &self.account_of
    }

    /// For each command the index of its call in the needs.
    pub fn call_of(&self) -> &[usize] {
        &self.call_of
    }
}
