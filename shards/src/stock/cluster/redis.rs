//! A stock server in Redis: two hashes and seven scripts (`shards/lua/`).
//!
//! `PREFIX:stock` holds the owner (`CLUSTER/SERVER`), the epoch, how its fields are named (`form`),
//! the units left in each segment (`ACTIVITY:award:ID:SEGMENT`, `ACTIVITY:sku:ID:SEGMENT`) and the
//! operations applied in this epoch (`operation:ID`). `PREFIX:grants` holds the owner and the epoch
//! again, and the open grants (`SHARD TIME_MS SEGMENT COUNT ...`). Owner and epoch are in both, so
//! that the loss of either key is noticed: every script compares them before it does anything.
//!
//! The version before named fields `ACTIVITY:AWARD:SEGMENT` and had no form. Units in that form are
//! taken for lost, so the server is rebuilt.
mod memory_warning;
mod options;
mod pool;
mod scripts;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use market::ActivityId;
use market::batch::{Good, StockItem};
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, cmd};
use tokio::time::timeout;

pub use self::options::RedisOptions;
use self::pool::{RedisLease, RedisPool};
use self::scripts::Script;
use super::server::{
    Addition, Closing, Lost, OpenGrant, Reset, ServerAnswer, ServerStock, Session, StockServer,
    Stranger, TakeRequest, Taken,
};
use crate::grant::GrantId;
use crate::stock::StockUnavailable;
use crate::stock::grants::Part;
use crate::stock::ids::{Epoch, ServerId};
use crate::stock::spread::Spread;
use crate::store::ClusterId;

/// The first number that `take` and `withdraw` return when the server must be rebuilt.
const LOST: i64 = -1;
/// The first number that `take` returns when the grant id is known.
const GRANT_KNOWN: i64 = -2;
/// The first number that `take` returns when units were not delivered yet.
const UNDELIVERED: i64 = -3;

/// One Redis server of the stock.
#[derive(Debug, Clone)]
pub(crate) struct RedisServer {
    pool: Arc<RedisPool>,
    units: Arc<ServerUnits>,
}

/// The units of one server: where they are, and whose.
#[derive(Debug)]
struct ServerUnits {
    server: ServerId,
    spread: Spread,
    keys: [String; 2],
    /// The cluster's id and the server's number, as `CLUSTER/NUMBER`.
    owner: String,
}

impl RedisServer {
    /// Server number `server` of the stock. Connects at the first use.
    pub(crate) fn new(
        server: ServerId,
        spread: Spread,
        options: &RedisOptions,
        cluster: &ClusterId,
    ) -> Result<Self, String> {
        let owner = format!("{cluster}/{server}");
        let keys = ["stock", "grants"].map(|key| format!("{}:{key}", options.prefix));
        Ok(Self {
            pool: Arc::new(RedisPool::new(options)?),
            units: Arc::new(ServerUnits {
                server,
                spread,
                keys,
                owner,
            }),
        })
    }
}

impl StockServer for RedisServer {
    type Session = RedisSession;

    async fn session(&self) -> Result<RedisSession, StockUnavailable> {
        let link = self
            .pool
            .get()
            .await
            .map_err(StockUnavailable::Unavailable)?;
        Ok(RedisSession {
            link,
            pool: self.pool.clone(),
            units: self.units.clone(),
        })
    }
}

/// A connection out of the pool.
pub(crate) struct RedisSession {
    link: RedisLease,
    pool: Arc<RedisPool>,
    units: Arc<ServerUnits>,
}

impl RedisSession {
    fn command(&self, script: Script) -> Cmd {
        let mut command = cmd("EVALSHA");
        command
            .arg(&self.link.digests[script as usize])
            .arg(self.units.keys.len())
            .arg(&self.units.keys);
        command.arg(&self.units.owner);
        command
    }

    async fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, StockUnavailable> {
        // After any failure a new connection is needed: it loads the scripts and finds out which
        // process answers. A call that is cancelled half-way leaves the connection unusable too.
        self.link.broken = true;
        match timeout(
            self.pool.timeout(),
            command.query_async(&mut self.link.connection),
        )
        .await
        {
            Ok(Ok(answer)) => {
                self.link.broken = false;
                Ok(answer)
            }
            Ok(Err(error)) if has_ended(&error) => {
                // The other connections most likely have ended too.
                self.link.retire_older();
                Err(StockUnavailable::EndedAtOnce(self.pool.explain(&error)))
            }
            Ok(Err(error)) => Err(StockUnavailable::Unavailable(self.pool.explain(&error))),
            Err(_) => Err(StockUnavailable::Unavailable(
                "no answer in time".to_owned(),
            )),
        }
    }

    /// The message about units that are not those of this server and this cluster.
    fn stranger(&self, whose: &str, epoch: &str) -> Stranger {
        let ServerUnits {
            keys: [stock, grants],
            owner,
            ..
        } = &*self.units;
        let described = |owner: &str| match owner.split_once('/') {
            Some((cluster, server)) => {
                format!("units of stock server {server} of cluster {cluster}")
            }
            None => format!(
                "units of epoch {epoch:?} that name no owner and are not the registered ones"
            ),
        };
        let ours = owner.split('/').next();
        let help = if whose.split('/').next() == ours {
            "two of the cluster's servers have changed places, or one is named twice: put each where it belongs (the \
             order of the [[storage.redis]] entries)"
                .to_owned()
        } else {
            format!(
                "two clusters must not share a Redis and a prefix. Give this one a server or a storage.redis_prefix of \
                 its own; if those units are not needed any more, delete both keys (redis-cli DEL {stock} {grants})"
            )
        };
        let (expected, found) = (described(owner), described(whose));
        Stranger(format!(
            "expected {expected} in {stock} and {grants}, found {found}: {help}"
        ))
    }

    fn part(&self, field: &str, count: u64) -> Option<Part> {
        let (item, segment) = item_and_segment(field)?;
        Some(Part {
            server: self.units.server,
            item,
            segment,
            count: count.try_into().ok()?,
        })
    }

    fn parts(&self, text: &str) -> Result<Vec<Part>, StockUnavailable> {
        pairs(text)
            .map(|(field, count)| self.part(field, count))
            .collect::<Option<_>>()
            .ok_or_else(unreadable)
    }

    fn open_grant(&self, now_ms: u64, id: &str, note: &str) -> Option<OpenGrant> {
        let mut words = note.splitn(3, ' ');
        let shard = words.next()?.parse().ok()?;
        let since_ms: u64 = words.next()?.parse().ok()?;
        let parts = self.parts(words.next()?).ok()?;
        let age = Duration::from_millis(now_ms.saturating_sub(since_ms));
        Some(OpenGrant {
            grant: GrantId(id.parse().ok()?),
            shard,
            age,
            parts,
        })
    }
}

/// Whether an error is about the connection and not about the server: it has ended, or it was made
/// when the server still knew the scripts.
fn has_ended(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn unreadable() -> StockUnavailable {
    StockUnavailable::Unavailable(
        "the server holds data that this program did not write".to_owned(),
    )
}

fn item_key(StockItem { activity, good }: StockItem) -> String {
    format!("{activity}:{}:{}", good.word(), good.id())
}

fn field(item: StockItem, segment: u16) -> String {
    format!("{}:{segment}", item_key(item))
}

fn item_and_segment(field: &str) -> Option<(StockItem, u16)> {
    let mut words = field.split(':');
    let activity = ActivityId::new(words.next()?.parse().ok()?)?;
    let good = Good::named(words.next()?, words.next()?.parse().ok()?)?;
    let segment = words.next()?.parse().ok()?;
    let item = StockItem { activity, good };
    words.next().is_none().then_some((item, segment))
}

/// The pairs of "field count field count ...".
fn pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    let mut words = text.split(' ');
    std::iter::from_fn(move || Some((words.next()?, words.next()?.parse().ok()?)))
}

fn epoch(number: i64) -> Result<Epoch, Lost> {
    u64::try_from(number).map(Epoch).map_err(|_| Lost)
}

impl Session for RedisSession {
    fn run_id(&self) -> &str {
        &self.link.run_id
    }

    fn discard(mut self) {
        self.link.retire_older();
    }

    async fn take(&mut self, request: &TakeRequest<'_>) -> ServerAnswer<Taken> {
        let Spread { servers, .. } = self.units.spread;
        let here = self.units.spread.segments_on(self.units.server);
        let mut command = self.command(Script::Take);
        command.arg(request.grant.0).arg(request.shard);
        command
            .arg(here.clone().next())
            .arg(servers)
            .arg(here.count())
            .arg(request.lane);
        for units in request.wants {
            command.arg(item_key(units.item)).arg(units.count);
        }
        let answer: Vec<i64> = self.run(&command).await?;
        let (&first, rest) = answer.split_first().ok_or_else(unreadable)?;
        match first {
            LOST => return Ok(Err(Lost)),
            GRANT_KNOWN => {
                return Err(StockUnavailable::Unavailable(
                    "the grant id was used before".to_owned(),
                ));
            }
            UNDELIVERED => {
                let item =
                    |&index: &i64| Some(request.wants.get(usize::try_from(index).ok()?)?.item);
                let items = rest.iter().map(item).collect::<Option<_>>();
                return Ok(Ok(Taken::Undelivered(items.ok_or_else(unreadable)?)));
            }
            _ => {}
        }
        let part = |granted: &[i64]| {
            let [index, segment, count] = *granted else {
                return None;
            };
            let units = request.wants.get(usize::try_from(index).ok()?)?;
            let (segment, count) = (segment.try_into().ok()?, count.try_into().ok()?);
            Some(Part {
                server: self.units.server,
                item: units.item,
                segment,
                count,
            })
        };
        let parts = rest
            .chunks(3)
            .map(part)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(unreadable)?;
        Ok(epoch(first).map(|epoch| Taken::Granted(epoch, parts)))
    }

    async fn close(&mut self, closings: &[Closing]) -> ServerAnswer<Epoch> {
        let mut command = self.command(Script::Close);
        for closing in closings {
            let mut used = String::new();
            for part in &closing.used {
                let space = if used.is_empty() { "" } else { " " };
                let _ = write!(
                    used,
                    "{space}{} {}",
                    field(part.item, part.segment),
                    part.count
                );
            }
            command.arg(closing.grant.0).arg(used);
        }
        Ok(epoch(self.run(&command).await?))
    }

    async fn look(&mut self) -> ServerAnswer<ServerStock> {
        type Fields = BTreeMap<String, String>;
        let (now_ms, mut stock, mut grants): (u64, Fields, Fields) =
            self.run(&self.command(Script::Look)).await?;
        let Some(epoch) = stock.remove("epoch") else {
            return Ok(Err(Lost));
        };
        stock.remove("cluster");
        stock.remove("form");
        grants.retain(|field, _| field != "epoch" && field != "cluster");
        let epoch = Epoch(epoch.parse().map_err(|_| unreadable())?);
        let units = stock
            .iter()
            .filter(|(field, _)| !field.starts_with("operation:"));
        let left = units.map(|(field, left)| Some((item_and_segment(field)?, left.parse().ok()?)));
        let left = left.collect::<Option<_>>().ok_or_else(unreadable)?;
        let open = grants
            .iter()
            .map(|(id, note)| self.open_grant(now_ms, id, note));
        let open = open.collect::<Option<_>>().ok_or_else(unreadable)?;
        Ok(Ok(ServerStock { epoch, left, open }))
    }

    async fn recognise(
        &mut self,
        registered: Option<Epoch>,
    ) -> Result<Result<(), Stranger>, StockUnavailable> {
        let mut command = self.command(Script::Recognise);
        command.arg(registered.map_or(String::new(), |epoch| epoch.to_string()));
        let (whose, epoch): (String, String) = self.run(&command).await?;
        Ok(if whose == self.units.owner {
            Ok(())
        } else {
            Err(self.stranger(&whose, &epoch))
        })
    }

    async fn reset(
        &mut self,
        epoch: Epoch,
        left: &[(StockItem, u16, u64)],
    ) -> Result<Reset, StockUnavailable> {
        let mut command = self.command(Script::Reset);
        command.arg(epoch.0);
        for &(item, segment, units) in left {
            command.arg(field(item, segment)).arg(units);
        }
        let answer: Vec<String> = self.run(&command).await?;
        let words: Vec<&str> = answer.iter().map(String::as_str).collect();
        match *words {
            ["1"] => Ok(Reset::Done),
            ["0", there] => Ok(Reset::Ahead(Epoch(
                there.parse().map_err(|_| unreadable())?,
            ))),
            ["-1", whose, epoch] => Ok(Reset::Stranger(self.stranger(whose, epoch))),
            _ => Err(unreadable()),
        }
    }

    async fn add(&mut self, addition: &Addition) -> ServerAnswer<Epoch> {
        let mut command = self.command(Script::Add);
        command.arg(addition.epoch.0).arg(addition.operation);
        for &(segment, units) in &addition.segments {
            command.arg(field(addition.item, segment)).arg(units);
        }
        Ok(epoch(self.run(&command).await?))
    }

    async fn withdraw(
        &mut self,
        operation: u64,
        epoch_now: Epoch,
        item: StockItem,
        units: u64,
    ) -> ServerAnswer<(Epoch, Vec<(u16, u64)>)> {
        let mut command = self.command(Script::Withdraw);
        command.arg(epoch_now.0).arg(operation).arg(units);
        for segment in self.units.spread.segments_on(self.units.server) {
            command.arg(field(item, segment));
        }
        let answer: Vec<redis::Value> = self.run(&command).await?;
        let number = answer
            .first()
            .and_then(|value| i64::from_redis_value_ref(value).ok())
            .ok_or_else(unreadable)?;
        let Ok(epoch) = epoch(number) else {
            return Ok(Err(Lost));
        };
        let text = answer
            .get(1)
            .and_then(|value| String::from_redis_value_ref(value).ok())
            .ok_or_else(unreadable)?;
        let taken = pairs(&text).map(|(field, units)| Some((item_and_segment(field)?.1, units)));
        Ok(Ok((
            epoch,
            taken.collect::<Option<_>>().ok_or_else(unreadable)?,
        )))
    }
}
