//! `[forecast]`: the turnout that the organiser expects. No rule looks at it.
use settings::{Faulted, Section};

use crate::campaign::Turnout;

pub(super) fn forecast(root: &Section<'_>) -> Result<Option<Turnout>, Faulted> {
    let Some(section) = root.find_section("forecast") else {
        return Ok(None);
    };
    let users = section.integer("users", Turnout::USERS).required();
    let draws_per_user = section.integer("draws_per_user", Turnout::DRAWS_PER_USER);
    let draws_per_user = draws_per_user.required();
    let days = section.integer("days", Turnout::DAYS).required();
    Turnout::new(users?, draws_per_user?, days?)
        .map(Some)
        .map_err(|why| section.fault("users", why.to_string()))
}
