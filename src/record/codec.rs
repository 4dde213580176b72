//! The stored form of a record: a readable head, and one compressed part per phase.
//!
//! Parts are named after their content, so a new version of a part never overwrites the one that the head
//! still points at: a process killed between the two writes leaves a record that reads as before.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{ClusterFacts, FORMAT, PhaseName, PhaseRecord, PhaseState, RunRecord, SetupRecord};
use crate::observe::Outcome;
use crate::plan::{MOST_TARGETS, Plan};

/// The most bytes in one chunk; a `ConfigMap` holds 1 MiB, base64 is counted decoded.
pub const CHUNK_BYTES: usize = 512 * 1024;

/// The most bytes that one phase may have uncompressed; more is refused as damage.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Why a stored record cannot be read
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CodecError {
    /// It was written by a newer program.
    #[error(
        "it has format {found}, this program reads up to format {FORMAT}; a newer kubectl-bootstorm wrote it"
    )]
    Newer {
        /// The format found.
        found: u32,
    },
    /// A piece is not there.
    #[error("part {0} is missing")]
    Missing(String),
    /// A piece does not have the content that the head says.
    #[error("part {0} is damaged: its content does not match its checksum")]
    Damaged(String),
    /// A piece cannot be understood.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, String),
}

/// One stored piece of a phase
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Ending of the object's name, after `bootstorm-<prefix>.`
    pub name: String,
    /// Compressed bytes.
    pub bytes: Vec<u8>,
    /// Its entry in the head's index.
    pub index: ChunkIndex,
}

/// What the head says about one chunk
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkIndex {
    /// Ending of the object's name.
    pub name: String,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// Number of bytes.
    pub bytes: usize,
}

/// What the head says about one phase
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartIndex {
    /// The phase.
    pub phase: PhaseName,
    /// Its pieces, in order.
    pub chunks: Vec<ChunkIndex>,
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
        plan: record.plan.clone(),
        facts: record.facts.clone(),
        setup: record.setup.clone(),
    };
    serde_json::to_string_pretty(&head).unwrap_or_default()
}

/// The index of parts: `parts.json`.
pub fn encode_index(parts: &[PartIndex]) -> String {
    serde_json::to_string_pretty(parts).unwrap_or_default()
}

/// Reads the head: the record without its phases, and where those are.
pub fn decode_head(plan_json: &str, parts_json: &str) -> Result<(RunRecord, Vec<PartIndex>), CodecError> {
    let unreadable =
        |what: &str, error: serde_json::Error| CodecError::Unreadable(what.to_owned(), error.to_string());
    let version: FormatOnly = serde_json::from_str(plan_json).map_err(|e| unreadable("plan.json", e))?;
    if version.format > FORMAT {
        return Err(CodecError::Newer { found: version.format });
    }
    let head: HeadDocument = serde_json::from_str(plan_json).map_err(|e| unreadable("plan.json", e))?;
    check_range(&head.plan)?;
    let parts = serde_json::from_str(parts_json).map_err(|e| unreadable("parts.json", e))?;
    let record = RunRecord {
        format: head.format,
        run_id: head.run_id,
        created: head.created,
        plan: head.plan,
        facts: head.facts,
        setup: head.setup,
        phases: Vec::new(),
    };
    Ok((record, parts))
}

/// Checks that a plan has at least one VM and not too many.
pub fn check_range(plan: &Plan) -> Result<(), CodecError> {
    if plan.start >= 1 && plan.end >= plan.start && plan.end - plan.start < MOST_TARGETS {
        return Ok(());
    }
    let why = format!("its range from {} to {} is impossible", plan.start, plan.end);
    Err(CodecError::Unreadable("plan.json".to_owned(), why))
}

/// Packs a phase into chunks.
pub fn encode_phase(phase: &PhaseRecord) -> Vec<Chunk> {
    let json = serde_json::to_vec(phase).unwrap_or_default();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(&json);
    let packed = encoder.finish().unwrap_or_default();
    let whole = hex(&packed);
    let many = packed.len() > CHUNK_BYTES;
    let name = |number: usize| {
        let digest = &whole[..10];
        if many { format!("{}.{digest}-{number}", phase.name) } else { format!("{}.{digest}", phase.name) }
    };
    let chunk = |(number, bytes): (usize, &[u8])| {
        let name = name(number + 1);
        let index = ChunkIndex { name: name.clone(), sha256: hex(bytes), bytes: bytes.len() };
        Chunk { name, bytes: bytes.to_vec(), index }
    };
    packed.chunks(CHUNK_BYTES).enumerate().map(chunk).collect()
}

/// Checks one chunk against the head's index.
pub fn verify_chunk(index: &ChunkIndex, bytes: &[u8]) -> Result<(), CodecError> {
    if bytes.len() == index.bytes && hex(bytes) == index.sha256 {
        Ok(())
    } else {
        Err(CodecError::Damaged(index.name.clone()))
    }
}

/// Unpacks a phase from its verified chunks.
pub fn decode_phase(part: &PartIndex, chunks: &[Vec<u8>]) -> Result<PhaseRecord, CodecError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        CodecError::Unreadable(format!("part {}", part.phase), error.to_string())
    };
    let packed = chunks.concat();
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice())
        .take(MOST_BYTES)
        .read_to_end(&mut json)
        .map_err(|error| unreadable(&error))?;
    serde_json::from_slice(&json).map_err(|error| unreadable(&error))
}

/// Checks that a phase fits the plan: one timeline for each VM, in the plan's order.
pub fn check_phase(record: &RunRecord, phase: &PhaseRecord) -> Result<(), CodecError> {
    let fits = phase.timelines.len() == record.plan.size() as usize
        && phase.timelines.iter().zip(0..).all(|(timeline, position)| timeline.target == position);
    if fits {
        return Ok(());
    }
    let why = format!("its {} VMs are not the {} of the plan", phase.timelines.len(), record.plan.size());
    Err(CodecError::Unreadable(format!("part {}", phase.name), why))
}

/// The short facts that the head shows to people as annotations, without their domain.
pub fn summary(
    record: &RunRecord,
    holder: Option<&str>,
    updated: Timestamp,
) -> BTreeMap<&'static str, String> {
    let last = record.last_phase();
    let count = |outcome| last.map_or(0, |phase| phase.count(outcome));
    let mut facts = BTreeMap::from([
        ("format", record.format.to_string()),
        ("phase", last.map_or_else(|| "setup".to_owned(), |phase| phase.name.to_string())),
        ("state", state(record).word().to_owned()),
        ("targets", record.plan.size().to_string()),
        ("reached", count(Outcome::Reached).to_string()),
        ("failed", (count(Outcome::Failed) + count(Outcome::TimedOut)).to_string()),
        ("started", record.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ("updated", updated.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    ]);
    facts.extend(holder.map(|holder| ("holder", holder.to_owned())));
    facts
}

/// Whether the phase that began last, or the setup, is over.
pub fn state(record: &RunRecord) -> PhaseState {
    match record.last_phase() {
        Some(phase) => phase.state,
        None if record.setup.done => PhaseState::Done,
        None => PhaseState::Open,
    }
}

fn hex(bytes: &[u8]) -> String {
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
    use crate::observe::{Milestone, Offset};
    use crate::plan::TemplateSource;
    use crate::record::{PhaseSettings, Via};

    fn phase(vms: u32) -> PhaseRecord {
        let settings = PhaseSettings {
            concurrency: 200,
            timeout_seconds: 600,
            via: Via::Patch,
            ping_timeout_seconds: 600,
        };
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

    fn unpack(phase: &PhaseRecord) -> (PartIndex, Vec<Vec<u8>>) {
        let chunks = encode_phase(phase);
        let index = PartIndex { phase: phase.name, chunks: chunks.iter().map(|c| c.index.clone()).collect() };
        (index, chunks.into_iter().map(|chunk| chunk.bytes).collect())
    }

    #[test]
    fn phases_round_trip_in_one_and_in_many_chunks() {
        for vms in [0, 1, 100, 40_000] {
            let phase = phase(vms);
            let (index, chunks) = unpack(&phase);
            assert_eq!(chunks.len() > 1, vms == 40_000, "{} chunks", chunks.len());
            for (entry, bytes) in index.chunks.iter().zip(&chunks) {
                verify_chunk(entry, bytes).unwrap();
            }
            assert_eq!(decode_phase(&index, &chunks).unwrap(), phase);
        }
    }

    #[test]
    fn damage_is_noticed() {
        let (index, mut chunks) = unpack(&phase(10));
        chunks[0][20] ^= 1;
        assert!(matches!(verify_chunk(&index.chunks[0], &chunks[0]), Err(CodecError::Damaged(_))));
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
        assert!(error.contains("9 to 3"), "{error}");
    }

    proptest! {
        #[test]
        fn decoding_anything_never_panics(plan in ".{0,200}", parts in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode_head(&plan, &parts);
            let index = PartIndex { phase: PhaseName::CREATE, chunks: Vec::new() };
            let _ = decode_phase(&index, &[bytes]);
        }
    }
}
