//! Updates through systemd-sysupdate itself, in a tree of Debian 13, onto a disk with two slots in a file.

mod appliance;

use appliance::{Signer, content, files, said};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const RACK: &str = "onepress-rack";
/// Made by tests/setup/trixie.sh.
const TREE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.cache/trixie");
/// As the image has them.
const DEFINITIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../image/mkosi.extra/usr/lib/sysupdate.d");

/// In a mount namespace: the tree with this machine's devices, a disk in a file, and a boot partition that is a folder.
const ENTER: &str = r#"
set -eu
mount --bind "$TREE" "$TREE" && cd "$TREE"
mount -t proc none proc && mount --rbind /dev dev && mount --rbind /sys sys && mount -t tmpfs none tmp && mount -t tmpfs none run
mkdir -p run/onepress
mkdir -p usr/lib/sysupdate.d && mount --bind "$OWN/sysupdate.d" usr/lib/sysupdate.d
mount --bind "$OWN/etc" etc && mount --bind "$OWN/var" var && mount --bind "$OWN/boot" boot
mkdir run/own && mount --bind "$OWN" run/own
mkdir run/bin && touch run/bin/onepress && mount --bind "$ONEPRESS" run/bin/onepress
export SYSTEMD_XBOOTLDR_PATH=/boot SYSTEMD_RELAX_XBOOTLDR_CHECKS=1 SYSTEMD_ESP_PATH=/boot SYSTEMD_RELAX_ESP_CHECKS=1
exec chroot . /run/bin/onepress "$@"
"#;

/// An appliance whose slots are real.
struct Slots {
    own: TempDir,
    signer: Signer,
}

impl Slots {
    fn new(version: &str) -> Self {
        assert!(Path::new(TREE).exists(), "{TREE} is missing: make setup-trixie");
        let slots = Self { own: tempfile::tempdir().expect("a folder"), signer: Signer::new() };
        for folder in ["etc/systemd", "sysupdate.d", "var/lib/onepress", "boot/EFI/Linux"] {
            fs::create_dir_all(slots.at(folder)).expect("made");
        }
        fs::copy(slots.signer.keys(), slots.at("etc/systemd/import-pubring.gpg")).expect("copied");
        fs::write(slots.at(&format!("boot/EFI/Linux/{RACK}_{version}.efi")), "kernel").expect("written");
        slots.definitions();
        slots.disk(version);
        slots.runs(version);
        slots
    }

    fn at(&self, path: &str) -> PathBuf {
        self.own.path().join(path)
    }

    fn runs(&self, version: &str) {
        fs::write(self.at("etc/os-release"), format!("IMAGE_ID={RACK}\nIMAGE_VERSION={version}\n"))
            .expect("written");
    }

    /// The image's own, but for the disk.
    fn definitions(&self) {
        for entry in fs::read_dir(DEFINITIONS).expect("the image's definitions") {
            let entry = entry.expect("an entry");
            let text = fs::read_to_string(entry.path()).expect("read");
            let text = text.replace("Path=auto", "Path=/run/own/disk.raw");
            fs::write(self.at("sysupdate.d").join(entry.file_name()), text).expect("written");
        }
    }

    fn disk(&self, version: &str) {
        let slot = |name: &str| {
            let verity = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5";
            let root = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
            let called =
                |part: &str| if name.is_empty() { "_empty".to_owned() } else { format!("{part}_{name}") };
            format!(
                "size=4MiB, type={verity}, name={}\nsize=8MiB, type={root}, name={}\n",
                called("verity"),
                called("root")
            )
        };
        let file = fs::File::create(self.at("disk.raw")).expect("made");
        file.set_len(32 << 20).expect("sized");
        let table = format!("label: gpt\n{}{}", slot(version), slot(""));
        fs::write(self.at("table"), table).expect("written");
        let mut sfdisk = Command::new("sh");
        sfdisk.args(["-c", "sfdisk --quiet disk.raw <table"]).current_dir(self.own.path());
        assert!(sfdisk.status().expect("sfdisk runs").success());
    }

    fn bundle(&self, version: &str) -> String {
        let made =
            self.signer.bundle(&self.at(""), &format!("{RACK}_{version}"), &files(RACK, version, &[".efi"]));
        format!("/run/own/{}", made.file_name().expect("a name").to_string_lossy())
    }

    fn onepress(&self, arguments: &[&str]) -> Output {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", ENTER, "sh"]).args(arguments);
        unshare.env("TREE", TREE).env("OWN", self.own.path()).env("ONEPRESS", env!("CARGO_BIN_EXE_onepress"));
        unshare.output().expect("unshare runs")
    }

    fn apply(&self, bundle: &str) -> Output {
        self.onepress(&["update", "apply", bundle, "--keys", "/run/own/etc/systemd/import-pubring.gpg"])
    }

    fn update(&self, command: &str) -> String {
        let output = self.onepress(&["update", command]);
        assert!(output.status.success(), "{command}: {}", said(&output));
        said(&output)
    }

    /// Names of the partitions, in order.
    fn partitions(&self) -> Vec<String> {
        let mut sfdisk = Command::new("sfdisk");
        let listed = sfdisk
            .args(["--quiet", "-l", "-o", "NAME"])
            .arg(self.at("disk.raw"))
            .output()
            .expect("sfdisk runs");
        String::from_utf8_lossy(&listed.stdout).lines().skip(1).map(|name| name.trim().to_owned()).collect()
    }

    fn kernels(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at("boot/EFI/Linux")).expect("there");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("one").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Where on the disk these bytes are.
    fn holds(&self, part: &str, version: &str, size: usize) -> bool {
        let (disk, wanted) = (fs::read(self.at("disk.raw")).expect("read"), content(version, part, size));
        (0..disk.len() - wanted.len()).step_by(1 << 20).any(|at| disk[at..at + wanted.len()] == wanted)
    }
}

#[test]
fn an_update_is_put_on_found_healthy_and_the_next_one_takes_the_old_slot() {
    let slots = Slots::new("1");
    let output = slots.apply(&slots.bundle("2"));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(slots.partitions(), ["verity_1", "root_1", "verity_2", "root_2"]);
    assert_eq!(slots.kernels(), ["onepress-rack_1.efi", "onepress-rack_2+3-0.efi"]);
    assert!(slots.holds("root", "2", 3_000_000) && slots.holds("verity", "2", 100_000));
    assert!(!slots.at("var/lib/onepress/update/stage").exists());
    assert!(slots.update("status").contains("2 waits for a restart"));

    slots.runs("2");
    assert!(slots.update("settle").contains("updated to 2"));
    let output = slots.apply(&slots.bundle("3"));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(slots.partitions(), ["verity_3", "root_3", "verity_2", "root_2"]);
    assert!(slots.holds("root", "2", 3_000_000) && slots.holds("root", "3", 3_000_000));
}

#[test]
fn a_version_that_failed_is_not_tried_again_and_a_newer_one_takes_its_slot() {
    let slots = Slots::new("1");
    assert!(slots.apply(&slots.bundle("2")).status.success());
    // systemd-boot's count has run out, and version 1 was started. A chroot has the boot id of the machine around it.
    let state = slots.at("var/lib/onepress/update/state.json");
    let text = fs::read_to_string(&state).expect("read");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("read");
    fs::write(&state, text.replace(boot.trim(), "the boot before")).expect("written");
    assert!(slots.update("settle").contains("2 did not become healthy"));

    let again = slots.apply(&slots.bundle("2"));
    assert_eq!(again.status.code(), Some(5), "{}", said(&again));
    assert!(said(&again).contains("was tried here"), "{}", said(&again));

    let output = slots.apply(&slots.bundle("3"));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(slots.partitions(), ["verity_1", "root_1", "verity_3", "root_3"]);
    assert_eq!(slots.kernels(), ["onepress-rack_1.efi", "onepress-rack_3+3-0.efi"]);
}

#[test]
fn a_slot_that_cannot_be_written_leaves_what_runs_and_no_trace() {
    let slots = Slots::new("1");
    let mut files = files(RACK, "2", &[".efi"]);
    // A root larger than its slot.
    let large = appliance::files(RACK, "2", &[]).remove(0);
    files[0] = (large.0, appliance::xz(&vec![1; 9 << 20]));
    let bundle = slots.signer.bundle(&slots.at(""), "large", &files);
    let inside = format!("/run/own/{}", bundle.file_name().expect("a name").to_string_lossy());
    let output = slots.apply(&inside);
    assert_eq!(output.status.code(), Some(8), "{}", said(&output));
    assert!(said(&output).contains("what runs is untouched"), "{}", said(&output));
    assert_eq!(slots.partitions()[..2], ["verity_1", "root_1"]);
    assert_eq!(slots.kernels(), ["onepress-rack_1.efi"]);
    assert!(!slots.at("var/lib/onepress/update/stage").exists());
    assert!(!slots.update("status").contains("waits"));

    let output = slots.apply(&slots.bundle("3"));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(slots.partitions(), ["verity_1", "root_1", "verity_3", "root_3"]);
}
