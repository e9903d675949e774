//! From the state to what consoles see.

mod fleet;
pub(crate) mod media;
mod updates;

pub(crate) use fleet::missing;
pub(crate) use updates::{bundle, bundles, rollout};

use crate::live::Live;
use crate::view;
use alarm::centre::Centre;
use alarm::event::Actor;
use alarm::incident::{self, Incident};
use alarm::panel::{Light, Report};
use alarm::register::{Appliance, Enrolment, Site};
use alarm::wire::PointStatus;
use alarm::{BoxId, Wall};
use serde::Serialize;
use std::time::Duration;

/// Figures cover this long.
const FIGURES_OVER: i64 = 24 * 3600 * 1000;

/// The word that the journal has for a value.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

pub(crate) fn state(centre: &Centre, live: &Live, durable: u64, now: Wall) -> view::State {
    view::State {
        seq: centre.seq(),
        now: now.millis(),
        centre: centre.name().to_owned(),
        incidents: centre.open().into_iter().map(|i| incident(centre, i, i.newest <= durable)).collect(),
        sites: centre.sites().map(|entry| site(centre, entry)).collect(),
        boxes: centre.boxes().filter_map(|entry| appliance(centre, live, &entry.name)).collect(),
        seats: seats(centre),
        faults: faults(centre, None),
        figures: figures(centre, now),
        announcements: announcements(centre),
        bundles: bundles(centre),
        rollout: rollout(centre, live),
    }
}

pub(crate) fn incident(centre: &Centre, incident: &Incident, durable: bool) -> view::Incident {
    let room = incident.room.as_ref();
    view::Incident {
        id: incident.id.0,
        kind: word(&incident.kind),
        mode: word(&incident.mode),
        nature: word(&incident.nature),
        priority: incident.priority,
        step: word(&incident.step),
        received: incident.received.millis(),
        newest: incident.newest_at.millis(),
        durable,
        site: incident.site.as_ref().map(ToString::to_string),
        r#box: incident.from.to_string(),
        alarms: incident.alarms.iter().map(alarm).collect(),
        presses: incident.presses(),
        acknowledged_by: incident.acknowledged.as_ref().map(|mark| who(&mark.by)),
        acknowledged: incident.acknowledged.as_ref().map(|mark| mark.at.millis()),
        seat: room.map(|room| room.owner().to_string()),
        answered: incident.answered.map(Wall::millis),
        offered_to: room.and_then(|room| room.offered()).map(ToString::to_string),
        escalated: incident.escalated,
        requeued: incident.requeued,
        outcome: incident.outcome.as_ref().map(word),
        note: incident.outcome.is_some().then(|| incident.note.clone()),
        closed: incident.closed.map(Wall::millis),
        boxes: centre.guests(incident).iter().map(ToString::to_string).collect(),
        takes: incident.takes.iter().map(media::take).collect(),
        held: incident.held,
        playing: incident.playing.as_ref().map(media::playing),
    }
}

pub(crate) fn announcements(centre: &Centre) -> Vec<view::Announcement> {
    centre.announcements().map(media::announcement).collect()
}

fn who(actor: &Actor) -> String {
    match actor {
        Actor::Desk => "desk".into(),
        Actor::Wall(_) => "wall".into(),
        Actor::Seat { user, .. } => user.to_string(),
    }
}

fn alarm(alarm: &incident::Alarm) -> view::Alarm {
    view::Alarm {
        id: alarm.id.to_string(),
        point: alarm.point.as_ref().map(ToString::to_string),
        at: alarm.at.millis(),
        received: alarm.received.millis(),
        path: alarm.path.to_string(),
        clock_sure: alarm.clock_sure,
        at_start: alarm.at_start,
        count: alarm.count,
        restored: alarm.restored.map(Wall::millis),
    }
}

pub(crate) fn site(centre: &Centre, site: &Site) -> view::Site {
    view::Site {
        id: site.id.to_string(),
        name: site.name.clone(),
        address: site.address.clone(),
        latitude: site.position.map(|position| position.latitude),
        longitude: site.position.map(|position| position.longitude),
        contacts: site
            .contacts
            .iter()
            .map(|contact| view::Contact { name: contact.name.clone(), phone: contact.phone.clone() })
            .collect(),
        places: site.places.iter().map(|(point, place)| (point.to_string(), place.clone())).collect(),
        test_until: centre.window(&site.id).map(Wall::millis),
    }
}

pub(crate) fn seats(centre: &Centre) -> Vec<view::Seat> {
    let seat = |(seat, seated): (&alarm::SeatId, &alarm::centre::Seated)| {
        let account = centre.account(&seated.user);
        view::Seat {
            id: seat.to_string(),
            user: seated.user.to_string(),
            name: account.map_or_else(String::new, |account| account.name.clone()),
            role: account.map_or_else(String::new, |account| word(&account.role)),
            since: seated.since.millis(),
        }
    };
    centre.seats().map(seat).collect()
}

pub(crate) fn faults(centre: &Centre, name: Option<&BoxId>) -> Vec<view::Fault> {
    centre
        .faults_of(name)
        .map(|standing| view::Fault {
            point: standing.about.point.as_ref().map(ToString::to_string),
            path: standing.about.path.as_ref().map(ToString::to_string),
            camera: standing.about.camera.as_ref().map(ToString::to_string),
            fault: standing.fault.to_string(),
            since: standing.since.millis(),
        })
        .collect()
}

pub(crate) fn figures(centre: &Centre, now: Wall) -> view::Figures {
    let figures = centre.figures(Wall::from_millis(now.millis() - FIGURES_OVER));
    view::Figures {
        received: figures.received,
        answered: u32::try_from(figures.waits.len()).unwrap_or(u32::MAX),
        within_15_s: figures.within(Duration::from_secs(15)),
        within_20_s: figures.within(Duration::from_secs(20)),
        median_ms: figures.median().and_then(|wait| u64::try_from(wait.as_millis()).ok()),
    }
}

/// `None` when the register does not have it.
pub(crate) fn appliance(centre: &Centre, live: &Live, name: &BoxId) -> Option<view::Appliance> {
    let entry = centre.appliance(name)?;
    let cameras = live.cameras().filter(|camera| camera.from == *name).map(media::camera).collect();
    let all = live;
    let live = live.boxes.get(name);
    let status = live.and_then(|live| live.status.as_ref());
    Some(view::Appliance {
        id: name.to_string(),
        site: entry.site.as_ref().map(ToString::to_string),
        enrolment: enrolment(entry).into(),
        paths: paths(entry, live),
        points: status.map(|status| status.points.iter().map(point).collect()).unwrap_or_default(),
        faults: faults(centre, Some(name)),
        waiting: status.map_or(0, |status| status.waiting),
        software: live.and_then(|live| live.software.clone()),
        image: updates::software(centre, name),
        certificate_until: match entry.enrolment {
            Enrolment::Enrolled { until, .. } => Some(until.millis()),
            Enrolment::Waiting | Enrolment::Revoked => None,
        },
        shown: live.and_then(|live| live.report.as_ref()).map(shown),
        commission: entry
            .site
            .is_some()
            .then(|| fleet::commission(entry.commissioned.as_ref(), || fleet::missing(centre, all, name))),
        selftest: centre.selftest(name).and_then(fleet::selftest),
        cameras,
        watching: centre.watchers(name).map(media::watching).collect(),
        relay: live.and_then(|live| live.relay.as_ref()).map(|(_, report)| media::relay(report)),
    })
}

fn enrolment(entry: &Appliance) -> &'static str {
    match entry.enrolment {
        Enrolment::Waiting => "waiting",
        Enrolment::Enrolled { .. } => "enrolled",
        Enrolment::Revoked => "revoked",
    }
}

fn paths(entry: &Appliance, live: Option<&crate::live::LiveBox>) -> Vec<view::Path> {
    let of = |path: &alarm::PathId| {
        let live = live.and_then(|live| live.paths.get(path));
        view::Path {
            id: path.to_string(),
            up: live.is_some_and(crate::live::LivePath::is_up),
            since: live.and_then(|live| live.since).map(Wall::millis),
        }
    };
    entry.paths.iter().map(of).collect()
}

fn point(point: &PointStatus) -> view::Point {
    let kind =
        serde_json::to_value(point.kind).ok().and_then(|kind| Some(kind.get("kind")?.as_str()?.to_owned()));
    view::Point {
        id: point.point.to_string(),
        kind: kind.unwrap_or_default(),
        wiring: word(&point.wiring),
        state: word(&point.state),
        warning: point.wiring.warning().map(str::to_owned),
    }
}

fn shown(report: &Report) -> view::Shown {
    let light = |light: Light| word(&light);
    let shown = report.shown;
    view::Shown {
        red: light(shown.red),
        amber: light(shown.amber),
        blue: light(shown.blue),
        green: light(shown.green),
        siren: shown.siren,
        siren_cut: report.siren_cut,
    }
}
