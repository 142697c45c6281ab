//! The list of endpoints by name. Metrics, logs and limits know an endpoint by it; what an endpoint
//! takes and does stands in its own file, in `http/endpoints/`.

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// What a request is for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Endpoint { $($(#[$doc])* $name),* }

        impl Endpoint {
            /// All endpoints, in the order of their numbers.
            pub const ALL: &'static [Endpoint] = &[$(Endpoint::$name),*];

            /// Its name in metrics, logs and the keys of limits.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Endpoint::$name => $label),*
                }
            }
        }
    };
}

endpoints! {
    /// Draws.
    Draw = "draw",
    /// A draw that was made.
    DrawRecord = "draw_record",
    /// A user's draws in an activity, page by page.
    DrawRecords = "draw_records",
    /// A user's latest draws in all activities.
    AwardRecordList = "award_record_list",
    /// Whether a campaign is loaded.
    Armory = "armory",
    /// A user's chances.
    Account = "account",
    /// The activity that a channel and a source show.
    Stage = "stage",
    /// An activity: its name, state and times.
    Activity = "activity",
    /// Whether a strategy is loaded.
    StrategyArmory = "strategy_armory",
    /// The prizes of an activity, as a user sees them.
    AwardList = "award_list",
    /// The prizes of a strategy.
    StrategyAwardList = "strategy_award_list",
    /// The weight thresholds and a user's way to them.
    RuleWeight = "rule_weight",
    /// A look into a strategy's pool.
    RandomRaffle = "random_raffle",
    /// The points that a user has.
    CreditAccount = "credit_account",
    /// A user's ledger of points, page by page.
    CreditLedger = "credit_ledger",
    /// What a user was given or has bought beside prizes, page by page.
    RechargeOrders = "recharge_orders",
    /// The bundles of chances that an activity sells.
    SkuList = "sku_list",
    /// The daily sign-in.
    SignIn = "sign_in",
    /// Whether a user has signed in today.
    IsSignedIn = "is_signed_in",
    /// Points are exchanged for chances.
    Exchange = "exchange",
    /// An application reports what a user did.
    Reward = "reward",
    /// The page for a browser.
    Page = "page",
    /// A browser asks what pages may send.
    Preflight = "preflight",
    /// There is nothing at this path.
    Unknown = "unknown",
}
