//! A new certificate for a new key.

use crate::boxes::{DAY, alarm_stream, connector, days_ago, issued, press, wired};
use crate::centre::Centre;
use link::Clock;
use link::client::renew;
use link::identity::Identity;

#[tokio::test]
async fn renewal_gives_a_new_key_and_keeps_the_name() {
    let mut centre = Centre::start();
    let disk = tempfile::tempdir().unwrap();
    let old = issued(&centre.remains, "gate", days_ago(70));
    assert!(old.due(Clock::system().now()));
    let connector = connector(old.clone(), Clock::system());
    let session = connector.connect(&wired()).await.unwrap();

    let new = renew(&session, &old).await.unwrap();
    assert_ne!(new.fingerprint(), old.fingerprint());
    assert_eq!((new.name(), new.racks()), (old.name(), old.racks()));
    assert!(!new.due(Clock::system().now()));
    new.store(disk.path()).unwrap();
    connector.set_identity(Identity::load(disk.path()).unwrap().unwrap());

    let again = connector.connect(&wired()).await.unwrap();
    press(&mut alarm_stream(&again).await, 1).await;
    assert_eq!(centre.session().await.key, old.fingerprint());
    assert_eq!(centre.session().await.key, new.fingerprint());
}

#[test]
fn renewal_is_due_after_two_thirds_of_the_life() {
    let remains = crate::centre::Remains::new();
    let issued_at = Clock::system().now();
    let identity = issued(&remains, "gate", issued_at);
    let life = identity.validity().life();
    assert_eq!(life, DAY * 91, "ninety days and the day before");
    assert!(!identity.due(issued_at + DAY * 59));
    assert!(identity.due(issued_at + DAY * 60));
    assert!(!identity.due(alarm::Wall::default()), "a clock in 1970 says nothing");
    assert_eq!(identity.due_in(issued_at + DAY * 60), std::time::Duration::ZERO);
}
