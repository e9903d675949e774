//! The lines of the journal. An event is a fact: it is only ever added, and everything that a screen, a lamp or a
//! statistic shows is a fold over these.

mod about;

pub use about::{About, Actor};

use crate::announcement::LoopEnd;
use crate::commission::Missing;
use crate::incident::{Outcome, Step};
use crate::media::Recorded;
use crate::register::{Account, Site};
use crate::rollout::{Scope, Signature, Software, Version, Why};
use crate::{BoxId, CameraId, Fault, IncidentId, Nature, Notice, PathId, SeatId, SiteId, UserId, Wall};
use serde::{Deserialize, Serialize};

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// The first line.
    Opened {
        /// Name of the centre.
        centre: String,
    },
    /// The desk started.
    Started {
        /// Version of its software.
        software: String,
    },
    /// A notice of a box was received. The same id never twice.
    Received {
        /// As it came.
        notice: Notice,
        /// From which box.
        from: BoxId,
        /// Over which path it came first.
        path: PathId,
        /// Real, test or drill, by the notice and the site's test window.
        nature: Nature,
        /// The incident that it opens or belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
    },
    /// The desk found a fault.
    FaultRaised {
        /// What it concerns.
        about: About,
        /// Which.
        fault: Fault,
    },
    /// It is over.
    FaultCleared {
        /// What it concerned.
        about: About,
        /// Which.
        fault: Fault,
    },
    /// Somebody has seen it.
    Acknowledged {
        /// Which incident.
        incident: IncidentId,
        /// Who.
        by: Actor,
    },
    /// A seat has taken ownership.
    Answered {
        /// Which incident.
        incident: IncidentId,
        /// The host from here on.
        seat: SeatId,
        /// Who sits there.
        user: UserId,
    },
    /// The host offers it to another seat.
    Offered {
        /// Which incident.
        incident: IncidentId,
        /// To which seat.
        to: SeatId,
        /// By whom.
        by: Actor,
    },
    /// The other seat is host from here on.
    Transferred {
        /// Which incident.
        incident: IncidentId,
        /// The new host.
        seat: SeatId,
        /// Who sits there.
        user: UserId,
    },
    /// The offer ended without a transfer.
    Withdrawn {
        /// Which incident.
        incident: IncidentId,
        /// By whom.
        by: Actor,
    },
    /// It has moved on.
    Progressed {
        /// Which incident.
        incident: IncidentId,
        /// To which step.
        step: Step,
        /// By whom.
        by: Actor,
    },
    /// It is over.
    Closed {
        /// Which incident.
        incident: IncidentId,
        /// How it ended.
        outcome: Outcome,
        /// What was written.
        note: String,
        /// By whom.
        by: Actor,
    },
    /// Nobody answered in time.
    Escalated {
        /// Which incident.
        incident: IncidentId,
    },
    /// Its seat has gone: it rings again.
    Requeued {
        /// Which incident.
        incident: IncidentId,
        /// The seat that has gone.
        seat: SeatId,
    },
    /// Somebody logged on at a seat.
    SeatOpened {
        /// Which seat.
        seat: SeatId,
        /// Who.
        user: UserId,
    },
    /// The seat is empty.
    SeatClosed {
        /// Which seat.
        seat: SeatId,
        /// Its console went away, rather than signing out.
        lost: bool,
    },
    /// Presses from this site are tests until then.
    WindowOpened {
        /// Which site.
        site: SiteId,
        /// It closes itself then.
        until: Wall,
        /// Who opened it.
        by: Actor,
    },
    /// Presses are real again.
    WindowClosed {
        /// Which site.
        site: SiteId,
        /// Who; [`Actor::Desk`] when it closed itself.
        by: Actor,
    },
    /// A site was registered or its entry changed.
    SiteWritten {
        /// The whole entry.
        site: Site,
        /// By whom.
        by: Actor,
    },
    /// An appliance was registered.
    BoxRegistered {
        /// Its name.
        name: BoxId,
        /// Its site; none for a wall.
        site: Option<SiteId>,
        /// By whom.
        by: Actor,
    },
    /// A ticket was issued. Its secret is not here.
    TicketIssued {
        /// Public number.
        number: String,
        /// For which appliance.
        name: BoxId,
        /// When it ends.
        expires: Wall,
        /// By whom.
        by: Actor,
    },
    /// The appliance showed its ticket and has a certificate.
    BoxEnrolled {
        /// Which.
        name: BoxId,
        /// With which ticket.
        ticket: String,
        /// SHA-256 of its public key (SPKI), hex.
        key: String,
        /// When the certificate ends.
        until: Wall,
    },
    /// The appliance has said which paths it is set up for: one that is never seen is missed too.
    PathsDeclared {
        /// Which.
        name: BoxId,
        /// All of them.
        paths: Vec<PathId>,
    },
    /// It has a new certificate for a new key.
    CertificateRenewed {
        /// Which.
        name: BoxId,
        /// SHA-256 of the new public key (SPKI), hex.
        key: String,
        /// When the certificate ends.
        until: Wall,
    },
    /// The appliance has come with its new key: the one before is of no more use.
    RenewalConfirmed {
        /// Which.
        name: BoxId,
    },
    /// It was put out of service.
    BoxRevoked {
        /// Which.
        name: BoxId,
        /// By whom.
        by: Actor,
    },
    /// Somebody wants a box to test its points now.
    SelfTestAsked {
        /// Which.
        name: BoxId,
        /// Who.
        by: Actor,
    },
    /// A box was found in order, or a technician took it as it was.
    Commissioned {
        /// Which.
        name: BoxId,
        /// By whom; [`Actor::Desk`] when nothing was missing.
        by: Actor,
        /// What was missing all the same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<Missing>,
    },
    /// An account was made. Its password is not here.
    AccountMade {
        /// The account.
        account: Account,
        /// By whom; [`Actor::Desk`] for the first one.
        by: Actor,
    },
    /// A password was changed.
    PasswordChanged {
        /// Whose.
        user: UserId,
        /// By whom.
        by: Actor,
    },
    /// An account was removed.
    AccountRemoved {
        /// Whose.
        user: UserId,
        /// By whom.
        by: Actor,
    },
    /// A relay recorded something. The same number of the same relay never twice.
    Recorded {
        /// Which relay.
        relay: BoxId,
        /// The relay's own number for it.
        number: u64,
        /// What.
        what: Recorded,
        /// The incident whose history tells of it. Segments stand in the journal only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
    },
    /// Somebody was let in to see and hear an incident. Once for each person; renewals are not written.
    PassIssued {
        /// Which incident.
        incident: IncidentId,
        /// Who.
        user: UserId,
        /// Where.
        seat: SeatId,
    },
    /// Somebody looks at cameras of a box without a press.
    WatchBegan {
        /// Which box.
        name: BoxId,
        /// Which cameras.
        cameras: Vec<CameraId>,
        /// Why.
        reason: String,
        /// It ends itself then.
        until: Wall,
        /// Who.
        user: UserId,
        /// Where.
        seat: SeatId,
    },
    /// That is over.
    WatchEnded {
        /// Which box.
        name: BoxId,
        /// The seat that looked.
        seat: SeatId,
        /// By whom; [`Actor::Desk`] when it ended itself.
        by: Actor,
    },
    /// The recordings of an incident are kept until somebody says otherwise, or no longer.
    Held {
        /// Which incident.
        incident: IncidentId,
        /// Kept.
        held: bool,
        /// By whom.
        by: Actor,
    },
    /// A seat has kept a still picture.
    SnapshotTaken {
        /// Which incident.
        incident: IncidentId,
        /// SHA-256 of the JPEG, hex: also its name.
        sha256: String,
        /// Its length.
        bytes: u64,
        /// The take it is from.
        take: String,
        /// The moment that it shows, as the seat saw it.
        shown: Wall,
        /// By whom.
        by: Actor,
    },
    /// A message was recorded for looped broadcast.
    AnnouncementAdded {
        /// SHA-256 of its sound file, hex.
        sha256: String,
        /// What people call it.
        name: String,
        /// Length of the file.
        bytes: u64,
        /// Length of the sound, milliseconds.
        length: u64,
        /// By whom.
        by: Actor,
    },
    /// It has another name.
    AnnouncementRenamed {
        /// Which.
        sha256: String,
        /// The new name.
        name: String,
        /// By whom.
        by: Actor,
    },
    /// It was removed.
    AnnouncementRemoved {
        /// Which.
        sha256: String,
        /// Its last name.
        name: String,
        /// By whom.
        by: Actor,
    },
    /// The host of an ordinary incident plays an announcement into the site, again and again.
    LoopBegan {
        /// Which incident.
        incident: IncidentId,
        /// Which announcement.
        sha256: String,
        /// Its name.
        announcement: String,
        /// It ends itself then.
        until: Wall,
        /// Who.
        user: UserId,
        /// Where.
        seat: SeatId,
    },
    /// The site does not hear it any more.
    LoopEnded {
        /// Which incident.
        incident: IncidentId,
        /// Its name.
        announcement: String,
        /// Why.
        why: LoopEnd,
        /// By whom.
        by: Actor,
    },
    /// A bundle was added to those that can be rolled out.
    BundleAdded {
        /// SHA-256 of the file, hex.
        sha256: String,
        /// For which image.
        image: String,
        /// Which version.
        version: Version,
        /// Length of the file.
        bytes: u64,
        /// Whether its signature was looked at here.
        signature: Signature,
        /// By whom.
        by: Actor,
    },
    /// It was removed.
    BundleRemoved {
        /// Which.
        sha256: String,
        /// For which image.
        image: String,
        /// Which version.
        version: Version,
        /// By whom.
        by: Actor,
    },
    /// A box runs another version than before, or says how an update went.
    SoftwareTold {
        /// Which.
        name: BoxId,
        /// All of it.
        software: Software,
    },
    /// A roll-out was begun.
    RolloutBegan {
        /// Of which version.
        version: Version,
        /// For which boxes.
        scope: Scope,
        /// Those of them that need it.
        boxes: Vec<BoxId>,
        /// By whom.
        by: Actor,
    },
    /// A box may fetch it.
    UpdateBegan {
        /// Which.
        name: BoxId,
        /// Which version.
        version: Version,
    },
    /// A box did not come to run it, as it says or for want of a word.
    UpdateFailed {
        /// Which.
        name: BoxId,
        /// Which version.
        version: Version,
        /// Why.
        #[serde(flatten)]
        why: Why,
    },
    /// The roll-out has stopped by itself: too many boxes failed.
    RolloutHalted {
        /// Of which version.
        version: Version,
    },
    /// A person lets no more boxes begin.
    RolloutPaused {
        /// Of which version.
        version: Version,
        /// Who.
        by: Actor,
    },
    /// It goes on, and what had failed is tried again.
    RolloutResumed {
        /// Of which version.
        version: Version,
        /// By whom.
        by: Actor,
    },
    /// It is over.
    RolloutEnded {
        /// Of which version.
        version: Version,
        /// By whom; [`Actor::Desk`] when every box had ended well.
        by: Actor,
    },
}
