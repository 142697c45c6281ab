//! Real servers for tests, each on a free port of 127.0.0.1 and in a temporary folder. They end
//! with the test process, however that ends, and take their folders with them.
mod mariadb;
mod namespace;
mod redis;
mod relay;
mod server;

pub(crate) use mariadb::{HOSTILE, INSTEAD, Mariadb};
pub(crate) use namespace::{Namespace, name_hosts, namespace};
pub(crate) use redis::Redis;
pub(crate) use relay::Relay;
