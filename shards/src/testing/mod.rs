//! Real servers for tests, each on a free port of 127.0.0.1 and in a temporary folder. They end
//! with the test process, however that ends, and take their folders with them.
mod mariadb;
mod redis;
mod server;

pub(crate) use self::mariadb::Mariadb;
pub(crate) use self::redis::{Redis, make_documented_user, order};
