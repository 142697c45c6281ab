//! The meta database: campaigns and their versions, stock operations, run numbers, how users
//! are spread. Draws never wait for it.
use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use market::batch::Prize;
use market::campaign::{Campaign, Catalogue, InvalidCampaign, Published};
use market::{ActivityId, AwardId};
use router::{Run, SlotMap};
use serde::Serialize;

use crate::lane::Runs;
use crate::stock::cluster::additions::record_addition;
use crate::stock::snapshot::Snapshot;
use crate::store::{
    Claimed, Columns, Connection, Database, Lease, MetaStatements, Pool, PoolLimits, StoreError,
    json_rows, out_of_range,
};

/// The meta database. Clones share a few connections.
#[derive(Debug, Clone)]
pub struct Meta<D: Database> {
    pool: Pool<D>,
}

/// Connections of a process to it: lanes that begin, jobs and operators need one each for a moment.
/// All are kept between uses; at rest the jobs and the poll of the revision use one or two in turn,
/// and the others are closed after a while.
const CONNECTIONS_MAX: usize = 16;

/// While all are in use somebody may wait for the longest that a lock is.
const CONNECTION_WAIT: Duration = Duration::from_secs(3);

/// Why a campaign was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The file has faults of its own.
    #[error(transparent)]
    Invalid(#[from] InvalidCampaign),
    /// The file does not go together with what is published; one line per reason.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a change of what gateways obey was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Nothing has changed.
    #[error("the change was not made: {0}")]
    NotMade(StoreError),
    /// The commit was not confirmed: the change may have been made.
    #[error("it is not known whether the change was made: {0}")]
    InDoubt(StoreError),
    /// There are as many settings as there may be. Nothing has changed.
    #[error("there are {0} settings, which is the most there may be: take some back first")]
    TooMany(usize),
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::NotMade(error)
    }
}

/// What a publication did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// The activity.
    pub activity: ActivityId,
    /// Its current version.
    pub version: u32,
    /// False when the file is already published to the letter.
    pub new: bool,
}

/// A stored version of a campaign, as text.
#[derive(Debug, Clone)]
pub struct StoredCampaign {
    /// The activity.
    pub activity: ActivityId,
    /// Counts up from 1.
    pub version: u32,
    /// The campaign file.
    pub text: String,
}

/// A change of a prize's stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its id: operations apply in this order.
    pub id: u64,
    /// `publish`, `add` or `withdraw`.
    pub kind: String,
    /// The units asked for.
    pub units: u64,
    /// The change of the total; `None` while a withdrawal waits.
    pub applied: Option<i64>,
    /// Who asked for it.
    pub who: String,
    /// And why.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// A withdrawal that waits for the holder of the stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withdrawal {
    /// The operation.
    pub id: u64,
    /// From which prize.
    pub prize: Prize,
    /// At most this many.
    pub units: u64,
}

/// A change of stock that somebody asks for.
#[derive(Debug, Clone)]
pub struct StockChange {
    /// Of which prize.
    pub prize: Prize,
    /// How many units, at least 1.
    pub units: u64,
    /// Who asks.
    pub who: String,
    /// And why.
    pub why: String,
}

impl<D: Database> Meta<D> {
    const SQL: &MetaStatements = &D::DIALECT.meta;

    /// The meta database in `database`, which must be migrated.
    pub fn new(database: D) -> Self {
        let idle_max = if D::KEEPS_IDLE { CONNECTIONS_MAX } else { 0 };
        Self {
            pool: Pool::new(
                database,
                PoolLimits {
                    all_max: CONNECTIONS_MAX,
                    idle_max,
                    wait: CONNECTION_WAIT,
                },
            ),
        }
    }

    /// Claims a run number that nobody had before; `None` when all are used up.
    pub async fn claim_run(&self) -> Result<Option<Run>, StoreError> {
        let mut connection = self.begin().await?;
        connection.execute(Self::SQL.claim_run, NOTHING).await?;
        let rows = connection.rows(Self::SQL.read_run, NOTHING).await?;
        let number = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        let Some(run) = Run::new(number) else {
            return Ok(None);
        };
        // Committed before it is used: a run that may be claimed twice is no run.
        self.commit(connection).await?;
        Ok(Some(run))
    }

    /// How many run numbers were claimed so far.
    pub async fn claimed_runs(&self) -> Result<u64, StoreError> {
        let rows = self.rows(Self::SQL.read_run, NOTHING).await?;
        rows.first().ok_or_else(|| out_of_range(0))?.number(0)
    }

    /// Has at least so many run numbers count as claimed.
    pub(crate) async fn raise_runs(&self, claimed: u64) -> Result<(), StoreError> {
        let mut connection = self.begin().await?;
        connection
            .execute(Self::SQL.raise_runs, &json_rows([[claimed]]))
            .await?;
        connection.commit().await
    }

    /// How users are spread; `None` before the first start.
    pub async fn slot_map(&self) -> Result<Option<(u32, u16, u16)>, StoreError> {
        let rows = self.rows(Self::SQL.read_slot_map, NOTHING).await?;
        rows.first()
            .map(|row| Ok((row.number(0)?, row.number(1)?, row.number(2)?)))
            .transpose()
    }

    /// Fixes how users are spread, at the first start.
    pub async fn fix_slot_map(&self, map: &SlotMap) -> Result<(), StoreError> {
        let row = json(&(map.version(), map.shards(), map.tables()));
        self.execute(Self::SQL.insert_slot_map, &row).await
    }

    /// The number that each change of campaigns or stock raises.
    pub async fn revision(&self) -> Result<u64, StoreError> {
        let rows = self.rows(Self::SQL.read_revision, NOTHING).await?;
        rows.first().ok_or_else(|| out_of_range(0))?.number(0)
    }

    /// The current version of each campaign. A stored text that this program cannot read is
    /// left out and reported, so that one bad campaign does not stop the others.
    pub async fn catalogue(&self) -> Result<Catalogue, StoreError> {
        let stored = self.rows(Self::SQL.read_campaigns, NOTHING).await?;
        let stored = stored
            .iter()
            .map(stored_campaign)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(
            Catalogue::new(stored.iter().filter_map(parse_stored))
                .switched(&self.switches().await?),
        )
    }

    /// All versions of all campaigns, by activity and version.
    pub async fn versions(&self) -> Result<Vec<StoredCampaign>, StoreError> {
        self.rows(Self::SQL.read_campaign_versions, NOTHING)
            .await?
            .iter()
            .map(stored_campaign)
            .collect()
    }

    /// Stores campaign files as new versions: all of them or, when one is refused, none. The
    /// first time a limited prize appears its count becomes its stock; from then on only stock
    /// operations change it.
    pub async fn publish(
        &self,
        texts: &[&str],
        who: &str,
        now: Timestamp,
    ) -> Result<Vec<Publication>, PublishError> {
        // Before the transaction: a faulty file must not hold the write lock.
        let campaigns = texts
            .iter()
            .map(|text| Campaign::parse(text))
            .collect::<Result<Vec<_>, _>>()?;
        let mut connection = self.begin().await?;
        let mut publications = Vec::with_capacity(texts.len());
        for (text, campaign) in texts.iter().zip(&campaigns) {
            publications.push(publish_one::<D>(&mut connection, campaign, text, who, now).await?);
        }
        if publications.iter().any(|publication| publication.new) {
            connection
                .execute(Self::SQL.raise_revision, NOTHING)
                .await?;
        }
        self.commit(connection).await?;
        Ok(publications)
    }

    /// Each prize's total: what was published and added, less what was withdrawn.
    pub async fn totals(&self) -> Result<BTreeMap<Prize, u64>, StoreError> {
        let rows = self.rows(Self::SQL.read_totals, NOTHING).await?;
        // Below zero only by a hand in the database: there is nothing to give out then, and the
        // audit says so.
        let total = |row: &<D::Connection as Connection>::Row| {
            Ok::<_, StoreError>(row.integer(2)?.max(0).unsigned_abs())
        };
        rows.iter()
            .map(|row| Ok((prize(row, 0)?, total(row)?)))
            .collect()
    }

    /// Adds units to a prize: they count from now on.
    pub async fn add_stock(&self, change: &StockChange, now: Timestamp) -> Result<u64, StoreError> {
        self.record("add", change, Some(change.units), now).await
    }

    /// Asks the holder of the stock to withdraw units; answers the operation's id.
    pub async fn ask_withdrawal(
        &self,
        change: &StockChange,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.record("withdraw", change, None, now).await
    }

    /// Withdrawals that wait.
    pub async fn waiting_withdrawals(&self) -> Result<Vec<Withdrawal>, StoreError> {
        let rows = self
            .rows(Self::SQL.read_waiting_operations, NOTHING)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Withdrawal {
                    id: row.number(0)?,
                    prize: prize(row, 1)?,
                    units: row.number(3)?,
                })
            })
            .collect()
    }

    /// Notes that `units` were withdrawn: the prize's total falls by them.
    pub async fn withdrawn(&self, withdrawal: u64, units: u64) -> Result<(), StoreError> {
        let applied = -i64::try_from(units).map_err(|_| out_of_range(1))?;
        let mut connection = self.begin().await?;
        connection
            .execute(Self::SQL.apply_operation, &json(&(withdrawal, applied)))
            .await?;
        connection
            .execute(Self::SQL.raise_revision, NOTHING)
            .await?;
        self.commit(connection).await
    }

    /// The change of the total that an operation made; `None` while it waits.
    pub async fn applied(&self, operation: u64) -> Result<Option<i64>, StoreError> {
        let rows = self
            .rows(Self::SQL.read_operation, &json(&[operation]))
            .await?;
        rows.first()
            .ok_or_else(|| out_of_range(0))?
            .optional_integer(0)
    }

    /// The same, once nothing else is under way that could still change it.
    pub(crate) async fn applied_for_good(&self, operation: u64) -> Result<Option<i64>, StoreError> {
        // Writers take turns, so whoever was before us has ended.
        let mut connection = self.begin().await?;
        let rows = connection
            .rows(Self::SQL.read_operation, &json(&[operation]))
            .await?;
        connection.rollback().await?;
        rows.first()
            .ok_or_else(|| out_of_range(0))?
            .optional_integer(0)
    }

    /// All operations on a prize, oldest first.
    pub async fn operations(&self, of: Prize) -> Result<Vec<Operation>, StoreError> {
        let rows = self
            .rows(
                Self::SQL.read_operations,
                &json(&(of.activity.get(), of.award.get())),
            )
            .await?;
        rows.iter().map(operation).collect()
    }

    /// Forgets the view that an earlier server had of its stock.
    pub async fn forget_snapshots(&self) -> Result<(), StoreError> {
        self.execute(Self::SQL.forget_snapshots, NOTHING).await
    }

    /// Writes the running server's view of its stock.
    pub async fn write_snapshots(
        &self,
        snapshots: &[Snapshot],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = |p: &Snapshot| {
            let prize = p.prize;
            (
                prize.activity.get(),
                prize.award.get(),
                p.total,
                p.left,
                p.open,
                p.issued,
                now.as_millisecond(),
            )
        };
        let rows = json_rows(snapshots.iter().map(row));
        self.execute(Self::SQL.write_snapshot, &rows).await
    }

    /// The view of its stock that a server wrote last.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>, StoreError> {
        let rows = self.rows(Self::SQL.read_snapshot, NOTHING).await?;
        let snapshot = |row: &<D::Connection as Connection>::Row| {
            Ok(Snapshot {
                prize: prize(row, 0)?,
                total: row.number(2)?,
                left: row.number(3)?,
                open: row.number(4)?,
                issued: row.number(5)?,
            })
        };
        rows.iter().map(snapshot).collect()
    }

    async fn record(
        &self,
        kind: &str,
        change: &StockChange,
        applied: Option<u64>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut connection = self.begin().await?;
        let id = insert_operation::<D>(&mut connection, kind, change, applied, now).await?;
        connection
            .execute(Self::SQL.raise_revision, NOTHING)
            .await?;
        self.commit(connection).await?;
        Ok(id)
    }

    /// A transaction that may write. Writers take turns, so that what one decides from what it
    /// reads still holds when it writes.
    pub(crate) async fn begin(&self) -> Result<Lease<D>, StoreError> {
        let mut connection = self.pool.get().await?;
        connection.begin().await?;
        connection.rows(Self::SQL.lock_revision, NOTHING).await?;
        Ok(connection)
    }

    /// Ends what [`Meta::begin`] began. Without it the transaction is undone: its connection
    /// closes.
    pub(crate) async fn commit(&self, mut connection: Lease<D>) -> Result<(), StoreError> {
        connection.commit().await?;
        self.pool.keep(connection);
        Ok(())
    }

    /// Raises the revision, and ends what [`Meta::begin`] began. Answers the new revision.
    pub(crate) async fn commit_revision(
        &self,
        mut connection: Lease<D>,
    ) -> Result<u64, ChangeError> {
        connection
            .execute(Self::SQL.raise_revision, NOTHING)
            .await?;
        let rows = connection.rows(Self::SQL.read_revision, NOTHING).await?;
        let revision = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        match self.commit(connection).await {
            Ok(()) => Ok(revision),
            // Whoever lost the answer to a commit knows nothing.
            Err(error @ StoreError::Unavailable(_)) => Err(ChangeError::InDoubt(error)),
            Err(error) => Err(ChangeError::NotMade(error)),
        }
    }

    /// Where it is stored.
    pub(crate) fn database(&self) -> &D {
        self.pool.database()
    }

    /// Its connections.
    pub(crate) fn pool(&self) -> &Pool<D> {
        &self.pool
    }

    pub(crate) async fn rows(
        &self,
        sql: &str,
        json: &str,
    ) -> Result<Vec<<D::Connection as Connection>::Row>, StoreError> {
        let mut connection = self.pool.get().await?;
        let rows = connection.rows(sql, json).await?;
        self.pool.keep(connection);
        Ok(rows)
    }

    async fn execute(&self, sql: &str, json: &str) -> Result<(), StoreError> {
        let mut connection = self.pool.get().await?;
        connection.execute(sql, json).await?;
        self.pool.keep(connection);
        Ok(())
    }
}

impl<D: Database> Claimed for Meta<D> {
    fn claimed(&self) -> Pin<Box<dyn Future<Output = Result<u64, StoreError>> + Send + '_>> {
        Box::pin(self.claimed_runs())
    }
}

impl<D: Database> Runs for Meta<D> {
    fn claim(&self) -> Pin<Box<dyn Future<Output = Result<Option<Run>, StoreError>> + Send + '_>> {
        Box::pin(self.claim_run())
    }
}

/// The bound value of statements that need none.
const NOTHING: &str = "[]";

fn json(row: &impl Serialize) -> String {
    serde_json::to_string(row).expect("plain values")
}

pub(crate) fn prize(row: &impl Columns, first: usize) -> Result<Prize, StoreError> {
    let activity = ActivityId::new(row.number(first)?).ok_or_else(|| out_of_range(first))?;
    let award = AwardId::new(row.number(first + 1)?).ok_or_else(|| out_of_range(first + 1))?;
    Ok(Prize { activity, award })
}

fn stored_campaign(row: &impl Columns) -> Result<StoredCampaign, StoreError> {
    let activity = ActivityId::new(row.number(0)?).ok_or_else(|| out_of_range(0))?;
    Ok(StoredCampaign {
        activity,
        version: row.number(1)?,
        text: row.text(2)?.to_owned(),
    })
}

fn parse_stored(stored: &StoredCampaign) -> Option<Published> {
    match Campaign::parse(&stored.text) {
        Ok(campaign) => Some(Published {
            version: stored.version,
            campaign,
        }),
        Err(error) => {
            tracing::error!(activity = %stored.activity, version = stored.version, %error, "a stored campaign cannot be read");
            None
        }
    }
}

fn operation(row: &impl Columns) -> Result<Operation, StoreError> {
    Ok(Operation {
        id: row.number(0)?,
        kind: row.text(1)?.to_owned(),
        units: row.number(2)?,
        applied: row.optional_integer(3)?,
        who: row.text(4)?.to_owned(),
        why: row.text(5)?.to_owned(),
        at: Timestamp::from_millisecond(row.integer(6)?).map_err(|_| out_of_range(6))?,
    })
}

/// Publishes one file within a transaction.
async fn publish_one<D: Database>(
    connection: &mut D::Connection,
    campaign: &Campaign,
    text: &str,
    who: &str,
    now: Timestamp,
) -> Result<Publication, PublishError> {
    let sql = &D::DIALECT.meta;
    let activity = campaign.activity.id;
    let stored = connection.rows(sql.read_campaigns, NOTHING).await?;
    let stored = stored
        .iter()
        .map(stored_campaign)
        .collect::<Result<Vec<_>, _>>()?;
    let previous = stored.iter().find(|stored| stored.activity == activity);
    if let Some(same) = previous.filter(|stored| stored.text == text) {
        return Ok(Publication {
            activity,
            version: same.version,
            new: false,
        });
    }
    let stocked = published_counts(connection, sql).await?;
    let reasons = reasons_against(campaign, &stored, previous, &stocked);
    if !reasons.is_empty() {
        return Err(PublishError::Refused(reasons));
    }
    let version = previous.map_or(1, |stored| stored.version + 1);
    let row = json(&(activity.get(), version, text, now.as_millisecond(), who));
    connection.execute(sql.insert_campaign, &row).await?;
    for (prize, units) in counts(campaign).filter(|(prize, _)| !stocked.contains_key(prize)) {
        let change = StockChange {
            prize,
            units,
            who: who.to_owned(),
            why: format!("version {version}"),
        };
        insert_operation::<D>(connection, "publish", &change, Some(units), now).await?;
    }
    Ok(Publication {
        activity,
        version,
        new: true,
    })
}

async fn insert_operation<D: Database>(
    connection: &mut D::Connection,
    kind: &str,
    change: &StockChange,
    applied: Option<u64>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let sql = &D::DIALECT.meta;
    let prize = change.prize;
    let row = json(&(
        prize.activity.get(),
        prize.award.get(),
        kind,
        change.units,
        applied,
        &change.who,
        &change.why,
        now.as_millisecond(),
    ));
    connection.execute(sql.insert_operation, &row).await?;
    let rows = connection.rows(sql.last_operation, NOTHING).await?;
    let id = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
    // What adds units must reach the servers that hold them; a withdrawal is noted when it is done.
    if D::DIALECT.lane_per_table && applied.is_some() {
        record_addition(connection, id, prize, change.units).await?;
    }
    Ok(id)
}

/// The counts that prizes were published with.
async fn published_counts<C: Connection>(
    connection: &mut C,
    sql: &MetaStatements,
) -> Result<BTreeMap<Prize, u64>, StoreError> {
    let rows = connection.rows(sql.read_published_counts, NOTHING).await?;
    rows.iter()
        .map(|row| Ok((prize(row, 0)?, row.number(2)?)))
        .collect()
}

/// The limited prizes of a campaign with their counts.
fn counts(campaign: &Campaign) -> impl Iterator<Item = (Prize, u64)> + '_ {
    let activity = campaign.activity.id;
    let limited = move |award: &market::campaign::Award| {
        Some((
            Prize {
                activity,
                award: award.id,
            },
            award.count?.get(),
        ))
    };
    campaign.strategy.awards.iter().filter_map(limited)
}

fn reasons_against(
    campaign: &Campaign,
    stored: &[StoredCampaign],
    previous: Option<&StoredCampaign>,
    stocked: &BTreeMap<Prize, u64>,
) -> Vec<String> {
    let catalogue = Catalogue::new(stored.iter().filter_map(parse_stored));
    let conflicts = catalogue
        .conflicts(campaign)
        .into_iter()
        .map(|conflict| conflict.to_string());
    let previous = previous
        .and_then(parse_stored)
        .map(|published| published.campaign);
    let incompatible = previous
        .as_ref()
        .map(|previous| campaign.incompatible_with(previous))
        .unwrap_or_default();
    // The version before may have left a prize out: what it was first published with counts.
    let judged: Vec<AwardId> = previous
        .iter()
        .flat_map(|previous| &previous.strategy.awards)
        .map(|award| award.id)
        .collect();
    let recounted = campaign.strategy.awards.iter().filter(|award| !judged.contains(&award.id)).filter_map(|award| {
        let first = *stocked.get(&Prize { activity: campaign.activity.id, award: award.id })?;
        let now = award.count.map_or("unlimited".to_owned(), |count| count.to_string());
        (award.count.map(NonZeroU64::get) != Some(first)).then(|| {
            format!(
                "award {} was first published with {first} units, the file says {now}: leave the count as it was and \
                 use `drawbridge stock add` to change its stock",
                award.id
            )
        })
    });
    conflicts
        .chain(incompatible.into_iter().map(|reason| reason.to_string()))
        .chain(recounted)
        .collect()
}

#[cfg(test)]
mod tests;
