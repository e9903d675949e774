//! Fetches what the centre offers over one connection, behind everything else on it. One way at a time; a way that costs
//! money only while there is no other.

use super::path::Shared;
use crate::update::{Begun, Shelf, Trouble, Update};
use alarm::rollout::{Cause, Fetch, Offer};
use link::StreamError;
use link::client::Session;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

/// After this a stream that was cut, or was not opened, is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A rack that sends nothing for so long is asked again: it sends some twenty times a second.
const SILENCE: Duration = Duration::from_secs(30);
/// How often the centre hears how far it is: a bar on a screen.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// How long a way that costs money waits for one that does not: a wired one is up within seconds of a start.
const METERED_AFTER: Duration = Duration::from_secs(60);

/// Why a fetch has stopped.
enum Stopped {
    /// It will not do: the centre is told.
    Trouble(Trouble),
    /// The stream or the connection.
    Cut(StreamError),
}

impl From<Trouble> for Stopped {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<StreamError> for Stopped {
    fn from(error: StreamError) -> Self {
        Self::Cut(error)
    }
}

/// Fetches whatever is offered while the connection lasts. Dropping it leaves what has come on the disk.
pub(super) async fn attend(session: &Session, shared: &Shared, metered: bool) -> Infallible {
    let update = &shared.update;
    let _counted = (!metered).then(|| Counted::new(update.free_ways()));
    let mut offers = update.offers();
    loop {
        let offer = offers.borrow_and_update().clone();
        let work = async {
            match &offer {
                Some(offer) => take(session, update, offer, metered).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = work => {}
            changed = offers.changed() => if changed.is_err() { std::future::pending::<()>().await },
        }
    }
}

/// Ends when another try makes sense.
async fn take(session: &Session, update: &Update, offer: &Offer, metered: bool) {
    if metered {
        no_other_way(update.free_ways().subscribe()).await;
    }
    let mut ended = update.turn().lock().await;
    if *ended == Some(offer.since) {
        drop(ended);
        return std::future::pending().await;
    }
    let fetched = tokio::select! {
        fetched = fetch(session, update, offer) => fetched,
        () = another_way(update.free_ways().subscribe()), if metered => return,
    };
    match fetched {
        Ok(()) => {
            tracing::info!(version = %offer.version, "an update has come in whole");
            *ended = Some(offer.since);
            update.tell(Some(on_its_way(offer, offer.bytes)));
        }
        Err(Stopped::Trouble(trouble)) => {
            tracing::warn!(version = %offer.version, %trouble, "an update does not come in");
            *ended = Some(offer.since);
            let (cause, trouble) = (trouble.cause(), Some(trouble.to_string()));
            update.tell(Some(Fetch { trouble, cause, ..on_its_way(offer, 0) }));
        }
        Err(Stopped::Cut(error)) => {
            tracing::debug!(version = %offer.version, %error, "the update is cut; what has come is kept");
            drop(ended);
            sleep(AGAIN_AFTER).await;
        }
    }
}

fn on_its_way(offer: &Offer, bytes: u64) -> Fetch {
    Fetch { since: offer.since, bytes, trouble: None, cause: Cause::Other }
}

async fn fetch(session: &Session, update: &Update, offer: &Offer) -> Result<(), Stopped> {
    let wanted = offer.clone();
    let has = match on_disk(update, move |shelf| shelf.begin(&wanted)).await? {
        Begun::Arrived => return Ok(()),
        Begun::Has(bytes) => bytes,
    };
    update.tell(Some(on_its_way(offer, has)));
    if has < offer.bytes {
        tracing::info!(version = %offer.version, from = has, of = offer.bytes, "fetching an update");
        transfer(session, update, offer, has).await?;
    }
    let wanted = offer.clone();
    Ok(on_disk(update, move |shelf| shelf.complete(&wanted)).await?)
}

async fn transfer(session: &Session, update: &Update, offer: &Offer, mut has: u64) -> Result<(), Stopped> {
    let mut body = session.fetch(&offer.sha256, has).await?;
    let mut tell_at = Instant::now() + TELL_EVERY;
    while has < offer.bytes {
        let next = timeout(SILENCE, body.next()).await.map_err(|_| StreamError::Silent)?;
        let bytes = next?.ok_or(StreamError::Ended)?;
        has = on_disk(update, move |shelf| shelf.add(&bytes)).await?;
        if Instant::now() >= tell_at {
            tell_at = Instant::now() + TELL_EVERY;
            update.tell(Some(on_its_way(offer, has)));
        }
    }
    Ok(())
}

/// The disk is waited for on a thread of its own. What has been begun there ends, also when nobody waits for it any
/// more, and whoever comes next waits for that.
async fn on_disk<T: Send + 'static>(
    update: &Update,
    work: impl FnOnce(&mut Shelf) -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let mut shelf = update.shelf().await;
    let done = spawn_blocking(move || work(&mut shelf)).await;
    done.unwrap_or_else(|error| Err(Trouble::Disk(std::io::Error::other(error))))
}

/// A way that costs nothing, while it is connected.
struct Counted<'a>(&'a watch::Sender<usize>);

impl<'a> Counted<'a> {
    fn new(ways: &'a watch::Sender<usize>) -> Self {
        ways.send_modify(|count| *count += 1);
        Self(ways)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

async fn another_way(mut free: watch::Receiver<usize>) {
    if free.wait_for(|count| *count > 0).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// There is no way that costs nothing, and has not been for a while.
async fn no_other_way(mut free: watch::Receiver<usize>) {
    loop {
        if free.wait_for(|count| *count == 0).await.is_err() {
            return std::future::pending().await;
        }
        if timeout(METERED_AFTER, free.wait_for(|count| *count > 0)).await.is_err() {
            return;
        }
    }
}
