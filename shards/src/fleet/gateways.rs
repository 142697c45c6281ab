//! What gateways report of themselves: who is there, which revision each obeys, what it could not
//! obey. The database's clock says when each was seen last.
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::meta::Meta;
use crate::store::{
    Columns, Connection, MYSQL_GATEWAYS, MysqlDatabase, StoreError, json_rows, out_of_range,
};
use crate::switches::Answer;

/// A gateway that was not heard of for so long is silent: nobody knows what it obeys.
pub const SILENT_AFTER: Duration = Duration::from_secs(10);

/// And after so long it is taken for gone.
pub const FORGOTTEN_AFTER: Duration = Duration::from_mins(15);

/// A gateway's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name; at most 80 characters.
    pub name: String,
    /// Of this very process, by its own random number.
    pub instance: String,
    /// Where operations reach it; at most 80 characters.
    pub admin: String,
    /// Of the program.
    pub version: String,
    /// It obeys all that was set up to this revision, but for the failures.
    pub revision: u64,
    /// The same for the same configuration.
    pub config_hash: String,
    /// What is in force on this gateway alone: JSON, at most 8,192 characters.
    pub overrides: String,
    /// What it could not obey: JSON, at most 8,192 characters.
    pub failures: String,
    /// Why it is out of rotation; empty while it is not.
    pub out_because: String,
    /// When it began, by its own clock.
    pub started_at: Timestamp,
}

/// A gateway as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// What it reported last.
    pub report: Report,
    /// How long ago that was.
    pub age: Duration,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// It stands in the list.
    Noted,
    /// A living gateway reports under the same name.
    NameTaken {
        /// Its instance.
        by: String,
    },
}

/// Where a running server's reports go, whatever its meta database is.
pub(crate) trait GatewayStore: Send + Sync {
    /// Writes a report. The first one of a process takes the place of whoever had the name: a
    /// process that was killed left its row.
    fn report<'a>(&'a self, report: &'a Report, first: bool) -> Answer<'a, Reported>;
    /// All gateways that are not gone, by name.
    fn gateways(&self) -> Answer<'_, Vec<Gateway>>;
    /// Takes a gateway off the list, if it is this instance.
    fn remove<'a>(&'a self, name: &'a str, instance: &'a str) -> Answer<'a, ()>;
}

impl Meta<MysqlDatabase> {
    async fn change_gateways(&self, sql: &str, json: &str) -> Result<u64, StoreError> {
        let mut connection = self.pool().get().await?;
        let touched = connection.execute(sql, json).await?;
        self.pool().keep(connection);
        Ok(touched)
    }

    async fn write_report(&self, report: &Report, first: bool) -> Result<Reported, StoreError> {
        let row = row(report);
        if !first {
            if self
                .change_gateways(MYSQL_GATEWAYS.update_gateway, &row)
                .await?
                > 0
            {
                return Ok(Reported::Noted);
            }
            let found = self
                .rows(MYSQL_GATEWAYS.read_instance, &json_rows([[&report.name]]))
                .await?;
            if let Some(found) = found.first() {
                let (instance, age) = (
                    found.text(0)?.to_owned(),
                    Duration::from_millis(found.number(1)?),
                );
                // Both may have begun within a moment; one that has ended leaves its row to us.
                if instance != report.instance && age < SILENT_AFTER {
                    return Ok(Reported::NameTaken { by: instance });
                }
            }
        }
        let forgotten = u64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap_or(u64::MAX);
        self.change_gateways(MYSQL_GATEWAYS.sweep_gateways, &json_rows([[forgotten]]))
            .await?;
        self.change_gateways(MYSQL_GATEWAYS.put_gateway, &row)
            .await?;
        Ok(Reported::Noted)
    }

    async fn read_gateways(&self) -> Result<Vec<Gateway>, StoreError> {
        let rows = self.rows(MYSQL_GATEWAYS.read_gateways, "[]").await?;
        let gateways = rows.iter().map(gateway).collect::<Result<Vec<_>, _>>()?;
        Ok(gateways
            .into_iter()
            .filter(|gateway| gateway.age < FORGOTTEN_AFTER)
            .collect())
    }
}

fn row(report: &Report) -> String {
    let Report {
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
    let text = |index| row.text(index).map(str::to_owned);
    let report = Report {
        name: text(0)?,
        instance: text(1)?,
        admin: text(2)?,
        version: text(3)?,
        revision: row.number(4)?,
        config_hash: text(5)?,
        overrides: text(6)?,
        failures: text(7)?,
        out_because: text(8)?,
        started_at: Timestamp::from_millisecond(row.integer(9)?).map_err(|_| out_of_range(9))?,
    };
    Ok(Gateway {
        report,
        age: Duration::from_millis(row.number(10)?),
    })
}

impl GatewayStore for Meta<MysqlDatabase> {
    fn report<'a>(&'a self, report: &'a Report, first: bool) -> Answer<'a, Reported> {
        Box::pin(self.write_report(report, first))
    }

    fn gateways(&self) -> Answer<'_, Vec<Gateway>> {
        Box::pin(self.read_gateways())
    }

    fn remove<'a>(&'a self, name: &'a str, instance: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.change_gateways(
                MYSQL_GATEWAYS.delete_gateway,
                &json_rows([[name, instance]]),
            )
            .await?;
            Ok(())
        })
    }
}

/// The only gateway of its installation remembers its own report: a file that is synced every two
/// seconds would wear the disk for nobody.
#[derive(Debug, Default)]
pub(crate) struct Alone(Mutex<Option<(Report, Instant)>>);

impl GatewayStore for Alone {
    fn report<'a>(&'a self, report: &'a Report, _first: bool) -> Answer<'a, Reported> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((report.clone(), Instant::now()));
        Box::pin(std::future::ready(Ok(Reported::Noted)))
    }

    fn gateways(&self) -> Answer<'_, Vec<Gateway>> {
        let own = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let own = own.map(|(report, at)| Gateway {
            report,
            age: at.elapsed(),
        });
        Box::pin(std::future::ready(Ok(own.into_iter().collect())))
    }

    fn remove<'a>(&'a self, _name: &'a str, _instance: &'a str) -> Answer<'a, ()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Box::pin(std::future::ready(Ok(())))
    }
}
