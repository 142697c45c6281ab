//! What all runs of a forecast have in common.
use jiff::Timestamp;

use super::moments::moments;
use crate::campaign::{ActivityState, Campaign, ChainRule, Turnout};
use crate::ids::{AwardIndex, UserId};

/// A campaign with a turnout and a seed, to be simulated.
#[derive(Debug, Clone)]
pub struct Forecast {
    campaign: Campaign,
    turnout: Turnout,
    seed: u64,
    /// When the draws of each day are made.
    moments: Vec<Timestamp>,
    /// The users of the blacklist who take part: the first of all users.
    listed: Vec<UserId>,
    /// The id of all others. Rules know users by the blacklist only.
    unlisted: UserId,
    locks: Vec<Lock>,
}

/// An award that is locked at the beginning of a user's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// The award.
    pub award: AwardIndex,
    /// After how many draws of a day it opens.
    pub draws: u32,
}

impl Forecast {
    /// Prepares the simulation of a campaign.
    pub fn new(campaign: &Campaign, turnout: Turnout, seed: u64) -> Self {
        let mut campaign = campaign.clone();
        campaign.activity.state = ActivityState::Open;
        let mut listed = blacklist(&campaign);
        let unlisted = (0..=listed.len())
            .map(|number| format!("user{number}"))
            .filter_map(|name| UserId::new(&name).ok())
            .find(|user| listed.binary_search(user).is_err())
            .expect("one of more names than are listed");
        listed.truncate(usize::try_from(turnout.users()).unwrap_or(usize::MAX));
        Self {
            moments: moments(&campaign.activity, turnout.days()),
            locks: locks(&campaign),
            campaign,
            turnout,
            seed,
            listed,
            unlisted,
        }
    }

    /// The campaign, as if it were open.
    pub fn campaign(&self) -> &Campaign {
        &self.campaign
    }

    /// Who takes part, and how often.
    pub const fn turnout(&self) -> Turnout {
        self.turnout
    }

    /// The seed of all random numbers.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// How many of the users are on the blacklist.
    pub fn blacklisted(&self) -> usize {
        self.listed.len()
    }

    /// The awards that are locked at the beginning of a day, in the order of the wheel.
    pub fn locks(&self) -> &[Lock] {
        &self.locks
    }

    pub(super) fn user(&self, index: usize) -> &UserId {
        self.listed.get(index).unwrap_or(&self.unlisted)
    }

    pub(super) fn moment(&self, day: u32) -> Timestamp {
        self.moments[day as usize]
    }

    /// Which draw of a run is the first one of a day, counted from 0. All draws of a run are evenly
    /// distributed over the days.
    pub(super) fn first_draw(&self, day: u32) -> u64 {
        let (draws, days) = (self.turnout.draws(), u64::from(self.turnout.days()));
        (u64::from(day) * draws).div_ceil(days)
    }
}

/// The users of the blacklist in their order, so that forecasts do not depend on a hash.
fn blacklist(campaign: &Campaign) -> Vec<UserId> {
    let users = campaign
        .strategy
        .chain
        .iter()
        .filter_map(|rule| match rule {
            ChainRule::Blacklist { users, .. } => Some(users),
            ChainRule::Weight(_) => None,
        });
    let mut listed: Vec<UserId> = users.flatten().cloned().collect();
    listed.sort();
    listed
}

fn locks(campaign: &Campaign) -> Vec<Lock> {
    let strategy = &campaign.strategy;
    let lock = |award: AwardIndex| {
        let draws = strategy.tree_of(award)?.unlocked_at(0)?;
        (draws > 0).then_some(Lock { award, draws })
    };
    (0..strategy.awards.len())
        .map(AwardIndex)
        .filter_map(lock)
        .collect()
}
