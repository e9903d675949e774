//! The status stream: how a box is, and what is asked of it.

use super::Hall;
use crate::clock;
use alarm::event::{About, Event};
use alarm::rollout::Offer;
use alarm::wire::{POINTS_MAX, Refusal, Status, ToBox, ToRack};
use alarm::{BoxId, Fault};
use link::StreamError;
use link::rack::Stream;

pub(super) async fn serve(hall: Hall, name: BoxId, mut stream: Stream) {
    let mut question =
        hall.engine.with(|_, live| live.boxes.entry(name.clone()).or_default().question.subscribe());
    let mut rolled = hall.engine.rolled();
    let mut offered = Offered { appliance: false, said: None };
    loop {
        let said = tokio::select! {
            heard = stream.recv() => match heard {
                Ok(Some(ToRack::Status(status))) if status.points.len() > POINTS_MAX => {
                    stream.refuse(Refusal::BadFrame).await;
                    return;
                }
                Ok(Some(ToRack::Status(status))) => {
                    offered.appliance |= status.update.is_some();
                    see(&hall, &name, status, &mut stream).await
                }
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
            changed = rolled.changed() => if changed.is_err() { return } else { Ok(()) },
        };
        if said.is_err() || offered.tell(&hall, &name, &mut stream).await.is_err() {
            return;
        }
    }
}

/// What was said on this stream of the bundle that the box is to fetch.
struct Offered {
    /// It is one that can be updated.
    appliance: bool,
    said: Option<Option<Offer>>,
}

impl Offered {
    async fn tell(&mut self, hall: &Hall, name: &BoxId, stream: &mut Stream) -> Result<(), StreamError> {
        if !self.appliance {
            return Ok(());
        }
        let offer = hall.engine.read(|centre| centre.update_for(name));
        if self.said.as_ref() != Some(&offer) {
            stream.send(&ToBox::Update { offer: offer.clone() }).await?;
            self.said = Some(offer);
        }
        Ok(())
    }
}

async fn see(hall: &Hall, name: &BoxId, status: Status, stream: &mut Stream) -> Result<(), StreamError> {
    hall.judge_clock(name, status.now);
    if let Some(told) = &status.update {
        hall.engine.write(|centre, _| centre.hear_software(name, told));
    }
    take(hall, name, status);
    stream.send(&ToBox::Seen { now: clock::wall() }).await
}

fn take(hall: &Hall, name: &BoxId, status: Status) {
    agree(hall, name, &status.faults);
    let (changed, moved) = hall.engine.with(|_, live| {
        let live = live.boxes.entry(name.clone()).or_default();
        let known = live.status.replace(status.clone());
        let same = known
            .as_ref()
            .is_some_and(|known| known.points == status.points && known.waiting == status.waiting);
        (!same, known.and_then(|known| known.update) != status.update)
    });
    if changed {
        hall.engine.refresh_box(name);
    }
    if moved {
        hall.engine.tell_rollout();
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
