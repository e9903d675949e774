//! What opens the relay's door: who may see what, decided here, signed, and read by the relay.

use crate::http::Refusal;
use crate::{Engine, clock, show, view};
use alarm::centre::{Centre, Refused};
use alarm::incident::{Incident, Step};
use alarm::media::{PASS_LIFE, PRE_ALARM, Pass, Report, box_prefix, room_prefix, seat_broadcast};
use alarm::{BoxId, IncidentId, SeatId, UserId, Wall};
use axum::http::StatusCode;
use link::pass::PassKey;
use std::time::Duration;

/// Boxes of one pass, which travels in a URL: those of a room, or of the incidents that stand first on the wall.
pub(crate) const BOXES_MAX: usize = alarm::room::GUESTS_MAX;
/// Takes that began this much before an incident belong to it as well: the pre-alarm, and a clock that is behind.
const BEFORE: Duration = Duration::from_secs(PRE_ALARM.as_secs() + 60);

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) struct Asks<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) seat: &'a SeatId,
}

/// What a pass is to open.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Opens {
    incident: Option<IncidentId>,
    boxes: Vec<BoxId>,
    publish: bool,
    recordings_since: Option<Wall>,
    mode: Option<alarm::Mode>,
    voice: Option<SeatId>,
    /// The line of the journal up to which this has been decided.
    line: u64,
}

impl Opens {
    /// An incident's room: its pictures, its recordings, and for the host of an ordinary one its voice.
    pub(crate) fn room(centre: &Centre, incident: &Incident, seat: &SeatId) -> Self {
        let open = incident.step != Step::Closed;
        Self {
            incident: Some(incident.id),
            boxes: centre.guests(incident),
            publish: centre.may_speak(incident.id, seat),
            recordings_since: Some(before(incident.received)),
            mode: Some(incident.mode),
            voice: centre.media_room(incident).voice().filter(|_| open).cloned(),
            line: centre.seq(),
        }
    }

    /// What a seat looks at without a press.
    pub(crate) fn watch(centre: &Centre, name: &BoxId) -> Self {
        Self { boxes: vec![name.clone()], line: centre.seq(), ..Self::default() }
    }

    /// The boxes of all open incidents, first in the queue first; and which incidents those are.
    pub(crate) fn wall(centre: &Centre) -> (Self, Vec<IncidentId>) {
        let (mut boxes, mut incidents): (Vec<BoxId>, Vec<IncidentId>) = (vec![], vec![]);
        for incident in centre.open() {
            let new: Vec<_> =
                centre.guests(incident).into_iter().filter(|name| !boxes.contains(name)).collect();
            if boxes.len() + new.len() > BOXES_MAX {
                break;
            }
            boxes.extend(new);
            incidents.push(incident.id);
        }
        (Self { boxes, line: centre.seq(), ..Self::default() }, incidents)
    }
}

fn before(received: Wall) -> Wall {
    Wall::from_millis(received.millis() - i64::try_from(BEFORE.as_millis()).unwrap_or(0))
}

/// Signs a pass, good for at most [`PASS_LIFE`] and not beyond `end`.
///
/// # Errors
/// When no relay is linked, or the seat has been given up: its passes have just been made void.
pub(crate) fn sign(
    engine: &Engine,
    key: &PassKey,
    asks: Asks<'_>,
    opens: Opens,
    end: Option<Wall>,
) -> Result<view::Pass, Refusal> {
    let (relay, seated) = engine.with(|centre, live| {
        let relay = live.relays().next().map(|(_, report)| report.clone());
        (relay, centre.seats().any(|(seat, seated)| seat == asks.seat && seated.user == *asks.user))
    });
    if !seated {
        return Err(Refused::SeatEmpty(asks.seat.clone()).into());
    }
    let relay = relay.ok_or_else(|| {
        let detail = "no relay is linked: pictures and sound are not available, alarms are";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "no-relay", detail)
    })?;
    let longest = clock::wall() + PASS_LIFE;
    let until = end.map_or(longest, |end| longest.min(end));
    Ok(signed(key, asks, opens, until, relay))
}

fn signed(key: &PassKey, asks: Asks<'_>, opens: Opens, until: Wall, relay: Report) -> view::Pass {
    let Opens { incident, boxes, publish, recordings_since, mode, voice, line } = opens;
    let room = incident.map(room_prefix);
    let see = boxes.iter().map(box_prefix).chain(room.clone()).collect();
    let (user, seat) = (asks.user.clone(), asks.seat.clone());
    let own = incident.filter(|_| publish).map(|incident| seat_broadcast(incident, &seat));
    let pass = Pass { until, user, seat, incident, boxes, publish, recordings_since, line };
    view::Pass {
        pass: key.sign(&pass),
        until: until.millis(),
        host: relay.host,
        port: relay.port,
        tls: relay.tls,
        certificates: relay.certificates,
        room,
        publish: own,
        see,
        mode: mode.as_ref().map(show::word),
        voice: voice.map(String::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_pass_is_short_enough_for_the_relay() {
        let dir = tempfile::tempdir().unwrap();
        let key = PassKey::open(dir.path()).unwrap();
        let long = |n: usize| BoxId::new(format!("{n:0>63}")).unwrap();
        let opens = Opens {
            incident: Some(IncidentId(u64::MAX)),
            boxes: (0..BOXES_MAX).map(long).collect(),
            publish: true,
            recordings_since: Some(Wall::from_millis(i64::MIN)),
            line: u64::MAX,
            ..Opens::default()
        };
        let (user, seat) = (UserId::new("u".repeat(63)).unwrap(), SeatId::new("s".repeat(63)).unwrap());
        let asks = Asks { user: &user, seat: &seat };
        let until = Wall::from_millis(i64::MAX);
        let pass = signed(&key, asks, opens, until, Report::default());
        assert!(pass.pass.len() <= link::pass::LONGEST, "{}", pass.pass.len());
        assert!(key.public().judge(&pass.pass, Wall::from_millis(0)).is_ok());
    }
}
