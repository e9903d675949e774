//! The status stream: how a box is.

use super::Hall;
use crate::clock;
use alarm::event::{About, Event};
use alarm::wire::{POINTS_MAX, Refusal, Status, ToBox, ToRack};
use alarm::{BoxId, Fault};
use link::rack::Stream;

pub(super) async fn serve(hall: Hall, name: BoxId, mut stream: Stream) {
    loop {
        match stream.recv().await {
            Ok(Some(ToRack::Status(status))) if status.points.len() > POINTS_MAX => {
                stream.refuse(Refusal::BadFrame).await;
                return;
            }
            Ok(Some(ToRack::Status(status))) => {
                hall.judge_clock(&name, status.now);
                take(&hall, &name, status);
                if stream.send(&ToBox::Seen { now: clock::wall() }).await.is_err() {
                    return;
                }
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

fn take(hall: &Hall, name: &BoxId, status: Status) {
    agree(hall, name, &status.faults);
    let changed = hall.engine.with(|_, live| {
        let live = live.boxes.entry(name.clone()).or_default();
        let same = live
            .status
            .as_ref()
            .is_some_and(|known| known.points == status.points && known.waiting == status.waiting);
        live.status = Some(status);
        !same
    });
    if changed {
        hall.engine.refresh_box(name);
    }
}

/// Faults of the box as a whole stand exactly while it says so. Those that the desk finds by itself are the desk's.
pub(super) fn agree(hall: &Hall, name: &BoxId, said: &[Fault]) {
    let about = About::appliance(name.clone());
    hall.engine.write(|centre, _| {
        let gone = centre
            .faults_of(Some(name))
            .filter(|standing| {
                *standing.about == about && !found_here(standing.fault) && !said.contains(standing.fault)
            })
            .map(|standing| Event::FaultCleared { about: about.clone(), fault: standing.fault.clone() });
        let new = said.iter().filter_map(|fault| centre.raise(about.clone(), fault.clone()));
        gone.chain(new).collect()
    });
}

fn found_here(fault: &Fault) -> bool {
    matches!(fault, Fault::ClockWrong | Fault::CertificateExpired | Fault::PathLost)
}
