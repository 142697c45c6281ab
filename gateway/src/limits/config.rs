//! The section `limits` of the configuration. Nothing is limited that it does not name.
use std::num::NonZeroU32;
use std::time::Duration;

use settings::{Faulted, Section, all};

use super::bucket::{BucketPace, Rate};
use super::cooldown::{CooldownRules, LASTS_MAX};
use crate::answer::Endpoint;

pub(super) const BURST_MAX: u32 = 1_000_000;
const KEYS_MAX: u64 = 10_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many requests a second it lets through.
    pub rate: Rate,
    /// How many of them at once.
    pub burst: NonZeroU32,
    /// It refuses nothing; what it would refuse is counted.
    pub observe: bool,
}

impl Limit {
    /// A limit by what was said of it: without a burst it lets the tokens of one second through at
    /// once.
    pub fn new(rate: Rate, burst: Option<NonZeroU32>, observe: bool) -> Self {
        Self {
            rate,
            burst: burst.unwrap_or_else(|| rate.of_a_second()),
            observe,
        }
    }

    /// How much it lets through.
    pub fn pace(&self) -> BucketPace {
        BucketPace::new(self.rate, self.burst)
    }
}

/// All limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsConfig {
    /// For all requests together.
    pub gateway: Option<Limit>,
    /// For all requests to an endpoint, by the endpoint's number.
    pub routes: Vec<Option<Limit>>,
    /// For each client address.
    pub address: Option<Limit>,
    /// For each user.
    pub user: Option<Limit>,
    /// For users who were refused often.
    pub cooldown: Option<CooldownRules>,
    /// Users, and addresses, that are remembered.
    pub keys_max: u64,
}

/// Reads the section.
pub fn read(section: &Section<'_>) -> Result<LimitsConfig, Faulted> {
    let gateway = limit(&section.section("gateway"));
    let routes = section.section("route");
    let routes = all(Endpoint::ALL
        .iter()
        .map(|endpoint| limit(&routes.section(endpoint.label()))));
    let address = limit(&section.section("address"));
    let user = limit(&section.section("user"));
    section.renamed("sit_out", "cooldown");
    let cooldown = cooldown(&section.section("cooldown"));
    let keys_max = section.integer("keys_max", 1..=KEYS_MAX).or(100_000);
    let (user, cooldown) = (user?, cooldown?);
    if cooldown.is_some() && user.is_none() {
        return Err(section.section("cooldown").fault(
            "after_refusals",
            "counts refusals of limits.user, which is not set",
        ));
    }
    Ok(LimitsConfig {
        gateway: gateway?,
        routes: routes?,
        address: address?,
        user,
        cooldown,
        keys_max: keys_max?,
    })
}

fn limit(section: &Section<'_>) -> Result<Option<Limit>, Faulted> {
    let rate = section.decimal("per_second").parse::<Rate>().optional();
    let burst = section.integer("burst", 1..=BURST_MAX).optional();
    let observe = section.boolean("observe").optional();
    let (burst, observe) = (burst?, observe?);
    let Some(rate) = rate? else {
        // Without a rate the rest would be read and do nothing.
        return match (burst, observe) {
            (None, None) => Ok(None),
            _ => Err(section.fault("per_second", "is missing: burst and observe go with it")),
        };
    };
    Ok(Some(Limit::new(
        rate,
        burst.and_then(NonZeroU32::new),
        observe.unwrap_or(false),
    )))
}

fn cooldown(section: &Section<'_>) -> Result<Option<CooldownRules>, Faulted> {
    let lasts_max_ms = u64::try_from(LASTS_MAX.as_millis()).unwrap_or(u64::MAX);
    let after_refusals = section.integer("after_refusals", 1..=1_000_000).optional();
    let window = section.integer("window_ms", 1..=DAY_MS).optional();
    let lasts = section.integer("for_ms", 1..=lasts_max_ms).optional();
    let observe = section.boolean("observe").optional();
    let (window, lasts, observe) = (window?, lasts?, observe?);
    let Some(after_refusals) = after_refusals? else {
        return match (window, lasts, observe) {
            (None, None, None) => Ok(None),
            _ => Err(section.fault("after_refusals", "is missing: the other keys go with it")),
        };
    };
    Ok(Some(CooldownRules {
        after_refusals,
        window: Duration::from_millis(window.unwrap_or(60_000)),
        lasts: Duration::from_millis(lasts.unwrap_or(600_000)),
        observe: observe.unwrap_or(false),
    }))
}

#[cfg(test)]
impl LimitsConfig {
    /// The limits that a text names.
    pub fn of(text: &str) -> Self {
        settings::read(text, Vec::new(), read).expect("a config")
    }
}

#[cfg(test)]
mod tests {
    use settings::Override;

    use super::*;

    fn limit(rate: &str, burst: u32, observe: bool) -> Limit {
        Limit::new(
            rate.parse().expect("a rate"),
            NonZeroU32::new(burst),
            observe,
        )
    }

    fn faults(text: &str) -> Vec<String> {
        let faults = settings::read(text, Vec::new(), read).expect_err("faults");
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_is_limited_by_default() {
        let config = LimitsConfig::of("");
        assert_eq!(
            (config.gateway, config.address, config.user, config.cooldown),
            (None, None, None, None)
        );
        assert!(config.routes.iter().all(Option::is_none));
        assert_eq!(config.keys_max, 100_000);
    }

    #[test]
    fn limits_are_read() {
        let config = LimitsConfig::of(
            "keys_max = 7\n[gateway]\nper_second = 5000\nburst = 10\nobserve = true\n\
             [route.draw]\nper_second = 2.5\n[address]\nper_second = \"0.5\"\n\
             [user]\nper_second = 0\n[cooldown]\nafter_refusals = 20\n",
        );
        assert_eq!(config.gateway, Some(limit("5000", 10, true)));
        let routes: Vec<_> = config.routes.iter().flatten().copied().collect();
        assert_eq!(routes, [limit("2.5", 3, false)]);
        assert_eq!(config.routes[Endpoint::Draw as usize], Some(routes[0]));
        assert_eq!(config.address, Some(limit("0.5", 1, false)));
        assert_eq!(config.user.map(|user| user.pace()), Some(BucketPace::Never));
        let (window, lasts) = (Duration::from_mins(1), Duration::from_mins(10));
        assert_eq!(
            config.cooldown,
            Some(CooldownRules {
                after_refusals: 20,
                window,
                lasts,
                observe: false
            })
        );
        assert_eq!(config.keys_max, 7);
    }

    #[test]
    fn variables_set_limits_that_no_file_names() {
        let variable =
            |name, value| Override::variable("DRAWBRIDGE_", name, value).expect("the prefix");
        let overrides = vec![
            variable("DRAWBRIDGE_LIMITS_ROUTE_DRAW_RECORD_PER_SECOND", "3"),
            variable("DRAWBRIDGE_LIMITS_ROUTE_DRAW_PER_SECOND", "4"),
        ];
        let config =
            settings::read("", overrides, |root| read(&root.section("limits"))).expect("a config");
        let of = |endpoint: Endpoint| config.routes[endpoint as usize];
        assert_eq!(of(Endpoint::DrawRecord), Some(limit("3", 3, false)));
        assert_eq!(of(Endpoint::Draw), Some(limit("4", 4, false)));
    }

    #[test]
    fn the_documented_example_is_a_configuration() {
        let documented = include_str!("../../../docs/limits.md");
        let (_, rest) = documented.split_once("```toml\n").expect("an example");
        let (example, _) = rest.split_once("```").expect("its end");
        let config = settings::read(example, Vec::new(), |root| read(&root.section("limits")))
            .expect("good");
        assert_eq!(config.gateway, Some(limit("20000", 20_000, false)));
        assert!(config.address.is_some() && config.user.is_some() && config.cooldown.is_some());
    }

    #[test]
    fn every_route_is_documented() {
        let documented = include_str!("../../../docs/configuration.md");
        let row = documented
            .lines()
            .find(|line| line.contains("`limits.route.NAME.per_second`"))
            .expect("its row");
        for endpoint in Endpoint::ALL {
            assert!(
                row.contains(&format!("`{}`", endpoint.label())),
                "{} is missing",
                endpoint.label()
            );
        }
    }

    #[test]
    fn faults_are_named() {
        for (text, part) in [
            (
                "[gateway]\nper_second = -1\n",
                "gateway.per_second: expected a decimal from 0 to 1000000",
            ),
            (
                "[gateway]\nper_second = 1e3\n",
                "gateway.per_second: expected a decimal",
            ),
            ("[gateway]\nburst = 5\n", "gateway.per_second: is missing"),
            (
                "[user]\nper_second = 1\nburst = 0\n",
                "user.burst: expected an integer from 1",
            ),
            (
                "[route.darw]\nper_second = 1\n",
                "route.darw: unknown key; did you mean \"draw\"?",
            ),
            (
                "[user]\nper_second = 1\n[cooldown]\nfor_ms = 5\n",
                "cooldown.after_refusals: is missing",
            ),
            (
                "[cooldown]\nafter_refusals = 5\n",
                "cooldown.after_refusals: counts refusals of limits.user",
            ),
            (
                "[sit_out]\nafter_refusals = 5\n",
                "line 1, sit_out: is called \"cooldown\" now",
            ),
            ("keys_max = 0\n", "keys_max: expected an integer from 1"),
        ] {
            let faults = faults(text);
            assert!(
                faults.iter().any(|fault| fault.contains(part)),
                "{part} is missing in {faults:?}"
            );
        }
    }
}
