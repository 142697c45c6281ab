//! A trial: the same file under an activity id of its own, for its testers.
use super::Campaign;
use super::file::{InvalidCampaign, place_of};
use crate::ids::ActivityId;

/// Why a file has no trial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTrial {
    /// No user could draw from it.
    #[error("a trial needs testers: name them in the file, [activity] testers = [\"u1\", ...]")]
    NoTesters,
    /// The file is one already.
    #[error("the file is a trial already: it has trial_of")]
    IsTrial,
    /// A trial is another activity.
    #[error("a trial needs an activity id of its own: {0} is that of the file")]
    OwnId(ActivityId),
    /// The ids could not be replaced.
    #[error(
        "a trial needs [activity] and [strategy] as sections, each with its id on a line of its own"
    )]
    Unusual,
    /// The file has faults.
    #[error(transparent)]
    Invalid(#[from] InvalidCampaign),
}

/// The text of a file as a trial under the id `trial`. Only ids differ, and `trial_of` is added, so
/// that lines of faults and comments stay where they are, but for one.
pub fn trial(text: &str, trial: ActivityId) -> Result<String, NoTrial> {
    let campaign = Campaign::parse(text)?;
    let activity = &campaign.activity;
    if activity.is_trial() {
        return Err(NoTrial::IsTrial);
    }
    if activity.testers.is_empty() {
        return Err(NoTrial::NoTesters);
    }
    if activity.id == trial {
        return Err(NoTrial::OwnId(trial));
    }
    let place = |section: &str| place_of(text, section, "id").ok_or(NoTrial::Unusual);
    let mut edits = [
        (
            place("activity")?,
            format!("{trial}\ntrial_of = {}", activity.id),
        ),
        (place("strategy")?, trial.to_string()),
    ];
    // From the end, so that the places before stay right.
    edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    let mut changed = text.to_owned();
    for (place, id) in edits {
        changed.replace_range(place, &id);
    }
    match Campaign::parse(&changed) {
        Ok(made) if made.activity.id == trial && made.activity.trial_of == Some(activity.id) => {
            Ok(changed)
        }
        _ => Err(NoTrial::Unusual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::changes;

    const SMALL: &str = include_str!("file/tests/small.toml");

    fn id(number: u64) -> ActivityId {
        ActivityId::new(number).expect("an id")
    }

    const REWARD: &str = "[[reward]]\nbehavior = \"sign\"\nkind = \"chances\"\nsku = 70\n[[stage]]";

    fn with_testers() -> String {
        SMALL.replacen("[[stage]]", REWARD, 1).replacen(
            "id = 7\n",
            "id = 7 # seven\ntesters = [\"ada\", \"bob\"]\n",
            1,
        )
    }

    #[test]
    fn a_trial_is_the_same_campaign_under_another_id() {
        let text = with_testers();
        let made = trial(&text, id(99)).expect("a trial");
        assert!(made.contains("id = 99\ntrial_of = 7 # seven\n"), "{made}");
        let (of, made) = (Campaign::parse(&text), Campaign::parse(&made));
        let (of, made) = (of.expect("valid"), made.expect("valid"));
        assert_eq!((made.activity.id, made.strategy.id.get()), (id(99), 99));
        assert!(made.stages.is_empty() && made.skus.is_empty() && made.rewards.is_empty());
        let differ: Vec<_> = changes(&of, &made)
            .into_iter()
            .map(|change| change.what)
            .collect();
        let expected = [
            "strategy",
            "trial of",
            "channel c01, source s01",
            "sku 70",
            "chances for sign",
        ];
        assert_eq!(differ, expected);
    }

    #[test]
    fn a_trial_needs_testers_and_an_id_of_its_own() {
        assert_eq!(trial(SMALL, id(99)), Err(NoTrial::NoTesters));
        assert_eq!(trial(&with_testers(), id(7)), Err(NoTrial::OwnId(id(7))));
        let made = trial(&with_testers(), id(99)).expect("a trial");
        assert_eq!(trial(&made, id(98)), Err(NoTrial::IsTrial));
        assert!(matches!(
            trial("format = 1", id(9)),
            Err(NoTrial::Invalid(_))
        ));
        let (before, after) = (with_testers(), "activity = { ");
        let section = before
            .split_once("[activity]\n")
            .and_then(|(_, rest)| rest.split_once("[chances]"))
            .expect("a section")
            .0;
        let inline = section.replace(" # seven", "").trim().replace('\n', ", ");
        let inline = before.replacen(
            &format!("[activity]\n{section}"),
            &format!("{after}{inline} }}\n"),
            1,
        );
        assert!(Campaign::parse(&inline).is_ok());
        // TOML 1.1 allows line breaks in inline tables; the version before does not.
        let made = trial(&inline, id(99));
        assert!(made.is_ok() || made == Err(NoTrial::Unusual), "{made:?}");
    }
}
