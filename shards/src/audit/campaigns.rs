//! The published campaign versions, and whether an order can have come from the version that it
//! names.
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use market::UserId;
use market::calendar::Day;
use market::campaign::{
    ActivityState, Campaign, ChainRule, LuckNode, Strategy, WeightGroup, WhenChancesShort,
};
use market::draw::Rule;
use market::ids::AwardIndex;
use market::points::PointsRange;
use market::tree::Tree;

use super::offers::{self, Offers};
use super::rows::{StoredOrder, StoredRecharge};
use crate::meta::{BlacklistRecord, StoredCampaign};

/// All versions of all campaigns, by the numbers that orders carry.
#[derive(Debug, Clone, Default)]
pub(super) struct Versions {
    /// `None` for a version that cannot be read: its orders cannot be checked.
    by_number: HashMap<(i64, i64), Option<Arc<ReadableVersion>>>,
    /// By activity; `None` where a version of it cannot be read.
    limits: HashMap<i64, Option<WidestLimits>>,
    /// By activity; the first version fixes it.
    time_zones: HashMap<i64, TimeZone>,
    /// By activity: the welcome chances of its versions.
    welcomes: HashMap<i64, HashSet<i64>>,
    /// What recharge orders can be of.
    offers: Offers,
    /// Versions that cannot be read, and why.
    unreadable: Vec<String>,
    /// Activities for which operators have ever listed users beside the file.
    blacklisted: HashSet<i64>,
}

#[derive(Debug)]
struct ReadableVersion {
    campaign: Campaign,
    awards: HashMap<i64, AwardIndex>,
    /// The awards of luck nodes.
    consolations: HashSet<AwardIndex>,
}

/// A version is missing, or cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnknownVersion;

/// The widest limits of all versions of a campaign. Draws that an earlier version allowed stay
/// correct when a later version allows fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WidestLimits {
    pub(super) day: i64,
    pub(super) month: i64,
}

/// The user whose order is checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawer<'a> {
    /// `None` when the server would not accept the stored id.
    pub(super) user: Option<&'a UserId>,
    pub(super) activity: i64,
    /// The label of the account before this order; 0 before the first.
    pub(super) day_before: i64,
}

impl Versions {
    /// Adds the versions that are not known yet.
    pub(super) fn learn(&mut self, stored: &[StoredCampaign]) {
        for stored in stored {
            let activity = signed(stored.activity.get());
            let number = (activity, i64::from(stored.version));
            if self.by_number.contains_key(&number) {
                continue;
            }
            let version = read(stored).map_err(|why| {
                let unreadable = format!(
                    "version {} of activity {activity} cannot be read: {why}",
                    stored.version
                );
                self.unreadable.push(unreadable);
            });
            if let Ok(ReadableVersion { campaign, .. }) = &version {
                self.time_zones
                    .entry(activity)
                    .or_insert_with(|| campaign.activity.time_zone.clone());
                self.welcomes
                    .entry(activity)
                    .or_default()
                    .insert(campaign.chances.welcome.into());
                self.offers.learn(campaign);
            }
            let limits = version
                .as_ref()
                .ok()
                .map(|version| WidestLimits::of(&version.campaign));
            self.limits
                .entry(activity)
                .and_modify(|known| *known = widest(*known, limits))
                .or_insert(limits);
            self.by_number.insert(number, version.ok().map(Arc::new));
        }
    }

    /// Adds activities for which operators list users beside the file. Who was listed when is not
    /// kept, so any user of them may have been.
    pub(super) fn learn_blacklists(&mut self, records: &[BlacklistRecord]) {
        let activities = records.iter().map(|record| signed(record.activity.get()));
        self.blacklisted.extend(activities);
    }

    /// Whether an order may be one of a user whom operators have listed, and that is not known yet.
    pub(super) fn wonders_about(&self, order: &StoredOrder) -> bool {
        *order.rule == *Rule::Blacklist.name() && !self.blacklisted.contains(&order.activity)
    }

    /// Whether the version of this activity and number is known, readable or not.
    pub(super) fn has(&self, number: (i64, i64)) -> bool {
        self.by_number.contains_key(&number)
    }

    /// How many versions are known.
    pub(super) fn count(&self) -> usize {
        self.by_number.len()
    }

    /// The versions that cannot be read, and why.
    pub(super) fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    /// The time zone of an activity.
    pub(super) fn time_zone(&self, activity: i64) -> Option<&TimeZone> {
        self.time_zones.get(&activity)
    }

    /// The welcome chances of a version; `None` when it cannot be read.
    pub(super) fn welcome(&self, activity: i64, version: i64) -> Option<i64> {
        let version = self.by_number.get(&(activity, version))?.as_ref()?;
        Some(version.campaign.chances.welcome.into())
    }

    /// Whether some version grants this number of welcome chances; `true` when a version cannot be
    /// read.
    pub(super) fn may_welcome_with(&self, activity: i64, chances: i64) -> bool {
        let all_read = matches!(self.limits.get(&activity), Some(Some(_)));
        !all_read
            || self
                .welcomes
                .get(&activity)
                .is_some_and(|welcomes| welcomes.contains(&chances))
    }

    /// The limits of an activity. `None` when it has no version, or when one cannot be read: that
    /// is a violation of its own, and what it allowed is unknown.
    pub(super) fn limits(&self, activity: i64) -> Option<WidestLimits> {
        self.limits.get(&activity).copied().flatten()
    }

    /// How many of an award a user could get under a version: `None` where that had no limit.
    /// `Err` when the version is missing or cannot be read.
    pub(super) fn user_limit(
        &self,
        (activity, version): (i64, i64),
        award: i64,
    ) -> Result<Option<i64>, UnknownVersion> {
        let version = self.by_number.get(&(activity, version));
        let version = version.and_then(Option::as_ref).ok_or(UnknownVersion)?;
        let index = version.awards.get(&award);
        let most = index.and_then(|&index| version.campaign.strategy.award(index).per_user);
        Ok(most.map(|most| most.get().into()))
    }

    /// Whether a version makes all draws of a call or none. `false` when it cannot be read.
    pub(super) fn is_all_or_nothing(&self, activity: i64, version: i64) -> bool {
        let version = self
            .by_number
            .get(&(activity, version))
            .and_then(Option::as_ref);
        version.is_some_and(|known| {
            known.campaign.activity.when_chances_short == WhenChancesShort::Refuse
        })
    }

    /// Why no version of the activity can have made this recharge order.
    pub(super) fn recharge_fault(&self, order: &StoredRecharge) -> Option<String> {
        let of_itself = || offers::fault_of_itself(order);
        match self.limits.get(&order.activity) {
            _ if order.activity == 0 => of_itself(),
            None => Some(format!("activity {} has no version", order.activity)),
            // It is unknown what the version offered.
            Some(None) => of_itself(),
            Some(Some(_)) => of_itself().or_else(|| self.offers.fault(order)),
        }
    }

    /// Why this order cannot have come from the version that it names; empty when it can.
    pub(super) fn faults(&self, drawer: Drawer<'_>, order: &StoredOrder) -> Vec<String> {
        match self.by_number.get(&(drawer.activity, order.version)) {
            None => vec!["there is no such version".to_owned()],
            Some(None) => Vec::new(),
            Some(Some(version)) => {
                let may_be_listed = self.blacklisted.contains(&drawer.activity);
                version.faults(drawer, may_be_listed, order)
            }
        }
    }
}

impl WidestLimits {
    fn of(campaign: &Campaign) -> Self {
        let chances = campaign.chances;
        Self {
            day: chances.day_limit.into(),
            month: chances.month_limit.into(),
        }
    }
}

fn widest(one: Option<WidestLimits>, other: Option<WidestLimits>) -> Option<WidestLimits> {
    let (one, other) = (one?, other?);
    Some(WidestLimits {
        day: one.day.max(other.day),
        month: one.month.max(other.month),
    })
}

fn read(stored: &StoredCampaign) -> Result<ReadableVersion, String> {
    let campaign = Campaign::parse_published(&stored.text)
        .map_err(|error| error.to_string().replace('\n', "; "))?;
    if campaign.activity.id != stored.activity {
        return Err(format!("its file is of activity {}", campaign.activity.id));
    }
    let strategy = &campaign.strategy;
    let awards = strategy
        .awards
        .iter()
        .enumerate()
        .map(|(index, award)| (signed(award.id.get()), AwardIndex(index)));
    let awards = awards.collect();
    let luck_awards = strategy.trees.iter().flat_map(Tree::luck_awards);
    let consolations = luck_awards.map(|(award, _)| award).collect();
    Ok(ReadableVersion {
        campaign,
        awards,
        consolations,
    })
}

/// An id or count as a database column holds it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl ReadableVersion {
    fn faults(&self, drawer: Drawer<'_>, may_be_listed: bool, order: &StoredOrder) -> Vec<String> {
        let of_moment = [self.state_fault(drawer), self.moment_fault(drawer, order)];
        let of_award = match (self.awards.get(&order.award), Rule::from_name(&order.rule)) {
            (None, _) => [
                Some(format!("the version has no award {}", order.award)),
                None,
                None,
                None,
                None,
            ],
            (_, None) => [
                Some(format!("{:?} is no rule", order.rule)),
                None,
                None,
                None,
                None,
            ],
            (Some(&award), Some(rule)) => [
                self.title_fault(award, order),
                self.index_fault(award, order),
                self.stock_fault(award, rule, order),
                self.promise_fault(award, rule, order),
                self.rule_fault(award, rule, (drawer, may_be_listed), order),
            ],
        };
        of_moment.into_iter().chain(of_award).flatten().collect()
    }

    fn state_fault(&self, drawer: Drawer<'_>) -> Option<String> {
        let activity = &self.campaign.activity;
        if activity.is_trial() {
            let is_tester = drawer
                .user
                .is_some_and(|user| activity.testers.contains(user));
            return if activity.state == ActivityState::Closed {
                Some("the trial is closed in this version".to_owned())
            } else {
                (!is_tester).then(|| "the user is no tester of this trial".to_owned())
            };
        }
        let open = activity.state == ActivityState::Open;
        (!open).then(|| "the activity is not open in this version".to_owned())
    }

    /// Checks the activity's window and the day that the draw counts for. That is the local day, or
    /// the day of the draw before if a clock was ahead then.
    fn moment_fault(&self, drawer: Drawer<'_>, order: &StoredOrder) -> Option<String> {
        let activity = &self.campaign.activity;
        let Ok(at) = Timestamp::from_millisecond(order.created_at_ms) else {
            return Some(format!("created_at_ms is {}", order.created_at_ms));
        };
        // Stored times are in milliseconds; the window may begin within one.
        let early = order.created_at_ms < activity.begins_at.as_millisecond();
        // Testers of a trial need not wait.
        if early && !activity.is_trial() || at >= activity.ends_at {
            return Some(format!(
                "it was made at {at}, outside the activity's window"
            ));
        }
        let local_day = Day::of(at, &activity.time_zone);
        let day = drawer.day_before.max(local_day.number().into());
        (order.day != day).then(|| {
            format!(
                "it was made on {local_day} in the activity's time zone, but counts for day {}",
                order.day
            )
        })
    }

    fn title_fault(&self, award: AwardIndex, order: &StoredOrder) -> Option<String> {
        let title = &*self.campaign.strategy.award(award).title;
        let (id, stored) = (order.award, &*order.award_title);
        (stored != title)
            .then(|| format!("its award {id} is titled {stored:?}, in the version {title:?}"))
    }

    fn index_fault(&self, award: AwardIndex, order: &StoredOrder) -> Option<String> {
        let index = self.campaign.strategy.award(award).sort;
        let (id, stored) = (order.award, order.award_index);
        (stored != i64::from(index))
            .then(|| format!("its award {id} has the index {stored}, in the version {index}"))
    }

    fn stock_fault(&self, award: AwardIndex, rule: Rule, order: &StoredOrder) -> Option<String> {
        let limited = self.campaign.strategy.award(award).count.is_some();
        let id = order.award;
        match (order.stocked, rule, limited) {
            (1, Rule::Luck, _) => Some("it took a unit of stock for a consolation".to_owned()),
            (1, _, false) => Some(format!(
                "it took a unit of award {id}, which has no stock in the version"
            )),
            (0, Rule::Default | Rule::Weight | Rule::Blacklist, true) => Some(format!(
                "it gave award {id}, which is limited, without taking a unit of stock"
            )),
            (0 | 1, _, _) => None,
            (stocked, _, _) => Some(format!("stocked is {stocked}")),
        }
    }

    /// Checks what the order promises: points in the range of the prize, or of the luck node that
    /// gave it; a delivery where the prize has a key. Orders from before promise nothing.
    fn promise_fault(&self, award: AwardIndex, rule: Rule, order: &StoredOrder) -> Option<String> {
        let (promise, points) = (order.promise, order.points);
        // A trial delivers nothing.
        let has_key = !self.campaign.activity.is_trial()
            && !self.campaign.strategy.award(award).key.is_empty();
        let fits = |range: Option<PointsRange>| match (promise, range) {
            (2, Some(range)) => {
                let (least, most) = (range.least(), range.most());
                (signed(least.hundredths())..=signed(most.hundredths())).contains(&points)
            }
            (1, None) => points == 0 && !has_key,
            (3, None) => points == 0 && has_key,
            _ => false,
        };
        let possible = match promise {
            0 => points == 0,
            _ => self.ranges_of(award, rule).any(fits),
        };
        (!possible).then(|| {
            format!(
                "award {} is not given with promise {promise} and {points} hundredths of a point",
                order.award
            )
        })
    }

    /// The points that an award may pay; `None` where it pays none.
    fn ranges_of(
        &self,
        award: AwardIndex,
        rule: Rule,
    ) -> impl Iterator<Item = Option<PointsRange>> {
        let strategy = &self.campaign.strategy;
        let nodes = strategy.trees.iter().enumerate().flat_map(|(tree, nodes)| {
            let nodes = nodes.luck_nodes();
            nodes.map(move |(node, award)| (LuckNode { tree, node }, award))
        });
        let consoles = rule == Rule::Luck;
        let by_nodes = nodes.filter(move |(_, given)| consoles && *given == award);
        let by_nodes = by_nodes.map(move |(node, _)| strategy.points_of(award, Some(node)));
        let of_award = (!consoles).then(|| strategy.points_of(award, None));
        by_nodes.chain(of_award)
    }

    fn rule_fault(
        &self,
        award: AwardIndex,
        rule: Rule,
        (drawer, may_be_listed): (Drawer<'_>, bool),
        order: &StoredOrder,
    ) -> Option<String> {
        let strategy = &self.campaign.strategy;
        let award_of = strategy.award(award);
        let is_possible = |is_listed: bool| {
            let decider = Decider::of(strategy, drawer.user, is_listed, order.ordinal);
            match (rule, decider) {
                (Rule::Luck, _) => self.consolations.contains(&award),
                (Rule::Blacklist, Decider::Blacklist(forced)) => award == forced,
                (Rule::Weight, Decider::Weight(group)) => {
                    !award_of.rate.is_zero() && group.awards.contains(&award)
                }
                (Rule::Default, Decider::Pool) => award_of.is_drawn(),
                (Rule::Blacklist | Rule::Weight | Rule::Default, _) => false,
            }
        };
        let possible = is_possible(false) || may_be_listed && is_possible(true);
        let (name, ordinal) = (rule.name(), order.ordinal);
        (!possible).then(|| {
            format!(
                "{name} cannot have given this user award {} on draw {ordinal}",
                order.award
            )
        })
    }
}

/// What decides a draw: a rule before it, or else the pool.
enum Decider<'c> {
    Blacklist(AwardIndex),
    Weight(&'c WeightGroup),
    Pool,
}

impl<'c> Decider<'c> {
    fn of(strategy: &'c Strategy, user: Option<&UserId>, is_listed: bool, ordinal: i64) -> Self {
        let decides = |rule: &'c ChainRule| match rule {
            ChainRule::Blacklist { award, users } => {
                let is_named = user.is_some_and(|user| users.contains(user));
                (is_listed || is_named).then_some(Self::Blacklist(*award))
            }
            ChainRule::Weight(groups) => groups
                .iter()
                .find(|group| i64::from(group.ordinal) == ordinal)
                .map(Self::Weight),
        };
        strategy
            .chain
            .iter()
            .find_map(decides)
            .unwrap_or(Self::Pool)
    }
}
