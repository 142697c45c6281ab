//! `/admin/results`, `/admin/report` and `/admin/draws`: who won what, over all shards.
//!
//! The first two read all draws of an activity, one call at a time on each gateway, in short steps
//! and on connections of their own. A file is streamed: no more of it is in memory than its reader
//! has room for, and a reader that stalls is cut off. A file that is cut off has no end, so no
//! client takes it for whole. `/admin/draws` looks for some draws only: it stops after so many
//! calls or after so much time, and says so.
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use market::campaign::Published;
use market::{ActivityId, AwardId, Order, OrderId};
use serde::Serialize;
use shards::Shards;
use shards::results::{Effort, ResultKind, ResultsFilter};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};
use tokio::try_join;

use super::look_ups::field;
use crate::admin::call::AdminCall;
use crate::admin::respond::{fault, json, meta_unavailable, shard_unavailable};
use crate::admin::state::Admin;
use crate::edge::{AnswerBody, ChunkSender, HttpResponse};
use crate::http::endpoints::draw_record::zone_of;
use crate::results::{DrawRow, Export, ExportProgress, Format, PrizeState, Sheet, Tally};

/// How long a reader of a file may take nothing of it.
const STALLED_MAX: Duration = Duration::from_secs(30);

/// How long a file may take. The command has no such bound.
const FILE_MAX: Duration = Duration::from_hours(1);

/// How long a report may take. The command has no such bound.
const REPORT_MAX: Duration = Duration::from_mins(10);

/// What one look for draws may cost: calls that it reads, and its time.
const CALLS_MAX: usize = 200_000;
const LOOK_MAX: Duration = Duration::from_secs(4);

/// The number of draws that a look finds.
const FOUND_DEFAULT: usize = 20;
const FOUND_MAX: usize = 100;

impl Admin {
    /// Streams a file of results.
    #[expect(clippy::unused_async, reason = "handlers are")]
    pub(super) async fn export_results(
        &self,
        AdminCall { caller, query, .. }: AdminCall,
    ) -> HttpResponse {
        let asked = match ResultsQuestion::parse(&query) {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let zone = match asked.filter.activity {
            None => TimeZone::UTC,
            Some(activity) => match self.published(activity) {
                Some(published) => published.campaign.activity.time_zone.clone(),
                None => return no_activity(activity),
            },
        };
        let Ok(place) = self.exporting.clone().try_acquire_owned() else {
            return busy();
        };
        tracing::info!(
            who = caller.name,
            activity = asked.filter.activity.map(ActivityId::get),
            "results are exported"
        );
        let (sender, body) = AnswerBody::stream();
        let format = asked.format;
        let shards = self.shards.clone();
        tokio::spawn(async move { write_file(&shards, asked, zone, sender, place).await });
        let mut response = Response::new(body);
        let media_type = HeaderValue::from_static(format.media_type());
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        response
    }

    /// Adds up what was drawn in an activity.
    pub(super) async fn report_activity(
        &self,
        AdminCall { caller, query, .. }: AdminCall,
    ) -> HttpResponse {
        let activity = match activity(&query) {
            Ok(activity) => activity,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let Some(published) = self.published(activity) else {
            return no_activity(activity);
        };
        let Ok(_place) = self.exporting.clone().try_acquire_owned() else {
            return busy();
        };
        let (who, activity_id) = (&caller.name, activity.get());
        tracing::info!(who, activity = activity_id, "an activity is reported");
        let filter = ResultsFilter::all(ResultKind::Draws, activity);
        let results = self.shards.results(filter, Effort::BESIDE_DRAWS);
        let mut tally = Tally::new(published.campaign.activity.time_zone.clone());
        let progress = ExportProgress::default();
        match timeout(REPORT_MAX, tally.add_all(results, &progress)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return fault(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
            Err(_) => {
                let why = "it takes too long: drawbridge report has no such bound";
                return fault(StatusCode::SERVICE_UNAVAILABLE, why);
            }
        }
        // After the draws: a total is never below what was issued of it.
        let stock = try_join!(self.shards.stock_totals(), self.shards.stock_last_left());
        match stock {
            Ok((totals, left)) => {
                let report = tally.report(&published, &totals, &left);
                let report = serde_json::to_string(&report).expect("plain values");
                json(StatusCode::OK, report)
            }
            Err(error) => meta_unavailable(&error),
        }
    }

    /// Looks for draws over all shards.
    pub(super) async fn find_draws(
        &self,
        AdminCall { caller, query, .. }: AdminCall,
    ) -> HttpResponse {
        let asked = match DrawsQuestion::parse(&query) {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        tracing::info!(who = caller.name, "draws are looked for");
        match asked {
            DrawsQuestion::Order(order) => self.find_order(order).await,
            DrawsQuestion::Matching(activity, filter, state, limit) => {
                let Some(published) = self.published(activity) else {
                    return no_activity(activity);
                };
                let Ok(_place) = self.looking.try_acquire() else {
                    let why = "this gateway looks for draws twice already: wait a moment, or ask \
                               another gateway";
                    return fault(StatusCode::TOO_MANY_REQUESTS, why);
                };
                let zone = &published.campaign.activity.time_zone;
                let found = self.look_for(filter, state, limit, zone).await;
                json(StatusCode::OK, found)
            }
        }
    }

    /// The order's id leads to its table, and there to its user.
    async fn find_order(&self, order: OrderId) -> HttpResponse {
        let found = match self.shards.order_of_anyone(order).await {
            Ok(found) => found,
            Err(error) => return shard_unavailable(error),
        };
        let campaign = match found.first() {
            None => None,
            Some(order) => match self.shards.version_of(order).await {
                Ok(campaign) => campaign,
                Err(error) => return meta_unavailable(&error),
            },
        };
        let catalogue = self.shards.catalogue();
        let rows = found.iter().map(|order| {
            let zone = zone_of(order.activity, &catalogue);
            DrawRow::new(order, campaign.as_deref(), &zone)
        });
        let draws = FoundDraws {
            draws: rows.collect(),
            partial: false,
            calls_read: found.len(),
            failures: Vec::new(),
        };
        json(StatusCode::OK, draws.to_json())
    }

    async fn look_for(
        &self,
        filter: ResultsFilter,
        state: Option<PrizeState>,
        limit: usize,
        zone: &TimeZone,
    ) -> String {
        let deadline = Instant::now() + LOOK_MAX;
        let mut results = self.shards.results(filter, Effort::BESIDE_DRAWS);
        let (mut found, mut calls_read) = (Vec::<Order>::new(), 0);
        let (mut failures, mut ended) = (Vec::new(), false);
        while found.len() < limit && calls_read < CALLS_MAX {
            match timeout_at(deadline, results.next()).await {
                Err(_) => break,
                Ok(Ok(None)) => {
                    ended = true;
                    break;
                }
                // The other shards go on.
                Ok(Err(error)) => failures.push(error.to_string()),
                Ok(Ok(Some(page))) => {
                    calls_read += page.calls;
                    let is_wanted =
                        |order: &Order| state.is_none_or(|state| PrizeState::of(order) == state);
                    found.extend(page.orders.into_iter().filter(is_wanted));
                }
            }
        }
        let is_cut = found.len() > limit;
        found.truncate(limit);
        found.sort_by_key(|order| std::cmp::Reverse((order.created_at, order.id)));
        let rows = found
            .iter()
            .map(|order| DrawRow::new(order, results.campaign(order.version), zone));
        let draws = FoundDraws {
            draws: rows.collect(),
            partial: is_cut || !ended || !failures.is_empty(),
            calls_read,
            failures,
        };
        draws.to_json()
    }

    fn published(&self, activity: ActivityId) -> Option<Arc<Published>> {
        self.shards.catalogue().activity(activity).cloned()
    }
}

fn no_activity(activity: ActivityId) -> HttpResponse {
    let why = format!("activityId: no activity {activity} is published");
    fault(StatusCode::NOT_FOUND, &why)
}

fn busy() -> HttpResponse {
    let why = "this gateway is writing results or a report already: wait until it has ended, or \
               ask another gateway";
    fault(StatusCode::TOO_MANY_REQUESTS, why)
}

/// Writes a file, until its end or until its reader stalls.
async fn write_file(
    shards: &Shards,
    asked: ResultsQuestion,
    zone: TimeZone,
    sender: ChunkSender,
    _place: OwnedSemaphorePermit,
) {
    sender.must_end();
    let effort = match asked.rate {
        Some(rate) => Effort::BESIDE_DRAWS.paced(rate.get()),
        None => Effort::BESIDE_DRAWS,
    };
    let (kind, progress) = (asked.filter.kind, ExportProgress::default());
    let sheet = Sheet {
        format: asked.format,
        byte_order_mark: asked.byte_order_mark,
        zone,
        state: asked.state,
    };
    let results = shards.results(asked.filter, effort);
    let mut export = Export::new(results, kind, sheet, asked.rate, &progress);
    let deadline = Instant::now() + FILE_MAX;
    loop {
        // Nothing may be found for long, and a reader that has gone is not noticed by sending then.
        let next = tokio::select! {
            next = timeout_at(deadline, export.next()) => next,
            () = sender.closed() => return,
        };
        let lines = match next {
            Ok(Ok(None)) => return sender.end(),
            Ok(Ok(Some(lines))) => Bytes::from(lines),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a file of results is cut off");
                return;
            }
            Err(_) => {
                tracing::warn!("a file of results is cut off: it has taken an hour");
                return;
            }
        };
        match timeout(STALLED_MAX, sender.send(lines)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                tracing::warn!("a file of results is cut off: its reader has stalled");
                return;
            }
        }
    }
}

/// Draws that were found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FoundDraws<'a> {
    draws: Vec<DrawRow<'a>>,
    /// Whether there may be more.
    partial: bool,
    calls_read: usize,
    failures: Vec<String>,
}

impl FoundDraws<'_> {
    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain values")
    }
}

/// Which file.
#[derive(Debug)]
struct ResultsQuestion {
    filter: ResultsFilter,
    state: Option<PrizeState>,
    format: Format,
    byte_order_mark: bool,
    rate: Option<NonZeroU32>,
}

impl ResultsQuestion {
    fn parse(query: &str) -> Result<Self, String> {
        let kind: Option<String> = field(query, "kind")?;
        let kind = match kind.as_deref() {
            None | Some("draws") => ResultKind::Draws,
            Some("recharges") => ResultKind::Recharges,
            Some("points") => ResultKind::Points,
            Some(_) => return Err("kind: expected draws, recharges or points".to_owned()),
        };
        let in_activity = match kind {
            ResultKind::Points => field(query, "activityId")?,
            ResultKind::Draws | ResultKind::Recharges => Some(activity(query)?),
        };
        let asked = Self {
            filter: filter(query, kind, in_activity)?,
            state: field(query, "state")?,
            format: field(query, "format")?.unwrap_or(Format::Ndjson),
            byte_order_mark: field(query, "bom")?.unwrap_or_default(),
            rate: field(query, "rate")?,
        };
        let of_draws = asked.state.is_some() || asked.filter.award.is_some();
        if of_draws && asked.filter.kind != ResultKind::Draws {
            return Err("kind: only draws have a prize; leave out awardId and state".to_owned());
        }
        if asked.byte_order_mark && asked.format != Format::Csv {
            return Err("bom: only format=csv has a byte order mark".to_owned());
        }
        Ok(asked)
    }
}

/// Which draws.
#[derive(Debug)]
enum DrawsQuestion {
    Order(OrderId),
    Matching(ActivityId, ResultsFilter, Option<PrizeState>, usize),
}

impl DrawsQuestion {
    fn parse(query: &str) -> Result<Self, String> {
        if let Some(order) = field(query, "orderId")? {
            return Ok(Self::Order(order));
        }
        let limit = field(query, "limit")?.unwrap_or(FOUND_DEFAULT);
        if !(1..=FOUND_MAX).contains(&limit) {
            return Err(format!("limit: expected an integer from 1 to {FOUND_MAX}"));
        }
        let activity = activity(query)?;
        let filter = filter(query, ResultKind::Draws, Some(activity))?;
        let state = field(query, "state")?;
        Ok(Self::Matching(activity, filter, state, limit))
    }
}

fn activity(query: &str) -> Result<ActivityId, String> {
    field(query, "activityId")?.ok_or_else(|| "activityId: is missing".to_owned())
}

fn filter(
    query: &str,
    kind: ResultKind,
    activity: Option<ActivityId>,
) -> Result<ResultsFilter, String> {
    let (since, until) = (time(query, "since")?, time(query, "until")?);
    if since
        .zip(until)
        .is_some_and(|(since, until)| since >= until)
    {
        return Err("until: nothing lies between since and a time that is not later".to_owned());
    }
    let award: Option<AwardId> = field(query, "awardId")?;
    Ok(ResultsFilter {
        award,
        since,
        until,
        ..ResultsFilter::all(kind, activity)
    })
}

fn time(query: &str, name: &str) -> Result<Option<Timestamp>, String> {
    let text: Option<String> = field(query, name)?;
    let expected =
        || format!("{name}: expected a time with its offset, such as 2026-11-30T08:00:00Z");
    text.map(|text| text.parse().map_err(|_| expected()))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_questions_name_the_field() {
        let export = |query: &str| ResultsQuestion::parse(query).map(drop);
        let look = |query: &str| DrawsQuestion::parse(query).map(drop);
        assert!(export("activityId=1&since=2026-11-30T08:00:00%2B08:00&rate=5").is_ok());
        assert!(export("kind=points").is_ok() && export("kind=points&activityId=1").is_ok());
        for (query, field) in [
            ("", "activityId"),
            ("activityId=0", "activityId"),
            ("activityId=1&activityId=1", "activityId"),
            ("activityId=1&format=xml", "format"),
            ("activityId=1&kind=prizes", "kind"),
            ("kind=recharges", "activityId"),
            ("kind=points&activityId=0", "activityId"),
            ("kind=points&state=none", "kind"),
            ("activityId=1&kind=recharges&awardId=1", "kind"),
            ("activityId=1&state=gone", "state"),
            ("activityId=1&since=yesterday", "since"),
            ("activityId=1&since=2026-11-30T08:00:00", "since"),
            (
                "activityId=1&since=2026-11-30T08:00:00Z&until=2026-11-30T08:00:00Z",
                "until",
            ),
            ("activityId=1&rate=0", "rate"),
            ("activityId=1&bom=true", "bom"),
        ] {
            let why = export(query).expect_err(query);
            assert!(why.starts_with(&format!("{field}: ")), "{query}: {why}");
        }
        for (query, field) in [
            ("", "activityId"),
            ("activityId=1&limit=0", "limit"),
            ("activityId=1&limit=101", "limit"),
            ("orderId=x", "orderId"),
        ] {
            let why = look(query).expect_err(query);
            assert!(why.starts_with(&format!("{field}: ")), "{query}: {why}");
        }
    }
}
