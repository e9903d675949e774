//! Who may come in, and what they may see and publish. Pure: one table, nothing else decides.

use crate::told::Told;
use alarm::media::{Pass, box_prefix, room_prefix, seat_broadcast, talk_prefix, wish_broadcast};
use alarm::{BoxId, IncidentId, Wall};
use link::media::{Peer, is_relay};
use link::pass::BadPass;
use link::{Fingerprint, Name};
use media::Scope;
use media::session::Grant;
use std::fmt;

/// Somebody at the door.
pub(crate) struct Caller<'a> {
    /// By certificate; browsers have none.
    pub(crate) peer: Option<Peer>,
    /// The query part of the URL.
    pub(crate) query: &'a str,
}

/// Who is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// An edge box.
    Box {
        /// Which.
        name: BoxId,
        /// With which key.
        key: Fingerprint,
    },
    /// A person at a seat.
    Person {
        /// The pass that opened the door.
        pass: Box<Pass>,
    },
    /// Another relay.
    Relay {
        /// Which.
        name: BoxId,
        /// With which key.
        key: Fingerprint,
    },
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Box { name, .. } => write!(f, "box {name}"),
            Self::Person { pass } => write!(f, "{} at {}", pass.user, pass.seat),
            Self::Relay { name, .. } => write!(f, "relay {name}"),
        }
    }
}

/// Why somebody stays outside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Neither certificate nor pass.
    #[error("show a pass (?pass=...) or the certificate of a box")]
    Nothing,
    /// Not, or no longer, in the register.
    #[error("{0} is not in the register with this key: enrol it again")]
    NotMember(BoxId),
    /// A certificate of the centre, but not a relay's.
    #[error("{0} is neither a box nor a relay")]
    NotForMedia(Name),
    /// The desk has not said yet which key signs passes.
    #[error("the desk has not been heard yet: try again")]
    NoDesk,
    /// The pass.
    #[error(transparent)]
    Pass(#[from] BadPass),
    /// Its bearer has signed out, has been transferred away, or may not be here any longer.
    #[error("the pass is void: ask the desk for a new one")]
    Void,
    /// Its incident is closed.
    #[error("incident {0} is closed")]
    Closed(IncidentId),
    /// A name that no broadcast can have.
    #[error("the pass names something that cannot be a broadcast")]
    Scope,
}

/// Decides.
pub(crate) fn judge(told: &Told, caller: &Caller<'_>, now: Wall) -> Result<(Who, Grant), Refused> {
    let (who, see, publish) = match &caller.peer {
        Some(peer) => certified(told, peer)?,
        None => with_pass(told, pass_of(caller.query).ok_or(Refused::Nothing)?, now)?,
    };
    let scope = |names: Vec<String>| Scope::below(names).map_err(|_| Refused::Scope);
    Ok((who, Grant { see: scope(see)?, publish: scope(publish)? }))
}

/// Whether somebody who is in may stay.
pub(crate) fn may_stay(told: &Told, who: &Who) -> bool {
    match who {
        Who::Box { name, key } | Who::Relay { name, key } => told.has_member(name, key),
        Who::Person { pass } => opens(told, pass).is_ok(),
    }
}

/// The pass in the query part of a URL. It is base64url and a dot: nothing in it is escaped.
pub(crate) fn pass_of(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("pass="))
}

/// What relays of a centre show each other: each speaks to its boxes itself.
pub(crate) fn shared() -> Vec<String> {
    vec!["box".into(), "room".into()]
}

type Granted = (Who, Vec<String>, Vec<String>);

fn certified(told: &Told, peer: &Peer) -> Result<Granted, Refused> {
    match &peer.name {
        Name::Box { name, .. } if told.has_member(name, &peer.key) => {
            let who = Who::Box { name: name.clone(), key: peer.key };
            Ok((who, vec![talk_prefix(name), wish_broadcast(name)], vec![box_prefix(name)]))
        }
        Name::Box { name, .. } => Err(Refused::NotMember(name.clone())),
        Name::Wall { name } if is_relay(name) && told.has_member(name, &peer.key) => {
            Ok((Who::Relay { name: name.clone(), key: peer.key }, shared(), shared()))
        }
        Name::Wall { name } if is_relay(name) => Err(Refused::NotMember(name.clone())),
        Name::Wall { .. } | Name::Rack => Err(Refused::NotForMedia(peer.name.clone())),
    }
}

fn with_pass(told: &Told, text: &str, now: Wall) -> Result<Granted, Refused> {
    let pass = read(told, text, now)?;
    opens(told, &pass)?;
    let room = pass.incident.map(room_prefix);
    let see = pass.boxes.iter().map(box_prefix).chain(room).collect();
    let own = pass.incident.filter(|_| pass.publish).map(|incident| seat_broadcast(incident, &pass.seat));
    Ok((Who::Person { pass: Box::new(pass) }, see, own.into_iter().collect()))
}

/// Reads a pass that is the desk's, in time and not void.
pub(crate) fn read(told: &Told, text: &str, now: Wall) -> Result<Pass, Refused> {
    let pass = told.pass_key().ok_or(Refused::NoDesk)?.judge(text, now)?;
    if told.is_void(&pass) { Err(Refused::Void) } else { Ok(pass) }
}

/// Whether its room is open, and it is not void.
fn opens(told: &Told, pass: &Pass) -> Result<(), Refused> {
    match pass.incident.filter(|incident| told.closed.contains_key(incident)) {
        Some(closed) => Err(Refused::Closed(closed)),
        None if told.is_void(pass) => Err(Refused::Void),
        None => Ok(()),
    }
}
