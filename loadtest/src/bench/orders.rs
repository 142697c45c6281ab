//! Rows like those that draws write, to insert without drawing: each draw is a call and an order.

use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::error::BoxDynError;
use sqlx::{Arguments as _, Database, Encode, Type};

use testkit::random::SplitMix64;

/// Draws of one transaction, which are as many rows of each table. With 14 columns that is 3,584
/// parameters: less than a tenth of what `SQLite` allows, a twentieth of what MariaDB allows.
pub(super) const ROWS: usize = 256;

/// The distance between two ids of one lane: the lowest bits are the slot.
const ID_STEP: i64 = 1_024;

/// A table that a draw writes a row to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DrawTable {
    Calls,
    Orders,
}

impl DrawTable {
    pub(super) const ALL: [Self; 2] = [Self::Calls, Self::Orders];

    pub(super) fn columns(self) -> usize {
        match self {
            Self::Calls => 8,
            Self::Orders => 14,
        }
    }

    /// `(?,?,...),(?,?,...),...`: a placeholder for each field of a batch.
    pub(super) fn placeholders(self) -> String {
        let row = format!("({})", vec!["?"; self.columns()].join(","));
        vec![row; ROWS].join(",")
    }

    /// The values for the placeholders.
    pub(super) fn fields<D: Database>(
        self,
        batch: &[DrawRow],
    ) -> Result<D::Arguments<'_>, sqlx::Error>
    where
        i64: for<'q> Encode<'q, D> + Type<D>,
        for<'q> &'q str: Encode<'q, D> + Type<D>,
    {
        let mut all = D::Arguments::default();
        all.reserve(ROWS * self.columns(), ROWS * 120);
        let mut add = |draw| match self {
            Self::Calls => add_call::<D>(&mut all, draw),
            Self::Orders => add_order::<D>(&mut all, draw),
        };
        batch
            .iter()
            .try_for_each(&mut add)
            .map_err(sqlx::Error::Encode)?;
        Ok(all)
    }

    /// A batch as one JSON list of lists.
    pub(super) fn json(self, batch: &[DrawRow]) -> String {
        let mut text = String::with_capacity(ROWS * 160);
        for draw in batch {
            text.push(if text.is_empty() { '[' } else { ',' });
            let DrawRow {
                id,
                user,
                key,
                award,
                created_at_ms,
            } = draw;
            // Writing to a String cannot fail, and no field has characters that JSON escapes.
            let _ = match self {
                Self::Calls => write!(
                    text,
                    r#"["{user}","{key}",1,{ACTIVITY},1,{id},1,{created_at_ms}]"#
                ),
                Self::Orders => write!(
                    text,
                    r#"[{id},"{user}",{ACTIVITY},1,1,{DAY},{award},"{TITLE}",{award},"{RULE}",1,1,0,""]"#
                ),
            };
        }
        text.push(']');
        text
    }
}

const USERS: u64 = 1_000_000;
const ACTIVITY: i64 = 200_001;
const DAY: i64 = 20_000;
const TITLE: &str = "Random points";
const RULE: &str = "none";
/// The number of an order that promises nothing.
const PROMISE: i64 = 1;

/// How a batch is inserted. The faster way depends on the database and on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InsertWay {
    /// One statement with a parameter for each field.
    Values,
    /// One parameter, a JSON list, which the database parses.
    Json,
}

/// Draws per second into bare tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inserted {
    pub(super) values: f64,
    pub(super) json: f64,
}

impl Inserted {
    /// The rate of the faster way on this machine, which is the limit of draws.
    pub(super) fn best(self) -> f64 {
        if self.values > self.json {
            self.values
        } else {
            self.json
        }
    }
}

/// The fields that differ between draws.
#[derive(Debug)]
pub(super) struct DrawRow {
    pub(super) id: i64,
    pub(super) user: String,
    pub(super) key: String,
    pub(super) award: i64,
    pub(super) created_at_ms: i64,
}

/// Makes draws like real ones: ids grow with time, users and keys are random.
pub(super) struct RowSource {
    random: SplitMix64,
    next_id: i64,
    created_at_ms: i64,
}

impl RowSource {
    /// Sources with different numbers have different ids, users and keys.
    pub(super) fn new(number: u16) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            random: SplitMix64::stream(1, u64::from(number)),
            next_id: (0x6000 << 48) + (i64::from(number) << 40),
            created_at_ms: i64::try_from(now.as_millis()).unwrap_or_default(),
        }
    }

    pub(super) fn batch(&mut self) -> Vec<DrawRow> {
        (0..ROWS).map(|_| self.draw()).collect()
    }

    fn draw(&mut self) -> DrawRow {
        self.next_id += ID_STEP;
        let key = u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64());
        let user = self.random.below(USERS);
        DrawRow {
            id: self.next_id,
            user: format!("u{user}"),
            key: format!("{:024x}", key >> 32),
            award: i64::try_from(self.random.below(9)).unwrap_or_default(),
            created_at_ms: self.created_at_ms,
        }
    }
}

/// Adds a row in the order of the columns.
fn add_call<'q, D: Database>(
    all: &mut D::Arguments<'q>,
    draw: &'q DrawRow,
) -> Result<(), BoxDynError>
where
    i64: Encode<'q, D> + Type<D>,
    &'q str: Encode<'q, D> + Type<D>,
{
    all.add(&*draw.user)?;
    all.add(&*draw.key)?;
    all.add(1_i64)?;
    all.add(ACTIVITY)?;
    all.add(1_i64)?;
    all.add(draw.id)?;
    all.add(1_i64)?;
    all.add(draw.created_at_ms)
}

/// Adds a row in the order of the columns.
fn add_order<'q, D: Database>(
    all: &mut D::Arguments<'q>,
    draw: &'q DrawRow,
) -> Result<(), BoxDynError>
where
    i64: Encode<'q, D> + Type<D>,
    &'q str: Encode<'q, D> + Type<D>,
{
    all.add(draw.id)?;
    all.add(&*draw.user)?;
    all.add(ACTIVITY)?;
    all.add(1_i64)?;
    all.add(1_i64)?;
    all.add(DAY)?;
    all.add(draw.award)?;
    all.add(TITLE)?;
    all.add(draw.award)?;
    all.add(RULE)?;
    all.add(1_i64)?;
    all.add(PROMISE)?;
    all.add(0_i64)?;
    all.add("")
}

/// Counts the batches of one writer until its time has passed.
#[derive(Debug)]
pub(super) struct Stopwatch {
    start: Instant,
    seconds: u64,
    batches: u32,
}

impl Stopwatch {
    pub(super) fn start(seconds: u64) -> Self {
        Self {
            start: Instant::now(),
            seconds,
            batches: 0,
        }
    }

    pub(super) fn runs(&self) -> bool {
        self.start.elapsed() < Duration::from_secs(self.seconds)
    }

    pub(super) fn count_batch(&mut self) {
        self.batches += 1;
    }

    pub(super) fn inserted_per_second(&self) -> f64 {
        const _: () = assert!(ROWS == 256, "the rate counts 256 draws a batch");
        f64::from(self.batches) * 256.0 / self.start.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_of_two_sources_differ_and_ids_ascend() {
        let batches: Vec<Vec<DrawRow>> = [0, 1, 31]
            .map(|number| RowSource::new(number).batch())
            .into();
        for pair in batches.windows(2) {
            assert!(pair[0].last().expect("rows").id < pair[1][0].id);
            assert_ne!(pair[0][0].key, pair[1][0].key);
        }
        for batch in &batches {
            assert!(batch.iter().all(|draw| draw.key.len() == 24));
            assert!(batch.is_sorted_by_key(|draw| draw.id));
        }
    }

    #[test]
    fn json_and_placeholders_have_all_rows_and_columns() {
        let batch = RowSource::new(0).batch();
        for table in DrawTable::ALL {
            let rows: Vec<Vec<serde_json::Value>> =
                serde_json::from_str(&table.json(&batch)).expect("JSON");
            assert_eq!(rows.len(), ROWS);
            assert!(rows.iter().all(|row| row.len() == table.columns()));
            let placeholders = table.placeholders();
            assert_eq!(placeholders.matches('?').count(), ROWS * table.columns());
        }
    }
}
