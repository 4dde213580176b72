//! Setup: creates the namespaces and probers of a run, and records them.

use futures::StreamExt;

use super::event::{Event, Listener};
use super::{Interrupt, timed::Cut};
use crate::cluster::namespaces::Made;
use crate::cluster::ownership::Estate;
use crate::cluster::store::RunStore;
use crate::cluster::{Cluster, Trouble};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Clock;
use bootstorm_model::record::RunRecord;

/// Makes and tries the probers, then makes the namespaces that are missing, `batch_size` at the same time.
///
/// Namespaces that an earlier, interrupted setup made are kept.
pub async fn make_namespaces(
    cluster: &Cluster,
    record: &mut RunRecord,
    store: &mut RunStore,
    batch_size: usize,
    mut interrupt: Interrupt,
    events: Listener<'_>,
) -> Result<Option<Cut>, Failure> {
    // What would keep the guests from being probed is known before anything is made for them.
    super::probers::prepare(cluster, record, events).await?;
    let clock = Clock::start();
    let names = if record.plan.makes_namespaces() { record.plan.namespaces() } else { Vec::new() };
    if !names.is_empty() {
        let made = names.iter().filter(|name| record.made.namespaces.contains_key(*name)).count();
        events(&Event::SetupBegan { namespaces: names.len(), made, batch_size });
    }
    let estate = Estate::of(record);
    let make = |name: String| {
        let estate = &estate;
        async move {
            let made = cluster.make_namespace(&name, estate).await;
            (name, made)
        }
    };
    let mut making = futures::stream::iter(names).map(make).buffer_unordered(batch_size.max(1));
    let mut made_now = 0;
    loop {
        let (name, made): (String, Result<Made, Trouble>) = tokio::select! {
            biased;
            () = interrupt.wait() => {
                events(&Event::Interrupted);
                return Ok(Some(Cut::Interrupted));
            }
            next = making.next() => match next {
                Some(next) => next,
                None => break,
            },
        };
        match made? {
            Made::Now(uid) => {
                made_now += 1;
                record.made.namespaces.insert(name, uid);
            }
            Made::Before(uid) => {
                record.made.namespaces.insert(name, uid);
            }
            Made::Foreign(stranger) => {
                return Err(Failure::new(format!("namespace {name} exists already and is not ours"))
                    .because(stranger)
                    .hint("choose another prefix with --ns-prefix NAME"));
            }
            Made::Terminating => {
                return Err(Failure::new(format!("namespace {name} is still being deleted")).hint(format!(
                    "wait for it, then try again: kubectl wait --for=delete namespace/{name}"
                )));
            }
        }
        events(&Event::NamespaceMade);
    }
    drop(making);
    let took = clock.now();
    store.save_namespaces(record).await?;
    record.setup.namespaces += made_now;
    record.setup.took = bootstorm_model::observe::Offset(record.setup.took.0 + took.0);
    record.setup.batch_size = batch_size;
    store.save(record, None).await?;
    Ok(None)
}

/// Makes and tries the probers of a run that needs nothing else.
pub async fn make_probers(
    cluster: &Cluster,
    record: &mut RunRecord,
    events: Listener<'_>,
) -> Result<(), Failure> {
    super::probers::prepare(cluster, record, events).await
}

/// Records that setup is complete, so VMs may be created.
pub async fn close(record: &mut RunRecord, store: &mut RunStore) -> Result<(), Failure> {
    record.setup.done = true;
    Ok(store.save(record, None).await?)
}

/// The guide's advice on namespaces made at once: 20 on small clusters, 30 from 10 nodes, 50 above 50.
pub fn batch_size(nodes: Option<usize>) -> usize {
    match nodes.unwrap_or(0) {
        0..10 => 20,
        10..=50 => 30,
        _ => 50,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_sizes_follow_the_guide() {
        assert_eq!([None, Some(3), Some(10), Some(50), Some(51)].map(batch_size), [20, 20, 30, 30, 50]);
    }
}
