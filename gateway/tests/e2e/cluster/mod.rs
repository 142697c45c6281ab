//! Clusters of real servers: two shards, two gateways or three, Redis, nginx (`deploy/local`).
//!
//! Each test has a cluster of its own, which ends with it. A start takes about two seconds.
mod audit;
mod availability;
mod breakers;
mod chances;
mod chaos;
mod client;
mod commands;
mod drawing;
mod faults;
mod fleet;
mod goods;
mod held;
mod jobs;
mod overload;
mod redis;
mod results;
mod shards;
mod shares;
mod stock;
mod switches;
mod ten;
mod thresholds;
mod trade;
mod traders;
mod user_limits;
