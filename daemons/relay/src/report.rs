//! What the desk is told of the relay itself.

use crate::record::keep::Disk;
use crate::sessions::Sessions;
use crate::web::{Hash, to_base64};
use alarm::media::{Camera, Report};
use alarm::path::STATUS_EVERY;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::interval;

/// Puts the report together.
pub(crate) struct Reporter {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    pub(crate) hashes: watch::Receiver<Vec<Hash>>,
    pub(crate) cameras: watch::Receiver<Arc<Vec<Camera>>>,
    pub(crate) disk: watch::Receiver<Disk>,
    pub(crate) sessions: Sessions,
}

impl Reporter {
    fn report(&mut self) -> Report {
        let Disk { free, faults } = self.disk.borrow_and_update().clone();
        Report {
            host: self.host.clone(),
            port: self.port,
            certificates: to_base64(&self.hashes.borrow_and_update()),
            tls: self.tls,
            cameras: self.cameras.borrow_and_update().to_vec(),
            faults,
            free,
            sessions: self.sessions.counts(),
        }
    }

    /// Works until the daemon ends.
    ///
    /// # Errors
    /// When a part that it tells of has ended.
    pub(crate) async fn run(mut self, report: watch::Sender<Report>) -> anyhow::Result<()> {
        let mut due = interval(STATUS_EVERY);
        loop {
            let now = self.report();
            report.send_if_modified(|before| {
                let changed = *before != now;
                if changed {
                    *before = now;
                }
                changed
            });
            tokio::select! {
                changed = self.hashes.changed() => changed?,
                changed = self.cameras.changed() => changed?,
                changed = self.disk.changed() => changed?,
                _ = due.tick() => {}
            }
        }
    }
}
