//! Pieces of a record, read chunk by chunk, and the list of adopted VMs, which is written once.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;

use super::{LoadError, RunStore};
use crate::cluster::{Cluster, ClusterError, names};
use bootstorm_model::record::RunRecord;
use bootstorm_model::record::codec::{self, ChunkIndex, CodecError, PartIndex, Tally};

/// Chunks read concurrently.
const CONCURRENCY: usize = 8;

impl Cluster {
    /// Reads and verifies some chunks of a record.
    pub(super) async fn chunks(
        &self,
        prefix: &str,
        wanted: impl IntoIterator<Item = &ChunkIndex>,
    ) -> Result<Vec<Vec<u8>>, LoadError> {
        let reading: Vec<_> = wanted.into_iter().map(|index| self.chunk(prefix, index)).collect();
        Box::pin(futures::stream::iter(reading).buffered(CONCURRENCY).try_collect()).await
    }

    async fn chunk(&self, prefix: &str, index: &ChunkIndex) -> Result<Vec<u8>, LoadError> {
        let name = names::part_name(prefix, &index.name);
        let stored = self.read::<ConfigMap>("read the record", &self.config_maps(), &name).await?;
        let bytes = stored.and_then(|map| map.binary_data).and_then(|mut d| d.remove(names::CHUNK_KEY));
        let bytes = bytes.ok_or(CodecError::Missing(name))?.0;
        codec::verify_chunk(index, &bytes)?;
        Ok(bytes)
    }

    /// Reads the pieces of a phase: the whole, and the changes since.
    pub(super) async fn pieces(&self, prefix: &str, part: &PartIndex) -> Result<Vec<Vec<u8>>, LoadError> {
        let mut chunks = self.chunks(prefix, part.all()).await?.into_iter();
        let piece = |piece: &[ChunkIndex]| chunks.by_ref().take(piece.len()).collect::<Vec<_>>().concat();
        Ok(part.pieces().map(piece).collect())
    }
}

impl RunStore {
    /// Saves the list of adopted VMs, then the head that names it.
    pub async fn save_adopted(&mut self, record: &RunRecord) -> Result<(), ClusterError> {
        let chunks = codec::encode_adopted(&record.plan.adopted);
        for chunk in &chunks {
            self.put_chunk(record, names::ADOPTED, chunk).await?;
        }
        let new: Vec<ChunkIndex> = chunks.into_iter().map(|chunk| chunk.index).collect();
        let old = std::mem::replace(&mut self.adopted, new);
        self.replace_head(record, Tally::of_last(record)).await?;
        for chunk in old {
            if !self.adopted.contains(&chunk) {
                self.drop_chunk(&record.plan.prefix, &chunk.name).await;
            }
        }
        Ok(())
    }

    /// Saves the UIDs of the namespaces and of the objects in them, then the head that names the list.
    pub async fn save_namespaces(&mut self, record: &RunRecord) -> Result<(), ClusterError> {
        if record.made.namespaces.is_empty() && record.made.extras.is_empty() {
            return Ok(());
        }
        let chunks = codec::encode_namespaces(&record.made);
        for chunk in &chunks {
            self.put_chunk(record, names::NAMESPACES, chunk).await?;
        }
        let new: Vec<ChunkIndex> = chunks.into_iter().map(|chunk| chunk.index).collect();
        let old = std::mem::replace(&mut self.namespaces, new);
        self.replace_head(record, Tally::of_last(record)).await?;
        for chunk in old {
            if !self.namespaces.contains(&chunk) {
                self.drop_chunk(&record.plan.prefix, &chunk.name).await;
            }
        }
        Ok(())
    }
}
