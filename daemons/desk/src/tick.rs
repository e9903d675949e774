//! What time does: windows close, paths are lost, seats are given up, consoles hear that the desk is alive.

use crate::{Engine, clock, show};
use alarm::Fault;
use alarm::event::{About, Actor};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_millis(250);
/// Consoles miss three before they say that the desk is lost.
const SIGN_OF_LIFE_EVERY: u32 = 8;
const FIGURES_EVERY: u32 = 40;
/// A technician waits for this beside the box.
const COMMISSION_EVERY: u32 = 4;
/// Twenty ticks: a desk that cannot do this is stuck.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);

/// Ticks until the daemon ends.
///
/// # Errors
/// None; the type is that of every task.
pub(crate) async fn run(engine: Arc<Engine>, progress: unit::Progress) -> anyhow::Result<()> {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count = 0u32;
    loop {
        every.tick().await;
        count = count.wrapping_add(1);
        once(&engine);
        roll(&engine);
        if count.is_multiple_of(SIGN_OF_LIFE_EVERY) {
            engine.tell_tick();
        }
        if count.is_multiple_of(COMMISSION_EVERY) {
            commission(&engine);
        }
        if count.is_multiple_of(FIGURES_EVERY) {
            engine.tell_figures();
        }
        progress.beat();
    }
}

/// Boxes of which nothing is missing any more are in service.
fn commission(engine: &Engine) {
    let ready = engine.with(|centre, live| {
        let boxes = centre.uncommissioned().map(|entry| entry.name.clone());
        boxes.filter(|name| show::missing(centre, live, name).is_empty()).collect::<Vec<_>>()
    });
    for name in ready {
        tracing::info!(%name, "box is in service");
        engine.write(|centre, _| centre.commission(&name, vec![], Actor::Desk).unwrap_or_default());
    }
}

/// A roll-out goes on with boxes that are there.
fn roll(engine: &Engine) {
    let ready = engine.with(|centre, live| {
        let active = centre.rolling().is_some_and(|rolling| rolling.ended.is_none());
        active.then(|| live.updatable())
    });
    if let Some(ready) = ready {
        engine.write(|centre, now| centre.rollout_due(now, |name| ready.contains(name)));
    }
}

fn once(engine: &Engine) {
    engine.write(|centre, now| centre.due(now));
    let now = clock::mono();
    let (paths, seats) = engine.with(|_, live| (live.lost_paths(now), live.lost_seats(now)));
    for (name, path) in paths {
        tracing::warn!(%name, %path, "path lost");
        engine.raise(About::path(name, path), Fault::PathLost);
    }
    for seat in seats {
        tracing::warn!(%seat, "the console of a seat has gone away");
        engine.write(|centre, _| centre.lose_seat(&seat));
    }
}

/// Asks the journal's writer for a sign of life: it answers between two commits.
///
/// # Errors
/// When the writer has gone.
pub(crate) async fn watch_writer(engine: Arc<Engine>, progress: unit::Progress) -> anyhow::Result<()> {
    loop {
        engine.secret(journal::Secret::Ticket, "").await?;
        progress.beat();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
