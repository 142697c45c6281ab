//! Which failure a caller gets for what the rules refuse and for what goes wrong in the shards.
use market::Refusal;
use shards::{CommandError, ReadError};

use super::code::Code;
use super::failure::Failure;

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ActivityUnknown => Code::ActivityUnknown,
            Refusal::ActivityNotOpen => Code::ActivityNotOpen,
            Refusal::ActivityNotBegun => Code::ActivityNotBegun,
            Refusal::ActivityOver => Code::ActivityOver,
            Refusal::NoChancesLeft => Code::NoChancesLeft,
            Refusal::MonthLimit => Code::MonthLimit,
            Refusal::DayLimit => Code::DayLimit,
            Refusal::RequestIdReused
            | Refusal::RequestActivityDiffers
            | Refusal::RequestCountDiffers => Code::RequestIdReused,
            Refusal::StockUnavailable => Code::StockUnavailable,
            Refusal::TooManyChances => Code::TooManyChances,
            Refusal::SkuUnknown => Code::SkuUnknown,
            Refusal::SkuSoldOut => Code::SkuSoldOut,
            Refusal::PointsShort => Code::PointsShort,
            Refusal::PointsFrozen => Code::PointsFrozen,
            Refusal::TooManyPoints => Code::TooManyPoints,
            Refusal::NothingToReward => Code::NothingToReward,
        }
    }
}

impl From<CommandError> for Code {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::QueueFull => Code::QueueFull,
            CommandError::TooOld => Code::TooOld,
            CommandError::OutcomeUnknown => Code::OutcomeUnknown,
            CommandError::ShardUnavailable => Code::ShardUnavailable,
            CommandError::BreakerOpen { .. } => Code::BreakerOpen,
            CommandError::Held => Code::UserHeld,
            CommandError::ClocksDiffer { .. } => Code::ClocksDiffer,
            CommandError::DataRefused => Code::Unexpected,
            CommandError::Stopping => Code::Stopping,
        }
    }
}

impl From<ReadError> for Code {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::QueueFull => Code::QueueFull,
            ReadError::ShardUnavailable => Code::ShardUnavailable,
            ReadError::BreakerOpen { .. } => Code::BreakerOpen,
            ReadError::RowUnreadable => Code::Unexpected,
        }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let failure = Self::from(Code::from(error));
        match error {
            CommandError::BreakerOpen { retry_after } => failure.retry_after(retry_after),
            CommandError::Refused(
                // What the code says is not said twice: another kind of command has no detail.
                refusal @ (Refusal::RequestActivityDiffers | Refusal::RequestCountDiffers),
            ) => Self {
                detail: Some(refusal.to_string().into()),
                ..failure
            },
            CommandError::ClocksDiffer { .. } => Self {
                detail: Some(error.to_string().into()),
                ..failure
            },
            _ => failure,
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let failure = Self::from(Code::from(error));
        match error {
            ReadError::BreakerOpen { retry_after } => failure.retry_after(retry_after),
            _ => failure,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Code::from(refusal).into()
    }
}
