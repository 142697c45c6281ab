//! The campaign files that are shipped, and variants of them.

/// The first demo activity: locks, a blacklist, weights.
pub const DEMO: &str = include_str!("../../../deploy/campaigns/100301.toml");
/// The second demo activity: weights and a tree for each prize.
pub const SECOND_DEMO: &str = include_str!("../../../deploy/campaigns/100401.toml");
/// Nine prizes that do not run out.
pub const LOAD: &str = include_str!("../../../deploy/campaigns/load.toml");
/// One prize that runs out, and a fallback.
pub const SCARCE: &str = include_str!("../../../deploy/campaigns/scarce.toml");

/// The activity of [`DEMO`].
pub const DEMO_ACTIVITY: u64 = 100_301;
/// The activity of [`LOAD`].
pub const LOAD_ACTIVITY: u64 = 200_001;
/// The limited award of [`SCARCE`].
pub const SCARCE_AWARD: u64 = 1;
/// The award that it gives when that one has run out.
pub const FALLBACK_AWARD: u64 = 101;

/// The text with `to` in place of `from`, which must be there.
pub fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the campaign file has no {from:?}");
    text.replace(from, to)
}

/// The scarce campaign under another id and with another number of units.
pub fn scarce(activity: u64, units: u64) -> String {
    let text = with(SCARCE, "200002", &activity.to_string());
    with(&text, "count = 1000", &format!("count = {units}"))
}

/// The scarce campaign, which gives the fallback while the stock is unavailable.
pub fn falling_back(activity: u64, units: u64) -> String {
    with(
        &scarce(activity, units),
        "state = ",
        "when_stock_unavailable = \"fallback\"\nstate = ",
    )
}

/// A campaign whose only prize takes no stock.
pub fn unlimited(activity: u64) -> String {
    let text = with(
        &scarce(activity, 1_000),
        "count = 1000\ntree = \"stock_or_fallback\"\n",
        "",
    );
    let (awards, _) = text.split_once("[[tree]]").expect("a tree at the end");
    awards.to_owned()
}

/// A campaign with these chances in total, on a day and in a month.
pub fn bounded(activity: u64, welcome: u32, day: u32, month: u32) -> String {
    let text = with(
        &scarce(activity, 1_000_000),
        "welcome = 1000000",
        &format!("welcome = {welcome}"),
    );
    let text = with(&text, "day_limit = 1000000", &format!("day_limit = {day}"));
    with(
        &text,
        "month_limit = 1000000",
        &format!("month_limit = {month}"),
    )
}

/// The campaign in the state `create` or `close`.
pub fn in_state(text: &str, state: &str) -> String {
    with(text, "state = \"open\"", &format!("state = \"{state}\""))
}
