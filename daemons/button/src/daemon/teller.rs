//! Tells the service manager how the daemon is, beside the loop: its socket blocks while the manager is busy, and no
//! alarm waits for that.

use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// Of the news in this time only the last are told: the number of waiting notices changes with every press.
const PAUSE: Duration = Duration::from_secs(1);

/// What the service manager is to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Every input has been read once, or found unreadable.
    pub(super) ready: bool,
    /// One line for people.
    pub(super) status: String,
}

/// Passes news on until there can be no more.
pub(super) async fn tell(mut news: watch::Receiver<News>) {
    let mut told = News::default();
    while news.changed().await.is_ok() {
        let now = news.borrow_and_update().clone();
        let ready = now.ready && !told.ready;
        let status = (now.status != told.status).then(|| now.status.clone());
        let passed_on = spawn_blocking(move || {
            if ready {
                unit::ready();
            }
            if let Some(status) = status {
                unit::status(&status);
            }
        });
        // It fails only when the runtime ends.
        let _ = passed_on.await;
        told = now;
        if told.ready {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
