//! Wrong clocks and expired certificates: marked, limited, never silenced.

use crate::boxes::{alarm_stream, connector, days_ago, issued, press, registered, wired};
use crate::centre::{Centre, Remains};
use alarm::Wall;
use alarm::wire::{Purpose, Refusal};
use link::client::renew;
use link::rack::{Config, Listener};
use link::{Clock, Dates, Keys, StreamError};

#[tokio::test]
async fn an_expired_box_may_press_and_renew_and_nothing_else() {
    let mut centre = Centre::start();
    let expired = issued(&centre.remains, "gate", days_ago(100));
    let session = connector(expired.clone(), Clock::system()).connect(&wired()).await.unwrap();

    press(&mut alarm_stream(&session).await, 1).await;
    let peer = centre.session().await;
    assert!(peer.expired());
    for purpose in [Purpose::Status, Purpose::Wall] {
        let refused = session.open(purpose).await.unwrap_err();
        assert!(matches!(refused, StreamError::Refused(Refusal::CertificateExpired)), "{refused}");
    }

    let renewed = renew(&session, &expired).await.unwrap();
    let session = connector(renewed, Clock::system()).connect(&wired()).await.unwrap();
    session.open(Purpose::Status).await.unwrap();
    assert_eq!(centre.session().await.dates, Dates::Good);
}

/// Connects with the box's clock at `now`; says how the rack's certificate looks from there.
async fn seen_at(now: Wall) -> Dates {
    let centre = Centre::start();
    let identity = issued(&centre.remains, "gate", Clock::system().now());
    let session = connector(identity, Clock::at(now)).connect(&wired()).await.unwrap();
    press(&mut alarm_stream(&session).await, 1).await;
    session.open(Purpose::Status).await.unwrap();
    session.rack().dates
}

#[tokio::test]
async fn a_box_in_1970_still_presses() {
    assert_eq!(seen_at(Wall::default()).await, Dates::NotYet);
}

#[tokio::test]
async fn a_box_in_2100_still_presses() {
    assert_eq!(seen_at(Wall::from_millis(4_102_444_800_000)).await, Dates::Expired);
}

#[tokio::test]
async fn a_rack_in_1970_takes_every_stream_and_knows_that_its_clock_is_wrong() {
    let mut centre = Centre::with(Remains::new(), Clock::at(Wall::default()));
    let session = registered(&centre, "gate").connect(&wired()).await.unwrap();
    press(&mut alarm_stream(&session).await, 1).await;
    session.open(Purpose::Wall).await.unwrap();
    assert_eq!(centre.session().await.dates, Dates::NotYet);
}

#[tokio::test]
async fn a_certificate_issued_in_1970_works() {
    let centre = Centre::start();
    let session = connector(issued(&centre.remains, "gate", Wall::default()), Clock::system());
    press(&mut alarm_stream(&session.connect(&wired()).await.unwrap()).await, 1).await;
}

#[tokio::test]
async fn a_new_certificate_of_the_rack_is_shown_to_the_next_box() {
    let remains = Remains::new();
    let own = |at| remains.ca.issue_rack(&[], at).unwrap();
    let config = Config { own: own(days_ago(400)), keys: Keys::random(), clock: Clock::system() };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), config).unwrap();
    let racks = vec![listener.local_addr().unwrap().to_string()];
    let gate = connector(issued(&remains, "gate", days_ago(0)).with_racks(racks), Clock::system());
    assert_eq!(gate.connect(&wired()).await.unwrap().rack().dates, Dates::Expired);
    listener.show(&own(days_ago(0))).unwrap();
    assert_eq!(gate.connect(&wired()).await.unwrap().rack().dates, Dates::Good);
}
