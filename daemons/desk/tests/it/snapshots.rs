//! Still pictures that seats keep.

use crate::centre::{Desk, School};
use alarm::Mode;
use serde_json::json;

const AT: &str = "take=school-1-gate/yard/1763740800123&at=1763740801000";

fn jpeg(length: usize) -> Vec<u8> {
    let mut bytes = vec![7; length];
    bytes[..3].copy_from_slice(&[0xff, 0xd8, 0xff]);
    bytes[length - 2..].copy_from_slice(&[0xff, 0xd9]);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_kept_and_stands_in_the_history() {
    let desk = Desk::start().await;
    let mut school = School::open(&desk, "school-1-gate").await;
    school.press(1, Mode::Silent).await;
    let picture = jpeg(3 * 1024 * 1024);
    let (status, kept) = desk.me().upload(&format!("/api/incidents/1/snapshots?{AT}"), &picture);
    assert_eq!((status, &kept["bytes"]), (200, &json!(picture.len())), "{kept}");
    let name = kept["sha256"].as_str().unwrap();
    assert!(desk.me().download(&format!("/api/snapshots/{name}")) == picture);
    assert_eq!(desk.told(1, "snapshot-taken"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_picture_of_an_incident_is_refused() {
    let desk = Desk::start().await;
    let mut school = School::open(&desk, "school-1-gate").await;
    school.press(1, Mode::Silent).await;
    let table = [
        (format!("/api/incidents/1/snapshots?{AT}"), b"GIF89a......".to_vec(), 415),
        (format!("/api/incidents/1/snapshots?{AT}"), jpeg(4 * 1024 * 1024 + 1), 413),
        (format!("/api/incidents/9/snapshots?{AT}"), jpeg(100), 404),
        ("/api/incidents/1/snapshots?take=x&at=1".into(), jpeg(100), 400),
        ("/api/incidents/1/snapshots".into(), jpeg(100), 400),
    ];
    for (path, body, status) in table {
        let (said, answer) = desk.me().upload(&path, &body);
        assert_eq!(said, status, "{path}: {answer}");
        assert!(answer["error"].is_string(), "{path}: {answer}");
    }
    let kept = std::fs::read_dir(desk.dir.path().join("snapshots")).unwrap().count();
    assert_eq!(kept, 0, "nothing is left behind");
    assert_eq!(desk.call("GET", "/api/snapshots/nothing", &json!({})).0, 404);
}
