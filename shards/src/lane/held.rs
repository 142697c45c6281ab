//! Commands of users whose rows another process has locked. A gateway that stands still with a
//! batch half done keeps its users' rows locked until its database ends the transaction. Commands
//! of all other users do not wait for that. Those that are held are set aside, tried again at
//! intervals, and refused after a while.
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use market::UserId;
use tokio::time::Instant;

use super::queue::Taken;

/// A command waits this long for its rows. A process that has locked them and is alive commits
/// within milliseconds.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// For this long after that the user's commands are answered at once.
const REMEMBERED: Duration = Duration::from_secs(1);

/// The time between tries; twice as long after each, because a try that fails is three round trips.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// At most this number of commands is set aside: they can be tried again in a few batches.
const ASIDE_MAX: usize = 256;

/// At most this number of users is remembered.
const REMEMBERED_MAX: usize = 1024;

/// The commands that are held.
#[derive(Debug)]
pub(super) struct Held {
    aside: Vec<Taken>,
    next_try: Instant,
    pause: Duration,
    remembered: HashMap<UserId, Instant>,
}

/// Commands by what becomes of them.
#[derive(Debug, Default)]
pub(super) struct Sifted {
    /// They are tried.
    pub(super) tried: Vec<Taken>,
    /// Their users are held for too long.
    pub(super) refused: Vec<Taken>,
}

impl Held {
    pub(super) fn none() -> Self {
        Self {
            aside: Vec::new(),
            next_try: Instant::now(),
            pause: PAUSE_MIN,
            remembered: HashMap::new(),
        }
    }

    /// When commands that are set aside are to be tried again.
    pub(super) fn next_try(&self) -> Option<Instant> {
        (!self.aside.is_empty()).then_some(self.next_try)
    }

    /// Keeps back commands of users who are known to be held. Behind a command that is set aside,
    /// later commands of the same user are set aside too.
    pub(super) fn sift(&mut self, commands: Vec<Taken>, now: Instant) -> Sifted {
        self.remembered.retain(|_, until| now < *until);
        let mut sifted = Sifted::default();
        if self.aside.is_empty() && self.remembered.is_empty() {
            sifted.tried = commands;
            return sifted;
        }
        let aside: HashSet<UserId> = self
            .aside
            .iter()
            .map(|command| command.command.user.clone())
            .collect();
        for command in commands {
            if self.remembered.contains_key(&command.command.user) {
                sifted.refused.push(command);
            } else if aside.contains(&command.command.user) {
                sifted.refused.extend(self.keep(command, now));
            } else {
                sifted.tried.push(command);
            }
        }
        sifted
    }

    /// Begins the pause of waiting commands, however long the round before took, so that others
    /// have their turn.
    pub(super) fn rest(&mut self, now: Instant) {
        if !self.aside.is_empty() {
            self.next_try = self.next_try.max(now + PAUSE_MIN);
        }
    }

    /// Sets commands aside. Answers those that there is no room for.
    #[must_use]
    pub(super) fn set_aside(&mut self, commands: Vec<Taken>, now: Instant) -> Vec<Taken> {
        if commands
            .iter()
            .any(|command| command.held_for(now).is_zero())
        {
            self.pause = PAUSE_MIN;
        }
        let next_try = now + self.pause;
        self.next_try = if self.aside.is_empty() {
            next_try
        } else {
            self.next_try.min(next_try)
        };
        commands
            .into_iter()
            .filter_map(|command| self.keep(command, now))
            .collect()
    }

    fn keep(&mut self, mut command: Taken, now: Instant) -> Option<Taken> {
        if self.aside.len() >= ASIDE_MAX {
            return Some(command);
        }
        command.hold(now);
        self.aside.push(command);
        None
    }

    /// The commands that are to be tried again, and those that have waited long enough, with all
    /// that wait for the same users.
    pub(super) fn due(&mut self, now: Instant) -> Sifted {
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        let has_waited = |command: &&Taken| command.held_for(now) >= WAIT_MAX;
        let users: HashSet<UserId> = self
            .aside
            .iter()
            .filter(has_waited)
            .map(|command| command.command.user.clone())
            .collect();
        for user in &users {
            if self.remembered.len() < REMEMBERED_MAX {
                self.remembered.insert(user.clone(), now + REMEMBERED);
            }
        }
        let (refused, tried) = std::mem::take(&mut self.aside)
            .into_iter()
            .partition(|command| users.contains(&command.command.user));
        Sifted { tried, refused }
    }
}
