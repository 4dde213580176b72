//! A trace per VM and phase.
//!
//! The root span lasts from the VM's request to the goal, with a child per stage. A VM whose request was not seen has
//! no trace, because the beginning of its span is unknown.

use std::collections::HashMap;

use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, SpanFlags, Status};
use prost::Message;
use sha2::{Digest, Sha256};

use super::attribute::{number, text};
use super::{Resource, SCHEMA};
use crate::junit::waited;
use crate::{PhaseBlock, Report, Row};
use bootstorm_model::observe::{Milestone, Outcome, Source};
use bootstorm_model::record::{PhaseKind, PhaseName};

/// A request is closed once its spans have this many bytes: collectors refuse bodies beyond some MiB, many services
/// less.
const BATCH: usize = 1 << 20;

/// The span is sampled, and its parent is known to be in the same process.
const FLAGS: u32 = 1 | SpanFlags::ContextHasIsRemoteMask as u32;

impl Report {
    /// The traces of finished phases, or of one phase if named, as protobuf requests of about 1 MiB that hold whole
    /// traces.
    ///
    /// Ids depend only on the run's id, the phase and the VM, so that repeated exports are identical.
    pub fn otlp_traces(&self, resource: &Resource, only: Option<PhaseName>) -> Vec<Vec<u8>> {
        let mut batches = Vec::new();
        let (mut spans, mut bytes) = (Vec::new(), 0);
        let mut close = |spans: &mut Vec<Span>| {
            if !spans.is_empty() {
                batches.push(self.batch(resource, std::mem::take(spans)));
            }
        };
        for (n, phase) in self.phases.iter().enumerate() {
            if !phase.is_done() || only.is_some_and(|only| only != phase.name) {
                continue;
            }
            let earlier = Earlier::of(self, n);
            for row in &phase.rows {
                let trace = self.trace(phase, row, &earlier);
                bytes += trace.iter().map(Message::encoded_len).sum::<usize>();
                spans.extend(trace);
                if bytes >= BATCH {
                    close(&mut spans);
                    bytes = 0;
                }
            }
        }
        close(&mut spans);
        batches
    }

    fn batch(&self, resource: &Resource, spans: Vec<Span>) -> Vec<u8> {
        let scope = ScopeSpans { scope: Some(resource.scope()), spans, schema_url: SCHEMA.to_owned() };
        let resource = ResourceSpans {
            resource: Some(resource.message(self)),
            scope_spans: vec![scope],
            schema_url: SCHEMA.to_owned(),
        };
        ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
    }

    /// The spans of a VM in a phase, root first.
    fn trace(&self, phase: &PhaseBlock, row: &Row, earlier: &Earlier<'_>) -> Vec<Span> {
        let Some(requested) = row.requested_at else { return Vec::new() };
        let trace_id = trace_id(&self.run.id, phase.name, row);
        let root_id = span_id(&trace_id, "");
        let (until, end) = end_of(phase, row);
        let at = |seconds: f64| nanos(phase.began, requested + seconds);
        let span = |name: &str, id: Vec<u8>, from: f64, to: f64| Span {
            trace_id: trace_id.clone(),
            span_id: id,
            flags: FLAGS,
            name: name.to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: at(from),
            end_time_unix_nano: at(to),
            ..Span::default()
        };
        let mut attributes = vec![
            text("k8s.namespace.name", row.namespace.clone()),
            text("bootstorm.vm.name", row.name.clone()),
            text("bootstorm.phase", phase.name.to_string()),
            text("bootstorm.kind", phase.kind_word()),
            text("bootstorm.goal", phase.goal.word()),
            text("bootstorm.outcome", row.outcome.word()),
            text("bootstorm.end", end),
            number("bootstorm.requests", row.attempts),
            number("bootstorm.throttled_answers", row.throttled),
        ];
        attributes.extend(row.node.as_ref().map(|node| text("k8s.node.name", node.clone())));
        attributes.extend(row.reason.as_ref().map(|reason| text("bootstorm.reason", reason.clone())));
        attributes.extend(row.cause.as_ref().map(|cause| text("bootstorm.cause", cause.clone())));
        attributes.extend(row.wave.map(|wave| number("bootstorm.wave", wave)));
        let mut root = Span {
            attributes,
            status: status(row),
            links: earlier.links(&self.run.id, row),
            ..span(&format!("vm {}", phase.kind.word()), root_id.clone(), 0.0, until)
        };
        root.events = row.warnings.iter().map(|warning| event(phase, warning)).collect();
        let mut spans = vec![root];
        spans.extend(stages(phase, row, until).into_iter().map(|stage| {
            let id = span_id(&trace_id, stage.to.word());
            Span {
                parent_span_id: root_id.clone(),
                attributes: vec![
                    text("bootstorm.stage.from", stage.from.word()),
                    text("bootstorm.stage.to", stage.to.word()),
                    text("bootstorm.source", stage.source),
                ],
                ..span(stage.to.word(), id, stage.began, stage.ended)
            }
        }));
        spans
    }
}

/// Rows of a phase, by namespace and name of the VM
type Rows<'a> = HashMap<(&'a str, &'a str), &'a Row>;

/// Earlier phases to which the spans of a phase link
struct Earlier<'a> {
    /// Relation, phase, and its VMs that have a trace.
    phases: Vec<(&'static str, PhaseName, Rows<'a>)>,
}

impl<'a> Earlier<'a> {
    /// Links of a storm: the create phase before it, which is the usual baseline, and the storm before it.
    fn of(report: &'a Report, n: usize) -> Self {
        let before = &report.phases[..n];
        let last = |kind| before.iter().rev().find(|phase| phase.kind == kind && phase.is_done());
        let related = match report.phases[n].kind {
            PhaseKind::Storm => vec![("baseline", PhaseKind::Create), ("previous", PhaseKind::Storm)],
            _ => Vec::new(),
        };
        let phases = related.into_iter().filter_map(|(relation, kind)| {
            let phase = last(kind)?;
            let rows = phase.rows.iter().filter(|row| row.requested_at.is_some());
            let rows = rows.map(|row| ((row.namespace.as_str(), row.name.as_str()), row)).collect();
            Some((relation, phase.name, rows))
        });
        Self { phases: phases.collect() }
    }

    fn links(&self, run: &str, row: &Row) -> Vec<Link> {
        let linked = self.phases.iter().filter_map(|(relation, phase, rows)| {
            let earlier = rows.get(&(row.namespace.as_str(), row.name.as_str()))?;
            let trace_id = trace_id(run, *phase, earlier);
            let attributes =
                vec![text("bootstorm.link", *relation), text("bootstorm.phase", phase.to_string())];
            let span_id = span_id(&trace_id, "");
            Some(Link { trace_id, span_id, attributes, flags: FLAGS, ..Link::default() })
        });
        linked.collect()
    }
}

/// The stretch between two milestones that a VM passed, in seconds from its request
struct Passed {
    from: Milestone,
    to: Milestone,
    source: &'static str,
    began: f64,
    ended: f64,
}

/// The stages of a VM, in the phase's order of milestones and up to the end of its root span.
///
/// Server timestamps may lie a second before or after observed times; a stage begins where the one before it ends, and
/// never ends before it begins, as in the report's table of stages.
fn stages(phase: &PhaseBlock, row: &Row, until: f64) -> Vec<Passed> {
    let (mut from, mut began) = (Milestone::Requested, 0.0);
    let mut all = Vec::new();
    for to in phase.stages.iter().map(|stage| stage.to) {
        let Some(mark) = row.milestones.get(&to) else { continue };
        let ended = mark.seconds.min(until).max(began);
        let source = match mark.source {
            Source::Seen => "seen",
            Source::Stamped => "stamped",
            Source::Late => "late",
        };
        all.push(Passed { from, to, source, began, ended });
        (from, began) = (to, ended);
    }
    all
}

/// End of a VM's root span, in seconds from its request, and the kind of that end.
fn end_of(phase: &PhaseBlock, row: &Row) -> (f64, &'static str) {
    let (last, warned) = (row.milestones.values().map(|mark| mark.seconds), last_warning(row));
    let seen = last.chain(warned).fold(0.0, f64::max);
    if row.outcome == Outcome::Reached
        && let Some(goal) = row.seconds(phase.goal)
    {
        return (goal.max(0.0), "goal");
    }
    if let Some(waited) = waited(phase, row) {
        return (waited, "timeout");
    }
    let total = phase.spans.total.zip(row.requested_at).map(|(total, requested)| total - requested);
    match (row.outcome, total) {
        // The time of the failure is unknown: the last observation is a lower bound.
        (Outcome::Failed, _) | (_, None) => (seen, "last_seen"),
        (_, Some(total)) => (total.max(0.0), "phase_end"),
    }
}

/// The last warning about a VM, in seconds from its request.
fn last_warning(row: &Row) -> Option<f64> {
    let requested = row.requested_at?;
    row.warnings.iter().map(|warning| warning.first.seconds() - requested).reduce(f64::max)
}

fn status(row: &Row) -> Option<Status> {
    let code = match row.outcome {
        Outcome::Reached => StatusCode::Ok,
        Outcome::Failed | Outcome::TimedOut => StatusCode::Error,
        // Unknown, or undecided.
        Outcome::Pending | Outcome::Unknown | Outcome::Excluded => return None,
    };
    let message = match code {
        StatusCode::Error => row.reason.clone().unwrap_or_else(|| row.outcome.word().to_owned()),
        _ => String::new(),
    };
    Some(Status { code: code.into(), message })
}

fn event(phase: &PhaseBlock, warning: &bootstorm_model::observe::Warning) -> Event {
    Event {
        time_unix_nano: nanos(phase.began, warning.first.seconds()),
        name: "kubernetes.warning".to_owned(),
        attributes: vec![
            text("bootstorm.warning.reason", warning.reason.clone()),
            text("bootstorm.warning.message", warning.message.clone()),
            text("bootstorm.warning.object", format!("{}/{}", warning.kind, warning.name)),
            number("bootstorm.warning.count", warning.count),
        ],
        ..Event::default()
    }
}

/// Unix time in nanoseconds, this many seconds after a point; zero before 1970.
pub(super) fn nanos(began: Timestamp, seconds: f64) -> u64 {
    // Offsets are whole microseconds.
    let offset = ((seconds * 1e6).round() as i128).saturating_mul(1000);
    u64::try_from(began.as_nanosecond().saturating_add(offset)).unwrap_or_default()
}

fn trace_id(run: &str, phase: PhaseName, row: &Row) -> Vec<u8> {
    id(&[run.as_bytes(), phase.to_string().as_bytes(), row.namespace.as_bytes(), row.name.as_bytes()], 16)
}

fn span_id(trace_id: &[u8], stage: &str) -> Vec<u8> {
    id(&[trace_id, stage.as_bytes()], 8)
}

/// First bytes of the SHA-256 of the parts; never all zero, which OTLP forbids.
fn id(parts: &[&[u8]], length: usize) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut id = hash.finalize()[..length].to_vec();
    if id.iter().all(|byte| *byte == 0) {
        id[length - 1] = 1;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, fixtures};
    use bootstorm_model::observe::{Offset, Warning};
    use bootstorm_model::record::RunRecord;

    fn spans(record: &RunRecord, only: Option<PhaseName>) -> Vec<Span> {
        let report = Report::of(record, &Selection::default());
        let resource = Resource { service: "x".into(), version: "1".into(), attributes: Vec::new() };
        let bodies = report.otlp_traces(&resource, only);
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    #[test]
    fn spans_lie_in_their_parents_and_ids_are_never_reused() {
        for record in [
            fixtures::guide(),
            fixtures::provisioned(),
            fixtures::repeated(),
            fixtures::waves(),
            fixtures::hopeless(),
            fixtures::continued(),
            fixtures::with_failures(),
            fixtures::diagnosed(),
        ] {
            let all = spans(&record, None);
            let by_id: HashMap<_, _> =
                all.iter().map(|span| ((&span.trace_id, &span.span_id), span)).collect();
            assert_eq!(by_id.len(), all.len());
            for span in &all {
                assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
                assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
                if span.parent_span_id.is_empty() {
                    continue;
                }
                let parent = by_id[&(&span.trace_id, &span.parent_span_id)];
                assert!(parent.start_time_unix_nano <= span.start_time_unix_nano, "{span:?}");
                assert!(span.end_time_unix_nano <= parent.end_time_unix_nano, "{span:?} {parent:?}");
            }
            for link in all.iter().flat_map(|span| &span.links) {
                assert!(by_id.contains_key(&(&link.trace_id, &link.span_id)), "{link:?}");
            }
            assert_eq!(spans(&record, None), all);
        }
    }

    #[test]
    fn a_storm_links_to_its_baseline_and_to_the_storm_before_it() {
        let record = fixtures::repeated();
        let storms = record.phases.iter().filter(|phase| phase.name.kind == PhaseKind::Storm);
        let names: Vec<_> = storms.map(|phase| phase.name).collect();
        let links = |name| {
            let roots = spans(&record, Some(name)).into_iter().filter(|span| span.parent_span_id.is_empty());
            roots.map(|span| span.links.len()).max().unwrap()
        };
        assert_eq!((links(names[0]), links(names[1])), (1, 2));
    }

    #[test]
    fn what_is_not_known_is_no_error_and_what_was_not_asked_has_no_trace() {
        let mut record = fixtures::small();
        let phase = record.phases.last_mut().unwrap();
        let (name, timelines) = (phase.name, &mut phase.timelines);
        assert!(timelines.len() >= 3);
        timelines[0].outcome = Outcome::Unknown;
        timelines[1].outcome = Outcome::Failed;
        timelines[1].reason = Some("refused".into());
        timelines[2].moments.clear();
        timelines[2].untimed = true;
        let at = Offset::from_seconds(1.5);
        timelines[0].warn(Warning {
            kind: "Pod".into(),
            name: "p".into(),
            reason: "FailedMount".into(),
            message: "no".into(),
            count: 2,
            first: at,
            last: at,
        });
        let (began, vms) = (phase.began, timelines.len());
        let all = spans(&record, Some(name));
        let roots: Vec<_> = all.iter().filter(|span| span.parent_span_id.is_empty()).collect();
        assert_eq!(roots.len(), vms - 1);
        assert_eq!(roots[0].status, None);
        assert_eq!(roots[0].events[0].time_unix_nano, nanos(began, 1.5));
        let failed = roots[1].status.as_ref().unwrap();
        assert_eq!((failed.code(), failed.message.as_str()), (StatusCode::Error, "refused"));
    }

    #[test]
    fn requests_are_limited_and_ids_not_zero() {
        assert_eq!(id(&[b"a", b"bc"], 8).len(), 8);
        assert_ne!(id(&[b"a", b"bc"], 8), id(&[b"ab", b"c"], 8));
        let record = fixtures::guide();
        let report = Report::of(&record, &Selection::default());
        let long = "x".repeat(9000);
        let resource = Resource { service: "x".into(), version: "1".into(), attributes: Vec::new() };
        let mut report = report;
        for row in report.phases.iter_mut().flat_map(|phase| &mut phase.rows) {
            row.reason = Some(long.clone());
        }
        let bodies = report.otlp_traces(&resource, None);
        assert!(bodies.len() > 1, "{}", bodies.len());
        assert!(bodies.iter().all(|body| body.len() < 2 * BATCH));
    }
}
