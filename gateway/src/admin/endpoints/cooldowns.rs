//! `/admin/cooldowns`: the users in cooldown on this gateway, because they were refused too often
//! or an operator stopped them.
use std::time::Duration;

use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use market::UserId;
use serde::{Deserialize, Serialize};

use crate::admin::call::AdminCall;
use crate::admin::fleet;
use crate::admin::respond::{fault, json, read};
use crate::admin::state::Admin;
use crate::edge::HttpResponse;
use crate::fleet::kinds::{COOLDOWN, CooldownSetting};
use crate::limits::cooldown::{LASTS_MAX, UserInCooldown};
use crate::text::to_the_second;

/// The most users that a list shows.
const SHOWN_MAX: usize = 1_000;

/// How many users are in cooldown, and which: those whose cooldown ends first come first.
fn list(count: u64, cooling: &[UserInCooldown], now: Timestamp) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct UserView<'a> {
        user_id: &'a str,
        until: String,
        by_hand: bool,
    }
    #[derive(Serialize)]
    struct CooldownList<'a> {
        count: u64,
        users: Vec<UserView<'a>>,
    }
    let until = |cooling: &UserInCooldown| {
        let left = SignedDuration::try_from(cooling.left).unwrap_or(SignedDuration::MAX);
        to_the_second(now.saturating_add(left).unwrap_or(Timestamp::MAX))
    };
    let users = cooling.iter().map(|each| UserView {
        user_id: each.user.as_str(),
        until: until(each),
        by_hand: each.by_hand,
    });
    serde_json::to_string(&CooldownList {
        count,
        users: users.collect(),
    })
    .expect("plain values")
}

/// A request to let a user draw again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ClearCooldown {
    user_id: String,
    who: Option<String>,
    reason: String,
    #[serde(default)]
    here: bool,
}

/// A request to put a user into cooldown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SetCooldown {
    user_id: String,
    for_seconds: u64,
    who: Option<String>,
    reason: String,
    #[serde(default)]
    here: bool,
}

impl Admin {
    pub(super) async fn list_cooldowns(&self, _: AdminCall) -> HttpResponse {
        let (count, cooling) = self.limits.cooldowns(SHOWN_MAX).await;
        json(StatusCode::OK, list(count, &cooling, Timestamp::now()))
    }

    pub(super) async fn set_cooldown(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        match read::<SetCooldown>(request)
            .await
            .and_then(SetCooldown::change)
        {
            Ok(asked) => self.change_fleet(&caller, asked).await,
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }

    pub(super) async fn clear_cooldown(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        match read::<ClearCooldown>(request)
            .await
            .and_then(ClearCooldown::change)
        {
            Ok(asked) => self.change_fleet(&caller, asked).await,
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }
}

impl SetCooldown {
    /// The cooldown that is asked for, or which field is wrong.
    fn change(self) -> Result<fleet::SettingRequest, String> {
        let Self {
            user_id,
            for_seconds,
            who,
            reason,
            here,
        } = self;
        let lasts = Duration::from_secs(for_seconds);
        if lasts.is_zero() || lasts > LASTS_MAX {
            return Err(format!(
                "forSeconds: expected 1 to {}, found {for_seconds}",
                LASTS_MAX.as_secs()
            ));
        }
        asked(
            &user_id,
            CooldownSetting::Set,
            for_seconds,
            (who, reason),
            here,
        )
    }
}

impl ClearCooldown {
    /// The change that is asked for, or which field is wrong.
    fn change(self) -> Result<fleet::SettingRequest, String> {
        let Self {
            user_id,
            who,
            reason,
            here,
        } = self;
        asked(
            &user_id,
            CooldownSetting::Clear,
            fleet::EVENT_KEPT.as_secs(),
            (who, reason),
            here,
        )
    }
}

fn asked(
    user_id: &str,
    cooldown: CooldownSetting,
    for_seconds: u64,
    (who, why): (Option<String>, String),
    here: bool,
) -> Result<fleet::SettingRequest, String> {
    let target = user(user_id)?.as_str().to_owned();
    let value = serde_json::to_value(cooldown).expect("a plain value");
    let what = format!("cooldown {}", value.as_str().unwrap_or_default());
    Ok(fleet::SettingRequest {
        kind: COOLDOWN,
        target,
        value: Some(value),
        for_seconds: Some(for_seconds),
        who,
        why,
        what,
        here,
    })
}

fn user(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|error| format!("userId: {error}"))
}
