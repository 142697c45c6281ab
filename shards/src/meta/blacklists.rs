//! Blacklists that operators keep beside the campaign files: users who get the award of the
//! activity's `rule_blacklist`, whatever they draw.
//!
//! A list lies in pages of as many users as one change holds at most. A user who is added comes to
//! the last page, or to a new one. So a gateway that has read a list reads only its last pages
//! again, unless users were taken off it: then it reads all of it.
use std::collections::HashSet;

use jiff::Timestamp;
use market::campaign::{Blacklist, Blacklists, Campaign, ReadMark, UserList};
use market::{ActivityId, UserId};

use super::audit_log::{self, AuditEntry};
use super::campaign_statements::CampaignStatements;
use super::columns::{NOTHING, json, string, time};
use super::error::ChangeError;
use super::statements::statements;
use super::stored_campaign::StoredCampaign;
use super::topic::topic;
use crate::store::{Columns, Connection, Database, StoreError, json_rows, out_of_range};

statements! {
    /// Statements on the blacklists of operators.
    BlacklistStatements in "blacklists" {
        /// All lists, without their users.
        read_lists,
        /// Adds or replaces a list, without its users.
        put_list,
        /// Those of some users that are listed.
        find_users,
        /// Lists users.
        insert_users,
        /// Takes users off a list.
        delete_users,
        /// The users of a page.
        read_page,
    }
}

/// The table that a meta database of the version before lacks.
const TABLE: &str = "blacklist";

/// The most users of one change, and of a page.
pub const BLACKLIST_CHANGE_MAX: usize = 10_000;

/// What is done with users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlacklistChange {
    /// They are listed.
    Add,
    /// They are taken off the list.
    Remove,
}

/// The blacklist of an activity, without its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlacklistRecord {
    /// The activity.
    pub activity: ActivityId,
    /// How many users are listed.
    pub users: u64,
    /// Who changed it last.
    pub who: String,
    /// And why.
    pub why: String,
    /// When.
    pub at: Timestamp,
    read: ReadMark,
    /// The last change that took users off.
    last_removal: u64,
    /// How many users have come to the last page.
    page_users: u64,
    /// How many bytes the ids of all users have.
    bytes: u64,
}

/// Why a blacklist was not changed.
#[derive(Debug, thiserror::Error)]
pub enum BlacklistError {
    /// No campaign with this activity id is published.
    #[error("activity {0} is not published")]
    Unknown(ActivityId),
    /// Nothing says what listed users get.
    #[error(
        "activity {0} has no rule_blacklist, which says what its listed users get: publish a version of its file that has \
         [strategy.rule_blacklist] with an award, and names rule_blacklist in rule_models"
    )]
    NoRule(ActivityId),
    /// The list would be too long.
    #[error(
        "the blacklist of activity {0} has {1} users; it may have {max_users}, whose ids have {max_bytes} bytes together",
        max_users = UserList::USERS_MAX, max_bytes = UserList::BYTES_MAX
    )]
    Full(ActivityId, u64),
    /// The database failed.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<StoreError> for BlacklistError {
    fn from(error: StoreError) -> Self {
        Self::Change(error.into())
    }
}

topic! {
    /// The blacklists that operators keep.
    BlacklistTopic,
    /// Its blacklists beside the campaign files.
    blacklists
}

impl<D: Database> BlacklistTopic<'_, D> {
    const SQL: &'static BlacklistStatements = BlacklistStatements::of::<D>();

    /// All lists, without their users.
    pub async fn records(&self) -> Result<Vec<BlacklistRecord>, StoreError> {
        let rows = self
            .0
            .rows_of_newer_table(TABLE, Self::SQL.read_lists, NOTHING);
        rows.await?.iter().map(record).collect()
    }

    /// Lists users or takes them off, at most [`BLACKLIST_CHANGE_MAX`]. Returns how many it
    /// concerned, as the others were like that already. Running gateways follow within seconds.
    pub async fn change(
        &self,
        activity: ActivityId,
        change: BlacklistChange,
        users: &[UserId],
        (who, why): (&str, &str),
        now: Timestamp,
    ) -> Result<u64, BlacklistError> {
        debug_assert!(users.len() <= BLACKLIST_CHANGE_MAX, "one change");
        let mut connection = self.0.begin().await?;
        let records = records_in::<D>(&mut connection).await?;
        let record = records.into_iter().find(|found| found.activity == activity);
        let mut record = record.unwrap_or_else(|| BlacklistRecord::new(activity, now));
        let concerned = concerned::<D>(&mut connection, activity, change, users).await?;
        let campaign = current_campaign::<D>(&mut connection, activity).await?;
        if change == BlacklistChange::Add && !campaign.strategy.has_blacklist() {
            return Err(BlacklistError::NoRule(activity));
        }
        if concerned.is_empty() {
            connection.rollback().await?;
            return Ok(0);
        }
        let count = concerned.len() as u64;
        record.read.changes += 1;
        match change {
            BlacklistChange::Add => {
                record.add(&concerned)?;
                let page = record.read.pages;
                let rows = concerned
                    .iter()
                    .map(|user| (activity.get(), user.as_str(), page));
                let rows = json_rows(rows);
                connection.execute(Self::SQL.insert_users, &rows).await?;
            }
            BlacklistChange::Remove => {
                record.remove(&concerned);
                let rows = user_rows(activity, &concerned);
                connection.execute(Self::SQL.delete_users, &rows).await?;
            }
        }
        record.who = who.to_owned();
        record.why = why.to_owned();
        record.at = now;
        put::<D>(&mut connection, &record).await?;
        audit_log::insert::<D>(&mut connection, &record.entry(change, count)).await?;
        self.0.commit_revision(connection).await?;
        Ok(count)
    }

    /// Hands out the users of an activity's list in pages.
    pub async fn each_page(
        &self,
        activity: ActivityId,
        mut each: impl FnMut(Vec<UserId>) + Send,
    ) -> Result<(), StoreError> {
        let records = self.records().await?;
        let Some(record) = records.iter().find(|record| record.activity == activity) else {
            return Ok(());
        };
        for page in 1..=record.read.pages {
            each(self.page(activity, page).await?);
        }
        Ok(())
    }

    /// The lists as they are now, where `known` is what was read before; `None` when nothing has
    /// changed since.
    pub async fn newer_than(&self, known: &Blacklists) -> Result<Option<Blacklists>, StoreError> {
        let mut newer = None;
        for record in self.records().await? {
            let before = known.of(record.activity);
            let read = before.map_or(ReadMark::default(), |list| list.read);
            if read.changes == record.read.changes {
                continue;
            }
            let is_added_to = read.changes >= record.last_removal && read.pages > 0;
            let (users, first) = match before {
                Some(list) if is_added_to => (list.users.clone(), read.pages),
                _ => (UserList::default(), 1),
            };
            let mut more = Vec::new();
            for page in first..=record.read.pages {
                more.append(&mut self.page(record.activity, page).await?);
            }
            // Sorting a million users takes too long for a thread that others wait for.
            let merged = tokio::task::spawn_blocking(move || users.with(more)).await;
            let list = Blacklist {
                users: merged.expect("sorting does not fail"),
                read: record.read,
            };
            newer
                .get_or_insert_with(|| known.clone())
                .put(record.activity, list);
        }
        Ok(newer)
    }

    async fn page(&self, activity: ActivityId, page: u64) -> Result<Vec<UserId>, StoreError> {
        let key = json(&(activity.get(), page));
        let rows = self.0.rows(Self::SQL.read_page, &key).await?;
        rows.iter().map(user).collect()
    }
}

/// All lists as a transaction sees them, without their users.
pub(super) async fn records_in<D: Database>(
    connection: &mut D::Connection,
) -> Result<Vec<BlacklistRecord>, StoreError> {
    let sql = BlacklistStatements::of::<D>();
    let rows = connection.rows(sql.read_lists, NOTHING).await?;
    rows.iter().map(record).collect()
}

/// Why a campaign cannot be published beside these lists: its listed users would get nothing special.
pub(super) fn reason_against(campaign: &Campaign, records: &[BlacklistRecord]) -> Option<String> {
    let activity = campaign.activity.id;
    let mut records = records.iter();
    let record = records.find(|record| record.activity == activity && record.users > 0)?;
    (!campaign.strategy.has_blacklist()).then(|| {
        format!(
            "the blacklist of activity {activity} has {} users, and the file has no rule_blacklist for them: keep the \
             rule, or take them off the list first (`drawbridge campaign blacklist`)",
            record.users
        )
    })
}

/// The users whom a change concerns: for an addition those that are not listed, else those that are.
async fn concerned<D: Database>(
    connection: &mut D::Connection,
    activity: ActivityId,
    change: BlacklistChange,
    users: &[UserId],
) -> Result<Vec<UserId>, StoreError> {
    let sql = BlacklistStatements::of::<D>();
    let keys = user_rows(activity, users);
    let rows = connection.rows(sql.find_users, &keys).await?;
    let listed = rows.iter().map(user).collect::<Result<HashSet<_>, _>>()?;
    let wanted: HashSet<&UserId> = users.iter().collect();
    let is_concerned =
        |user: &&UserId| listed.contains(*user) == (change == BlacklistChange::Remove);
    Ok(wanted.into_iter().filter(is_concerned).cloned().collect())
}

/// The current version of a campaign.
async fn current_campaign<D: Database>(
    connection: &mut D::Connection,
    activity: ActivityId,
) -> Result<Campaign, BlacklistError> {
    let sql = CampaignStatements::of::<D>();
    let versions = connection
        .rows(sql.read_history, &json(&[activity.get()]))
        .await?;
    let latest = versions
        .first()
        .map(|row| row.number::<u32>(0))
        .transpose()?;
    let latest = latest.ok_or(BlacklistError::Unknown(activity))?;
    let key = json(&(activity.get(), latest));
    let rows = connection.rows(sql.read_version, &key).await?;
    let stored = rows.first().map(StoredCampaign::from_row).transpose()?;
    stored
        .and_then(|stored| stored.parse())
        .map(|published| published.campaign)
        .ok_or(BlacklistError::Unknown(activity))
}

async fn put<D: Database>(
    connection: &mut D::Connection,
    record: &BlacklistRecord,
) -> Result<(), StoreError> {
    let BlacklistRecord {
        activity,
        users,
        who,
        why,
        at,
        read,
        last_removal,
        page_users,
        bytes,
    } = record;
    let row = (
        activity.get(),
        read.changes,
        last_removal,
        read.pages,
        page_users,
        users,
        bytes,
        who,
        why,
        at.as_millisecond(),
    );
    let sql = BlacklistStatements::of::<D>();
    let rows = json_rows([row]);
    connection.execute(sql.put_list, &rows).await.map(drop)
}

fn user_rows(activity: ActivityId, users: &[UserId]) -> String {
    json_rows(users.iter().map(|user| (activity.get(), user.as_str())))
}

/// The number of bytes of some ids.
fn bytes_of(users: &[UserId]) -> u64 {
    users.iter().map(|user| user.as_str().len() as u64).sum()
}

impl BlacklistRecord {
    /// A list without users.
    fn new(activity: ActivityId, now: Timestamp) -> Self {
        Self {
            activity,
            users: 0,
            who: String::new(),
            why: String::new(),
            at: now,
            read: ReadMark::default(),
            last_removal: 0,
            page_users: 0,
            bytes: 0,
        }
    }

    /// Counts users who come to the last page, which may be a new one.
    fn add(&mut self, users: &[UserId]) -> Result<(), BlacklistError> {
        let count = users.len() as u64;
        let (all, bytes) = (self.users + count, self.bytes + bytes_of(users));
        if all > UserList::USERS_MAX || bytes > UserList::BYTES_MAX {
            return Err(BlacklistError::Full(self.activity, self.users));
        }
        if self.read.pages == 0 || self.page_users + count > BLACKLIST_CHANGE_MAX as u64 {
            self.read.pages += 1;
            self.page_users = 0;
        }
        self.page_users += count;
        self.users = all;
        self.bytes = bytes;
        Ok(())
    }

    fn remove(&mut self, users: &[UserId]) {
        self.users -= users.len() as u64;
        self.bytes -= bytes_of(users);
        self.last_removal = self.read.changes;
        if self.users == 0 {
            // Pages without users are not read for ever.
            self.read.pages = 0;
            self.page_users = 0;
        }
    }

    /// What the audit log says: never who is listed.
    fn entry(&self, change: BlacklistChange, count: u64) -> AuditEntry {
        let (name, done) = match change {
            BlacklistChange::Add => ("add", "added"),
            BlacklistChange::Remove => ("remove", "removed"),
        };
        let detail = format!(
            "activity {}: {count} users {done}, {} listed",
            self.activity, self.users
        );
        AuditEntry {
            at: self.at,
            who: self.who.clone(),
            what: format!("campaign blacklist {name}"),
            detail,
            why: self.why.clone(),
        }
    }
}

/// Columns: activity, changes, last removal, pages, users of the last page, users, bytes, who, why,
/// when.
fn record(row: &impl Columns) -> Result<BlacklistRecord, StoreError> {
    Ok(BlacklistRecord {
        activity: ActivityId::new(row.number(0)?).ok_or_else(|| out_of_range(0))?,
        read: ReadMark {
            changes: row.number(1)?,
            pages: row.number(3)?,
        },
        last_removal: row.number(2)?,
        page_users: row.number(4)?,
        users: row.number(5)?,
        bytes: row.number(6)?,
        who: string(row, 7)?,
        why: string(row, 8)?,
        at: time(row, 9)?,
    })
}

/// The user in the first column.
fn user(row: &impl Columns) -> Result<UserId, StoreError> {
    UserId::new(row.text(0)?).map_err(|_| out_of_range(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::campaigns::PublishError;
    use crate::meta::connections::Meta;
    use crate::meta::testing::{CAMPAIGN, WHO, WHY, at, fresh, mug, now, over_each_database};

    /// The campaign without its `rule_blacklist`.
    fn without_rule() -> String {
        let table = "[strategy.rule_blacklist]\naward = 103\nusers = [\"banned\"]\n";
        let text = CAMPAIGN.replacen(table, "", 1);
        text.replacen("\"rule_blacklist\", ", "", 1)
    }

    async fn published<D: Database>(database: D, text: &str) -> Meta<D> {
        let meta = fresh(database).await;
        let published = meta.campaigns().publish(&[text], "ops", now()).await;
        published.expect("published");
        meta
    }

    fn users(ids: impl IntoIterator<Item = impl ToString>) -> Vec<UserId> {
        let ids = ids.into_iter().map(|id| id.to_string());
        ids.map(|id| UserId::new(&id).expect("a user")).collect()
    }

    async fn change<D: Database>(meta: &Meta<D>, change: BlacklistChange, who: &[UserId]) -> u64 {
        let blacklists = meta.blacklists();
        let changed = blacklists.change(mug().activity, change, who, (WHO, WHY), at(1));
        changed.await.expect("a change")
    }

    /// What a gateway knows after it has followed.
    async fn followed<D: Database>(meta: &Meta<D>, known: &Blacklists) -> Blacklists {
        let newer = meta.blacklists().newer_than(known).await.expect("read");
        newer.expect("something new")
    }

    fn listed(known: &Blacklists, who: &[UserId]) -> usize {
        let is_listed = |user: &&UserId| known.contains(mug().activity, user);
        who.iter().filter(is_listed).count()
    }

    async fn gateways_follow_each_change<D: Database>(database: D) {
        let meta = published(database, CAMPAIGN).await;
        let everybody = users(["a", "A", "ä", "漢", "'; -- \"\\ 😀", "b", "c"]);
        let known = Blacklists::default();
        assert_eq!(meta.blacklists().newer_than(&known).await, Ok(None));
        let (first, second) = everybody.split_at(5);
        let twice: Vec<_> = first.iter().chain(&first[..2]).cloned().collect();
        assert_eq!(change(&meta, BlacklistChange::Add, &twice).await, 5);
        let known = followed(&meta, &Blacklists::default()).await;
        assert_eq!((listed(&known, first), listed(&known, second)), (5, 0));
        assert_eq!(
            meta.blacklists().newer_than(&known).await.expect("read"),
            None
        );
        assert_eq!(change(&meta, BlacklistChange::Add, &everybody).await, 2);
        let known = followed(&meta, &known).await;
        assert_eq!(listed(&known, &everybody), 7);
        assert_eq!(change(&meta, BlacklistChange::Add, &everybody).await, 0);
        assert_eq!(change(&meta, BlacklistChange::Remove, &first[1..]).await, 4);
        assert_eq!(change(&meta, BlacklistChange::Remove, &first[1..]).await, 0);
        let known = followed(&meta, &known).await;
        assert_eq!((listed(&known, first), listed(&known, second)), (1, 2));
        assert_eq!(change(&meta, BlacklistChange::Remove, &everybody).await, 3);
        let known = followed(&meta, &known).await;
        assert_eq!(listed(&known, &everybody), 0);
        assert_eq!(change(&meta, BlacklistChange::Add, second).await, 2);
        assert_eq!(listed(&followed(&meta, &known).await, second), 2);
        assert_eq!(meta.revision().await, Ok(6));
        let records = meta.blacklists().records().await.expect("read");
        assert_eq!(
            (records.len(), records[0].users, &*records[0].who),
            (1, 2, WHO)
        );
        let log = meta.audit_log().latest().await.expect("the audit log");
        assert_eq!(log.len(), 5);
        assert_eq!(log[0].what, "campaign blacklist add");
        assert_eq!(log[0].detail, "activity 1: 2 users added, 2 listed");
        assert_eq!(log[2].detail, "activity 1: 4 users removed, 3 listed");
    }

    async fn a_long_list_comes_page_by_page<D: Database>(database: D) {
        let meta = published(database, CAMPAIGN).await;
        let everybody = users((0..15_000).map(|number| format!("user-{number}")));
        let mut known = Blacklists::default();
        for chunk in everybody.chunks(6_000) {
            let added = change(&meta, BlacklistChange::Add, chunk).await;
            assert_eq!(added, chunk.len() as u64);
            known = followed(&meta, &known).await;
        }
        assert_eq!(listed(&known, &everybody), everybody.len());
        let afresh = followed(&meta, &Blacklists::default()).await;
        assert_eq!(afresh, known);
        let (mut pages, mut count) = (0, 0);
        let blacklists = meta.blacklists();
        let read = blacklists.each_page(mug().activity, |page| {
            assert!(page.len() <= BLACKLIST_CHANGE_MAX);
            pages += 1;
            count += page.len();
        });
        read.await.expect("read");
        assert_eq!((pages, count), (2, 15_000));
    }

    async fn a_list_needs_its_rule<D: Database>(database: D) {
        let without = without_rule();
        let meta = published(database, &without).await;
        let one_user = users(["u"]);
        let blacklists = meta.blacklists();
        let add = BlacklistChange::Add;
        let refused = blacklists.change(mug().activity, add, &one_user, (WHO, WHY), now());
        assert!(matches!(refused.await, Err(BlacklistError::NoRule(id)) if id == mug().activity));
        let unknown = ActivityId::new(77).expect("an id");
        let refused = blacklists.change(unknown, add, &one_user, (WHO, WHY), now());
        assert!(matches!(refused.await, Err(BlacklistError::Unknown(id)) if id == unknown));
        assert_eq!(meta.revision().await, Ok(1));
        let publish = async |text: &str| meta.campaigns().publish(&[text], "ops", now()).await;
        publish(CAMPAIGN).await.expect("published");
        assert_eq!(change(&meta, add, &one_user).await, 1);
        let Err(PublishError::Refused(reasons)) = publish(&without).await else {
            panic!("it has users");
        };
        assert!(reasons[0].contains("has 1 users"), "{reasons:?}");
        assert_eq!(change(&meta, BlacklistChange::Remove, &one_user).await, 1);
        publish(&without).await.expect("published");
    }

    async fn a_database_of_the_version_before_has_no_lists<D: Database>(database: D) {
        let meta = published(database, CAMPAIGN).await;
        let mut connection = meta.database().connect().await.expect("a connection");
        connection
            .run("DROP TABLE blacklist")
            .await
            .expect("dropped");
        assert_eq!(meta.blacklists().records().await, Ok(vec![]));
    }

    #[test]
    fn a_list_is_bounded() {
        let mut record = BlacklistRecord::new(mug().activity, now());
        record.users = UserList::USERS_MAX - 1;
        assert!(record.add(&users(["a"])).is_ok());
        let full = record.add(&users(["b"]));
        assert!(matches!(
            full,
            Err(BlacklistError::Full(_, UserList::USERS_MAX))
        ));
        let mut record = BlacklistRecord::new(mug().activity, now());
        record.bytes = UserList::BYTES_MAX;
        assert!(record.add(&users(["a"])).is_err());
    }

    over_each_database!(
        gateways_follow_each_change,
        a_long_list_comes_page_by_page,
        a_list_needs_its_rule,
        a_database_of_the_version_before_has_no_lists,
    );
}
