//! Boxes, and what they say.

use crate::centre::{Centre, PATIENCE, Remains};
use alarm::wire::{Purpose, ToBox, ToRack};
use alarm::{BoxId, Mode, Nature, Notice, NoticeId, PathId, SiteId, Wall, What};
use link::ca::Request;
use link::client::{Bind, Connector, Path, Session, Stream};
use link::identity::{Identity, Key};
use link::{Clock, Keys, Name};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::timeout;

pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// Some days before now.
pub fn days_ago(days: u32) -> Wall {
    let now = Clock::system().now();
    Wall::from_millis(now.millis() - i64::try_from((DAY * days).as_millis()).unwrap())
}

pub fn name(text: &str) -> Name {
    Name::of(BoxId::new(text).unwrap(), SiteId::new("school-1").ok())
}

/// A box whose certificate was issued at some time.
pub fn issued(remains: &Remains, box_name: &str, at: Wall) -> Identity {
    let key = Key::generate();
    let request = Request::from_der(&key.request()).unwrap();
    let chain = remains.ca.issue_box(&request, &name(box_name), at).unwrap();
    let racks = vec![remains.address().to_string()];
    Identity::new(key, chain, remains.ca.fingerprint(), &name(box_name), racks).unwrap()
}

/// A box of the centre.
pub fn registered(centre: &Centre, box_name: &str) -> Connector {
    connector(issued(&centre.remains, box_name, Clock::system().now()), Clock::system())
}

pub fn connector(identity: Identity, clock: Clock) -> Connector {
    let paths = vec![PathId::new("wired").unwrap(), PathId::new("cellular").unwrap()];
    Connector::new(identity, Keys::random(), clock, paths, "0.1.0".into())
}

pub fn wired() -> Path {
    Path { name: PathId::new("wired").unwrap(), bind: Bind::default(), metered: false }
}

/// A path from one of loopback's addresses.
pub fn path(path_name: &str, source: &str) -> Path {
    let source: IpAddr = source.parse().unwrap();
    Path {
        name: PathId::new(path_name).unwrap(),
        bind: Bind { source: Some(source), ..Bind::default() },
        metered: false,
    }
}

pub async fn alarm_stream(session: &Session) -> Stream {
    timeout(PATIENCE, session.open(Purpose::Alarm)).await.unwrap().unwrap()
}

/// Presses, and waits until the press is written down.
pub async fn press(stream: &mut Stream, number: u8) -> NoticeId {
    let id = NoticeId::new(Clock::system().now().millis(), [number; 10]);
    let what = What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false };
    let notice = Notice { id, point: None, at: Clock::system().now(), clock_sure: true, what };
    stream.send(&ToRack::Notice(notice)).await.unwrap();
    let answer = timeout(PATIENCE, stream.recv()).await.unwrap().unwrap();
    assert_eq!(answer, Some(ToBox::Ack { id }));
    id
}
