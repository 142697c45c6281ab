//! The Redis servers of `testkit`, as this crate connects to them.
use std::ops::Deref;
use std::time::Duration;

use crate::stock::cluster::RedisOptions;
use crate::store::Tls;

/// What operators are told to let a user do, and nothing else.
const DOCS: &str = include_str!("../../../docs/cluster.md");

/// A Redis server that keeps nothing over a restart.
#[derive(Debug)]
pub(crate) struct Redis(testkit::servers::Redis);

impl Redis {
    /// Starts a server for one test.
    pub(crate) async fn start() -> Self {
        Self(testkit::servers::Redis::start().await)
    }

    /// Starts a server for one test that speaks TLS only. In its folder are `ca.pem`, whose
    /// certificate names it, and `other.pem`, which does not.
    pub(crate) async fn encrypted() -> Self {
        Self(testkit::servers::Redis::encrypted().await)
    }

    /// How a gateway reaches it.
    pub(crate) fn options(&self) -> RedisOptions {
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

impl Deref for Redis {
    type Target = testkit::servers::Redis;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Runs a command on the server that `options` reach, and returns the reply.
pub(crate) async fn order(options: &RedisOptions, words: &[&str]) -> ::redis::Value {
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
    order(options, &words).await;
    RedisOptions {
        user: Some(words[2].to_owned()),
        password: Some(PASSWORD.to_owned()),
        prefix: "drawbridge".to_owned(),
        ..options.clone()
    }
}
