//! `[activity]` and `[chances]`.
use std::collections::HashSet;

use jiff::tz::TimeZone;
use settings::{Faulted, Section};

use super::bounds::{CHANCES_MAX, DETAIL_CHARS, NAME_CHARS};
use super::ids::id;
use crate::campaign::{Activity, ActivityState, WhenChancesShort, WhenStockUnavailable};
use crate::chances::Chances;
use crate::ids::{ActivityId, UserId};

const TESTERS_MAX: usize = 1_000;

const STATES: [(&str, ActivityState); 4] = [
    ("draft", ActivityState::Draft),
    ("create", ActivityState::Draft),
    ("open", ActivityState::Open),
    ("close", ActivityState::Closed),
];
const WHEN_STOCK_UNAVAILABLE: [(&str, WhenStockUnavailable); 2] = [
    ("refuse", WhenStockUnavailable::Refuse),
    ("fallback", WhenStockUnavailable::Fallback),
];
const WHEN_CHANCES_SHORT: [(&str, WhenChancesShort); 2] = [
    ("refuse", WhenChancesShort::Refuse),
    ("partial", WhenChancesShort::Partial),
];

pub(super) fn activity(section: &Section<'_>) -> Result<Activity, Faulted> {
    let id = id(&section.value("id"), ActivityId::new).required();
    let name = section.string("name", NAME_CHARS).required();
    let description = section
        .string("description", DETAIL_CHARS)
        .or(String::new());
    let begins_at = section.time("begins_at").required();
    let ends_at = section.time("ends_at").try_map(|ends_at| match begins_at {
        Ok(begins_at) if ends_at <= begins_at => Err("must be later than begins_at"),
        _ => Ok(ends_at),
    });
    let ends_at = ends_at.required();
    let state = section.choice("state", &STATES).required();
    let time_zone = section
        .string("time_zone", NAME_CHARS)
        .try_map(time_zone)
        .required();
    section.renamed("when_stock_away", "when_stock_unavailable");
    let when_stock_unavailable = section
        .choice("when_stock_unavailable", &WHEN_STOCK_UNAVAILABLE)
        .or(WhenStockUnavailable::Refuse);
    let when_chances_short = section
        .choice("when_chances_short", &WHEN_CHANCES_SHORT)
        .or(WhenChancesShort::Refuse);
    let testers = testers(section);
    let trial_of = id_of_another(section, id);
    let (time_zone_name, time_zone) = time_zone?;
    Ok(Activity {
        id: id?,
        name: name?,
        description: description?,
        begins_at: begins_at?,
        ends_at: ends_at?,
        state: state?,
        time_zone,
        time_zone_name,
        when_stock_unavailable: when_stock_unavailable?,
        when_chances_short: when_chances_short?,
        testers: testers?,
        trial_of: trial_of?,
    })
}

/// Users, none twice.
fn testers(section: &Section<'_>) -> Result<HashSet<UserId>, Faulted> {
    let mut testers = HashSet::new();
    for value in section.list("testers", 0..=TESTERS_MAX).or(Vec::new())? {
        let user = value
            .string(1..=UserId::CHARS_MAX)
            .try_map(|user| UserId::new(&user))
            .required();
        if !testers.insert(user?) {
            return Err(value.fault("this user is listed already"));
        }
    }
    Ok(testers)
}

/// The activity that this one is a trial of.
fn id_of_another(
    section: &Section<'_>,
    own: Result<ActivityId, Faulted>,
) -> Result<Option<ActivityId>, Faulted> {
    let of = id(&section.value("trial_of"), ActivityId::new);
    of.try_map(|of| match own {
        Ok(own) if own == of => Err("an activity is no trial of itself"),
        _ => Ok(of),
    })
    .optional()
}

fn time_zone(name: String) -> Result<(String, TimeZone), String> {
    match TimeZone::get(&name) {
        Ok(zone) if !zone.is_unknown() => Ok((name, zone)),
        _ => Err(format!(
            "{name:?} is no time zone of the IANA database; expected a name such as \"Asia/Shanghai\""
        )),
    }
}

pub(super) fn chances(section: &Section<'_>) -> Result<Chances, Faulted> {
    let welcome = section.integer("welcome", 0..=CHANCES_MAX).required();
    let month_limit = section.integer("month_limit", 1..=CHANCES_MAX).required();
    let day_limit = section.integer("day_limit", 1..=CHANCES_MAX).required();
    Ok(Chances {
        welcome: welcome?,
        month_limit: month_limit?,
        day_limit: day_limit?,
    })
}
