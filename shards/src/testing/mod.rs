//! Real servers for tests, each on a free port of 127.0.0.1 and in a temporary folder. They end
//! with the test process, however that ends, and take their folders with them.
mod mariadb;
mod namespace;
mod redis;
mod relay;
mod server;

pub(crate) use self::mariadb::{HOSTILE, INSTEAD, Mariadb};
pub(crate) use self::namespace::{Namespace, name_hosts, namespace};
pub(crate) use self::redis::{Redis, make_documented_user, order};
pub(crate) use self::relay::Relay;
