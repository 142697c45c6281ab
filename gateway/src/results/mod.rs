//! Results as people and programs read them: files of draws and recharge orders, and the report of
//! an activity. The command line and the admin address write the same.
//!
//! `row` has the fields of a row, `csv` and `sheet` spell them, `export` goes from page to page,
//! `report` adds up. Only `export` waits for anything.
mod csv;
mod export;
mod report;
mod row;
mod sheet;

pub use csv::text_cell;
pub use export::{Export, ExportProgress, RowsPerSecond};
pub use report::{Report, Tally};
pub use row::{DrawRow, PrizeState};
pub use sheet::{Format, Sheet};
