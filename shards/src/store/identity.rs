//! Which cluster a database belongs to, which part of it it is, and how that cluster is laid out.
//!
//! Host names and the order of a list are easily mistaken, and the database of another cluster
//! would take draws too. So each database has one row that says where it belongs, and each new
//! connection checks that row.
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use market::random::Randomness;
use prometheus::{IntGauge, IntGaugeVec};

use super::{Columns, Connection, Database, StoreError, json_rows, out_of_range};
use crate::random::OsRandom;

/// The table that holds the row.
pub(crate) const IDENTITY_TABLE: &str = "cluster_identity";

/// Names a cluster, or an embedded installation: drawn when it is laid out, and never again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterId(String);

impl ClusterId {
    /// A new one.
    pub fn draw() -> Self {
        let mut random = OsRandom::default();
        Self(format!(
            "{:016x}{:016x}",
            random.next_u64(),
            random.next_u64()
        ))
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which part of a cluster a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseRole {
    /// The meta database.
    Meta,
    /// The shard with this number.
    Shard(u16),
}

impl DatabaseRole {
    /// As it is stored, and as metrics name it.
    pub(crate) fn label(self) -> String {
        match self {
            DatabaseRole::Meta => "meta".to_owned(),
            DatabaseRole::Shard(number) => format!("shard-{number}"),
        }
    }
}

impl fmt::Display for DatabaseRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseRole::Meta => write!(f, "the meta database"),
            DatabaseRole::Shard(number) => write!(f, "shard {number}"),
        }
    }
}

impl FromStr for DatabaseRole {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix("shard-") {
            Some(number) => number.parse().map(DatabaseRole::Shard).map_err(drop),
            None if text == "meta" => Ok(DatabaseRole::Meta),
            None => Err(()),
        }
    }
}

/// How users and units are spread; fixed when a cluster is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Shards.
    pub shards: u16,
    /// Tables in each.
    pub tables: u16,
    /// Stock servers; 0 where the stock is in memory.
    pub servers: u8,
    /// Segments of each item; 0 likewise.
    pub segments: u16,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shards,
            tables,
            servers,
            segments,
        } = self;
        write!(
            f,
            "{} of {}",
            counted(*shards, "shard"),
            counted(*tables, "table")
        )?;
        if *servers > 0 {
            let (servers, segments) = (
                counted((*servers).into(), "stock server"),
                counted(*segments, "segment"),
            );
            write!(f, ", {servers} and {segments} per prize")?;
        }
        Ok(())
    }
}

/// A number with its noun, in the singular or plural.
pub fn counted(number: u16, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

/// The identity that a database has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseIdentity {
    /// Which cluster it belongs to.
    pub cluster: ClusterId,
    /// Which part of that cluster it is.
    pub role: DatabaseRole,
    /// How that cluster is laid out.
    pub layout: Layout,
}

impl fmt::Display for DatabaseIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cluster,
            role,
            layout,
        } = self;
        write!(f, "{role} of cluster {cluster} ({layout})")
    }
}

impl DatabaseIdentity {
    /// From a row of `read_identity`.
    pub(crate) fn from_row(row: &impl Columns) -> Result<Self, StoreError> {
        let layout = Layout {
            shards: row.number(2)?,
            tables: row.number(3)?,
            servers: row.number(4)?,
            segments: row.number(5)?,
        };
        let role = row.text(1)?.parse().map_err(|()| out_of_range(1))?;
        Ok(Self {
            cluster: ClusterId(row.text(0)?.to_owned()),
            role,
            layout,
        })
    }

    /// Checks that a database with the identity `found` is the expected one.
    pub fn check(&self, found: Option<&DatabaseIdentity>) -> Result<(), IdentityMismatch> {
        if found == Some(self) {
            return Ok(());
        }
        Err(IdentityMismatch {
            expected: self.clone(),
            found: found.cloned(),
        })
    }
}

/// A database is not the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityMismatch {
    /// What was expected.
    pub expected: DatabaseIdentity,
    /// What it has stored; `None` when it has no identity.
    pub found: Option<DatabaseIdentity>,
}

impl fmt::Display for IdentityMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, found } = self;
        let Some(found) = found else {
            return write!(
                f,
                "expected {expected}, found a database without an identity: if it is the right one, run `drawbridge migrate`"
            );
        };
        let help = if found.cluster != expected.cluster {
            "it is another cluster's: point the configuration at this cluster's own"
        } else if found.role != expected.role {
            "two of the cluster's databases have changed places, or one is named twice: put each where it belongs (in a \
             configuration, the order of the [[storage.shard]] entries)"
        } else {
            "the layout is fixed when a cluster is laid out: this copy is of another time"
        };
        // An equal layout would only make the message longer.
        if found.layout == expected.layout {
            let whose = |identity: &DatabaseIdentity| {
                format!("{} of cluster {}", identity.role, identity.cluster)
            };
            return write!(
                f,
                "expected {}, found {}: {help}",
                whose(expected),
                whose(found)
            );
        }
        write!(f, "expected {expected}, found {found}: {help}")
    }
}

impl std::error::Error for IdentityMismatch {}

/// The identity that a database has stored; `None` when it has none.
pub async fn read_identity<D: Database>(
    connection: &mut D::Connection,
) -> Result<Option<DatabaseIdentity>, StoreError> {
    let sql = &D::DIALECT.identity;
    let tables = connection.rows(sql.list_tables, "[]").await?;
    for table in &tables {
        if table.text(0)? == IDENTITY_TABLE {
            let rows = connection.rows(sql.read_identity, "[]").await?;
            return rows.first().map(DatabaseIdentity::from_row).transpose();
        }
    }
    Ok(None)
}

/// Stores an identity in a database that has none. Returns the identity that it has then.
pub(crate) async fn write_identity<D: Database>(
    connection: &mut D::Connection,
    identity: &DatabaseIdentity,
) -> Result<Option<DatabaseIdentity>, StoreError> {
    let DatabaseIdentity {
        cluster,
        role,
        layout:
            Layout {
                shards,
                tables,
                servers,
                segments,
            },
    } = identity;
    let row = json_rows([(
        cluster.as_str(),
        role.label(),
        shards,
        tables,
        servers,
        segments,
    )]);
    match connection
        .execute(D::DIALECT.identity.write_identity, &row)
        .await
    {
        // A duplicate key means that another program was faster.
        Ok(_) | Err(StoreError::Conflict(_)) => read_identity::<D>(connection).await,
        Err(error) => Err(error),
    }
}

/// The identity that each new connection to a database must find; any by default.
#[derive(Debug, Clone, Default)]
pub struct ExpectedIdentity(Option<Arc<Expectation>>);

impl Eq for ExpectedIdentity {}

/// Compares addresses, not values: each expectation has a notice of its own.
impl PartialEq for ExpectedIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().map(Arc::as_ptr) == other.0.as_ref().map(Arc::as_ptr)
    }
}

#[derive(Debug)]
struct Expectation {
    identity: DatabaseIdentity,
    notice: MismatchNotice,
}

impl ExpectedIdentity {
    /// Exactly this identity.
    pub(crate) fn identity(identity: DatabaseIdentity) -> Self {
        let notice = MismatchNotice::of(identity.role.label());
        Self(Some(Arc::new(Expectation { identity, notice })))
    }

    /// Whether any identity will do.
    pub(crate) fn is_anything(&self) -> bool {
        self.0.is_none()
    }

    /// Checks the identity that a database has. A wrong one counts as unavailable.
    pub(crate) fn judge(&self, found: Option<&DatabaseIdentity>) -> Result<(), StoreError> {
        let Some(expectation) = &self.0 else {
            return Ok(());
        };
        let judged = expectation.identity.check(found);
        expectation.notice.record(&judged);
        judged.map_err(|mismatch| StoreError::Unavailable(mismatch.to_string()))
    }

    /// The identity that it must have; `None` for any.
    pub(crate) fn what(&self) -> Option<&DatabaseIdentity> {
        self.0.as_deref().map(|expectation| &expectation.identity)
    }

    /// Where its mismatches are reported.
    pub(crate) fn notice(&self) -> Option<&MismatchNotice> {
        self.0.as_deref().map(|expectation| &expectation.notice)
    }
}

/// Whether a part of the cluster was found to belong to another one: logged once, and shown as a
/// gauge while it lasts.
#[derive(Debug)]
pub(crate) struct MismatchNotice {
    part: String,
    strange: AtomicBool,
    gauge: OnceLock<IntGauge>,
}

impl MismatchNotice {
    pub(crate) fn of(part: String) -> Self {
        Self {
            part,
            strange: AtomicBool::new(false),
            gauge: OnceLock::new(),
        }
    }

    /// Shows it in these gauges from now on.
    pub(crate) fn show(&self, gauges: &IntGaugeVec) {
        let gauge = self
            .gauge
            .get_or_init(|| gauges.with_label_values(&[&self.part]));
        gauge.set(self.strange.load(Ordering::SeqCst).into());
    }

    /// Records whether the part is the right one.
    pub(crate) fn record<E: fmt::Display>(&self, judged: &Result<(), E>) {
        let strange = judged.is_err();
        // Draws call this: mostly nothing has changed.
        if self.strange.load(Ordering::Relaxed) == strange
            || self.strange.swap(strange, Ordering::SeqCst) == strange
        {
            return;
        }
        if let Some(gauge) = self.gauge.get() {
            gauge.set(strange.into());
        }
        match judged {
            Ok(()) => tracing::info!(part = self.part, "it belongs to this cluster again"),
            Err(why) => {
                tracing::error!(part = self.part, %why, "it does not belong to this cluster, and is not used");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(cluster: &str, role: DatabaseRole) -> DatabaseIdentity {
        let layout = Layout {
            shards: 2,
            tables: 4,
            servers: 1,
            segments: 8,
        };
        DatabaseIdentity {
            cluster: ClusterId(cluster.to_owned()),
            role,
            layout,
        }
    }

    #[test]
    fn each_kind_of_mismatch_says_what_was_expected_what_was_found_and_what_helps() {
        let expected = identity("aa", DatabaseRole::Shard(0));
        expected.check(Some(&expected)).expect("the same");
        let message = |found: Option<DatabaseIdentity>| {
            expected
                .check(found.as_ref())
                .expect_err("another")
                .to_string()
        };
        let mut copy = expected.clone();
        copy.layout.tables = 2;
        for (found, notifications) in [
            (
                None,
                ["expected shard 0 of cluster aa", "drawbridge migrate"],
            ),
            (
                Some(identity("bb", DatabaseRole::Shard(0))),
                ["found shard 0 of cluster bb", "another cluster's"],
            ),
            (
                Some(identity("aa", DatabaseRole::Shard(1))),
                ["found shard 1 of cluster aa", "[[storage.shard]]"],
            ),
            (
                Some(identity("aa", DatabaseRole::Meta)),
                ["found the meta database of cluster aa", "changed places"],
            ),
            (
                Some(copy),
                [
                    "2 shards of 2 tables, 1 stock server and 8 segments",
                    "another time",
                ],
            ),
        ] {
            let text = message(found);
            assert!(text.starts_with("expected shard 0 of cluster aa"), "{text}");
            assert!(
                notifications
                    .iter()
                    .all(|notification| text.contains(notification)),
                "{notifications:?}: {text}"
            );
        }
    }

    #[test]
    fn a_mismatch_is_shown_for_as_long_as_it_lasts() {
        let gauges =
            IntGaugeVec::new(prometheus::Opts::new("mismatch", "help"), &["part"]).expect("a name");
        let expected = ExpectedIdentity::identity(identity("aa", DatabaseRole::Shard(3)));
        let shown = || gauges.with_label_values(&["shard-3"]).get();
        assert!(matches!(
            expected.judge(None),
            Err(StoreError::Unavailable(_))
        ));
        expected.notice().expect("there is one").show(&gauges);
        assert_eq!(shown(), 1, "what was found before it is shown counts");
        expected
            .judge(Some(&identity("aa", DatabaseRole::Shard(3))))
            .expect("the right one");
        assert_eq!(shown(), 0);
        assert!(
            expected
                .judge(Some(&identity("bb", DatabaseRole::Shard(3))))
                .is_err()
        );
        assert_eq!(shown(), 1);
        ExpectedIdentity::default()
            .judge(None)
            .expect("anything goes");
    }

    #[test]
    fn ids_of_clusters_differ_and_parts_read_back() {
        let (one, two) = (ClusterId::draw(), ClusterId::draw());
        assert_ne!(one, two);
        assert!(
            one.as_str().len() == 32 && one.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{one}"
        );
        for role in [
            DatabaseRole::Meta,
            DatabaseRole::Shard(0),
            DatabaseRole::Shard(255),
        ] {
            assert_eq!(role.label().parse(), Ok(role));
        }
        assert_eq!("shard-x".parse::<DatabaseRole>(), Err(()));
    }
}
