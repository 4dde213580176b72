//! Settled timelines are in the record and no longer in memory, however long a series of storms is.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[allow(dead_code, reason = "each of the tests that share it uses a part")]
mod local;

use std::collections::BTreeSet;

use bootstorm_engine::cluster::Cluster;
use bootstorm_engine::cluster::ownership::Estate;
use bootstorm_engine::phases::context::{Extent, PhaseContext};
use bootstorm_engine::phases::setup;
use bootstorm_engine::phases::timed;
use bootstorm_model::plan::{Plan, Template, TemplateSource};
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseSettings, RunRecord, lifecycle};
use bootstorm_report::status::Status;
use bootstorm_report::{Graded, Repetitions, Report, Selection};

use local::{Local, on_paused_time};

const PREFIX: &str = "p";
const VMS: u32 = 4;
const STORMS: usize = 5;

async fn set_up(local: &Local, cluster: &Cluster) {
    let source = TemplateSource::ContainerDisk { image: "example.org/disk:1".into() };
    let mut plan = Plan::resolve(PREFIX, 1, VMS, "vm", source).unwrap();
    plan.probe.probes.clear();
    let mut record = RunRecord::new("run-1".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
    let mut store = cluster.begin_record(&mut record, None).await.unwrap();
    setup::make_namespaces(cluster, &mut record, &mut store, (4, &[]), local.interrupt(), &|_| {})
        .await
        .unwrap();
    setup::close(&mut record, &mut store).await.unwrap();
}

/// Runs a phase as the commands do: with the record from the cluster.
async fn phase(local: &Local, cluster: &Cluster, kind: PhaseKind) -> RunRecord {
    let (mut record, store) = cluster.load(PREFIX).await.unwrap().unwrap();
    assert_eq!(open(&record), [], "a record that was just loaded is packed");
    let lock = cluster.lock(PREFIX, &record.run_id, "tester@host/1", &local.interrupt()).await.unwrap();
    let work = PhaseContext {
        cluster,
        lock: &lock,
        step: lifecycle::next(&record, kind).unwrap(),
        settings: PhaseSettings::default(),
        template: Some(&Template::container_disk("example.org/disk:1")),
        gate: None,
        extent: Extent::Whole,
        interrupt: local.interrupt(),
        events: &|_| {},
    };
    let cut = Box::pin(timed::run(work, &mut record, store)).await.unwrap();
    lock.release().await;
    assert_eq!(cut, None);
    record
}

/// The phases whose timelines are in memory.
fn open(record: &RunRecord) -> Vec<PhaseName> {
    record.phases.iter().filter(|phase| phase.timelines.are_open()).map(|phase| phase.name).collect()
}

#[test]
fn settled_phases_leave_memory_for_the_record() {
    on_paused_time(async {
        let local = Local::of("instant", 2, 1);
        let cluster = local.cluster();
        set_up(&local, &cluster).await;
        let mut kinds = vec![PhaseKind::Create];
        kinds.extend([PhaseKind::Stop, PhaseKind::Storm].repeat(STORMS));
        for kind in kinds {
            let record = phase(&local, &cluster, kind).await;
            let last = record.last_phase().unwrap().name;
            // The first boot holds the VMs' UIDs.
            let may_be_open = [PhaseName::CREATE, last];
            let open = open(&record);
            assert!(open.iter().all(|name| may_be_open.contains(name)), "after {last}: {open:?}");
        }

        let (record, _) = cluster.load(PREFIX).await.unwrap().unwrap();
        assert_eq!(record.phases.len(), 1 + 2 * STORMS);
        let tables = Report::for_tables(&record, &Selection::default());
        let all = Report::of(&record, &Selection::default());
        assert_eq!(Repetitions::of(&record, |_| false).unwrap().storms.len(), STORMS);
        assert_eq!(Graded::of_run(&record).len(), record.phases.len());
        let _ = Status::of(&record);
        assert_eq!(record.wishes().len(), VMS as usize);
        let still_open = open(&record);
        assert_eq!(still_open, [], "what is printed at the end looks at one phase after the other");

        // Tables have a row per VM only where they show a phase in full, and say the same.
        let rows = |report: &Report| report.phases.iter().map(|phase| phase.rows.len()).sum::<usize>();
        assert_eq!((rows(&all), rows(&tables)), (VMS as usize * (1 + 2 * STORMS), VMS as usize * 3));
        for wide in [false, true] {
            let layout = bootstorm_report::Layout { wide, ..Default::default() };
            assert_eq!(tables.table(&layout), all.table(&layout));
            assert_eq!(tables.summary(&layout, &[]), all.summary(&layout, &[]));
            assert_eq!(tables.failures_table(&layout), all.failures_table(&layout));
        }

        // Ownership knows every instance that was created.
        let estate = Estate::of(&record);
        let opened: Vec<PhaseName> =
            open(&record).into_iter().filter(|name| *name != PhaseName::CREATE).collect();
        assert_eq!(opened, []);
        let timelines = record.phases.iter().flat_map(|phase| phase.timelines.read().into_owned());
        let uids: BTreeSet<String> = timelines.filter_map(|timeline| timeline.instance_uid).collect();
        assert_eq!(uids.len(), VMS as usize * (1 + STORMS));
        assert!(uids.iter().all(|uid| estate.knows_instance(uid)));
    });
}
