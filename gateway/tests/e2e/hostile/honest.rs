//! Users who draw all the while.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::{Connection, Request, Server, eventually};

const USERS: usize = 4;

/// The number of their draws that proves that they are served.
const DRAWS: u64 = 40;

/// The longest wait for a draw: the machine is busy, and others are in the queue.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Some users, each with a connection that is opened again when it was closed for being idle. Each
/// of their draws must be made.
pub struct HonestUsers {
    made: Arc<AtomicU64>,
    leave: watch::Sender<bool>,
    users: JoinSet<()>,
}

impl HonestUsers {
    pub fn arrive(server: &Server, activity: u64) -> Self {
        let (made, address) = (Arc::new(AtomicU64::new(0)), server.listen);
        let (leave, left) = watch::channel(false);
        let mut users = JoinSet::new();
        for user in 0..USERS {
            let (made, left, user) = (made.clone(), left.clone(), format!("honest-{user}"));
            users.spawn(async move {
                let mut connection = None;
                for key in 0.. {
                    let draw = Request::draw(&user, activity, &key.to_string());
                    let answer = loop {
                        let mut open = match connection.take() {
                            Some(open) => open,
                            None => Connection::open(address)
                                .await
                                .expect("honest users are let in"),
                        };
                        // The key makes it safe to ask again.
                        if let Ok(answer) = open.exchange(&draw).await {
                            connection = Some(open);
                            break answer;
                        }
                    };
                    answer.envelope().expect(200, "0000");
                    made.fetch_add(1, Ordering::Relaxed);
                    if *left.borrow() {
                        return;
                    }
                }
            });
        }
        Self { made, leave, users }
    }

    /// Waits until they have drawn some more times.
    pub async fn draw_on(&self) {
        let before = self.made.load(Ordering::Relaxed);
        eventually("honest users keep drawing", WAIT_MAX, async || {
            (self.made.load(Ordering::Relaxed) >= before + DRAWS).then_some(())
        })
        .await;
    }

    /// Ends it; returns how many draws were made.
    pub async fn leave(mut self) -> u64 {
        self.leave.send_replace(true);
        while let Some(user) = self.users.join_next().await {
            user.expect("an honest user is always answered");
        }
        self.made.load(Ordering::Relaxed)
    }
}
