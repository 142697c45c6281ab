//! Publishing an older version of a campaign again.
use jiff::Timestamp;
use market::ActivityId;
use market::batch::StockItem;
use market::campaign::Campaign;

use super::campaign_changes::{CampaignChange, CampaignChangeKind, insert};
use super::campaign_statements::CampaignStatements;
use super::campaigns::{Campaigns, Publication, PublishError, publish_one, stored};
use super::columns::json;
use super::error::ChangeError;
use super::stock_operations::published_counts;
use super::stored_campaign::StoredCampaign;
use crate::store::{Connection, Database, StoreError};

/// Why an older version was not published again.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// There is no such version.
    #[error("activity {0} has no version {1}")]
    Unknown(ActivityId, u32),
    /// Its file does not fit what is published, or the database failed before the commit.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The change was not confirmed.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<StoreError> for RollbackError {
    fn from(error: StoreError) -> Self {
        Self::Publish(error.into())
    }
}

impl<D: Database> Campaigns<'_, D> {
    /// One version of a campaign, if there is one.
    pub async fn version(
        &self,
        activity: ActivityId,
        version: u32,
    ) -> Result<Option<StoredCampaign>, StoreError> {
        let sql = CampaignStatements::of::<D>().read_version;
        let rows = self.0.rows(sql, &json(&(activity.get(), version))).await?;
        Ok(stored(&rows)?.pop())
    }

    /// Publishes the file of an older version as a new version, and notes who did so and why. The
    /// stock stays what it is: a file only counts what an item begins with.
    pub async fn roll_back(
        &self,
        activity: ActivityId,
        to: u32,
        (who, why): (&str, &str),
        now: Timestamp,
    ) -> Result<Publication, RollbackError> {
        let old = self.version(activity, to).await?;
        let old = old.ok_or(RollbackError::Unknown(activity, to))?;
        // Versions never change, so this may be read before the transaction.
        let mut campaign = Campaign::parse(&old.text).map_err(PublishError::from)?;
        let mut connection = self.0.begin().await?;
        // Files of earlier versions of this program could change the stock of a sku.
        let stocked = published_counts::<D>(&mut connection).await?;
        for sku in &mut campaign.skus {
            let first = stocked.get(&StockItem::sku(activity, sku.id));
            sku.stock = first.copied().unwrap_or(sku.stock);
        }
        let publication = publish_one::<D>(&mut connection, &campaign, &old.text, who, now).await?;
        if !publication.new {
            connection.rollback().await?;
            return Ok(publication);
        }
        let change = CampaignChange {
            kind: CampaignChangeKind::Rollback {
                version: publication.version,
                of: to,
            },
            who: who.to_owned(),
            why: why.to_owned(),
            at: now,
        };
        insert::<D>(&mut connection, activity, &change).await?;
        self.0.commit_revision(connection).await?;
        Ok(publication)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use market::SkuId;

    use super::*;
    use crate::meta::StockChange;
    use crate::meta::testing::{CAMPAIGN, WHO, WHY, at, fresh, mug, now, over_each_database};

    async fn an_older_version_returns_with_the_stock_of_now<D: Database>(database: D) {
        let meta = fresh(database).await;
        let campaigns = meta.campaigns();
        let second = CAMPAIGN.replace("welcome = 10", "welcome = 11");
        for (text, second) in [(CAMPAIGN, 0), (&second, 1)] {
            let published = campaigns.publish(&[text], "ops", at(second)).await;
            published.expect("published");
        }
        let more = StockChange {
            item: mug(),
            units: 5,
            who: WHO.to_owned(),
            why: WHY.to_owned(),
        };
        meta.stock_operations()
            .add(&more, at(2))
            .await
            .expect("added");
        let activity = mug().activity;
        let back = campaigns.roll_back(activity, 1, (WHO, WHY), at(3)).await;
        let back = back.expect("rolled back");
        assert_eq!((back.version, back.new), (3, true));
        let restored = campaigns.version(activity, 3).await.expect("read");
        assert_eq!(restored.expect("there").text, CAMPAIGN);
        assert_eq!(
            meta.stock_operations().totals().await,
            Ok(BTreeMap::from([(mug(), 55)]))
        );
        let again = campaigns.roll_back(activity, 3, (WHO, WHY), at(4)).await;
        assert!(!again.expect("nothing to do").new);
        let changes = meta.campaign_changes().of_activity(activity).await;
        let kind = CampaignChangeKind::Rollback { version: 3, of: 1 };
        let changes = changes.expect("read");
        assert_eq!((changes.len(), changes[0].kind), (1, kind));
        let log = meta.audit_log().latest().await.expect("the audit log");
        let what: Vec<_> = log
            .iter()
            .map(|entry| (entry.what.as_str(), entry.why.as_str()))
            .collect();
        assert_eq!(what, [("campaign rollback", WHY)]);
        let versions = campaigns.history(activity).await.expect("read");
        let versions: Vec<_> = versions
            .into_iter()
            .map(|past| (past.version, past.who))
            .collect();
        let expected = [(3, WHO), (2, "ops"), (1, "ops")];
        assert_eq!(
            versions,
            expected.map(|(version, who)| (version, who.to_owned()))
        );
        let unknown = campaigns.roll_back(activity, 9, (WHO, WHY), now()).await;
        assert!(matches!(unknown, Err(RollbackError::Unknown(id, 9)) if id == activity));
    }

    /// A version that an earlier program published with another stock of a sku.
    async fn the_stock_of_skus_stays_whatever_an_older_version_says<D: Database>(database: D) {
        let meta = fresh(database).await;
        let campaigns = meta.campaigns();
        let edition = |stock: u32, welcome: u32| {
            let sku = format!("[[sku]]\nid = 7\nstock = {stock}\nprice_minor = 1\nchances = 1\n");
            let text = CAMPAIGN.replace("welcome = 10", &format!("welcome = {welcome}"));
            text.replacen("[strategy]", &format!("{sku}\n[strategy]"), 1)
        };
        let publish = async |text: &str, second| {
            let published = campaigns.publish(&[text], "ops", at(second)).await;
            published.map(|published| published[0].version)
        };
        assert_eq!(publish(&edition(9, 10), 0).await.expect("published"), 1);
        let other = edition(20, 11);
        let refused = publish(&other, 1).await.expect_err("its stock differs");
        assert!(
            refused
                .to_string()
                .contains("sku 7 was first published with 9 units")
        );
        let mut connection = meta.begin().await.expect("begun");
        let row = json(&(mug().activity.get(), 2, &other, 0, "an earlier program"));
        let insert = CampaignStatements::of::<D>().insert_campaign;
        connection.execute(insert, &row).await.expect("planted");
        meta.commit(connection).await.expect("committed");
        assert_eq!(publish(&edition(9, 12), 3).await.expect("published"), 3);
        let sku = StockItem::sku(mug().activity, SkuId::new(7).expect("an id"));
        let more = StockChange {
            item: sku,
            units: 5,
            who: WHO.to_owned(),
            why: WHY.to_owned(),
        };
        let added = meta.stock_operations().add(&more, at(4)).await;
        added.expect("added");

        let back = campaigns
            .roll_back(mug().activity, 2, (WHO, WHY), at(5))
            .await;
        let back = back.expect("rolled back");
        assert_eq!((back.version, back.new), (4, true));
        let restored = campaigns.version(mug().activity, 4).await.expect("read");
        assert_eq!(restored.expect("there").text, other);
        assert_eq!(
            meta.stock_operations().totals().await,
            Ok(BTreeMap::from([(mug(), 50), (sku, 14)]))
        );
        assert_eq!(publish(&edition(9, 13), 6).await.expect("published"), 5);
    }

    over_each_database!(
        an_older_version_returns_with_the_stock_of_now,
        the_stock_of_skus_stays_whatever_an_older_version_says,
    );
}
