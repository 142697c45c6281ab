//! The weight thresholds and a user's way to them.
use market::campaign::Campaign;
use market::chances::Account;
use market::ids::AwardIndex;
use serde::Serialize;

use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};
use crate::http::views::left::LeftView;

/// `POST strategy/query_raffle_strategy_rule_weight`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::RuleWeight,
    paths: &[
        ("strategy/query_raffle_strategy_rule_weight", None),
        ("query_raffle_strategy_rule_weight", None),
    ],
    methods: Methods::Read,
    takes: &[FieldName::User, FieldName::Activity],
    about: About::User,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let (user, activity) = (asked.reading_user(desk)?, asked.fields.activity()?);
    let (published, account) = desk.account_today(&user, activity).await?;
    desk.refresh_left().await;
    Ok(encode(desk, &published.campaign, account).into())
}

/// A weight threshold and the user's way to it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WeightView<'a> {
    rule_weight_count: u32,
    user_activity_account_total_use_count: u32,
    strategy_awards: Vec<WeightAward<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WeightAward<'a> {
    award_id: u64,
    award_title: &'a str,
    #[serde(flatten)]
    left: LeftView,
}

fn encode(desk: &Desk, campaign: &Campaign, account: Account) -> Data {
    let (activity, strategy) = (campaign.activity.id, &campaign.strategy);
    let award = |&index: &AwardIndex| {
        let award = strategy.award(index);
        WeightAward {
            award_id: award.id.get(),
            award_title: &award.title,
            left: LeftView::new(desk.left(activity, award)),
        }
    };
    let groups = strategy.weight_groups().iter().map(|group| WeightView {
        rule_weight_count: group.ordinal,
        user_activity_account_total_use_count: account.used,
        strategy_awards: group.awards.iter().map(award).collect(),
    });
    Data::new(&groups.collect::<Vec<_>>())
}
