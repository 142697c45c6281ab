//! Change notifications over Redis: the meta database has changed, so gateways read it at once and
//! not at their next tick. Nothing depends on them: a gateway that misses one reads half a second
//! later.
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use prometheus::IntCounter;
use redis::{Client, RedisError, cmd};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::stock::cluster::RedisOptions;

/// The pause after a failed attempt to subscribe at a server.
const PAUSE: Duration = Duration::from_secs(1);

/// The stock servers as messengers. Each notification goes over all of them.
#[derive(Debug)]
pub(crate) struct Notifications(Vec<Messenger>);

#[derive(Debug, Clone)]
struct Messenger {
    client: Client,
    channel: String,
    timeout: Duration,
}

impl Notifications {
    /// Does not connect yet.
    pub(super) fn new(servers: &[RedisOptions]) -> Result<Self, String> {
        let messenger = |options: &RedisOptions| {
            let client = options.client()?;
            Ok(Messenger {
                client,
                channel: format!("{}:changed", options.prefix),
                timeout: options.timeout,
            })
        };
        servers
            .iter()
            .map(messenger)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Notifies all gateways, without waiting for them.
    pub(super) fn say(&self) {
        for messenger in self.0.iter().cloned() {
            tokio::spawn(async move {
                if !matches!(
                    timeout(messenger.timeout, messenger.say()).await,
                    Ok(Ok(()))
                ) {
                    tracing::debug!(
                        channel = messenger.channel,
                        "a change notification was not delivered"
                    );
                }
            });
        }
    }

    /// Wakes `notified` for each notification, until `stop` turns true.
    pub(super) fn listen(
        &self,
        notified: &Arc<Notify>,
        counter: &IntCounter,
        stop: &watch::Receiver<bool>,
    ) -> Vec<JoinHandle<()>> {
        let listen = |messenger: &Messenger| {
            let (messenger, notified, counter) =
                (messenger.clone(), notified.clone(), counter.clone());
            let mut stop = stop.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = messenger.listen(&notified, &counter) => {}
                    _ = stop.wait_for(|&stop| stop) => {}
                }
            })
        };
        self.0.iter().map(listen).collect()
    }
}

impl Messenger {
    async fn say(&self) -> Result<(), RedisError> {
        let mut connection = self.client.get_multiplexed_async_connection().await?;
        cmd("PUBLISH")
            .arg(&self.channel)
            .arg("")
            .query_async(&mut connection)
            .await
    }

    async fn listen(&self, notified: &Notify, counter: &IntCounter) {
        loop {
            if let Err(error) = self.listen_once(notified, counter).await {
                tracing::debug!(%error, channel = self.channel, "change notifications cannot be received");
            }
            sleep(PAUSE).await;
            // Notifications may have been missed meanwhile.
            notified.notify_one();
        }
    }

    /// Listens until the connection ends.
    async fn listen_once(&self, notified: &Notify, counter: &IntCounter) -> Result<(), RedisError> {
        let mut connection = self.client.get_async_pubsub().await?;
        connection.subscribe(&self.channel).await?;
        let mut words = connection.on_message();
        while words.next().await.is_some() {
            counter.inc();
            notified.notify_one();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Redis, TestRedis, make_documented_user};

    #[tokio::test]
    async fn the_documented_user_may_publish_and_subscribe() {
        let redis = Redis::start().await;
        let notifications = Notifications::new(&[make_documented_user(&redis.options()).await])
            .expect("options that fit");
        let (notified, stop) = (Arc::new(Notify::new()), watch::Sender::new(false));
        let counter = IntCounter::new("notifications", "notified").expect("a name");
        let _listening = notifications.listen(&notified, &counter, &stop.subscribe());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while counter.get() == 0 {
            assert!(
                tokio::time::Instant::now() < deadline,
                "no notification came"
            );
            notifications.say();
            sleep(Duration::from_millis(20)).await;
        }
    }
}
