//! Bundles and roll-outs, as consoles see them.

use super::{who, word};
use crate::live::Live;
use crate::view;
use alarm::BoxId;
use alarm::centre::Centre;
use alarm::rollout::{self, Progress, Rolling, Scope, State, Version};

pub(crate) fn bundle(bundle: &rollout::Bundle) -> view::Bundle {
    view::Bundle {
        sha256: bundle.sha256.clone(),
        image: bundle.image.clone(),
        version: bundle.version.to_string(),
        bytes: bundle.bytes,
        signature: word(&bundle.signature),
        added: bundle.added.millis(),
        by: who(&bundle.by),
    }
}

pub(crate) fn bundles(centre: &Centre) -> Vec<view::Bundle> {
    centre.bundles().map(bundle).collect()
}

pub(super) fn software(centre: &Centre, name: &BoxId) -> Option<view::Software> {
    let known = centre.software(name)?;
    Some(view::Software { image: known.image.clone(), version: known.runs.to_string() })
}

pub(crate) fn rollout(centre: &Centre, live: &Live) -> Option<view::Rollout> {
    let Rolling { rollout, scope, began, by, ended, .. } = centre.rolling()?;
    let (name, site) = match scope {
        Scope::Box { name } => (Some(name.to_string()), None),
        Scope::Site { site } => (None, Some(site.to_string())),
        Scope::All => (None, None),
    };
    let version = rollout.version();
    let boxes = rollout.boxes().map(|(name, progress)| updating(centre, live, version, (name, progress)));
    Some(view::Rollout {
        version: version.to_string(),
        mood: if ended.is_some() { "ended".into() } else { word(&rollout.mood()) },
        r#box: name,
        site,
        began: began.millis(),
        by: who(by),
        ended: ended.as_ref().map(|(at, _)| at.millis()),
        ended_by: ended.as_ref().map(|(_, by)| who(by)),
        boxes: boxes.collect(),
    })
}

fn updating(
    centre: &Centre,
    live: &Live,
    version: &Version,
    (name, progress): (&BoxId, &Progress),
) -> view::Updating {
    let software = centre.software(name);
    let told = live.boxes.get(name).and_then(|live| live.status.as_ref()?.update.as_ref());
    let bundle = centre.bundles().find(|bundle| {
        bundle.version == *version && software.is_some_and(|software| software.image == bundle.image)
    });
    let bytes = bundle.map_or(0, |bundle| bundle.bytes);
    let fetch = |since| told.and_then(|told| told.fetch.as_ref()).filter(|fetch| fetch.since == since);
    let (is, fetched, why) = match progress {
        Progress::Waiting => ("waiting", 0, None),
        Progress::Going { since } => {
            let fetched = fetch(*since).map_or(0, |fetch| fetch.bytes);
            let staged = software
                .and_then(|software| software.outcome.as_ref())
                .is_some_and(|outcome| outcome.version == *version && outcome.state == State::Staged);
            let whole = bytes > 0 && fetched >= bytes;
            let is = if staged {
                "trial"
            } else if whole {
                "putting-on"
            } else {
                "fetching"
            };
            (is, if staged { bytes } else { fetched }, None)
        }
        Progress::Done => ("done", bytes, None),
        Progress::Failed(why) => ("failed", 0, Some(why)),
    };
    view::Updating {
        r#box: name.to_string(),
        is: is.into(),
        runs: software.map(|software| software.runs.to_string()),
        fetched,
        bytes,
        cause: why.map(|why| word(&why.cause)),
        reason: why.map(|why| why.reason.clone()),
    }
}
