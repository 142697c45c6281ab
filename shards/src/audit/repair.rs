//! The repair of labels: an account that counts for a day which has not begun, because a clock was
//! ahead once, is set back to its latest day that has. A note in the shard says so, by which the
//! audit accepts the orders of that clock.
//!
//! In a cluster each account is locked for as long as that takes, as a batch would lock it. The
//! embedded default has one writer, so there no server may run meanwhile.
use jiff::Timestamp;
use router::SlotMap;

use super::audited::{AuditError, Audited};
use super::clock::Clock;
use super::history::{Context, Labels, Place, labels_set_back};
use super::known::{Known, Learner};
use super::paged_tables::{PagedTables, json};
use super::pages::{CallsOf, Pages, ROWS_MAX, all_of};
use super::progress::Progress;
use super::report::{Check, Report};
use super::rows::{LabelRepair, OfUser, StoredAccount};
use super::run::run;
use crate::installation::cluster::Cluster;
use crate::installation::embedded::{Folder, FolderError};
use crate::installation::opened::{BackEnd, Installation};
use crate::meta::{AuditEntry, Meta};
use crate::store::{
    Access, Connection, Database, MigrateError, StoreError, json_rows, migrate_shard, out_of_range,
};

/// How often an account that draws meanwhile is looked at again.
const TRIES_MAX: usize = 10;

/// What was mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mended {
    /// Accounts whose label was set back.
    pub(super) accounts: u64,
    /// Accounts whose label is ahead and that have another fault besides, or changed all the time.
    pub(super) left: u64,
}

/// Why nothing more was mended.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// It could not look.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A running server writes to the folder.
    #[error(
        "{0}: accounts of the embedded default are mended only while no server runs; stop it first"
    )]
    Held(FolderError),
    /// The stock servers could not be repaired.
    #[error("{0}")]
    Stock(String),
    /// A shard cannot be brought up to date.
    #[error("{name}: {error}")]
    Migrate {
        /// Which.
        name: String,
        /// Why.
        error: MigrateError,
    },
}

impl Installation {
    /// Repairs what is safe to repair, and audits what is stored. Accounts that count for a day
    /// which has not begun are set back; in a cluster open grants are decided, recorded operations
    /// delivered, and what is left is counted again where the sum is wrong. `told` gets one line for
    /// each thing that was done.
    pub async fn repair_and_audit(
        &self,
        who: &str,
        why: &str,
        progress: &Progress,
        told: &mut dyn FnMut(String),
    ) -> Result<Report, RepairError> {
        match self.back_end() {
            // The embedded default counts its stock again at each start.
            BackEnd::Embedded(folder) => {
                tell(mend_labels(folder, who, why).await?, told);
                Ok(run(folder, progress).await?)
            }
            BackEnd::Cluster(cluster) => {
                // Accounts first: they need no stock server, and players are refused meanwhile.
                tell(mend_labels_of_cluster(cluster, who, why).await?, told);
                let done = cluster.repair_stock().await.map_err(RepairError::Stock)?;
                done.into_iter().for_each(&mut *told);
                let report = run(cluster, progress).await?;
                let wrong = |check: &Check| check.name == "stock_adds_up" && check.is_broken();
                if !report.checks.iter().any(wrong) {
                    return Ok(report);
                }
                let rebuilt = cluster
                    .rebuild(who, why)
                    .await
                    .map_err(RepairError::Stock)?;
                for (server, epoch) in rebuilt {
                    told(format!(
                        "stock server {server}: rebuilt under epoch {epoch}"
                    ));
                }
                Ok(run(cluster, progress).await?)
            }
        }
    }
}

fn tell(mended: Mended, told: &mut dyn FnMut(String)) {
    let Mended { accounts, left } = mended;
    if accounts > 0 {
        told(format!(
            "{accounts} accounts set back to their latest day that has begun"
        ));
    }
    if left > 0 {
        told(format!(
            "{left} accounts of a day that has not begun are left as they are: their orders do not match them, or \
             they changed all the time"
        ));
    }
}

impl From<FolderError> for RepairError {
    fn from(error: FolderError) -> Self {
        match error {
            held @ FolderError::Held(_) => Self::Held(held),
            error => Self::Audit(AuditError::Folder(error)),
        }
    }
}

/// Sets back the labels in a data folder, for the record by `who` and because of `why`.
pub(super) async fn mend_labels(
    folder: &Folder,
    who: &str,
    why: &str,
) -> Result<Mended, RepairError> {
    let Some(map) = folder.map().await? else {
        return Ok(Mended::default());
    };
    let held = folder.clone().hold().await?;
    for shard in 0..map.shards() {
        let migrated = migrate_shard(&folder.shard(shard, Access::Write), map.tables()).await;
        migrated.map_err(|error| RepairError::Migrate {
            name: folder.shard_name(shard),
            error,
        })?;
    }
    let shard = |number| folder.shard(number, Access::Write);
    Ok(Repair::new(folder, held.meta().clone(), &map, who, why)
        .run(shard)
        .await?)
}

/// The same in a cluster, beside its gateways.
pub(super) async fn mend_labels_of_cluster(
    cluster: &Cluster,
    who: &str,
    why: &str,
) -> Result<Mended, RepairError> {
    let shard = |number| cluster.shards()[usize::from(number)].clone();
    Ok(
        Repair::new(cluster, cluster.meta().clone(), cluster.map(), who, why)
            .run(shard)
            .await?,
    )
}

struct Repair<'a, A: Audited> {
    place: &'a A,
    meta: Meta<A::Database>,
    map: &'a SlotMap,
    who: &'a str,
    why: &'a str,
    mended: Mended,
}

/// One account that may be ahead.
struct Suspect<'a> {
    user: &'a str,
    activity: i64,
    /// The latest label that is not.
    latest: i64,
    now: Timestamp,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RepairOutcome {
    Mended,
    Sound,
    Left,
}

impl<'a, A: Audited> Repair<'a, A> {
    fn new(
        place: &'a A,
        meta: Meta<A::Database>,
        map: &'a SlotMap,
        who: &'a str,
        why: &'a str,
    ) -> Self {
        Self {
            place,
            meta,
            map,
            who,
            why,
            mended: Mended::default(),
        }
    }

    async fn run(mut self, shard: impl Fn(u16) -> A::Database) -> Result<Mended, AuditError> {
        let learned = Learner::new(self.meta.clone()).learn().await;
        let known = learned.map_err(|error| self.meta_failed(error))?;
        for number in 0..self.map.shards() {
            let failed = |error| AuditError::Database {
                name: self.place.shard_name(number),
                error,
            };
            let mut connection = shard(number).connect().await.map_err(failed)?;
            for table in 0..self.map.tables() {
                self.table(
                    &mut connection,
                    Place {
                        shard: number,
                        table,
                    },
                    &known,
                )
                .await?;
            }
        }
        Ok(self.mended)
    }

    fn meta_failed(&self, error: StoreError) -> AuditError {
        AuditError::Database {
            name: self.place.meta_name(),
            error,
        }
    }

    async fn table(
        &mut self,
        connection: &mut <A::Database as Database>::Connection,
        at: Place,
        known: &Known,
    ) -> Result<(), AuditError> {
        let name = self.place.shard_name(at.shard);
        let failed = |error| AuditError::Database {
            name: name.clone(),
            error,
        };
        let tables = PagedTables::new(&A::Database::DIALECT, at.table, ROWS_MAX);
        let clock = Clock::read::<A::Database>(connection)
            .await
            .map_err(failed)?;
        let mut pages = Pages::new(&tables);
        while let Some(accounts) = pages.next_accounts(connection).await.map_err(failed)? {
            let context = Context {
                place: at,
                map: self.map,
                known,
                now: clock.now(),
            };
            for (user, account) in accounts {
                let Some(latest) = context.latest_label(account.activity) else {
                    continue;
                };
                if account.day <= latest {
                    continue;
                }
                self.note_once().await?;
                let suspect = Suspect {
                    user: &user,
                    activity: account.activity,
                    latest,
                    now: context.now,
                };
                match suspect.mend(connection, &tables).await.map_err(failed)? {
                    RepairOutcome::Mended => self.mended.accounts += 1,
                    RepairOutcome::Left => self.mended.left += 1,
                    RepairOutcome::Sound => {}
                }
            }
        }
        Ok(())
    }

    /// The record comes before the deed, and only where there is one.
    async fn note_once(&self) -> Result<(), AuditError> {
        if self.mended != Mended::default() {
            return Ok(());
        }
        let entry = AuditEntry {
            at: Timestamp::now(),
            who: self.who.to_owned(),
            what: "audit --repair".to_owned(),
            detail: "accounts whose day has not begun are set back".to_owned(),
            why: self.why.to_owned(),
        };
        self.meta
            .audit_log()
            .add(&entry)
            .await
            .map_err(|error| self.meta_failed(error))
    }
}

impl Suspect<'_> {
    async fn mend(
        &self,
        connection: &mut impl Connection,
        tables: &PagedTables,
    ) -> Result<RepairOutcome, StoreError> {
        for _ in 0..TRIES_MAX {
            let Some(account) = self.account(connection, tables).await? else {
                return Ok(RepairOutcome::Sound);
            };
            if account.day <= self.latest {
                return Ok(RepairOutcome::Sound);
            }
            let Some(labels) = self.labels(connection, tables, account).await? else {
                continue;
            };
            // Its orders were read without a lock: they are all, as long as it still says the same.
            connection.begin().await?;
            let locked = connection
                .rows(
                    &tables.sql.accounts.lock,
                    &json(&(self.user, self.activity)),
                )
                .await?;
            if locked.first().map(StoredAccount::of).transpose()? != Some(account) {
                connection.rollback().await?;
                continue;
            }
            self.write(connection, tables, account, labels).await?;
            connection.commit().await?;
            return Ok(RepairOutcome::Mended);
        }
        Ok(RepairOutcome::Left)
    }

    async fn account(
        &self,
        connection: &mut impl Connection,
        tables: &PagedTables,
    ) -> Result<Option<StoredAccount>, StoreError> {
        let accounts: Vec<StoredAccount> =
            all_of(connection, &tables.sql.accounts.of_user, self.user).await?;
        Ok(accounts
            .into_iter()
            .find(|account| account.activity == self.activity))
    }

    async fn labels(
        &self,
        connection: &mut impl Connection,
        tables: &PagedTables,
        account: StoredAccount,
    ) -> Result<Option<Labels>, StoreError> {
        let repairs: Vec<LabelRepair> =
            all_of(connection, &tables.sql.label_repairs.of_user, self.user).await?;
        let mut orders = Vec::new();
        let mut calls = CallsOf::new(tables, self.user);
        while let Some(made) = calls.next(connection).await? {
            let of_activity = made.orders.iter().map(|(_, order)| order);
            let of_activity = of_activity.filter(|order| order.activity == self.activity);
            orders.extend(of_activity.map(|order| (order.ordinal, order.id, order.day)));
        }
        orders.sort_unstable();
        Ok(labels_set_back(
            account,
            &repairs,
            orders.into_iter().map(|(_, _, day)| day),
            self.latest,
        ))
    }

    async fn write(
        &self,
        connection: &mut impl Connection,
        tables: &PagedTables,
        account: StoredAccount,
        labels: Labels,
    ) -> Result<(), StoreError> {
        let (user, activity) = (self.user, self.activity);
        let note = (
            user,
            activity,
            account.used,
            self.latest,
            account.day,
            self.now.as_millisecond(),
        );
        connection
            .execute(&tables.sql.label_repairs.insert, &json_rows([note]))
            .await?;
        let Labels {
            day,
            day_orders,
            month_orders,
        } = labels;
        let set = json_rows([(user, activity, day, day_orders, month_orders)]);
        // The account is locked and its day differs, so exactly one row changes.
        if connection
            .execute(&tables.sql.accounts.set_label, &set)
            .await?
            == 1
        {
            Ok(())
        } else {
            Err(out_of_range(0))
        }
    }
}
