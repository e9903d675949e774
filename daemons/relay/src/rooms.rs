//! What the relay itself publishes: its wishes to each box, and the host's voice for the boxes of a room.

use crate::told::Told;
use alarm::media::{Room, WISH_TRACK, Wish, seat_broadcast, talk_prefix, wish_broadcast};
use alarm::{BoxId, IncidentId};
use media::Origin;
use media::note::Note;
use media::origin::Alias;
use std::collections::BTreeMap;

/// The host's voice on its way to a box. There is none in a silent room: only [`Voice::of`] makes one, from
/// [`Room::voice`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Voice {
    /// What the box hears.
    heard_as: String,
    /// What the host publishes.
    spoken_as: String,
    incident: IncidentId,
    heard_by: BoxId,
}

impl Voice {
    fn of(room: &Room) -> Vec<Self> {
        let Some(seat) = room.voice() else { return Vec::new() };
        let incident = room.incident;
        let spoken_as = seat_broadcast(incident, seat);
        let heard_by = |name: &BoxId| Self {
            heard_as: format!("{}/{incident}/seat-{seat}", talk_prefix(name)),
            spoken_as: spoken_as.clone(),
            incident,
            heard_by: name.clone(),
        };
        room.boxes.iter().map(heard_by).collect()
    }
}

/// Everything that the relay publishes.
pub(crate) struct Rooms {
    origin: Origin,
    wishes: BTreeMap<BoxId, (Wish, Note)>,
    voices: BTreeMap<Voice, Alias>,
}

impl Rooms {
    /// Nothing yet.
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, wishes: BTreeMap::new(), voices: BTreeMap::new() }
    }

    /// Publishes what follows from what the desk has told, and nothing else. The boxes in the answer have been
    /// hearing somebody whom they may not hear any more: taking the name away does not end what they listen to, so
    /// their sessions have to end.
    pub(crate) fn apply(&mut self, told: &Told) -> Vec<BoxId> {
        // Voices first: silence must not wait.
        let voices: Vec<Voice> = told.rooms.values().flat_map(Voice::of).collect();
        let ended = self.voices.keys().filter(|voice| !voices.contains(voice));
        let silent =
            |voice: &&Voice| told.rooms.get(&voice.incident).is_some_and(|room| room.voice().is_none());
        let silenced = ended.filter(silent).map(|voice| voice.heard_by.clone()).collect();
        self.voices.retain(|voice, _| voices.contains(voice));
        voices.into_iter().for_each(|voice| self.give(voice));
        let wishes = told.wishes();
        self.wishes.retain(|name, _| wishes.contains_key(name));
        wishes.into_iter().for_each(|(name, wish)| self.wish(name, wish));
        silenced
    }

    fn give(&mut self, voice: Voice) {
        if self.voices.contains_key(&voice) {
            return;
        }
        match self.origin.alias(&voice.heard_as, &voice.spoken_as) {
            Ok(alias) => drop(self.voices.insert(voice, alias)),
            Err(error) => {
                tracing::error!(incident = %voice.incident, %error, "the host cannot be heard at the site");
            }
        }
    }

    fn wish(&mut self, name: BoxId, wish: Wish) {
        let text = serde_json::to_vec(&wish).expect("a wish is plain data");
        let said = match self.wishes.get_mut(&name) {
            Some((known, _)) if *known == wish => Ok(()),
            Some((known, note)) => {
                *known = wish;
                note.write(&text)
            }
            None => Note::publish(&self.origin, &wish_broadcast(&name), WISH_TRACK, &text)
                .map(|note| drop(self.wishes.insert(name.clone(), (wish, note)))),
        };
        if let Err(error) = said {
            tracing::error!(%name, %error, "the box cannot be told what is wanted of it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::{Mode, SeatId, Wall};

    #[test]
    fn a_silent_room_gives_no_voice_and_an_ordinary_one_the_hosts_only() {
        let boxes = vec![BoxId::new("school-1").unwrap(), BoxId::new("school-2").unwrap()];
        let host = SeatId::new("a").ok();
        let room = |mode, host| Room {
            incident: IncidentId(7),
            boxes: boxes.clone(),
            mode,
            host,
            opened: Wall::default(),
        };
        assert_eq!(Voice::of(&room(Mode::Silent, host.clone())), []);
        assert_eq!(Voice::of(&room(Mode::Ordinary, None)), []);
        let heard: Vec<_> =
            Voice::of(&room(Mode::Ordinary, host)).into_iter().map(|v| (v.heard_as, v.spoken_as)).collect();
        let pair = |name: &str| (format!("talk/{name}/7/seat-a"), "room/7/seat-a".to_owned());
        assert_eq!(heard, [pair("school-1"), pair("school-2")]);
    }
}
