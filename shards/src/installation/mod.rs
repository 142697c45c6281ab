//! An installation: where draws are stored, whatever its kind.
//!
//! There are two back ends. [`embedded`] is a folder of SQLite files with stock in memory, served
//! by one process. [`cluster`] is MySQL or MariaDB with stock in Redis, served by any number of
//! gateways. Callers open an [`Installation`] or serve from it, without knowing its kind. A kind
//! refuses what it cannot do with a message.
mod assembly;
pub(crate) mod cluster;
pub(crate) mod embedded;
mod error;
mod follow;
mod founding;
mod migrated;
pub(crate) mod opened;
mod operations;
mod options;
pub(crate) mod serving;
mod sizes;
mod stock;

pub use self::cluster::{ClusterError, ClusterOptions};
pub use self::embedded::{EmbeddedOptions, FolderError, StartError};
pub use self::error::InstallationError;
pub use self::founding::{FoundingError, Unfit};
pub use self::migrated::Migrated;
pub use self::opened::Installation;
pub use self::options::InstallationOptions;
pub use self::serving::{Drained, Serving};
pub use self::sizes::GatewaySizes;
pub use self::stock::WithdrawalState;
