//! One draw, rule by rule: chances, the chain before the draw, the odds, the tree after it. Whether
//! the activity is open was asked before. There are two steps, because the stock is asked between them: [`decide`] says what the
//! draw wants, [`Decision::conclude`] what it got.
use jiff::Timestamp;

use super::order::Rule;
use crate::calendar::Day;
use crate::campaign::{Campaign, ChainRule, LuckNode, Strategy, UserLimit};
use crate::chances::Account;
use crate::ids::{AwardIndex, UserId};
use crate::points::PointsRange;
use crate::random::Randomness;
use crate::refusal::Refusal;
use crate::tree::{Locks, NodeIndex, Stop};

/// Who draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawer<'u> {
    /// The user.
    pub user: &'u UserId,
    /// Whether operators have put the user on the activity's blacklist, beside those that its file
    /// names.
    pub is_blacklisted: bool,
}

impl<'u> Drawer<'u> {
    /// A user whom no operator has put on the blacklist.
    pub const fn not_listed(user: &'u UserId) -> Self {
        Self {
            user,
            is_blacklisted: false,
        }
    }
}

/// A draw that the rules allow. Where it needs a unit, it waits for the stock's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The user's account after this draw.
    pub account: Account,
    /// The award that the odds (or a rule before them) chose.
    drawn: AwardIndex,
    rule: Rule,
    locks: Locks,
    next: Next,
    /// What the amount of a points prize is drawn by; 0 where no prize of the campaign pays points.
    amount_number: u64,
}

/// What is left to decide before the user gets the drawn award.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing: the award has no tree.
    Won,
    /// Nothing, where the user may have one more of it: it has no limit of units, and its tree leads
    /// to this node.
    Free(NodeIndex),
    /// A unit of the award, asked for at this node of its tree.
    Unit(NodeIndex),
    /// A luck node gave another award instead.
    Consoled(LuckNode, AwardIndex),
}

/// What a draw ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawOutcome {
    /// The award given.
    pub award: AwardIndex,
    /// The rule that gave it.
    pub rule: Rule,
    /// The luck node that gave it, if one did.
    pub node: Option<LuckNode>,
    /// Whether it took a unit of limited stock.
    pub stocked: bool,
}

impl DrawOutcome {
    /// The points that the prize pays, if it is one of points.
    pub fn points(self, strategy: &Strategy) -> Option<PointsRange> {
        strategy.points_of(self.award, self.node)
    }

    /// The parameter for the prize's distributor.
    pub fn config(self, strategy: &Strategy) -> &str {
        strategy.config_of(self.award, self.node)
    }
}

/// Decides one draw of a user whose stored account is `account`. A refusal changes nothing.
pub fn decide(
    campaign: &Campaign,
    drawer: Drawer<'_>,
    account: Account,
    now: Timestamp,
    random: &mut impl Randomness,
) -> Result<Decision, Refusal> {
    let before = account.on(Day::of(now, &campaign.activity.time_zone));
    let account = before.draw(campaign.chances)?;
    let strategy = &campaign.strategy;
    let (drawn, rule) = before_draw(strategy, drawer, account.used, random)
        .unwrap_or_else(|| (AwardIndex(strategy.pool.draw(random)), Rule::Default));
    // Guaranteed and forced prizes are not for those who drew often today only.
    let locks = match rule {
        Rule::Weight | Rule::Blacklist => Locks::Skipped,
        Rule::Default | Rule::Luck => Locks::DrawsToday(before.day_used),
    };
    let next = after_draw(strategy, drawn, locks);
    let amount_number = if strategy.pays_points() {
        random.next_u64()
    } else {
        0
    };
    Ok(Decision {
        account,
        drawn,
        rule,
        locks,
        next,
        amount_number,
    })
}

/// Decides one draw while all users get the luck award. Chances count as always, but nothing is
/// drawn and the stock is not asked. A campaign without luck award has no limited prizes either, so
/// there the draw is an ordinary one.
pub fn decide_fallback(
    campaign: &Campaign,
    drawer: Drawer<'_>,
    account: Account,
    now: Timestamp,
    random: &mut impl Randomness,
) -> Result<Decision, Refusal> {
    let decision = decide(campaign, drawer, account, now, random)?;
    Ok(match campaign.strategy.luck_node(decision.drawn) {
        Some((node, award)) => Decision {
            next: Next::Consoled(node, award),
            ..decision
        },
        None => decision,
    })
}

/// The chain before the draw: the first rule that decides, decides. `ordinal` is the number of
/// this very draw, so each threshold fires exactly once however many draws run in parallel.
fn before_draw(
    strategy: &Strategy,
    drawer: Drawer<'_>,
    ordinal: u32,
    random: &mut impl Randomness,
) -> Option<(AwardIndex, Rule)> {
    strategy.chain.iter().find_map(|rule| match rule {
        ChainRule::Blacklist { award, users } => {
            let is_listed = drawer.is_blacklisted || users.contains(drawer.user);
            is_listed.then_some((*award, Rule::Blacklist))
        }
        ChainRule::Weight(groups) => {
            let group = groups.iter().find(|group| group.ordinal == ordinal)?;
            Some((group.awards[group.pool.draw(random)], Rule::Weight))
        }
    })
}

/// Follows a drawn award through its tree, up to the first request to the stock.
fn after_draw(strategy: &Strategy, drawn: AwardIndex, locks: Locks) -> Next {
    let tree = strategy.award(drawn).tree;
    tree.map_or(Next::Won, |tree| {
        at(strategy, drawn, tree, strategy.trees[tree].enter(locks))
    })
}

/// What a walk through `tree`, the tree of the drawn award, came to.
fn at(strategy: &Strategy, drawn: AwardIndex, tree: usize, stop: Stop) -> Next {
    match stop {
        Stop::Stock(node) if strategy.award(drawn).count.is_none() => Next::Free(node),
        Stop::Stock(node) => Next::Unit(node),
        Stop::Luck(node, award) => Next::Consoled(LuckNode { tree, node }, award),
    }
}

impl Decision {
    /// The random numbers for the amount of a points prize. It needs one, but for a chance of less
    /// than one in 10^11: then the others follow from it, so that another try draws the same.
    pub(super) fn amount_numbers(self) -> impl Randomness {
        let mut next = self.amount_number;
        move || {
            let number = next;
            next = next
                .rotate_left(31)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .wrapping_add(0x9e37_79b9_7f4a_7c15);
            number
        }
    }

    /// The award that the odds (or a rule before them) chose, before its tree.
    pub const fn drawn(&self) -> AwardIndex {
        self.drawn
    }

    /// The rule that chose it.
    pub const fn chosen_by(&self) -> Rule {
        self.rule
    }

    /// The award that this draw wants a unit of, if it needs one.
    pub fn wants(&self) -> Option<AwardIndex> {
        matches!(self.next, Next::Unit(_)).then_some(self.drawn)
    }

    /// The limit for one user that the prize counts against, with its index among
    /// [`Strategy::user_limits`]; `None` where a luck node has replaced the prize, or it has none.
    pub fn user_limit(&self, strategy: &Strategy) -> Option<(usize, UserLimit)> {
        let limits = strategy.user_limits();
        let nth = limits.iter().position(|limit| limit.award == self.drawn)?;
        (!self.is_consoled()).then(|| (nth, limits[nth]))
    }

    /// The same draw of a user who was given so many of its prize before. Who has as many as one may
    /// have goes on in the tree as if there were no unit, and asks for none.
    #[must_use]
    pub fn after_given(self, strategy: &Strategy, given: u32) -> Self {
        match self.user_limit(strategy) {
            Some((_, limit)) if limit.is_reached(given) => self.passed_by(strategy),
            Some(_) | None => self,
        }
    }

    const fn is_consoled(&self) -> bool {
        matches!(self.next, Next::Consoled(..))
    }

    /// The same draw without its prize: the tree leads on, in the end to a luck award.
    fn passed_by(self, strategy: &Strategy) -> Self {
        let mut next = self.next;
        while let Next::Unit(node) | Next::Free(node) = next {
            let tree = strategy.award(self.drawn).tree;
            let tree = tree.expect("a node is of a tree");
            let stop = strategy.trees[tree].out_of_stock(node, self.locks);
            next = at(strategy, self.drawn, tree, stop);
        }
        Self { next, ..self }
    }

    /// Ends the draw; `granted` says whether the stock gave the unit that [`Decision::wants`]
    /// names. Without it the tree leads on, in the end to a luck award.
    pub fn conclude(self, strategy: &Strategy, granted: bool) -> DrawOutcome {
        let ended = match self.next {
            Next::Unit(_) if !granted => self.passed_by(strategy),
            _ => self,
        };
        match ended.next {
            Next::Consoled(node, award) => DrawOutcome {
                award,
                rule: Rule::Luck,
                node: Some(node),
                stocked: false,
            },
            next => DrawOutcome {
                award: self.drawn,
                rule: self.rule,
                node: None,
                stocked: matches!(next, Next::Unit(_)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use testkit::campaign::{Award, CampaignFile};

    use super::*;

    /// A tree whose luck nodes give one award with different configs.
    const TREE: &str = r#"
[[tree]]
id = "tree"
root = "rule_lock"
nodes = [
    { key = "rule_lock", draws = 1, allow = "rule_stock", take_over = "locked" },
    { key = "rule_stock", allow = "gone" },
    { key = "locked", rule = "rule_luck_award", award = 101, config = "1,10" },
    { key = "gone", rule = "rule_luck_award", award = 101, config = "50,100" },
]"#;

    fn campaign() -> Campaign {
        let points = Award::luck()
            .setting("key", "\"user_credit_random\"")
            .setting("config", "\"1,2\"");
        let file = CampaignFile::new(1)
            .section(TREE)
            .blacklist(CampaignFile::LUCK, &["mallory"])
            .award(Award::new(1, "chair", "1").count(5, "tree"))
            .award(points);
        Campaign::parse(&file.text()).expect("a campaign")
    }

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().expect("a time")
    }

    fn user(id: &str) -> UserId {
        UserId::new(id).expect("a user")
    }

    /// The award's id, its config, and the bounds of its points in hundredths.
    fn paid(campaign: &Campaign, outcome: DrawOutcome) -> (u64, &str, Option<(u64, u64)>) {
        let strategy = &campaign.strategy;
        let range = outcome.points(strategy);
        let bounds = range.map(|range| (range.least().hundredths(), range.most().hundredths()));
        let award = strategy.award(outcome.award).id.get();
        (award, outcome.config(strategy), bounds)
    }

    #[test]
    fn the_node_that_gave_a_points_prize_says_how_much_it_pays() {
        let campaign = campaign();
        let new = Account::new(campaign.chances);
        let draw = |who: &str, account| {
            decide(
                &campaign,
                Drawer::not_listed(&user(who)),
                account,
                now(),
                &mut || 1,
            )
            .expect("a draw")
        };
        let (locked, gone) = (
            (101, "1,10", Some((100, 1_000))),
            (101, "50,100", Some((5_000, 10_000))),
        );
        let first = draw("ada", new);
        let outcome = first.conclude(&campaign.strategy, false);
        assert_eq!(paid(&campaign, outcome), locked);
        let second = draw("ada", first.account);
        let outcome = second.conclude(&campaign.strategy, false);
        assert_eq!(paid(&campaign, outcome), gone);
        let outcome = second.conclude(&campaign.strategy, true);
        assert_eq!(paid(&campaign, outcome), (1, "", None));
        let forced = draw("mallory", new).conclude(&campaign.strategy, false);
        assert_eq!(paid(&campaign, forced), (101, "1,2", Some((100, 200))));
        let ada = user("ada");
        let listed = Drawer {
            user: &ada,
            is_blacklisted: true,
        };
        let forced = decide(&campaign, listed, new, now(), &mut || 1).expect("a draw");
        assert_eq!(forced.chosen_by(), Rule::Blacklist);
        let outcome = forced.conclude(&campaign.strategy, false);
        assert_eq!(paid(&campaign, outcome), (101, "1,2", Some((100, 200))));
        let all = decide_fallback(
            &campaign,
            Drawer::not_listed(&ada),
            second.account,
            now(),
            &mut || 1,
        );
        let outcome = all.expect("a draw").conclude(&campaign.strategy, false);
        assert_eq!(
            paid(&campaign, outcome),
            locked,
            "the first node of the tree"
        );
    }
}
