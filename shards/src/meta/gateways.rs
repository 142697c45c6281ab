//! Reports of gateways: which gateways there are, which revision each obeys, what it could not
//! obey. There is one row per gateway, with its latest time by the database's clock.
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::columns::{NOTHING, string, time};
use super::connections::Meta;
use super::statements::statements;
use crate::store::{Columns, MysqlDatabase, StoreError, json_rows};

statements! {
    /// Statements on gateways' reports. Only MySQL has them: the embedded default has one gateway,
    /// which keeps its own report.
    GatewayStatements in "gateways" for mysql {
        /// Writes a gateway's report, whatever instance the row is of.
        put_gateway,
        /// The same, only while the row is this instance's.
        update_gateway,
        /// All reports, and how many milliseconds ago each was written.
        read_gateways,
        /// `[[name]]` -> instance, age in milliseconds.
        read_instance,
        /// `[[name, instance]]`: deletes the report.
        delete_gateway,
        /// `[[age_ms]]`: deletes reports that old.
        sweep_gateways,
    }
}

const SQL: &GatewayStatements = GatewayStatements::MYSQL;

/// A gateway that has not reported for this long is silent: what it obeys is unknown.
pub const SILENT_AFTER: Duration = Duration::from_secs(10);

/// After this long it counts as gone.
pub const FORGOTTEN_AFTER: Duration = Duration::from_mins(15);

/// A gateway's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayReport {
    /// Its name; at most 80 characters.
    pub name: String,
    /// A random number of this process.
    pub instance: String,
    /// Its admin address; at most 80 characters.
    pub admin: String,
    /// The program's version.
    pub version: String,
    /// It obeys all that was set up to this revision, but for the failures.
    pub revision: u64,
    /// A hash of its configuration.
    pub config_hash: String,
    /// What is in force on this gateway alone: JSON, at most 8,192 characters.
    pub overrides: String,
    /// What it could not obey: JSON, at most 8,192 characters.
    pub failures: String,
    /// Why it is out of rotation; empty while it is not.
    pub out_because: String,
    /// When it started, by its own clock.
    pub started_at: Timestamp,
}

/// A gateway as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// What it reported last.
    pub report: GatewayReport,
    /// How long ago that was.
    pub age: Duration,
}

/// The outcome of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportOutcome {
    /// It is in the list.
    Noted,
    /// Another running gateway reports under the same name.
    NameTaken {
        /// Its instance.
        by: String,
    },
}

/// The reports of a cluster's gateways.
#[derive(Debug)]
pub struct GatewayReports<'m>(&'m Meta<MysqlDatabase>);

impl Meta<MysqlDatabase> {
    /// What the cluster's gateways reported.
    pub fn gateways(&self) -> GatewayReports<'_> {
        GatewayReports(self)
    }
}

impl GatewayReports<'_> {
    /// Writes a report. The first report of a process replaces the row of its name, which a killed
    /// process may have left.
    pub async fn report(
        &self,
        report: &GatewayReport,
        first: bool,
    ) -> Result<ReportOutcome, StoreError> {
        let row = row(report);
        if !first {
            if self.0.execute(SQL.update_gateway, &row).await? > 0 {
                return Ok(ReportOutcome::Noted);
            }
            if let Some(by) = self.living_namesake(report).await? {
                return Ok(ReportOutcome::NameTaken { by });
            }
        }
        let forgotten = u64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap_or(u64::MAX);
        self.0
            .execute(SQL.sweep_gateways, &json_rows([[forgotten]]))
            .await?;
        self.0.execute(SQL.put_gateway, &row).await?;
        Ok(ReportOutcome::Noted)
    }

    /// The instance of another gateway that reports under the same name. Both may have started at
    /// the same time. If one has ended, the other takes its row.
    async fn living_namesake(&self, report: &GatewayReport) -> Result<Option<String>, StoreError> {
        let name = json_rows([[&report.name]]);
        let rows = self.0.rows(SQL.read_instance, &name).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let (instance, age) = (string(row, 0)?, Duration::from_millis(row.number(1)?));
        Ok(Some(instance).filter(|instance| *instance != report.instance && age < SILENT_AFTER))
    }

    /// All gateways that are not gone, by name.
    pub async fn list(&self) -> Result<Vec<Gateway>, StoreError> {
        let rows = self.0.rows(SQL.read_gateways, NOTHING).await?;
        let gateways = rows.iter().map(gateway).collect::<Result<Vec<_>, _>>()?;
        Ok(gateways
            .into_iter()
            .filter(|gateway| gateway.age < FORGOTTEN_AFTER)
            .collect())
    }

    /// Removes a gateway from the list, if it is this instance.
    pub async fn remove(&self, name: &str, instance: &str) -> Result<(), StoreError> {
        self.0
            .execute(SQL.delete_gateway, &json_rows([[name, instance]]))
            .await
            .map(drop)
    }
}

fn row(report: &GatewayReport) -> String {
    let GatewayReport {
        name,
        instance,
        admin,
        version,
        revision,
        config_hash,
        overrides,
        failures,
        ..
    } = report;
    let (out_because, started_at_ms) = (&report.out_because, report.started_at.as_millisecond());
    json_rows([(
        name,
        instance,
        admin,
        version,
        revision,
        config_hash,
        overrides,
        failures,
        out_because,
        started_at_ms,
    )])
}

fn gateway(row: &impl Columns) -> Result<Gateway, StoreError> {
    let report = GatewayReport {
        name: string(row, 0)?,
        instance: string(row, 1)?,
        admin: string(row, 2)?,
        version: string(row, 3)?,
        revision: row.number(4)?,
        config_hash: string(row, 5)?,
        overrides: string(row, 6)?,
        failures: string(row, 7)?,
        out_because: string(row, 8)?,
        started_at: time(row, 9)?,
    };
    Ok(Gateway {
        report,
        age: Duration::from_millis(row.number(10)?),
    })
}

/// The report of the only gateway of the embedded default, in memory. Written to the file, which
/// is synced each time, it would wear the disk every two seconds for no other reader.
#[derive(Debug, Default)]
pub(crate) struct OwnReport(Mutex<Option<(GatewayReport, Instant)>>);

impl OwnReport {
    pub(super) fn set(&self, report: &GatewayReport) {
        *self.lock() = Some((report.clone(), Instant::now()));
    }

    /// The list of gateways: this one, once it has reported.
    pub(super) fn list(&self) -> Vec<Gateway> {
        let own = self.lock().clone();
        let own = own.map(|(report, at)| Gateway {
            report,
            age: at.elapsed(),
        });
        own.into_iter().collect()
    }

    pub(super) fn remove(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(GatewayReport, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::meta::testing::{at, fresh};
    use crate::store::{Connection as _, Database as _};
    use crate::testing::shared_database;

    fn report(name: &str, instance: &str, revision: u64) -> GatewayReport {
        GatewayReport {
            name: name.to_owned(),
            instance: instance.to_owned(),
            admin: "127.0.0.1:8092".to_owned(),
            version: "1.2.3".to_owned(),
            revision,
            config_hash: "00ff".to_owned(),
            overrides: r#"[{"what":"漢 \" \\ 😀"}]"#.to_owned(),
            failures: "[]".to_owned(),
            out_because: String::new(),
            started_at: at(0),
        }
    }

    async fn names(meta: &Meta<MysqlDatabase>) -> Vec<String> {
        let gateways = meta.gateways().list().await.expect("the list");
        gateways
            .into_iter()
            .map(|gateway| format!("{} {}", gateway.report.name, gateway.report.instance))
            .collect()
    }

    async fn age_all(meta: &Meta<MysqlDatabase>, age: Duration) {
        let sql = format!(
            "UPDATE gateway SET seen_at = seen_at - INTERVAL {} SECOND",
            age.as_secs()
        );
        meta.database()
            .connect()
            .await
            .expect("a connection")
            .run(&sql)
            .await
            .expect("aged");
    }

    #[tokio::test]
    async fn gateways_are_listed_as_they_reported_last() {
        let meta = fresh(shared_database().await).await;
        assert_eq!(
            meta.gateways().report(&report("a", "1", 7), true).await,
            Ok(ReportOutcome::Noted)
        );
        assert_eq!(
            meta.gateways().report(&report("b", "2", 7), true).await,
            Ok(ReportOutcome::Noted)
        );
        assert_eq!(
            meta.gateways().report(&report("a", "1", 8), false).await,
            Ok(ReportOutcome::Noted)
        );
        let listed = meta.gateways().list().await.expect("the list");
        assert_eq!(
            listed
                .iter()
                .map(|gateway| &gateway.report)
                .collect::<Vec<_>>(),
            [&report("a", "1", 8), &report("b", "2", 7)]
        );
        assert!(
            listed.iter().all(|gateway| gateway.age < SILENT_AFTER),
            "{listed:?}"
        );
        // The database's clock counts, not that of a gateway.
        age_all(&meta, Duration::from_mins(1)).await;
        assert!(
            meta.gateways()
                .list()
                .await
                .expect("the list")
                .iter()
                .all(|gateway| gateway.age >= Duration::from_mins(1))
        );
        meta.gateways().remove("a", "other").await.expect("nothing");
        assert_eq!(names(&meta).await, ["a 1", "b 2"]);
        meta.gateways().remove("a", "1").await.expect("removed");
        assert_eq!(names(&meta).await, ["b 2"]);
        // A gateway that still runs comes back with its next report.
        assert_eq!(
            meta.gateways().report(&report("a", "1", 9), false).await,
            Ok(ReportOutcome::Noted)
        );
        assert_eq!(names(&meta).await, ["a 1", "b 2"]);
    }

    #[tokio::test]
    async fn a_restart_takes_the_name_and_two_that_live_do_not_hide_each_other() {
        let meta = fresh(shared_database().await).await;
        meta.gateways()
            .report(&report("a", "old", 1), true)
            .await
            .expect("noted");
        assert_eq!(
            meta.gateways().report(&report("a", "new", 1), true).await,
            Ok(ReportOutcome::Noted)
        );
        assert_eq!(names(&meta).await, ["a new"]);
        let taken = meta.gateways().report(&report("a", "old", 2), false).await;
        assert_eq!(
            taken,
            Ok(ReportOutcome::NameTaken {
                by: "new".to_owned()
            })
        );
        assert_eq!(names(&meta).await, ["a new"]);
        // When that one is silent the name is free.
        age_all(&meta, SILENT_AFTER).await;
        assert_eq!(
            meta.gateways().report(&report("a", "old", 2), false).await,
            Ok(ReportOutcome::Noted)
        );
        assert_eq!(names(&meta).await, ["a old"]);
    }

    #[tokio::test]
    async fn a_gateway_that_is_gone_for_long_is_not_listed_and_swept_by_the_next() {
        let meta = fresh(shared_database().await).await;
        meta.gateways()
            .report(&report("gone", "1", 1), true)
            .await
            .expect("noted");
        age_all(&meta, FORGOTTEN_AFTER + Duration::from_secs(1)).await;
        assert!(names(&meta).await.is_empty());
        sleep(Duration::from_millis(2)).await;
        meta.gateways()
            .report(&report("b", "2", 1), true)
            .await
            .expect("noted");
        let mut connection = meta.database().connect().await.expect("a connection");
        let rows = connection
            .rows("SELECT name FROM gateway", "[]")
            .await
            .expect("rows");
        assert_eq!(rows.len(), 1);
    }

    #[test]
    fn the_only_gateway_keeps_its_own_report() {
        let own = OwnReport::default();
        assert_eq!(own.list(), []);
        own.set(&report("a", "1", 7));
        assert_eq!(own.list()[0].report, report("a", "1", 7));
        own.remove();
        assert_eq!(own.list(), []);
    }
}
