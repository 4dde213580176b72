//! `--push` and `--otlp`: results for services beside the cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};

use super::otlp::{Exporter, Traces};
use crate::console::Console;
use bootstorm_engine::outside::{self, Limit, Outside, Settings, Url};
use bootstorm_engine::phases::Interrupt;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::RunRecord;
use bootstorm_report::{Report, Selection, ThresholdBlock};

/// Media type of the text format that `Report::prometheus` writes.
pub(super) const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Limits of one push: a hanging gateway delays the next phase by no more.
const LIMIT: Limit = Limit { time: Duration::from_secs(10), bytes: 64 * 1024 };

/// Flags that send results to other services
#[derive(Debug, Clone, Default, Args)]
pub struct ExportArgs {
    /// Push the metrics of the run to the Prometheus Pushgateway at this URL after each phase
    #[arg(long, value_name = "URL")]
    pub push: Option<String>,
    /// Send traces and metrics to the OpenTelemetry collector at this URL after each phase
    ///
    /// OTLP over HTTP with protobuf: a trace per VM and phase. The variables `OTEL_EXPORTER_OTLP_*` count; env leaves
    /// the address to them.
    #[arg(long, value_name = "URL|env")]
    pub otlp: Option<String>,
    /// Whether a failed push and a failed export were reported; shared by all copies.
    #[arg(skip)]
    warned: Arc<[AtomicBool; 2]>,
}

impl ExportArgs {
    /// Fails if an address or its credentials are unusable, before anything is measured.
    pub fn check(&self) -> Result<(), Failure> {
        if let Some(url) = &self.push {
            push_url(url)?;
            credentials()?;
        }
        self.exporter().map(|_| ())
    }

    /// Sends the run after a phase.
    ///
    /// Never fails: the measurements are kept in the record. The first failure of each service is reported as a
    /// warning.
    pub(super) async fn phase_ended(&self, console: Console, interrupt: &Interrupt, record: &RunRecord) {
        let last = record.last_phase().map_or(Traces::None, |phase| Traces::Of(phase.name));
        self.send(console, interrupt, record, &[], last).await;
    }

    /// Sends the run again, with its thresholds; without any, it was already sent.
    pub(super) async fn judged(
        &self,
        console: Console,
        interrupt: &Interrupt,
        record: &RunRecord,
        thresholds: &[ThresholdBlock],
    ) {
        if !thresholds.is_empty() {
            self.send(console, interrupt, record, thresholds, Traces::None).await;
        }
    }

    async fn send(
        &self,
        console: Console,
        interrupt: &Interrupt,
        record: &RunRecord,
        thresholds: &[ThresholdBlock],
        traces: Traces,
    ) {
        if self.push.is_none() && self.otlp.is_none() {
            return;
        }
        let report = Report::of(record, &Selection::default()).with_thresholds(thresholds.to_vec());
        let mut interrupt = interrupt.clone();
        let sent = tokio::select! {
            biased;
            // The next step reports the interrupt.
            () = interrupt.wait() => return,
            sent = async { [("push", self.pushed(&report).await), ("otlp", self.exported(&report, traces).await)] } => sent,
        };
        for ((flag, sent), warned) in sent.into_iter().zip(&*self.warned) {
            let Err(failure) = sent else { continue };
            tracing::warn!(why = %failure, "{flag} failed");
            if !warned.swap(true, Ordering::Relaxed) {
                let hints: String = failure.hints.iter().map(|hint| format!("; {hint}")).collect();
                let prefix = &record.plan.prefix;
                let again = format!("kubectl bootstorm report --ns-prefix {prefix} --{flag} URL");
                console
                    .warn(&format!("{failure}{hints}; the run continues; to {} later: {again}", word(flag)));
            }
        }
    }

    /// Whether services need a row per VM of every phase.
    pub(super) fn wants_rows(&self) -> bool {
        self.otlp.is_some()
    }

    /// Sends a report to the requested services. Fails if it does not reach one of them, after trying all.
    pub(super) async fn report(&self, report: &Report) -> Result<(), Failure> {
        let pushed = self.pushed(report).await;
        let exported = self.exported(report, Traces::All).await;
        pushed.and(exported)
    }

    fn exporter(&self) -> Result<Option<Exporter>, Failure> {
        let Some(flag) = &self.otlp else { return Ok(None) };
        Exporter::of(flag, |name| std::env::var(name).ok())
    }

    async fn exported(&self, report: &Report, traces: Traces) -> Result<(), Failure> {
        let Some(exporter) = self.exporter()? else { return Ok(()) };
        exporter.send(report, traces).await
    }

    async fn pushed(&self, report: &Report) -> Result<(), Failure> {
        let Some(text) = &self.push else { return Ok(()) };
        let url = push_url(text)?;
        let settings = Settings { headers: outside::authorized(credentials()?), authority: None };
        let gateway = Outside::new(&url, &settings)?;
        let kind = [(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT))];
        let body = report.prometheus().into_bytes();
        let failed =
            |why: String| Failure::new(format!("the metrics could not be pushed to {url}")).because(why);
        let group = group(&url, &report.run.name);
        let answer = gateway.send(Method::PUT, &group, &kind, body, LIMIT).await.map_err(|fault| {
            failed(fault.message).hint(format!("check that a Pushgateway answers at {url}"))
        })?;
        match answer.status {
            _ if answer.is_success() => {
                tracing::info!(%url, "metrics pushed");
                Ok(())
            }
            401 | 403 => Err(failed(answer.complaint())
                .hint("set BOOTSTORM_PUSH_TOKEN, or BOOTSTORM_PUSH_USERNAME and BOOTSTORM_PUSH_PASSWORD")),
            404 | 405 => Err(failed(answer.complaint())
                .hint("give the address of a Pushgateway, such as http://HOST:9091")),
            _ => Err(failed(answer.complaint())),
        }
    }
}

/// Verb for a flag in a sentence.
fn word(flag: &str) -> &str {
    if flag == "otlp" { "send" } else { flag }
}

fn push_url(text: &str) -> Result<Url, Failure> {
    Url::parse("--push", text)
}

fn credentials() -> Result<Option<HeaderValue>, Failure> {
    outside::authorization("PUSH", |name| std::env::var(name).ok())
}

/// The group of a run at a gateway, by the rules of pushgateway 1.5.1 (README, "URL"): `/metrics/job/JOB/NAME/VALUE`.
///
/// If the URL already names a group, the run is appended.
fn group(url: &Url, run: &str) -> Url {
    let names_group = url.path().contains("/metrics/job/") || url.path().contains("/metrics/job@base64/");
    let group = if names_group { url.clone() } else { url.join("metrics/job/bootstorm") };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !run.is_empty() && run.chars().all(is_plain) {
        return group.join(&format!("run/{run}"));
    }
    // Padding alone stands for an empty value.
    let value = if run.is_empty() { "=".to_owned() } else { URL_SAFE_NO_PAD.encode(run) };
    group.join(&format!("run@base64/{value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_group_whatever_its_name() {
        let at = |url: &str, run: &str| group(&push_url(url).unwrap(), run).to_string();
        assert_eq!(at("http://g:9091", "friday-1"), "http://g:9091/metrics/job/bootstorm/run/friday-1");
        assert_eq!(at("http://g/p/", "a/b?c"), "http://g/p/metrics/job/bootstorm/run@base64/YS9iP2M");
        assert_eq!(at("http://g", ".."), "http://g/metrics/job/bootstorm/run@base64/Li4");
        assert_eq!(at("http://g", ""), "http://g/metrics/job/bootstorm/run@base64/=");
        assert_eq!(at("http://g/metrics/job/ci/branch/x", "r"), "http://g/metrics/job/ci/branch/x/run/r");
    }
}
