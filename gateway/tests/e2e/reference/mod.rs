//! What the reference did: its faults, which must not come back, and its pages, which must work.
mod draws;
mod front_ends;
mod table;
mod trade;
