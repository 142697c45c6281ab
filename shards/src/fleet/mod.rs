//! What all gateways of an installation obey, beside campaigns and switches, and what they report
//! back: settings travel as rows of the meta database under its revision, reports as one row for
//! each gateway. Gateways never dial each other.
mod following;
mod gateways;
mod settings;
#[cfg(test)]
mod tests;

pub use self::following::Followed;
pub(crate) use self::following::Following;
pub(crate) use self::gateways::{Alone, GatewayStore};
pub use self::gateways::{FORGOTTEN_AFTER, Gateway, Report, Reported, SILENT_AFTER};
pub(crate) use self::settings::FleetStore;
pub use self::settings::{FleetChange, FleetSetting, FleetValue, SETTINGS_MAX};
