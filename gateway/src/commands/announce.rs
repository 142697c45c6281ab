//! What a server prints when it is ready: its addresses, where its data are, what to try.
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use market::ActivityId;
use market::campaign::{Catalogue, LifeState};

use super::output::say;
use crate::config::Config;

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerAddresses {
    /// For players.
    pub listen: SocketAddr,
    /// For operators.
    pub admin: SocketAddr,
    /// For probes, where they have an address of their own.
    pub probes: Option<SocketAddr>,
}

/// Prints it for the person who has started the server. The last line begins with `try: `.
pub(super) fn announce(config: &Config, catalogue: &Catalogue, addresses: ServerAddresses) {
    let ServerAddresses {
        listen,
        admin,
        probes,
    } = addresses;
    let scheme = if config.admin.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let stored = config.storage.summary();
    let quiet = if config.log.access_lines_per_second_max == 0 {
        "no line is logged per request (log.access_lines_per_second_max)\n"
    } else {
        ""
    };
    say(format_args!(
        "drawbridge serves draws on http://{listen}/ (health and metrics on {scheme}://{admin}/metrics)\n{stored}\n{quiet}{}\n",
        suggestion(open_activity(catalogue, Timestamp::now()), listen)
    ));
    tracing::info!(%listen, %admin, probes = probes.map(tracing::field::display), "ready");
}

/// The activity with the smallest id that everybody can draw from now.
fn open_activity(catalogue: &Catalogue, now: Timestamp) -> Option<ActivityId> {
    let activities = catalogue
        .campaigns()
        .map(|published| &published.campaign.activity);
    let open = activities.filter(|activity| {
        !activity.is_trial() && catalogue.state(activity, now) == LifeState::Open
    });
    open.map(|activity| activity.id).min()
}

/// The line that begins with `try: `.
fn suggestion(activity: Option<ActivityId>, listen: SocketAddr) -> String {
    let Some(activity) = activity else {
        return "try: drawbridge campaign publish FILE (no published activity can be drawn from now)".to_owned();
    };
    // "All addresses" is no address to connect to.
    let host = if listen.ip().is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        listen.ip()
    };
    let address = SocketAddr::new(host, listen.port());
    format!(
        "try: curl -s http://{address}/api/v1/raffle/activity/draw -H 'Content-Type: application/json' \
         -d '{{\"userId\":\"u1\",\"activityId\":{activity}}}'"
    )
}

#[cfg(test)]
mod tests {
    use market::campaign::{Campaign, Published};

    use super::*;

    const SCARCE: &str = include_str!("../../../deploy/campaigns/scarce.toml");

    fn catalogue(texts: &[String]) -> Catalogue {
        let campaigns = texts
            .iter()
            .map(|text| Campaign::parse(text).expect("a campaign"));
        Catalogue::new(campaigns.map(|campaign| Published {
            version: 1,
            campaign,
        }))
    }

    #[test]
    fn the_suggestion_names_an_activity_that_can_be_drawn_from() {
        let (closed, open) = (
            SCARCE.replace("\"open\"", "\"close\""),
            SCARCE.replace("200002", "200009"),
        );
        let now = "2026-11-30T00:00:00Z".parse().expect("a time");
        let found = open_activity(&catalogue(&[closed.clone(), open.clone()]), now);
        assert_eq!(found.map(ActivityId::get), Some(200_009));
        assert_eq!(open_activity(&catalogue(&[closed]), now), None);
        let past = "1999-01-01T00:00:00Z".parse().expect("a time");
        assert_eq!(open_activity(&catalogue(&[open]), past), None);
        let listen = "0.0.0.0:8091".parse().expect("an address");
        let text = suggestion(found, listen);
        assert!(
            text.contains("http://127.0.0.1:8091/") && text.contains("200009"),
            "{text}"
        );
        assert!(suggestion(None, listen).starts_with("try: drawbridge campaign publish"));
    }
}
