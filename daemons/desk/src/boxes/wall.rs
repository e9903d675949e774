//! The wall stream: what it is to show goes out on every change and every second; what it shows comes back.

use super::Hall;
use super::status::agree;
use alarm::BoxId;
use alarm::panel::SIGNALS_EVERY;
use alarm::wire::{ToBox, ToRack};
use link::StreamError;
use link::rack::{Receiver, Sender, Stream};
use tokio::time::MissedTickBehavior;

pub(super) async fn serve(hall: Hall, name: BoxId, stream: Stream) {
    let (_, sender, receiver) = stream.split();
    tokio::select! {
        sent = show(&hall, sender) => drop(sent),
        heard = hear(&hall, &name, receiver) => drop(heard),
    }
}

async fn show(hall: &Hall, mut sender: Sender) -> Result<(), StreamError> {
    let mut signals = hall.engine.signals();
    let mut every = tokio::time::interval(SIGNALS_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            changed = signals.changed() => if changed.is_err() { return Ok(()) },
            _ = every.tick() => {}
        }
        let wanted = *signals.borrow_and_update();
        sender.send(&ToBox::Signals(wanted)).await?;
    }
}

async fn hear(hall: &Hall, name: &BoxId, mut receiver: Receiver) -> Result<(), StreamError> {
    while let Some(message) = receiver.recv().await? {
        if let ToRack::Acknowledge { newest } = message {
            hall.engine.write(|centre, _| centre.acknowledge_all(newest, name));
        } else if let ToRack::Wall(report) = message {
            agree(hall, name, &report.faults);
            let changed = hall.engine.with(|_, live| {
                let live = live.boxes.entry(name.clone()).or_default();
                live.report.replace(report.clone()) != Some(report)
            });
            if changed {
                hall.engine.refresh_box(name);
            }
        }
    }
    Ok(())
}
