//! All published campaigns at one moment, and the switches over them. Batches draw from it.
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Activity, Blacklists, Campaign, Halt, Halts, LifeState, Sku, Stage};
use crate::ids::{ActivityId, Behaviour, SkuId, StrategyId, UserId};
use crate::refusal::Refusal;
use crate::switches::Switches;

/// How many activities may reward one behaviour: a sign-in is one transaction over all of them.
pub const ACTIVITIES_PER_BEHAVIOUR_MAX: usize = 32;

/// A published version of a campaign.
#[derive(Debug, Clone)]
pub struct Published {
    /// 1 for the first publication of the activity, and one more for each further one.
    pub version: u32,
    /// The published campaign.
    pub campaign: Campaign,
}

/// The current version of every campaign, what operators have halted, whom they have blacklisted, and
/// the degrade switches.
/// Immutable: a change makes a new catalogue, so a batch sees one version from beginning to end.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    campaigns: HashMap<ActivityId, Arc<Published>>,
    activity_of_strategy: HashMap<StrategyId, ActivityId>,
    activity_on_stage: HashMap<Stage, ActivityId>,
    /// The activity of each sku, and the index of the sku there.
    skus: HashMap<SkuId, (ActivityId, usize)>,
    rewarding: HashMap<Behaviour, Vec<ActivityId>>,
    halts: Halts,
    blacklists: Blacklists,
    switches: Switches,
}

/// Activities want the same where each needs its own.
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
    /// Callers name a sku by its id alone.
    #[error(
        "sku {sku} already belongs to activity {owner}: the id of a sku is unique over all campaigns"
    )]
    Sku {
        /// The sku.
        sku: SkuId,
        /// The activity that sells it.
        owner: ActivityId,
    },
    /// A sign-in is one transaction over all activities that reward it.
    #[error(
        "{ACTIVITIES_PER_BEHAVIOUR_MAX} activities reward {:?} already, and no more can: close one that is over, \
         `drawbridge campaign close ID`", behaviour.as_str()
    )]
    Behaviour {
        /// The behaviour.
        behaviour: Behaviour,
    },
}

impl Catalogue {
    /// The catalogue of these campaigns, at most one version of each activity.
    ///
    /// Where two have the same stage, strategy or sku, the smaller activity id gets it. Publication
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
        catalogue.fill_indexes();
        catalogue
    }

    /// Decides which activity each stage shows and which one sells each sku. An activity that is
    /// closed for ever gives way to one that is not, and rewards nothing.
    fn fill_indexes(&mut self) {
        let mut owners: Vec<&Arc<Published>> = self.campaigns.values().collect();
        owners.sort_by_key(|published| {
            let activity = published.campaign.activity.id;
            (self.halts.of(activity) == Some(Halt::Closed), activity)
        });
        let (mut shown, mut skus) = (HashMap::new(), HashMap::new());
        let mut rewarding: HashMap<Behaviour, Vec<ActivityId>> = HashMap::new();
        for published in owners {
            let campaign = &published.campaign;
            let activity = campaign.activity.id;
            for stage in &campaign.stages {
                shown.entry(stage.clone()).or_insert(activity);
            }
            for (index, sku) in campaign.skus.iter().enumerate() {
                skus.entry(sku.id).or_insert((activity, index));
            }
            if self.halts.of(activity) == Some(Halt::Closed) {
                continue;
            }
            for behaviour in behaviours(campaign) {
                let activities = rewarding.entry(behaviour.clone()).or_default();
                if activities.len() < ACTIVITIES_PER_BEHAVIOUR_MAX {
                    activities.push(activity);
                }
            }
        }
        self.activity_on_stage = shown;
        self.skus = skus;
        self.rewarding = rewarding;
    }

    /// The same campaigns, halted like this.
    #[must_use]
    pub fn halted(&self, halts: &Halts) -> Self {
        let mut catalogue = Self {
            halts: halts.clone(),
            ..self.clone()
        };
        catalogue.fill_indexes();
        catalogue
    }

    /// The same campaigns with these blacklists of operators.
    #[must_use]
    pub fn blacklisted(&self, blacklists: &Blacklists) -> Self {
        Self {
            blacklists: blacklists.clone(),
            ..self.clone()
        }
    }

    /// The blacklists of operators. Those in campaign files are not among them.
    pub fn blacklists(&self) -> &Blacklists {
        &self.blacklists
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

    /// The campaign that sells a sku, and the sku. Trials sell nothing.
    pub fn sku(&self, id: SkuId) -> Option<(&Arc<Published>, &Sku)> {
        let &(activity, index) = self.skus.get(&id)?;
        let published = self.campaigns.get(&activity)?;
        Some((published, &published.campaign.skus[index]))
    }

    /// The activities that reward a behaviour, ascending. They may be in any state but closed for
    /// ever; trials reward nothing.
    pub fn rewarding(&self, behaviour: &Behaviour) -> &[ActivityId] {
        self.rewarding.get(behaviour).map_or(&[], Vec::as_slice)
    }

    /// All campaigns, in no particular order.
    pub fn campaigns(&self) -> impl Iterator<Item = &Arc<Published>> {
        self.campaigns.values()
    }

    /// The reasons against publishing `campaign` beside the others. Stages and skus of an activity
    /// that is closed for ever are free.
    pub fn conflicts(&self, campaign: &Campaign) -> Vec<Conflict> {
        let other = |owner: ActivityId| owner != campaign.activity.id;
        let holds =
            |owner: &ActivityId| other(*owner) && self.halts.of(*owner) != Some(Halt::Closed);
        let strategy = campaign.strategy.id;
        let of_strategy = self
            .activity_of_strategy
            .get(&strategy)
            .filter(|&&owner| other(owner))
            .map(|&owner| Conflict::Strategy { strategy, owner });
        let of_stages = campaign.stages.iter().filter_map(|stage| {
            let owner = self.stage(stage).filter(holds)?;
            Some(Conflict::Stage {
                stage: stage.clone(),
                owner,
            })
        });
        let of_skus = campaign.skus.iter().filter_map(|sku| {
            let &(owner, _) = self.skus.get(&sku.id)?;
            holds(&owner).then_some(Conflict::Sku { sku: sku.id, owner })
        });
        let is_full = |behaviour: &&Behaviour| {
            let others = self.rewarding(behaviour).iter();
            others.filter(|&&owner| other(owner)).count() >= ACTIVITIES_PER_BEHAVIOUR_MAX
        };
        let of_behaviours = behaviours(campaign).into_iter().filter(is_full);
        let of_behaviours = of_behaviours.map(|behaviour| Conflict::Behaviour {
            behaviour: behaviour.clone(),
        });
        of_strategy
            .into_iter()
            .chain(of_stages)
            .chain(of_skus)
            .chain(of_behaviours)
            .collect()
    }
}

/// The behaviours that a campaign rewards, each once.
fn behaviours(campaign: &Campaign) -> BTreeSet<&Behaviour> {
    let rewards = campaign.rewards.iter();
    rewards.map(|reward| &reward.behaviour).collect()
}

#[cfg(test)]
mod tests {
    use testkit::campaign::CampaignFile;

    use super::*;

    fn id(number: u64) -> ActivityId {
        ActivityId::new(number).expect("an id")
    }

    /// An activity with these skus, which rewards sign-ins with points.
    fn published(activity: u64, skus: &[u64]) -> Published {
        let sku = |file: CampaignFile, id: &u64| {
            file.section(&format!(
                "[[sku]]\nid = {id}\nstock = 1\nprice_minor = 1\nchances = 1"
            ))
        };
        let reward = "[[reward]]\nbehavior = \"sign\"\nkind = \"points\"\npoints = 1";
        let file = CampaignFile::one_award(activity).section(reward);
        let file = skus.iter().fold(file, sku);
        Published {
            version: 1,
            campaign: Campaign::parse(&file.text()).expect("a campaign"),
        }
    }

    fn sku(number: u64) -> SkuId {
        SkuId::new(number).expect("an id")
    }

    fn seller(catalogue: &Catalogue, number: u64) -> Option<(ActivityId, SkuId)> {
        let (published, found) = catalogue.sku(sku(number))?;
        Some((published.campaign.activity.id, found.id))
    }

    #[test]
    fn a_sku_is_found_by_its_id_alone_and_belongs_to_one_activity() {
        let catalogue = Catalogue::new([published(1, &[11, 12]), published(2, &[21])]);
        assert_eq!(seller(&catalogue, 12), Some((id(1), sku(12))));
        assert_eq!(seller(&catalogue, 21), Some((id(2), sku(21))));
        assert_eq!(seller(&catalogue, 22), None);
        assert_eq!(catalogue.conflicts(&published(1, &[11, 13]).campaign), []);
        let conflicts = catalogue.conflicts(&published(3, &[30, 21]).campaign);
        let (sku, owner) = (sku(21), id(2));
        assert_eq!(conflicts, [Conflict::Sku { sku, owner }]);
        let closed = catalogue.halted(&Halts::from_iter([(owner, Halt::Closed)]));
        assert_eq!(closed.conflicts(&published(3, &[30, 21]).campaign), []);
        assert_eq!(seller(&closed, 21), Some((owner, sku)));
        let both = Catalogue::new([published(2, &[21]), published(3, &[21])]);
        assert_eq!(seller(&both, 21), Some((id(2), sku)));
        let closed = both.halted(&Halts::from_iter([(owner, Halt::Closed)]));
        assert_eq!(seller(&closed, 21), Some((id(3), sku)));
    }

    #[test]
    fn few_activities_reward_one_behaviour() {
        let ids = 1..=ACTIVITIES_PER_BEHAVIOUR_MAX as u64;
        let catalogue = Catalogue::new(ids.clone().rev().map(|id| published(id, &[])));
        let all: Vec<ActivityId> = ids.map(id).collect();
        let sign = Behaviour::sign();
        assert_eq!(catalogue.rewarding(&sign), all);
        let other = Behaviour::new("other").expect("a word");
        assert_eq!(catalogue.rewarding(&other), []);
        assert_eq!(catalogue.conflicts(&published(1, &[]).campaign), []);
        let one_more = published(99, &[]);
        let behaviour = sign.clone();
        let full = Conflict::Behaviour { behaviour };
        assert_eq!(catalogue.conflicts(&one_more.campaign), [full]);
        let closed = catalogue.halted(&Halts::from_iter([(id(3), Halt::Closed)]));
        assert!(!closed.rewarding(&sign).contains(&id(3)));
        assert_eq!(closed.conflicts(&one_more.campaign), []);
    }
}
