//! Laying out: draws the id of a cluster or an embedded installation, and stores the identity of
//! each database.
//!
//! All databases are checked before anything is written. Databases of the version before have no
//! identity yet: they are adopted when nothing contradicts it. Databases of another installation
//! are refused. Several processes may do this at once. Shards are read before the meta database, so
//! an identity that a faster process has written to a shard is in the meta database when it is
//! compared.
use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use router::{ShardId, SlotMap};

use crate::meta::Meta;
use crate::store::tables::issued::ISSUED_TABLES;
use crate::store::tables::orders::Orders;
use crate::store::tables::{NUMBERED, NumberedTable as _, number_of, with_ids};
use crate::store::{
    ClusterId, Columns, Connection, ConversionProgress, Database, DatabaseIdentity, DatabaseRole,
    IDENTITY_TABLE, IdentityMismatch, Layout, MigrateError, OlderMeta, StoreError, last_grant_run,
    last_order_of, last_run_in, migrate_shard_watched, read_identity, write_identity,
};

const RECEIPT_TABLE: &str = "stock_receipt";

/// Why a database does not belong to what is to be laid out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It has another identity.
    #[error(transparent)]
    Mismatch(#[from] IdentityMismatch),
    /// It belongs to a cluster, but the meta database to none yet.
    #[error(
        "expected a database that belongs to no cluster yet, as the meta database does, found {0}: use the meta database \
         of that cluster, or empty databases"
    )]
    Taken(DatabaseIdentity),
    /// It was made with another number of tables.
    #[error(
        "expected {expected} tables, found {found}: the number is fixed when a cluster is laid out; configure {found}, or \
         use an empty database"
    )]
    Tables {
        /// How many are configured.
        expected: u16,
        /// How many exist.
        found: u16,
    },
    /// It has rows, but the meta database has none.
    #[error(
        "expected an empty database, as the meta database is, found accounts, orders or issued units: use the meta \
         database that belongs to them, or empty databases"
    )]
    Used,
    /// Its orders are those of another shard.
    #[error(
        "expected orders of {expected}, found those of {found}: two databases have changed places (in a configuration, the \
         order of the [[storage.shard]] entries)"
    )]
    Elsewhere {
        /// The shard that it should be.
        expected: DatabaseRole,
        /// The shard that it is.
        found: DatabaseRole,
    },
    /// The meta database is older than it.
    #[error(transparent)]
    Behind(#[from] OlderMeta),
}

/// Why something cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub enum FoundingError {
    /// A database failed.
    #[error("{0}: {1}")]
    Database(DatabaseRole, MigrateError),
    /// Databases do not belong here.
    #[error("{}", .0.iter().map(|(role, unfit)| format!("{role}: {unfit}")).collect::<Vec<_>>().join("\n"))]
    Unfit(Vec<(DatabaseRole, Unfit)>),
}

fn failed(role: DatabaseRole) -> impl Fn(StoreError) -> FoundingError {
    move |error| FoundingError::Database(role, error.into())
}

/// The contents of a shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Survey {
    identity: Option<DatabaseIdentity>,
    /// Whether its first schema change is done: a first migration may have died half-way.
    migrated: bool,
    /// Tables of orders.
    tables: u16,
    /// Whether there are draws.
    used: bool,
    /// The greatest run of its ids.
    run: u64,
    /// The shard of its orders, if that is another one.
    elsewhere: Option<ShardId>,
}

/// What is to be laid out, and what exists.
pub(crate) struct Founding<'a, D: Database> {
    meta: &'a Meta<D>,
    shards: &'a [D],
    layout: Layout,
    /// The identity of the meta database.
    known: Option<DatabaseIdentity>,
    surveys: Vec<Survey>,
}

impl<'a, D: Database> Founding<'a, D> {
    /// Reads everything and changes nothing. The meta database must be migrated. With
    /// `accept_older_meta` it may lack what the shards know.
    pub(crate) async fn look(
        meta: &'a Meta<D>,
        shards: &'a [D],
        map: &SlotMap,
        layout: Layout,
        accept_older_meta: bool,
    ) -> Result<Self, FoundingError> {
        let survey =
            |(number, shard)| async move { survey(shard, ShardId::new(number), map).await };
        let surveys = try_join_all((0..).zip(shards).map(survey)).await?;
        let mut connection = meta
            .database()
            .connect()
            .await
            .map_err(failed(DatabaseRole::Meta))?;
        let known = read_identity::<D>(&mut connection)
            .await
            .map_err(failed(DatabaseRole::Meta))?;
        let claimed = meta
            .runs()
            .claimed()
            .await
            .map_err(failed(DatabaseRole::Meta))?;
        let mut unfit: Vec<(DatabaseRole, Unfit)> = Vec::new();
        if let Some(known) = &known {
            let expected = DatabaseIdentity {
                cluster: known.cluster.clone(),
                role: DatabaseRole::Meta,
                layout,
            };
            unfit.extend(
                expected
                    .check(Some(known))
                    .err()
                    .map(|error| (DatabaseRole::Meta, error.into())),
            );
        }
        let cluster = match &known {
            Some(known) => Some(&known.cluster),
            None if accept_older_meta => only_cluster(&surveys),
            None => None,
        };
        for (number, survey) in (0..).zip(&surveys) {
            let expected = cluster.map(|cluster| DatabaseIdentity {
                cluster: cluster.clone(),
                role: DatabaseRole::Shard(number),
                layout,
            });
            let judged = judge(
                survey,
                DatabaseRole::Shard(number),
                expected.as_ref(),
                layout,
                claimed,
                accept_older_meta,
            );
            unfit.extend(
                judged
                    .err()
                    .map(|unfit| (DatabaseRole::Shard(number), unfit)),
            );
        }
        if !unfit.is_empty() {
            return Err(FoundingError::Unfit(unfit));
        }
        Ok(Self {
            meta,
            shards,
            layout,
            known,
            surveys,
        })
    }

    /// The greatest run of any shard's ids.
    pub(crate) fn last_run(&self) -> u64 {
        self.surveys
            .iter()
            .map(|survey| survey.run)
            .max()
            .unwrap_or(0)
    }

    /// Brings the shards up to date and stores the identity of all databases. Returns the cluster's
    /// id.
    pub(crate) async fn settle(
        self,
        progress: &ConversionProgress,
    ) -> Result<ClusterId, FoundingError> {
        let Self {
            meta,
            layout,
            known,
            surveys,
            ..
        } = &self;
        let cluster = known
            .as_ref()
            .map(|known| &known.cluster)
            .or_else(|| only_cluster(surveys));
        let cluster = cluster.cloned().unwrap_or_else(ClusterId::draw);
        let identity = store_identity(
            meta.database(),
            DatabaseIdentity {
                cluster,
                role: DatabaseRole::Meta,
                layout: *layout,
            },
        )
        .await;
        let found = identity.map_err(failed(DatabaseRole::Meta))?;
        // It is another one when another process has just drawn one.
        let drawn = found
            .as_ref()
            .filter(|found| (found.role, found.layout) == (DatabaseRole::Meta, *layout));
        let Some(DatabaseIdentity { cluster, .. }) = drawn.cloned() else {
            let error =
                StoreError::Conflict("its identity was changed by another process".to_owned());
            return Err(failed(DatabaseRole::Meta)(error));
        };
        let mut unfit = Vec::new();
        // One after the other: if two of them are the same database, it becomes the first.
        for (number, shard) in (0..).zip(self.shards) {
            let identity = DatabaseIdentity {
                cluster: cluster.clone(),
                role: DatabaseRole::Shard(number),
                layout: *layout,
            };
            unfit.extend(settle_shard(shard, identity, progress).await?);
        }
        if unfit.is_empty() {
            Ok(cluster)
        } else {
            Err(FoundingError::Unfit(unfit))
        }
    }
}

/// The one cluster that the shards belong to.
fn only_cluster(surveys: &[Survey]) -> Option<&ClusterId> {
    surveys
        .iter()
        .find_map(|survey| survey.identity.as_ref())
        .map(|identity| &identity.cluster)
}

/// Checks that a shard is, or may become, the expected one: `expected`, or any shard of a new
/// cluster.
fn judge(
    survey: &Survey,
    role: DatabaseRole,
    expected: Option<&DatabaseIdentity>,
    layout: Layout,
    claimed: u64,
    accept_older_meta: bool,
) -> Result<(), Unfit> {
    match (&survey.identity, expected) {
        (Some(found), Some(expected)) => expected.check(Some(found))?,
        (Some(found), None) => return Err(Unfit::Taken(found.clone())),
        (None, _) => {
            if survey.migrated && survey.tables != layout.tables {
                return Err(Unfit::Tables {
                    expected: layout.tables,
                    found: survey.tables,
                });
            }
            if let Some(shard) = survey.elsewhere {
                return Err(Unfit::Elsewhere {
                    expected: role,
                    found: DatabaseRole::Shard(shard.get()),
                });
            }
            if survey.used && claimed == 0 && !accept_older_meta {
                return Err(Unfit::Used);
            }
        }
    }
    if survey.run > claimed && !accept_older_meta {
        return Err(OlderMeta {
            run: survey.run,
            claimed,
        }
        .into());
    }
    Ok(())
}

async fn store_identity<D: Database>(
    database: &D,
    identity: DatabaseIdentity,
) -> Result<Option<DatabaseIdentity>, StoreError> {
    let mut connection = database.connect().await?;
    match read_identity::<D>(&mut connection).await? {
        Some(found) => Ok(Some(found)),
        None => write_identity::<D>(&mut connection, &identity).await,
    }
}

/// Brings a shard up to date and stores its identity. Returns why it cannot.
async fn settle_shard<D: Database>(
    shard: &D,
    identity: DatabaseIdentity,
    progress: &ConversionProgress,
) -> Result<Option<(DatabaseRole, Unfit)>, FoundingError> {
    let role = identity.role;
    let migrated = migrate_shard_watched(shard, identity.layout.tables, progress).await;
    migrated.map_err(|error| FoundingError::Database(role, error))?;
    let found = store_identity(shard, identity.clone())
        .await
        .map_err(failed(role))?;
    Ok(identity
        .check(found.as_ref())
        .err()
        .map(|mismatch| (role, mismatch.into())))
}

async fn survey<D: Database>(
    shard: &D,
    number: ShardId,
    map: &SlotMap,
) -> Result<Survey, FoundingError> {
    let role = DatabaseRole::Shard(number.get());
    let surveyed = async { survey_on::<D>(&mut shard.connect().await?, number, map).await };
    surveyed.await.map_err(failed(role))
}

async fn survey_on<D: Database>(
    connection: &mut D::Connection,
    number: ShardId,
    map: &SlotMap,
) -> Result<Survey, StoreError> {
    let names = connection
        .rows(D::DIALECT.identity.list_tables, "[]")
        .await?;
    let names = names
        .iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect::<Result<BTreeSet<_>, _>>()?;
    let numbers = |table: &str| -> Vec<u16> {
        let numbers = names.iter().filter_map(|name| number_of(table, name));
        numbers.collect()
    };
    let orders = numbers(Orders::NAME);
    let mut survey = Survey {
        tables: u16::try_from(orders.len()).unwrap_or(u16::MAX),
        ..Survey::default()
    };
    if names.contains(IDENTITY_TABLE) {
        survey.identity = read_identity::<D>(connection).await?;
    }
    if names.contains("schema_version") {
        survey.migrated = has_rows(connection, "schema_version").await?;
    }
    let shows_use = |name: &&String| {
        let mut tables = NUMBERED.iter().filter(|table| table.shows_use);
        tables.any(|table| number_of(table.name, name).is_some())
            || ISSUED_TABLES.contains(&name.as_str())
    };
    for name in names.iter().filter(shows_use) {
        survey.used = survey.used || has_rows(connection, name).await?;
    }
    for &table in &orders {
        if let Some(order) = last_order_of::<D>(connection, table).await? {
            let home = map.route_slot(router::slot_of(order)).shard();
            survey.elsewhere = survey
                .elsewhere
                .or(Some(home).filter(|home| *home != number));
        }
    }
    for rows in with_ids() {
        let there = numbers(rows.name).into_iter();
        survey.run = (survey.run).max(last_run_in::<D>(connection, &rows, there).await?);
    }
    // A database of the version before has none.
    if names.contains(RECEIPT_TABLE) {
        survey.run = survey.run.max(last_grant_run::<D>(connection).await?);
    }
    Ok(survey)
}

async fn has_rows<C: Connection>(connection: &mut C, table: &str) -> Result<bool, StoreError> {
    let rows = connection
        .rows(&format!("SELECT 1 FROM {table} LIMIT 1"), "[]")
        .await?;
    Ok(!rows.is_empty())
}
