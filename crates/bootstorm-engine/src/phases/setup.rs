//! Setup: creates the namespaces and probers of a run, and records them.

use futures::StreamExt;
use serde_json::Value;

use super::Interrupt;
use super::context::StopReason;
use super::event::{Event, Listener};
use crate::cluster::extras::MadeExtra;
use crate::cluster::namespaces::Made;
use crate::cluster::ownership::Estate;
use crate::cluster::store::RunStore;
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Clock;
use bootstorm_model::plan::{Extra, Plan, Template};
use bootstorm_model::record::RunRecord;

/// The store of a run set up by `holder`; saves the record of a new run.
///
/// Fails if another process has saved a record of that name meanwhile.
pub async fn begin(
    cluster: &Cluster,
    record: &mut RunRecord,
    found: Option<RunStore>,
    holder: &str,
) -> Result<RunStore, Failure> {
    if let Some(mut store) = found {
        store.set_holder(holder);
        return Ok(store);
    }
    let prefix = record.plan.prefix.clone();
    cluster.begin_record(record, Some(holder)).await.map_err(|error| {
        if error.kind == Kind::AlreadyExists {
            Failure::new(format!("another process has just set up run \"{prefix}\""))
                .hint(format!("see where it stands: kubectl bootstorm status --ns-prefix {prefix}"))
        } else {
            error.into()
        }
    })
}

/// Creates and tests the probers, then creates missing namespaces, `batch_size` concurrently, and in each the small
/// objects that the VMs need there.
///
/// Objects of an earlier, interrupted setup are kept. `originals` are the small objects of the plan, as they are to be.
pub async fn make_namespaces(
    cluster: &Cluster,
    record: &mut RunRecord,
    store: &mut RunStore,
    (batch_size, originals): (usize, &[Value]),
    mut interrupt: Interrupt,
    events: Listener<'_>,
) -> Result<Option<StopReason>, Failure> {
    // Problems with probing are detected before anything is created for the guests.
    super::probers::prepare(cluster, record, events).await?;
    let clock = Clock::start();
    let makes = record.plan.makes_namespaces();
    let has_extras = !record.plan.extras.is_empty();
    let names = if makes || has_extras { record.plan.namespaces() } else { Vec::new() };
    if makes && !names.is_empty() {
        let made = names.iter().filter(|name| record.made.namespaces.contains_key(*name)).count();
        events(&Event::SetupBegan { namespaces: names.len(), made, batch_size });
    }
    let estate = Estate::of(record);
    let plan = record.plan.clone();
    let extras: Vec<(Extra, &Value)> =
        originals.iter().filter_map(|original| Some((Extra::of(original)?, original))).collect();
    let make = |name: String| {
        let (estate, plan, extras) = (&estate, &plan, &extras);
        async move {
            let made = if makes { Some(cluster.make_namespace(&name, plan, estate).await) } else { None };
            let mut beside = Vec::new();
            if matches!(made, None | Some(Ok(Made::Now(_) | Made::Before(_)))) {
                for (extra, original) in extras {
                    beside.push((extra.clone(), cluster.make_extra(extra, original, &name, estate).await));
                }
            }
            (name, made, beside)
        }
    };
    let mut making = futures::stream::iter(names).map(make).buffer_unordered(batch_size.max(1));
    let mut made_now = 0;
    loop {
        let (name, made, beside): Step = tokio::select! {
            biased;
            () = interrupt.wait() => {
                events(&Event::Interrupted);
                return Ok(Some(StopReason::Interrupted));
            }
            next = making.next() => match next {
                Some(next) => next,
                None => break,
            },
        };
        match made.transpose()? {
            None => {}
            Some(Made::Now(uid)) => {
                made_now += 1;
                record.made.namespaces.insert(name.clone(), uid);
            }
            Some(Made::Before(uid)) => {
                record.made.namespaces.insert(name.clone(), uid);
            }
            Some(Made::Foreign(stranger)) => {
                return Err(Failure::new(format!("namespace {name} exists already and is not ours"))
                    .because(stranger)
                    .hint("choose another prefix with --ns-prefix NAME"));
            }
            Some(Made::Terminating) => {
                return Err(Failure::new(format!("namespace {name} is still being deleted")).hint(format!(
                    "wait for it, then try again: kubectl wait --for=delete namespace/{name}"
                )));
            }
        }
        for (extra, made) in beside {
            match made? {
                MadeExtra::Ours(uid) => {
                    record.made.extras.insert(extra.key(&name), uid);
                }
                MadeExtra::Foreign(stranger) => {
                    return Err(Failure::new(format!(
                        "{extra} exists already in namespace {name} and is not the run's"
                    ))
                    .because(stranger)
                    .hint("rename it in the manifest, or omit it there to use the existing one"));
                }
            }
        }
        if makes {
            events(&Event::NamespaceMade);
        }
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

/// A namespace, and the results for it and for the small objects in it
type Step = (String, Option<Result<Made, ClusterError>>, Vec<(Extra, Result<MadeExtra, ClusterError>)>);

/// The small objects of a plan, as they are to be created: those beside the VM, and copies of others.
///
/// Fails if an object to be copied does not exist, or is unreadable.
pub async fn originals(cluster: &Cluster, plan: &Plan, template: &Template) -> Result<Vec<Value>, Failure> {
    let mut originals = template.companions().to_vec();
    let Some(from) = &plan.copy_from else { return Ok(originals) };
    for extra in &plan.extras {
        if template.companions().iter().any(|beside| Extra::of(beside).as_ref() == Some(extra)) {
            continue;
        }
        match cluster.original(extra, from).await? {
            Some(mut original) => {
                if let Some(fields) = original.as_object_mut() {
                    fields.insert("apiVersion".into(), extra.kind.api_version().into());
                    fields.insert("kind".into(), extra.kind.kind().into());
                }
                originals.push(original);
            }
            None => {
                return Err(Failure::new(format!("{extra} is not in namespace {from}"))
                    .hint(format!("see what exists: kubectl get {} -n {from}", extra.kind.plural())));
            }
        }
    }
    Ok(originals)
}

/// Creates and tests the probers of a run that needs nothing else.
pub async fn make_probers(
    cluster: &Cluster,
    record: &mut RunRecord,
    events: Listener<'_>,
) -> Result<(), Failure> {
    super::probers::prepare(cluster, record, events).await
}

/// Records that setup is complete, so that VMs may be created.
pub async fn close(record: &mut RunRecord, store: &mut RunStore) -> Result<(), Failure> {
    record.setup.done = true;
    Ok(store.save(record, None).await?)
}

/// The guide's advice on concurrent namespaces: 20 on small clusters, 30 from 10 nodes, 50 above 50.
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
