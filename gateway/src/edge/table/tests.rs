//! Bounds, and which connection gives way.
use std::net::IpAddr;

use super::*;

fn table(
    connections_max: usize,
    connections_per_address_max: usize,
    exempt: &[&str],
) -> Arc<ConnectionTable> {
    let networks = exempt
        .iter()
        .map(|text| crate::edge::network(text).expect("a network"));
    let exempt = TrustedProxies::new(networks.collect());
    let bounds = ConnectionBounds {
        connections_max,
        connections_per_address_max,
        exempt,
    };
    Arc::new(ConnectionTable::new(
        bounds,
        ConnectionMetrics::unregistered(),
    ))
}

fn peer(address: &str) -> Peer {
    Peer(address.parse::<IpAddr>().expect("an address"))
}

fn enter(table: &Arc<ConnectionTable>, address: &str) -> Result<ConnectionEntry, NoPlace> {
    table.enter(peer(address), Instant::now())
}

#[test]
fn the_longest_wait_is_asked_once_and_its_place_is_taken_when_it_has_gone() {
    let table = table(2, 10, &[]);
    let (first, second) = (
        enter(&table, "192.0.2.1").expect("a place"),
        enter(&table, "192.0.2.1"),
    );
    let second = second.expect("a place");
    assert_eq!(enter(&table, "192.0.2.1").err(), Some(NoPlace::Full));
    assert!(first.state().takes_give_way() && !second.state().takes_give_way());
    drop(first);
    let _third = enter(&table, "192.0.2.1").expect("the place of the first");
}

#[test]
fn a_request_under_way_is_never_asked_and_keeps_its_place() {
    let table = table(2, 10, &[]);
    let entries =
        ["192.0.2.1", "192.0.2.2"].map(|address| enter(&table, address).expect("a place"));
    let answering = entries.each_ref().map(|entry| entry.state().answers());
    for _ in 0..3 {
        assert_eq!(enter(&table, "192.0.2.3").err(), Some(NoPlace::Full));
    }
    assert!(entries.iter().all(|entry| !entry.state().takes_give_way()));
    assert_eq!(table.answering(), 2);
    drop(answering);
}

#[test]
fn an_address_at_its_bound_makes_room_among_its_own_and_proxies_have_no_bound() {
    let table = table(100, 2, &["10.0.0.1"]);
    let other = enter(&table, "192.0.2.2").expect("a place");
    let first = enter(&table, "2001:db8::1").expect("a place");
    let second = enter(&table, "2001:db8::2").expect("a place");
    let third = enter(&table, "2001:db8::3").expect("the first one of this network gives way");
    assert!(first.state().takes_give_way());
    let answering = [second.state().answers(), third.state().answers()];
    assert_eq!(
        enter(&table, "2001:db8::4").err(),
        Some(NoPlace::Address),
        "both have a request"
    );
    // The first has a request after all.
    first.stays();
    drop(answering);
    // Not at once: one scan does not follow another immediately.
    let later = Instant::now() + Duration::from_secs(1);
    let _fourth = table.enter(peer("2001:db8::4"), later).expect("a place");
    assert!(!other.state().takes_give_way());
    let proxies: Vec<_> = (0..20)
        .map(|_| enter(&table, "10.0.0.1").expect("proxies have no bound"))
        .collect();
    assert!(proxies.iter().all(|entry| !entry.state().takes_give_way()));
}

#[test]
fn in_a_flood_a_connection_that_was_served_stays() {
    let table = table(40, 40, &[]);
    let served = enter(&table, "192.0.2.1").expect("a place");
    drop(served.state().answers());
    let mut silent: Vec<_> = (1..40)
        .map(|_| enter(&table, "192.0.2.1").expect("a place"))
        .collect();
    for _ in 0..400 {
        assert_eq!(enter(&table, "192.0.2.1").err(), Some(NoPlace::Full));
        assert!(!served.state().takes_give_way());
        silent.retain(|entry| !entry.state().takes_give_way());
        silent.push(enter(&table, "192.0.2.1").expect("a place that has become free"));
    }
}

#[test]
fn a_flood_that_is_asked_faster_than_it_goes_takes_no_place_of_others() {
    let table = table(64, 32, &[]);
    let other = enter(&table, "192.0.2.2").expect("a place");
    let mut flood: Vec<_> = (0..63)
        .map(|_| enter(&table, "192.0.2.1").expect("a place"))
        .collect();
    for _ in 0..200 {
        // Each place is asked for several times before a connection has gone.
        for _ in 0..3 {
            assert_eq!(enter(&table, "192.0.2.1").err(), Some(NoPlace::Full));
        }
        assert!(!other.state().takes_give_way());
        let asked = flood
            .iter()
            .position(|entry| entry.state().takes_give_way())
            .expect("one that was asked");
        flood.remove(asked);
        flood.push(enter(&table, "192.0.2.1").expect("a place that has become free"));
    }
}

#[test]
fn a_flood_gives_way_to_itself_where_most_connections_are_others() {
    let table = table(200, 200, &["10.0.0.1"]);
    let mut others: Vec<_> = (0..140)
        .map(|number| enter(&table, &format!("192.0.2.{number}")))
        .collect();
    others.extend((0..10).map(|_| enter(&table, "10.0.0.1")));
    let others: Vec<_> = others
        .into_iter()
        .map(|entry| entry.expect("a place"))
        .collect();
    for entry in &others {
        drop(entry.state().answers());
    }
    let mut flood: Vec<_> = (0..50)
        .map(|_| enter(&table, "198.51.100.1").expect("a place"))
        .collect();
    for _ in 0..400 {
        assert_eq!(enter(&table, "198.51.100.1").err(), Some(NoPlace::Full));
        let asked = flood
            .iter()
            .position(|entry| entry.state().takes_give_way())
            .expect("one that was asked");
        assert!(others.iter().all(|entry| !entry.state().takes_give_way()));
        flood.remove(asked);
        flood.push(enter(&table, "198.51.100.1").expect("a place that has become free"));
    }
}

#[test]
fn nothing_is_left_of_connections_that_have_gone() {
    let table = table(10, 10, &[]);
    let entries: Vec<_> = (0..10)
        .map(|number| enter(&table, &format!("192.0.2.{number}")))
        .collect();
    assert_eq!(enter(&table, "192.0.2.77").err(), Some(NoPlace::Full));
    drop(entries);
    let entries = table.lock();
    assert!(entries.by_id.is_empty() && entries.by_group.is_empty() && entries.not_asked == 0);
}

#[tokio::test]
async fn phases_go_one_way_and_wake_waiting_tasks() {
    let table = table(10, 10, &[]);
    let entry = enter(&table, "192.0.2.1").expect("a place");
    table.enter_phase(ListenerPhase::Draining);
    table.enter_phase(ListenerPhase::Closing);
    assert_eq!(table.phase(), ListenerPhase::Draining);
    table.reached(ListenerPhase::Closing).await;
    table.reached(ListenerPhase::Draining).await;
    entry.state().changed().await;
}
