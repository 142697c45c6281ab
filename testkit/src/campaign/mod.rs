//! Campaign files: small ones that a test builds, and those that are shipped.
//!
//! They are strings, as operators write them: this crate does not know the reader.
mod file;
mod shipped;

pub use self::file::{Award, CampaignFile, Tree};
pub use self::shipped::{
    DEMO, DEMO_ACTIVITY, FALLBACK_AWARD, LOAD, LOAD_ACTIVITY, SCARCE, SCARCE_AWARD, SECOND_DEMO,
    bounded, falling_back, in_state, scarce, unlimited, with,
};
