//! The families of the other formats as OTLP metrics.

use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use prost::Message;

use super::attribute::text;
use super::traces::nanos;
use super::{Resource, SCHEMA};
use crate::Report;
use crate::openmetrics::family::{Family, Kind};
use bootstorm_model::stats::round_to_micros;

impl Report {
    /// The metrics of the run as one protobuf request; `at` is the time of sending.
    ///
    /// Names, labels and values are those of [`Report::openmetrics`], with the prefix `bootstorm.` and without the
    /// final unit, which is a field of its own: a receiver that converts them to Prometheus names gets the same ones.
    pub fn otlp_metrics(&self, resource: &Resource, at: Timestamp) -> Vec<u8> {
        let families = self.families();
        let with_samples = families.iter().filter(|family| !family.samples.is_empty());
        let scope = ScopeMetrics {
            scope: Some(resource.scope()),
            metrics: with_samples.map(|family| self.metric(family, at)).collect(),
            schema_url: SCHEMA.to_owned(),
        };
        let resource = ResourceMetrics {
            resource: Some(resource.message(self)),
            scope_metrics: vec![scope],
            schema_url: SCHEMA.to_owned(),
        };
        ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec()
    }

    fn metric(&self, family: &Family, at: Timestamp) -> Metric {
        let is_counter = family.kind == Kind::Counter;
        let point = |sample: &crate::openmetrics::family::Sample| {
            let labels = sample.labels.iter().map(|(name, value)| text(name, value.clone()));
            let phase = sample.labels.iter().find(|(name, _)| name == "phase").map(|(_, value)| value);
            let began = self.phases.iter().find(|block| Some(&block.name.to_string()) == phase);
            let began = began.map_or(0, |block| nanos(block.began, 0.0));
            NumberDataPoint {
                attributes: std::iter::once(text("run", self.run.name.clone())).chain(labels).collect(),
                start_time_unix_nano: if is_counter { began } else { 0 },
                time_unix_nano: nanos(at, 0.0),
                value: Some(Value::AsDouble(round_to_micros(sample.value))),
                ..NumberDataPoint::default()
            }
        };
        let data_points = family.samples.iter().map(point).collect();
        // A receiver adds the suffix of a counter; that of a fact belongs to its name.
        let suffix = if family.kind == Kind::Info { family.kind.suffix() } else { "" };
        let name = family.name.strip_suffix(family.unit).unwrap_or(family.name).trim_end_matches('_');
        Metric {
            name: format!("bootstorm.{name}{suffix}"),
            description: family.help.to_owned(),
            unit: match family.unit {
                "seconds" => "s",
                "ratio" => "1",
                unit => unit,
            }
            .to_owned(),
            data: Some(if is_counter {
                let aggregation_temporality = AggregationTemporality::Cumulative.into();
                Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })
            } else {
                Data::Gauge(Gauge { data_points })
            }),
            ..Metric::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, fixtures};

    #[test]
    fn every_sample_of_the_text_is_a_data_point() {
        let report = Report::of(&fixtures::with_failures(), &Selection::default());
        let resource = Resource { service: "x".into(), version: "1".into(), attributes: Vec::new() };
        let at: Timestamp = "2026-03-04T10:00:00Z".parse().unwrap();
        let bytes = report.otlp_metrics(&resource, at);
        let sent = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
        let metrics = &sent.resource_metrics[0].scope_metrics[0].metrics;
        let mut shown = Vec::new();
        for metric in metrics {
            let (points, suffix) = match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => {
                    assert!(sum.data_points.iter().all(|point| point.start_time_unix_nano > 0));
                    (&sum.data_points, "_total")
                }
                Data::Gauge(gauge) => (&gauge.data_points, ""),
                other => panic!("{other:?}"),
            };
            let unit = match metric.unit.as_str() {
                "s" => "_seconds",
                "1" => "_ratio",
                "" => "",
                other => panic!("{other}"),
            };
            // Prometheus name that a receiver derives from the name.
            let name = format!("{}{unit}{suffix}", metric.name.replace('.', "_"));
            shown.extend(points.iter().map(|_| name.clone()));
        }
        let text = report.openmetrics();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let names: Vec<_> = samples.iter().map(|line| line.split('{').next().unwrap().to_owned()).collect();
        assert_eq!(shown, names);
        assert!(names.len() > 50, "{}", names.len());
    }
}
