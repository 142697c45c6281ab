//! An account was granted the welcome chances of its campaign and the chances of its recharge
//! orders.
//!
//! The account of a user without recharge orders was made by the first order. So the version of
//! that order says how many welcome chances there were. Where there are recharge orders, one of
//! them may have made the account, under any version.
use super::row_check::RowCheck;
use crate::audit::history::{DrawHistory, RowContext};
use crate::audit::report::CheckReport;

#[derive(Debug)]
pub(super) struct ChancesGrantedAsPublished;

impl RowCheck for ChancesGrantedAsPublished {
    fn name(&self) -> &'static str {
        "chances_granted_as_published"
    }

    fn end(&mut self, report: &mut CheckReport, context: &RowContext<'_>, history: &DrawHistory) {
        let Some(account) = history.account else {
            return;
        };
        report.checked += 1;
        let (at, recharged) = (context.at, history.recharged);
        let welcome = account.granted - recharged;
        if let Some(expected) = unexpected(context, history, welcome) {
            report.violation(|| {
                format!(
                    "{at}: {history} was granted {welcome} chances and {recharged} by recharge \
                     orders; {expected}"
                )
            });
        }
    }
}

/// What was expected instead of these welcome chances; `None` where they are right.
fn unexpected(context: &RowContext<'_>, history: &DrawHistory, welcome: i64) -> Option<String> {
    let (versions, activity) = (&context.known.versions, history.activity);
    match history.first_version.filter(|_| history.recharged == 0) {
        // A version that cannot be read is a violation of its own, and what it granted is
        // unknown.
        Some(version) => {
            let published = versions.welcome(activity, version)?;
            (published != welcome).then(|| {
                format!("version {version}, which the first order names, grants {published}")
            })
        }
        None => (!versions.may_welcome_with(activity, welcome))
            .then(|| "no version of the activity grants this number".to_owned()),
    }
}
