//! A forecast for spreadsheets: one table, whose first column says what a row is about.
use std::fmt::Display;

use market::forecast::{AwardSummary, Summary};

use super::number::rounded;
use crate::results::text_cell;

/// The columns. Which of them a row has depends on its kind.
const HEADER: [&str; 17] = [
    "kind",
    "id",
    "title",
    "count",
    "mean",
    "cost_minor_mean",
    "cost_minor_p5",
    "cost_minor_p95",
    "issued_mean",
    "as_fallback_mean",
    "locked_mean",
    "gone_mean",
    "limited_mean",
    "runs_out_share",
    "runs_out_day_p5",
    "runs_out_day_p50",
    "runs_out_day_p95",
];

/// A row without values.
#[derive(Default)]
struct Row([String; HEADER.len()]);

impl Row {
    fn of(kind: &str, id: impl Display, mean: f64) -> Self {
        Self::default()
            .with("kind", kind)
            .with("id", id)
            .with("mean", rounded(mean))
    }

    fn with(mut self, column: &str, value: impl Display) -> Self {
        let index = HEADER.iter().position(|name| *name == column);
        self.0[index.expect("a column of the header")] = value.to_string();
        self
    }

    fn with_some(self, column: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(column, value),
            None => self,
        }
    }
}

/// The whole forecast.
pub(super) fn text(summary: &Summary) -> String {
    let cost = &summary.cost_minor;
    let all = Row::of("draws", "", summary.made_mean)
        .with("cost_minor_mean", rounded(cost.mean))
        .with("cost_minor_p5", cost.p5)
        .with("cost_minor_p95", cost.p95)
        .with("locked_mean", rounded(summary.locked_mean()))
        .with("gone_mean", rounded(summary.gone_mean()))
        .with("limited_mean", rounded(summary.limited_mean()));
    let refused = summary.refused.iter();
    let refused = refused.map(|refused| {
        Row::of("refused", "", refused.mean).with("title", text_cell(&refused.cause.to_string()))
    });
    let points = summary.points_mean.map(|mean| Row::of("points", "", mean));
    let guarantees = summary.guarantees.iter().map(|guarantee| {
        Row::of("guarantee", guarantee.draw, guarantee.users_mean)
            .with("gone_mean", rounded(guarantee.fallback_mean))
    });
    let locks = summary.locks.iter().map(|lock| {
        let title = format!("opens after {} draws", lock.draws);
        Row::of("lock", lock.award, lock.users_mean).with("title", title)
    });
    let rows = std::iter::once(all)
        .chain(refused)
        .chain(points)
        .chain(summary.awards.iter().map(award))
        .chain(guarantees)
        .chain(locks);
    let header = HEADER.map(str::to_owned);
    let lines = std::iter::once(header).chain(rows.map(|row| row.0));
    lines.map(|line| line.join(",") + "\n").collect()
}

fn award(award: &AwardSummary) -> Row {
    let runs_out = &award.runs_out;
    #[expect(clippy::cast_precision_loss, reason = "a product for people")]
    let cost = award.given_mean * award.cost_minor as f64;
    Row::of("award", award.id, award.given_mean)
        .with("title", text_cell(&award.title))
        .with_some("count", award.count)
        .with("cost_minor_mean", rounded(cost))
        .with("issued_mean", rounded(award.issued_mean))
        .with("as_fallback_mean", rounded(award.as_fallback_mean))
        .with("locked_mean", rounded(award.locked_mean))
        .with("gone_mean", rounded(award.gone_mean))
        .with("limited_mean", rounded(award.limited_mean))
        .with("runs_out_share", rounded(runs_out.share))
        .with_some("runs_out_day_p5", runs_out.day_p5.map(rounded))
        .with_some("runs_out_day_p50", runs_out.day_p50.map(rounded))
        .with_some("runs_out_day_p95", runs_out.day_p95.map(rounded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        let cells = ["plain 积分", "a,b", "say \"hi\"", "=1+1", "-1", "@x,y"].map(text_cell);
        assert_eq!(
            cells,
            [
                "plain 积分",
                "\"a,b\"",
                "\"say \"\"hi\"\"\"",
                "'=1+1",
                "'-1",
                "\"'@x,y\""
            ]
        );
    }
}
