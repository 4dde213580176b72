//! A record's contents, read as the program reads it.

use bootstorm_engine::cluster::Connection;
use bootstorm_model::observe::{Milestone, Moment};
use bootstorm_model::record::RunRecord;

use crate::support::Cluster;

/// The default run's record, if there is one.
pub(super) fn load(cluster: &Cluster) -> Option<RunRecord> {
    let connection = Connection { kubeconfig: Some(cluster.kubeconfig()), ..Connection::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let cluster = connection.open().await.unwrap();
        cluster.load("boot-storm-test").await.unwrap().map(|(record, _)| record)
    })
}

/// A saved observation: phase, VM, milestone, time.
pub(super) type Saved = (String, u32, Milestone, Moment);

/// Every observation that must survive: all but requests without an effect so far, which die with their process.
pub(super) fn observations(record: &RunRecord) -> Vec<Saved> {
    let mut saved = Vec::new();
    for phase in &record.phases {
        for timeline in &phase.timelines {
            let lasts = |milestone: Milestone| {
                milestone != Milestone::Requested || timeline.has(Milestone::Accepted) || timeline.is_over()
            };
            let of_it = timeline.moments.iter().filter(|(milestone, _)| lasts(**milestone));
            saved.extend(of_it.map(|(m, moment)| (phase.name.to_string(), timeline.target, *m, *moment)));
        }
    }
    saved
}
