//! A forecast for programs.
use market::forecast::{AwardSummary, Forecast, GuaranteeSummary, LockSummary, Summary};
use serde_json::{Number, Value, json};

use super::number::rounded;

/// The whole forecast.
pub(super) fn document(forecast: &Forecast, summary: &Summary) -> Value {
    let turnout = forecast.turnout();
    let refused = summary.refused.iter();
    let refused = refused
        .map(|refused| json!({"cause": refused.cause.to_string(), "mean": rounded(refused.mean)}));
    let cost = &summary.cost_minor;
    json!({
        "activity": forecast.campaign().activity.id.get(),
        "runs": summary.runs,
        "seed": forecast.seed(),
        "users": turnout.users(),
        "draws_per_user": turnout.draws_per_user(),
        "days": turnout.days(),
        "blacklisted_users": forecast.blacklisted(),
        "draws": {
            "asked": turnout.draws(),
            "made_mean": rounded(summary.made_mean),
            "refused": refused.collect::<Vec<_>>(),
        },
        "cost_minor": {
            "mean": rounded(cost.mean),
            "p5": whole(cost.p5),
            "p95": whole(cost.p95),
        },
        "points_mean": summary.points_mean.map(rounded),
        "awards": summary.awards.iter().map(award).collect::<Vec<_>>(),
        "fallbacks": {
            "locked_mean": rounded(summary.locked_mean()),
            "gone_mean": rounded(summary.gone_mean()),
            "limited_mean": rounded(summary.limited_mean()),
        },
        "guarantees": summary.guarantees.iter().map(guarantee).collect::<Vec<_>>(),
        "locks": summary.locks.iter().map(lock).collect::<Vec<_>>(),
    })
}

fn award(award: &AwardSummary) -> Value {
    let runs_out = &award.runs_out;
    json!({
        "id": award.id.get(),
        "title": &*award.title,
        "count": award.count,
        "cost_minor": award.cost_minor,
        "given_mean": rounded(award.given_mean),
        "issued_mean": rounded(award.issued_mean),
        "as_fallback_mean": rounded(award.as_fallback_mean),
        "locked_mean": rounded(award.locked_mean),
        "gone_mean": rounded(award.gone_mean),
        "limited_mean": rounded(award.limited_mean),
        "runs_out_share": rounded(runs_out.share),
        "runs_out_day_p5": runs_out.day_p5.map(rounded),
        "runs_out_day_p50": runs_out.day_p50.map(rounded),
        "runs_out_day_p95": runs_out.day_p95.map(rounded),
    })
}

fn guarantee(guarantee: &GuaranteeSummary) -> Value {
    let awards = guarantee.awards.iter().map(|award| award.get());
    json!({
        "draw": guarantee.draw,
        "awards": awards.collect::<Vec<_>>(),
        "users_mean": rounded(guarantee.users_mean),
        "fallback_mean": rounded(guarantee.fallback_mean),
    })
}

fn lock(lock: &LockSummary) -> Value {
    json!({
        "award": lock.award.get(),
        "draws": lock.draws,
        "users_mean": rounded(lock.users_mean),
    })
}

/// An amount as an integer. One that has more than 64 bits, which costs can have, is a float.
fn whole(amount: u128) -> Option<Number> {
    Number::from_u128(amount).or_else(|| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "no reader needs the cents of 10^19"
        )]
        Number::from_f64(amount as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_numbers_however_large() {
        let written = |amount| serde_json::to_string(&whole(amount)).expect("a number");
        assert_eq!(written(0), "0");
        assert_eq!(written(u64::MAX.into()), "18446744073709551615");
        assert_eq!(written(10_u128.pow(21)).parse(), Ok(1e21_f64));
    }
}
