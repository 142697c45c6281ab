//! What the tests of several topics need.
use jiff::Timestamp;
use market::batch::StockItem;
use market::{ActivityId, AwardId};

use super::connections::Meta;
use crate::store::{Connection, Database, DialectKind, migrate_meta};

pub(super) const CAMPAIGN: &str = include_str!("../audit/tests/campaign.toml");

/// A name and a reason with characters that need care on their way into a database.
pub(super) const WHO: &str = "Zoë \"x\" \\ 漢";
pub(super) const WHY: &str = "'; -- 😀\n?";

pub(super) async fn fresh<D: Database>(database: D) -> Meta<D> {
    migrate_meta(&database).await.expect("a fresh database");
    if D::DIALECT.kind == DialectKind::Mysql {
        // Its stock lies on servers, and additions are spread over them.
        let layout = "INSERT INTO stock_layout (only_row, servers, segments) VALUES (1, 2, 4)";
        let mut connection = database.connect().await.expect("a connection");
        connection.run(layout).await.expect("laid out");
    }
    Meta::new(database)
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_millisecond(1_795_000_000_123).expect("a time")
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).expect("a time")
}

/// The limited item of the campaign.
pub(super) fn mug() -> StockItem {
    StockItem::award(
        ActivityId::new(1).expect("id"),
        AwardId::new(102).expect("id"),
    )
}

/// Runs tests over each kind of database.
macro_rules! over_each_database {
    ($($name:ident),* $(,)?) => {
        mod over_sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    let folder = tempfile::tempdir().expect("a folder");
                    let file = crate::store::SqliteFile {
                        path: folder.path().join("meta.sqlite"),
                        access: crate::store::Access::Create,
                    };
                    super::$name(file).await;
                }
            )*
        }

        mod over_mariadb {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(crate::testing::shared_database().await).await;
                }
            )*
        }
    };
}

pub(super) use over_each_database;
