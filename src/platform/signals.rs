//! Ctrl-C and its kin: the first one asks the work to stop, the second one ends the process.

use tokio::sync::watch;

use bootstorm_model::exit::Exit;

/// Listens for signals from now on; the receiver turns true at the first one.
pub fn listen() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        wait().await;
        let _ = sender.send(true);
        wait().await;
        leave();
    });
    receiver
}

#[expect(clippy::exit, reason = "the user asked twice; nothing may delay it")]
fn leave() -> ! {
    std::process::exit(Exit::Interrupted as i32)
}

#[cfg(unix)]
async fn wait() {
    use tokio::signal::unix::{SignalKind, signal};
    let one = |kind: SignalKind| async move {
        match signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = one(SignalKind::interrupt()) => {}
        () = one(SignalKind::terminate()) => {}
        () = one(SignalKind::hangup()) => {}
    }
}

#[cfg(not(unix))]
async fn wait() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
