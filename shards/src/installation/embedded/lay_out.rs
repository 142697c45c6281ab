//! Laying out a data folder, and finding files that do not belong together.
use router::SlotMap;

use super::folder::{FolderError, Held};
use super::options::EmbeddedOptions;
use super::start_error::StartError;
use crate::installation::founding::{Founding, FoundingError, Unfit};
use crate::store::{Access, ConversionProgress, DatabaseRole, Layout, SqliteFile, StoreError};

impl Held {
    /// Fixes the layout and makes the shard files at the first start. Once a lane has claimed a run
    /// number there may be draws in the files, so they must exist.
    pub(super) async fn lay_out(&self, options: &EmbeddedOptions) -> Result<SlotMap, StartError> {
        let EmbeddedOptions { shards, tables, .. } = *options;
        let found = self.meta().layout().slot_map().await?;
        let map = SlotMap::even(found.map_or(1, |(version, ..)| version), shards, tables)?;
        match found {
            // Before the files: after a first start that was killed half-way, the next one uses
            // this layout.
            None => self.meta().layout().fix_slot_map(&map).await?,
            Some((_, found_shards, found_tables))
                if (found_shards, found_tables) != (shards, tables) =>
            {
                return Err(StartError::Layout {
                    found_shards,
                    found_tables,
                    shards,
                    tables,
                });
            }
            Some(_) => {}
        }
        let access = if self.meta().runs().claimed().await? == 0 {
            Access::Create
        } else {
            Access::Write
        };
        let files: Vec<SqliteFile> = (0..map.shards())
            .map(|shard| self.folder().shard(shard, access))
            .collect();
        let layout = Layout {
            shards,
            tables,
            servers: 0,
            segments: 0,
        };
        let settled = async {
            let founding = Founding::look(self.meta(), &files, &map, layout, false).await?;
            founding.settle(&ConversionProgress::default()).await
        };
        match settled.await {
            Ok(_) => Ok(map),
            Err(FoundingError::Database(DatabaseRole::Shard(shard), error)) => {
                Err(FolderError::file(&files[usize::from(shard)], &error).into())
            }
            Err(FoundingError::Database(DatabaseRole::Meta, error)) => {
                Err(FolderError::file(self.meta().database(), &error).into())
            }
            Err(FoundingError::Unfit(unfit)) => match *unfit {
                // The help for a cluster is not the help for a folder.
                [(DatabaseRole::Shard(shard), Unfit::Behind(_)), ..] => {
                    Err(StartError::MetaBehind { shard })
                }
                _ => Err(StartError::Unfit(FoundingError::Unfit(unfit))),
            },
        }
    }
}

impl Held {
    /// Refuses a file that is older than the others. At each start and each clean stop every shard,
    /// and then the meta file, gets the next number. So a shard behind the meta file was replaced
    /// by an older copy. So was a meta file that is two behind a shard: one behind is a start that
    /// died.
    pub(super) async fn check_marks(&self, map: &SlotMap) -> Result<(), StartError> {
        let known = self.folder().meta_file(Access::Read).mark().await?;
        for shard in 0..map.shards() {
            let found = self.folder().shard(shard, Access::Read).mark().await?;
            if found < known {
                return Err(StartError::ShardBehind {
                    shard,
                    found,
                    known,
                });
            }
            if found > known + 1 {
                return Err(StartError::MetaBehind { shard });
            }
        }
        Ok(())
    }

    pub(super) async fn raise_marks(&self, shards: u16) -> Result<(), StoreError> {
        let mark = self.folder().meta_file(Access::Read).mark().await? + 1;
        // The meta file last: no shard may be behind it.
        for file in self.folder().files(shards, Access::Write).iter().rev() {
            file.set_mark(mark).await?;
        }
        Ok(())
    }
    /// Records a clean stop. A failure does no harm: only a copy from before this stop would not be
    /// noticed.
    pub(crate) async fn note_stop(&self, shards: u16) {
        if let Err(error) = self.raise_marks(shards).await {
            tracing::warn!(%error, "the stop is not recorded");
        }
    }
}
