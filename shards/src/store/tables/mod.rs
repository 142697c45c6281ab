//! The tables of a shard, one a file: what its rows look like, their key, its statements by name,
//! and its place in the order in which transactions lock tables.
//!
//! Some are there several times in each shard, with a number behind their names ([`Numbered`]);
//! users are spread over these. The others are there once.
pub(crate) mod accounts;
pub(crate) mod calls;
pub(crate) mod epochs;
pub(crate) mod issued;
pub(crate) mod label_repairs;
mod numbered;
pub(crate) mod orders;
pub(crate) mod receipts;
pub(crate) mod recharge_orders;
mod table;
mod with_ids;
mod writes;

pub(crate) use numbered::Numbered;
pub(crate) use table::{LockOrder, OfUsers};
pub(crate) use with_ids::{WITH_IDS, WithIds};
pub(crate) use writes::Writes;
