//! What commands say of activities that are not published.
use market::ActivityId;
use market::campaign::{Catalogue, Published};

/// Returns the current version of an activity. The error lists the activities that are published.
pub(super) fn published(catalogue: &Catalogue, activity: ActivityId) -> Result<&Published, String> {
    if let Some(published) = catalogue.activity(activity) {
        return Ok(published);
    }
    let mut known: Vec<ActivityId> = catalogue
        .campaigns()
        .map(|published| published.campaign.activity.id)
        .collect();
    known.sort();
    let known = match &*known {
        [] => "nothing is: `drawbridge campaign publish FILE`".to_owned(),
        [only] => format!("{only} is"),
        known => format!("{} are", listed(known)),
    };
    Err(format!("activity {activity} is not published; {known}"))
}

/// Lists the first ids, and how many more there are.
pub(super) fn listed(ids: &[impl ToString]) -> String {
    const SHOWN_MAX: usize = 20;
    let shown: Vec<String> = ids
        .iter()
        .take(SHOWN_MAX)
        .map(ToString::to_string)
        .collect();
    let more = ids.len().saturating_sub(SHOWN_MAX);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    shown.join(", ") + &more
}
