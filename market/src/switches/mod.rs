//! Degrade switches: named, typed, for all users, for one activity or for a share of the users.
//!
//! Pure: changes and storage are elsewhere.
mod layer;
mod setting;
mod share;
mod state;
mod switch;

pub use setting::{Setting, SettingKey};
pub use share::{InvalidShare, Share};
pub use state::{Effect, Origin, Switches};
pub use switch::{Switch, UnknownSwitch};
