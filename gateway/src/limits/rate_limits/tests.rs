//! All limits together, in a time of their own.
use governor::clock::FakeRelativeClock;
use prometheus::{Registry, TextEncoder};

use super::*;

struct Here {
    limits: RateLimits<FakeRelativeClock>,
    clock: FakeRelativeClock,
    registry: Registry,
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(work)
}

const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "192.0.2.2";

impl Here {
    fn new(config: &str) -> Self {
        let (clock, registry) = (FakeRelativeClock::default(), Registry::new());
        let metrics = LimitMetrics::new(&registry).expect("metrics");
        Self {
            limits: RateLimits::with_clock(&LimitsConfig::of(config), metrics, clock.clone()),
            clock,
            registry,
        }
    }

    fn cooling(&self) -> (u64, Vec<UserInCooldown>) {
        block_on(self.limits.cooldowns(10))
    }

    fn ask(&self, endpoint: Endpoint, client: &str) -> Result<(), LimitKind> {
        let client = || client.parse().expect("an address");
        self.limits
            .admit(Some(endpoint), client)
            .map_err(|limited| limited.kind)
    }

    fn draw(&self, user: &str) -> Result<(), LimitKind> {
        self.call(Endpoint::Draw, user)
    }

    fn call(&self, endpoint: Endpoint, user: &str) -> Result<(), LimitKind> {
        let user = UserId::new(user).expect("a user");
        self.limits
            .admit_user(endpoint, &user)
            .map_err(|limited| limited.kind)
    }

    #[track_caller]
    fn counted(&self, line: &str) {
        block_on(self.limits.count_keys());
        let reported = TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("metrics");
        assert!(
            reported.lines().any(|found| found == line),
            "{line} is missing in\n{reported}"
        );
    }
}

#[test]
fn without_a_configuration_everything_passes() {
    let here = Here::new("");
    for _ in 0..10_000 {
        let never = || -> IpAddr { panic!("the address does not matter") };
        assert_eq!(here.limits.admit(Some(Endpoint::Draw), never), Ok(()));
        assert_eq!(here.draw("u"), Ok(()));
    }
    here.counted("drawbridge_limit_keys{limit=\"user\"} 0");
}

#[test]
fn the_widest_limit_answers_first() {
    let here = Here::new(
        "[gateway]\nper_second = 1\nburst = 3\n[route.draw]\nper_second = 1\nburst = 2\n\
         [address]\nper_second = 1\nburst = 1\n",
    );
    assert_eq!(here.ask(Endpoint::Draw, HOME), Ok(()));
    assert_eq!(here.ask(Endpoint::Draw, HOME), Err(LimitKind::Address));
    assert_eq!(here.ask(Endpoint::Draw, ELSEWHERE), Ok(()));
    assert_eq!(here.ask(Endpoint::Draw, ELSEWHERE), Err(LimitKind::Route));
    assert_eq!(here.ask(Endpoint::Account, "192.0.2.3"), Ok(()));
    assert_eq!(here.ask(Endpoint::Draw, ELSEWHERE), Err(LimitKind::Gateway));
}

#[test]
fn a_refusal_by_a_narrow_limit_does_not_use_up_the_wide_ones() {
    let here = Here::new(
        "[gateway]\nper_second = 1\nburst = 3\n[route.draw]\nper_second = 1\nburst = 2\n\
         [address]\nper_second = 0.001\nburst = 1\n",
    );
    assert_eq!(here.ask(Endpoint::Draw, HOME), Ok(()));
    for _ in 0..1_000 {
        assert_eq!(here.ask(Endpoint::Draw, HOME), Err(LimitKind::Address));
    }
    assert_eq!(
        here.ask(Endpoint::Draw, ELSEWHERE),
        Ok(()),
        "the route's second one"
    );
    for _ in 0..1_000 {
        assert_eq!(here.ask(Endpoint::Draw, "192.0.2.3"), Err(LimitKind::Route));
    }
    assert_eq!(
        here.ask(Endpoint::Account, "192.0.2.4"),
        Ok(()),
        "the gateway's third one"
    );
    assert_eq!(
        here.ask(Endpoint::Account, "192.0.2.5"),
        Err(LimitKind::Gateway)
    );
    here.counted("drawbridge_limit_decisions_total{decision=\"refused\",limit=\"address\"} 1000");
    here.counted("drawbridge_limit_decisions_total{decision=\"refused\",limit=\"route\"} 1000");
    here.counted("drawbridge_limit_decisions_total{decision=\"refused\",limit=\"gateway\"} 1");
}

#[test]
fn observing_limits_count_and_refuse_nothing_and_no_cooldown_begins() {
    let here = Here::new(
        "[gateway]\nper_second = 0\nobserve = true\n[route.draw]\nper_second = 0\nobserve = true\n\
         [address]\nper_second = 1\nburst = 1\nobserve = true\n\
         [user]\nper_second = 1\nburst = 1\nobserve = true\n[cooldown]\nafter_refusals = 1\n",
    );
    for _ in 0..5 {
        assert_eq!(here.ask(Endpoint::Draw, HOME), Ok(()));
        assert_eq!(here.draw("u"), Ok(()));
    }
    for (limit, count) in [
        ("gateway", 5),
        ("route", 5),
        ("address", 4),
        ("user", 4),
        ("cooldown", 0),
    ] {
        here.counted(&format!(
            "drawbridge_limit_decisions_total{{decision=\"observed\",limit=\"{limit}\"}} {count}"
        ));
        here.counted(&format!(
            "drawbridge_limit_decisions_total{{decision=\"refused\",limit=\"{limit}\"}} 0"
        ));
    }
    here.counted("drawbridge_limit_cooldown_users 0");
}

#[test]
fn users_who_are_refused_too_often_are_in_cooldown_and_may_look() {
    let here = Here::new(
        "[user]\nper_second = 1\nburst = 1\n[cooldown]\nafter_refusals = 2\nwindow_ms = 5000\nfor_ms = 20000\n",
    );
    assert_eq!(
        [1, 2, 3, 4].map(|_| here.draw("u")),
        [
            Ok(()),
            Err(LimitKind::User),
            Err(LimitKind::User),
            Err(LimitKind::Cooldown)
        ]
    );
    assert_eq!(here.draw("v"), Ok(()));
    here.counted("drawbridge_limit_cooldown_users 1");
    here.clock.advance(Duration::from_secs(10));
    let u = UserId::new("u").expect("a user");
    let refused = here
        .limits
        .admit_user(Endpoint::Draw, &u)
        .expect_err("in cooldown");
    assert_eq!((refused.kind, refused.wait_s()), (LimitKind::Cooldown, 10));
    assert_eq!(here.call(Endpoint::Account, "u"), Ok(()));
    let cooling = UserInCooldown {
        user: u.clone(),
        left: Duration::from_secs(10),
        by_hand: false,
    };
    assert_eq!(here.cooling(), (1, vec![cooling]));
    assert!(here.limits.clear_cooldown(&u) && !here.limits.clear_cooldown(&u));
    here.clock.advance(Duration::from_secs(1));
    assert_eq!(here.draw("u"), Ok(()));
}

#[test]
fn cooldowns_can_be_observed() {
    let here = Here::new(
        "[user]\nper_second = 1\nburst = 1\n[cooldown]\nafter_refusals = 1\nobserve = true\n",
    );
    assert_eq!(
        [1, 2, 3].map(|_| here.draw("u")),
        [Ok(()), Err(LimitKind::User), Err(LimitKind::User)]
    );
    here.counted("drawbridge_limit_decisions_total{decision=\"observed\",limit=\"cooldown\"} 1");
    here.clock.advance(Duration::from_secs(1));
    assert_eq!(here.draw("u"), Ok(()));
}

#[test]
fn a_new_configuration_keeps_the_buckets_that_it_does_not_change() {
    const USER: &str = "[user]\nper_second = 0.001\nburst = 1\n[cooldown]\nafter_refusals = 1\n";
    let here = Here::new(&format!("[gateway]\nper_second = 0.001\nburst = 1\n{USER}"));
    assert_eq!(here.ask(Endpoint::Draw, HOME), Ok(()));
    assert_eq!(
        [here.draw("u"), here.draw("u"), here.draw("v")],
        [Ok(()), Err(LimitKind::User), Ok(())]
    );
    let replace = |text: &str| here.limits.replace(&LimitsConfig::of(text));
    replace(&format!(
        "[gateway]\nper_second = 0.001\nburst = 1\n[route.draw]\nper_second = 1\nburst = 1\n{USER}"
    ));
    assert_eq!(
        here.ask(Endpoint::Draw, HOME),
        Err(LimitKind::Gateway),
        "the bucket is the old one"
    );
    assert_eq!(
        (here.draw("u"), here.draw("v")),
        (Err(LimitKind::Cooldown), Err(LimitKind::User))
    );
    replace(&format!("[gateway]\nper_second = 0.001\nburst = 2\n{USER}"));
    assert_eq!(
        here.ask(Endpoint::Draw, HOME),
        Ok(()),
        "another burst, another bucket"
    );
    replace(&format!(
        "[gateway]\nper_second = 0.001\nburst = 2\nobserve = true\n{USER}"
    ));
    assert_eq!(
        [1, 2, 3].map(|_| here.ask(Endpoint::Draw, HOME)),
        [Ok(()), Ok(()), Ok(())]
    );
    here.counted("drawbridge_limit_decisions_total{decision=\"observed\",limit=\"gateway\"} 2");
    replace(&format!("keys_max = 5\n{USER}"));
    assert_eq!(
        (here.draw("u"), here.draw("v")),
        (Ok(()), Ok(())),
        "another bound, other buckets"
    );
    replace("");
    assert_eq!([1, 2, 3].map(|_| here.draw("u")), [Ok(()), Ok(()), Ok(())]);
}

#[test]
fn waits_are_whole_seconds_rounded_up() {
    for (wait, seconds) in [
        (0, 1),
        (1, 1),
        (1_000_000_000, 1),
        (1_000_000_001, 2),
        (u64::MAX, u32::MAX),
    ] {
        let wait = if wait == u64::MAX {
            Duration::MAX
        } else {
            Duration::from_nanos(wait)
        };
        assert_eq!(
            LimitExceeded {
                kind: LimitKind::User,
                burst: 1,
                wait
            }
            .wait_s(),
            seconds
        );
    }
}

#[test]
fn an_operator_puts_a_user_into_cooldown_whatever_the_limits_say() {
    let here = Here::new("");
    let u = UserId::new("u").expect("a user");
    here.limits
        .set_cooldown(&u, Duration::from_secs(30))
        .expect("room");
    assert_eq!(
        (here.draw("u"), here.call(Endpoint::Account, "u")),
        (Err(LimitKind::Cooldown), Ok(()))
    );
    here.limits.replace(&LimitsConfig::of(
        "[user]\nper_second = 1\n[cooldown]\nafter_refusals = 1\nobserve = true\n",
    ));
    assert_eq!(
        (here.draw("u"), here.draw("v")),
        (Err(LimitKind::Cooldown), Ok(())),
        "through a reload"
    );
    assert_eq!(here.draw("v"), Err(LimitKind::User));
    here.counted("drawbridge_limit_cooldown_users 2");
    let names: Vec<_> = here
        .cooling()
        .1
        .into_iter()
        .map(|each| (each.user.as_str().to_owned(), each.by_hand))
        .collect();
    assert_eq!(names, [("u".to_owned(), true), ("v".to_owned(), false)]);
    here.clock.advance(Duration::from_secs(30));
    assert_eq!(here.draw("u"), Ok(()), "it ends by itself");
    here.limits
        .set_cooldown(&u, Duration::from_secs(30))
        .expect("room");
    assert!(here.limits.clear_cooldown(&u) && !here.limits.clear_cooldown(&u));
}

#[test]
fn an_override_lasts_through_reloads_until_it_is_taken_back() {
    let here = Here::new("[user]\nper_second = 0.001\nburst = 1\n");
    let over = |value: Option<serde_json::Value>| {
        here.limits
            .override_limit_json("user", value.as_ref(), None)
    };
    let two = serde_json::json!({"perSecond": 0.001, "burst": 2});
    over(Some(two.clone())).expect("a limit");
    assert_eq!(
        [1, 2, 3].map(|_| here.draw("u")),
        [Ok(()), Ok(()), Err(LimitKind::User)]
    );
    here.limits
        .replace(&LimitsConfig::of("[user]\nper_second = 0.001\nburst = 5\n"));
    assert_eq!(
        here.draw("u"),
        Err(LimitKind::User),
        "the configuration is another one, the override the same"
    );
    let user = here.limits.list().pop().expect("the narrowest");
    assert_eq!(
        (user.target, user.configured.map(|limit| limit.burst.get())),
        (LimitTarget::User, Some(5))
    );
    assert_eq!(user.in_force().map(|limit| limit.burst.get()), Some(2));
    over(Some(serde_json::json!({"off": true}))).expect("none");
    assert_eq!([1, 2, 3, 4, 5, 6].map(|_| here.draw("u")), [Ok(()); 6]);
    over(None).expect("taken back");
    assert_eq!((1..=6).filter(|_| here.draw("u").is_ok()).count(), 5);
    assert_eq!(
        here.limits.list().pop().map(|user| user.overridden),
        Some(None)
    );
}

#[test]
fn an_override_of_nothing_or_with_faults_changes_nothing() {
    let here = Here::new("[gateway]\nper_second = 0.001\nburst = 2\n");
    let before = here.limits.list();
    let value = serde_json::json!({"perSecond": 5});
    let error = here
        .limits
        .override_limit_json("route.darw", Some(&value), None)
        .expect_err("no such endpoint");
    assert!(
        error.starts_with("target: expected one of gateway, ")
            && error.ends_with("found \"route.darw\""),
        "{error}"
    );
    let error =
        here.limits
            .override_limit_json("gateway", Some(&serde_json::json!({"burst": 5})), None);
    assert!(
        error
            .expect_err("no rate")
            .starts_with("perSecond: is missing")
    );
    assert_eq!(here.limits.list(), before);
    here.limits
        .override_limit_json(
            "route.draw",
            Some(&serde_json::json!({"perSecond": 0})),
            None,
        )
        .expect("a limit");
    assert_eq!(
        here.ask(Endpoint::Draw, HOME),
        Err(LimitKind::Route),
        "where nothing is configured"
    );
    assert_eq!(here.ask(Endpoint::Account, HOME), Ok(()));
}
