//! `[forecast]`.
use super::{Broken, SMALL, check, parse};
use crate::campaign::Turnout;

const BROKEN: &[Broken] = &[
    (
        "[chances]",
        "[forecast]\nusers = 0\ndraws_per_user = -1\ndays = 3661\n[chances]",
        &[
            "line 10, forecast.users: expected an integer from 1 to 10000000, found 0",
            "line 11, forecast.draws_per_user: expected an integer from 1 to 1000000, found -1",
            "line 12, forecast.days: expected an integer from 1 to 3660, found 3661",
        ],
    ),
    (
        "[chances]",
        "[forecast]\nusers = 1\ndraws = 1\ndays = 1\n[chances]",
        &[
            "line 9, forecast.draws_per_user: missing: expected an integer from 1 to 1000000",
            "line 11, forecast.draws: unknown key",
        ],
    ),
    (
        "[chances]",
        "[forecast]\nusers = 10000000\ndraws_per_user = 101\ndays = 1\n[chances]",
        &[
            "line 10, forecast.users: 10000000 users with 101 draws each make 1010000000 draws; \
             a forecast simulates at most 1000000000: give fewer users or draws",
        ],
    ),
    (
        "format = 1",
        "format = 1\nforecast = 3",
        &["line 2, forecast: expected a table, found 3"],
    ),
];

#[test]
fn faults_of_the_turnout_are_found() {
    check(BROKEN);
}

#[test]
fn a_file_may_expect_a_turnout() {
    assert_eq!(parse(SMALL).forecast, None);
    let text = format!("{SMALL}\n[forecast]\nusers = 3\ndraws_per_user = 4\ndays = 5\n");
    assert_eq!(parse(&text).forecast, Turnout::new(3, 4, 5).ok());
}
