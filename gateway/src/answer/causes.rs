//! Which failure a caller gets for what the rules refuse and for what goes wrong in the shards.
use market::Refusal;
use shards::{DrawError, ReadError};

use super::code::Code;
use super::failure::Failure;

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ActivityUnknown => Code::ActivityUnknown,
            Refusal::ActivityNotOpen => Code::ActivityNotOpen,
            Refusal::OutsideWindow => Code::OutsideWindow,
            Refusal::NoChancesLeft => Code::NoChancesLeft,
            Refusal::MonthLimit => Code::MonthLimit,
            Refusal::DayLimit => Code::DayLimit,
            Refusal::RequestIdReused | Refusal::RequestCountDiffers => Code::RequestIdReused,
            Refusal::StockUnavailable => Code::StockUnavailable,
        }
    }
}

impl From<DrawError> for Code {
    fn from(error: DrawError) -> Self {
        match error {
            DrawError::Refused(refusal) => refusal.into(),
            DrawError::QueueFull => Code::QueueFull,
            DrawError::TooOld => Code::TooOld,
            DrawError::OutcomeUnknown => Code::OutcomeUnknown,
            DrawError::ShardUnavailable => Code::ShardUnavailable,
            DrawError::BreakerOpen { .. } => Code::BreakerOpen,
            DrawError::Held => Code::UserHeld,
            DrawError::ClocksDiffer { .. } => Code::ClocksDiffer,
            DrawError::DataRefused => Code::Unexpected,
            DrawError::Stopping => Code::Stopping,
        }
    }
}

impl From<ReadError> for Code {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::QueueFull => Code::QueueFull,
            ReadError::ShardUnavailable => Code::ShardUnavailable,
            ReadError::BreakerOpen { .. } => Code::BreakerOpen,
        }
    }
}

impl From<DrawError> for Failure {
    fn from(error: DrawError) -> Self {
        let failure = Self::from(Code::from(error));
        match error {
            DrawError::BreakerOpen { retry_after } => failure.retry_after(retry_after),
            DrawError::Refused(
                refusal @ (Refusal::RequestIdReused | Refusal::RequestCountDiffers),
            ) => Self {
                detail: Some(refusal.to_string().into()),
                ..failure
            },
            DrawError::ClocksDiffer { .. } => Self {
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
