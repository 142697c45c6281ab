//! What an earlier version of this program has published and did not count becomes stock, once.
use jiff::Timestamp;
use market::campaign::Published;

use super::campaign_statements::CampaignStatements;
use super::campaigns::{Campaigns, stored};
use super::columns::NOTHING;
use super::new_stock::stock_items;
use super::revision;
use super::stock_operations::published_counts;
use super::stored_campaign::StoredCampaign;
use crate::store::{Connection, Database, StoreError};

impl<D: Database> Campaigns<'_, D> {
    /// Makes the items of the current versions stock that are not yet. They are the skus of
    /// campaigns that an earlier version of this program has published: it did not count them.
    /// Returns how many there were.
    pub(crate) async fn stock_what_is_published(
        &self,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut connection = self.0.begin().await?;
        let sql = CampaignStatements::of::<D>();
        let current = stored(&connection.rows(sql.read_campaigns, NOTHING).await?)?;
        let stocked = published_counts::<D>(&mut connection).await?;
        let mut new = 0;
        for Published { version, campaign } in current.iter().filter_map(StoredCampaign::parse) {
            let by = ("drawbridge", now);
            new += stock_items::<D>(&mut connection, &campaign, version, &stocked, by).await?;
        }
        if new > 0 {
            revision::raise::<D>(&mut connection).await?;
            tracing::info!(
                items = new,
                "skus that were published before have stock now"
            );
        }
        self.0.commit(connection).await?;
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use market::batch::StockItem;
    use market::{ActivityId, SkuId};

    use super::*;
    use crate::meta::connections::Meta;
    use crate::meta::testing::{CAMPAIGN, fresh, mug, now, over_each_database};
    use crate::meta::{PublishError, StockChange};
    use crate::store::{check_meta, migrate_meta};
    use crate::testing::undo_goods_in_meta;

    /// The campaign with skus: the number of an award, this many bundles of one, none of the other.
    fn with_skus(stock: u64) -> String {
        let sku = |id, stock| {
            format!("[[sku]]\nid = {id}\nstock = {stock}\nprice_minor = 5\nchances = 1\n")
        };
        format!("{CAMPAIGN}\n{}{}", sku(102, stock), sku(9, 0))
    }

    fn sku(id: u64) -> StockItem {
        StockItem::sku(ActivityId::new(1).expect("id"), SkuId::new(id).expect("id"))
    }

    async fn publish<D: Database>(meta: &Meta<D>, text: &str) -> Result<u32, PublishError> {
        let published = meta.campaigns().publish(&[text], "ops", now()).await;
        published.map(|published| published[0].version)
    }

    fn totals(of_sku: u64) -> BTreeMap<StockItem, u64> {
        BTreeMap::from([(mug(), 50), (sku(102), of_sku), (sku(9), 0)])
    }

    async fn skus_become_stock_when_they_are_published<D: Database>(database: D) {
        let meta = fresh(database).await;
        publish(&meta, CAMPAIGN).await.expect("published");
        publish(&meta, &with_skus(7)).await.expect("published");
        let stock = meta.stock_operations();
        assert_eq!(stock.totals().await, Ok(totals(7)));
        let more = StockChange {
            item: sku(102),
            units: 3,
            who: "ops".to_owned(),
            why: "more".to_owned(),
        };
        stock.add(&more, now()).await.expect("added");
        assert_eq!(stock.totals().await, Ok(totals(10)));
        let kinds = |item| async move {
            let page = meta
                .stock_operations()
                .page_of(item, 0)
                .await
                .expect("read");
            let of = page
                .into_iter()
                .map(|operation| (operation.kind, operation.units));
            of.collect::<Vec<_>>()
        };
        let operation = |kind: &str, units| (kind.to_owned(), units);
        assert_eq!(
            kinds(sku(102)).await,
            [operation("publish", 7), operation("add", 3)]
        );
    }

    async fn publishing_does_not_change_the_stock_of_a_sku<D: Database>(database: D) {
        let meta = fresh(database).await;
        publish(&meta, &with_skus(7)).await.expect("published");
        let refused = publish(&meta, &with_skus(8))
            .await
            .expect_err("another count");
        let expected = "sku 102 was first published with 7 units, the file says 8: leave the stock as it was and \
                        use `drawbridge stock add --sku` to change its stock";
        assert_eq!(refused.to_string(), expected);
        publish(&meta, CAMPAIGN).await.expect("a sku may go");
        publish(&meta, &with_skus(8))
            .await
            .expect_err("the first count holds");
        publish(&meta, &(with_skus(7) + "# again"))
            .await
            .expect("and come back");
        assert_eq!(meta.stock_operations().totals().await, Ok(totals(7)));
    }

    /// No user can win it before units are added, and it is not taken for undelivered.
    async fn a_prize_may_begin_without_units<D: Database>(database: D) {
        let meta = fresh(database).await;
        let none = CAMPAIGN.replace("count = 50", "count = 0");
        publish(&meta, &none).await.expect("published");
        let stock = meta.stock_operations();
        assert_eq!(stock.totals().await, Ok(BTreeMap::from([(mug(), 0)])));
        let some = |units| StockChange {
            item: mug(),
            units,
            who: "ops".to_owned(),
            why: "why".to_owned(),
        };
        stock
            .add(&some(0), now())
            .await
            .expect_err("nothing is added");
        stock
            .ask_withdrawal(&some(0), now())
            .await
            .expect_err("nor withdrawn");
        stock.add(&some(4), now()).await.expect("added");
        assert_eq!(stock.totals().await, Ok(BTreeMap::from([(mug(), 4)])));
    }

    async fn what_an_earlier_version_published_becomes_stock_once<D: Database>(database: D) {
        let meta = fresh(database.clone()).await;
        publish(&meta, &with_skus(7)).await.expect("published");
        let moved = meta
            .stock_operations()
            .page_of(mug(), 0)
            .await
            .expect("read");
        undo_goods_in_meta(&database).await;
        migrate_meta(&database).await.expect("migrated");
        check_meta(&database).await.expect("up to date");
        let stock = meta.stock_operations();
        assert_eq!(stock.totals().await, Ok(BTreeMap::from([(mug(), 50)])));
        assert_eq!(stock.page_of(mug(), 0).await, Ok(moved));
        let revision = meta.revision().await.expect("read");
        for (new, raised) in [(2, 1), (0, 1)] {
            let stocked = meta.campaigns().stock_what_is_published(now()).await;
            assert_eq!(stocked, Ok(new));
            assert_eq!(stock.totals().await, Ok(totals(7)));
            assert_eq!(meta.revision().await, Ok(revision + raised));
        }
    }

    over_each_database!(
        skus_become_stock_when_they_are_published,
        publishing_does_not_change_the_stock_of_a_sku,
        a_prize_may_begin_without_units,
        what_an_earlier_version_published_becomes_stock_once,
    );
}
