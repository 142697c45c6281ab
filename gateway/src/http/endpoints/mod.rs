//! The endpoints, each in a file: its route, and how it decodes, calls and encodes.
pub mod account;
pub mod activity;
pub mod armory;
pub mod award_list;
pub mod award_record_list;
pub mod draw;
pub mod draw_record;
pub mod draw_records;
pub mod page;
pub mod preflight;
pub mod random_raffle;
pub mod rule_weight;
pub mod stage;
pub mod strategy_armory;
pub mod strategy_award_list;
pub mod unknown;
