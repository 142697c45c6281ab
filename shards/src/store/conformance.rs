//! What every shard store must do, whatever the database: suites by topic, run over each of them.
//!
//! * `bench.rs`: a shard, and what tests put into it
//! * `rows.rs`, `keys.rs`, `claims.rs`, `verdicts.rs`, `grants.rs`, `goods.rs`, `latest.rs`,
//!   `recharges.rs`, `points.rs`: what lanes and readers rely on
//! * `kinds.rs`: what each kind of command makes, by the examples of its table; over the fake store
//!   of the simulation too
//! * `user_awards.rs`: what users were given of awards; over the fake store too
//! * `schema.rs`, `conversion.rs`, `plans.rs`: schema versions, conversions, keys
//! * `pages.rs`: the pages of SQLite files
mod bench;
mod claims;
mod conversion;
mod goods;
mod grants;
mod keys;
pub(crate) mod kinds;
mod latest;
mod pages;
mod plans;
mod points;
mod recharges;
mod rows;
mod schema;
pub(crate) mod user_awards;
mod verdicts;

pub(crate) use self::bench::{
    Bench, TABLES, account, calls_for, change_all, change_orders, gather, in_doubt, map, orders_of,
    receipt, table_of,
};

macro_rules! over_each_database {
    ($($topic:ident { $($name:ident),* $(,)? })*) => {
        mod over_sqlite {
            $($(
                #[tokio::test]
                async fn $name() {
                    let (_folder, file) = super::bench::sqlite();
                    super::$topic::$name(file).await;
                }
            )*)*
        }

        mod over_mariadb {
            $($(
                #[tokio::test]
                async fn $name() {
                    super::$topic::$name(crate::testing::shared_database().await).await;
                }
            )*)*
        }
    };
}

over_each_database! {
    rows {
        what_is_persisted_is_found,
        changed_accounts_are_changed,
        a_call_has_its_orders_in_their_order,
        accounts_that_came_or_went_meanwhile_are_conflicts,
        what_is_undone_leaves_nothing,
        the_greatest_order_id_is_known,
    }
    keys {
        a_request_id_has_one_order,
        calls_with_one_request_id_collide,
    }
    claims {
        calls_that_are_made_as_claimed_are_found,
        claims_are_put_right,
        a_key_that_has_a_call_cannot_be_claimed,
        claims_that_are_undone_leave_nothing,
    }
    kinds {
        what_each_kind_makes_is_found_in_databases,
        kinds_under_one_request_id_collide_in_databases,
    }
    points {
        points_and_sign_ins_are_found,
        points_and_sign_ins_that_came_meanwhile_are_conflicts,
        a_ledger_is_read_from_its_end,
    }
    user_awards {
        what_users_were_given_is_found_in_databases,
        what_was_given_meanwhile_is_a_conflict_in_databases,
    }
    verdicts {
        a_verdict_is_final,
        a_batch_without_units_gets_its_verdict_too,
    }
    goods {
        units_of_awards_and_skus_are_counted_apart,
        units_that_were_issued_before_there_were_skus_are_of_awards,
    }
    grants {
        a_grant_is_found_with_its_chances,
        a_grant_and_a_draw_under_one_request_id_collide,
    }
    latest {
        the_latest_draws_of_a_user_are_found,
        pages_of_any_size_are_the_whole_list,
        a_page_begins_behind_a_draw_of_the_user,
    }
    recharges {
        pages_of_recharge_orders_are_the_whole_list,
    }
    schema {
        orders_of_the_first_schema_are_kept,
        migrations_run_once_and_refuse_a_newer_schema,
        the_meta_schema_is_made_once,
    }
    conversion {
        a_conversion_that_was_cut_off_continues,
        a_conversion_is_made_once,
    }
}
