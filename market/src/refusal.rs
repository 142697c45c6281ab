//! Why the rules of a campaign refuse a call. The gateway's table maps each reason to a code and
//! an HTTP status.

/// Why rules refuse a command. A refusal changes nothing and is not remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// No campaign with this activity id is published.
    #[error("no activity with this id is published")]
    ActivityUnknown,
    /// The activity is a draft, paused or closed.
    #[error("the activity is not open")]
    ActivityNotOpen,
    /// The activity begins later.
    #[error("the activity has not begun")]
    ActivityNotBegun,
    /// The activity's end has passed.
    #[error("the activity is over")]
    ActivityOver,
    /// All chances are used.
    #[error("no chances left")]
    NoChancesLeft,
    /// The month's limit is reached.
    #[error("this month's limit of draws is reached")]
    MonthLimit,
    /// The day's limit is reached.
    #[error("today's limit of draws is reached")]
    DayLimit,
    /// The user's request id was used for another kind of command, or to give other chances.
    #[error("this request id was used for another call")]
    RequestIdReused,
    /// The user's request id was used for a command of this kind in another activity.
    #[error("this request id was used for another activity")]
    RequestActivityDiffers,
    /// The user's request id was used for another number of draws.
    #[error("this request id was used for another number of draws")]
    RequestCountDiffers,
    /// The draw needs a unit of stock, the stock is unavailable, and the campaign refuses such
    /// draws.
    #[error("the stock is unavailable")]
    StockUnavailable,
    /// The account cannot hold so many chances.
    #[error("the account cannot hold so many chances")]
    TooManyChances,
    /// No published campaign has this sku.
    #[error("no bundle of chances with this id is on sale")]
    SkuUnknown,
    /// No unit of the sku is left.
    #[error("this bundle of chances is sold out")]
    SkuSoldOut,
    /// The user has too few points.
    #[error("too few points")]
    PointsShort,
    /// An operator has frozen the user's points.
    #[error("the account of points is frozen")]
    PointsFrozen,
    /// The account cannot hold so many points.
    #[error("the account cannot hold so many points")]
    TooManyPoints,
    /// Every reward for this behaviour was given, or there is none.
    #[error("there is no reward left to give for this")]
    NothingToReward,
}

impl Refusal {
    /// Whether the user's chances, or the limits of day or month, have run out.
    pub const fn is_shortage(self) -> bool {
        matches!(
            self,
            Self::NoChancesLeft | Self::MonthLimit | Self::DayLimit
        )
    }
}
