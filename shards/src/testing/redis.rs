//! Options and commands for the Redis servers of `testkit`.
use std::time::Duration;

use testkit::servers::Redis;

use crate::stock::cluster::RedisOptions;
use crate::store::Tls;

/// The documentation of the rights that the user of a gateway needs.
const DOCS: &str = include_str!("../../../docs/cluster.md");

/// A stock server as a gateway reaches it.
pub(crate) trait TestRedis {
    /// The options of a configuration.
    fn options(&self) -> RedisOptions;
}

impl TestRedis for Redis {
    fn options(&self) -> RedisOptions {
        RedisOptions {
            host: self.address().ip().to_string(),
            port: self.address().port(),
            user: None,
            password: None,
            tls: Tls::Off,
            prefix: "test".to_owned(),
            timeout: Duration::from_millis(500),
            connections_max: 8,
        }
    }
}

/// Runs a command on the server that `options` reach, and returns the reply.
pub(crate) async fn redis_command(options: &RedisOptions, words: &[&str]) -> ::redis::Value {
    let client = options.client().expect("options that fit");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("a connection");
    ::redis::cmd(words[0])
        .arg(&words[1..])
        .query_async(&mut connection)
        .await
        .expect("it obeys")
}

/// Makes the user that the documentation tells operators to make, and returns how it reaches the
/// server.
pub(crate) async fn make_documented_user(options: &RedisOptions) -> RedisOptions {
    const PASSWORD: &str = "a password";
    let documented = DOCS
        .lines()
        .find(|line| line.starts_with("ACL SETUSER"))
        .expect("the documentation says how");
    let secret = format!(">{PASSWORD}");
    let words: Vec<&str> = documented
        .split(' ')
        .map(|word| if word == ">PASSWORD" { &secret } else { word })
        .collect();
    redis_command(options, &words).await;
    RedisOptions {
        user: Some(words[2].to_owned()),
        password: Some(PASSWORD.to_owned()),
        prefix: "drawbridge".to_owned(),
        ..options.clone()
    }
}
