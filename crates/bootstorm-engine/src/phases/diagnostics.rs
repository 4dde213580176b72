//! Diagnoses VMs that missed the goal: a few requests at a time, without delaying anything.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use crate::cluster::Cluster;
use crate::cluster::machines::Machine;
use bootstorm_model::observe::findings::MOST_FOUND;
use bootstorm_model::observe::{Findings, Offset};
use bootstorm_model::plan::Target;

/// VMs diagnosed concurrently.
const AT_ONCE: usize = 20;
/// VMs whose disks are read too; this many suffice to find a common cause.
const ABOUT_DISKS: usize = 50;
/// Maximum length of a condition, or of the state of a disk.
const MOST_TOLD: usize = 300;
/// VM statuses that mean its disks are ready
const BEYOND_DISKS: [&str; 3] = ["Running", "CrashLoopBackOff", "Stopping"];

/// Diagnosis of a VM
#[derive(Debug)]
pub(super) struct Answered {
    /// The VM.
    pub(super) target: u32,
    /// One-line summary.
    pub(super) complaint: String,
    /// Its reported status, if it exists.
    pub(super) findings: Option<Findings>,
}

/// Diagnoses in progress
pub(super) struct Diagnostics {
    cluster: Cluster,
    seats: Arc<Semaphore>,
    sender: mpsc::UnboundedSender<Answered>,
    findings: mpsc::UnboundedReceiver<Answered>,
    open: usize,
    asked: usize,
}

impl Diagnostics {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let (sender, findings) = mpsc::unbounded_channel();
        let seats = Arc::new(Semaphore::new(AT_ONCE));
        Self { cluster: cluster.clone(), seats, sender, findings, open: 0, asked: 0 }
    }

    /// Begins the diagnosis of a VM that missed its goal; `at` is now.
    ///
    /// `made` states whether it existed before.
    pub(super) fn ask(&mut self, target: u32, machine: Target, made: bool, at: Offset) {
        self.open += 1;
        self.asked += 1;
        let about_disks = self.asked <= ABOUT_DISKS;
        let (cluster, sender, seats) = (self.cluster.clone(), self.sender.clone(), Arc::clone(&self.seats));
        tokio::spawn(async move {
            let _seat = seats.acquire().await;
            let (complaint, findings) = match cluster.machine(&machine).await {
                Ok(Some(vm)) => {
                    let findings = findings(&cluster, &vm, about_disks, at).await;
                    (cluster.without_secrets(vm.complaint()), Some(findings))
                }
                Ok(None) if made => ("the VM no longer exists".to_owned(), None),
                // The reason for its absence is already known.
                Ok(None) => (String::new(), None),
                Err(error) => (format!("its state is unknown: {}", error.message), None),
            };
            let _ = sender.send(Answered { target, complaint, findings });
        });
    }

    /// Whether a diagnosis is in progress.
    pub(super) fn is_open(&self) -> bool {
        self.open > 0
    }

    /// The next answer; never completes if there is none. Cancel-safe.
    pub(super) async fn next(&mut self) -> Answered {
        match self.findings.recv().await {
            Some(finding) => {
                self.open = self.open.saturating_sub(1);
                finding
            }
            None => std::future::pending().await,
        }
    }
}

/// Status of a VM and of its disks.
async fn findings(cluster: &Cluster, vm: &Machine, about_disks: bool, at: Offset) -> Findings {
    let short = |text: &str| -> String { cluster.without_secrets(text).chars().take(MOST_TOLD).collect() };
    let mut volumes = Vec::new();
    if about_disks && !BEYOND_DISKS.contains(&vm.printable()) {
        for disk in vm.disks().iter().take(MOST_FOUND) {
            volumes.extend(cluster.state_of(&vm.target().namespace, disk).await.map(|state| short(&state)));
        }
    }
    Findings {
        at,
        status: short(vm.printable()),
        conditions: vm.complaints().take(MOST_FOUND).map(|complaint| short(&complaint)).collect(),
        volumes,
    }
}
