//! The objects of a record: the head, its parts, and the Secret of a user's manifest.

mod observed;
mod parts;
mod pieces;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::GetParams;

use super::call::{built, on, path, post_params};
use super::metadata::Object;
use super::names::{self, Role};
use super::ownership::{self, Estate};
use super::watch::list_all;
use super::watch_delay::written;
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::outage::recoveries;
use bootstorm_model::record::codec::{self, Chunk, ChunkIndex, CodecError, PartIndex, StoredPhase, Tally};
use bootstorm_model::record::{PhaseName, RunRecord};
pub use observed::{Observed, ObservedPart};
pub use parts::{Part, PartHead};
use place::{ObservedIndex, PartPlace};

/// Pause before that, times the number of conflicts so far.
const AFTER_CONFLICT: Duration = Duration::from_millis(20);
/// Maximum number of retries of a write to the head that conflicts with other writers.
const CONFLICTS: u32 = 8;
/// Records of this format and newer ones contain UIDs.
const WITH_UIDS: u32 = 4;
/// Maximum number of rereads of a head one of whose parts has just been replaced.
const READS: u32 = 4;

/// `data` of a head
type HeadData = Option<BTreeMap<String, String>>;

/// A record in the cluster that this process writes
#[derive(Debug, Clone)]
pub struct RunStore {
    cluster: Cluster,
    /// Version of the head as last seen; guards every write.
    version: String,
    /// UID of the head, for owner references.
    uid: String,
    /// Possible data of the head: as last seen, and everything written since without an answer.
    data: Vec<HeadData>,
    parts: Vec<PartIndex>,
    /// Chunks of the list of adopted VMs.
    adopted: Vec<ChunkIndex>,
    /// Chunks of the list of namespaces.
    namespaces: Vec<ChunkIndex>,
    /// UIDs of parts that this process created.
    made: BTreeMap<String, String>,
    /// UID of the head in the run's own record, if this is a copy of it.
    original: Option<String>,
    holder: Option<String>,
    /// Place of the part; `None` for the record of the run itself.
    part: Option<PartPlace>,
    /// Index of the part of an observation.
    observed: Option<ObservedIndex>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The head of a record, as listed
#[derive(Debug, Clone)]
pub struct Head {
    /// Namespace.
    pub namespace: String,
    /// Prefix of the run.
    pub prefix: String,
    /// UUID of the run.
    pub run_id: String,
    /// UID of the head.
    pub uid: String,
    /// Time of the record's creation, by the server's clock.
    pub created: Option<Timestamp>,
    /// Short facts: annotation word → value.
    pub facts: BTreeMap<String, String>,
}

/// Reason why a record cannot be loaded
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Unexpected answer of the cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Unreadable.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl Cluster {
    fn config_maps(&self) -> String {
        path("v1", Some(&self.namespace), "configmaps")
    }

    fn secrets(&self) -> String {
        path("v1", Some(&self.namespace), "secrets")
    }

    /// Loads the record of a run, if there is one.
    pub async fn load(&self, prefix: &str) -> Result<Option<(RunRecord, RunStore)>, LoadError> {
        let mut reads = 1;
        loop {
            match Box::pin(self.load_once(prefix)).await {
                // Another process may have replaced a part between the two reads.
                Err(LoadError::Codec(CodecError::Missing(_))) if reads < READS => reads += 1,
                outcome => return outcome,
            }
        }
    }

    async fn load_once(&self, prefix: &str) -> Result<Option<(RunRecord, RunStore)>, LoadError> {
        let doing = "read the record";
        let Some(head) =
            self.read::<ConfigMap>(doing, &self.config_maps(), &names::head_name(prefix)).await?
        else {
            return Ok(None);
        };
        let data = head.data.clone().unwrap_or_default();
        let text = |key: &str| data.get(key).ok_or_else(|| CodecError::Missing(key.to_owned()));
        let (mut record, parts) = codec::decode_head(text(names::PLAN_KEY)?, text(names::PARTS_KEY)?)?;
        if record.plan.prefix != prefix {
            let why = "it belongs to another run than its name says".to_owned();
            return Err(CodecError::Unreadable(names::PLAN_KEY.to_owned(), why).into());
        }
        let mut adopted = Vec::new();
        // An interrupted setup may not have saved the list; then nothing was done to the VMs either.
        if record.plan.lists_vms() && (record.setup.done || data.contains_key(names::ADOPTED_KEY)) {
            adopted = codec::decode_list_index(names::ADOPTED_KEY, text(names::ADOPTED_KEY)?)?;
            let chunks = self.chunks(prefix, &adopted).await?;
            record.plan.adopted = codec::decode_adopted(&record.plan, &chunks)?;
        }
        let mut namespaces = Vec::new();
        if let Some(index) = data.get(names::NAMESPACES_KEY) {
            namespaces = codec::decode_list_index(names::NAMESPACES_KEY, index)?;
            let chunks = self.chunks(prefix, &namespaces).await?;
            (record.made.namespaces, record.made.extras) = codec::decode_namespaces(&chunks)?;
        }
        let uid = head.metadata.uid.clone().unwrap_or_default();
        // A process that ended between creating the head and recording its UID had created nothing else.
        if record.format >= WITH_UIDS && record.made.head.is_none() && !record.setup.done {
            record.made.head = Some(uid.clone());
        }
        for part in &parts {
            let pieces = self.pieces(prefix, part).await?;
            let mut phase = codec::decode_phase(part.phase, &pieces)?;
            codec::check_phase(&record, &phase)?;
            codec::settle(&mut phase, pieces);
            record.phases.push(phase);
        }
        let original = record.made.head.clone().filter(|original| *original != uid);
        let mut store = RunStore { parts, adopted, namespaces, original, ..RunStore::empty(self) };
        store.wrote(head);
        if record.plan.is_observed()
            && let Some(observed) = self.observed(&store, &record).await?
        {
            record.phases = observed.observation.as_ref().map(recoveries).unwrap_or_default();
            record.observation = observed.observation.map(Box::new);
        }
        Ok(Some((record, store)))
    }

    /// Creates the head of a new record, and records its UID in it.
    ///
    /// Fails with [`Kind::AlreadyExists`] if there is one.
    pub async fn begin_record(
        &self,
        record: &mut RunRecord,
        holder: Option<&str>,
    ) -> Result<RunStore, ClusterError> {
        let doing = "create the record";
        let mut store = RunStore { holder: holder.map(str::to_owned), ..RunStore::empty(self) };
        let body = serde_json::to_vec(&store.head(record, Tally::default())).unwrap_or_default();
        let request = built(doing, on(&self.config_maps()).create(&post_params(), body))?;
        let made: ConfigMap = match self.ask(doing, &request).await {
            // The answer to an earlier attempt may have been lost: then the head is exactly as we wrote it.
            Err(error) if error.kind == Kind::AlreadyExists => {
                let name = names::head_name(&record.plan.prefix);
                match self.read::<ConfigMap>(doing, &self.config_maps(), &name).await? {
                    Some(found) if found.data == store.head(record, Tally::default()).data => found,
                    _ => return Err(error),
                }
            }
            outcome => outcome?,
        };
        store.wrote(made);
        // From now on a copy of the head can be distinguished from it.
        record.made.head = Some(store.uid.clone());
        store.replace_head(record, Tally::default()).await?;
        Ok(store)
    }

    /// Whether the record of a run may be in a namespace: false only if an answer shows that it is not.
    pub async fn has_record(
        &self,
        namespace: &str,
        prefix: &str,
        run_id: &str,
    ) -> Result<bool, ClusterError> {
        let doing = "look for the record of the run that has adopted a VM";
        let maps = path("v1", Some(namespace), "configmaps");
        match self.read::<Object>(doing, &maps, &names::head_name(prefix)).await {
            Ok(None) => Ok(false),
            Ok(Some(found)) => Ok(found.metadata.labels.get(names::RUN_ID).is_none_or(|id| id == run_id)),
            Err(error) if error.kind == Kind::Forbidden => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Heads of the records in this namespace, or in all.
    pub async fn heads(&self, all_namespaces: bool) -> Result<Vec<Head>, ClusterError> {
        let collection = if all_namespaces { path("v1", None, "configmaps") } else { self.config_maps() };
        let (maps, _) =
            list_all::<ConfigMap>(self, "list records", &collection, &names::head_selector()).await?;
        let head = |map: ConfigMap| {
            let mut labels = map.metadata.labels?;
            let (prefix, run_id) = (labels.remove(names::RUN)?, labels.remove(names::RUN_ID)?);
            let domain = format!("{}/", names::DOMAIN);
            let facts = map.metadata.annotations.unwrap_or_default().into_iter();
            let facts = facts.filter_map(|(k, v)| Some((k.strip_prefix(&domain)?.to_owned(), v))).collect();
            Some(Head {
                namespace: map.metadata.namespace?,
                uid: map.metadata.uid.unwrap_or_default(),
                created: map.metadata.creation_timestamp.map(|time| time.0),
                prefix,
                run_id,
                facts,
            })
        };
        Ok(maps.into_iter().filter_map(head).collect())
    }

    /// Stores the user's manifest in the run's Secret; returns its UID.
    ///
    /// Fails if a Secret of that name does not belong to the run.
    pub async fn save_template(&self, record: &RunRecord, text: &str) -> Result<String, ClusterError> {
        let doing = "save the VM manifest";
        let prefix = &record.plan.prefix;
        let mut secret = Secret {
            metadata: ObjectMeta {
                name: Some(names::head_name(prefix)),
                namespace: Some(self.namespace.clone()),
                labels: Some(names::labels(prefix, &record.run_id, Role::Record)),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(
                names::TEMPLATE_KEY.to_owned(),
                ByteString(text.as_bytes().to_vec()),
            )])),
            type_: Some("Opaque".into()),
            ..Secret::default()
        };
        let body = serde_json::to_vec(&secret).unwrap_or_default();
        let request = built(doing, on(&self.secrets()).create(&post_params(), body))?;
        let name = names::head_name(prefix);
        match self.ask::<Object>(doing, &request).await {
            Err(error) if error.kind == Kind::AlreadyExists => {
                let Some(found) = self.read::<Object>(doing, &self.secrets(), &name).await? else {
                    return Err(error);
                };
                if let Err(stranger) = Estate::of(record).judge(ownership::Kind::Secret, &found.metadata) {
                    let message = format!(
                        "secret {name} exists already in namespace {} and is not the run's: {stranger}",
                        self.namespace
                    );
                    return Err(ClusterError::new(doing, Kind::AlreadyExists, message));
                }
                // The server refuses to replace any other object.
                secret.metadata.uid = Some(found.metadata.uid);
                let body = serde_json::to_vec(&secret).unwrap_or_default();
                let request = built(doing, on(&self.secrets()).replace(&name, &post_params(), body))?;
                Ok(self.ask::<Object>(doing, &request).await?.metadata.uid)
            }
            outcome => Ok(outcome?.metadata.uid),
        }
    }

    /// The user's manifest of a run.
    pub async fn load_template(&self, prefix: &str) -> Result<Option<String>, ClusterError> {
        let doing = "read the VM manifest";
        let secret = self.read::<Secret>(doing, &self.secrets(), &names::head_name(prefix)).await?;
        let bytes = secret.and_then(|secret| secret.data).and_then(|mut d| d.remove(names::TEMPLATE_KEY));
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes.0).ok()))
    }

    pub(super) async fn read<T: serde::de::DeserializeOwned>(
        &self,
        doing: &str,
        collection: &str,
        name: &str,
    ) -> Result<Option<T>, ClusterError> {
        let request = built(doing, on(collection).get(name, &GetParams::default()))?;
        match self.ask(doing, &request).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl RunStore {
    /// A store before its first write.
    fn empty(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
            version: String::new(),
            uid: String::new(),
            data: Vec::new(),
            parts: Vec::new(),
            adopted: Vec::new(),
            namespaces: Vec::new(),
            made: BTreeMap::new(),
            original: None,
            holder: None,
            part: None,
            observed: None,
        }
    }

    /// Records the head as returned by the server.
    fn wrote(&mut self, head: ConfigMap) {
        self.version = head.metadata.resource_version.unwrap_or_default();
        self.uid = head.metadata.uid.unwrap_or_default();
        self.data = vec![head.data];
    }

    /// Maximum duration of one of its requests.
    pub fn longest_wait(&self) -> Duration {
        self.cluster.longest_wait()
    }

    /// Sets the process that writes from now on.
    pub fn set_holder(&mut self, holder: &str) {
        self.holder = Some(holder.to_owned());
    }

    /// Deletes the record; its parts, and everything else that it owns, are deleted with it.
    pub async fn delete(self, record: &RunRecord) -> Result<(), ClusterError> {
        let name = names::head_name(&record.plan.prefix);
        let maps = self.cluster.config_maps();
        self.cluster.delete_exactly("delete the record", &maps, &name, &self.uid).await
    }

    /// UID of the run's own record, if this is a copy of it: restored from a backup, or copied by hand.
    pub fn original(&self) -> Option<&str> {
        self.original.as_deref()
    }

    /// UID of the head.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Saves the head, and the given phase, if any, as a whole.
    ///
    /// Fails with [`Kind::Conflict`] if another client changed the record meanwhile.
    pub async fn save(&mut self, record: &RunRecord, phase: Option<PhaseName>) -> Result<(), ClusterError> {
        let tally = Tally::of_last(record);
        match phase.and_then(|name| record.phase(name)) {
            Some(phase) => {
                let unsaved =
                    |error: CodecError| ClusterError::new("save the record", Kind::Other, error.to_string());
                let stored = StoredPhase::new(phase).map_err(unsaved)?;
                Box::pin(self.save_phase(record, tally, &stored)).await
            }
            None => Box::pin(self.replace_head(record, tally)).await,
        }
    }

    /// Saves a phase, and the head: first missing pieces, then the head that names them; finally pieces that it no
    /// longer names are deleted. Of the record only what is beside the timelines matters.
    ///
    /// Fails with [`Kind::Conflict`] if another client changed the record meanwhile.
    pub async fn save_phase(
        &mut self,
        record: &RunRecord,
        tally: Tally,
        stored: &StoredPhase,
    ) -> Result<(), ClusterError> {
        let known = self.parts.iter().position(|known| known.phase == stored.name());
        let mut old: BTreeSet<String> =
            known.iter().flat_map(|place| self.parts[*place].all()).map(|chunk| chunk.name.clone()).collect();
        for chunk in stored.chunks() {
            let chunk = self.renamed(chunk);
            // Pieces that the head may name were created before.
            if !old.remove(&chunk.name) {
                self.put_chunk(record, &stored.name().to_string(), &chunk).await?;
            }
        }
        let index = self.renamed_index(stored.index());
        match known {
            Some(place) => self.parts[place] = index,
            None => self.parts.push(index),
        }
        self.replace_head(record, tally).await?;
        for name in old {
            self.drop_chunk(&record.plan.prefix, &name).await;
        }
        Ok(())
    }

    /// Fails with [`Kind::Conflict`] if another client changed the data of the head. Other marks, such as annotations,
    /// do not matter.
    async fn replace_head(&mut self, record: &RunRecord, tally: Tally) -> Result<(), ClusterError> {
        let doing = "save the record";
        if self.original.is_some() {
            return Err(ClusterError::new(doing, Kind::Conflict, "it is a copy of the run's record"));
        }
        let name = self.head_name(&record.plan.prefix);
        let mut tries = 0;
        loop {
            let head = self.head(record, tally);
            let body = serde_json::to_vec(&head).unwrap_or_default();
            let request = built(doing, on(&self.cluster.config_maps()).replace(&name, &post_params(), body))?;
            // Recorded before it is sent: it may be carried out whatever happens to the answer, and to us.
            if self.data.last() != Some(&head.data) {
                self.data.push(head.data.clone());
            }
            let error = match self.cluster.ask::<ConfigMap>(doing, &request).await {
                Ok(saved) => {
                    self.version = saved.metadata.resource_version.unwrap_or_default();
                    self.data = vec![head.data];
                    return Ok(());
                }
                Err(error) => error,
            };
            tries += 1;
            if error.kind != Kind::Conflict || tries > CONFLICTS {
                return Err(error);
            }
            // Before reading, not after it: the shorter the time from the read to the write, the better.
            tokio::time::sleep(AFTER_CONFLICT * tries).await;
            let found = self.cluster.read::<ConfigMap>(doing, &self.cluster.config_maps(), &name).await?;
            match found {
                // The answer to an earlier write was lost, or only something beside the data was changed.
                Some(found) if self.data.contains(&found.data) => {
                    self.version = found.metadata.resource_version.unwrap_or_default();
                }
                _ => return Err(error),
            }
        }
    }

    fn head(&self, record: &RunRecord, tally: Tally) -> ConfigMap {
        let prefix = &record.plan.prefix;
        let facts = codec::summary(record, tally, self.holder.as_deref(), wall_now());
        let annotations = facts.into_iter().map(|(word, value)| (names::annotation(word), value)).collect();
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        if let Some(part) = &self.part {
            return self.part_head(record, part, annotations);
        }
        let mut data = BTreeMap::from([
            (names::PLAN_KEY.to_owned(), codec::encode_plan(record)),
            (names::PARTS_KEY.to_owned(), codec::encode_index(&self.parts)),
        ]);
        if !self.namespaces.is_empty() {
            data.insert(names::NAMESPACES_KEY.to_owned(), codec::encode_list_index(&self.namespaces));
        }
        if !self.adopted.is_empty() {
            data.insert(names::ADOPTED_KEY.to_owned(), codec::encode_list_index(&self.adopted));
        }
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(names::head_name(prefix)),
                namespace: Some(self.cluster.namespace.clone()),
                labels: Some(names::labels(prefix, &record.run_id, Role::Record)),
                annotations: Some(annotations),
                resource_version: some(&self.version),
                uid: some(&self.uid),
                ..ObjectMeta::default()
            },
            data: Some(data),
            ..ConfigMap::default()
        }
    }

    async fn put_chunk(
        &mut self,
        record: &RunRecord,
        phase: &str,
        chunk: &Chunk,
    ) -> Result<(), ClusterError> {
        let doing = "save a part of the record";
        let prefix = &record.plan.prefix;
        let mut labels = names::labels(prefix, &record.run_id, Role::Record);
        labels.insert(names::PHASE.to_owned(), phase.to_owned());
        let owner = owner(prefix, self.owner_uid());
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(names::part_name(prefix, &chunk.name)),
                namespace: Some(self.cluster.namespace.clone()),
                labels: Some(labels),
                owner_references: Some(vec![owner]),
                ..ObjectMeta::default()
            },
            binary_data: Some(BTreeMap::from([(
                names::CHUNK_KEY.to_owned(),
                ByteString(chunk.bytes.to_vec()),
            )])),
            immutable: Some(true),
            ..ConfigMap::default()
        };
        let body = serde_json::to_vec(&map).unwrap_or_default();
        let request = built(doing, on(&self.cluster.config_maps()).create(&post_params(), body))?;
        let mut outcome = self.cluster.ask_raw(doing, &request).await;
        if outcome.as_ref().is_err_and(|error| error.kind == Kind::AlreadyExists) {
            // Named after its content, it is this chunk. But one of a head that is gone is collected with that.
            let maps = self.cluster.config_maps();
            let object = names::part_name(prefix, &chunk.name);
            match self.cluster.read::<Object>(doing, &maps, &object).await? {
                Some(found) if found.metadata.owner_references.iter().any(|o| o.uid == self.owner_uid()) => {
                    return Ok(());
                }
                Some(stale) => {
                    self.cluster.delete_exactly(doing, &maps, &object, &stale.metadata.uid).await?;
                }
                None => {}
            }
            outcome = self.cluster.ask_raw(doing, &request).await;
        }
        if let Some(written) = written(&outcome?) {
            self.made.insert(chunk.name.clone(), written.uid().into());
        }
        Ok(())
    }

    /// Deletes a part that the head no longer names. A leftover does no harm; cleanup finds it by its label.
    async fn drop_chunk(&mut self, prefix: &str, name: &str) {
        let doing = "delete an old part of the record";
        let maps = self.cluster.config_maps();
        let object = names::part_name(prefix, name);
        let uid = match self.made.remove(name) {
            Some(uid) => Some(uid),
            // Another process has created it: then it belongs to the head.
            None => match self.cluster.read::<Object>(doing, &maps, &object).await {
                Ok(Some(found))
                    if found.metadata.owner_references.iter().any(|o| o.uid == self.owner_uid()) =>
                {
                    Some(found.metadata.uid)
                }
                _ => None,
            },
        };
        if let Some(uid) = uid {
            let _ = self.cluster.delete_exactly(doing, &maps, &object, &uid).await;
        }
    }
}

/// Owner reference to the head of a run's record.
pub(super) fn owner(prefix: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: names::head_name(prefix),
        uid: uid.to_owned(),
        ..OwnerReference::default()
    }
}
