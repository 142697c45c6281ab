//! What a new version of a campaign must keep of the published one.
use std::collections::HashMap;

use super::{Award, Campaign};
use crate::ids::{ActivityId, AwardId, StrategyId};

/// Why a campaign cannot follow the version of it that is published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// What testers drew would count in the real activity, or the reverse.
    #[error("activity {0} is published as no trial: a trial needs an activity id of its own")]
    BecameTrial(ActivityId),
    /// The reverse.
    #[error("activity {0} is published as a trial: the real activity needs an id of its own")]
    WasTrial(ActivityId),
    /// Days that were counted in one zone would be counted again in the other.
    #[error(
        "the time zone of a published activity cannot change: it is {published}, the file says {wanted}"
    )]
    TimeZone {
        /// The zone of the published version.
        published: String,
        /// The zone of the file.
        wanted: String,
    },
    /// Clients identify the activity by its strategy's id too.
    #[error(
        "the strategy of a published activity cannot change: it is {published}, the file says {wanted}"
    )]
    Strategy {
        /// The strategy of the published version.
        published: StrategyId,
        /// The strategy of the file.
        wanted: StrategyId,
    },
    /// Stock operations change a count, since units of it are being given out meanwhile.
    #[error(
        "award {award} was published with {published} units, the file says {wanted}: \
         use `drawbridge stock add` to change its stock, and leave the count as it was"
    )]
    Count {
        /// The prize.
        award: AwardId,
        /// The count of the published version.
        published: u64,
        /// The count of the file.
        wanted: u64,
    },
    /// Units given out without limit are not counted, so they cannot be limited afterwards.
    #[error("award {award} was published with a limited count and cannot become unlimited")]
    BecameUnlimited {
        /// The prize.
        award: AwardId,
    },
    /// The reverse.
    #[error(
        "award {award} was published without a limit and cannot become limited: give the limited prize a new id"
    )]
    BecameLimited {
        /// The prize.
        award: AwardId,
    },
}

impl Campaign {
    /// The reasons against publishing this after `previous`, the published version of the same
    /// activity.
    pub fn incompatible_with(&self, previous: &Campaign) -> Vec<Incompatible> {
        let mut found = Vec::new();
        let id = self.activity.id;
        match (previous.activity.is_trial(), self.activity.is_trial()) {
            (false, true) => found.push(Incompatible::BecameTrial(id)),
            (true, false) => found.push(Incompatible::WasTrial(id)),
            (true, true) | (false, false) => {}
        }
        let (published, wanted) = (
            &previous.activity.time_zone_name,
            &self.activity.time_zone_name,
        );
        // Names of zones are the same in upper and lower case.
        if !published.eq_ignore_ascii_case(wanted) {
            found.push(Incompatible::TimeZone {
                published: published.clone(),
                wanted: wanted.clone(),
            });
        }
        let (published, wanted) = (previous.strategy.id, self.strategy.id);
        if published != wanted {
            found.push(Incompatible::Strategy { published, wanted });
        }
        let published: HashMap<_, _> = previous
            .strategy
            .awards
            .iter()
            .map(|award| (award.id, award))
            .collect();
        let both = self
            .strategy
            .awards
            .iter()
            .filter_map(|award| Some((*published.get(&award.id)?, award)));
        found.extend(both.filter_map(|(published, wanted)| incompatible_count(published, wanted)));
        found
    }
}

fn incompatible_count(published: &Award, wanted: &Award) -> Option<Incompatible> {
    let award = wanted.id;
    match (published.count, wanted.count) {
        (Some(published), Some(wanted)) if published != wanted => Some(Incompatible::Count {
            award,
            published,
            wanted,
        }),
        (Some(_), None) => Some(Incompatible::BecameUnlimited { award }),
        (None, Some(_)) => Some(Incompatible::BecameLimited { award }),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = include_str!("file/tests/small.toml");

    fn parse(text: &str) -> Campaign {
        Campaign::parse(text).expect("a valid campaign")
    }

    #[test]
    fn what_a_published_campaign_keeps() {
        let published = parse(SMALL);
        let text = SMALL
            .replacen("Asia/Shanghai", "Asia/Tokyo", 1)
            .replacen("id = 17", "id = 18", 1)
            .replacen("count = 20", "count = 30", 1)
            .replacen("count = 1000\n", "", 1)
            .replacen("key = \"points\"", "count = 5\ntree = \"plain\"", 1);
        let faults: Vec<_> = parse(&text)
            .incompatible_with(&published)
            .iter()
            .map(ToString::to_string)
            .collect();
        let expected = [
            "the time zone of a published activity cannot change: it is Asia/Shanghai, the file says Asia/Tokyo",
            "the strategy of a published activity cannot change: it is 17, the file says 18",
            "award 101 was published without a limit and cannot become limited: give the limited prize a new id",
            "award 102 was published with a limited count and cannot become unlimited",
            "award 103 was published with 20 units, the file says 30: use `drawbridge stock add` to change its stock, \
                 and leave the count as it was",
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn everything_else_may_change() {
        let published = parse(SMALL);
        let text = SMALL
            .replacen("Asia/Shanghai", "asia/shanghai", 1)
            .replacen("rate = 0.7", "rate = 0.1", 1)
            .replacen("\"open\"", "\"close\"", 1);
        assert_eq!(parse(&text).incompatible_with(&published), []);
    }
}
