//! A run as OTLP: a trace per VM and phase, and the metrics of the other formats.
//!
//! The messages are those of `opentelemetry-proto` 0.33, as bodies of `POST /v1/traces` and `/v1/metrics`. Spans are
//! built from the report instead of recorded by the SDK: they ended long ago, their times come from the monotonic clock
//! of the phase, and their ids must be the same each time.

mod attribute;
mod metrics;
mod traces;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource as Message;
use prost::Message as _;

use super::Report;
use attribute::text;

/// Semantic conventions whose names are used where one exists: version 1.40.0.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.40.0";

/// Resource of the telemetry, as far as the environment defines it
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// `service.name`.
    pub service: String,
    /// Version of this program: `service.version`.
    pub version: String,
    /// More attributes, in order; they override those of the report, but not the service name.
    pub attributes: Vec<(String, String)>,
}

impl Resource {
    fn message(&self, report: &Report) -> Message {
        let mut all = vec![("service.name".to_owned(), self.service.clone())];
        all.extend(self.attributes.iter().filter(|(name, _)| name != "service.name").cloned());
        let cluster = &report.cluster;
        let own = [
            ("service.version", Some(&self.version)),
            ("bootstorm.run.name", Some(&report.run.name)),
            ("bootstorm.run.id", Some(&report.run.id)),
            ("bootstorm.context", cluster.context.as_ref()),
            ("bootstorm.kubernetes.version", cluster.kubernetes_version.as_ref()),
            ("bootstorm.kubevirt.version", cluster.kubevirt_version.as_ref()),
        ];
        for (name, value) in own {
            if let Some(value) = value.filter(|_| !all.iter().any(|(known, _)| known == name)) {
                all.push((name.to_owned(), value.clone()));
            }
        }
        let attributes = all.into_iter().map(|(name, value)| text(&name, value)).collect();
        Message { attributes, ..Message::default() }
    }

    fn scope(&self) -> InstrumentationScope {
        InstrumentationScope {
            name: "kubectl-bootstorm".to_owned(),
            version: self.version.clone(),
            ..InstrumentationScope::default()
        }
    }
}

/// Kinds of telemetry
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A trace per VM and phase.
    Traces,
    /// The metrics of the run.
    Metrics,
}

impl Signal {
    /// Word in paths and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }

    /// Number of spans or data points refused by a collector, and the reason, from the body of its answer.
    ///
    /// `None` if everything was accepted, or the body is not protobuf: collectors answer with an empty one, or with
    /// JSON.
    pub fn refused(self, body: &[u8]) -> Option<(i64, String)> {
        let (count, why) = match self {
            Self::Traces => {
                let partial = ExportTraceServiceResponse::decode(body).ok()?.partial_success?;
                (partial.rejected_spans, partial.error_message)
            }
            Self::Metrics => {
                let partial = ExportMetricsServiceResponse::decode(body).ok()?.partial_success?;
                (partial.rejected_data_points, partial.error_message)
            }
        };
        (count > 0 || !why.is_empty()).then_some((count, why))
    }
}
