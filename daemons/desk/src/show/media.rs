//! What consoles see of pictures and sound.

use crate::view;
use alarm::announcement::{Announcement, Playing};
use alarm::centre::Watching;
use alarm::film::Take;
use alarm::media::{Camera, Report, TakeId};
use alarm::{SeatId, Wall};

pub(super) fn take(take: &Take) -> view::Take {
    let of = take.name.parse::<TakeId>().ok();
    view::Take {
        take: take.name.clone(),
        r#box: of.as_ref().map(|of| of.from.to_string()),
        camera: of.as_ref().map(|of| of.camera.to_string()),
        began: take.began.millis(),
        from: take.from,
        to: take.to,
        gaps: take
            .gaps
            .iter()
            .map(|gap| view::Gap { track: gap.track.clone(), from: gap.from, to: gap.to })
            .collect(),
        ended: take.ended,
        removed: take.removed,
    }
}

pub(super) fn camera(camera: &Camera) -> view::Camera {
    view::Camera {
        id: camera.camera.to_string(),
        live: camera.live,
        still: camera.still.map(Wall::millis),
        fault: camera.fault.as_ref().map(ToString::to_string),
    }
}

pub(super) fn watching((seat, look): (&SeatId, &Watching)) -> view::Watching {
    view::Watching {
        seat: seat.to_string(),
        user: look.user.to_string(),
        cameras: look.cameras.iter().map(ToString::to_string).collect(),
        until: look.until.millis(),
    }
}

pub(super) fn relay(report: &Report) -> view::RelayState {
    view::RelayState { port: report.port, free: report.free, sessions: report.sessions.to_vec() }
}

pub(crate) fn announcement(known: &Announcement) -> view::Announcement {
    view::Announcement {
        sha256: known.sha256.clone(),
        name: known.name.clone(),
        bytes: known.bytes,
        length: known.length,
        added: known.added.millis(),
        by: super::who(&known.by),
    }
}

pub(super) fn playing(playing: &Playing) -> view::Playing {
    view::Playing {
        sha256: playing.sha256.clone(),
        name: playing.name.clone(),
        seat: playing.seat.to_string(),
        since: playing.since.millis(),
        until: playing.until.millis(),
    }
}
