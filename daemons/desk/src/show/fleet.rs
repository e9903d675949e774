//! Self-tests and commissioning, as consoles see them.

use super::word;
use crate::live::{Live, LivePath};
use crate::view;
use alarm::centre::Centre;
use alarm::commission::{Commissioned, Facts, Missing};
use alarm::event::{About, Actor};
use alarm::selftest::Record;
use alarm::{BoxId, Fault, PathId, Wall};

/// What stands between a box and its service.
pub(crate) fn missing(centre: &Centre, live: &Live, name: &BoxId) -> Vec<Missing> {
    let Some(entry) = centre.appliance(name) else { return vec![] };
    let known = live.boxes.get(name);
    let seen = |path: &PathId| known.and_then(|live| live.paths.get(path)).is_some_and(LivePath::was_seen);
    let cameras = live.cameras().filter(|camera| camera.from == *name);
    let facts = Facts {
        record: centre.selftest(name),
        paths: entry.paths.iter().map(|path| (path.clone(), seen(path))).collect(),
        cameras: cameras
            .map(|camera| (camera.camera.clone(), camera.fault.is_none() && camera.still.is_some()))
            .collect(),
        output_fails: centre.is_faulty(&About::appliance(name.clone()), &Fault::OutputFailed),
        software: known.and_then(|live| live.software.as_deref()),
        centre: env!("CARGO_PKG_VERSION"),
    };
    facts.missing()
}

/// Of a box at a site.
pub(super) fn commission(
    done: Option<&Commissioned>,
    missing: impl FnOnce() -> Vec<Missing>,
) -> view::Commission {
    let missing = if done.is_some() { vec![] } else { missing() };
    view::Commission {
        done: done.map(|done| done.at.millis()),
        by: done.map(|done| match &done.by {
            Actor::Seat { user, .. } => user.to_string(),
            Actor::Desk | Actor::Wall(_) => "desk".into(),
        }),
        missing: missing.into_iter().map(lacking).collect(),
    }
}

fn lacking(missing: Missing) -> view::Missing {
    let (what, name, why) = match missing {
        Missing::SelfTest => ("self-test", None, None),
        Missing::Point { point, why } => ("point", Some(point.to_string()), Some(why.to_string())),
        Missing::Path { path } => ("path", Some(path.to_string()), None),
        Missing::Camera { camera } => ("camera", Some(camera.to_string()), None),
        Missing::Output => ("output", None, None),
        Missing::Software { is } => ("software", Some(is), None),
    };
    view::Missing { what: what.into(), name, why }
}

/// Nothing of a box that has told of no test.
pub(super) fn selftest(record: &Record) -> Option<view::SelfTest> {
    let points = record.points.iter().map(|(point, known)| view::Proof {
        point: point.to_string(),
        how: word(&known.how),
        ms: known.ms,
        failed: known.failed.as_ref().map(ToString::to_string),
        at: known.at.millis(),
        proved: known.proved.map(Wall::millis),
    });
    Some(view::SelfTest {
        at: record.tested?.millis(),
        cause: word(&record.cause),
        whole: record.is_whole(),
        points: points.collect(),
    })
}
