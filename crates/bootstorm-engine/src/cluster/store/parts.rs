//! Parts of a phase, each written by its shard; and the common start of the shards.
//!
//! A part is stored like a phase of the record: a small head that names pieces by their content. Everything here
//! belongs to the head of the run's record, and is deleted with it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::{LoadError, PartPlace, RunStore, owner};
use crate::cluster::call::{built, on, post_params};
use crate::cluster::list::list_all;
use crate::cluster::metadata::Object;
use crate::cluster::names::{self, Role};
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::Offset;
use bootstorm_model::record::codec::{self, Chunk, CodecError, PartIndex, Tally};
use bootstorm_model::record::{PhaseName, PhaseRecord, RunRecord};
use bootstorm_model::shards::Shard;

/// A shard's saved part of a phase
#[derive(Debug, Clone)]
pub struct Part {
    /// The phase as known to the shard; absent if it was begun but nothing was saved.
    pub phase: Option<PhaseRecord>,
    /// UIDs of prober pods that it has recreated, by name.
    pub probers: BTreeMap<String, String>,
    /// Store for further saves.
    pub store: RunStore,
}

/// The head of a shard's part, as listed
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHead {
    /// Index of the shard.
    pub index: u32,
    /// Phase.
    pub phase: String,
    /// Short facts: annotation word → value.
    pub facts: BTreeMap<String, String>,
}

/// The common start, as stored
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Start {
    /// Instant on the time axis of the phase.
    at: Offset,
}

/// Fails unless the head of a part belongs to the record of this run.
pub(super) fn check_owner(head: &ConfigMap, run: &RunStore) -> Result<(), ClusterError> {
    if head.metadata.owner_references.iter().flatten().any(|owner| owner.uid == run.uid) {
        return Ok(());
    }
    let name = head.metadata.name.as_deref().unwrap_or_default();
    let message = format!("ConfigMap {name} is not the run's: it does not belong to its record");
    Err(ClusterError::new("read the part of a shard", Kind::AlreadyExists, message))
}

impl Cluster {
    /// A shard's saved part of a phase, if it has begun.
    pub async fn part(
        &self,
        run: &RunStore,
        record: &RunRecord,
        phase: PhaseName,
        shard: Shard,
    ) -> Result<Option<Part>, LoadError> {
        let prefix = &record.plan.prefix;
        let name = PartPlace::name(prefix, shard.index(), &phase.to_string());
        let Some(head) =
            self.read::<ConfigMap>("read the part of a shard", &self.config_maps(), &name).await?
        else {
            return Ok(None);
        };
        check_owner(&head, run)?;
        let data = head.data.clone().unwrap_or_default();
        let text = |key: &str| data.get(key).ok_or_else(|| CodecError::Missing(format!("{name}: {key}")));
        let parts = codec::decode_index(text(names::PARTS_KEY)?)?;
        let mut saved = None;
        if let Some(part) = parts.iter().find(|part| part.phase == phase) {
            let pieces = self.pieces(prefix, part).await?;
            let known = codec::decode_phase(part.phase, &pieces)?;
            codec::check_phase(record, &known)?;
            saved = Some(known);
        }
        let probers = serde_json::from_str(text(names::PROBERS_KEY)?)
            .map_err(|error| CodecError::Unreadable(names::PROBERS_KEY.to_owned(), error.to_string()))?;
        let mut store =
            RunStore { parts, ..run.of_part(PartPlace::new(shard, &phase.to_string(), &run.uid)) };
        store.wrote(head);
        Ok(Some(Part { phase: saved, probers, store }))
    }

    /// A shard's saved part of a phase; begins one if there is none.
    pub async fn begin_part(
        &self,
        run: &RunStore,
        record: &RunRecord,
        phase: PhaseName,
        shard: Shard,
    ) -> Result<Part, LoadError> {
        let doing = "begin the part of a shard";
        if let Some(part) = self.part(run, record, phase, shard).await? {
            return Ok(part);
        }
        let mut store = run.of_part(PartPlace::new(shard, &phase.to_string(), &run.uid));
        let body = serde_json::to_vec(&store.head(record, Tally::default())).unwrap_or_default();
        let request = built(doing, on(&self.config_maps()).create(&post_params(), body))?;
        let made: ConfigMap = match self.ask(doing, &request).await {
            // The answer to an earlier attempt may have been lost.
            Err(error) if error.kind == Kind::AlreadyExists => {
                let found = self.part(run, record, phase, shard).await?;
                return found.ok_or_else(|| error.into());
            }
            outcome => outcome?,
        };
        store.wrote(made);
        Ok(Part { phase: None, probers: BTreeMap::new(), store })
    }

    /// Heads of the saved parts of a run's shards.
    pub async fn part_heads(&self, prefix: &str, run_id: &str) -> Result<Vec<PartHead>, ClusterError> {
        let doing = "read the progress of the shards";
        let selector = format!("{},{}", names::run_id_selector(run_id), names::PHASE);
        let (maps, _) = list_all::<Object>(self, doing, &self.config_maps(), &selector).await?;
        let lead = format!("{}.shard-", names::head_name(prefix));
        let domain = format!("{}/", names::DOMAIN);
        let head = |Object { metadata, .. }: Object| {
            // Pieces have an additional suffix.
            let (index, phase) = metadata.name.strip_prefix(&lead)?.split_once('.')?;
            let facts = metadata.annotations.into_iter();
            let facts = facts.filter_map(|(key, value)| Some((key.strip_prefix(&domain)?.to_owned(), value)));
            (!phase.contains('.')).then(|| PartHead {
                index: index.parse().unwrap_or(u32::MAX),
                phase: phase.to_owned(),
                facts: facts.collect(),
            })
        };
        Ok(maps.into_iter().filter_map(head).collect())
    }

    /// Phase and state named by the head of a run's record; `None` if there is no record any more.
    pub async fn last_phase(
        &self,
        prefix: &str,
        run_id: &str,
    ) -> Result<Option<(String, String)>, ClusterError> {
        let doing = "read the progress of the run";
        let found = self.read::<Object>(doing, &self.config_maps(), &names::head_name(prefix)).await?;
        let is_it = |head: &Object| head.metadata.labels.get(names::RUN_ID).is_some_and(|id| id == run_id);
        let fact = |head: &Object, word: &str| {
            head.metadata.annotations.get(&names::annotation(word)).cloned().unwrap_or_default()
        };
        Ok(found.filter(is_it).map(|head| (fact(&head, "phase"), fact(&head, "state"))))
    }

    /// The common start of a phase, once it is decided.
    pub async fn start_of(&self, prefix: &str, phase: PhaseName) -> Result<Option<Offset>, ClusterError> {
        let doing = "read the common start";
        let name = names::start_name(prefix, &phase.to_string());
        let found = self.read::<ConfigMap>(doing, &self.config_maps(), &name).await?;
        let text = found.and_then(|map| map.data).and_then(|mut data| data.remove(names::START_KEY));
        let Some(text) = text else { return Ok(None) };
        let start: Start = serde_json::from_str(&text)
            .map_err(|error| ClusterError::new(doing, Kind::Invalid, format!("{name}: {error}")))?;
        Ok(Some(start.at))
    }

    /// Decides the common start of a phase, once and for all; returns the valid one.
    pub async fn decide_start(
        &self,
        run: &RunStore,
        record: &RunRecord,
        phase: PhaseName,
        at: Offset,
    ) -> Result<Offset, ClusterError> {
        let doing = "set the common start";
        let prefix = &record.plan.prefix;
        let mut labels = names::labels(prefix, &record.run_id, Role::Record);
        labels.insert(names::PHASE.to_owned(), phase.to_string());
        let start = serde_json::to_string(&Start { at }).unwrap_or_default();
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(names::start_name(prefix, &phase.to_string())),
                namespace: Some(self.namespace().to_owned()),
                labels: Some(labels),
                owner_references: Some(vec![owner(prefix, run.owner_uid())]),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(names::START_KEY.to_owned(), start)])),
            immutable: Some(true),
            ..ConfigMap::default()
        };
        let body = serde_json::to_vec(&map).unwrap_or_default();
        let request = built(doing, on(&self.config_maps()).create(&post_params(), body))?;
        match self.ask_raw(doing, &request).await {
            Ok(_) => Ok(at),
            Err(error) if error.kind == Kind::AlreadyExists => {
                self.start_of(prefix, phase).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes the joined parts and the start of a phase. A leftover does no harm; cleanup finds it by its label.
    pub async fn drop_parts(&self, run: &RunStore, record: &RunRecord, phase: PhaseName) {
        let doing = "delete the parts of shards";
        let selector = names::phase_selector(&record.run_id, &phase.to_string());
        let Ok((maps, _)) = list_all::<Object>(self, doing, &self.config_maps(), &selector).await else {
            return;
        };
        let prefix = &record.plan.prefix;
        let lead = format!("{}.shard-", names::head_name(prefix));
        let start = names::start_name(prefix, &phase.to_string());
        for Object { metadata, .. } in maps {
            let is_ours = metadata.owner_references.iter().any(|owner| owner.uid == run.uid);
            if is_ours && (metadata.name.starts_with(&lead) || metadata.name == start) {
                let _ = self.delete_exactly(doing, &self.config_maps(), &metadata.name, &metadata.uid).await;
            }
        }
    }
}

impl RunStore {
    /// A store for the part of a shard, before its first write.
    pub(super) fn of_part(&self, part: PartPlace) -> Self {
        Self {
            original: self.original.clone(),
            holder: self.holder.clone(),
            part: Some(part),
            ..Self::empty(&self.cluster)
        }
    }

    /// UID of the head of the run's record.
    pub(super) fn owner_uid(&self) -> &str {
        self.part.as_ref().map_or(&self.uid, |part| &part.owner)
    }

    /// Name of the head that this store writes.
    pub(super) fn head_name(&self, prefix: &str) -> String {
        match &self.part {
            Some(part) => part.head_name(prefix),
            None => names::head_name(prefix),
        }
    }

    /// A piece renamed so that its name is unique among shards and the record of the run.
    pub(super) fn renamed<'a>(&self, chunk: &'a Chunk) -> Cow<'a, Chunk> {
        if self.part.is_none() {
            return Cow::Borrowed(chunk);
        }
        let mut chunk = chunk.clone();
        chunk.name = self.piece_name(chunk.name);
        chunk.index.name.clone_from(&chunk.name);
        Cow::Owned(chunk)
    }

    /// The index of renamed pieces.
    pub(super) fn renamed_index(&self, mut index: PartIndex) -> PartIndex {
        for chunk in index.chunks.iter_mut().chain(index.changes.iter_mut().flatten()) {
            chunk.name = self.piece_name(std::mem::take(&mut chunk.name));
        }
        index
    }

    fn piece_name(&self, name: String) -> String {
        match &self.part {
            Some(part) => format!("shard-{}.{name}", part.index),
            None => name,
        }
    }

    /// The head of a part.
    pub(super) fn part_head(
        &self,
        record: &RunRecord,
        part: &PartPlace,
        mut annotations: BTreeMap<String, String>,
    ) -> ConfigMap {
        let prefix = &record.plan.prefix;
        let mut labels = names::labels(prefix, &record.run_id, Role::Record);
        labels.insert(names::PHASE.to_owned(), part.of.clone());
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let data = if let Some(observed) = &self.observed {
            let facts = observed.facts().into_iter();
            annotations.extend(facts.map(|(word, value)| (names::annotation(word), value)));
            BTreeMap::from([(names::OBSERVATION_KEY.to_owned(), observed.text())])
        } else {
            let parts: Vec<PartIndex> =
                self.parts.iter().filter(|known| known.phase.to_string() == part.of).cloned().collect();
            let probers = serde_json::to_string(&record.made.probers).unwrap_or_default();
            BTreeMap::from([
                (names::PARTS_KEY.to_owned(), codec::encode_index(&parts)),
                (names::PROBERS_KEY.to_owned(), probers),
            ])
        };
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.head_name(prefix)),
                namespace: Some(self.cluster.namespace().to_owned()),
                labels: Some(labels),
                annotations: Some(annotations),
                owner_references: Some(vec![owner(prefix, &part.owner)]),
                resource_version: some(&self.version),
                uid: some(&self.uid),
                ..ObjectMeta::default()
            },
            data: Some(data),
            ..ConfigMap::default()
        }
    }
}
