//! All published campaigns at one moment, and the switches over them. Batches draw from it.
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Activity, Campaign, Halt, Halts, LifeState, Stage};
use crate::ids::{ActivityId, StrategyId, UserId};
use crate::refusal::Refusal;
use crate::switches::Switches;

/// A published version of a campaign.
#[derive(Debug, Clone)]
pub struct Published {
    /// 1 for the first publication of the activity, and one more for each further one.
    pub version: u32,
    /// The published campaign.
    pub campaign: Campaign,
}

/// The current version of every campaign, what operators have halted, and the degrade switches.
/// Immutable: a change makes a new catalogue, so a batch sees one version from beginning to end.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    campaigns: HashMap<ActivityId, Arc<Published>>,
    activity_of_strategy: HashMap<StrategyId, ActivityId>,
    activity_on_stage: HashMap<Stage, ActivityId>,
    halts: Halts,
    switches: Switches,
}

/// Two activities want the same strategy id or the same stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Activities and strategies are one to one.
    #[error("strategy {strategy} already belongs to activity {owner}")]
    Strategy {
        /// The strategy.
        strategy: StrategyId,
        /// The activity that has it.
        owner: ActivityId,
    },
    /// A stage shows one activity.
    #[error("stage (channel {:?}, source {:?}) already shows activity {owner}", stage.channel, stage.source)]
    Stage {
        /// The stage.
        stage: Stage,
        /// The activity that it shows.
        owner: ActivityId,
    },
}

impl Catalogue {
    /// The catalogue of these campaigns, at most one version of each activity.
    ///
    /// Where two have the same stage or strategy, the smaller activity id gets it. Publication
    /// refuses that ([`Catalogue::conflicts`]), so it only happens in a store that was edited by
    /// hand.
    pub fn new(campaigns: impl IntoIterator<Item = Published>) -> Self {
        let mut campaigns: Vec<Arc<Published>> = campaigns.into_iter().map(Arc::new).collect();
        campaigns.sort_by_key(|published| published.campaign.activity.id);
        let mut catalogue = Self::default();
        for published in campaigns {
            let campaign = &published.campaign;
            let activity = campaign.activity.id;
            catalogue
                .activity_of_strategy
                .entry(campaign.strategy.id)
                .or_insert(activity);
            catalogue.campaigns.insert(activity, published);
        }
        catalogue.fill_stages();
        catalogue
    }

    /// Decides which activity each stage shows. An activity that is closed for ever gives way to
    /// one that is not.
    fn fill_stages(&mut self) {
        let mut owners: Vec<&Arc<Published>> = self.campaigns.values().collect();
        owners.sort_by_key(|published| {
            let activity = published.campaign.activity.id;
            (self.halts.of(activity) == Some(Halt::Closed), activity)
        });
        let mut shown = HashMap::new();
        for published in owners {
            for stage in &published.campaign.stages {
                let activity = published.campaign.activity.id;
                shown.entry(stage.clone()).or_insert(activity);
            }
        }
        self.activity_on_stage = shown;
    }

    /// The same campaigns, halted like this.
    #[must_use]
    pub fn halted(&self, halts: &Halts) -> Self {
        let mut catalogue = Self {
            halts: halts.clone(),
            ..self.clone()
        };
        catalogue.fill_stages();
        catalogue
    }

    /// The same campaigns under the newer of their switches and these. So a slow read of the store
    /// does not undo a later change, and overrides of this process stay.
    #[must_use]
    pub fn switched(&self, switches: &Switches) -> Self {
        Self {
            switches: switches.newest(&self.switches),
            ..self.clone()
        }
    }

    /// The degrade switches.
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// The current version of an activity.
    pub fn activity(&self, id: ActivityId) -> Option<&Arc<Published>> {
        self.campaigns.get(&id)
    }

    /// The state of an activity.
    pub fn state(&self, activity: &Activity, now: Timestamp) -> LifeState {
        LifeState::of(activity, self.halts.of(activity.id), now)
    }

    /// The current version of an activity that the user can draw from now. Every command of users that
    /// obeys the state of its activity asks here.
    pub fn open_activity(
        &self,
        id: ActivityId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<&Arc<Published>, Refusal> {
        let published = self.activity(id).ok_or(Refusal::ActivityUnknown)?;
        let activity = &published.campaign.activity;
        match self.state(activity, now).refusal_for(activity, user) {
            None => Ok(published),
            Some(refusal) => Err(refusal),
        }
    }

    /// The activity of a strategy.
    pub fn strategy(&self, id: StrategyId) -> Option<&Arc<Published>> {
        self.activity_of_strategy
            .get(&id)
            .and_then(|&activity| self.activity(activity))
    }

    /// The activity that a stage shows.
    pub fn stage(&self, stage: &Stage) -> Option<ActivityId> {
        self.activity_on_stage.get(stage).copied()
    }

    /// All campaigns, in no particular order.
    pub fn campaigns(&self) -> impl Iterator<Item = &Arc<Published>> {
        self.campaigns.values()
    }

    /// The reasons against publishing `campaign` beside the others. A stage of an activity that is
    /// closed for ever is free.
    pub fn conflicts(&self, campaign: &Campaign) -> Vec<Conflict> {
        let other = |owner: ActivityId| owner != campaign.activity.id;
        let strategy = campaign.strategy.id;
        let of_strategy = self
            .activity_of_strategy
            .get(&strategy)
            .filter(|&&owner| other(owner))
            .map(|&owner| Conflict::Strategy { strategy, owner });
        let of_stages = campaign.stages.iter().filter_map(|stage| {
            let holds =
                |owner: &ActivityId| other(*owner) && self.halts.of(*owner) != Some(Halt::Closed);
            let owner = self.stage(stage).filter(holds)?;
            Some(Conflict::Stage {
                stage: stage.clone(),
                owner,
            })
        });
        of_strategy.into_iter().chain(of_stages).collect()
    }
}
