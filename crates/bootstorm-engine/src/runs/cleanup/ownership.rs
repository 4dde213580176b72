//! Scope of a cleanup: from the record, or from what can be determined without one.

use super::options::Cleanup;
use crate::cluster::names::run_selector;
use crate::cluster::ownership::Estate;
use crate::cluster::store::{Head, RunStore};
use crate::phases::cleanup;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::RunRecord;

impl Cleanup<'_> {
    /// Objects of the run; `None` if no record of that name exists anywhere, and nothing carries its label.
    ///
    /// Fails if the record is a copy, or if it is or may be in another namespace: then the run is not ours to clean up.
    /// Fails also if it is not certain which run is meant.
    pub(super) async fn whose(
        &self,
        record: Option<&(RunRecord, RunStore)>,
    ) -> Result<Option<Estate>, Failure> {
        let prefix = &self.options.prefix;
        if let Some((record, store)) = record {
            if let Some(wanted) = self.options.run_id.as_ref().filter(|wanted| **wanted != record.run_id) {
                return Err(Failure::new(format!(
                    "run \"{prefix}\" has a record, and its UUID is {}",
                    record.run_id
                ))
                .because(format!("--run-id names {wanted}"))
                .hint("leave out --run-id to clean up the run with the record"));
            }
            return Ok(Some(self.of_record(record, store).await?));
        }
        let is_it = |head: &Head| head.prefix == *prefix;
        if let Some(head) = self.runs.cluster.heads(false).await?.into_iter().find(is_it) {
            return Ok(Some(Estate::unrecorded(prefix, &head.run_id)));
        }
        // An interrupted cleanup may have left the lock, the Secret or a part, which all name their run.
        let mut ids = cleanup::run_ids(self.runs.cluster, &run_selector(prefix)).await?;
        if ids.len() != 1 {
            let elsewhere = self.runs.cluster.heads(true).await.map_err(|error| {
                Failure::from(error)
                    .because(format!(
                        "run \"{prefix}\" has no record here, and may have one in another namespace"
                    ))
                    .hint("name the namespace of its record with --namespace")
            })?;
            let places: Vec<String> =
                elsewhere.into_iter().filter(is_it).map(|head| head.namespace).collect();
            if let Some(first) = places.first() {
                return Err(Failure::new(format!(
                    "the record of run \"{prefix}\" is in another namespace: {}",
                    places.join(", ")
                ))
                .hint(format!(
                    "clean it up from there: kubectl bootstorm cleanup --ns-prefix {prefix} -n {first}"
                )));
            }
            ids.extend(cleanup::run_ids_anywhere(self.runs.cluster, &run_selector(prefix)).await?);
        }
        if let Some(wanted) = &self.options.run_id {
            return Ok(Some(Estate::unrecorded(prefix, wanted)));
        }
        let Some(id) = ids.pop_first() else { return Ok(None) };
        if ids.is_empty() {
            self.caller.warn(&format!(
            "there is no record of run \"{prefix}\"; relying on the label that this tool wrote for run {id}"
        ));
            return Ok(Some(Estate::unrecorded(prefix, &id)));
        }
        let count = ids.len() + 1;
        let mut failure = Failure::new(format!(
            "there is no record of run \"{prefix}\", and {count} runs have left objects"
        ));
        for id in std::iter::once(&id).chain(&ids) {
            failure = failure.hint(format!(
                "list the objects of one: kubectl bootstorm cleanup --ns-prefix {prefix} --run-id {id} \
             --dry-run=client"
            ));
        }
        Err(failure)
    }

    /// Objects according to a record, unless it is a copy and the original exists, or may exist.
    pub(super) async fn of_record(&self, record: &RunRecord, store: &RunStore) -> Result<Estate, Failure> {
        let prefix = &record.plan.prefix;
        let Some(original) = store.original() else { return Ok(Estate::of(record)) };
        let copied = || self.runs.copied(prefix, &record.run_id);
        let heads = self.runs.cluster.heads(true).await.map_err(|error| copied().because(error))?;
        if let Some(head) = heads.into_iter().find(|head| head.uid == original) {
            return Err(copied().because(format!("the original is in namespace {}", head.namespace)));
        }
        self.caller.warn(&format!(
            "this record of run \"{prefix}\" is a copy, and the original is gone; relying on the UIDs in it"
        ));
        let mut record = record.clone();
        record.made.head = Some(store.uid().to_owned());
        Ok(Estate::of(&record))
    }
}
