//! What is left of a prize.
use serde::Serialize;
use shards::stock::Left;

/// The fields of a prize that say what is left of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftView {
    /// Null for a prize without limit. Not there while nothing is known of it: this gateway has not
    /// reached the stock since it was started.
    #[serde(skip_serializing_if = "LeftUnits::is_unknown")]
    left: LeftUnits,
    sold_out: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum LeftUnits {
    Known(u64),
    Unlimited(()),
    #[serde(skip)]
    Unknown,
}

impl LeftUnits {
    const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl LeftView {
    /// As it looks to callers. `None` is a prize without limit.
    pub fn new(left: Option<Left>) -> Self {
        let left = match left {
            None => LeftUnits::Unlimited(()),
            Some(Left::Units { units, .. }) => LeftUnits::Known(units),
            Some(Left::Unknown) => LeftUnits::Unknown,
        };
        Self {
            sold_out: matches!(left, LeftUnits::Known(0)),
            left,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_callers_see() {
        let units = |units| {
            let age = Duration::from_secs(3);
            Some(Left::Units { units, age })
        };
        let shown = |left| serde_json::to_value(LeftView::new(left)).expect("JSON");
        assert_eq!(shown(None), json!({"left": null, "soldOut": false}));
        assert_eq!(shown(units(7)), json!({"left": 7, "soldOut": false}));
        assert_eq!(shown(units(0)), json!({"left": 0, "soldOut": true}));
        assert_eq!(shown(Some(Left::Unknown)), json!({"soldOut": false}));
    }
}
