//! Limits that operators set for a while, over those of the configuration.
//!
//! Written as JSON: `{"perSecond": 5, "burst": 10, "observe": false}`, or `{"off": true}` for none.
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::{Map, Number, Value, json};

use super::bucket::Rate;
use super::config::{BURST_MAX, Limit, LimitsConfig};
use crate::answer::Endpoint;

/// Which limit is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitTarget {
    /// That of the whole gateway.
    Gateway,
    /// That of an endpoint, by its number.
    Route(usize),
    /// That of each client address.
    Address,
    /// That of each user.
    User,
}

impl LimitTarget {
    /// All there are, the widest first.
    pub fn all() -> impl Iterator<Item = LimitTarget> {
        let routes = (0..Endpoint::ALL.len()).map(LimitTarget::Route);
        std::iter::once(LimitTarget::Gateway)
            .chain(routes)
            .chain([LimitTarget::Address, LimitTarget::User])
    }

    /// What the configuration says of it.
    pub fn of(self, config: &LimitsConfig) -> Option<Limit> {
        match self {
            LimitTarget::Gateway => config.gateway,
            LimitTarget::Route(number) => config.routes[number],
            LimitTarget::Address => config.address,
            LimitTarget::User => config.user,
        }
    }

    fn of_mut(self, config: &mut LimitsConfig) -> &mut Option<Limit> {
        match self {
            LimitTarget::Gateway => &mut config.gateway,
            LimitTarget::Route(number) => &mut config.routes[number],
            LimitTarget::Address => &mut config.address,
            LimitTarget::User => &mut config.user,
        }
    }
}

impl fmt::Display for LimitTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LimitTarget::Gateway => f.write_str("gateway"),
            LimitTarget::Route(number) => write!(f, "route.{}", Endpoint::ALL[*number].label()),
            LimitTarget::Address => f.write_str("address"),
            LimitTarget::User => f.write_str("user"),
        }
    }
}

/// The text names no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}", all_names())]
pub struct UnknownTarget;

fn all_names() -> String {
    LimitTarget::all()
        .map(|target| target.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

impl FromStr for LimitTarget {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        LimitTarget::all()
            .find(|target| target.to_string() == text)
            .ok_or(UnknownTarget)
    }
}

/// What is in force instead of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitOverride {
    /// `None`: no limit.
    pub limit: Option<Limit>,
    /// When it ends, as its operator has said.
    pub expires_at: Option<Timestamp>,
}

/// All overrides.
pub type OverridesByTarget = BTreeMap<LimitTarget, LimitOverride>;

/// The configuration with the overrides laid over it.
pub fn laid_over(config: &LimitsConfig, overrides: &OverridesByTarget) -> LimitsConfig {
    let mut config = config.clone();
    for (target, LimitOverride { limit, .. }) in overrides {
        *target.of_mut(&mut config) = *limit;
    }
    config
}

/// A limit, as it is configured and as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedLimit {
    /// Which one.
    pub target: LimitTarget,
    /// What the configuration says.
    pub configured: Option<Limit>,
    /// What is in force instead.
    pub overridden: Option<LimitOverride>,
}

impl ListedLimit {
    /// What is in force.
    pub fn in_force(&self) -> Option<Limit> {
        self.overridden.map_or(self.configured, |over| over.limit)
    }
}

/// Reads an override; `None` is no limit. The bounds are those of the configuration.
pub fn parse(value: &Value) -> Result<Option<Limit>, String> {
    const EXPECTED: &str =
        r#"expected {"perSecond": 5, "burst": 10, "observe": false} or {"off": true}"#;
    let fields = value
        .as_object()
        .ok_or_else(|| format!("{EXPECTED}, found {value}"))?;
    if let Some(name) = fields
        .keys()
        .find(|name| !["perSecond", "burst", "observe", "off"].contains(&name.as_str()))
    {
        return Err(format!("{name:?}: is no field of a limit; {EXPECTED}"));
    }
    let boolean = |name: &str| match fields.get(name) {
        None => Ok(false),
        Some(value) => value
            .as_bool()
            .ok_or_else(|| format!("{name}: expected true or false, found {value}")),
    };
    let (off, observe) = (boolean("off")?, boolean("observe")?);
    if off {
        return if fields.len() == 1 {
            Ok(None)
        } else {
            Err("off: goes alone, without other fields".to_owned())
        };
    }
    let rate = rate(fields)?.ok_or_else(|| format!("perSecond: is missing; {EXPECTED}"))?;
    Ok(Some(Limit::new(rate, burst(fields)?, observe)))
}

fn rate(fields: &Map<String, Value>) -> Result<Option<Rate>, String> {
    let Some(value) = fields.get("perSecond") else {
        return Ok(None);
    };
    let text = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    text.parse()
        .map(Some)
        .map_err(|error| format!("perSecond: {error}, found {value}"))
}

fn burst(fields: &Map<String, Value>) -> Result<Option<NonZeroU32>, String> {
    let Some(value) = fields.get("burst") else {
        return Ok(None);
    };
    let number = value
        .as_u64()
        .and_then(|number| u32::try_from(number).ok())
        .filter(|&number| number <= BURST_MAX);
    let burst = number.and_then(NonZeroU32::new);
    burst
        .map(Some)
        .ok_or_else(|| format!("burst: expected an integer from 1 to {BURST_MAX}, found {value}"))
}

/// A limit as JSON, in the form that [`parse`] reads; `null` where there is none.
pub fn to_json(limit: Option<&Limit>) -> Value {
    let Some(Limit {
        rate,
        burst,
        observe,
    }) = limit
    else {
        return Value::Null;
    };
    let per_second: Number = rate.to_string().parse().expect("a decimal");
    json!({ "perSecond": per_second, "burst": burst, "observe": observe })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(rate: &str, burst: u32, observe: bool) -> Limit {
        Limit::new(
            rate.parse().expect("a rate"),
            NonZeroU32::new(burst),
            observe,
        )
    }

    #[test]
    fn every_target_has_a_name_and_is_found_by_it() {
        assert_eq!(LimitTarget::all().count(), Endpoint::ALL.len() + 3);
        for target in LimitTarget::all() {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        let error = "route.darw"
            .parse::<LimitTarget>()
            .expect_err("none")
            .to_string();
        assert!(
            error.starts_with("expected one of gateway, route.draw, ")
                && error.ends_with("address, user")
        );
    }

    #[test]
    fn overrides_are_read_and_written() {
        for (value, expected) in [
            (
                json!({"perSecond": 5, "burst": 10, "observe": true}),
                Some(limit("5", 10, true)),
            ),
            (json!({"perSecond": 2.5}), Some(limit("2.5", 3, false))),
            (
                json!({"perSecond": "0.001", "off": false}),
                Some(limit("0.001", 1, false)),
            ),
            (
                json!({"perSecond": 0, "burst": 1}),
                Some(limit("0", 1, false)),
            ),
            (json!({"off": true}), None),
        ] {
            let read = parse(&value).expect("a limit");
            assert_eq!(read, expected, "{value}");
            if read.is_some() {
                assert_eq!(parse(&to_json(read.as_ref())), Ok(expected), "{value}");
            }
        }
    }

    #[test]
    fn faults_name_the_field_and_what_is_expected() {
        const FORM: &str =
            r#"expected {"perSecond": 5, "burst": 10, "observe": false} or {"off": true}"#;
        const RATE: &str =
            "perSecond: expected a decimal from 0 to 1000000 with at most 3 places, such as 0.5";
        for (value, expected) in [
            (json!(5), format!("{FORM}, found 5")),
            (json!({}), format!("perSecond: is missing; {FORM}")),
            (
                json!({"burst": 5}),
                format!("perSecond: is missing; {FORM}"),
            ),
            (
                json!({"per_second": 5}),
                format!("\"per_second\": is no field of a limit; {FORM}"),
            ),
            (json!({"perSecond": -1}), format!("{RATE}, found -1")),
            (
                json!({"perSecond": 0.0001}),
                format!("{RATE}, found 0.0001"),
            ),
            (json!({"perSecond": null}), format!("{RATE}, found null")),
            (
                json!({"perSecond": 1, "burst": 0}),
                "burst: expected an integer from 1 to 1000000, found 0".to_owned(),
            ),
            (
                json!({"perSecond": 1, "burst": 1.5}),
                "burst: expected an integer from 1 to 1000000, found 1.5".to_owned(),
            ),
            (
                json!({"perSecond": 1, "observe": "no"}),
                "observe: expected true or false, found \"no\"".to_owned(),
            ),
            (
                json!({"off": true, "burst": 1}),
                "off: goes alone, without other fields".to_owned(),
            ),
        ] {
            assert_eq!(parse(&value), Err(expected), "{value}");
        }
    }

    #[test]
    fn what_is_laid_over_replaces_one_limit_each() {
        let config = LimitsConfig::of("[gateway]\nper_second = 7\n[user]\nper_second = 1\n");
        let draw = LimitTarget::Route(Endpoint::Draw as usize);
        let over = |limit| LimitOverride {
            limit,
            expires_at: None,
        };
        let overrides = OverridesByTarget::from([
            (draw, over(Some(limit("2", 2, false)))),
            (LimitTarget::User, over(None)),
        ]);
        let laid = laid_over(&config, &overrides);
        assert_eq!((laid.gateway, laid.user), (config.gateway, None));
        assert_eq!(
            laid.routes[Endpoint::Draw as usize],
            Some(limit("2", 2, false))
        );
        assert_eq!(laid_over(&config, &OverridesByTarget::new()), config);
    }
}
