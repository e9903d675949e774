//! Private keys at rest: with a key of the machine none lies open, with another one presses are kept, and systemd-creds
//! itself makes and loses that key. (A TPM: `tests/tests/image/tpm.rs`.)

use std::fs;
use std::path::Path;

use onepress::rig::{Button, Plan, Rack};
use onepress_tests::centre::{Centre, folder, programs, until};
use onepress_tests::install::output;
use onepress_tests::sandbox;
use tempfile::TempDir;

const MARK: &str = "onepress-sealed-1:";

/// What the service manager hands to daemons: a folder with the key of the machine in it.
struct Machine(TempDir);

impl Machine {
    fn without_a_key() -> Self {
        Self(folder())
    }

    fn has(&self, key: u8) {
        fs::write(self.0.path().join("onepress.key"), [key; 32]).expect("written");
    }

    fn variable(&self) -> String {
        format!("CREDENTIALS_DIRECTORY={}", self.0.path().display())
    }
}

/// A centre with one school, all on this machine.
fn centre(machine: &Machine) -> Centre {
    let (programs, dir) = (programs().through(&["env", &machine.variable()]), folder());
    let rack = Rack::start(&programs, &dir.path().join("desk"), 0).expect("a rack");
    Centre::around(rack, programs, dir).with_wall().with_school(&Plan::default())
}

/// Files below that hold a private key as it is, by name; and those that hold a sealed one.
fn keys(below: &Path) -> (Vec<String>, Vec<String>) {
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    let known = ["ca.pem", "identity.json", "journal.key", "link.key", "pass.key", "enrol-key.pem"];
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() {
                folders.push(path);
            } else if known.contains(&name.as_str()) {
                let text = String::from_utf8_lossy(&fs::read(&path).expect("read")).into_owned();
                if text.contains(MARK) { sealed.push(name) } else { plain.push(name) }
            } else if path.is_file() {
                let bytes = fs::read(&path).expect("read");
                assert!(!bytes.windows(11).any(|part| part == b"PRIVATE KEY"), "{}", path.display());
            }
        }
    }
    plain.sort();
    sealed.sort();
    (plain, sealed)
}

const ALL: [&str; 8] = [
    "ca.pem",
    "identity.json",
    "identity.json",
    "journal.key",
    "link.key",
    "link.key",
    "link.key",
    "pass.key",
];

#[test]
fn keys_that_lay_open_are_sealed_when_the_machine_has_got_a_key_and_all_goes_on() {
    let machine = Machine::without_a_key();
    let mut centre = centre(&machine);
    centre.settle();
    let dir = centre.dir.path().to_owned();
    assert_eq!(keys(&dir).0, ALL, "as in a demo");

    machine.has(1);
    for _ in 0..2 {
        centre.schools[0].daemon().stop().expect("stopped");
        centre.wall().daemon().stop().expect("stopped");
        centre.rack.daemon().stop().expect("stopped");
        centre.rack.start_again().expect("started");
        centre.wall().start_again().expect("started");
        centre.schools[0].start_again().expect("started");
        centre.desk = until("signed in", || centre.rack.sign_in(onepress::rig::SEAT).ok());
        centre.settle();
        let (plain, sealed) = keys(&dir);
        assert_eq!((plain, sealed), (vec![], ALL.map(str::to_owned).to_vec()));
    }
    centre.schools[0].press(Button::Gate);
    until("the press is shown", || (centre.presses() == 1).then_some(()));
    centre.schools[0].release(Button::Gate);
}

#[test]
fn a_box_whose_key_is_lost_says_so_keeps_presses_and_is_enrolled_again_with_a_new_ticket() {
    let machine = Machine::without_a_key();
    machine.has(1);
    let mut centre = centre(&machine);
    centre.settle();
    let unusable = |centre: &Centre| {
        let status = centre.schools[0].status().ok()?;
        status["unusable"].as_str().map(str::to_owned)
    };
    assert_eq!(unusable(&centre), None);

    centre.schools[0].daemon().stop().expect("stopped");
    machine.has(2);
    centre.schools[0].start_again().expect("started");
    let told = until("the box says what it cannot open", || unusable(&centre));
    assert!(told.contains("identity.json") && told.contains("new ticket"), "{told}");
    centre.schools[0].press(Button::Gate);
    until("the press is kept", || (centre.schools[0].status().ok()?["waiting"].as_u64()? >= 1).then_some(()));
    centre.schools[0].release(Button::Gate);
    assert_eq!(centre.presses(), 0);
    let log = centre.schools[0].daemon().log();
    assert_eq!(log.matches("the identity cannot be used").count(), 1, "said once: {log}");

    let ticket = centre.desk.ticket("box-1").expect("a ticket");
    fs::write(centre.schools[0].dir().join("ticket"), ticket).expect("written");
    until("the press is delivered", || (centre.presses() == 1).then_some(()));
    assert_eq!(unusable(&centre), None);
}

#[test]
fn a_rack_whose_key_is_lost_names_the_file_and_what_helps() {
    let machine = Machine::without_a_key();
    machine.has(1);
    let dir = folder();
    let programs = programs().through(&["env", &machine.variable()]);
    let mut rack = Rack::start(&programs, dir.path(), 0).expect("a rack");
    rack.daemon().stop().expect("stopped");
    fs::remove_file(machine.0.path().join("onepress.key")).expect("removed");
    let mut desk = programs.command("onepress-desk");
    let (good, said) = output(desk.arg("--config").arg(dir.path().join("desk.toml")));
    assert!(!good && said.contains("journal.key") && said.contains("onepress seal --restore"), "{said}");
    machine.has(1);
    rack.start_again().expect("the key is back");
}

/// systemd-creds of this machine in a namespace of its own: the secret that it makes is gone afterwards.
#[test]
fn systemd_creds_makes_the_key_once_loses_it_with_its_secret_and_takes_it_back_from_paper() {
    let story = r#"
        mount -t tmpfs none /var/lib/systemd
        seal() { "$ONEPRESS" seal --state /run/kept --given /run/credstore/onepress.key --tpm /no/tpm "$@" 2>&1; }
        seal | grep "bound to this disk"
        cp /run/credstore/onepress.key /run/first
        [ "$(stat -c '%a %s' /run/credstore/onepress.key)" = "400 32" ] && [ "$(stat -c %a /run/credstore)" = 700 ]
        ! grep -q "$(base64 </run/first)" /run/kept/key.host
        seal && cmp /run/first /run/credstore/onepress.key
        seal --show >/run/paper
        [ "$(tr -d '\n' </run/paper | wc -c)" = 80 ]

        mv /var/lib/systemd/credential.secret /run/old-board
        ! seal >/run/told
        cat /run/told
        grep -q 'key.host cannot be unsealed' /run/told && grep -q 'new tickets' /run/told
        [ ! -e /run/credstore/onepress.key ]
        ! seal --show
        seal --restore /run/paper && cmp /run/first /run/credstore/onepress.key
        seal && cmp /run/first /run/credstore/onepress.key
        sed 's/[0-9a-f]/0/9' /run/paper | sed 's/0/1/3' >/run/mistyped
        ! seal --restore - </run/mistyped | grep 'digit of the recovery key'
        seal --new && ! cmp -s /run/first /run/credstore/onepress.key
        echo THE END
    "#;
    let programs = programs();
    let (good, said) = sandbox::run(story, &[("ONEPRESS", &programs.binary("onepress"))]);
    assert!(good && said.trim_end().ends_with("THE END"), "{said}");
}

/// The credential that units ask for by name may be missing: `LoadCredential=` with a path would keep the daemon down.
#[test]
fn every_daemon_asks_for_the_key_and_starts_without_it() {
    let seal = onepress_tests::install::workspace().join("systemd/onepress-seal.service");
    let seal = fs::read_to_string(seal).expect("a unit");
    let before: String = seal.lines().filter(|line| line.starts_with("Before=")).collect();
    for daemon in ["button", "camera", "desk", "relay", "wall"] {
        assert!(before.contains(&format!("onepress-{daemon}.service")), "{daemon}: {before}");
        let unit = onepress_tests::install::workspace().join(format!("systemd/onepress-{daemon}.service"));
        let text = fs::read_to_string(&unit).expect("a unit");
        assert!(text.lines().any(|line| line == "LoadCredential=onepress.key"), "{unit:?}");
        assert!(!text.contains("Requires=onepress-seal"), "{unit:?}");
    }
}
