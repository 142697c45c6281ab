//! How units are spread over segments and servers.
use std::collections::BTreeSet;

use super::super::Spread;
use super::SPREAD;
use crate::stock::ids::ServerId;

#[test]
fn every_segment_is_on_one_server() {
    for (segments, servers) in [(1, 1), (8, 1), (5, 2), (8, 3), (256, 15)] {
        let spread = Spread { segments, servers };
        let mut seen = BTreeSet::new();
        for server in (1..=servers).map(ServerId) {
            for segment in spread.segments_on(server) {
                assert_eq!(spread.server_of(segment), server);
                assert!(seen.insert(segment), "segment {segment} is on two servers");
            }
        }
        assert_eq!(seen.len(), usize::from(segments));
    }
}

#[test]
fn shares_are_even_and_none_is_lost() {
    for units in [0, 1, 4, 5, 7, 1_000_000_000_007] {
        let shares: Vec<u64> = SPREAD.share(units).map(|(_, units)| units).collect();
        assert_eq!(shares.iter().sum::<u64>(), units);
        assert!(
            shares
                .iter()
                .max()
                .zip(shares.iter().min())
                .is_some_and(|(most, least)| most - least <= 1)
        );
    }
}
