//! The stored form of a record: a readable head, and one compressed part per phase.
//!
//! A part is the phase as it was at some time, and the changes since: each save of a running phase adds the timelines
//! that changed, until there are so many pieces that they are merged into one.
//!
//! Pieces are named after their content, so a new one never overwrites one that the head still refers to: a process
//! killed between the two writes leaves a record that reads as before.

use std::collections::BTreeMap;
use std::io::{BufWriter, Read, Write};
use std::sync::Arc;

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::merge::Merged;
use super::{
    CleanupMark, ClusterFacts, FORMAT, Made, PhaseName, PhaseRecord, PhaseState, RunRecord, Series,
    SetupRecord, Timelines, UidsByName,
};
use crate::observe::Outcome;
use crate::outage::Observation;
use crate::plan::{Adoptee, Plan, adoption};

/// Maximum number of bytes in one chunk; a `ConfigMap` holds 1 MiB, base64 is counted decoded.
pub const CHUNK_BYTES: usize = 512 * 1024;

/// Maximum unpacked size of one phase: 128 MiB, twice what 50,000 VMs with long reasons need.
pub const MOST_BYTES: u64 = 128 * 1024 * 1024;

/// Maximum number of chunks of a phase, and of phases of a record.
const MOST_PIECES: usize = super::MOST_PHASES;

/// Maximum number of consecutive saves that contain only changes.
const MOST_CHANGES: usize = 16;

/// Bytes of JSON that are packed at a time.
const BUFFER: usize = 64 * 1024;

/// A phase of at most this many bytes becomes one piece at its end.
const SMALL: usize = 128 * 1024;

/// Reason why a stored record is unreadable
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CodecError {
    /// Written by a newer program.
    #[error(
        "it has format {found}, this program reads up to format {FORMAT}; a newer kubectl-bootstorm wrote it"
    )]
    Newer {
        /// Format found.
        found: u32,
    },
    /// A piece is missing.
    #[error("part {0} is missing")]
    Missing(String),
    /// A piece does not match the head's checksum.
    #[error("part {0} is damaged: its content does not match its checksum")]
    Damaged(String),
    /// A piece cannot be understood.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, String),
}

/// One stored piece of a phase
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Suffix of the object's name, after `bootstorm-<prefix>.`
    pub name: String,
    /// Compressed bytes.
    pub bytes: Arc<[u8]>,
    /// Its entry in the head's index.
    pub index: ChunkIndex,
}

/// Index entry of one chunk
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkIndex {
    /// Suffix of the object's name.
    pub name: String,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// Number of bytes.
    pub bytes: usize,
}

/// Index entry of one phase
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartIndex {
    /// Phase.
    pub phase: PhaseName,
    /// The phase as a whole, in order.
    pub chunks: Vec<ChunkIndex>,
    /// Changes since, oldest first (since format 7).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Vec<ChunkIndex>>,
}

impl PartIndex {
    /// The entry of a phase that is stored as a whole.
    pub fn whole(phase: PhaseName, chunks: &[Chunk]) -> Self {
        Self { phase, chunks: index(chunks), changes: Vec::new() }
    }

    /// Every chunk.
    pub fn all(&self) -> impl Iterator<Item = &ChunkIndex> {
        self.pieces().flatten()
    }

    /// The phase as a whole, then each change.
    pub fn pieces(&self) -> impl Iterator<Item = &[ChunkIndex]> {
        std::iter::once(&*self.chunks).chain(self.changes.iter().map(Vec::as_slice))
    }
}

fn index(chunks: &[Chunk]) -> Vec<ChunkIndex> {
    chunks.iter().map(|chunk| chunk.index.clone()).collect()
}

/// A phase as stored while it runs: as a whole, and the changes since
///
/// Its pieces together never have more bytes than are read again ([`MOST_BYTES`]).
#[derive(Debug, Clone)]
pub struct StoredPhase {
    name: PhaseName,
    vms: usize,
    pieces: Vec<Piece>,
    /// Maximum unpacked size.
    most: u64,
}

/// A phase as a whole, or a change
#[derive(Debug, Clone)]
struct Piece {
    chunks: Vec<Chunk>,
    /// Unpacked size.
    bytes: u64,
}

impl StoredPhase {
    /// Packs a whole phase. Fails only if it cannot be made as small as it has to be.
    pub fn new(phase: &PhaseRecord) -> Result<Self, CodecError> {
        Self::within(phase, MOST_BYTES)
    }

    fn within(phase: &PhaseRecord, most: u64) -> Result<Self, CodecError> {
        let pieces = vec![piece_of(phase)];
        let mut stored = Self { name: phase.name, vms: phase.timelines.len(), pieces, most };
        stored.keep_readable().map(|()| stored)
    }

    /// The phase.
    pub fn name(&self) -> PhaseName {
        self.name
    }

    /// Adds the phase as it is now, with only the timelines that have changed.
    pub fn add(&mut self, changed: &PhaseRecord) -> Result<(), CodecError> {
        self.pieces.push(piece_of(changed));
        self.keep_readable()
    }

    /// Merges the pieces if there are too many of them, or if they are too large to be read again.
    fn keep_readable(&mut self) -> Result<(), CodecError> {
        let bytes: u64 = self.pieces.iter().map(|piece| piece.bytes).sum();
        if self.pieces.len() > MOST_CHANGES || bytes > self.most { self.join() } else { Ok(()) }
    }

    /// Merges the pieces of a phase at its end, unless it is so large that thousands of VMs would be sent again.
    pub fn settle(&mut self) -> Result<(), CodecError> {
        let bytes: usize = self.chunks().map(|chunk| chunk.bytes.len()).sum();
        if self.pieces.len() > 1 && bytes <= SMALL { self.join() } else { Ok(()) }
    }

    fn join(&mut self) -> Result<(), CodecError> {
        let unreadable = |why: String| CodecError::Unreadable(format!("part {}", self.name), why);
        let mut merged = Merged::new(self.vms);
        // These pieces were packed by this process, so they may be larger than what is read.
        for (packed, piece) in self.packed().iter().zip(&self.pieces).rev() {
            let read = unpack(packed, piece.bytes).map_err(|error| error.to_string());
            read.and_then(|json| merged.add(&json)).map_err(unreadable)?;
        }
        if !merged.is_whole() {
            return Err(unreadable("it lacks VMs".to_owned()));
        }
        merged.fit(self.most).map_err(unreadable)?;
        let (chunks, bytes) = pack_counted(&self.name.to_string(), &merged);
        self.pieces = vec![Piece { chunks, bytes }];
        Ok(())
    }

    /// Every chunk, in order.
    pub fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.pieces.iter().flat_map(|piece| &piece.chunks)
    }

    /// Its entry in the index.
    pub fn index(&self) -> PartIndex {
        let mut pieces = self.pieces.iter().map(|piece| index(&piece.chunks));
        let chunks = pieces.next().unwrap_or_default();
        PartIndex { phase: self.name, chunks, changes: pieces.collect() }
    }

    /// The timelines of the packed phase, as stored.
    pub fn timelines(&self, phase: &PhaseRecord) -> Timelines {
        Timelines::packed(self.packed(), phase.timelines.len())
    }

    /// Its pieces, as [`decode_phase`] takes them.
    pub fn packed(&self) -> Vec<Vec<u8>> {
        let piece = |piece: &Piece| piece.chunks.iter().flat_map(|chunk| &*chunk.bytes).copied().collect();
        self.pieces.iter().map(piece).collect()
    }
}

/// Number of VMs per outcome in the last phase
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// VMs that reached the goal.
    pub reached: usize,
    /// VMs that failed or timed out.
    pub failed: usize,
}

impl Tally {
    /// Counts the VMs of the last phase; zeros if none has begun.
    pub fn of_last(record: &RunRecord) -> Self {
        record.last_phase().map(Self::of).unwrap_or_default()
    }

    /// Counts the VMs of a phase.
    pub fn of(phase: &PhaseRecord) -> Self {
        let timelines = phase.timelines.read();
        let count = |one: fn(Outcome) -> bool| timelines.iter().filter(|t| one(t.outcome)).count();
        Self {
            reached: count(|outcome| outcome == Outcome::Reached),
            failed: count(|outcome| matches!(outcome, Outcome::Failed | Outcome::TimedOut)),
        }
    }
}

/// The readable head, except for the index of parts
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct HeadDocument {
    format: u32,
    run_id: String,
    created: Timestamp,
    plan: Plan,
    #[serde(default)]
    facts: ClusterFacts,
    #[serde(default)]
    setup: SetupRecord,
    #[serde(default, skip_serializing_if = "Made::is_empty")]
    made: Made,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restored: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cleanup: Option<CleanupMark>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    series: Vec<Series>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    after_due: Vec<PhaseName>,
}

/// Only the version, so that a newer format is recognised whatever else changed.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// The readable head of a record: `plan.json`.
pub fn encode_plan(record: &RunRecord) -> String {
    let head = HeadDocument {
        format: record.format,
        run_id: record.run_id.clone(),
        created: record.created,
        // The list of adopted VMs may be large and never changes: it is a piece of its own.
        plan: Plan { adopted: Vec::new(), ..record.plan.clone() },
        facts: record.facts.clone(),
        setup: record.setup.clone(),
        // One UID for each namespace: also a piece of its own.
        made: Made {
            namespaces: UidsByName::default(),
            extras: UidsByName::default(),
            ..record.made.clone()
        },
        restored: record.restored,
        cleanup: record.cleanup,
        series: record.series.clone(),
        after_due: record.after_due.clone(),
    };
    serde_json::to_string_pretty(&head).unwrap_or_default()
}

/// The index of parts: `parts.json`.
pub fn encode_index(parts: &[PartIndex]) -> String {
    serde_json::to_string_pretty(parts).unwrap_or_default()
}

/// Reads the head: the record without its phases, and the index of these.
pub fn decode_head(plan_json: &str, parts_json: &str) -> Result<(RunRecord, Vec<PartIndex>), CodecError> {
    let unreadable =
        |what: &str, error: serde_json::Error| CodecError::Unreadable(what.to_owned(), error.to_string());
    let version: FormatOnly = serde_json::from_str(plan_json).map_err(|e| unreadable("plan.json", e))?;
    if version.format > FORMAT {
        return Err(CodecError::Newer { found: version.format });
    }
    let head: HeadDocument = serde_json::from_str(plan_json).map_err(|e| unreadable("plan.json", e))?;
    check_plan(&head.plan, &head.run_id)?;
    let parts = decode_index(parts_json)?;
    let record = RunRecord {
        format: head.format,
        run_id: head.run_id,
        created: head.created,
        plan: head.plan,
        facts: head.facts,
        setup: head.setup,
        made: head.made,
        restored: head.restored,
        cleanup: head.cleanup,
        series: head.series,
        after_due: head.after_due,
        observation: None,
        phases: Vec::new(),
    };
    Ok((record, parts))
}

/// Reads the index of parts: `parts.json`.
pub fn decode_index(parts_json: &str) -> Result<Vec<PartIndex>, CodecError> {
    let unreadable = |why: String| CodecError::Unreadable("parts.json".to_owned(), why);
    let parts: Vec<PartIndex> =
        serde_json::from_str(parts_json).map_err(|error| unreadable(error.to_string()))?;
    check_index(&parts).map_err(|why| unreadable(why.to_owned()))?;
    Ok(parts)
}

/// Validates a stored record.
///
/// Names become paths and selectors: stored ones are trusted no more than typed ones.
pub fn check_plan(plan: &Plan, run_id: &str) -> Result<(), CodecError> {
    let unreadable = |why: String| CodecError::Unreadable("plan.json".to_owned(), why);
    plan.check().map_err(unreadable)?;
    if is_name(run_id) { Ok(()) } else { Err(unreadable("its run id is not valid".to_owned())) }
}

fn check_index(parts: &[PartIndex]) -> Result<(), &'static str> {
    let is_long =
        |part: &PartIndex| part.changes.len() > MOST_PIECES || part.all().nth(MOST_PIECES).is_some();
    if parts.len() > MOST_PIECES || parts.iter().any(is_long) {
        return Err("it names too many parts");
    }
    if !parts.iter().flat_map(PartIndex::all).all(|chunk| is_name(&chunk.name)) {
        return Err("it names a part that cannot be the name of an object");
    }
    Ok(())
}

/// Whether a text is valid in an object's name and in a label.
fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|b| is_inner(*b))
        && is_outer(bytes.first())
        && is_outer(bytes.last())
}

fn piece_of(phase: &PhaseRecord) -> Piece {
    let (chunks, bytes) = pack_counted(&phase.name.to_string(), phase);
    Piece { chunks, bytes }
}

/// Packs the list of adopted VMs into chunks.
pub fn encode_adopted(list: &[Adoptee]) -> Vec<Chunk> {
    pack("adopted", &list)
}

/// Unpacks the list of adopted VMs from its verified chunks.
pub fn decode_adopted(plan: &Plan, chunks: &[Vec<u8>]) -> Result<Vec<Adoptee>, CodecError> {
    let unreadable =
        |error: &dyn std::fmt::Display| CodecError::Unreadable("part adopted".to_owned(), error.to_string());
    let json = unpack(&chunks.concat(), MOST_BYTES).map_err(|error| unreadable(&error))?;
    let list: Vec<Adoptee> = serde_json::from_slice(&json).map_err(|error| unreadable(&error))?;
    if list.len() != plan.size() as usize {
        return Err(unreadable(&format!("its {} VMs are not the {} of the plan", list.len(), plan.size())));
    }
    adoption::check(&list).map_err(|why| unreadable(&why))?;
    Ok(list)
}

/// Packs an observation, or the part of it that a shard has, into chunks.
pub fn encode_observation(observation: &Observation) -> Vec<Chunk> {
    pack("observation", observation)
}

/// Unpacks an observation of this many VMs from its verified chunks.
pub fn decode_observation(vms: usize, chunks: &[Vec<u8>]) -> Result<Observation, CodecError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        CodecError::Unreadable("part observation".to_owned(), error.to_string())
    };
    let json = unpack(&chunks.concat(), MOST_BYTES).map_err(|error| unreadable(&error))?;
    let observation: Observation = serde_json::from_slice(&json).map_err(|error| unreadable(&error))?;
    let fits = observation.vms.len() == vms && observation.all().all(|one| (one.target as usize) < vms);
    if fits { Ok(observation) } else { Err(unreadable(&"its VMs are not those of the plan")) }
}

/// Packs the UIDs of namespaces, and of the small objects in them, into chunks.
pub fn encode_namespaces(made: &Made) -> Vec<Chunk> {
    let all: BTreeMap<&String, &String> = made.namespaces.iter().chain(made.extras.iter()).collect();
    pack("namespaces", &all)
}

/// Unpacks the UIDs of namespaces, then those of small objects in them, from their verified chunks.
pub fn decode_namespaces(chunks: &[Vec<u8>]) -> Result<(UidsByName, UidsByName), CodecError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        CodecError::Unreadable("part namespaces".to_owned(), error.to_string())
    };
    let json = unpack(&chunks.concat(), MOST_BYTES).map_err(|error| unreadable(&error))?;
    let all: BTreeMap<String, String> = serde_json::from_slice(&json).map_err(|error| unreadable(&error))?;
    // Names of namespaces contain no slash.
    let (extras, namespaces): (BTreeMap<_, _>, BTreeMap<_, _>) =
        all.into_iter().partition(|(key, _)| key.contains('/'));
    Ok((namespaces.into(), extras.into()))
}

/// The chunk index of a list that has a piece of its own: `adopted.json`, `namespaces.json`.
pub fn encode_list_index(chunks: &[ChunkIndex]) -> String {
    serde_json::to_string_pretty(chunks).unwrap_or_default()
}

/// Reads the chunk index of a list that has a piece of its own, from the key `what` of the head.
pub fn decode_list_index(what: &str, text: &str) -> Result<Vec<ChunkIndex>, CodecError> {
    let unreadable = |why: String| CodecError::Unreadable(what.to_owned(), why);
    let chunks: Vec<ChunkIndex> =
        serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    check_chunks(&chunks).map_err(unreadable)?;
    Ok(chunks)
}

/// Checks an index of chunks: their names become paths.
pub fn check_chunks(chunks: &[ChunkIndex]) -> Result<(), String> {
    if chunks.len() > MOST_PIECES || !chunks.iter().all(|chunk| is_name(&chunk.name)) {
        return Err("it names parts that cannot exist".to_owned());
    }
    Ok(())
}

fn pack(what: &str, content: &impl Serialize) -> Vec<Chunk> {
    pack_counted(what, content).0
}

/// Counts the bytes that pass.
struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Packs content into chunks; also returns its unpacked size.
fn pack_counted(what: &str, content: &impl Serialize) -> (Vec<Chunk>, u64) {
    let encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut writer = BufWriter::with_capacity(BUFFER, Counted { to: encoder, bytes: 0 });
    // Writing into memory cannot fail.
    let _ = serde_json::to_writer(&mut writer, content);
    let (packed, unpacked) = match writer.into_inner() {
        Ok(Counted { to, bytes }) => (to.finish().unwrap_or_default(), bytes),
        Err(_) => Default::default(),
    };
    let whole = digest(&packed);
    let many = packed.len() > CHUNK_BYTES;
    let name = |number: usize| {
        let short = &whole[..10];
        if many { format!("{what}.{short}-{number}") } else { format!("{what}.{short}") }
    };
    let chunk = |(number, bytes): (usize, &[u8])| {
        let name = name(number + 1);
        let index = ChunkIndex { name: name.clone(), sha256: digest(bytes), bytes: bytes.len() };
        Chunk { name, bytes: bytes.into(), index }
    };
    (packed.chunks(CHUNK_BYTES).enumerate().map(chunk).collect(), unpacked)
}

/// Checks one chunk against the head's index.
pub fn verify_chunk(index: &ChunkIndex, bytes: &[u8]) -> Result<(), CodecError> {
    if bytes.len() == index.bytes && digest(bytes) == index.sha256 {
        Ok(())
    } else {
        Err(CodecError::Damaged(index.name.clone()))
    }
}

/// Unpacks a phase from its verified pieces: as a whole, then each change.
pub fn decode_phase(name: PhaseName, pieces: &[Vec<u8>]) -> Result<PhaseRecord, CodecError> {
    decode_within(name, pieces, MOST_BYTES)
}

fn decode_within(name: PhaseName, pieces: &[Vec<u8>], most: u64) -> Result<PhaseRecord, CodecError> {
    let unreadable =
        |error: &dyn std::fmt::Display| CodecError::Unreadable(format!("part {name}"), error.to_string());
    let mut left = most;
    let mut read = |piece: &[u8]| -> Result<PhaseRecord, CodecError> {
        let json = unpack(piece, left).map_err(|error| unreadable(&error))?;
        left -= json.len() as u64;
        serde_json::from_slice(&json).map_err(|error| unreadable(&error))
    };
    let (whole, changes) = pieces.split_first().ok_or_else(|| unreadable(&"it has no content"))?;
    let mut phase = read(whole)?;
    for change in changes {
        let changed = read(change)?;
        phase.change(changed).map_err(|why| unreadable(&why))?;
    }
    Ok(phase)
}

/// Packs the timelines of a phase again, in the pieces from which it was decoded.
pub fn settle(phase: &mut PhaseRecord, pieces: Vec<Vec<u8>>) {
    phase.timelines.pack(pieces);
}

/// Unpacks gzip, at most `most` bytes: a few packed bytes can expand to gigabytes.
fn unpack(packed: &[u8], most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(std::io::Error::other(format!("it has more than {} MiB unpacked", most / 1024 / 1024)));
    }
    Ok(bytes)
}

/// Checks that a phase fits the plan: one timeline for each VM, in the plan's order.
pub fn check_phase(record: &RunRecord, phase: &PhaseRecord) -> Result<(), CodecError> {
    let timelines = phase.timelines.read();
    let fits = timelines.len() == record.plan.size() as usize
        && timelines.iter().zip(0..).all(|(timeline, position)| timeline.target == position);
    if fits {
        return Ok(());
    }
    let why = format!("its {} VMs are not the {} of the plan", phase.timelines.len(), record.plan.size());
    Err(CodecError::Unreadable(format!("part {}", phase.name), why))
}

/// Short facts about a run for the annotations of the head, without their domain.
///
/// `tally` counts the last phase.
pub fn summary(
    record: &RunRecord,
    tally: Tally,
    holder: Option<&str>,
    updated: Timestamp,
) -> BTreeMap<&'static str, String> {
    let last = record.last_phase();
    let phase = match (record.cleanup, last) {
        (Some(_), _) => "cleanup".to_owned(),
        (None, _) if record.plan.is_observed() => "observation".to_owned(),
        (None, Some(last)) => last.name.to_string(),
        (None, None) => "setup".to_owned(),
    };
    let mut facts = BTreeMap::from([
        ("format", record.format.to_string()),
        ("phase", phase),
        ("state", state(record).word().to_owned()),
        ("targets", record.plan.size().to_string()),
        ("started", record.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ("updated", updated.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    ]);
    if record.cleanup.is_none() && !record.plan.is_observed() {
        facts.insert("reached", tally.reached.to_string());
        facts.insert("failed", tally.failed.to_string());
    }
    if record.plan.is_adopted() {
        // Even if the record is unreadable, it must be visible that it holds more than results.
        let state = if record.has_to_restore() { "changed" } else { "as-before" };
        facts.insert("adopted", state.to_owned());
    }
    facts.extend(holder.map(|holder| ("holder", holder.to_owned())));
    facts
}

/// Whether the last phase, or the setup, or the cleanup has ended.
pub fn state(record: &RunRecord) -> PhaseState {
    match record.last_phase() {
        _ if record.cleanup.is_some_and(|cleanup| cleanup.done.is_none()) => PhaseState::Open,
        _ if record.cleanup.is_some() => PhaseState::Done,
        // Its parts say how far it is.
        _ if record.plan.is_observed() => PhaseState::Open,
        Some(phase) => phase.state,
        None if record.setup.done => PhaseState::Done,
        None => PhaseState::Open,
    }
}

/// SHA-256 in lower-case hex, as in the index.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write;
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::observe::{Milestone, Offset, Warning};
    use crate::plan::TemplateSource;
    use crate::record::PhaseSettings;

    fn phase(vms: u32) -> PhaseRecord {
        let settings = PhaseSettings::default();
        let began = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut phase = PhaseRecord::new(PhaseName::CREATE, began, settings, vms);
        for (index, timeline) in phase.timelines.iter_mut().enumerate() {
            timeline.see(Milestone::Requested, Offset(index as i64));
            // Spread by a multiplicative hash, so that it does not compress to nothing.
            let noise = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            timeline.see(Milestone::Running, Offset((noise >> 24) as i64));
            timeline.instance_uid = Some(format!("{noise:016x}{:016x}", noise.rotate_left(17) ^ 0x55));
        }
        phase
    }

    fn packed(phase: &PhaseRecord) -> (PartIndex, Vec<Vec<u8>>) {
        let chunks = piece_of(phase).chunks;
        let index = PartIndex::whole(phase.name, &chunks);
        (index, chunks.into_iter().map(|chunk| chunk.bytes.to_vec()).collect())
    }

    #[test]
    fn phases_round_trip_in_one_and_in_many_chunks() {
        for vms in [0, 1, 100, 40_000] {
            let phase = phase(vms);
            let (index, chunks) = packed(&phase);
            assert_eq!(chunks.len() > 1, vms == 40_000, "{} chunks", chunks.len());
            for (entry, bytes) in index.chunks.iter().zip(&chunks) {
                verify_chunk(entry, bytes).unwrap();
            }
            assert_eq!(decode_phase(phase.name, &[chunks.concat()]).unwrap(), phase);
        }
    }

    /// The phase with only these timelines.
    fn part_of(phase: &PhaseRecord, targets: &[usize]) -> PhaseRecord {
        let timelines: Vec<_> = targets.iter().map(|target| phase.timelines[*target].clone()).collect();
        PhaseRecord { timelines: timelines.into(), ..phase.clone() }
    }

    #[test]
    fn changes_one_by_one_give_the_phase_as_it_is_and_become_one_piece_in_time() {
        let mut phase = phase(20);
        let mut stored = StoredPhase::new(&phase).unwrap();
        let mut most = 0;
        for save in 0..40_usize {
            let targets = [save % 20, (save * 7 + 3) % 20];
            for target in targets {
                phase.timelines[target].attempts += 1;
                phase.timelines[target].see(Milestone::Ready, Offset(save as i64));
            }
            phase.watched_until = Some(Offset(save as i64));
            stored.add(&part_of(&phase, &targets)).unwrap();
            assert_eq!(decode_phase(phase.name, &stored.packed()).unwrap(), phase);
            let index = stored.index();
            assert_eq!(
                index.all().cloned().collect::<Vec<_>>(),
                self::index(&stored.chunks().cloned().collect::<Vec<_>>())
            );
            most = most.max(index.changes.len());
        }
        assert_eq!((most, stored.index().changes.len()), (MOST_CHANGES - 1, 8));
        stored.settle().unwrap();
        assert!(stored.index().changes.is_empty(), "at the end a small phase is one piece");
        let mut loaded = decode_phase(phase.name, &stored.packed()).unwrap();
        settle(&mut loaded, stored.packed());
        assert_eq!(loaded.timelines.read(), phase.timelines.read());
    }

    #[test]
    fn a_change_is_small_and_one_of_a_stranger_is_refused() {
        let whole = phase(2_000);
        let mut stored = StoredPhase::new(&whole).unwrap();
        stored.add(&part_of(&whole, &[7, 1_999])).unwrap();
        let sizes: Vec<usize> = stored.packed().iter().map(Vec::len).collect();
        assert!(sizes[1] * 20 < sizes[0], "{sizes:?}");
        let small = phase(3);
        let mut pieces = StoredPhase::new(&small).unwrap().packed();
        pieces.extend(StoredPhase::new(&part_of(&whole, &[7])).unwrap().packed());
        let error = decode_phase(small.name, &pieces).unwrap_err().to_string();
        assert!(error.contains("changes VM 8 of 3"), "{error}");
        let other = PhaseRecord { name: "storm-1".parse().unwrap(), ..part_of(&small, &[1]) };
        pieces[1] = StoredPhase::new(&other).unwrap().packed().remove(0);
        assert!(decode_phase(small.name, &pieces).is_err());
        assert!(decode_phase(small.name, &[]).is_err());
    }

    #[test]
    fn what_is_saved_is_never_too_large_to_be_read() {
        const MOST: u64 = 400_000;
        let mut phase = phase(100);
        let warning = |number: usize, save: i64| Warning {
            kind: "Pod".into(),
            name: "virt-launcher".into(),
            reason: format!("Failed{number}"),
            message: format!("{number} ").repeat(150),
            count: 1,
            first: Offset(save),
            last: Offset(save),
        };
        for timeline in &mut phase.timelines {
            timeline.warnings = (0..5).map(|number| warning(number, 0)).collect();
        }
        let mut stored = StoredPhase::within(&phase, MOST).unwrap();
        let all: Vec<usize> = (0..100).collect();
        // Each save changes every VM, so two of them are too large.
        for save in 1..=5 {
            phase.timelines.iter_mut().for_each(|timeline| timeline.warnings[4] = warning(4, save));
            stored.add(&part_of(&phase, &all)).unwrap();
            let read = decode_within(phase.name, &stored.packed(), MOST).unwrap();
            assert_eq!(read, phase, "nothing is lost while it fits");
        }
        // A phase that does not fit even as one piece loses details of VMs, but no outcome.
        for timeline in &mut phase.timelines {
            timeline.warnings = (0..8).map(|number| warning(number, 9)).collect();
            timeline.reason = Some("no node has room ".repeat(60));
            timeline.findings = Some(Box::default());
            timeline.outcome = Outcome::TimedOut;
        }
        stored.add(&part_of(&phase, &all)).unwrap();
        let first = StoredPhase::within(&phase, MOST).unwrap();
        for stored in [stored, first] {
            let read = decode_within(phase.name, &stored.packed(), MOST).unwrap();
            for (read, timeline) in read.timelines.iter().zip(phase.timelines.iter()) {
                assert_eq!((read.target, &read.moments), (timeline.target, &timeline.moments));
                assert_eq!((read.outcome, &read.reason), (timeline.outcome, &timeline.reason));
                assert!(!read.warnings.is_empty() && read.warnings.len() < 8);
                assert_eq!(read.warnings[0], timeline.warnings[0], "those that came first stay");
            }
        }
        assert!(StoredPhase::within(&phase, 1000).is_err(), "it says so instead of saving what is lost");
    }

    #[test]
    fn an_index_of_before_changes_were_saved_is_read_and_written_as_it_was() {
        let old = r#"[{"phase": "create", "chunks": [{"name": "create.0", "sha256": "", "bytes": 3}]}]"#;
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("p", 1, 2, "vm", template).unwrap();
        let record = RunRecord::new("id".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
        let (_, parts) = decode_head(&encode_plan(&record), old).unwrap();
        assert!(parts[0].changes.is_empty() && !encode_index(&parts).contains("changes"));
    }

    #[test]
    fn damage_is_noticed() {
        let (index, mut chunks) = packed(&phase(10));
        chunks[0][20] ^= 1;
        assert!(matches!(verify_chunk(&index.chunks[0], &chunks[0]), Err(CodecError::Damaged(_))));
    }

    #[test]
    fn a_phase_from_before_launcher_pods_were_followed_is_read() {
        let old = r#"{"name":"storm-1","state":"done","began":"2026-01-01T00:00:00Z","goal":"running",
            "settings":{"concurrency":200,"timeout_seconds":600,"via":"patch"},
            "timelines":[{"target":0,"moments":{"requested":{"at":1,"source":"seen"},"pod":{"at":5,"source":"seen"}},
                "attempts":1,"outcome":"reached"}]}"#;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(old.as_bytes()).unwrap();
        let phase = decode_phase("storm-1".parse().unwrap(), &[encoder.finish().unwrap()]).unwrap();
        assert!(phase.insight.is_none() && phase.health.is_none() && !phase.settings.explain);
        assert!(phase.timelines[0].warnings.is_empty() && phase.timelines[0].has(Milestone::Pod));
        for format in [1, 2, FORMAT] {
            let template = TemplateSource::ContainerDisk { image: "i".into() };
            let plan = Plan::resolve("p", 1, 2, "vm", template).unwrap();
            let mut record = RunRecord::new("id".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
            record.format = format;
            assert_eq!(decode_head(&encode_plan(&record), "[]").unwrap().0.format, format);
        }
    }

    #[test]
    fn newer_formats_are_refused_even_when_nothing_else_is_understood() {
        let error = decode_head(r#"{"format": 99, "plan": 7}"#, "[]").unwrap_err();
        assert_eq!(error, CodecError::Newer { found: 99 });
    }

    #[test]
    fn heads_round_trip() {
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("p", 1, 2, "vm", template).unwrap();
        let record = RunRecord::new("id".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
        let (read, parts) = decode_head(&encode_plan(&record), &encode_index(&[])).unwrap();
        assert_eq!((read, parts.len()), (record, 0));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("p", 1, 2, "vm", template).unwrap();
        let mut record = RunRecord::new("id".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
        assert_eq!(check_phase(&record, &phase(2)), Ok(()));
        assert!(check_phase(&record, &phase(3)).is_err());
        (record.plan.start, record.plan.end) = (9, 3);
        let error = decode_head(&encode_plan(&record), "[]").unwrap_err().to_string();
        assert!(error.contains("--start 9 is greater than --end 3"), "{error}");
    }

    #[test]
    fn names_that_would_lead_elsewhere_are_refused() {
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("p", 1, 2, "vm", template).unwrap();
        let mut record = RunRecord::new("id".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
        let index = |name: &str| {
            let chunks = vec![ChunkIndex { name: name.into(), sha256: String::new(), bytes: 0 }];
            let whole = PartIndex { phase: PhaseName::CREATE, chunks, changes: Vec::new() };
            let sound = ChunkIndex { name: "create.0".into(), ..whole.chunks[0].clone() };
            let changed = PartIndex { chunks: vec![sound], changes: vec![whole.chunks.clone()], ..whole };
            encode_index(&[changed])
        };
        assert!(decode_head(&encode_plan(&record), &index("create.0123456789-1")).is_ok());
        for name in ["../../secrets/x", "", ".", "a/b", "a?b", "a%2fb", "\u{1b}", &"x".repeat(64)] {
            assert!(decode_head(&encode_plan(&record), &index(name)).is_err(), "{name}");
        }
        for run_id in ["", "a,b", "a=b", "a b", "!a", "\n"] {
            record.run_id = run_id.into();
            assert!(decode_head(&encode_plan(&record), "[]").is_err(), "{run_id}");
        }
        record.run_id = "id".into();
        record.plan.prefix = "../x".into();
        assert!(decode_head(&encode_plan(&record), "[]").is_err());
        record.plan.prefix = "p".into();
        record.plan.vm_name = "\u{1b}[2J".into();
        assert!(decode_head(&encode_plan(&record), "[]").is_err());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..64 {
            encoder.write_all(&vec![b' '; 65_536]).unwrap();
        }
        let packed = encoder.finish().unwrap();
        assert!(packed.len() < 10_000);
        let error = unpack(&packed, 1024 * 1024).unwrap_err().to_string();
        assert!(error.contains("more than 1 MiB"), "{error}");
        assert_eq!(unpack(&packed, 4 * 1024 * 1024).unwrap().len(), 4 * 1024 * 1024);
    }

    proptest! {
        #[test]
        fn decoding_anything_never_panics(plan in ".{0,200}", parts in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode_head(&plan, &parts);
            let _ = decode_phase(PhaseName::CREATE, std::slice::from_ref(&bytes));
            let whole = piece_of(&phase(1)).chunks.remove(0).bytes.to_vec();
            let _ = decode_phase(PhaseName::CREATE, &[whole, bytes]);
        }
    }
}
