//! The life of an activity: in which state it is at a moment, and what operators may change.
//!
//! Two sources decide. The file says whether the activity is a draft, and when it begins and ends.
//! Operators pause and close it beside the file ([`Halt`]), so that a new version does not end a
//! pause.
use std::collections::HashMap;

use jiff::Timestamp;

use super::{Activity, ActivityState};
use crate::ids::{ActivityId, UserId};
use crate::refusal::Refusal;

/// What keeps an activity from being drawn from, by the decision of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Halt {
    /// Until an operator resumes it.
    Paused,
    /// For ever.
    Closed,
}

/// The halted activities. Those that run are not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Halts(HashMap<ActivityId, Halt>);

/// The state of an activity at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifeState {
    /// Its file says so: it is not ready.
    Draft,
    /// It begins later.
    Scheduled,
    /// It can be drawn from.
    Open,
    /// An operator has paused it.
    Paused,
    /// An operator has closed it for ever, or its file says `close`.
    Closed,
    /// Its end has passed.
    Over,
}

/// What an operator can do to an activity, beside publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifeChange {
    /// Stops draws until it is resumed.
    Pause,
    /// Ends a pause.
    Resume,
    /// Stops draws for ever.
    Close,
}

/// A closed activity does not change any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the activity is closed for ever")]
pub struct ClosedForEver;

impl Halts {
    /// How operators have halted an activity.
    pub fn of(&self, activity: ActivityId) -> Option<Halt> {
        self.0.get(&activity).copied()
    }
}

impl FromIterator<(ActivityId, Halt)> for Halts {
    fn from_iter<I: IntoIterator<Item = (ActivityId, Halt)>>(halts: I) -> Self {
        Self(halts.into_iter().collect())
    }
}

impl LifeState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Draft,
        Self::Scheduled,
        Self::Open,
        Self::Paused,
        Self::Closed,
        Self::Over,
    ];

    /// The state of an activity at `now`. What people decided comes first, then the times; so a
    /// paused activity stays paused at its end.
    pub fn of(activity: &Activity, halt: Option<Halt>, now: Timestamp) -> Self {
        match (halt, activity.state) {
            (Some(Halt::Closed), _) | (_, ActivityState::Closed) => Self::Closed,
            (_, ActivityState::Draft) => Self::Draft,
            (Some(Halt::Paused), ActivityState::Open) => Self::Paused,
            (None, ActivityState::Open) if now < activity.begins_at => Self::Scheduled,
            (None, ActivityState::Open) if now >= activity.ends_at => Self::Over,
            (None, ActivityState::Open) => Self::Open,
        }
    }

    /// Its name for callers and operators.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Closed => "closed",
            Self::Over => "over",
        }
    }

    /// Why a user cannot draw from an activity that is in this state; nothing when the user can.
    /// From a trial only testers draw, and they need not wait for its beginning.
    pub fn refusal_for(self, activity: &Activity, user: &UserId) -> Option<Refusal> {
        match self {
            Self::Draft | Self::Scheduled | Self::Open if activity.is_trial() => {
                let refusal = self.refusal().unwrap_or(Refusal::ActivityNotOpen);
                (!activity.testers.contains(user)).then_some(refusal)
            }
            state => state.refusal(),
        }
    }

    /// Why nothing can be drawn in this state; nothing when something can.
    pub const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Open => None,
            Self::Draft | Self::Paused | Self::Closed => Some(Refusal::ActivityNotOpen),
            Self::Scheduled => Some(Refusal::ActivityNotBegun),
            Self::Over => Some(Refusal::ActivityOver),
        }
    }
}

impl LifeChange {
    /// All changes.
    pub const ALL: [Self; 3] = [Self::Pause, Self::Resume, Self::Close];

    /// Its name, as it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Close => "close",
        }
    }

    /// The change of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.name() == name)
    }

    /// How the activity is halted afterwards.
    pub const fn leads_to(self) -> Option<Halt> {
        match self {
            Self::Pause => Some(Halt::Paused),
            Self::Resume => None,
            Self::Close => Some(Halt::Closed),
        }
    }

    /// Whether it changes an activity that is halted like this. A closed one stays closed.
    pub fn changes(self, halt: Option<Halt>) -> Result<bool, ClosedForEver> {
        match (halt, self) {
            (Some(Halt::Closed), Self::Pause | Self::Resume) => Err(ClosedForEver),
            _ => Ok(self.leads_to() != halt),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Campaign;
    use super::*;

    const SMALL: &str = include_str!("file/tests/small.toml");

    fn activity(state: &str) -> Activity {
        let text = SMALL.replacen("\"open\"", &format!("{state:?}"), 1);
        Campaign::parse(&text).expect("a campaign").activity
    }

    /// One second before, at and after the two ends of the window.
    fn moments(activity: &Activity) -> [Timestamp; 4] {
        let second = jiff::SignedDuration::from_secs(1);
        [
            activity.begins_at - second,
            activity.begins_at,
            activity.ends_at - second,
            activity.ends_at,
        ]
    }

    #[test]
    fn an_activity_opens_and_ends_by_itself() {
        let activity = activity("open");
        let states = moments(&activity).map(|now| LifeState::of(&activity, None, now));
        let expected = [
            LifeState::Scheduled,
            LifeState::Open,
            LifeState::Open,
            LifeState::Over,
        ];
        assert_eq!(states, expected);
    }

    #[test]
    fn what_people_decided_comes_before_the_times() {
        for (word, halt, expected) in [
            ("open", Some(Halt::Paused), LifeState::Paused),
            ("open", Some(Halt::Closed), LifeState::Closed),
            ("draft", None, LifeState::Draft),
            ("create", None, LifeState::Draft),
            ("draft", Some(Halt::Paused), LifeState::Draft),
            ("draft", Some(Halt::Closed), LifeState::Closed),
            ("close", None, LifeState::Closed),
            ("close", Some(Halt::Paused), LifeState::Closed),
        ] {
            let activity = activity(word);
            for now in moments(&activity) {
                assert_eq!(
                    LifeState::of(&activity, halt, now),
                    expected,
                    "{word} {halt:?}"
                );
            }
        }
    }

    #[test]
    fn names_are_unique_and_only_open_draws() {
        let names: std::collections::HashSet<_> = LifeState::ALL.map(LifeState::name).into();
        assert_eq!(names.len(), LifeState::ALL.len());
        for state in LifeState::ALL {
            assert_eq!(state.refusal().is_none(), state == LifeState::Open);
        }
        for change in LifeChange::ALL {
            assert_eq!(LifeChange::from_name(change.name()), Some(change));
        }
        assert_eq!(LifeChange::from_name("rollback"), None);
    }

    proptest! {
        /// Whatever operators do: only a resume ends a pause, and nothing ends a close.
        #[test]
        fn pauses_end_by_resume_and_a_close_never_ends(steps in prop::collection::vec(0_usize..3, 0..20)) {
            let mut halt = None;
            for step in steps {
                let change = LifeChange::ALL[step];
                let before = halt;
                match change.changes(halt) {
                    Ok(true) => halt = change.leads_to(),
                    Ok(false) => prop_assert_eq!(change.leads_to(), halt),
                    Err(ClosedForEver) => prop_assert_eq!(halt, Some(Halt::Closed)),
                }
                if before == Some(Halt::Closed) {
                    prop_assert_eq!(halt, Some(Halt::Closed));
                }
                if before == Some(Halt::Paused) && halt.is_none() {
                    prop_assert_eq!(change, LifeChange::Resume);
                }
            }
        }
    }
}
