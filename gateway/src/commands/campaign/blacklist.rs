//! `drawbridge campaign blacklist`: users who get the award of the activity's `rule_blacklist`, beside
//! those whom the campaign file names. Ids come from a file or from standard input: a command line is
//! seen by others.
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, Subcommand};
use market::campaign::UserList;
use market::{ActivityId, UserId};
use serde_json::json;
use shards::Installation;
use shards::meta::{BLACKLIST_CHANGE_MAX, BlacklistChange, BlacklistError, BlacklistRecord};

use super::error::{CampaignError, end};
use crate::commands::block_on::block_on;
use crate::commands::output::say;
use crate::commands::progress::watched;
use crate::commands::published::published;
use crate::commands::record::AttributionOptions;
use crate::commands::run_command::RunCommand;
use crate::commands::storage::StorageArguments;
use crate::text::printable;

/// The most bytes of a list: those of the ids, and of the ends of their lines.
const LIST_BYTES_MAX: u64 = UserList::BYTES_MAX + 2 * UserList::USERS_MAX;

/// How many faults of a list are shown.
const FAULTS_SHOWN_MAX: usize = 10;

/// What to do with a blacklist.
#[derive(Debug, Subcommand)]
pub enum BlacklistCommand {
    /// List users: they get the award of rule_blacklist, whatever they draw
    Add(AddOptions),
    /// Take users off the list
    Remove(RemoveOptions),
    /// Make the list what a file says: add who is missing, take off everybody else
    Import(ImportOptions),
    /// Show how many users are listed, and who changed the list last
    Show(ShowBlacklistOptions),
}

impl BlacklistCommand {
    pub(super) fn arguments(&self) -> &dyn RunCommand {
        match self {
            Self::Add(options) => options,
            Self::Remove(options) => options,
            Self::Import(options) => options,
            Self::Show(options) => options,
        }
    }
}

/// Which users of which activity, and why.
#[derive(Debug, Args)]
struct ListOptions {
    /// The activity
    #[arg(value_name = "ID")]
    activity: ActivityId,
    /// User ids, one in a line; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    record: AttributionOptions,
    #[command(flatten)]
    storage: StorageArguments,
}

/// What to show.
#[derive(Debug, Args)]
pub struct ShowBlacklistOptions {
    /// The activity
    #[arg(value_name = "ID")]
    activity: ActivityId,
    /// Print the user ids instead, one in a line, in no particular order
    #[arg(long, conflicts_with = "json")]
    users: bool,
    #[command(flatten)]
    storage: StorageArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A subcommand that changes a list.
macro_rules! list_commands {
    ($($(#[$doc:meta])* $name:ident = $make:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Args)]
        pub struct $name {
            #[command(flatten)]
            options: ListOptions,
        }

        impl RunCommand for $name {
            fn storage(&self) -> Option<&StorageArguments> {
                Some(&self.options.storage)
            }

            fn run(&self) -> ExitCode {
                end(block_on(self.options.$make()))
            }
        }
    )*};
}

list_commands! {
    /// Users to list.
    AddOptions = add;
    /// Users to take off.
    RemoveOptions = remove;
    /// All users that are to be listed.
    ImportOptions = import;
}

/// What was done to a list.
#[derive(Default)]
struct Done {
    added: AtomicU64,
    removed: AtomicU64,
}

impl ListOptions {
    async fn add(&self) -> Result<String, CampaignError> {
        let users = read(&self.file)?;
        self.change(&self.open().await?, users, Vec::new()).await
    }

    async fn remove(&self) -> Result<String, CampaignError> {
        let users = read(&self.file)?;
        self.change(&self.open().await?, Vec::new(), users).await
    }

    async fn import(&self) -> Result<String, CampaignError> {
        let wanted: HashSet<UserId> = read(&self.file)?.into_iter().collect();
        let installation = self.open().await?;
        let mut listed = HashSet::new();
        let add = |page: Vec<UserId>| listed.extend(page);
        let read = installation.each_page_of_blacklist(self.activity, add);
        read.await?;
        let missing = wanted.difference(&listed).cloned().collect();
        let gone = listed.difference(&wanted).cloned().collect();
        self.change(&installation, missing, gone).await
    }

    /// The installation, in which the activity must be published.
    async fn open(&self) -> Result<Installation, CampaignError> {
        let installation = self.storage.open_for_changes().await?;
        let catalogue = installation.catalogue().await?;
        published(&catalogue, self.activity).map_err(CampaignError::Refused)?;
        Ok(installation)
    }

    async fn change(
        &self,
        installation: &Installation,
        add: Vec<UserId>,
        remove: Vec<UserId>,
    ) -> Result<String, CampaignError> {
        let activity = self.activity;
        let (all, done) = (add.len() + remove.len(), Done::default());
        let line = |_| {
            let so_far = done.added.load(Ordering::Relaxed) + done.removed.load(Ordering::Relaxed);
            format!("{so_far} of {all} users")
        };
        let changes = [
            // First, so that there is room.
            (BlacklistChange::Remove, remove, &done.removed),
            (BlacklistChange::Add, add, &done.added),
        ];
        let changed = watched(line, self.make(installation, changes)).await;
        let said = done.said();
        if let Err(error) = changed {
            return Err(match said {
                None => error.into(),
                Some(said) => CampaignError::Failed(format!(
                    "{error}; {said} before that: the same command again does the rest"
                )),
            });
        }
        let records = installation.blacklists().await?;
        let users = of(&records, activity).map_or(0, |record| record.users);
        let said = said.unwrap_or_else(|| "nothing to do".to_owned());
        Ok(format!(
            "activity {activity}: {said}; {users} users are listed\n"
        ))
    }

    /// Makes changes in steps that do not hold up others for long.
    async fn make(
        &self,
        installation: &Installation,
        changes: [(BlacklistChange, Vec<UserId>, &AtomicU64); 2],
    ) -> Result<(), BlacklistError> {
        let who = self.record.who();
        for (change, users, count) in changes {
            for users in users.chunks(BLACKLIST_CHANGE_MAX) {
                let record = (&*who, &*self.record.reason);
                let changed = installation.change_blacklist(self.activity, change, users, record);
                count.fetch_add(changed.await?, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

impl Done {
    /// What was done; nothing when that is nothing.
    fn said(&self) -> Option<String> {
        let counts = [(&self.added, "added"), (&self.removed, "removed")];
        let counts = counts.map(|(count, word)| (count.load(Ordering::Relaxed), word));
        let done = counts.iter().filter(|(count, _)| *count > 0);
        let done: Vec<_> = done
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        (!done.is_empty()).then(|| done.join(", "))
    }
}

fn of(records: &[BlacklistRecord], activity: ActivityId) -> Option<&BlacklistRecord> {
    records.iter().find(|record| record.activity == activity)
}

impl From<BlacklistError> for CampaignError {
    fn from(error: BlacklistError) -> Self {
        let text = error.to_string();
        match error {
            BlacklistError::Unknown(_) | BlacklistError::NoRule(_) | BlacklistError::Full(..) => {
                Self::Refused(text)
            }
            BlacklistError::Change(_) => Self::Failed(text),
        }
    }
}

/// The user ids of a file, or of standard input.
fn read(file: &Path) -> Result<Vec<UserId>, CampaignError> {
    let is_standard_input = file.as_os_str() == "-";
    let name = if is_standard_input {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    };
    let text = if is_standard_input {
        bounded(std::io::stdin().lock())
    } else {
        std::fs::File::open(file).and_then(bounded)
    };
    let text = text.map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => CampaignError::Refused(format!("{name} is not UTF-8")),
        _ => CampaignError::Failed(format!("{name} cannot be read: {error}")),
    })?;
    users(&text).map_err(|why| CampaignError::Refused(format!("{name} is refused:\n{why}")))
}

fn bounded(reader: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    // One byte more shows that there is more.
    reader.take(LIST_BYTES_MAX + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// The ids of a text, one in a line. Empty lines do not count. Faults do not show the ids.
fn users(text: &str) -> Result<Vec<UserId>, String> {
    if text.len() as u64 > LIST_BYTES_MAX {
        return Err(format!("it has more than {LIST_BYTES_MAX} bytes"));
    }
    let (mut users, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty()) {
        match UserId::new(line) {
            Ok(user) => users.push(user),
            Err(error) => faults.push(format!("line {number}: a user id {error}")),
        }
    }
    if !faults.is_empty() {
        let more = faults.len().saturating_sub(FAULTS_SHOWN_MAX);
        faults.truncate(FAULTS_SHOWN_MAX);
        if more > 0 {
            faults.push(format!("and {more} more lines"));
        }
        return Err(faults.join("\n"));
    }
    if users.is_empty() {
        return Err("it names no user".to_owned());
    }
    if users.len() as u64 > UserList::USERS_MAX {
        let count = users.len();
        return Err(format!(
            "it has {count} users; a list has at most {}",
            UserList::USERS_MAX
        ));
    }
    Ok(users)
}

impl RunCommand for ShowBlacklistOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        end(block_on(self.show()))
    }
}

impl ShowBlacklistOptions {
    async fn show(&self) -> Result<String, CampaignError> {
        let installation = self.storage.open().await?;
        let activity = self.activity;
        published(&installation.catalogue().await?, activity).map_err(CampaignError::Refused)?;
        if self.users {
            let print = |page: Vec<UserId>| {
                let mut lines = String::new();
                for user in &page {
                    lines.push_str(user.as_str());
                    lines.push('\n');
                }
                say(lines);
            };
            installation.each_page_of_blacklist(activity, print).await?;
            return Ok(String::new());
        }
        let records = installation.blacklists().await?;
        let record = of(&records, activity);
        let users = record.map_or(0, |record| record.users);
        if self.json {
            let value = json!({
                "activity": activity.get(),
                "users": users,
                "changedAt": record.map(|record| record.at.to_string()),
                "changedBy": record.map(|record| &record.who),
                "reason": record.map(|record| &record.why),
            });
            return Ok(format!("{value:#}\n"));
        }
        let changed = record.map_or(String::new(), |BlacklistRecord { who, why, at, .. }| {
            format!(
                "; changed by {} at {at:.0} ({})",
                printable(who),
                printable(why)
            )
        });
        Ok(format!(
            "activity {activity}: {users} users are listed{changed}\n"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_user_in_a_line() {
        let read = users("u1\r\n\nu 2\n漢\nu1").expect("a list");
        let ids: Vec<_> = read.iter().map(UserId::as_str).collect();
        assert_eq!(ids, ["u1", "u 2", "漢", "u1"]);
        for empty in ["", "\n", "\r\n\n"] {
            assert_eq!(users(empty), Err("it names no user".to_owned()));
        }
    }

    #[test]
    fn faults_name_lines_and_no_users() {
        let faults = users("fine\n secret\nfine\nsecret\tsecret").expect_err("faults");
        let expected = "line 2: a user id must not begin or end with white space\n\
                        line 4: a user id must not contain control characters";
        assert_eq!(faults, expected);
        let faults = users(&" x\n".repeat(12)).expect_err("faults");
        assert!(faults.ends_with("and 2 more lines"), "{faults}");
    }

    #[test]
    fn a_list_is_bounded() {
        let count = usize::try_from(UserList::USERS_MAX).expect("small") + 1;
        let faults = users(&"u\n".repeat(count)).expect_err("too many");
        assert_eq!(faults, "it has 1000001 users; a list has at most 1000000");
    }
}
