//! Every answer's code, HTTP status and advice: the one table between causes and responses.
//!
//! The codes of the reference keep their meaning; ours begin with `ERR_REQ` (the request) and
//! `ERR_GW` (the gateway). `docs/api.md` shows the same table, and a test compares them.
use hyper::StatusCode;

use super::language::Language;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $retry_after_s:expr, $en:literal, $zh:literal;)*) => {
        /// The cause of an answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name),* }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            const fn row(self) -> Row {
                match self {
                    $(Code::$name => Row {
                        code: $code,
                        status: StatusCode::$status,
                        retry_after_s: $retry_after_s,
                        texts: Texts { en: $en, zh: $zh },
                    }),*
                }
            }
        }
    };
}

struct Row {
    code: &'static str,
    status: StatusCode,
    /// `Some` when the same call may succeed later.
    retry_after_s: Option<u32>,
    texts: Texts,
}

/// What a caller reads, in each language.
struct Texts {
    en: &'static str,
    zh: &'static str,
}

codes! {
    /// All is well.
    Success = "0000", OK, None,
        "success",
        "success";
    /// A bug or a broken store.
    Unexpected = "0001", INTERNAL_SERVER_ERROR, None,
        "unexpected error",
        "系统异常";
    /// A field is missing, mistyped or out of range; the info names it.
    IllegalParameter = "0002", BAD_REQUEST, None,
        "illegal parameter",
        "参数错误";
    /// Nothing is left to give for a sign-in or another behaviour.
    NothingToReward = "0003", CONFLICT, None,
        "there is no reward left to give for this",
        "没有可领取的奖励";
    /// The switch for this kind of call is off.
    SwitchedOff = "0004", SERVICE_UNAVAILABLE, Some(5),
        "calls of this kind are switched off",
        "该功能已暂停，请稍后再试";
    /// The user sends too many requests: the reference's limiter.
    UserLimited = "0005", TOO_MANY_REQUESTS, Some(1),
        "this user sends too many requests",
        "操作过于频繁，请稍后再试";
    /// The breaker of the user's shard is open.
    BreakerOpen = "0006", SERVICE_UNAVAILABLE, Some(1),
        "the breaker of this user's shard is open",
        "系统正在恢复，请稍后再试";
    /// An application's token is missing or wrong.
    AppTokenWrong = "0008", UNAUTHORIZED, None,
        "the application's token is missing or wrong",
        "应用令牌错误";
    /// The activity is a draft, paused or closed.
    ActivityNotOpen = "ERR_BIZ_003", CONFLICT, None,
        "the activity is not open",
        "活动未开放";
    /// The activity's end has passed.
    ActivityOver = "ERR_BIZ_004", CONFLICT, None,
        "the activity is over",
        "活动已结束";
    /// No unit of the sku is left.
    SkuSoldOut = "ERR_BIZ_005", CONFLICT, None,
        "this bundle of chances is sold out",
        "商品库存不足";
    /// All chances are used.
    NoChancesLeft = "ERR_BIZ_006", CONFLICT, None,
        "no chances left",
        "抽奖次数已用完";
    /// The month's limit is reached.
    MonthLimit = "ERR_BIZ_007", CONFLICT, None,
        "this month's limit of draws is reached",
        "本月抽奖次数已达上限";
    /// The day's limit is reached.
    DayLimit = "ERR_BIZ_008", CONFLICT, None,
        "today's limit of draws is reached",
        "今日抽奖次数已达上限";
    /// The activity begins later.
    ActivityNotBegun = "ERR_BIZ_010", CONFLICT, None,
        "the activity has not begun",
        "活动尚未开始";
    /// The user has too few points.
    PointsShort = "ERR_CREDIT_001", CONFLICT, None,
        "too few points",
        "积分不足";
    /// An operator has frozen the user's points.
    PointsFrozen = "ERR_CREDIT_002", CONFLICT, None,
        "the account of points is frozen",
        "积分账户已冻结";
    /// More points than an account can hold.
    TooManyPoints = "ERR_CREDIT_003", CONFLICT, None,
        "the account cannot hold so many points",
        "积分账户无法容纳这么多积分";
    /// No campaign with this activity or strategy id is published.
    ActivityUnknown = "ERR_REQ_001", NOT_FOUND, None,
        "no activity with this id is published",
        "活动或策略不存在";
    /// No draw was made under this id.
    RecordUnknown = "ERR_REQ_002", NOT_FOUND, None,
        "no draw was made under this id",
        "没有对应的抽奖记录";
    /// The request id was used for another activity, or for another number of draws.
    RequestIdReused = "ERR_REQ_003", UNPROCESSABLE_ENTITY, None,
        "this request id was used for another call",
        "该请求号已用于另一次请求";
    /// There is nothing at this path.
    PathUnknown = "ERR_REQ_004", NOT_FOUND, None,
        "there is nothing at this path",
        "请求的路径不存在";
    /// The path does not take this method.
    MethodNotAllowed = "ERR_REQ_005", METHOD_NOT_ALLOWED, None,
        "this path does not take this method",
        "该路径不支持此请求方法";
    /// The body is larger than allowed.
    BodyTooLarge = "ERR_REQ_006", PAYLOAD_TOO_LARGE, None,
        "the request body is too large",
        "请求内容过大";
    /// The body did not arrive in time.
    BodyTooSlow = "ERR_REQ_007", REQUEST_TIMEOUT, None,
        "the request body did not arrive in time",
        "请求内容未能及时到达";
    /// The body is neither JSON nor a form.
    MediaTypeUnsupported = "ERR_REQ_008", UNSUPPORTED_MEDIA_TYPE, None,
        "the body must be JSON or a form",
        "不支持的请求内容类型";
    /// More chances than an account can hold.
    TooManyChances = "ERR_REQ_009", CONFLICT, None,
        "the account cannot hold so many chances",
        "账户无法容纳这么多抽奖次数";
    /// No published campaign has this sku.
    SkuUnknown = "ERR_REQ_010", NOT_FOUND, None,
        "no bundle of chances with this id is on sale",
        "商品不存在";
    /// The request brings no identity.
    IdentityMissing = "ERR_ID_001", UNAUTHORIZED, None,
        "the request has no identity",
        "缺少身份信息，请先登录";
    /// The identity that the request brings is not valid.
    IdentityInvalid = "ERR_ID_002", UNAUTHORIZED, None,
        "the identity of the request is not valid",
        "身份信息无效，请重新登录";
    /// The token was good once.
    TokenExpired = "ERR_ID_003", UNAUTHORIZED, None,
        "the token has expired",
        "登录已过期，请重新登录";
    /// The request is about another user than its caller.
    NotTheCaller = "ERR_ID_004", FORBIDDEN, None,
        "this userId is not the caller's",
        "用户与登录身份不一致";
    /// The request did not come through a proxy that may say who calls.
    PeerUntrusted = "ERR_ID_005", FORBIDDEN, None,
        "only trusted proxies say who calls",
        "只接受可信代理提供的身份信息";
    /// The page that sends the request lies at an origin that is not allowed.
    OriginNotAllowed = "ERR_ID_006", FORBIDDEN, None,
        "pages of this origin may not call",
        "不允许来自该网页来源的请求";
    /// No application has this id.
    AppUnknown = "ERR_ID_007", UNAUTHORIZED, None,
        "no application with this id may call",
        "应用不存在";
    /// The call was signed too long ago, or is dated too far ahead.
    TimestampOld = "ERR_ID_008", UNAUTHORIZED, None,
        "the timestamp is more than five minutes from this server's time",
        "请求时间戳已失效";
    /// The signature of a call is not that of its application.
    SignatureWrong = "ERR_ID_009", UNAUTHORIZED, None,
        "the signature is wrong",
        "签名错误";
    /// Too many requests are being answered.
    Overloaded = "ERR_GW_001", SERVICE_UNAVAILABLE, Some(1),
        "too many requests are being answered",
        "当前请求过多，请稍后再试";
    /// Too many commands wait for the user's shard.
    QueueFull = "ERR_GW_002", SERVICE_UNAVAILABLE, Some(1),
        "too many requests wait for this user's shard",
        "当前排队过多，请稍后再试";
    /// The user's shard does not answer.
    ShardUnavailable = "ERR_GW_003", SERVICE_UNAVAILABLE, Some(2),
        "this user's shard is unavailable",
        "服务暂时不可用，请稍后再试";
    /// The stock does not answer.
    StockUnavailable = "ERR_GW_004", SERVICE_UNAVAILABLE, Some(2),
        "the stock is unavailable",
        "奖品库存暂时不可用，请稍后再试";
    /// The command waited too long and was not executed.
    TooOld = "ERR_GW_005", GATEWAY_TIMEOUT, Some(1),
        "the request waited too long and was not executed",
        "等待超时，请求未执行，请重试";
    /// The commit was not confirmed in time.
    OutcomeUnknown = "ERR_GW_006", GATEWAY_TIMEOUT, Some(1),
        "it is not known yet whether the call was executed: send it again with the same key",
        "处理结果尚未确认，请使用同一请求号再次请求";
    /// The switch `read_only` is on.
    ReadOnly = "ERR_GW_008", SERVICE_UNAVAILABLE, Some(5),
        "only reads are served now",
        "目前只提供查询服务";
    /// The server is stopping.
    Stopping = "ERR_GW_007", SERVICE_UNAVAILABLE, Some(1),
        "the server is stopping",
        "服务正在停止，请重试";
    /// The limit of the whole gateway.
    GatewayLimited = "ERR_GW_010", TOO_MANY_REQUESTS, Some(1),
        "this gateway gets too many requests",
        "系统请求过多，请稍后再试";
    /// The limit of this endpoint.
    RouteLimited = "ERR_GW_011", TOO_MANY_REQUESTS, Some(1),
        "this path gets too many requests",
        "该接口请求过多，请稍后再试";
    /// The limit of the client's address.
    AddressLimited = "ERR_GW_012", TOO_MANY_REQUESTS, Some(1),
        "too many requests come from this address",
        "来自该地址的请求过多，请稍后再试";
    /// The user was refused too often, or stopped by an operator.
    CoolingDown = "ERR_GW_013", TOO_MANY_REQUESTS, Some(1),
        "this user may not draw for a while",
        "操作过于频繁，请过一段时间再试";
    /// Another gateway has locked the user's rows for a while.
    UserHeld = "ERR_GW_014", SERVICE_UNAVAILABLE, Some(1),
        "another gateway is busy with this user for longer than it should",
        "上一次请求仍在处理中，请稍后再试";
    /// This process's clock and the shard's contradict each other.
    ClocksDiffer = "ERR_GW_015", SERVICE_UNAVAILABLE, Some(5),
        "this gateway's clock differs from the shard's",
        "系统时钟异常，请稍后再试";
}

impl Code {
    /// The code in the envelope and in metrics.
    pub const fn as_str(self) -> &'static str {
        self.row().code
    }

    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        self.row().status
    }

    /// After how many seconds the same call may succeed.
    pub const fn retry_after_s(self) -> Option<u32> {
        self.row().retry_after_s
    }

    /// What a caller reads. A success reads the same in all languages, so that a repeated draw is
    /// answered by the same bytes.
    pub const fn text(self, language: Language) -> &'static str {
        let Texts { en, zh } = self.row().texts;
        match language {
            Language::English => en,
            Language::Chinese => zh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_only_success_is_200() {
        let mut seen = std::collections::HashSet::new();
        for &code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} stands twice", code.as_str());
            assert_eq!(code.status() == StatusCode::OK, code == Code::Success);
            let may_pass = matches!(code.status().as_u16(), 429 | 503 | 504);
            assert_eq!(
                code.retry_after_s().is_some(),
                may_pass,
                "{}",
                code.as_str()
            );
        }
    }

    #[test]
    fn each_code_has_a_message_in_each_language() {
        for &code in Code::ALL {
            let [en, zh] =
                [Language::English, Language::Chinese].map(|language| code.text(language));
            assert!(!en.is_empty() && en.is_ascii(), "{}", code.as_str());
            assert!(
                code == Code::Success || zh.chars().all(|char| !char.is_ascii()),
                "{}: {zh}",
                code.as_str()
            );
            assert_eq!(code == Code::Success, en == zh, "{}", code.as_str());
        }
    }

    #[test]
    fn the_documented_table_is_this_one() {
        let documented = include_str!("../../../docs/api.md");
        for &code in Code::ALL {
            let retry = code
                .retry_after_s()
                .map_or("-".to_owned(), |seconds| format!("{seconds} s"));
            let (en, zh) = (code.text(Language::English), code.text(Language::Chinese));
            let row = format!(
                "| `{}` | {} | {retry} | {en} | {zh} |",
                code.as_str(),
                code.status().as_u16()
            );
            assert!(
                documented.contains(&row),
                "docs/api.md lacks the row\n{row}"
            );
        }
    }
}
