//! Attachment of claims to nodes: a `ReadWriteOnce` claim can be attached to one node at a time.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::value::Value;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::model::lock;

/// Claims attached to one node, by UID: the node, and the number of its pods that use the claim
#[derive(Debug, Default)]
pub struct Attachments {
    held: Mutex<HashMap<Box<str>, Holder>>,
    released: Notify,
}

/// A node, and the number of its pods that use the claim
type Holder = (Box<str>, usize);

impl Attachments {
    /// Attaches a claim for one more pod of a node; false while another node holds it.
    pub fn take(&self, claim: &str, node: &str) -> bool {
        let mut held = lock(&self.held);
        let (holder, pods) = held.entry(claim.into()).or_insert_with(|| (node.into(), 0));
        let is_free = **holder == *node;
        if is_free {
            *pods += 1;
        }
        is_free
    }

    /// Ends the use of a claim by a pod.
    pub fn release(&self, claim: &str) {
        let mut held = lock(&self.held);
        if let Some((_, pods)) = held.get_mut(claim) {
            *pods -= 1;
            if *pods == 0 {
                held.remove(claim);
                drop(held);
                self.released.notify_waiters();
            }
        }
    }

    /// Signals that some claim has become free.
    pub fn freed(&self) -> Notified<'_> {
        self.released.notified()
    }
}

/// Whether a claim can be attached to one node only.
pub(super) fn is_single(claim: &Value) -> bool {
    let mut modes = claim["spec"]["accessModes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let first = modes.next();
    first.is_some_and(is_of_one_node) && modes.all(is_of_one_node)
}

fn is_of_one_node(mode: &str) -> bool {
    matches!(mode, "ReadWriteOnce" | "ReadWriteOncePod")
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    #[test]
    fn a_node_keeps_a_claim_until_its_last_pod_has_ended() {
        let attachments = Attachments::default();
        assert!(
            attachments.take("a", "one") && attachments.take("a", "one") && !attachments.take("a", "two")
        );
        attachments.release("a");
        assert!(!attachments.take("a", "two"));
        attachments.release("a");
        assert!(attachments.take("a", "two"));
        assert!(is_single(&json!({"spec": {"accessModes": ["ReadWriteOnce"]}})));
        assert!(!is_single(&json!({"spec": {"accessModes": ["ReadWriteOnce", "ReadWriteMany"]}})));
        assert!(!is_single(&json!({"spec": {}})));
    }
}
