//! The campaigns of mixed load: the prizes of `load.toml` with a shop, sign-ins and rewards around
//! them, and the same prizes as points.

use std::path::PathBuf;

use testkit::campaign::{LOAD, with};

use crate::bench::cluster::{Cluster, Setup};
use crate::bench::options::Programs;
use crate::error::Error;
use crate::signed::{APP, BEHAVIOUR};

/// The activity with a shop.
pub(super) const SHOP: u64 = 200_011;

/// The activity whose every draw pays points.
pub(super) const POINTS: u64 = 200_012;

/// The sku of the shop.
pub(super) const SKU: u64 = 200_011;

/// Signs the reports. No secret: the cluster is a benchmark's, on this machine, for seconds.
const APP_KEY: &str = "the key of an application that only loads";

/// A sign-in gives enough for a million purchases.
fn shop() -> String {
    let campaign = with(LOAD, "200001", &SHOP.to_string());
    format!(
        r#"{campaign}
[[sku]]
id = {SKU}
stock = 1000000000
price_minor = 100
chances = 1

[[reward]]
behavior = "sign"
kind = "chances"
sku = {SKU}

[[reward]]
behavior = "sign"
kind = "points"
points = "1000000"

[[reward]]
behavior = "{BEHAVIOUR}"
kind = "chances"
sku = {SKU}
"#
    )
}

fn points() -> String {
    let campaign = with(LOAD, "200001", &POINTS.to_string());
    let count = "count = 1000000000\n";
    let paid = format!("{count}key = \"user_credit_random\"\nconfig = \"0.01,100\"\n");
    with(&campaign, count, &paid)
}

/// A fresh cluster with both campaigns, whose gateway knows the application. Returns the file of
/// the application's key, too, which goes with the cluster.
pub(super) async fn start(
    programs: &Programs,
    folder: &std::path::Path,
    setup: Setup,
) -> Result<(Cluster, PathBuf), Error> {
    let mut cluster = Cluster::start(programs, folder, setup).await?;
    let key = cluster.add_file("app-key", APP_KEY)?;
    let file = key.display();
    let app = format!("[[app]]\nid = \"{APP}\"\nkey_files = [\"{file}\"]\n");
    cluster.configure(&app).await?;
    for campaign in [shop(), points()] {
        cluster.publish_text(&campaign, folder).await?;
    }
    for activity in [SHOP, POINTS] {
        cluster.wait_drawing(activity).await?;
    }
    Ok((cluster, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::campaign::Campaign;

    #[test]
    fn the_campaigns_are_accepted_and_have_the_odds_of_the_load_campaign() {
        let load = Campaign::parse(LOAD).expect("valid");
        for (activity, text) in [(SHOP, shop()), (POINTS, points())] {
            let campaign = Campaign::parse(&text).expect("valid");
            assert_eq!(campaign.activity.id.get(), activity);
            assert_eq!(campaign.strategy.awards.len(), load.strategy.awards.len());
        }
        assert_eq!(points().matches("\"user_credit_random\"").count(), 9);
        // As it is demanded of key files.
        assert!(APP_KEY.len() >= 32);
    }
}
