//! A word over Redis that the meta database has something new, so that gateways look at once and
//! not at their next tick. Nothing depends on it: who misses it looks half a second later.
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use prometheus::IntCounter;
use redis::{Client, RedisError, cmd};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::stock::cluster::RedisOptions;

/// After a server that cannot be listened to the next attempt waits this long.
const PAUSE: Duration = Duration::from_secs(1);

/// The stock servers, as messengers. Each word goes over all of them.
#[derive(Debug)]
pub(crate) struct Notifications(Vec<Messenger>);

#[derive(Debug, Clone)]
struct Messenger {
    client: Client,
    channel: String,
    timeout: Duration,
}

impl Notifications {
    /// Connects to nobody yet.
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

    /// Tells all gateways, and waits for nobody.
    pub(super) fn say(&self) {
        for messenger in self.0.iter().cloned() {
            tokio::spawn(async move {
                if !matches!(
                    timeout(messenger.timeout, messenger.say()).await,
                    Ok(Ok(()))
                ) {
                    tracing::debug!(channel = messenger.channel, "a notification was not heard");
                }
            });
        }
    }

    /// Notifies `heard` of each word, until told to stop.
    pub(super) fn listen(
        &self,
        heard: &Arc<Notify>,
        counter: &IntCounter,
        stop: &watch::Receiver<bool>,
    ) -> Vec<JoinHandle<()>> {
        let listen = |messenger: &Messenger| {
            let (messenger, heard, counter) = (messenger.clone(), heard.clone(), counter.clone());
            let mut stop = stop.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = messenger.listen(&heard, &counter) => {}
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

    async fn listen(&self, heard: &Notify, counter: &IntCounter) {
        loop {
            if let Err(error) = self.listen_once(heard, counter).await {
                tracing::debug!(%error, channel = self.channel, "notifications cannot be heard");
            }
            sleep(PAUSE).await;
            // Whatever was said meanwhile was missed.
            heard.notify_one();
        }
    }

    /// Listens until the connection ends.
    async fn listen_once(&self, heard: &Notify, counter: &IntCounter) -> Result<(), RedisError> {
        let mut connection = self.client.get_async_pubsub().await?;
        connection.subscribe(&self.channel).await?;
        let mut words = connection.on_message();
        while words.next().await.is_some() {
            counter.inc();
            heard.notify_one();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Redis, make_documented_user};

    #[tokio::test]
    async fn the_documented_user_may_say_and_hear() {
        let redis = Redis::start().await;
        let notifications = Notifications::new(&[make_documented_user(&redis.options()).await])
            .expect("options that fit");
        let (heard, stop) = (Arc::new(Notify::new()), watch::Sender::new(false));
        let counter = IntCounter::new("notifications", "heard").expect("a name");
        let _listening = notifications.listen(&heard, &counter, &stop.subscribe());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while counter.get() == 0 {
            assert!(tokio::time::Instant::now() < deadline, "nothing is heard");
            notifications.say();
            sleep(Duration::from_millis(20)).await;
        }
    }
}
