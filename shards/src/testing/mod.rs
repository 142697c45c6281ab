//! The servers of `testkit` as this crate connects to them: the types of its own options.
mod mariadb;
mod redis;
mod version_before;

pub(crate) use testkit::servers::{
    HOSTILE, INSTEAD, Namespace, Proxy as Relay, name_hosts, namespace,
};

pub(crate) use self::mariadb::Mariadb;
pub(crate) use self::redis::{Redis, make_documented_user, order};
pub(crate) use self::version_before::undo_calls;
