//! Places of the shards' parts, and the contents of their heads.

use serde::{Deserialize, Serialize};

use crate::cluster::names;
use bootstorm_model::observe::Offset;
use bootstorm_model::record::PhaseState;
use bootstorm_model::record::codec::ChunkIndex;
use bootstorm_model::shards::Shard;

/// Place of a shard's part
#[derive(Debug, Clone)]
pub(super) struct PartPlace {
    pub(super) index: u32,
    /// Phase of which it is a part, or the observation.
    pub(super) of: String,
    /// UID of the head of the run's record.
    pub(super) owner: String,
}

impl PartPlace {
    /// A shard's part of a phase, or of the observation, of a run whose head has this UID.
    pub(super) fn new(shard: Shard, of: &str, owner: &str) -> Self {
        Self { index: shard.index(), of: of.to_owned(), owner: owner.to_owned() }
    }

    /// Name of its head.
    pub(super) fn name(prefix: &str, index: u32, of: &str) -> String {
        format!("{}.{of}", names::shard_name(prefix, index))
    }

    /// Name of its head.
    pub(super) fn head_name(&self, prefix: &str) -> String {
        Self::name(prefix, self.index, &self.of)
    }
}

/// Data in the head of a part of an observation
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ObservedIndex {
    /// Number of shards.
    pub(super) shards: u32,
    /// End of the watched time. It changes all the time, so it is kept out of the pieces.
    pub(super) watched_until: Offset,
    /// End.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Offset>,
    /// VMs that are down.
    pub(super) down: usize,
    /// Ended outages.
    pub(super) over: usize,
    /// Chunks of the rest.
    pub(super) chunks: Vec<ChunkIndex>,
}

impl ObservedIndex {
    pub(super) fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Short facts for people: annotation word → value.
    pub(super) fn facts(&self) -> [(&'static str, String); 3] {
        let state = if self.ended.is_some() { PhaseState::Done } else { PhaseState::Open };
        [("state", state.word().to_owned()), ("down", self.down.to_string()), ("over", self.over.to_string())]
    }
}
