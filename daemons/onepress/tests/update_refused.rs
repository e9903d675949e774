//! Bundles that are not put on, each with its reason, its exit code, and nothing left behind.

mod signer;

use signer::{Signer, files, said};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const EDGE: &str = "onepress-edge-x86";

fn good(appliance: &Appliance, version: &str) -> PathBuf {
    appliance.signer.bundle(
        &appliance.outside(),
        &format!("{EDGE}_{version}"),
        &files(EDGE, version, &[".efi", ".spdx.json"]),
    )
}

/// `apply` refuses with this code and this reason, and leaves nothing.
fn refused(appliance: &Appliance, bundle: &Path, code: i32, why: &str) {
    let output = appliance.update("apply", &[bundle.to_str().expect("a path")]);
    assert_eq!(
        (output.status.code(), said(&output).contains(why)),
        (Some(code), true),
        "{why}: {}",
        said(&output)
    );
    assert_eq!(appliance.left(), ["lock", "state.json"], "{why}");
    let status = said(&appliance.update("status", &["--json"]));
    assert!(status.contains("\"refused\""), "{status}");
    // The centre hears of those whose name says which version was meant.
    if bundle.file_name().is_some_and(|name| name.to_string_lossy().contains('_')) {
        let record = fs::read(appliance.at("var/lib/onepress/update/state.json")).expect("the record");
        let record: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
        let cause = match code {
            3 => "signature",
            4 => "image",
            _ => "not-newer",
        };
        assert_eq!(record["outcome"]["cause"], cause, "{why}");
    }
}

#[test]
fn a_good_bundle_is_shown_with_what_it_holds() {
    let appliance = Appliance::new(EDGE, "1.9");
    let bundle = good(&appliance, "1.10");
    let output = appliance.update("show", &[bundle.to_str().expect("a path")]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    for line in ["onepress-edge-x86 1.10,", "signed and whole", "root    onepress", "it would be put on here"]
    {
        assert!(text.contains(line), "{text}");
    }
    assert!(appliance.left().is_empty(), "showing writes nothing");
}

#[test]
fn forged_bundles_are_refused() {
    let appliance = Appliance::new(EDGE, "1");
    let stranger = Signer::new();
    let forged = stranger.bundle(&appliance.outside(), "forged", &files(EDGE, "2", &[".efi"]));
    refused(&appliance, &forged, 3, "signature");

    let unsigned = appliance.outside().join("unsigned.bundle");
    let parts = appliance.outside().join("forged.parts");
    signer::tar(&parts, &unsigned, ["SHA256SUMS"].into_iter());
    refused(&appliance, &unsigned, 3, "does not begin with SHA256SUMS.gpg");

    let other_order = appliance.outside().join("order.bundle");
    signer::tar(&parts, &other_order, ["SHA256SUMS.gpg", "SHA256SUMS"].into_iter());
    refused(&appliance, &other_order, 3, "does not begin with SHA256SUMS");
}

#[test]
fn a_list_that_was_changed_after_it_was_signed_is_refused() {
    let appliance = Appliance::new(EDGE, "1");
    let bundle = good(&appliance, "2");
    let mut bytes = fs::read(&bundle).expect("read");
    // A digit of the first sum: the tar's own check sums are of headers only.
    bytes[512] = if bytes[512] == b'0' { b'1' } else { b'0' };
    fs::write(&bundle, bytes).expect("written");
    refused(&appliance, &bundle, 3, "signature");
}

#[test]
fn a_flipped_byte_anywhere_in_the_files_is_found() {
    let appliance = Appliance::new(EDGE, "1");
    let bundle = good(&appliance, "2");
    let whole = fs::read(&bundle).expect("read");
    let body = 512 * 6;
    for at in [body, whole.len() / 2, whole.len() - 10_240 - 30_000] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        let flipped = appliance.outside().join("flipped.bundle");
        fs::write(&flipped, bytes).expect("written");
        let output = appliance.update("apply", &[flipped.to_str().expect("a path")]);
        assert_eq!(output.status.code(), Some(3), "byte {at}: {}", said(&output));
        assert_eq!(appliance.left(), ["lock", "state.json"]);
    }
}

#[test]
fn a_bundle_that_is_cut_off_is_refused_wherever_that_is() {
    let appliance = Appliance::new(EDGE, "1");
    let bundle = good(&appliance, "2");
    let whole = fs::read(&bundle).expect("read");
    for length in [0, 100, 512, 1_024, 2_600, whole.len() / 2, whole.len() - 60_000] {
        let cut = appliance.outside().join("cut.bundle");
        fs::write(&cut, &whole[..length]).expect("written");
        let output = appliance.update("apply", &[cut.to_str().expect("a path")]);
        assert_eq!(output.status.code(), Some(3), "{length} bytes: {}", said(&output));
        assert_eq!(appliance.left(), ["lock", "state.json"]);
    }
}

#[test]
fn what_was_signed_and_is_not_there_or_there_and_not_signed_is_refused() {
    let appliance = Appliance::new(EDGE, "1");
    good(&appliance, "2");
    let parts = appliance.outside().join(format!("{EDGE}_2.parts"));
    let names: Vec<_> = files(EDGE, "2", &[".efi", ".spdx.json"]).into_iter().map(|(name, _)| name).collect();
    let list = ["SHA256SUMS", "SHA256SUMS.gpg"];

    let less = appliance.outside().join("less.bundle");
    signer::tar(&parts, &less, list.into_iter().chain(names[..3].iter().map(String::as_str)));
    refused(&appliance, &less, 3, "is missing");

    let twice = appliance.outside().join("twice.bundle");
    signer::tar(&parts, &twice, list.into_iter().chain(["SHA256SUMS"]));
    refused(&appliance, &twice, 3, "SHA256SUMS is in it twice or was not signed");
}

#[test]
fn another_appliance_s_bundle_is_refused() {
    let appliance = Appliance::new(EDGE, "1");
    for other in ["onepress-rack", "onepress-edge-arm64"] {
        let name = format!("{other}_2");
        let bundle = appliance.signer.bundle(&appliance.outside(), &name, &files(other, "2", &[".efi"]));
        refused(&appliance, &bundle, 4, &format!("it is for {other}, and this is {EDGE}"));
    }
    let pi_only = appliance.signer.bundle(&appliance.outside(), "pi", &files(EDGE, "2", &[".boot.tar"]));
    refused(&appliance, &pi_only, 4, "it holds no file of the kind efi");
}

#[test]
fn an_older_or_the_same_version_is_refused_and_one_below_the_floor_too() {
    let appliance = Appliance::new(EDGE, "2.9");
    refused(&appliance, &good(&appliance, "2.9"), 5, "is what runs here already");
    refused(&appliance, &good(&appliance, "2.8.7"), 5, "is older than 2.9, which runs here");

    appliance.becomes(EDGE, "2.12", "boot-2");
    assert!(appliance.update("settle", &[]).status.success());
    appliance.becomes(EDGE, "2.9", "boot-3");
    refused(&appliance, &good(&appliance, "2.11"), 5, "is older than 2.12, which was healthy here");
}

#[test]
fn what_is_no_update_at_all_is_refused() {
    let appliance = Appliance::new(EDGE, "1");
    let stray = [("readme.txt".to_owned(), b"hello".to_vec())];
    let bundle = appliance.signer.bundle(&appliance.outside(), "stray", &stray);
    refused(&appliance, &bundle, 3, "\"readme.txt\" is no file of an Onepress update");
    let text = appliance.outside().join("text.bundle");
    fs::write(&text, "x".repeat(4_096)).expect("written");
    refused(&appliance, &text, 3, "no tar archive");
}

#[test]
fn a_computer_without_slots_is_not_updated() {
    let appliance = Appliance::new(EDGE, "1");
    let bundle = good(&appliance, "2");
    fs::write(appliance.at("etc/os-release"), "ID=debian\n").expect("written");
    let output = appliance.update("apply", &[bundle.to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("does not run an Onepress image"), "{}", said(&output));
}

#[test]
fn a_disk_without_room_is_said_so_and_stays_as_it_was() {
    let appliance = Appliance::new(EDGE, "1");
    let bundle = good(&appliance, "2");
    let state = appliance.at("var/lib/onepress");
    fs::create_dir_all(&state).expect("made");
    let mut mounted = Command::new("unshare");
    let script = "mount -t tmpfs -o size=60M none \"$S\" && \"$ONEPRESS\" update apply --root \"$R\" --keys \"$K\" \"$B\"; \
                  code=$?; ls \"$S/update\"; exit $code";
    mounted.args(["--mount", "--map-root-user", "sh", "-c", script]);
    mounted
        .env("S", &state)
        .env("R", appliance.folder.path())
        .env("K", appliance.signer.keys())
        .env("B", &bundle);
    let output = mounted.env("ONEPRESS", env!("CARGO_BIN_EXE_onepress")).output().expect("unshare runs");
    let text = said(&output);
    assert_eq!((output.status.code(), text.contains("no space for the update")), (Some(6), true), "{text}");
    assert!(text.lines().all(|line| line != "stage"), "{text}");
}

#[test]
fn what_comes_in_is_taken_away_whatever_it_is() {
    let appliance = Appliance::new(EDGE, "1");
    let incoming = appliance.at("var/lib/onepress/update/incoming");
    fs::create_dir_all(incoming.join("folder.bundle/inside")).expect("made");
    fs::write(incoming.join("half.bundle"), "x").expect("written");
    fs::write(incoming.join("coming.part"), "x").expect("written");
    let secret = appliance.at("secret");
    fs::write(&secret, "s").expect("written");
    std::os::unix::fs::symlink(&secret, incoming.join("link.bundle")).expect("linked");
    let output = appliance.update("incoming", &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let left: Vec<_> =
        fs::read_dir(&incoming).expect("there").map(|entry| entry.expect("one").file_name()).collect();
    assert_eq!(left, ["coming.part"]);
    assert!(secret.exists());
}

/// An appliance in a folder.
struct Appliance {
    folder: TempDir,
    signer: Signer,
}

impl Appliance {
    /// Runs this version of this image; started by UEFI.
    fn new(profile: &str, version: &str) -> Self {
        let appliance = Self { folder: tempfile::tempdir().expect("a folder"), signer: Signer::new() };
        for folder in ["etc", "proc/sys/kernel/random", "run/onepress"] {
            fs::create_dir_all(appliance.at(folder)).expect("made");
        }
        appliance.becomes(profile, version, "boot-1");
        appliance
    }

    /// Another version was started.
    fn becomes(&self, profile: &str, version: &str, boot: &str) {
        let text = format!("ID=debian\nIMAGE_ID={profile}\nIMAGE_VERSION={version}\n");
        fs::write(self.at("etc/os-release"), text).expect("written");
        fs::write(self.at("proc/sys/kernel/random/boot_id"), boot).expect("written");
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A place for what is not the appliance's.
    fn outside(&self) -> PathBuf {
        let outside = self.at("outside");
        fs::create_dir_all(&outside).expect("made");
        outside
    }

    /// `onepress update ...` here, with the signer's keys.
    fn update(&self, command: &str, arguments: &[&str]) -> Output {
        let mut onepress = Command::new(env!("CARGO_BIN_EXE_onepress"));
        onepress.args(["update", command, "--root"]).arg(self.folder.path()).args(arguments);
        if ["show", "apply", "incoming"].contains(&command) {
            onepress.arg("--keys").arg(self.signer.keys());
        }
        onepress.output().expect("onepress runs")
    }

    /// What is left of updates, names only.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at("var/lib/onepress/update")).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
