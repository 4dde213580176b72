//! Flags of what happens beside the phases of a run.

use clap::Args;

use super::export_args::ExportArgs;
use super::hooks::HookArgs;
use super::in_cluster::InClusterArgs;
use super::listen_args::ListenArgs;
use super::metrics_args::MetricsArgs;
use super::save_args::SaveArgs;
use super::session::Session;
use super::threshold_args::FailIfArgs;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::RunRecord;
use bootstorm_report::ThresholdBlock;

/// Flags of what happens beside the phases of a run: files, thresholds, hooks, exports
#[derive(Debug, Clone, Args)]
pub struct BesideArgs {
    #[command(flatten)]
    pub save: SaveArgs,
    #[command(flatten)]
    pub fail_if: FailIfArgs,
    #[command(flatten)]
    pub hooks: HookArgs,
    #[command(flatten)]
    pub exports: ExportArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub metrics: MetricsArgs,
    #[command(flatten)]
    pub in_cluster: InClusterArgs,
}

impl BesideArgs {
    /// Fails if a place for results is unusable, or if a flag that only works on this computer is combined with
    /// `--in-cluster`.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.save.check()?;
        self.exports.check()?;
        self.metrics.check()?;
        self.in_cluster.check(&[
            (!self.hooks.before.is_empty(), "--before"),
            (!self.hooks.after.is_empty(), "--after"),
            (self.listen.listen.is_some(), "--listen"),
            (self.metrics.prometheus.is_some(), "--prometheus"),
        ])
    }

    /// Saves and exports a result that was shown.
    pub(super) async fn finish(
        &self,
        session: &Session,
        record: &RunRecord,
        thresholds: &[ThresholdBlock],
    ) -> Result<(), Failure> {
        self.save.finish(session.console, record, thresholds)?;
        self.exports.judged(session.console, &session.interrupt, record, thresholds).await;
        self.save.index.finish(session.console, &session.interrupt, record, thresholds).await;
        Ok(())
    }
}
