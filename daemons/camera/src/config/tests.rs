use super::*;
use unit::Config as _;

const EXAMPLE: &str = include_str!("../../camera.toml.example");

/// The example with one line replaced.
fn checked(from: &str, to: &str) -> Result<Config, Wrong> {
    assert!(EXAMPLE.contains(from), "the example has no {from:?}");
    let raw: Raw = toml::from_str(&EXAMPLE.replacen(from, to, 1)).unwrap();
    raw.check()
}

fn wrong(from: &str, to: &str) -> String {
    checked(from, to).err().expect("refused").to_string()
}

#[test]
fn the_example_is_a_good_configuration() {
    let config = checked("", "").unwrap();
    assert_eq!((config.cameras.len(), config.pre_alarm), (2, PRE_ALARM));
    let Input::Rtsp { credentials, udp, sound, .. } = &config.cameras[0].input else { panic!("a camera") };
    assert!(credentials.is_some() && !udp && *sound);
    assert_eq!(config.cameras[0].ring, 16 * MIB);
}

#[test]
fn what_is_commented_out_is_the_default() {
    let raw: Raw = toml::from_str("").unwrap();
    let said = toml::to_string(&raw).unwrap();
    for line in EXAMPLE.lines().filter_map(|line| line.strip_prefix('#')) {
        let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) else {
            continue;
        };
        let known = said.lines().find(|l| l.starts_with(&format!("{key} = ")));
        assert!(known.is_none_or(|l| l == format!("{key} = {value}")), "{line} but {known:?}");
    }
}

#[test]
fn what_cannot_work_names_key_reason_and_remedy() {
    let table = [
        ("id = \"hall\"", "id = \"gate\"", "camera.1.id: gate is there already; give every camera"),
        ("id = \"hall\"", "id = \"The Hall\"", "camera.1.id: "),
        ("rtsp://192.0.2.20/", "http://192.0.2.20/", "camera.0.url: is no RTSP address; give the stream's"),
        ("rtsp://192.0.2.20/", "rtsp://a:b@192.0.2.20/", "camera.0.url: holds user or password"),
        ("\"rtsp://192.0.2.20/stream2\"", "\"stream2\"", "camera.0.url: "),
        ("ring-mib = 16", "ring-mib = 0", "camera.0.ring-mib: is 0; give 1 to 64"),
        ("#buffer-mib = 2048", "buffer-mib = 1", "buffer-mib: is 1; give at least 16"),
        ("#memory-s = 60", "memory-s = 61", "memory-s: is 61; give 1 to 60"),
        ("#pre-alarm-s = 32", "pre-alarm-s = 0", "pre-alarm-s: is 0; give 2 to 300"),
        ("#still-every-s = 300", "still-every-s = 0", "still-every-s: is 0; give 1 to 86400"),
        (
            "#relay = \"rack.example:4443\"",
            "relay = \"rack.example\"",
            "relay: is \"rack.example\"; give host",
        ),
        ("user = \"onepress\"", "password = \"x\"", "camera.0.user: is missing; a password belongs"),
        (
            "#password-credential = \"gate\"",
            "password-credential = \"gate\"",
            "camera.0.password-credential: ",
        ),
    ];
    for (from, to, begins) in table {
        let said = wrong(from, to);
        assert!(said.starts_with(begins), "{to}: {said}");
    }
    let both = wrong("#password-credential = \"gate\"", "password = \"x\"\npassword-credential = \"gate\"");
    assert!(both.contains("not both"), "{both}");
}

#[test]
fn a_box_has_sixteen_cameras_at_most() {
    let camera = |n| format!("[[camera]]\nid = \"c{n}\"\nurl = \"rtsp://192.0.2.1/{n}\"\n");
    let file = |count: usize| (0..count).map(camera).collect::<String>();
    let check = |text: String| toml::from_str::<Raw>(&text).unwrap().check();
    assert_eq!(check(file(CAMERAS_MAX)).ok().map(|config| config.cameras.len()), Some(CAMERAS_MAX));
    let said = check(format!("[microphone]\n{}", file(CAMERAS_MAX))).err().unwrap().to_string();
    assert!(said.starts_with("camera: 17 cameras; give at most 16"), "{said}");
}

#[test]
fn no_password_is_printed() {
    let text = EXAMPLE.replacen("#password-credential = \"gate\"", "password = \"hunter2\"", 1);
    let raw: Raw = toml::from_str(&text).unwrap();
    assert!(!toml::to_string_pretty(&raw).unwrap().contains("hunter2"));
    assert!(!format!("{raw:?}").contains("hunter2"));
}
