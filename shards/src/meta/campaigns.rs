//! Campaigns: every version that was ever published, as its file.
use jiff::Timestamp;
use market::ActivityId;
use market::campaign::{Campaign, Catalogue, Halt, InvalidCampaign};

use super::blacklists;
use super::campaign_changes::{HaltRecord, halted_in, halts};
use super::campaign_statements::CampaignStatements;
use super::columns::{NOTHING, json, string, time};
use super::new_stock::stock_items;
use super::publication::reasons_against;
use super::revision;
use super::stock_operations::published_counts;
use super::stored_campaign::StoredCampaign;
use super::topic::topic;
use crate::store::{Columns, Connection, Database, StoreError};

/// Why a campaign was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The file has faults of its own.
    #[error(transparent)]
    Invalid(#[from] InvalidCampaign),
    /// The file does not fit what is published; one line per reason.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a publication did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// The activity.
    pub activity: ActivityId,
    /// Its current version.
    pub version: u32,
    /// False when exactly this file is published already.
    pub new: bool,
}

/// A version of a campaign, without its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastVersion {
    /// Its number.
    pub version: u32,
    /// When it was published.
    pub at: Timestamp,
    /// By whom.
    pub who: String,
}

topic! {
    /// The campaigns of an installation.
    Campaigns,
    /// Its campaigns.
    campaigns
}

impl<D: Database> Campaigns<'_, D> {
    const SQL: &'static CampaignStatements = CampaignStatements::of::<D>();

    /// The current version of each campaign, what operators have halted, and the switches; without the
    /// blacklists of operators, which may be long ([`super::BlacklistTopic`]). A stored file that this program
    /// cannot read is left out and reported, so that one bad campaign does not stop the others.
    pub async fn catalogue(&self) -> Result<Catalogue, StoreError> {
        let stored = stored(&self.0.rows(Self::SQL.read_campaigns, NOTHING).await?)?;
        let switches = self.0.switches().read().await?;
        let halts = self.0.campaign_changes().halts().await?;
        let catalogue = Catalogue::new(stored.iter().filter_map(StoredCampaign::parse));
        Ok(catalogue.halted(&halts).switched(&switches))
    }

    /// The latest thousand versions of a campaign, newest first.
    pub async fn history(&self, activity: ActivityId) -> Result<Vec<PastVersion>, StoreError> {
        let key = json(&[activity.get()]);
        let rows = self.0.rows(Self::SQL.read_history, &key).await?;
        rows.iter().map(past_version).collect()
    }

    /// Hands out all versions of all campaigns, by activity and version, in pages.
    pub async fn each_page_of_versions(
        &self,
        mut each: impl FnMut(&[StoredCampaign]) + Send,
    ) -> Result<(), StoreError> {
        let mut after = (0, 0);
        loop {
            let sql = Self::SQL.read_campaign_versions;
            let page = stored(&self.0.rows(sql, &json(&after)).await?)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = (last.activity.get(), last.version);
            each(&page);
        }
    }

    /// Stores campaign files as new versions: all of them or, when one is refused, none. The
    /// first time a limited item appears its count becomes its stock. From then on only stock
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
        let mut connection = self.0.begin().await?;
        let mut publications = Vec::with_capacity(texts.len());
        for (text, campaign) in texts.iter().zip(&campaigns) {
            publications.push(publish_one::<D>(&mut connection, campaign, text, who, now).await?);
        }
        if publications.iter().any(|publication| publication.new) {
            revision::raise::<D>(&mut connection).await?;
        }
        self.0.commit(connection).await?;
        Ok(publications)
    }
}

pub(super) fn stored(rows: &[impl Columns]) -> Result<Vec<StoredCampaign>, StoreError> {
    rows.iter().map(StoredCampaign::from_row).collect()
}

/// Columns: version, when, by whom.
fn past_version(row: &impl Columns) -> Result<PastVersion, StoreError> {
    Ok(PastVersion {
        version: row.number(0)?,
        at: time(row, 1)?,
        who: string(row, 2)?,
    })
}

/// Publishes one file within a transaction.
pub(super) async fn publish_one<D: Database>(
    connection: &mut D::Connection,
    campaign: &Campaign,
    text: &str,
    who: &str,
    now: Timestamp,
) -> Result<Publication, PublishError> {
    let sql = CampaignStatements::of::<D>();
    let activity = campaign.activity.id;
    let stored = stored(&connection.rows(sql.read_campaigns, NOTHING).await?)?;
    let halted = halted_in::<D>(connection).await?;
    let closed = |record: &&HaltRecord| record.halt == Halt::Closed && record.activity == activity;
    if let Some(record) = halted.iter().find(closed) {
        return Err(PublishError::Refused(vec![record.to_string()]));
    }
    let previous = stored.iter().find(|stored| stored.activity == activity);
    if let Some(same) = previous.filter(|stored| stored.text == text) {
        return Ok(Publication {
            activity,
            version: same.version,
            new: false,
        });
    }
    let stocked = published_counts::<D>(connection).await?;
    let mut reasons = reasons_against(campaign, &stored, previous, &stocked, &halts(&halted));
    let lists = blacklists::records_in::<D>(connection).await?;
    reasons.extend(blacklists::reason_against(campaign, &lists));
    if !reasons.is_empty() {
        return Err(PublishError::Refused(reasons));
    }
    let version = previous.map_or(1, |stored| stored.version + 1);
    let row = json(&(activity.get(), version, text, now.as_millisecond(), who));
    connection.execute(sql.insert_campaign, &row).await?;
    stock_items::<D>(connection, campaign, version, &stocked, (who, now)).await?;
    Ok(Publication {
        activity,
        version,
        new: true,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures_util::future::join_all;

    use super::*;
    use crate::meta::connections::Meta;
    use crate::meta::testing::{CAMPAIGN, fresh, mug, now, over_each_database};
    use crate::store::{check_meta, migrate_meta};

    fn edition(welcome: u32) -> String {
        CAMPAIGN.replace("welcome = 10", &format!("welcome = {welcome}"))
    }

    async fn versions<D: Database>(meta: &Meta<D>) -> Vec<StoredCampaign> {
        let mut all = Vec::new();
        let pages = meta.campaigns();
        let read = pages.each_page_of_versions(|page| all.extend_from_slice(page));
        read.await.expect("stored");
        all
    }

    async fn a_campaign_comes_back_unchanged<D: Database>(database: D) {
        let meta = fresh(database).await;
        let text =
            CAMPAIGN.replace("Audited", "Zoë's 😀 \\\\ ? 漢字") + "\n# \t 'quoted' \"twice\" \\n\n";
        Campaign::parse(&text).expect("valid");
        meta.campaigns()
            .publish(&[&text], "ops", now())
            .await
            .expect("published");
        let stored = versions(&meta).await;
        assert_eq!((stored.len(), &stored[0].text), (1, &text));
        assert_eq!(meta.revision().await, Ok(1));
        let catalogue = meta.campaigns().catalogue().await.expect("a catalogue");
        assert!(catalogue.activity(mug().activity).is_some());
    }

    async fn publishers_take_turns<D: Database>(database: D) {
        let meta = fresh(database).await;
        let publish = async |text: &str| {
            let published = meta.campaigns().publish(&[text], "ops", now()).await;
            published.expect("published")[0]
        };
        let same = join_all((0..3).map(|_| publish(CAMPAIGN))).await;
        assert_eq!(same.iter().filter(|publication| publication.new).count(), 1);
        assert!(same.iter().all(|publication| publication.version == 1));
        let editions: Vec<String> = (11..15).map(edition).collect();
        let different = join_all(editions.iter().map(|text| publish(text))).await;
        let mut versions: Vec<_> = different
            .into_iter()
            .map(|publication| publication.version)
            .collect();
        versions.sort_unstable();
        assert_eq!(versions, [2, 3, 4, 5]);
        assert_eq!(
            meta.stock_operations().totals().await,
            Ok(BTreeMap::from([(mug(), 50)])),
            "its count became its stock once"
        );
        assert_eq!(meta.revision().await, Ok(5));
    }

    async fn versions_come_page_by_page<D: Database>(database: D) {
        let meta = fresh(database).await;
        let mut connection = meta.begin().await.expect("begun");
        let sql = CampaignStatements::of::<D>();
        let expected: Vec<(u64, u32)> = (1..=3)
            .flat_map(|activity| (1..=67).map(move |version| (activity, version)))
            .collect();
        for (activity, version) in expected.iter().rev() {
            let row = json(&(activity, version, "a file", 0, "ops"));
            let inserted = connection.execute(sql.insert_campaign, &row).await;
            inserted.expect("planted");
        }
        meta.commit(connection).await.expect("committed");
        let found = versions(&meta).await.into_iter();
        let found: Vec<_> = found
            .map(|stored| (stored.activity.get(), stored.version))
            .collect();
        assert_eq!(found, expected);
    }

    /// A database from before the change that renames a key of campaign files.
    async fn with_the_old_key<D: Database>(database: &D, file: &str) {
        let changes = D::DIALECT.schema.meta;
        let renaming = changes
            .iter()
            .position(|change| change.contains("when_stock_away"))
            .expect("the change");
        let mut connection = database.connect().await.expect("a connection");
        let versions = "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY)";
        connection.run(versions).await.expect("made");
        for (version, change) in (1..).zip(&changes[..renaming]) {
            connection.run(change).await.expect("changed");
            let noted = format!("INSERT INTO schema_version (version) VALUES ({version})");
            connection.run(&noted).await.expect("noted");
        }
        let row = json(&(mug().activity.get(), 1, file, 0, "ops"));
        let sql = CampaignStatements::of::<D>();
        let inserted = connection.execute(sql.insert_campaign, &row).await;
        inserted.expect("published");
    }

    async fn a_database_with_the_old_key_opens<D: Database>(database: D) {
        let file = CAMPAIGN.replace(
            "[activity]",
            "[activity]\nwhen_stock_unavailable = \"refuse\" # when_stock_unavailable",
        );
        let old = file.replace("when_stock_unavailable", "when_stock_away");
        assert!(Campaign::parse(&old).is_err(), "the old key is refused");
        with_the_old_key(&database, &old).await;
        migrate_meta(&database).await.expect("migrated");
        check_meta(&database).await.expect("up to date");
        let meta = Meta::new(database);
        let stored = versions(&meta).await;
        assert_eq!((stored.len(), &stored[0].text), (1, &file));
        let catalogue = meta.campaigns().catalogue().await.expect("read");
        assert!(catalogue.activity(mug().activity).is_some());
    }

    over_each_database!(
        a_campaign_comes_back_unchanged,
        publishers_take_turns,
        versions_come_page_by_page,
        a_database_with_the_old_key_opens,
    );
}
