//! Flags of create, stop and storm.

use clap::Args;

use super::around::Around;
use super::beside_args::BesideArgs;
use super::pace_args::{DryRunArgs, PaceArgs};
use super::plan_args::{AssertedArgs, RunArgs};
use super::preflight::PreflightArgs;
use super::session::Session;
use super::shape_args::ShapeArgs;
use bootstorm_engine::runs::settings::{PhaseOptions, Role};
use bootstorm_model::record::{PhaseKind, PhaseSettings, Share, StormKind};

/// Flags of create, stop and storm
#[derive(Debug, Clone, Args)]
pub struct PhaseArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
    #[command(flatten)]
    pub shape: ShapeArgs,
    #[command(flatten)]
    pub asserted: AssertedArgs,
    #[command(flatten)]
    pub dry_run: DryRunArgs,
    #[command(flatten)]
    pub beside: BesideArgs,
    /// Whether a create makes VMs without starting them.
    #[arg(skip)]
    pub halted: bool,
    /// Kind of the storm.
    #[arg(skip)]
    pub storm: StormKind,
    /// Nodes of a drain.
    #[arg(skip)]
    pub nodes: Vec<String>,
    /// Share of the running VMs that migrates; absent means all.
    #[arg(skip)]
    pub share: Option<Share>,
    /// Whether expected problems of a migration are only warnings.
    #[arg(skip)]
    pub preflight: PreflightArgs,
}

impl PhaseArgs {
    /// The requested phase.
    pub(super) fn options(&self, kind: PhaseKind) -> PhaseOptions {
        let phase = requested(&self.run, &self.pace, &self.shape, self.preflight);
        let wanted = PhaseSettings {
            halted: self.halted,
            kind: self.storm,
            nodes: self.nodes.clone(),
            share: self.share,
            ..phase.wanted
        };
        PhaseOptions { kind, wanted, ..phase }
    }

    /// Steps around the requested phase.
    pub(super) fn around<'a>(&'a self, session: &'a Session) -> Around<'a> {
        let (asserted, judged) = (Some(&self.asserted), Some(self.storm));
        Around { asserted, judged, ..Around::new(session, Some(&self.beside)) }
    }
}

/// A storm with these flags.
pub(super) fn requested(
    run: &RunArgs,
    pace: &PaceArgs,
    shape: &ShapeArgs,
    preflight: PreflightArgs,
) -> PhaseOptions {
    PhaseOptions {
        prefix: run.prefix.clone(),
        kind: PhaseKind::Storm,
        wanted: PhaseSettings { shape: shape.shape(), ..pace.settings() },
        order: shape.order,
        skip_preflight: preflight.skip_preflight,
        role: Role::default(),
    }
}
