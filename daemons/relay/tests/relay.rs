//! The whole relay on loopback: a played desk, boxes with certificates, seats with passes, media made by ffmpeg.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod played;

use alarm::media::{Pass, Recorded, TakeId, Void};
use alarm::wire::ToBox;
use alarm::{IncidentId, Mode};
use media::follow::Follow;
use media::{Origin, Session};
use played::{Centre, Film, LIMIT, QUIET, Relay, name, now, probe, until};
use std::time::Duration;
use tokio::time::timeout;

const KEEP: Duration = Duration::from_secs(60);

/// The broadcasts that an origin hears of below `prefix`, until nothing new comes.
async fn heard(origin: &Origin, prefix: &str) -> Vec<String> {
    let mut listening = origin.listen(prefix).unwrap();
    let mut names = Vec::new();
    while let Ok(Some(heard)) = timeout(QUIET, listening.next()).await {
        match heard.there {
            true => names.push(heard.name),
            false => names.retain(|name| *name != heard.name),
        }
    }
    names
}

/// Whether a session was let in and stays.
async fn stays(session: Result<Session, media::Error>) -> bool {
    match session {
        Ok(session) => timeout(QUIET, session.closed()).await.is_err(),
        Err(_) => false,
    }
}

fn take(of: &str, began: i64) -> TakeId {
    format!("{of}/gate/{began}").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_knows_boxes_by_certificate_and_people_by_pass() {
    let centre = Centre::start();
    let member = centre.member("school-1");
    let relay = Relay::start(&centre, "relay", "").await;
    let stranger = centre.identity(&played::box_name("school-1"));
    let other = Centre::start();
    assert!(stays(relay.connect(&member, &Origin::new()).await).await);
    assert!(!stays(relay.connect(&stranger, &Origin::new()).await).await, "an unknown key");
    let wall = centre.identity(&link::Name::Wall { name: name("hall") });
    assert!(!stays(relay.connect(&wall, &Origin::new()).await).await, "a wall is no relay");
    let unknown = centre.identity(&link::Name::Wall { name: name("relay-2") });
    assert!(
        !stays(relay.connect(&unknown, &Origin::new()).await).await,
        "a relay that is not in the register"
    );

    let good = centre.pass(7, "school-1");
    let expired = Pass { until: now(), ..good.clone() };
    centre.say(ToBox::Room(alarm::media::Room {
        incident: IncidentId(9),
        boxes: vec![],
        mode: Mode::Ordinary,
        host: None,
        opened: now(),
    }));
    centre.say(ToBox::RoomClosed { incident: IncidentId(9) });
    let closed = Pass { incident: Some(IncidentId(9)), ..good.clone() };
    let seat = async |pass: String| stays(relay.seat(&pass, &Origin::new()).await).await;
    assert!(seat(centre.sign(&good)).await);
    assert!(!seat(centre.sign(&expired)).await, "expired");
    assert!(!seat(other.sign(&good)).await, "forged");
    assert!(!seat(centre.sign(&closed)).await, "a closed room");
    assert!(!seat(String::new()).await, "no pass");

    let session = relay.connect(&member, &Origin::new()).await.unwrap();
    centre.say(ToBox::MemberGone { name: name("school-1") });
    timeout(LIMIT, session.closed()).await.expect("a box that was put out of service is sent away");
    let peer = centre.registered(&link::Name::Wall { name: name("relay-3") });
    assert!(stays(relay.connect(&peer, &Origin::new()).await).await, "a relay of the centre");
    let session = relay.connect(&peer, &Origin::new()).await.unwrap();
    centre.say(ToBox::MemberGone { name: name("relay-3") });
    timeout(LIMIT, session.closed()).await.expect("a relay that was put out of service is sent away");
    let session = relay.seat(&centre.sign(&centre.pass(8, "school-1")), &Origin::new()).await.unwrap();
    centre.room(8, "school-1", Mode::Ordinary);
    centre.say(ToBox::RoomClosed { incident: IncidentId(8) });
    timeout(LIMIT, session.closed()).await.expect("a seat leaves with its room");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_or_hands_over_leaves_at_once_and_cannot_come_back_with_the_old_pass() {
    let centre = Centre::start();
    let relay = Relay::start(&centre, "relay", "").await;
    let pass = |incident, seat: &str, line| Pass {
        seat: alarm::SeatId::new(seat).unwrap(),
        line,
        ..centre.pass(incident, "school-1")
    };
    let enter = async |pass: &Pass| relay.seat(&centre.sign(pass), &Origin::new()).await;
    let void = |seat: &str, incident, line| {
        let incident = Option::map(incident, IncidentId);
        ToBox::Void(Void { seat: alarm::SeatId::new(seat).ok(), user: None, incident, line })
    };
    // Seat a hands room 7 over: what it has open there ends, the rest does not.
    let (host, elsewhere) =
        (enter(&pass(7, "a", 10)).await.unwrap(), enter(&pass(8, "a", 10)).await.unwrap());
    let other = enter(&pass(7, "b", 10)).await.unwrap();
    centre.say(void("a", Some(7), 11));
    timeout(LIMIT, host.closed()).await.expect("the old host is sent away");
    assert!(!stays(enter(&pass(7, "a", 10)).await).await, "the old pass");
    assert!(stays(enter(&pass(7, "a", 11)).await).await, "a new one, as a guest");
    let list = async |pass: &Pass| relay.get(&format!("/recordings?pass={}", centre.sign(pass)), "").await.0;
    assert!(list(&pass(7, "a", 10)).await.starts_with("http/1.1 403"), "recordings neither");
    assert!(list(&pass(7, "a", 11)).await.starts_with("http/1.1 200"));
    // Then it signs out: everything of it ends, and nothing of anybody else.
    assert!(timeout(QUIET, elsewhere.closed()).await.is_err(), "another room is not touched by the transfer");
    centre.say(void("a", None, 20));
    timeout(LIMIT, elsewhere.closed()).await.expect("whoever signs out is sent away");
    assert!(!stays(enter(&pass(8, "a", 19)).await).await);
    assert!(timeout(QUIET, other.closed()).await.is_err(), "another seat stays");
    // A desk that has started anew says it again; a relay that starts anew still knows it.
    relay.stop().await;
    let relay = Relay::start(&centre, "relay", "").await;
    assert!(!stays(relay.seat(&centre.sign(&pass(8, "a", 19)), &Origin::new()).await).await);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_publishes_or_sees_beyond_his_own() {
    let centre = Centre::start();
    let (one, two) = (centre.member("school-1"), centre.member("school-2"));
    let relay = Relay::start(&centre, "relay", "").await;
    let film = Film::make(&relay.dir, 1);
    let (site, other) = (Origin::new(), Origin::new());
    let _one = relay.connect(&one, &site).await.unwrap();
    let _two = relay.connect(&two, &other).await.unwrap();
    let own = film.open(&site, &take("school-1", 5).broadcast(), KEEP);
    own.announce().unwrap();
    let theirs = film.open(&other, &take("school-1", 6).broadcast(), KEEP);
    theirs.announce().unwrap();
    let seats = film.open(&other, "room/7/seat-a", KEEP);
    seats.announce().unwrap();
    let seen = Origin::new();
    let _seat = relay.seat(&centre.sign(&centre.pass(7, "school-1")), &seen).await.unwrap();
    assert_eq!(heard(&seen, "box").await, [take("school-1", 5).broadcast()]);
    assert_eq!(heard(&seen, "room").await, Vec::<String>::new());
    let elsewhere = Origin::new();
    let _blind = relay.seat(&centre.sign(&centre.pass(8, "school-3")), &elsewhere).await.unwrap();
    assert_eq!(heard(&elsewhere, "box").await, Vec::<String>::new());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_site_hears_nothing_and_silence_ends_what_it_heard() {
    let centre = Centre::start();
    let identity = centre.member("school-1");
    centre.room(7, "school-1", Mode::Silent);
    let relay = Relay::start(&centre, "relay", "").await;
    let film = Film::make(&relay.dir, 2);
    let (site, seat) = (Origin::new(), Origin::new());
    let _site = relay.connect(&identity, &site).await.unwrap();
    let _seat = relay.seat(&centre.sign(&centre.pass(7, "school-1")), &seat).await.unwrap();
    let mut voice = film.open(&seat, "room/7/seat-a", KEEP);
    voice.announce().unwrap();
    assert_eq!(heard(&site, "talk").await, Vec::<String>::new());
    centre.room(7, "school-1", Mode::Ordinary);
    let mut listening = site.listen("talk").unwrap();
    let there = timeout(LIMIT, listening.next()).await.unwrap().unwrap();
    assert!(there.there && there.name.starts_with("talk/school-1/7/seat-a/"), "{there:?}");
    let mut follow = timeout(LIMIT, Follow::begin(&site, &there.name)).await.unwrap().unwrap();
    let tracks = timeout(LIMIT, follow.tracks()).await.unwrap().unwrap().unwrap();
    let mut reader = follow.read(&tracks[0], 0).await.unwrap();
    for frame in &film.frames[..26] {
        voice.write(frame).unwrap();
    }
    assert_eq!(timeout(LIMIT, reader.next()).await.unwrap().unwrap().unwrap().frames.len(), 25);
    centre.room(7, "school-1", Mode::Silent);
    let gone = timeout(LIMIT, listening.next()).await.unwrap().unwrap();
    assert!(!gone.there);
    // What was being listened to ends as well: nothing that is said from here on gets to the site.
    tokio::time::sleep(QUIET).await;
    for frame in &film.frames[26..] {
        voice.write(frame).unwrap();
    }
    voice.finish();
    let mut late = 0;
    while let Ok(Ok(Some(group))) = timeout(QUIET, reader.next()).await {
        late += group.frames.len().saturating_sub(1);
    }
    assert_eq!(late, 0, "pictures that came after the room was made silent");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_recorded_whole_and_plays_anywhere() {
    let centre = Centre::start();
    let identity = centre.member("school-1");
    let relay = Relay::start(&centre, "relay", "").await;
    let film = Film::make(&relay.dir, 14);
    let site = Origin::new();
    let _site = relay.connect(&identity, &site).await.unwrap();
    let id = take("school-1", now().millis());
    let mut take = film.open(&site, &id.broadcast(), KEEP);
    take.announce().unwrap();
    for frame in &film.frames[..100] {
        take.write(frame).unwrap();
    }
    centre.room(7, "school-1", Mode::Silent);
    until("recording begins", || {
        centre.recorded().iter().any(|what| matches!(what, Recorded::Began { .. })).then_some(())
    })
    .await;
    let mut late = late_joiner(&relay, &centre, &id).await;
    for frame in &film.frames[100..] {
        take.write(frame).unwrap();
    }
    let first = timeout(LIMIT, late.next()).await.unwrap().unwrap().unwrap();
    assert!(first.frames[0].key, "a late joiner begins with a key frame");
    take.finish();
    let length = until("the end is told", || {
        centre
            .recorded()
            .iter()
            .find_map(|what| if let Recorded::Ended { length, .. } = what { Some(*length) } else { None })
    })
    .await;
    assert!((13_900..=14_100).contains(&length), "{length}");
    let recorded = centre.recorded();
    let spans = recorded.iter().filter_map(|what| {
        if let Recorded::Segment { from, to, .. } = what { Some(to - from) } else { None }
    });
    let spans: Vec<u64> = spans.collect();
    assert!(spans.len() >= 2 && spans.iter().all(|span| *span <= 10_000), "{spans:?}");
    assert!(!recorded.iter().any(|what| matches!(what, Recorded::Gap { .. })), "{recorded:?}");
    plays(&relay, &centre, &id, 350).await;
    relay.stop().await;
}

async fn late_joiner(relay: &Relay, centre: &Centre, id: &TakeId) -> media::follow::Reader {
    let seen = Origin::new();
    let session = relay.seat(&centre.sign(&centre.pass(7, "school-1")), &seen).await.unwrap();
    let mut follow = timeout(LIMIT, Follow::begin(&seen, &id.broadcast())).await.unwrap().unwrap();
    let tracks = timeout(LIMIT, follow.tracks()).await.unwrap().unwrap().unwrap();
    let reader = follow.read(&tracks[0], 0).await.unwrap();
    tokio::spawn(async move {
        let _follow = follow;
        session.closed().await
    });
    reader
}

/// The recording over HTTP: the list, the file, a range of it, and not without a pass.
async fn plays(relay: &Relay, centre: &Centre, id: &TakeId, frames: usize) {
    let pass = centre.sign(&centre.pass(7, "school-1"));
    let path = format!("/recordings/{id}.mp4");
    let (head, _) = relay.get(&path, "").await;
    assert!(head.starts_with("http/1.1 403"), "{head}");
    let (_, list) = relay.get(&format!("/recordings?pass={pass}"), "").await;
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    assert_eq!((&list[0]["take"], &list[0]["ended"]), (&id.to_string().into(), &true.into()));
    let (head, whole) = relay.get(&format!("{path}?pass={pass}"), "").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let file = relay.dir.join("whole.mp4");
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(probe(&file), (frames, 0.0));
    let (head, part) = relay.get(&format!("{path}?pass={pass}"), "range: bytes=1000-60000\r\n").await;
    assert!(head.starts_with("http/1.1 206") && head.contains("access-control-allow-origin: *"), "{head}");
    assert_eq!(part, whole[1000..=60000]);
    let (_, metrics) = relay.get("/metrics", "").await;
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(metrics.contains("onepress_relay_sessions{transport=\"QUIC\"} 1"), "{metrics}");
    let (_, hash) = relay.get("/certificate.sha256", "").await;
    assert_eq!(hash.len(), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missing_is_stated_and_filled_when_the_box_can_give_it() {
    let centre = Centre::start();
    let identity = centre.member("school-1");
    centre.room(7, "school-1", Mode::Silent);
    let relay = Relay::start(&centre, "relay", "").await;
    let film = Film::make(&relay.dir, 8);
    let site = Origin::new();
    // Media older than two seconds has left the box's memory when the relay comes for it.
    let id = take("school-1", now().millis());
    let mut take = film.open(&site, &id.broadcast(), Duration::from_secs(2));
    let mut missing = take.missing().remove(0);
    take.announce().unwrap();
    for frame in &film.frames[..175] {
        take.write(frame).unwrap();
    }
    let _site = relay.connect(&identity, &site).await.unwrap();
    let gap = until("the gap is told", || {
        centre.recorded().iter().find_map(|what| {
            if let Recorded::Gap { from, to, .. } = what { Some((*from, *to)) } else { None }
        })
    })
    .await;
    assert_eq!(gap.0, 0);
    let disk = film.frames.clone();
    tokio::spawn(async move {
        while let Some(asked) = missing.next().await {
            let group = usize::try_from(asked.group()).unwrap();
            asked.answer(&disk[group * 25..(group + 1) * 25]).unwrap();
        }
    });
    let filled = until("the gap is filled", || {
        centre.recorded().iter().find_map(|what| {
            if let Recorded::Filled { from, to, .. } = what { Some((*from, *to)) } else { None }
        })
    })
    .await;
    assert_eq!(filled, gap);
    for frame in &film.frames[175..] {
        take.write(frame).unwrap();
    }
    take.finish();
    until("the end is told", || {
        centre.recorded().iter().any(|what| matches!(what, Recorded::Ended { .. })).then_some(())
    })
    .await;
    plays(&relay, &centre, &id, 200).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_desk_did_not_write_down_is_told_again_after_a_restart() {
    let centre = Centre::start();
    let identity = centre.member("school-1");
    centre.room(7, "school-1", Mode::Silent);
    centre.writes.store(false, std::sync::atomic::Ordering::SeqCst);
    let relay = Relay::start(&centre, "relay", "").await;
    let film = Film::make(&relay.dir, 3);
    let site = Origin::new();
    let session = relay.connect(&identity, &site).await.unwrap();
    let mut take = film.open(&site, &take("school-1", now().millis()).broadcast(), KEEP);
    take.announce().unwrap();
    for frame in &film.frames {
        take.write(frame).unwrap();
    }
    until("recording begins", || {
        centre.recorded().iter().any(|what| matches!(what, Recorded::Began { .. })).then_some(())
    })
    .await;
    take.finish();
    let ended = |centre: &Centre| {
        centre.recorded().iter().any(|what| matches!(what, Recorded::Ended { .. })).then_some(())
    };
    until("the end is told", || ended(&centre)).await;
    let before = centre.recorded();
    drop(session);
    relay.stop().await;
    centre.heard.lock().unwrap().clear();
    centre.writes.store(true, std::sync::atomic::Ordering::SeqCst);
    let relay = Relay::start(&centre, "relay", "").await;
    until("all is told again", || (centre.recorded() == before).then_some(())).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_share_what_they_have() {
    let centre = Centre::start();
    let (one, two) = (centre.member("school-1"), centre.member("school-2"));
    let first = Relay::start(&centre, "relay", "").await;
    let peer = format!("peer = [{{ address = '127.0.0.1:{}', direction = 'both' }}]", first.port);
    let second = Relay::start(&centre, "relay-2", &peer).await;
    let film = Film::make(&first.dir, 2);
    let (near, far) = (Origin::new(), Origin::new());
    let _one = first.connect(&one, &near).await.unwrap();
    let _two = second.connect(&two, &far).await.unwrap();
    let mut takes = Vec::new();
    for (origin, of) in [(&near, "school-1"), (&far, "school-2")] {
        let mut take = film.open(origin, &take(of, 5).broadcast(), KEEP);
        take.announce().unwrap();
        for frame in &film.frames {
            take.write(frame).unwrap();
        }
        takes.push(take);
    }
    // Pulled: what the first has, at the second. Pushed: what the second has, at the first.
    for (relay, of) in [(&second, "school-1"), (&first, "school-2")] {
        let seen = Origin::new();
        let _seat = relay.seat(&centre.sign(&centre.pass(7, of)), &seen).await.unwrap();
        let broadcast = take(of, 5).broadcast();
        let mut follow = timeout(LIMIT, Follow::begin(&seen, &broadcast)).await.unwrap().unwrap();
        let tracks = timeout(LIMIT, follow.tracks()).await.unwrap().unwrap().unwrap();
        let mut reader = follow.read(&tracks[0], 0).await.unwrap();
        let group = timeout(LIMIT, reader.next()).await.unwrap().unwrap().unwrap();
        assert_eq!((group.number, group.frames.len()), (0, 25), "{of}");
    }
    second.stop().await;
    first.stop().await;
}
