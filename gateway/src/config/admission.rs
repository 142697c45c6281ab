//! The section `[admission]`: what the edge lets in.
use settings::{Faulted, Section};

/// What the edge lets in.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionConfig {
    /// Requests that are being answered.
    pub in_flight_max: usize,
}

/// Reads the section.
pub fn read(section: &Section<'_>) -> Result<AdmissionConfig, Faulted> {
    let in_flight_max = section.integer("in_flight_max", 1..=1_000_000).or(8192);
    Ok(AdmissionConfig {
        in_flight_max: in_flight_max?,
    })
}
