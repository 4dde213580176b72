//! Performs scheduled actions when they are due.

use tokio::sync::watch;

use super::server_faults::Hand;

/// Runs until the server stops.
pub(super) async fn drive(hand: Hand, mut stop: watch::Receiver<bool>) {
    let mut changes = hand.faults.changes();
    loop {
        changes.borrow_and_update();
        let (actions, next) = hand.faults.due();
        for action in &actions {
            hand.perform(action);
        }
        let wait = async {
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {}
            changed = changes.changed() => if changed.is_err() { return },
            _ = stop.changed() => return,
        }
    }
}
