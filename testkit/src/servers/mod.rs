//! Real servers for tests, each on a free port of 127.0.0.1 and in a temporary folder. They end
//! with the test that started them and with the test process, and take their folders with them.
mod certificates;
mod mariadb;
mod namespace;
mod nginx;
mod ports;
mod process;
mod proxy;
mod redis;

pub use self::certificates::{make_certificates, request};
pub use self::mariadb::{HOSTILE, INSTEAD, Mariadb, SharedMariadb, new_database};
pub use self::namespace::{Namespace, name_hosts, namespace};
pub use self::nginx::{Nginx, NginxAddresses};
pub use self::ports::{free_address, free_port};
pub use self::process::{ServerProcess, server_path};
pub use self::proxy::{Proxy, ProxyWay};
pub use self::redis::Redis;
