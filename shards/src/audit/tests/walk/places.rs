//! Rows in other tables, and ids of other slots, tables and runs.
use super::super::super::history::TableLocation;
use super::super::{CAMPAIGN, check, first_violation, red};
use super::{after, assert_red, home, sound, walk_at};

#[test]
fn rows_in_another_table_are_found() {
    let elsewhere = TableLocation {
        shard: 0,
        table: 1 - home().table,
    };
    let (report, _) = walk_at(elsewhere, &[CAMPAIGN], &[sound()]);
    let (there, here) = (elsewhere.table, home().table);
    assert_eq!(
        red(&report),
        ["rows_on_their_shard", "order_ids_are_unique"],
        "{report}"
    );
    let expected = format!(
        "shard 0, table {there}: the account of user \"u1\" in activity 1 belongs to shard 0, table {here}"
    );
    assert!(first_violation(&report).contains(&expected), "{report}");
    assert_eq!(check(&report, "rows_on_their_shard").violations_total, 5);
}

#[test]
fn an_order_id_with_another_users_slot_is_found() {
    // Every second slot belongs to this table.
    assert_red(
        &after(|table| table.orders[0].id += 2),
        "rows_on_their_shard",
        "carries the slot",
    );
    let minus = after(|table| table.orders[0].id = -1);
    assert_eq!(
        red(&minus),
        ["rows_on_their_shard", "order_ids_are_unique"],
        "{minus}"
    );
    assert!(
        first_violation(&minus).contains("carries the slot none"),
        "{minus}"
    );
}

#[test]
fn an_id_of_another_table_or_of_an_unclaimed_run_is_found() {
    let name = "order_ids_are_unique";
    let unclaimed = after(|table| table.orders[1].id += 1 << 38);
    assert_red(
        &unclaimed,
        name,
        "its id is of run 2, and runs were claimed up to 1",
    );
    assert_red(
        &after(|table| table.orders[1].id &= (1 << 38) - 1),
        name,
        "no lane can have given it this id",
    );
    let other = after(|table| table.orders[1].id += 1);
    assert_eq!(red(&other), ["rows_on_their_shard", name], "{other}");
    assert!(
        check(&other, name).violations[0].contains("its id is one of shard 0, table "),
        "{other}"
    );
}
