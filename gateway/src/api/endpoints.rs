//! The one table of endpoints: paths, methods, parameters, whose business each is, and what it
//! means when nobody answers. The router and the metrics come from it; tests compare `docs/api.md`
//! and nginx's files with it.
use hyper::Method;
use hyper::http::request::Parts;
use market::DrawCount;

use super::fields::Name;

/// Below this lie all endpoints.
const BASE: &str = "/api/v1/raffle/";

/// Ends the paths for callers who are known by their token.
const BY_TOKEN: &str = "_by_token";

/// What a request is for. The last three have no row in the table of paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Draws.
    Draw,
    /// A draw that was made.
    DrawRecord,
    /// Whether a campaign is loaded.
    Armory,
    /// A user's chances.
    Account,
    /// The activity that a channel and a source show.
    Stage,
    /// Whether a strategy is loaded.
    StrategyArmory,
    /// The prizes of an activity, as a user sees them.
    AwardList,
    /// The prizes of a strategy.
    StrategyAwardList,
    /// The weight thresholds and a user's way to them.
    RuleWeight,
    /// A look into a strategy's pool.
    RandomRaffle,
    /// The page for a browser.
    Page,
    /// A browser asks what pages may send.
    Preflight,
    /// There is nothing at this path.
    Unknown,
}

/// The methods that a path takes, besides OPTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// It changes something: POST.
    Change,
    /// It reads: GET, HEAD, POST.
    Read,
    /// It is a page: GET, HEAD.
    Show,
    /// It takes all of them, to say the same to each.
    Any,
}

impl Methods {
    /// For the header `Allow`.
    pub const fn allowed(self) -> &'static str {
        match self {
            Methods::Change => "POST, OPTIONS",
            Methods::Read => "GET, HEAD, POST, OPTIONS",
            Methods::Show => "GET, HEAD, OPTIONS",
            Methods::Any => "*",
        }
    }

    fn allow(self, method: &Method) -> bool {
        match self {
            Methods::Change => method == Method::POST,
            Methods::Read => [Method::GET, Method::HEAD, Method::POST].contains(method),
            Methods::Show => [Method::GET, Method::HEAD].contains(method),
            Methods::Any => true,
        }
    }
}

/// Whose business an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A user's: the caller must be that one, and the path ends in `_by_token` too.
    User,
    /// Nobody's in particular: the caller is not asked for.
    Nobody,
}

/// What is known of a request whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// Nothing: it may have been done. Each answer names the key to ask again with, and a proxy
    /// that gets no answer says 504 `ERR_GW_006`.
    MayBeDone,
    /// It changed nothing, so it can be sent once more; a proxy says 503 `ERR_GW_009`.
    NothingDone,
}

/// A path below [`BASE`], and the number of draws that it stands for by itself.
type Path = (&'static str, Option<DrawCount>);

#[derive(Clone, Copy)]
struct Row {
    endpoint: Endpoint,
    /// In metrics, logs and the keys of limits.
    label: &'static str,
    /// The first one is the documented name, the others are aliases.
    paths: &'static [Path],
    methods: Methods,
    /// From the query, a form or a JSON object, whichever way each comes.
    takes: &'static [Name],
    about: About,
    unanswered: Unanswered,
}

const TEN: Option<DrawCount> = Some(DrawCount::MAX);

const ROWS: &[Row] = {
    use Endpoint::{
        Account, Armory, AwardList, Draw, DrawRecord, Page, Preflight, RandomRaffle, RuleWeight,
        Stage, StrategyArmory, StrategyAwardList, Unknown,
    };
    use Name::{Activity, Channel, Count, Order, Request, Source, Strategy, User};
    use Unanswered::{MayBeDone, NothingDone};

    const fn read(
        endpoint: Endpoint,
        label: &'static str,
        paths: &'static [Path],
        takes: &'static [Name],
    ) -> Row {
        Row {
            endpoint,
            label,
            paths,
            methods: Methods::Read,
            takes,
            about: About::Nobody,
            unanswered: NothingDone,
        }
    }
    const fn of_user(row: Row) -> Row {
        Row {
            about: About::User,
            ..row
        }
    }
    const fn pathless(endpoint: Endpoint, label: &'static str, methods: Methods) -> Row {
        Row {
            methods,
            ..read(endpoint, label, &[], &[])
        }
    }

    &[
        Row {
            endpoint: Draw,
            label: "draw",
            paths: &[
                ("activity/draw", None),
                ("activity/ten_draw", TEN),
                ("activity/drawTen", TEN),
                ("activity/ten_times_raffle", TEN),
            ],
            methods: Methods::Change,
            takes: &[User, Activity, Request, Count],
            about: About::User,
            unanswered: MayBeDone,
        },
        of_user(read(
            DrawRecord,
            "draw_record",
            &[("activity/draw_record", None)],
            &[User, Request, Order],
        )),
        read(Armory, "armory", &[("activity/armory", None)], &[Activity]),
        of_user(read(
            Account,
            "account",
            &[("activity/query_user_activity_account", None)],
            &[User, Activity],
        )),
        read(
            Stage,
            "stage",
            &[("activity/query_stage_activity_id", None)],
            &[Channel, Source],
        ),
        read(
            StrategyArmory,
            "strategy_armory",
            &[
                ("strategy/strategy_armory", None),
                ("strategy/armory", None),
                ("strategy_armory", None),
            ],
            &[Strategy],
        ),
        of_user(read(
            AwardList,
            "award_list",
            &[("strategy/query_raffle_award_list", None)],
            &[User, Activity],
        )),
        read(
            StrategyAwardList,
            "strategy_award_list",
            &[("query_raffle_award_list", None)],
            &[Strategy],
        ),
        of_user(read(
            RuleWeight,
            "rule_weight",
            &[
                ("strategy/query_raffle_strategy_rule_weight", None),
                ("query_raffle_strategy_rule_weight", None),
            ],
            &[User, Activity],
        )),
        read(
            RandomRaffle,
            "random_raffle",
            &[("strategy/random_raffle", None), ("random_raffle", None)],
            &[Strategy],
        ),
        pathless(Page, "page", Methods::Show),
        pathless(Preflight, "preflight", Methods::Any),
        pathless(Unknown, "unknown", Methods::Any),
    ]
};

/// Rows are found by their number.
const _: () = {
    let mut index = 0;
    while index < ROWS.len() {
        assert!(
            ROWS[index].endpoint as usize == index,
            "a row is not in its place"
        );
        index += 1;
    }
};

impl Endpoint {
    /// All endpoints, in the order of their numbers.
    pub const ALL: &'static [Endpoint] = &{
        let mut all = [Endpoint::Draw; ROWS.len()];
        let mut index = 0;
        while index < ROWS.len() {
            all[index] = ROWS[index].endpoint;
            index += 1;
        }
        all
    };

    const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Its name in metrics, logs and the keys of limits.
    pub const fn label(self) -> &'static str {
        self.row().label
    }

    /// The methods that it takes.
    pub const fn methods(self) -> Methods {
        self.row().methods
    }

    /// The parameters that it reads.
    pub const fn takes(self) -> &'static [Name] {
        self.row().takes
    }

    /// Whose business it is.
    pub const fn about(self) -> About {
        self.row().about
    }

    /// What is known when its answer is lost.
    pub const fn unanswered(self) -> Unanswered {
        self.row().unanswered
    }
}

/// What a request asks for, by its method and path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// By a path for callers who are known by their token.
    pub by_token: bool,
    /// The number of draws that the path stands for, if it does.
    pub count: Option<DrawCount>,
}

impl Call {
    /// The call of a request.
    pub fn of(head: &Parts) -> Self {
        if head.method == Method::OPTIONS {
            Self::plain(Endpoint::Preflight)
        } else {
            Self::at(head.uri.path())
        }
    }

    /// The call of a path, which may end in one slash.
    pub fn at(path: &str) -> Self {
        if path == "/" {
            return Self::plain(Endpoint::Page);
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        path.strip_prefix(BASE)
            .and_then(Self::below_base)
            .unwrap_or(Self::plain(Endpoint::Unknown))
    }

    fn below_base(path: &str) -> Option<Self> {
        let bare = path.strip_suffix(BY_TOKEN);
        let (path, by_token) = (bare.unwrap_or(path), bare.is_some());
        let (endpoint, count) = ROWS.iter().find_map(|row| {
            let (_, count) = row.paths.iter().find(|(known, _)| *known == path)?;
            Some((row.endpoint, *count))
        })?;
        (!by_token || endpoint.about() == About::User).then_some(Self {
            endpoint,
            by_token,
            count,
        })
    }

    const fn plain(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            by_token: false,
            count: None,
        }
    }

    /// Whether its path takes a method.
    pub fn takes(self, method: &Method) -> bool {
        self.endpoint.methods().allow(method)
    }
}

#[cfg(test)]
mod tests;
