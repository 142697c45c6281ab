//! A file of rows: its beginning, and its lines.
use std::fmt::Write as _;
use std::str::FromStr;

use jiff::tz::TimeZone;
use market::campaign::Campaign;
use market::points::{Amount, PointsEntry};
use market::{Order, RechargeOrder};
use shards::results::ResultKind;

use super::csv;
use super::row::{DrawRow, EntryRow, PrizeState, RechargeRow, Row};
use crate::text::printable;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns, for people
    Table,
    /// Comma-separated values, for spreadsheets
    Csv,
    /// A JSON object on each line, for programs
    Ndjson,
}

/// A word that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected table, csv or ndjson")]
pub struct InvalidFormat;

impl FromStr for Format {
    type Err = InvalidFormat;

    fn from_str(text: &str) -> Result<Self, InvalidFormat> {
        match text {
            "table" => Ok(Self::Table),
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err(InvalidFormat),
        }
    }
}

impl Format {
    /// For the header `Content-Type`.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Table => "text/plain; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

/// How a file looks, and which draws are in it.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Its format.
    pub format: Format,
    /// Whether CSV begins with a byte order mark.
    pub byte_order_mark: bool,
    /// The zone of its times.
    pub zone: TimeZone,
    /// Draws of prizes in this state only.
    pub state: Option<PrizeState>,
}

impl Sheet {
    /// How the file begins.
    pub fn head(&self, kind: ResultKind) -> String {
        match (self.format, kind) {
            (Format::Ndjson, _) => String::new(),
            (Format::Csv, ResultKind::Draws) => self.csv_head(DrawRow::FIELDS),
            (Format::Csv, ResultKind::Recharges) => self.csv_head(RechargeRow::FIELDS),
            (Format::Csv, ResultKind::Points) => self.csv_head(EntryRow::FIELDS),
            (Format::Table, ResultKind::Draws) => format!(
                "{:<32} {:<20} {:<24} {:>10} {:<8} {:<16} {:>8} {}\n",
                "drawn", "order", "user", "award", "state", "rule", "version", "title"
            ),
            (Format::Table, ResultKind::Recharges) => format!(
                "{:<32} {:<20} {:<24} {:>10} {:>12} {:<20} {}\n",
                "given", "order", "user", "chances", "points", "kind", "request"
            ),
            (Format::Table, ResultKind::Points) => format!(
                "{:<32} {:<24} {:>8} {:<8} {:>16} {:>16} {}\n",
                "entered", "user", "entry", "trade", "amount", "balance", "number"
            ),
        }
    }

    fn csv_head(&self, fields: &[&'static str]) -> String {
        let mut head = String::new();
        if self.byte_order_mark {
            head.push_str(csv::BYTE_ORDER_MARK);
        }
        csv::write_line(&mut head, fields.iter().map(|name| csv::Cell::Plain(name)));
        head
    }

    /// Adds the line of a draw, if it is in the file. Returns whether it is.
    pub fn add_draw(&self, out: &mut String, order: &Order, campaign: Option<&Campaign>) -> bool {
        let row = DrawRow::new(order, campaign, &self.zone);
        if self.state.is_some_and(|state| row.state != state) {
            return false;
        }
        if self.format == Format::Table {
            let (user, title) = (printable(row.user_id), printable(row.award_title));
            let (at, order, award, rule) = (&row.created_at, &row.order_id, row.award_id, row.rule);
            let state = row.state.name();
            let version = row.version;
            let _ = writeln!(
                out,
                "{at:<32} {order:<20} {user:<24} {award:>10} {state:<8} {rule:<16} {version:>8} {title}"
            );
        } else {
            self.add(out, &row);
        }
        true
    }

    /// Adds the line of a recharge order.
    pub fn add_recharge(&self, out: &mut String, order: &RechargeOrder) {
        let row = RechargeRow::new(order, &self.zone);
        if self.format == Format::Table {
            let key = row.request_id.or(row.business_no).unwrap_or_default();
            let (user, request) = (printable(row.user_id), printable(key));
            let (at, order, kind, chances) =
                (&row.created_at, &row.order_id, row.kind, row.chances);
            let points = row
                .points
                .as_ref()
                .map_or_else(String::new, Amount::to_string);
            let _ = writeln!(
                out,
                "{at:<32} {order:<20} {user:<24} {chances:>10} {points:>12} {kind:<20} {request}"
            );
        } else {
            self.add(out, &row);
        }
    }

    /// Adds the line of an entry.
    pub fn add_entry(&self, out: &mut String, entry: &PointsEntry) {
        let row = EntryRow::new(entry, &self.zone);
        if self.format == Format::Table {
            let (user, number) = (printable(row.user_id), printable(row.business_no));
            let (at, entry, trade) = (&row.created_at, &row.entry_id, row.trade_name);
            let (amount, balance) = (row.amount.to_string(), row.balance.to_string());
            let _ = writeln!(
                out,
                "{at:<32} {user:<24} {entry:>8} {trade:<8} {amount:>16} {balance:>16} {number}"
            );
        } else {
            self.add(out, &row);
        }
    }

    fn add(&self, out: &mut String, row: &impl Row) {
        if self.format == Format::Csv {
            csv::write_line(out, row.cells());
        } else {
            out.push_str(&serde_json::to_string(row).expect("plain values"));
            out.push('\n');
        }
    }
}
