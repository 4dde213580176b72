//! An observation in the cluster: a part for each shard, joined when the record is read.
//!
//! Each shard saves its own part and nothing else, so there is nothing to coordinate and nothing to join at the end.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;

use super::parts::check_owner;
use super::place::{ObservedIndex, PartPlace};
use super::{LoadError, RunStore};
use crate::cluster::call::{built, on, post_params};
use crate::cluster::names::{self, OBSERVATION};
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::Offset;
use bootstorm_model::outage::{Observation, join};
use bootstorm_model::record::RunRecord;
use bootstorm_model::record::codec::{self, CodecError, Tally};
use bootstorm_model::shards::Shard;

/// A shard's saved part of an observation
#[derive(Debug)]
pub struct ObservedPart {
    /// Observation of its VMs; absent if nothing has been saved yet.
    pub observation: Option<Observation>,
    /// Store for further saves.
    pub store: RunStore,
}

/// A saved observation
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// Number of shards that share its VMs.
    pub shards: u32,
    /// Their saved observation; absent if none has saved anything.
    pub observation: Option<Observation>,
}

/// Number of VMs of a plan in a shard's share.
fn share(shard: Shard, record: &RunRecord) -> usize {
    (0..record.plan.size()).filter(|vm| shard.has(*vm)).count()
}

impl Cluster {
    /// A shard's saved part of an observation; begins one if there is none.
    pub async fn observed_part(
        &self,
        run: &RunStore,
        record: &RunRecord,
        shard: Shard,
    ) -> Result<ObservedPart, LoadError> {
        let doing = "begin the part of a shard";
        if let Some(part) = self.find_observed(run, record, shard.index()).await?.map(|found| found.1) {
            return Ok(part);
        }
        let mut store = run.of_part(PartPlace::new(shard, OBSERVATION, &run.uid));
        store.observed = Some(ObservedIndex {
            shards: shard.of(),
            watched_until: Offset::ZERO,
            ended: None,
            down: 0,
            over: 0,
            chunks: Vec::new(),
        });
        let body = serde_json::to_vec(&store.head(record, Tally::default())).unwrap_or_default();
        let request = built(doing, on(&self.config_maps()).create(&post_params(), body))?;
        let made: ConfigMap = match self.ask(doing, &request).await {
            // The answer to an earlier attempt may have been lost.
            Err(error) if error.kind == Kind::AlreadyExists => {
                let found = self.find_observed(run, record, shard.index()).await?;
                return found.map(|found| found.1).ok_or_else(|| error.into());
            }
            outcome => outcome?,
        };
        store.wrote(made);
        Ok(ObservedPart { observation: None, store })
    }

    /// The part of the shard with an index, and the number of shards.
    async fn find_observed(
        &self,
        run: &RunStore,
        record: &RunRecord,
        index: u32,
    ) -> Result<Option<(u32, ObservedPart)>, LoadError> {
        let doing = "read the part of a shard";
        let prefix = &record.plan.prefix;
        let name = PartPlace::name(prefix, index, OBSERVATION);
        let Some(head) = self.read::<ConfigMap>(doing, &self.config_maps(), &name).await? else {
            return Ok(None);
        };
        check_owner(&head, run)?;
        let unreadable = |why: String| CodecError::Unreadable(format!("part {name}"), why);
        let text = head.data.as_ref().and_then(|data| data.get(names::OBSERVATION_KEY));
        let text = text.ok_or_else(|| CodecError::Missing(format!("{name}: {}", names::OBSERVATION_KEY)))?;
        let known: ObservedIndex =
            serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        codec::check_chunks(&known.chunks).map_err(unreadable)?;
        let shard = Shard::new(index, known.shards).ok_or_else(|| {
            unreadable(format!("it belongs to an observation with {} shards", known.shards))
        })?;
        let mut observation = None;
        if !known.chunks.is_empty() {
            let chunks = self.chunks(prefix, &known.chunks).await?;
            let saved = codec::decode_observation(share(shard, record), &chunks)?;
            observation =
                Some(Observation { watched_until: known.watched_until, ended: known.ended, ..saved });
        }
        let mut store = run.of_part(PartPlace::new(shard, OBSERVATION, &run.uid));
        store.observed = Some(known);
        store.wrote(head);
        Ok(Some((shard.of(), ObservedPart { observation, store })))
    }

    /// The saved parts of all shards as one; `None` if none has begun.
    pub async fn observed(&self, run: &RunStore, record: &RunRecord) -> Result<Option<Observed>, LoadError> {
        let heads = self.part_heads(&record.plan.prefix, &record.run_id).await?;
        let mut shards = None;
        let mut parts = BTreeMap::new();
        for head in heads.iter().filter(|head| head.phase == OBSERVATION) {
            let Some((of, part)) = self.find_observed(run, record, head.index).await? else { continue };
            if *shards.get_or_insert(of) != of {
                let why = "its parts belong to different numbers of shards".to_owned();
                return Err(CodecError::Unreadable("the observation".to_owned(), why).into());
            }
            parts.extend(part.observation.map(|observation| (head.index, observation)));
        }
        let Some(shards) = shards else { return Ok(None) };
        let observation = join(shards, record.plan.size() as usize, parts);
        Ok(Some(Observed { shards, observation }))
    }
}

impl RunStore {
    /// Saves this store's part of an observation; if only time has passed, just its head.
    ///
    /// Fails with [`Kind::Conflict`] if another client changed it meanwhile.
    pub async fn save_observed(
        &mut self,
        record: &RunRecord,
        observation: &Observation,
    ) -> Result<(), ClusterError> {
        let Some(ObservedIndex { shards, chunks: known, .. }) = self.observed.clone() else {
            return Err(ClusterError::new("save the observation", Kind::Invalid, "it is not part of one"));
        };
        // Fields in the head are not repeated in the pieces.
        let still = Observation { watched_until: Offset::ZERO, ended: None, ..observation.clone() };
        let chunks = codec::encode_observation(&still);
        let mut old: BTreeSet<String> = known.into_iter().map(|chunk| chunk.name).collect();
        let mut new = Vec::new();
        for chunk in &chunks {
            let chunk = self.renamed(chunk);
            if !old.remove(&chunk.name) {
                self.put_chunk(record, OBSERVATION, &chunk).await?;
            }
            new.push(chunk.index.clone());
        }
        self.observed = Some(ObservedIndex {
            shards,
            watched_until: observation.watched_until,
            ended: observation.ended,
            down: observation.down(),
            over: observation.outages.len(),
            chunks: new,
        });
        self.replace_head(record, Tally::default()).await?;
        for name in old {
            self.drop_chunk(&record.plan.prefix, &name).await;
        }
        Ok(())
    }
}
