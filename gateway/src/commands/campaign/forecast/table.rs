//! A forecast for people.
use market::forecast::{AwardSummary, Forecast, GuaranteeSummary, LockSummary, RunsOut, Summary};

use super::number::{percent, short};

const HEADS: [&str; 10] = [
    "award",
    "count",
    "given",
    "issued",
    "as fallback",
    "locked",
    "gone",
    "limited",
    "runs out on day (5 to 95 %)",
    "title",
];

/// The whole forecast.
pub(super) fn text(forecast: &Forecast, summary: &Summary) -> String {
    let parts = [
        head(forecast, summary),
        cost(summary),
        points(summary),
        awards(summary),
        guarantees(forecast, summary),
        locks(forecast, summary),
        fallbacks(summary),
    ];
    let parts = parts.iter().filter(|part| !part.is_empty());
    let parts: Vec<_> = parts.map(|part| part.join("\n") + "\n").collect();
    parts.join("\n")
}

/// What matters before a publication, in few lines.
pub(super) fn brief(forecast: &Forecast, summary: &Summary) -> String {
    let mut lines = vec![format!(
        "forecast of {}, {} runs: costs {} minor units ({} to {})",
        crowd(forecast),
        summary.runs,
        short(summary.cost_minor.mean),
        summary.cost_minor.p5,
        summary.cost_minor.p95
    )];
    let gone = summary
        .awards
        .iter()
        .filter(|award| award.runs_out.share > 0.0);
    lines.extend(gone.map(|award| {
        format!(
            "  award {} runs out in {} of the runs, on day {}",
            award.id,
            percent(award.runs_out.share),
            days(&award.runs_out)
        )
    }));
    lines.extend(fallbacks(summary).into_iter().skip(1));
    lines.extend(refused(summary));
    lines.join("\n") + "\n"
}

fn crowd(forecast: &Forecast) -> String {
    let turnout = forecast.turnout();
    let counted = |count: u32, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    format!(
        "{} with {} each in {}",
        counted(turnout.users(), "user"),
        counted(turnout.draws_per_user(), "draw"),
        counted(turnout.days(), "day")
    )
}

fn head(forecast: &Forecast, summary: &Summary) -> Vec<String> {
    let activity = &forecast.campaign().activity;
    let mut lines = vec![
        format!("Forecast of activity {}: {}", activity.id, activity.name),
        format!(
            "  {}; {} runs, seed {}",
            crowd(forecast),
            summary.runs,
            forecast.seed()
        ),
    ];
    if forecast.blacklisted() > 0 {
        lines.push(format!(
            "  on the blacklist: {} of the users",
            forecast.blacklisted()
        ));
    }
    lines.extend(refused(summary));
    lines
}

fn refused(summary: &Summary) -> impl Iterator<Item = String> {
    summary.refused.iter().map(|refused| {
        format!(
            "  refused: {} draws of a run, since {}",
            short(refused.mean),
            match refused.cause {
                market::Refusal::NoChancesLeft =>
                    "no chances are left (a user has those of the campaign; more are not simulated)"
                        .to_owned(),
                cause => cause.to_string(),
            }
        )
    })
}

fn cost(summary: &Summary) -> Vec<String> {
    let cost = &summary.cost_minor;
    vec![
        "Cost in minor units".into(),
        format!("  mean {}", short(cost.mean)),
        format!("  5th percentile {}, 95th percentile {}", cost.p5, cost.p95),
    ]
}

fn points(summary: &Summary) -> Vec<String> {
    let mean = summary.points_mean.iter();
    let lines = mean.map(|&mean| format!("  mean {}", short(mean)));
    titled("Points that prizes pay", lines)
}

fn awards(summary: &Summary) -> Vec<String> {
    let rows = summary.awards.iter().map(row);
    let rows: Vec<_> = std::iter::once(HEADS.map(str::to_owned))
        .chain(rows)
        .collect();
    let widths: [usize; HEADS.len()] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    // A title may have characters of any width, so it comes last and is not aligned.
    let line = |row: &[String; HEADS.len()]| {
        let (title, cells) = row.split_last().expect("columns");
        let cells = cells.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("  {cell:>width$}"))
            .collect();
        format!("{}  {title}", cells.concat())
    };
    std::iter::once("Awards (means of a run)".to_owned())
        .chain(rows.iter().map(line))
        .collect()
}

fn row(award: &AwardSummary) -> [String; HEADS.len()] {
    let count = award.count;
    [
        award.id.to_string(),
        count.map_or("no limit".into(), |count| count.to_string()),
        short(award.given_mean),
        short(award.issued_mean),
        short(award.as_fallback_mean),
        short(award.locked_mean),
        short(award.gone_mean),
        short(award.limited_mean),
        days(&award.runs_out),
        award.title.to_string(),
    ]
}

/// When a prize runs out: the median, then the percentiles around it.
fn days(runs_out: &RunsOut) -> String {
    let day = |day: Option<f64>| day.map_or("never".to_owned(), short);
    if runs_out.share > 0.0 {
        format!(
            "{} ({} to {})",
            day(runs_out.day_p50),
            day(runs_out.day_p5),
            day(runs_out.day_p95)
        )
    } else {
        "never".into()
    }
}

fn guarantees(forecast: &Forecast, summary: &Summary) -> Vec<String> {
    let has_limits = !forecast.campaign().strategy.user_limits().is_empty();
    let cause = if has_limits {
        "the prize is gone or they had as many as one may have"
    } else {
        "the prize is gone"
    };
    let line = |guarantee: &GuaranteeSummary| {
        let gone = match guarantee.fallback_mean {
            0.0 => String::new(),
            mean => format!("; {} get a fallback, since {cause}", short(mean)),
        };
        format!(
            "  draw {}: {} users ({}) reach it{gone}",
            guarantee.draw,
            short(guarantee.users_mean),
            of_users(forecast, guarantee.users_mean)
        )
    };
    titled(
        "Guarantees (rule_weight)",
        summary.guarantees.iter().map(line),
    )
}

fn locks(forecast: &Forecast, summary: &Summary) -> Vec<String> {
    let line = |lock: &LockSummary| {
        format!(
            "  award {}, after {} draws on a day: {} users ({}) open it",
            lock.award,
            lock.draws,
            short(lock.users_mean),
            of_users(forecast, lock.users_mean)
        )
    };
    titled("Locks", summary.locks.iter().map(line))
}

fn fallbacks(summary: &Summary) -> Vec<String> {
    let causes = [
        ("the prize is locked", summary.locked_mean()),
        ("the prize is gone", summary.gone_mean()),
        (
            "the user had as many as one may have",
            summary.limited_mean(),
        ),
    ];
    let line = |(cause, mean): (&str, f64)| {
        let share = percent(mean / summary.made_mean.max(1.0));
        format!(
            "  a fallback, since {cause}: {} draws of a run ({share})",
            short(mean)
        )
    };
    let causes = causes.into_iter().filter(|(_, mean)| *mean > 0.0);
    titled("Fallbacks", causes.map(line))
}

fn titled(title: &str, lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut part = vec![title.to_owned()];
    part.extend(lines);
    if part.len() == 1 { Vec::new() } else { part }
}

fn of_users(forecast: &Forecast, users: f64) -> String {
    percent(users / f64::from(forecast.turnout().users()))
}
