//! Updates, as far as they are this daemon's: it tells the centre what runs here and how the last update went, and
//! fetches what the centre offers into the folder in which the updater looks. Whether a bundle is good, and putting it
//! on, are the updater's.
//!
//! ```text
//!   status stream: offer ──▶ a path fetches ──▶ incoming/.link.part ── whole, hash right ──▶ incoming/<name>.bundle
//!                                │ cut                                                              │
//!                                └── the next connection goes on from the byte it has               ▼
//!   status stream: what runs, how far, outcome ◀─────────────────────────── state.json ◀── onepress-update.service
//! ```

mod place;
mod shelf;

pub use place::Place;
pub use shelf::{Begun, RESERVE, Shelf, Trouble};

use alarm::Wall;
use alarm::rollout::{Fetch, Offer, Told};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

/// How often the updater's record is looked at: somebody in the centre waits for it, but not with a stop watch.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What all paths share of it.
#[derive(Clone, Debug)]
pub struct Update {
    place: Arc<Place>,
    offers: watch::Sender<Option<Offer>>,
    told: watch::Sender<Option<Told>>,
    /// Connected ways that cost nothing.
    free_ways: watch::Sender<usize>,
    /// Held by the way that fetches; the try that has ended, well or not.
    turn: Arc<Mutex<Option<Wall>>>,
    /// Held while the disk is at work, also when nobody waits for that any more.
    shelf: Arc<Mutex<Shelf>>,
}

impl Update {
    /// With nothing offered yet.
    pub fn new(place: Place) -> Self {
        let shelf = Shelf::new(&place);
        let told = place.release().map(|release| Told {
            image: release.profile.id().to_owned(),
            runs: release.version,
            outcome: place.outcome(),
            fetch: None,
        });
        Self {
            place: Arc::new(place),
            offers: watch::Sender::new(None),
            told: watch::Sender::new(told),
            free_ways: watch::Sender::new(0),
            turn: Arc::default(),
            shelf: Arc::new(Mutex::new(shelf)),
        }
    }

    /// What the centre is told; nothing where no image of ours runs.
    pub fn told(&self) -> watch::Receiver<Option<Told>> {
        self.told.subscribe()
    }

    /// The centre offers a bundle, or none any more. Every path says so; the same again is nothing new.
    pub fn offer(&self, offer: Option<Offer>) {
        self.offers.send_if_modified(|known| {
            let new = *known != offer;
            known.clone_from(&offer);
            new
        });
    }

    pub(crate) fn offers(&self) -> watch::Receiver<Option<Offer>> {
        self.offers.subscribe()
    }

    pub(crate) fn free_ways(&self) -> &watch::Sender<usize> {
        &self.free_ways
    }

    pub(crate) fn turn(&self) -> &Mutex<Option<Wall>> {
        &self.turn
    }

    /// The disk, when it has done what was begun before.
    pub(crate) async fn shelf(&self) -> OwnedMutexGuard<Shelf> {
        Arc::clone(&self.shelf).lock_owned().await
    }

    pub(crate) fn tell(&self, fetch: Option<Fetch>) {
        self.told.send_if_modified(|told| {
            let Some(told) = told else { return false };
            std::mem::replace(&mut told.fetch, fetch.clone()) != fetch
        });
    }

    /// Looks at the updater's record, and forgets what is no longer offered, for ever.
    ///
    /// # Errors
    /// None; the type is that of every task.
    pub async fn watch(self) -> anyhow::Result<()> {
        if self.told.borrow().is_none() {
            return std::future::pending().await;
        }
        let mut offers = self.offers();
        loop {
            // An error means that the daemon ends.
            let offered = tokio::time::timeout(LOOK_EVERY, offers.changed()).await;
            if offered.is_ok() && offers.borrow_and_update().is_none() {
                self.tell(None);
                let mut shelf = self.shelf().await;
                drop(tokio::task::spawn_blocking(move || shelf.clear()).await);
            }
            let place = Arc::clone(&self.place);
            if let Ok(outcome) = tokio::task::spawn_blocking(move || place.outcome()).await {
                self.told.send_if_modified(|told| {
                    let Some(told) = told else { return false };
                    std::mem::replace(&mut told.outcome, outcome.clone()) != outcome
                });
            }
        }
    }
}
