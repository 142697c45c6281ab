//! The repair of labels. A clock that was ahead once can leave an account that counts for a day
//! which has not begun. The repair sets it back to its latest day that has begun, and notes that in
//! the shard. By the note the audit accepts the orders of that clock. Sign-ins have labels too:
//! `repair_sign_ins`.
//!
//! In a cluster the repair locks each account while it works on it, as a batch does. The embedded
//! default has one writer, so no server may run there meanwhile.
use jiff::Timestamp;
use router::SlotMap;

use super::audited::{AuditError, Audited};
use super::clock::DatabaseClock;
use super::history::{DayLabels, RowContext, TableLocation, labels_set_back};
use super::known::{Known, Learner};
use super::paged_tables::{PagedTables, json};
use super::pages::{CallsOf, Pages, ROWS_MAX, all_of};
use super::progress::AuditProgress;
use super::repair_outcome::{LabelRepaired, Suspect, TRIES_MAX, suspects};
use super::repair_sign_ins::SuspectSignIn;
use super::report::{AuditReport, CheckReport};
use super::rows::{LabelRepair, OfUser, StoredAccount, StoredRepair, StoredSignIn};
use super::run::run;
use crate::installation::cluster::Cluster;
use crate::installation::embedded::{Folder, FolderError};
use crate::installation::opened::{BackEnd, Installation};
use crate::meta::{AuditEntry, Meta};
use crate::store::{
    Access, Connection, Database, MigrateError, StoreError, json_rows, migrate_shard, out_of_range,
};

/// What a repair of labels did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LabelsRepaired {
    /// Accounts whose label was set back.
    pub(super) accounts: u64,
    /// Sign-ins of users in an activity that were.
    pub(super) sign_ins: u64,
    /// Accounts and sign-ins whose label is ahead, but that have another fault too or changed at
    /// each try.
    pub(super) left: u64,
}

impl LabelsRepaired {
    /// Counts a row, by `set_back` where it was set back.
    fn count(&mut self, row: LabelRepaired, set_back: fn(&mut Self) -> &mut u64) {
        match row {
            LabelRepaired::SetBack => *set_back(self) += 1,
            LabelRepaired::Left => self.left += 1,
            LabelRepaired::Correct => {}
        }
    }
}

/// Why a repair stopped.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Something could not be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A running server writes to the folder.
    #[error(
        "{0}: accounts of the embedded default are repaired only while no server runs; stop it first"
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
    /// Repairs what is safe to repair, and then audits. Sets back accounts that count for a day
    /// which has not begun. In a cluster it also decides open grants, delivers recorded operations,
    /// and counts units left again where the sum is wrong. `done` gets one line for each thing that
    /// was repaired.
    pub async fn repair_and_audit(
        &self,
        who: &str,
        why: &str,
        progress: &AuditProgress,
        done: &mut dyn FnMut(String),
    ) -> Result<AuditReport, RepairError> {
        match self.back_end() {
            // The embedded default counts its stock again at each start.
            BackEnd::Embedded(folder) => {
                list(repair_labels(folder, who, why).await?, done);
                Ok(run(folder, progress).await?)
            }
            BackEnd::Cluster(cluster) => {
                // Accounts first: they need no stock server, and their users are refused meanwhile.
                list(repair_labels_of_cluster(cluster, who, why).await?, done);
                let repaired = cluster.repair_stock().await.map_err(RepairError::Stock)?;
                repaired.into_iter().for_each(&mut *done);
                let report = run(cluster, progress).await?;
                let wrong =
                    |check: &CheckReport| check.name == "stock_adds_up" && check.is_broken();
                if !report.checks.iter().any(wrong) {
                    return Ok(report);
                }
                let rebuilt = cluster
                    .rebuild(who, why)
                    .await
                    .map_err(RepairError::Stock)?;
                for (server, epoch) in rebuilt {
                    done(format!(
                        "stock server {server}: rebuilt under epoch {epoch}"
                    ));
                }
                Ok(run(cluster, progress).await?)
            }
        }
    }
}

fn list(repaired: LabelsRepaired, done: &mut dyn FnMut(String)) {
    let LabelsRepaired {
        accounts,
        sign_ins,
        left,
    } = repaired;
    if accounts > 0 {
        done(format!(
            "{accounts} accounts were set back to their latest day that has begun"
        ));
    }
    if sign_ins > 0 {
        done(format!(
            "{sign_ins} sign-ins were set back to the last one on a day that has begun"
        ));
    }
    if left > 0 {
        done(format!(
            "{left} accounts or sign-ins of a day that has not begun are left as they are: they do not match their \
             orders, or changed at each try"
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

/// Sets back the labels in a data folder. The audit log gets `who` and `why`.
pub(super) async fn repair_labels(
    folder: &Folder,
    who: &str,
    why: &str,
) -> Result<LabelsRepaired, RepairError> {
    let Some(map) = folder.map().await? else {
        return Ok(LabelsRepaired::default());
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
    Ok(RepairRun::new(folder, held.meta().clone(), &map, who, why)
        .run(shard)
        .await?)
}

/// Sets back the labels in a cluster, while its gateways run.
pub(super) async fn repair_labels_of_cluster(
    cluster: &Cluster,
    who: &str,
    why: &str,
) -> Result<LabelsRepaired, RepairError> {
    let shard = |number| cluster.shards()[usize::from(number)].clone();
    Ok(
        RepairRun::new(cluster, cluster.meta().clone(), cluster.map(), who, why)
            .run(shard)
            .await?,
    )
}

struct RepairRun<'a, A: Audited> {
    installation: &'a A,
    meta: Meta<A::Database>,
    map: &'a SlotMap,
    who: &'a str,
    why: &'a str,
    repaired: LabelsRepaired,
}

impl<'a, A: Audited> RepairRun<'a, A> {
    fn new(
        installation: &'a A,
        meta: Meta<A::Database>,
        map: &'a SlotMap,
        who: &'a str,
        why: &'a str,
    ) -> Self {
        Self {
            installation,
            meta,
            map,
            who,
            why,
            repaired: LabelsRepaired::default(),
        }
    }

    async fn run(
        mut self,
        shard: impl Fn(u16) -> A::Database,
    ) -> Result<LabelsRepaired, AuditError> {
        let learned = Learner::new(self.meta.clone()).learn().await;
        let known = learned.map_err(|error| self.installation.meta_failed(error))?;
        for number in 0..self.map.shards() {
            let failed = |error| self.installation.shard_failed(number, error);
            let mut connection = shard(number).connect().await.map_err(failed)?;
            for table in 0..self.map.tables() {
                self.table(
                    &mut connection,
                    TableLocation {
                        shard: number,
                        table,
                    },
                    &known,
                )
                .await?;
            }
        }
        Ok(self.repaired)
    }

    async fn table(
        &mut self,
        connection: &mut <A::Database as Database>::Connection,
        at: TableLocation,
        known: &Known,
    ) -> Result<(), AuditError> {
        let tables = PagedTables::new(&A::Database::DIALECT, at.table, ROWS_MAX);
        let clock = DatabaseClock::read::<A::Database>(connection).await;
        let clock = clock.map_err(|error| self.installation.shard_failed(at.shard, error))?;
        let map = self.map;
        let context = || RowContext {
            at,
            map,
            known,
            now: clock.now(),
        };
        self.accounts(connection, &tables, &context).await?;
        self.sign_ins(connection, &tables, &context).await
    }

    async fn accounts<'c>(
        &mut self,
        connection: &mut <A::Database as Database>::Connection,
        tables: &PagedTables,
        context: &(impl Fn() -> RowContext<'c> + Sync),
    ) -> Result<(), AuditError> {
        let (installation, at) = (self.installation, context().at);
        let failed = |error| installation.shard_failed(at.shard, error);
        let (mut pages, sql) = (Pages::new(tables), &tables.sql.accounts);
        let statements = (&*sql.page, &*sql.of_user);
        loop {
            let rows = pages.next_rows::<StoredAccount>(connection, statements);
            let Some(rows) = rows.await.map_err(failed)? else {
                return Ok(());
            };
            let (context, label) = (context(), |row: &StoredAccount| (row.activity, row.day));
            for suspect in suspects(&rows, &context, label) {
                self.log_once().await?;
                let repaired = suspect.repair(connection, tables).await.map_err(failed)?;
                self.repaired
                    .count(repaired, |repaired| &mut repaired.accounts);
            }
        }
    }

    async fn sign_ins<'c>(
        &mut self,
        connection: &mut <A::Database as Database>::Connection,
        tables: &PagedTables,
        context: &(impl Fn() -> RowContext<'c> + Sync),
    ) -> Result<(), AuditError> {
        let (installation, at) = (self.installation, context().at);
        let failed = |error| installation.shard_failed(at.shard, error);
        let (mut pages, sql) = (Pages::new(tables), &tables.sql.sign_ins);
        let statements = (&*sql.page, &*sql.of_user);
        loop {
            let rows = pages.next_rows::<StoredSignIn>(connection, statements);
            let Some(rows) = rows.await.map_err(failed)? else {
                return Ok(());
            };
            let (context, label) = (context(), |row: &StoredSignIn| (row.activity, row.day));
            for suspect in suspects(&rows, &context, label) {
                let suspect = SuspectSignIn(suspect);
                self.log_once().await?;
                let repaired = suspect.repair(connection, tables).await.map_err(failed)?;
                self.repaired
                    .count(repaired, |repaired| &mut repaired.sign_ins);
            }
        }
    }

    /// Adds an entry to the audit log before the first account is changed; none where nothing is
    /// changed.
    async fn log_once(&self) -> Result<(), AuditError> {
        if self.repaired != LabelsRepaired::default() {
            return Ok(());
        }
        let entry = AuditEntry {
            at: Timestamp::now(),
            who: self.who.to_owned(),
            what: "audit --repair".to_owned(),
            detail: "accounts and sign-ins whose day has not begun are set back".to_owned(),
            why: self.why.to_owned(),
        };
        self.meta
            .audit_log()
            .add(&entry)
            .await
            .map_err(|error| self.installation.meta_failed(error))
    }
}

impl Suspect<'_> {
    async fn repair(
        &self,
        connection: &mut impl Connection,
        tables: &PagedTables,
    ) -> Result<LabelRepaired, StoreError> {
        for _ in 0..TRIES_MAX {
            let Some(account) = self.account(connection, tables).await? else {
                return Ok(LabelRepaired::Correct);
            };
            if account.day <= self.latest {
                return Ok(LabelRepaired::Correct);
            }
            let Some(labels) = self.labels(connection, tables, account).await? else {
                continue;
            };
            // Its orders were read without a lock. They are complete if the account is still the
            // same.
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
            return Ok(LabelRepaired::SetBack);
        }
        Ok(LabelRepaired::Left)
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
    ) -> Result<Option<DayLabels>, StoreError> {
        let repairs: Vec<StoredRepair> =
            all_of(connection, &tables.sql.label_repairs.of_user, self.user).await?;
        let repairs = repairs.into_iter().filter_map(StoredRepair::of_account);
        let repairs: Vec<LabelRepair> = repairs.collect();
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
        labels: DayLabels,
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
        let DayLabels {
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
