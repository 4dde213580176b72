//! Options of a phase, and its settings: as requested, or as when it was begun.

use std::str::FromStr;
use std::sync::Arc;

use crate::phases::gate::Gate;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::{Order, Shape};
use bootstorm_model::record::lifecycle::Step;
use bootstorm_model::record::{PhaseKind, PhaseSettings, RunRecord, Share, StormKind};

/// A requested phase
#[derive(Debug, Clone)]
pub struct PhaseOptions {
    /// Name of the run.
    pub prefix: String,
    /// Kind of phase.
    pub kind: PhaseKind,
    /// Requested settings; `order` has its own field.
    pub wanted: PhaseSettings,
    /// Requested order.
    pub order: Option<OrderChoice>,
    /// Whether expected problems of a migration or a drain are only warnings.
    pub skip_preflight: bool,
    /// Its role in a series.
    pub role: Role,
}

/// Role of a phase in a series of storms; by default none
#[derive(Debug, Clone, Default)]
pub struct Role {
    /// Maximum number of VMs that take part.
    pub size: Option<u32>,
    /// Whether it only warms up caches.
    pub warm_up: bool,
    /// Settings of the previous storm, whose shape and order it shares.
    pub like: Option<PhaseSettings>,
    /// Its place in the sequence, for display: `phase 2 of 3`.
    pub place: Option<String>,
    /// Command that continues; absent means that of the phase.
    pub again: Option<String>,
    /// Whether it is a step of a whole run, which continues only as such: with its shape, thresholds and hooks.
    pub is_of_run: bool,
    /// Common start with phases of other clusters.
    pub gate: Option<Arc<Gate>>,
}

/// A requested order; `random` alone leaves the seed open
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderChoice {
    /// Given order.
    Given(Order),
    /// Shuffled with any seed.
    AnyRandom,
}

impl FromStr for OrderChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "random" { Ok(Self::AnyRandom) } else { text.parse().map(Self::Given) }
    }
}

impl PhaseOptions {
    /// The settings of the phase; fails if options contradict its beginning.
    pub fn settings(&self, record: &RunRecord, step: Step) -> Result<PhaseSettings, Failure> {
        self.check_halted(record)?;
        let (shape, order) = self.shape(record, step)?;
        let (nodes, share) = (self.nodes(record, step)?, self.share(record, step)?);
        let Role { size, warm_up, .. } = self.role;
        Ok(PhaseSettings { shape, order, size, warm_up, nodes, share, ..self.wanted.clone() })
    }

    /// A create continues with or without starting VMs, as it was begun.
    pub fn check_halted(&self, record: &RunRecord) -> Result<(), Failure> {
        let begun = record.phases.iter().find(|phase| phase.name.kind == PhaseKind::Create);
        if self.wanted.halted && begun.is_some_and(|create| !create.settings.halted) {
            return Err(Failure::usage(
                "--halted cannot be added: the create of this run was started without it",
            )
            .hint("omit --halted, or set up another run with another --ns-prefix"));
        }
        Ok(())
    }

    /// The phase without a shape: all requests at once, in the order of names.
    pub(super) fn at_once(self) -> Self {
        let wanted = PhaseSettings { shape: None, ..self.wanted };
        Self { wanted, order: None, ..self }
    }

    /// The command that continues the phase.
    pub fn again(&self) -> String {
        let own = match self.kind {
            PhaseKind::Storm => self.wanted.kind.command(),
            kind => kind.word(),
        };
        if self.role.is_of_run {
            return format!(
                "to continue: kubectl bootstorm run --ns-prefix {} with the same flags",
                self.prefix
            );
        }
        let again = self.role.again.as_deref().unwrap_or(own);
        format!("to continue: kubectl bootstorm {again} --ns-prefix {}", self.prefix)
    }

    /// The shape and order of the phase: as when it was begun, as those of its series, or as requested.
    fn shape(&self, record: &RunRecord, step: Step) -> Result<(Option<Shape>, Order), Failure> {
        let begun = match step {
            Step::Continue(name) => record.phase(name).map(|phase| &phase.settings),
            Step::Begin(_) => self.role.like.as_ref(),
        };
        if let Some(begun) = begun {
            self.check_shape(begun, step)?;
            return Ok((begun.shape, begun.order));
        }
        let order = match self.order {
            None => Order::Name,
            Some(OrderChoice::Given(order)) => order,
            Some(OrderChoice::AnyRandom) => Order::Random { seed: u64::from(rand::random::<u32>()) },
        };
        if order == Order::Node && step.name().kind == PhaseKind::Create {
            return Err(Failure::usage(
                "--order node: VMs that are not created yet have not run on any node",
            )
            .hint("use --order name or --order random"));
        }
        Ok((self.wanted.shape, order))
    }

    fn check_shape(&self, begun: &PhaseSettings, step: Step) -> Result<(), Failure> {
        if let Some(shape) = self.wanted.shape.filter(|shape| Some(*shape) != begun.shape) {
            let was = begun.shape.map_or_else(|| "all at once".to_owned(), |shape| shape.to_string());
            return Err(contradicts(&format!("--{shape}"), step, &was));
        }
        let same = match (self.order, begun.order) {
            (None, _) | (Some(OrderChoice::AnyRandom), Order::Random { .. }) => true,
            (Some(OrderChoice::Given(order)), begun) => order == begun,
            (Some(OrderChoice::AnyRandom), _) => false,
        };
        if same { Ok(()) } else { Err(contradicts("--order", step, &format!("order {}", begun.order))) }
    }

    /// Share of the VMs that migrates: as requested, or as when the storm was begun.
    fn share(&self, record: &RunRecord, step: Step) -> Result<Option<Share>, Failure> {
        let Some(begun) = record.phase(step.name()).map(|phase| phase.settings.share) else {
            return Ok(self.wanted.share);
        };
        match self.wanted.share {
            Some(share) if begun != Some(share) => {
                let was =
                    begun.map_or_else(|| "all running VMs".to_owned(), |begun| format!("share {begun}"));
                Err(contradicts(&format!("--share {share}"), step, &was))
            }
            _ => Ok(begun),
        }
    }

    /// Nodes of a drain: as named, or as when it was begun.
    fn nodes(&self, record: &RunRecord, step: Step) -> Result<Vec<String>, Failure> {
        let begun = record.phase(step.name()).map(|phase| &phase.settings.nodes);
        let wanted = &self.wanted.nodes;
        match (self.wanted.kind, begun) {
            (StormKind::Drain, Some(begun)) if wanted.is_empty() || wanted == begun => Ok(begun.clone()),
            (StormKind::Drain, Some(begun)) => {
                let begun = begun.join(",");
                Err(Failure::usage(format!("{} was started on other nodes: {begun}", step.name())).hint(
                    format!(
                        "to continue it: kubectl bootstorm storm --ns-prefix {} --drain {begun}",
                        self.prefix
                    ),
                ))
            }
            (StormKind::Drain, None) if wanted.is_empty() => {
                Err(Failure::usage("a drain needs nodes").hint("name them: storm --drain NODE[,NODE...]"))
            }
            _ => Ok(wanted.clone()),
        }
    }
}

/// The failure for a flag that contradicts how a phase was begun.
fn contradicts(flag: &str, step: Step, was: &str) -> Failure {
    Failure::usage(format!("{flag} contradicts {}: {was}", step.name()))
        .hint("omit the flag to continue as it was started")
}

/// Maximum number of participants, as far as known before they are listed.
pub(super) fn vms(settings: &PhaseSettings, record: &RunRecord) -> usize {
    let all = record.plan.size() as usize;
    match (settings.share, settings.size) {
        (Some(share), _) => share.of(all),
        (None, size) => size.map_or(all, |size| size as usize),
    }
}

/// A note about the shape of a phase of this many VMs.
pub(super) fn note(shape: Option<Shape>, vms: usize) -> Option<String> {
    let Some(Shape::Ramp { vms: planned, over_millis }) = shape else { return None };
    let takes = vms as f64 * over_millis as f64 / 1e3 / f64::from(planned.max(1));
    (vms != planned as usize).then(|| {
        format!("the ramp is for {planned} VMs and there are {vms}: at the same pace, they take {takes:.1}s")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_for_another_number_of_vms_says_how_long_it_takes() {
        let ramp = Shape::ramp_of("100/60s").ok();
        assert_eq!(note(ramp, 100), None);
        assert_eq!(
            note(ramp, 150).unwrap(),
            "the ramp is for 100 VMs and there are 150: at the same pace, they take 90.0s"
        );
        assert_eq!(note(Shape::rate_of("20/s").ok(), 7), None);
    }
}
