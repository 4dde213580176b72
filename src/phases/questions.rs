//! Why VMs did not arrive: asked one by one, a few at the same time, without delaying anything.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use crate::cluster::Cluster;
use crate::plan::Target;

/// How many VMs are asked at the same time.
const AT_ONCE: usize = 20;

/// Questions on their way
pub(super) struct Questions {
    cluster: Cluster,
    seats: Arc<Semaphore>,
    sender: mpsc::UnboundedSender<(u32, String)>,
    findings: mpsc::UnboundedReceiver<(u32, String)>,
    open: usize,
}

impl Questions {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let (sender, findings) = mpsc::unbounded_channel();
        let seats = Arc::new(Semaphore::new(AT_ONCE));
        Self { cluster: cluster.clone(), seats, sender, findings, open: 0 }
    }

    /// Asks what keeps a VM from its goal.
    pub(super) fn ask(&mut self, target: u32, machine: Target) {
        self.open += 1;
        let (cluster, sender, seats) = (self.cluster.clone(), self.sender.clone(), Arc::clone(&self.seats));
        tokio::spawn(async move {
            let _seat = seats.acquire().await;
            let finding = match cluster.machine(&machine).await {
                Ok(Some(vm)) => cluster.without_secrets(&vm.complaint()),
                Ok(None) => "the VM does not exist any more".to_owned(),
                Err(trouble) => format!("its state is unknown: {}", trouble.message),
            };
            let _ = sender.send((target, finding));
        });
    }

    /// Whether an answer is on its way.
    pub(super) fn is_open(&self) -> bool {
        self.open > 0
    }

    /// The next answer; for ever when there is none. Safe to cancel.
    pub(super) async fn next(&mut self) -> (u32, String) {
        match self.findings.recv().await {
            Some(finding) => {
                self.open = self.open.saturating_sub(1);
                finding
            }
            None => std::future::pending().await,
        }
    }
}
