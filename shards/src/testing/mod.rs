//! The servers of `testkit`, and how this crate connects to them.
mod mariadb;
mod redis;
mod version_before;

pub(crate) use testkit::servers::{
    HOSTILE, INSTEAD, Mariadb, Namespace, Proxy as Relay, Redis, name_hosts, namespace,
};

pub(crate) use self::mariadb::{DatabaseServer, shared_database};
pub(crate) use self::redis::{TestRedis, make_documented_user, redis_command};
pub(crate) use self::version_before::{
    undo_calls, undo_goods, undo_goods_in_meta, without_promises,
};
