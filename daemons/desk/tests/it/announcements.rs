//! Recorded messages: what is taken, who may, and what stands in the history.

use crate::centre::{Desk, School, until};
use alarm::Mode;
use serde_json::{Value, json};

const ADD: &str = "/api/announcements?name=Leave";

/// A WAV file of so many milliseconds.
fn wav(channels: u16, ms: u32, sample: i16) -> Vec<u8> {
    const RATE: u32 = 8_000;
    let data = sample.to_le_bytes().repeat(usize::try_from(RATE * ms / 1000).unwrap());
    let length = u32::try_from(data.len()).unwrap();
    [
        &b"RIFF"[..],
        &(36 + length).to_le_bytes(),
        b"WAVEfmt ",
        &16u32.to_le_bytes(),
        &1u16.to_le_bytes(),
        &channels.to_le_bytes(),
        &RATE.to_le_bytes(),
        &(RATE * 2).to_le_bytes(),
        &2u16.to_le_bytes(),
        &16u16.to_le_bytes(),
        b"data",
        &length.to_le_bytes(),
        &data,
    ]
    .concat()
}

fn kept(desk: &Desk) -> usize {
    std::fs::read_dir(desk.dir.path().join("announcements")).unwrap().count()
}

fn listed(desk: &Desk) -> Vec<Value> {
    desk.ok("GET", "/api/state", &json!({}))["announcements"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_announcement_is_refused_with_its_reason_and_leaves_nothing() {
    let desk = Desk::start().await;
    let good = wav(1, 1_000, 9_000);
    let table = [
        (ADD, b"OggS".to_vec(), 415, "not-a-sound", "save it again as WAV"),
        (ADD, good[..good.len() - 1].to_vec(), 415, "not-a-sound", "no whole WAV"),
        (ADD, wav(2, 1_000, 9_000), 415, "not-a-sound", "2 channels"),
        (ADD, wav(1, 400, 9_000), 415, "sound-too-short", "400 ms"),
        (ADD, wav(1, 60_001, 9_000), 415, "sound-too-long", "at most 60 s"),
        (ADD, wav(1, 1_000, 9), 415, "sound-silent", "silent"),
        (ADD, vec![0; 6 * 1024 * 1024], 413, "bad-request", ""),
        ("/api/announcements?name=%20", good.clone(), 400, "bad-request", "1 to 40 characters"),
        ("/api/announcements", good.clone(), 400, "bad-request", "name"),
    ];
    for (path, file, status, error, detail) in table {
        let (said, answer) = desk.me().upload(path, &file);
        assert_eq!((said, &answer["error"]), (status, &json!(error)), "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains(detail), "{answer}");
    }
    // Whoever is refused while still sending reads why, each time, and not a broken pipe.
    for _ in 0..20 {
        assert_eq!(desk.me().upload(ADD, &vec![0; 12 * 1024 * 1024]).0, 413);
        assert_eq!(desk.me().upload("/api/no-such-thing", &vec![0; 6 * 1024 * 1024]).0, 404);
    }
    assert_eq!((kept(&desk), listed(&desk).len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_keeps_announcements_changes_them_and_everybody_at_a_seat_hears_them() {
    let desk = Desk::start().await;
    let file = wav(1, 2_500, 9_000);
    let officer = desk.person("li", "regular", "seat-2");
    assert_eq!(officer.upload(ADD, &file).0, 403);
    assert_eq!(kept(&desk), 0);
    let chief = desk.person("wang", "supervisor", "seat-3");
    let (status, added) = chief.upload(ADD, &file);
    assert_eq!((status, &added["length"], &added["by"]), (200, &json!(2_500), &json!("wang")), "{added}");
    let path = format!("/api/announcements/{}", added["sha256"].as_str().unwrap());
    assert!(officer.download(&path) == file);
    assert_eq!(chief.upload(ADD, &file).0, 409, "the same sound twice");
    let name = json!({ "name": "请撤离" });
    assert_eq!(officer.call("PUT", &path, &name).0, 403);
    assert_eq!(chief.call("PUT", &path, &name), (200, listed(&desk)[0].clone()));
    assert_eq!(listed(&desk)[0]["name"], "请撤离");
    assert_eq!(officer.call("DELETE", &path, &json!({})).0, 403);
    assert_eq!(chief.call("DELETE", &path, &json!({})).0, 200);
    assert_eq!((kept(&desk), listed(&desk).len()), (0, 0));
    assert_eq!(chief.call("DELETE", &path, &json!({})).0, 404);
    assert_eq!(officer.call("GET", &path, &json!({})).0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_stands_in_the_history_and_never_begins_in_a_silent_incident() {
    let desk = Desk::start().await;
    let sha256 = desk.me().upload(ADD, &wav(1, 1_000, 9_000)).1["sha256"].clone();
    let mut school = School::open(&desk, "school-1-gate").await;
    school.press(1, Mode::Ordinary).await;
    let (path, which) = ("/api/incidents/1/loop", json!({ "sha256": sha256 }));
    assert_eq!(desk.call("POST", path, &which).0, 403, "nobody has answered");
    desk.ok("POST", "/api/incidents/1/answer", &json!({}));
    let other = desk.person("li", "regular", "seat-2");
    assert_eq!(other.call("POST", path, &which).1["error"], "may-not-speak");
    assert_eq!(desk.call("POST", path, &json!({ "sha256": "00" })).0, 404);
    let playing = desk.ok("POST", path, &which)["playing"].clone();
    assert_eq!((&playing["name"], &playing["seat"]), (&json!("Leave"), &json!("seat-1")));
    assert_eq!(other.call("DELETE", path, &json!({})).0, 403);
    assert_eq!(desk.ok("DELETE", path, &json!({}))["playing"], Value::Null);
    desk.ok("POST", path, &which);
    school.press(2, Mode::Silent).await;
    until(|| desk.incident(1)["playing"] == Value::Null).await;
    assert_eq!((desk.told(1, "loop-began"), desk.told(1, "loop-ended")), (2, 2));
    let lines = desk.ok("GET", "/api/incidents/1/journal", &json!({}));
    let why: Vec<_> =
        lines.as_array().unwrap().iter().filter_map(|line| line["event"]["why"].as_str()).collect();
    assert_eq!(why, ["stopped", "silent"]);
    assert_eq!(desk.call("POST", path, &which).1["error"], "may-not-speak");
}
