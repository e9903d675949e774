//! The status stream: how a box is, and what is asked of it.

use super::Hall;
use crate::clock;
use alarm::event::{About, Event};
use alarm::wire::{POINTS_MAX, Refusal, Status, ToBox, ToRack};
use alarm::{BoxId, Fault};
use link::StreamError;
use link::rack::Stream;

pub(super) async fn serve(hall: Hall, name: BoxId, mut stream: Stream) {
    let mut question =
        hall.engine.with(|_, live| live.boxes.entry(name.clone()).or_default().question.subscribe());
    loop {
        let said = tokio::select! {
            heard = stream.recv() => match heard {
                Ok(Some(ToRack::Status(status))) if status.points.len() > POINTS_MAX => {
                    stream.refuse(Refusal::BadFrame).await;
                    return;
                }
                Ok(Some(ToRack::Status(status))) => see(&hall, &name, status, &mut stream).await,
                Ok(Some(_)) => Ok(()),
                Ok(None) | Err(_) => return,
            },
            asked = question.changed() => match asked {
                Ok(()) => {
                    let number = *question.borrow_and_update();
                    stream.send(&ToBox::SelfTest { number }).await
                }
                // The box was put out of service.
                Err(_) => return,
            },
        };
        if said.is_err() {
            return;
        }
    }
}

async fn see(hall: &Hall, name: &BoxId, status: Status, stream: &mut Stream) -> Result<(), StreamError> {
    hall.judge_clock(name, status.now);
    take(hall, name, status);
    stream.send(&ToBox::Seen { now: clock::wall() }).await
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
    matches!(fault, Fault::ClockWrong | Fault::CertificateExpired | Fault::PathLost | Fault::Unproved)
}
