//! An account was granted what its campaign welcomes new users with, and what recharge orders say.
//! The version that welcomed the user is that of the first order, with which the account was made;
//! where there are recharge orders, one of them may have made it, under any version.
use super::draw_check::DrawCheck;
use crate::audit::history::{Context, History};
use crate::audit::report::Check;

#[derive(Debug)]
pub(super) struct ChancesGrantedAsPublished {
    pub(super) check: Check,
}

impl Default for ChancesGrantedAsPublished {
    fn default() -> Self {
        Self {
            check: Check::new("chances_granted_as_published"),
        }
    }
}

impl DrawCheck for ChancesGrantedAsPublished {
    fn end(&mut self, context: &Context<'_>, history: &History) {
        let Some(account) = history.account else {
            return;
        };
        self.check.checked += 1;
        let (versions, activity) = (&context.known.versions, history.activity);
        let (place, recharged) = (context.place, history.recharged);
        let granted = account.granted - recharged;
        let first_version = history.first_version.filter(|_| recharged == 0);
        let expected = match first_version {
            // An unreadable version is a violation already, and nobody knows what it granted.
            Some(version) => versions
                .welcome(activity, version)
                .filter(|welcome| *welcome != granted)
                .map(|welcome| {
                    format!(
                        "version {version}, which the first order names, welcomes with {welcome}"
                    )
                }),
            None => (!versions.may_welcome_with(activity, granted))
                .then(|| "no version of the activity welcomes with as many".to_owned()),
        };
        if let Some(expected) = expected {
            self.check.violation(|| {
                format!(
                    "{place}: {history} was granted {granted} chances and {recharged} by recharge orders; {expected}"
                )
            });
        }
    }
}
