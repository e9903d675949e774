//! Who is not let in, on either side.

use crate::boxes::{alarm_stream, connector, days_ago, issued, press, registered, wired};
use crate::centre::{Centre, Event, Remains};
use crate::rogue;
use alarm::wire;
use link::ca::Certified;
use link::client::{Bind, ConnectError, EnrolError, enrol_with};
use link::identity::{Identity, Key};
use link::rack::{Config, Listener};
use link::{Class, Clock, Closed, Keys, Reason};
use rustls::pki_types::PrivateKeyDer;

/// Proves that the centre is well and has let in nobody but the box that does so.
async fn only_ours_got_in(mut centre: Centre) {
    let session = registered(&centre, "ours").connect(&wired()).await.unwrap();
    press(&mut alarm_stream(&session).await, 1).await;
    let Event::Session(peer) = centre.event().await else { panic!("a session comes first") };
    assert_eq!(peer.name.as_str(), "ours");
}

#[tokio::test]
async fn a_strangers_certificate_is_refused_in_the_handshake() {
    let centre = Centre::start();
    let stranger = rogue::certified(&Remains::new(), "gate");
    let connection = rogue::connect(centre.address(), wire::ALPN, Some(stranger)).await;
    let why = Closed::from(connection.closed().await);
    assert_eq!(why, Closed::Distrusted(48), "unknown_ca, RFC 8446 section 6.2");
    assert_eq!(why.class(), Class::Fatal);
    only_ours_got_in(centre).await;
}

#[tokio::test]
async fn an_enrolled_boxs_connection_needs_a_certificate() {
    let centre = Centre::start();
    let connection = rogue::connect(centre.address(), wire::ALPN, None).await;
    assert_eq!(Closed::from(connection.closed().await), Closed::ByPeer(Reason::NoCertificate));
    only_ours_got_in(centre).await;
}

#[tokio::test]
async fn the_racks_own_certificate_is_no_boxs() {
    let centre = Centre::start();
    let own = centre.remains.ca.issue_rack(&[], Clock::system().now()).unwrap();
    let shown = (own.chain, PrivateKeyDer::from(own.key));
    let connection = rogue::connect(centre.address(), wire::ALPN, Some(shown)).await;
    assert!(matches!(Closed::from(connection.closed().await), Closed::Distrusted(_)));
    only_ours_got_in(centre).await;
}

/// What a box says of whoever answers at the centre's address.
async fn distrust(identity: Identity) {
    let error = connector(identity, Clock::system()).connect(&wired()).await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
    let ConnectError::Failed(failures) = error else { panic!("{error}") };
    assert!(matches!(failures[0].1, Closed::Untrusted(_)), "{failures:?}");
}

#[tokio::test]
async fn a_rack_of_another_root_is_refused_by_the_box() {
    let centre = Centre::start();
    let elsewhere = Remains::new();
    for issued_at in [days_ago(0), days_ago(200)] {
        let stranger = issued(&elsewhere, "gate", issued_at);
        distrust(stranger.with_racks(vec![centre.address().to_string()])).await;
    }
}

#[tokio::test]
async fn a_box_cannot_play_the_rack() {
    let remains = Remains::new();
    let (chain, key) = rogue::certified(&remains, "gate");
    let PrivateKeyDer::Pkcs8(key) = key else { panic!("rcgen makes PKCS#8") };
    let config = Config { own: Certified { chain, key }, keys: Keys::random(), clock: Clock::system() };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), config).unwrap();
    let victim = issued(&remains, "other", Clock::system().now());
    distrust(victim.with_racks(vec![listener.local_addr().unwrap().to_string()])).await;
}

#[tokio::test]
async fn a_new_box_shows_its_ticket_to_no_other_rack() {
    let centre = Centre::start();
    let mut ticket = Remains::new().ticket("gate");
    ticket.addresses = vec![centre.address().to_string()];
    let error = enrol_with(&ticket, &Bind::default(), &Key::generate()).await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
    let EnrolError::Unreachable { why: Closed::Untrusted(_), .. } = error else { panic!("{error}") };
}
