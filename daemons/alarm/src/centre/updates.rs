//! Bundles, what boxes run, and the roll-out of a version over them. Who gets it when is [`Rollout`]'s; here stand its
//! events.

use super::decide::Decided;
use super::{Centre, Refused, Touched};
use crate::event::{Actor, Event};
use crate::register::{Appliance, Enrolment};
use crate::rollout::{
    BUNDLES_MAX, Bundle, IMAGE_MAX, Mood, Offer, Outcome, Progress, Rolling, Rollout, Scope, Signature,
    Software, State, Told, Version, Why,
};
use crate::{BoxId, Wall};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known of versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Updates {
    bundles: Vec<Bundle>,
    software: BTreeMap<BoxId, Software>,
    rolling: Option<Rolling>,
}

impl Updates {
    fn active(&self) -> Option<&Rolling> {
        self.rolling.as_ref().filter(|rolling| rolling.ended.is_none())
    }

    fn active_mut(&mut self) -> Option<&mut Rolling> {
        self.rolling.as_mut().filter(|rolling| rolling.ended.is_none())
    }

    fn bundle_of(&self, image: &str, version: &Version) -> Option<&Bundle> {
        self.bundles.iter().find(|bundle| bundle.image == image && bundle.version == *version)
    }

    /// The box is no longer one of the centre's.
    pub(super) fn forget(&mut self, name: &BoxId) {
        self.software.remove(name);
        if let Some(rolling) = self.active_mut() {
            rolling.rollout.leave(name);
        }
    }
}

impl Centre {
    /// The bundles, oldest first.
    pub fn bundles(&self) -> impl Iterator<Item = &Bundle> {
        self.updates.bundles.iter()
    }

    /// One bundle.
    pub fn bundle(&self, sha256: &str) -> Option<&Bundle> {
        self.updates.bundles.iter().find(|known| known.sha256 == sha256)
    }

    /// What a box runs; `None` of one that has never said it.
    pub fn software(&self, name: &BoxId) -> Option<&Software> {
        self.updates.software.get(name)
    }

    /// The roll-out that goes on, or else the last one.
    pub fn rolling(&self) -> Option<&Rolling> {
        self.updates.rolling.as_ref()
    }

    /// What this box is to fetch now.
    pub fn update_for(&self, name: &BoxId) -> Option<Offer> {
        let rollout = &self.updates.active()?.rollout;
        let version = rollout.wanted(name)?;
        let going = rollout.boxes().find(|(known, _)| *known == name)?.1;
        let Progress::Going { since } = going else { return None };
        let image = &self.updates.software.get(name)?.image;
        let bundle = self.updates.bundle_of(image, version)?;
        Some(Offer {
            sha256: bundle.sha256.clone(),
            image: bundle.image.clone(),
            version: version.clone(),
            bytes: bundle.bytes,
            since: *since,
        })
    }

    /// A bundle has come in whole: so many bytes.
    ///
    /// # Errors
    /// [`Refused::Exists`], [`Refused::Bundles`].
    pub fn add_bundle(
        &self,
        sha256: String,
        (image, version): (&str, &Version),
        (bytes, signature): (u64, Signature),
        by: Actor,
    ) -> Decided {
        // Of one version there is one bundle: what boxes run tells which.
        if self.updates.bundle_of(image, version).is_some() || self.bundle(&sha256).is_some() {
            return Err(Refused::Exists { what: "bundle", name: format!("{image} {version}") });
        }
        if self.updates.bundles.len() >= BUNDLES_MAX {
            return Err(Refused::Bundles);
        }
        let (image, version) = (image.to_owned(), version.clone());
        Ok(vec![Event::BundleAdded { sha256, image, version, bytes, signature, by }])
    }

    /// It is removed.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::BundleInUse`].
    pub fn remove_bundle(&self, sha256: &str, by: Actor) -> Decided {
        let missing = || Refused::NotFound { what: "bundle", name: sha256.to_owned() };
        let Bundle { image, version, .. } = self.bundle(sha256).ok_or_else(missing)?;
        if self.updates.active().is_some_and(|rolling| rolling.rollout.version() == version) {
            return Err(Refused::BundleInUse(version.clone()));
        }
        let (sha256, image, version) = (sha256.to_owned(), image.clone(), version.clone());
        Ok(vec![Event::BundleRemoved { sha256, image, version, by }])
    }

    /// Begins to roll a version out to those boxes of the scope for whose image there is a bundle.
    ///
    /// # Errors
    /// [`Refused::RollingOut`], [`Refused::NotFound`], [`Refused::Revoked`], [`Refused::NoAppliance`],
    /// [`Refused::NoBundle`], [`Refused::Rollout`] for a downgrade and for a scope in which nobody needs it.
    pub fn begin_rollout(&self, version: &Version, scope: Scope, by: Actor) -> Decided {
        if let Some(rolling) = self.updates.active() {
            return Err(Refused::RollingOut(rolling.rollout.version().clone()));
        }
        let boxes = self.boxes_of(&scope)?.into_iter().filter_map(|name| {
            let software = self.updates.software.get(name)?;
            self.updates.bundle_of(&software.image, version)?;
            Some((name.clone(), Some(software.runs.clone())))
        });
        let boxes: Vec<_> = boxes.collect();
        if boxes.is_empty() {
            return Err(Refused::NoBundle(version.clone()));
        }
        let rollout = Rollout::begin(version.clone(), boxes)?;
        let boxes = rollout.boxes().map(|(name, _)| name.clone()).collect();
        Ok(vec![Event::RolloutBegan { version: version.clone(), scope, boxes, by }])
    }

    fn boxes_of(&self, scope: &Scope) -> Result<Vec<&BoxId>, Refused> {
        match scope {
            Scope::Box { name } => {
                self.in_service(name)?;
                if !self.updates.software.contains_key(name) {
                    return Err(Refused::NoAppliance(name.clone()));
                }
            }
            Scope::Site { site } => self.site_known(site)?,
            Scope::All => {}
        }
        let meant = |entry: &&Appliance| match scope {
            Scope::Box { name } => entry.name == *name,
            Scope::Site { site } => entry.site.as_ref() == Some(site),
            Scope::All => true,
        };
        let enrolled = |entry: &&Appliance| {
            entry.site.is_some() && matches!(entry.enrolment, Enrolment::Enrolled { .. })
        };
        Ok(self.boxes().filter(meant).filter(enrolled).map(|entry| &entry.name).collect())
    }

    /// No more boxes begin for now.
    ///
    /// # Errors
    /// [`Refused::NoRollout`].
    pub fn pause_rollout(&self, by: Actor) -> Decided {
        let rollout = self.rolling_out()?;
        let version = rollout.version().clone();
        let runs = rollout.mood() == Mood::Running;
        Ok(if runs { vec![Event::RolloutPaused { version, by }] } else { vec![] })
    }

    /// It goes on, and what had failed is tried again.
    ///
    /// # Errors
    /// [`Refused::NoRollout`].
    pub fn resume_rollout(&self, by: Actor) -> Decided {
        let rollout = self.rolling_out()?;
        let version = rollout.version().clone();
        let failed = |(_, progress): (_, &Progress)| matches!(progress, Progress::Failed(_));
        let stands = rollout.mood() != Mood::Running || rollout.boxes().any(failed);
        Ok(if stands { vec![Event::RolloutResumed { version, by }] } else { vec![] })
    }

    /// It is over, whatever has become of it. What lies in a box's other slot already is run all the same.
    ///
    /// # Errors
    /// [`Refused::NoRollout`].
    pub fn end_rollout(&self, by: Actor) -> Decided {
        Ok(vec![Event::RolloutEnded { version: self.rolling_out()?.version().clone(), by }])
    }

    fn rolling_out(&self) -> Result<&Rollout, Refused> {
        self.updates.active().map(|rolling| &rolling.rollout).ok_or(Refused::NoRollout)
    }

    /// A box says what it runs and how its update fares. What was heard before is no event.
    pub fn hear_software(&self, name: &BoxId, told: &Told) -> Vec<Event> {
        if !self.boxes.contains_key(name) || told.image.chars().count() > IMAGE_MAX {
            return vec![];
        }
        let mut outcome = told.outcome.clone();
        if let Some(outcome) = &mut outcome {
            outcome.why = Why::new(outcome.why.cause, &outcome.why.reason);
        }
        let software = Software { image: told.image.clone(), runs: told.runs.clone(), outcome };
        let news = self.updates.software.get(name) != Some(&software);
        let said = news.then(|| Event::SoftwareTold { name: name.clone(), software });
        said.into_iter().chain(self.trouble(name, told)).collect()
    }

    /// Trouble of an earlier try is an old word.
    fn trouble(&self, name: &BoxId, told: &Told) -> Option<Event> {
        let fetch = told.fetch.as_ref()?;
        let why = Why::new(fetch.cause, fetch.trouble.as_ref()?);
        let offer = self.update_for(name).filter(|offer| offer.since == fetch.since)?;
        Some(Event::UpdateFailed { name: name.clone(), version: offer.version, why })
    }

    /// What is due of the roll-out: boxes begin, are given up, and it halts or ends.
    pub fn rollout_due(&self, now: Wall, is_ready: impl Fn(&BoxId) -> bool) -> Vec<Event> {
        let Some(Rolling { rollout, halted, .. }) = self.updates.active() else { return vec![] };
        let version = rollout.version();
        if rollout.is_done() {
            return vec![Event::RolloutEnded { version: version.clone(), by: Actor::Desk }];
        }
        if rollout.mood() == Mood::Halted && !halted {
            return vec![Event::RolloutHalted { version: version.clone() }];
        }
        let mut then = rollout.clone();
        then.handle_time(now, is_ready);
        let changed = rollout.boxes().zip(then.boxes()).filter(|((_, before), (_, after))| before != after);
        let event = |name: &BoxId, after: &Progress| {
            let (name, version) = (name.clone(), version.clone());
            match after {
                Progress::Going { .. } => Some(Event::UpdateBegan { name, version }),
                Progress::Failed(why) => Some(Event::UpdateFailed { name, version, why: why.clone() }),
                Progress::Waiting | Progress::Done => None,
            }
        };
        changed.filter_map(|(_, (name, after))| event(name, after)).collect()
    }

    pub(super) fn updated(&mut self, at: Wall, event: &Event) -> Touched {
        let updates = &mut self.updates;
        if let Event::BundleAdded { sha256, image, version, bytes, signature, by } = event {
            updates.bundles.push(Bundle {
                sha256: sha256.clone(),
                image: image.clone(),
                version: version.clone(),
                bytes: *bytes,
                signature: *signature,
                added: at,
                by: by.clone(),
            });
        }
        if let Event::BundleRemoved { sha256, .. } = event {
            updates.bundles.retain(|known| known.sha256 != *sha256);
        }
        if let Event::RolloutBegan { version, scope, boxes, by } = event {
            let boxes = boxes.iter().map(|name| (name.clone(), None));
            if let Ok(rollout) = Rollout::begin(version.clone(), boxes) {
                let (scope, by) = (scope.clone(), by.clone());
                updates.rolling = Some(Rolling { rollout, scope, began: at, by, ended: None, halted: false });
            }
        }
        if let Event::SoftwareTold { name, software } = event {
            return self.software_told(name, software);
        }
        if let Some(rolling) = updates.active_mut() {
            roll(rolling, at, event);
        }
        Touched::Rollout
    }

    fn software_told(&mut self, name: &BoxId, software: &Software) -> Touched {
        let before = self.updates.software.insert(name.clone(), software.clone());
        let touched = Touched::Software(name.clone());
        let Some(rolling) = self.updates.active_mut() else { return touched };
        // What runs and has not been found healthy may still be given back.
        let tried = |outcome: &Outcome| outcome.version == software.runs && outcome.state == State::Staged;
        if !software.outcome.as_ref().is_some_and(tried) {
            rolling.rollout.handle_runs(name, &software.runs);
        }
        // What a box says when it is heard for the first time is an old word.
        if let Some(before) = before
            && let Some(outcome) =
                software.outcome.as_ref().filter(|now| before.outcome.as_ref() != Some(now))
        {
            rolling.rollout.handle_outcome(name, outcome);
        }
        touched
    }
}

fn roll(rolling: &mut Rolling, at: Wall, event: &Event) {
    let rollout = &mut rolling.rollout;
    if let Event::UpdateBegan { name, .. } = event {
        rollout.start(name, at);
    }
    if let Event::UpdateFailed { name, why, .. } = event {
        rollout.fail(name, why.clone());
    }
    if let Event::RolloutHalted { .. } = event {
        rolling.halted = true;
    }
    if let Event::RolloutPaused { .. } = event {
        rollout.pause();
    }
    if let Event::RolloutResumed { .. } = event {
        rollout.resume();
        rolling.halted = false;
    }
    if let Event::RolloutEnded { by, .. } = event {
        rolling.ended = Some((at, by.clone()));
    }
}
