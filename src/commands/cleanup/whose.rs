//! Whose objects a cleanup is about: the run's UUID, wherever it can still be read.

use super::Session;
use bootstorm_engine::cluster::names::run_selector;
use bootstorm_engine::cluster::store::{Head, LoadError};
use bootstorm_engine::phases::cleanup;
use bootstorm_model::failure::Failure;

/// The UUID of the run whose record, or what is left of it, is here; nothing when no record of that name is anywhere.
///
/// Fails when the record is in another namespace, or may be: then the run is somebody else's to clean up.
pub(super) async fn whose(session: &Session, prefix: &str) -> Result<Option<String>, Failure> {
    match session.cluster.load(prefix).await {
        Ok(Some((record, _))) => return Ok(Some(record.run_id)),
        Ok(None) => {}
        // A record that cannot be read must not keep anybody from cleaning up; its label still says whose it is.
        Err(LoadError::Codec(error)) => {
            session.console.warn(&format!("the record cannot be read ({error}); going by its label"));
        }
        Err(LoadError::Trouble(trouble)) => return Err(trouble.into()),
    }
    let is_it = |head: &Head| head.prefix == prefix;
    if let Some(head) = session.cluster.heads(false).await?.into_iter().find(is_it) {
        return Ok(Some(head.run_id));
    }
    // A cleanup that was cut short may have left the lock, the Secret or a part, which all say whose they are.
    let mut ids = cleanup::run_ids(&session.cluster, &run_selector(prefix)).await?;
    if ids.len() == 1 {
        return Ok(ids.pop_first());
    }
    let elsewhere = session.cluster.heads(true).await.map_err(|trouble| {
        Failure::from(trouble)
            .because(format!("run \"{prefix}\" has no record here, and may have one in another namespace"))
            .hint("name the namespace of its record with --namespace")
    })?;
    let places: Vec<String> = elsewhere.into_iter().filter(is_it).map(|head| head.namespace).collect();
    if places.is_empty() {
        return Ok(None);
    }
    Err(Failure::new(format!(
        "the record of run \"{prefix}\" is in another namespace: {}",
        places.join(", ")
    ))
    .hint(format!("clean it up from there: kubectl bootstorm cleanup --ns-prefix {prefix} -n {}", places[0])))
}
