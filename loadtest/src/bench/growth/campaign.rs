//! A campaign with a given number of prizes, each with stock, odds and a tree of its own.

use testkit::campaign::{Award, CampaignFile, Tree};

/// Its activity.
pub(super) const ACTIVITY: u64 = 200_900;

/// Odds are written with six places.
const ODDS: u32 = 1_000_000;

/// Units of each prize: more than are drawn.
const UNITS: u64 = 1_000_000_000;

/// The campaign file. Prizes are equally likely, so that each batch needs units of as many
/// different ones as possible.
pub(super) fn text(prizes: u16) -> String {
    let rate = ODDS / u32::from(prizes);
    let rate = format!("\"{}.{:06}\"", rate / ODDS, rate % ODDS);
    let file = CampaignFile::new(ACTIVITY)
        .named(&format!("{prizes} prizes"))
        .time_zone("Asia/Shanghai");
    (1..=prizes)
        .fold(file, |file, prize| {
            let tree = format!("tree_{prize}");
            let award = Award::new(prize.into(), &format!("Prize {prize}"), &rate);
            file.award(award.count(UNITS, &tree))
                .tree(Tree::stock(&tree, 1, None))
        })
        .text()
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
