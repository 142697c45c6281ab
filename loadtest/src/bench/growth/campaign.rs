//! A campaign with as many prizes as wanted, each with stock, odds and a tree of its own.

use std::fmt::Write as _;

/// Its activity.
pub(super) const ACTIVITY: u64 = 200_900;

/// Odds are written with six places.
const ODDS: u32 = 1_000_000;

/// The text of the campaign file. Prizes are equally likely, so that each batch wants as many
/// different ones as it can.
pub(super) fn text(prizes: u16) -> String {
    let rate = ODDS / u32::from(prizes);
    let mut text = format!(
        r#"format = 1
[activity]
id = {ACTIVITY}
name = "{prizes} prizes"
begins_at = 2024-01-01T00:00:00+08:00
ends_at = 2044-01-01T00:00:00+08:00
state = "open"
time_zone = "Asia/Shanghai"
[chances]
welcome = 1000000
day_limit = 1000000
month_limit = 1000000
[strategy]
id = {ACTIVITY}
"#
    );
    for prize in 1..=prizes {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            r#"[[award]]
id = {prize}
title = "Prize {prize}"
sort = {prize}
rate = "{}.{:06}"
count = 1000000000
tree = "tree_{prize}"
[[tree]]
id = "tree_{prize}"
root = "rule_stock"
nodes = [
    {{ key = "rule_stock", allow = "rule_luck_award" }},
    {{ key = "rule_luck_award", award = 1 }},
]
"#,
            rate / ODDS,
            rate % ODDS
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::campaign::Campaign;

    #[test]
    fn the_file_is_accepted_at_both_ends_and_between() {
        for prizes in [1, 3, 10, 1_000] {
            let campaign = Campaign::parse(&text(prizes)).expect("a valid campaign");
            assert_eq!(campaign.strategy.awards.len(), usize::from(prizes));
            assert_eq!(campaign.activity.id.get(), ACTIVITY);
        }
    }
}
