//! A box that fetches an update from a played rack, over real QUIC, while its button is pressed.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod played;

use alarm::Wall;
use alarm::rollout::{Fetch, Offer, Told};
use alarm::wire::Status;
use bundle::signed;
use played::edge::Box7;
use played::{Centre, Door};
use std::path::PathBuf;
use std::time::Duration;

fn stage() -> (Centre, Door, Box7) {
    unit::log::start(Some("button=debug,link=debug"));
    let centre = Centre::new();
    let door = centre.open("127.0.0.1:0");
    let edge = Box7::new(door.address, "127.0.0.2:1".parse().unwrap());
    let root = edge.dir.path();
    std::fs::create_dir_all(root.join("etc")).unwrap();
    std::fs::create_dir_all(root.join("var/lib/onepress/update/incoming")).unwrap();
    std::fs::write(root.join("etc/os-release"), "IMAGE_ID=onepress-edge-x86\nIMAGE_VERSION=1\n").unwrap();
    centre.enrol(root, &[]);
    (centre, door, edge)
}

fn incoming(edge: &Box7, name: &str) -> PathBuf {
    edge.dir.path().join("var/lib/onepress/update/incoming").join(name)
}

fn offer(bytes: &[u8]) -> Offer {
    Offer {
        sha256: signed::sum(bytes).unwrap(),
        image: "onepress-edge-x86".into(),
        version: "2".parse().unwrap(),
        bytes: u64::try_from(bytes.len()).unwrap(),
        since: Wall::from_millis(7),
    }
}

fn bytes() -> Vec<u8> {
    (0..3_000_000u32).map(|n| u8::try_from(n % 253).unwrap()).collect()
}

fn lay(centre: &Centre, bytes: Vec<u8>, offer: Offer, cut_after: usize) {
    let mut shelf = centre.shelf.lock().unwrap();
    (shelf.bytes, shelf.offer, shelf.cut_after) = (bytes, Some(offer), cut_after);
}

fn fetch(status: &Status) -> Option<&Fetch> {
    status.update.as_ref()?.fetch.as_ref()
}

fn trouble(status: &Status) -> &str {
    fetch(status).and_then(|fetch| fetch.trouble.as_deref()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_says_what_it_runs_and_how_the_updater_fared() {
    let (mut centre, _door, edge) = stage();
    let life = edge.start();
    let told = *centre.status(|status| status.update.is_some()).await.update.unwrap();
    let plain =
        Told { image: "onepress-edge-x86".into(), runs: "1".parse().unwrap(), outcome: None, fetch: None };
    assert_eq!(told, plain);
    let record = r#"{"outcome":{"number":4,"version":"2","state":"rolled-back","reason":"no"}}"#;
    std::fs::write(edge.dir.path().join("var/lib/onepress/update/state.json"), record).unwrap();
    let outcome = |status: &Status| status.update.as_ref().and_then(|told| told.outcome.clone());
    let told = centre.status(|status| outcome(status).is_some()).await;
    assert_eq!(outcome(&told).unwrap().number, 4);
    life.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_cut_again_and_again_arrives_whole_and_presses_go_first() {
    let (mut centre, _door, edge) = stage();
    let (bytes, offered) = (bytes(), offer(&bytes()));
    lay(&centre, bytes.clone(), offered.clone(), 1_600_000);
    let life = edge.start();
    centre.status(|status| fetch(status).is_some()).await;
    life.press();
    let (_, pressed) = centre.alarm().await;
    assert!(!incoming(&edge, "onepress-edge-x86_2.bundle").exists(), "it is still on its way");
    edge.is_delivered().await;
    centre.status(|status| fetch(status).is_some_and(|fetch| fetch.bytes == offered.bytes)).await;
    let arrived = incoming(&edge, "onepress-edge-x86_2.bundle");
    assert!(std::fs::read(&arrived).unwrap() == bytes);
    assert!(!incoming(&edge, ".link.part").exists());
    let asked = centre.shelf.lock().unwrap().asked.clone();
    assert_eq!(asked, [0, 1_600_000], "the second time the rest alone");
    assert_eq!(centre.taken(), [pressed.id]);
    // The updater has taken it, and the box starts again: it is not fetched twice.
    std::fs::remove_file(&arrived).unwrap();
    life.stop().await;
    edge.is_free().await;
    let life = edge.start();
    centre.status(|status| fetch(status).is_some_and(|fetch| fetch.bytes == offered.bytes)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(centre.shelf.lock().unwrap().asked.len(), 2);
    life.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rack_that_goes_in_the_middle_is_asked_for_the_rest() {
    let (mut centre, door, edge) = stage();
    let (bytes, offered) = (bytes(), offer(&bytes()));
    lay(&centre, bytes.clone(), offered.clone(), usize::MAX);
    let life = edge.start();
    let part = incoming(&edge, ".link.part");
    let begun = async {
        while std::fs::metadata(&part).map_or(0, |meta| meta.len()) < 200_000 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(played::SOON, begun).await.unwrap();
    let address = door.kill().await;
    let _door = centre.reopen(address).await;
    centre.status(|status| fetch(status).is_some_and(|fetch| fetch.bytes == offered.bytes)).await;
    assert!(std::fs::read(incoming(&edge, "onepress-edge-x86_2.bundle")).unwrap() == bytes);
    let asked = centre.shelf.lock().unwrap().asked.clone();
    assert!(asked.len() == 2 && asked[1] >= 200_000, "{asked:?}");
    life.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_was_offered_or_has_no_room_is_told_and_not_kept() {
    let (mut centre, _door, edge) = stage();
    let mut wrong = bytes();
    wrong[1_000] ^= 1;
    lay(&centre, wrong, offer(&bytes()), usize::MAX);
    let life = edge.start();
    let told = centre.status(|status| !trouble(status).is_empty()).await;
    assert!(trouble(&told).contains("not the bundle that was offered"), "{told:?}");
    assert!(
        !incoming(&edge, ".link.part").exists() && !incoming(&edge, "onepress-edge-x86_2.bundle").exists()
    );
    let large = Offer { bytes: 1 << 50, since: Wall::from_millis(8), ..offer(&bytes()) };
    centre.shelf.lock().unwrap().offer = Some(large);
    life.press();
    let told = centre.status(|status| trouble(status).contains("no space")).await;
    assert_eq!(fetch(&told).unwrap().since, Wall::from_millis(8));
    // Nothing is offered any more: what had come is gone, and so is the trouble.
    centre.shelf.lock().unwrap().offer = None;
    life.release();
    centre.status(|status| fetch(status).is_none()).await;
    life.stop().await;
}
