//! What a page needs to know of an activity: its name, state and times, and the server's time.
use jiff::Timestamp;
use market::campaign::Activity;
use serde::Serialize;

use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `GET activity/query_activity`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Activity,
    paths: &[("activity/query_activity", None)],
    methods: Methods::Read,
    takes: &[FieldName::Activity],
    about: About::NoUser,
    serve: Serve::Look(serve),
};

/// The envelope's `data`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    activity_id: u64,
    name: &'a str,
    description: &'a str,
    state: &'static str,
    begins_at: String,
    ends_at: String,
    now: String,
    time_zone: &'a str,
}

fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let now = Timestamp::now();
    let (published, state) = desk.activity_state(asked.fields.activity()?, now)?;
    let activity = &published.campaign.activity;
    let shown = Shown {
        activity_id: activity.id.get(),
        name: &activity.name,
        description: &activity.description,
        state: state.name(),
        begins_at: local(activity, activity.begins_at),
        ends_at: local(activity, activity.ends_at),
        now: local(activity, now),
        time_zone: &activity.time_zone_name,
    };
    Ok(Data::new(&shown).into())
}

/// RFC 3339, with the offset of the activity's time zone at that moment, in milliseconds at most.
fn local(activity: &Activity, moment: Timestamp) -> String {
    let zoned = moment.to_zoned(activity.time_zone.clone());
    let seconds = zoned.strftime("%FT%T").to_string();
    let offset = zoned.strftime("%:z").to_string();
    match moment.subsec_millisecond() {
        0 => format!("{seconds}{offset}"),
        milliseconds => format!("{seconds}.{milliseconds:03}{offset}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_with_the_offset_of_the_zone() {
        let file = testkit::campaign::CampaignFile::one_award(1).time_zone("Europe/Berlin");
        let campaign = market::campaign::Campaign::parse(&file.text()).expect("a campaign");
        for (moment, expected) in [
            ("2026-07-01T00:00:00Z", "2026-07-01T02:00:00+02:00"),
            ("2026-12-01T00:00:00.0402Z", "2026-12-01T01:00:00.040+01:00"),
        ] {
            let moment: Timestamp = moment.parse().expect("a time");
            assert_eq!(local(&campaign.activity, moment), expected);
        }
    }
}
