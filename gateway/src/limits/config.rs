//! The section `limits` of the configuration. Nothing is limited that it does not name.
use std::num::NonZeroU32;
use std::time::Duration;

use market::document::{Faulted, Section, all};

use super::bucket::{Pace, Rate};
use super::sit_out::SitOut;
use crate::api::Endpoint;

const BURST_MAX: u32 = 1_000_000;
const KEYS_MAX: u64 = 10_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How much it lets through.
    pub pace: Pace,
    /// It refuses nothing; what it would refuse is counted.
    pub observe: bool,
}

/// All limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// For all requests together.
    pub gateway: Option<Limit>,
    /// For all requests to an endpoint, by the endpoint's number.
    pub routes: Vec<Option<Limit>>,
    /// For each client address.
    pub address: Option<Limit>,
    /// For each user.
    pub user: Option<Limit>,
    /// For users who were refused often.
    pub sit_out: Option<SitOut>,
    /// Users, and addresses, that are remembered.
    pub keys_max: u64,
}

/// Reads the section.
pub fn read(section: &Section<'_>) -> Result<Config, Faulted> {
    let gateway = limit(&section.section("gateway"));
    let routes = section.section("route");
    let routes = all(Endpoint::ALL.iter().map(|endpoint| limit(&routes.section(endpoint.label()))));
    let address = limit(&section.section("address"));
    let user = limit(&section.section("user"));
    let sit_out = sit_out(&section.section("sit_out"));
    let keys_max = section.integer("keys_max", 1..=KEYS_MAX).or(100_000);
    let (user, sit_out) = (user?, sit_out?);
    if sit_out.is_some() && user.is_none() {
        return Err(section
            .section("sit_out")
            .fault("after_refusals", "counts refusals of limits.user, which is not set"));
    }
    Ok(Config { gateway: gateway?, routes: routes?, address: address?, user, sit_out, keys_max: keys_max? })
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
    let burst = burst.and_then(NonZeroU32::new).unwrap_or_else(|| rate.of_a_second());
    Ok(Some(Limit { pace: Pace::new(rate, burst), observe: observe.unwrap_or(false) }))
}

fn sit_out(section: &Section<'_>) -> Result<Option<SitOut>, Faulted> {
    let after_refusals = section.integer("after_refusals", 1..=1_000_000).optional();
    let window = section.integer("window_ms", 1..=DAY_MS).optional();
    let lasts = section.integer("for_ms", 1..=7 * DAY_MS).optional();
    let observe = section.boolean("observe").optional();
    let (window, lasts, observe) = (window?, lasts?, observe?);
    let Some(after_refusals) = after_refusals? else {
        return match (window, lasts, observe) {
            (None, None, None) => Ok(None),
            _ => Err(section.fault("after_refusals", "is missing: the other keys go with it")),
        };
    };
    Ok(Some(SitOut {
        after_refusals,
        window: Duration::from_millis(window.unwrap_or(60_000)),
        lasts: Duration::from_millis(lasts.unwrap_or(600_000)),
        observe: observe.unwrap_or(false),
    }))
}

#[cfg(test)]
impl Config {
    /// The limits that a text names.
    pub fn of(text: &str) -> Self {
        market::document::read(text, Vec::new(), read).expect("a config")
    }
}

#[cfg(test)]
mod tests {
    use market::document::Override;

    use super::*;

    fn pace(rate: &str, burst: u32) -> Pace {
        Pace::new(rate.parse().expect("a rate"), NonZeroU32::new(burst).expect("not zero"))
    }

    fn faults(text: &str) -> Vec<String> {
        let faults = market::document::read(text, Vec::new(), read).expect_err("faults");
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_is_limited_by_default() {
        let config = Config::of("");
        assert_eq!((config.gateway, config.address, config.user, config.sit_out), (None, None, None, None));
        assert!(config.routes.iter().all(Option::is_none));
        assert_eq!(config.keys_max, 100_000);
    }

    #[test]
    fn limits_are_read() {
        let config = Config::of(
            "keys_max = 7\n[gateway]\nper_second = 5000\nburst = 10\nobserve = true\n\
             [route.draw]\nper_second = 2.5\n[address]\nper_second = \"0.5\"\n\
             [user]\nper_second = 0\n[sit_out]\nafter_refusals = 20\n",
        );
        assert_eq!(config.gateway, Some(Limit { pace: pace("5000", 10), observe: true }));
        let routes: Vec<_> = config.routes.iter().flatten().copied().collect();
        assert_eq!(routes, [Limit { pace: pace("2.5", 3), observe: false }]);
        assert_eq!(config.routes[Endpoint::Draw as usize], Some(routes[0]));
        assert_eq!(config.address, Some(Limit { pace: pace("0.5", 1), observe: false }));
        assert_eq!(config.user, Some(Limit { pace: Pace::Never, observe: false }));
        let (window, lasts) = (Duration::from_mins(1), Duration::from_mins(10));
        assert_eq!(config.sit_out, Some(SitOut { after_refusals: 20, window, lasts, observe: false }));
        assert_eq!(config.keys_max, 7);
    }

    #[test]
    fn variables_set_limits_that_no_file_names() {
        let variable = |name, value| Override::variable("DRAWBRIDGE_", name, value).expect("the prefix");
        let overrides = vec![
            variable("DRAWBRIDGE_LIMITS_ROUTE_DRAW_RECORD_PER_SECOND", "3"),
            variable("DRAWBRIDGE_LIMITS_ROUTE_DRAW_PER_SECOND", "4"),
        ];
        let config = market::document::read("", overrides, |root| read(&root.section("limits"))).expect("a config");
        let pace_of = |endpoint: Endpoint| config.routes[endpoint as usize].map(|limit| limit.pace);
        assert_eq!(pace_of(Endpoint::DrawRecord), Some(pace("3", 3)));
        assert_eq!(pace_of(Endpoint::Draw), Some(pace("4", 4)));
    }

    #[test]
    fn the_documented_example_is_a_configuration() {
        let documented = include_str!("../../../docs/limits.md");
        let (_, rest) = documented.split_once("```toml\n").expect("an example");
        let (example, _) = rest.split_once("```").expect("its end");
        let config = market::document::read(example, Vec::new(), |root| read(&root.section("limits"))).expect("good");
        assert_eq!(config.gateway, Some(Limit { pace: pace("20000", 20_000), observe: false }));
        assert!(config.address.is_some() && config.user.is_some() && config.sit_out.is_some());
    }

    #[test]
    fn every_route_is_documented() {
        let documented = include_str!("../../../docs/configuration.md");
        let row = documented.lines().find(|line| line.contains("`limits.route.NAME.per_second`")).expect("its row");
        for endpoint in Endpoint::ALL {
            assert!(row.contains(&format!("`{}`", endpoint.label())), "{} is missing", endpoint.label());
        }
    }

    #[test]
    fn faults_are_named() {
        for (text, part) in [
            ("[gateway]\nper_second = -1\n", "gateway.per_second: expected a decimal from 0 to 1000000"),
            ("[gateway]\nper_second = 1e3\n", "gateway.per_second: expected a decimal"),
            ("[gateway]\nburst = 5\n", "gateway.per_second: is missing"),
            ("[user]\nper_second = 1\nburst = 0\n", "user.burst: expected a whole number from 1"),
            ("[route.darw]\nper_second = 1\n", "route.darw: unknown key; did you mean \"draw\"?"),
            ("[user]\nper_second = 1\n[sit_out]\nfor_ms = 5\n", "sit_out.after_refusals: is missing"),
            ("[sit_out]\nafter_refusals = 5\n", "sit_out.after_refusals: counts refusals of limits.user"),
            ("keys_max = 0\n", "keys_max: expected a whole number from 1"),
        ] {
            let faults = faults(text);
            assert!(faults.iter().any(|fault| fault.contains(part)), "{part} is missing in {faults:?}");
        }
    }
}
