//! Updates through systemd-sysupdate itself, in a tree of Debian 13, onto a disk with two slots in a file.

mod signer;

use onepress::flash::partition::{Window, table};
use onepress::update::tryboot::{Slot, plan::Autoboot};
use signer::{Signer, content, files, said};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const RACK: &str = "onepress-rack";
const PI: &str = "onepress-edge-arm64";
/// Where a Pi's kernel is told how it was started.
const FIRMWARE: &str = "proc/device-tree/chosen/bootloader";
/// Made by tests/setup/trixie.sh.
const TREE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.cache/trixie");
/// As the image has them.
const STATE: &str = "var/lib/onepress/update/state.json";
const DEFINITIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../image/mkosi.extra/usr/lib/sysupdate.d");

/// In a mount namespace: the tree with this machine's devices, a disk in a file, and a boot partition that is a folder.
const ENTER: &str = r#"
set -eu
mount --bind "$TREE" "$TREE" && cd "$TREE"
mount -t proc none proc && mount --rbind /dev dev && mount --rbind /sys sys && mount -t tmpfs none tmp && mount -t tmpfs none run
if [ -d "$OWN/run/onepress" ]; then ln -s own/run/onepress run/onepress; else mkdir run/onepress; fi
mkdir -p usr/lib/sysupdate.d && mount --bind "$OWN/sysupdate.d" usr/lib/sysupdate.d
mount --bind "$OWN/etc" etc && mount --bind "$OWN/var" var && mount --bind "$OWN/boot" boot
mkdir run/own && mount --bind "$OWN" run/own
mkdir run/bin && touch run/bin/onepress && mount --bind "$ONEPRESS" run/bin/onepress
export SYSTEMD_XBOOTLDR_PATH=/boot SYSTEMD_RELAX_XBOOTLDR_CHECKS=1 SYSTEMD_ESP_PATH=/boot SYSTEMD_RELAX_ESP_CHECKS=1
exec chroot . /run/bin/onepress "$@"
"#;

/// Of the signer, inside.
const KEYS: &str = "/run/own/etc/systemd/import-pubring.gpg";

/// An appliance whose slots are real.
struct Slots {
    own: TempDir,
    signer: Signer,
    profile: &'static str,
}

impl Slots {
    /// A rack, started by UEFI.
    fn new(version: &str) -> Self {
        let slots = Self::of(RACK, version, "");
        let kernel = slots.at(&format!("boot/EFI/Linux/{RACK}_{version}.efi"));
        fs::write(kernel, "kernel").expect("written");
        slots
    }

    /// A Raspberry Pi, which looks at `/run/own` for its device tree, its sysfs and its disk.
    fn pi(version: &str) -> Self {
        let fat = "size=1MiB, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n";
        let slots = Self::of(PI, version, &format!("{fat}{fat}{fat}"));
        for folder in
            ["proc/sys/kernel/random", FIRMWARE, "sys/block/mmcblk0", "sys/dev/block", "dev", "usr/lib"]
        {
            fs::create_dir_all(slots.at(folder)).expect("made");
        }
        fs::create_dir_all(slots.at("run/onepress")).expect("made");
        let device = fs::metadata(slots.own.path()).expect("there").dev();
        let number = format!("sys/dev/block/{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        symlink("../../block/mmcblk0", slots.at(&number)).expect("linked");
        symlink("../disk.raw", slots.at("dev/mmcblk0")).expect("linked");
        symlink("/usr/lib/systemd", slots.at("usr/lib/systemd")).expect("linked");
        symlink("../../sysupdate.d", slots.at("usr/lib/sysupdate.d")).expect("linked");
        let autoboot = Autoboot::text(Slot::A, 128).expect("long enough");
        slots.put(1, &[("autoboot.txt", &autoboot), ("config.txt", b"")]);
        slots.put(2, &[("kernel8.img", b"kernel of version 1")]);
        slots.put(3, &[("kernel8.img", b"kernel of version 0")]);
        slots.starts(Slot::A, "boot-1");
        slots
    }

    fn of(profile: &'static str, version: &str, before: &str) -> Self {
        assert!(Path::new(TREE).exists(), "{TREE} is missing: make setup-trixie");
        let slots = Self { own: tempfile::tempdir().expect("a folder"), signer: Signer::new(), profile };
        for folder in ["etc/systemd", "sysupdate.d", "var/lib/onepress", "boot/EFI/Linux"] {
            fs::create_dir_all(slots.at(folder)).expect("made");
        }
        fs::copy(slots.signer.keys(), slots.at("etc/systemd/import-pubring.gpg")).expect("copied");
        slots.definitions();
        slots.disk(version, before);
        slots.runs(version);
        slots
    }

    fn at(&self, path: &str) -> PathBuf {
        self.own.path().join(path)
    }

    /// What the firmware of a Pi tells of a start.
    fn starts(&self, slot: Slot, boot: &str) {
        let number = slot.partition().to_be_bytes();
        fs::write(self.at(FIRMWARE).join("partition"), number).expect("written");
        fs::write(self.at("proc/sys/kernel/random/boot_id"), boot).expect("written");
    }

    fn volume(&self, number: u32) -> Window<fs::File> {
        let mut disk = fs::File::options().read(true).write(true).open(self.at("disk.raw")).expect("there");
        let found = table(&mut disk).expect("a table").into_iter().find(|(_, place)| place.number == number);
        Window::new(disk, found.expect("a partition").1)
    }

    fn put(&self, number: u32, files: &[(&str, &[u8])]) {
        fatfs::format_volume(self.volume(number), fatfs::FormatVolumeOptions::new()).expect("formatted");
        let volume = fatfs::FileSystem::new(self.volume(number), fatfs::FsOptions::new()).expect("FAT");
        for (name, bytes) in files {
            volume.root_dir().create_file(name).expect("made").write_all(bytes).expect("written");
        }
    }

    fn read(&self, number: u32, name: &str) -> Vec<u8> {
        let volume = fatfs::FileSystem::new(self.volume(number), fatfs::FsOptions::new()).expect("FAT");
        let mut bytes = Vec::new();
        volume.root_dir().open_file(name).expect("there").read_to_end(&mut bytes).expect("read");
        bytes
    }

    /// The kernel that a Pi's firmware would start.
    fn started(&self) -> (Slot, Vec<u8>) {
        let slot = Autoboot::read(&self.read(1, "autoboot.txt")).usual.expect("one is named");
        (slot, self.read(slot.partition(), "kernel8.img"))
    }

    fn runs(&self, version: &str) {
        let text = format!("IMAGE_ID={}\nIMAGE_VERSION={version}\n", self.profile);
        fs::write(self.at("etc/os-release"), text).expect("written");
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

    fn disk(&self, version: &str, before: &str) {
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
        let table = format!("label: gpt\n{before}{}{}", slot(version), slot(""));
        fs::write(self.at("table"), table).expect("written");
        let mut sfdisk = Command::new("sh");
        sfdisk.args(["-c", "sfdisk --quiet disk.raw <table"]).current_dir(self.own.path());
        assert!(sfdisk.status().expect("sfdisk runs").success());
    }

    fn bundle(&self, version: &str) -> String {
        let mut files = files(self.profile, version, if self.profile == PI { &[] } else { &[".efi"] });
        if self.profile == PI {
            let name = format!("{PI}_{version}.boot.tar");
            fs::write(self.at("kernel8.img"), format!("kernel of version {version}")).expect("written");
            signer::tar(self.own.path(), &self.at(&name), ["kernel8.img"].into_iter());
            files.push((name.clone(), fs::read(self.at(&name)).expect("read")));
        }
        let made = self.signer.bundle(self.own.path(), &format!("{}_{version}", self.profile), &files);
        format!("/run/own/{}", made.file_name().expect("a name").to_string_lossy())
    }

    fn onepress(&self, arguments: &[&str]) -> Output {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", ENTER, "sh"]).args(arguments);
        unshare.env("TREE", TREE).env("OWN", self.own.path()).env("ONEPRESS", env!("CARGO_BIN_EXE_onepress"));
        unshare.output().expect("unshare runs")
    }

    fn apply(&self, bundle: &str) -> Output {
        self.onepress(&["update", "apply", bundle, "--keys", KEYS, "--root", self.root()])
    }

    fn incoming(&self) -> Output {
        self.onepress(&["update", "incoming", "--keys", KEYS, "--root", self.root()])
    }

    fn root(&self) -> &'static str {
        if self.profile == PI { "/run/own" } else { "/" }
    }

    fn update(&self, command: &str) -> String {
        let output = self.onepress(&["update", command, "--root", self.root()]);
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

    /// What is remembered comes from a boot before. A chroot has the boot id of the machine around it.
    fn was_started_anew(&self, record: String) {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("read");
        fs::write(self.at(STATE), record.replace(boot.trim(), "the boot before")).expect("written");
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
    let bundle = slots.bundle("2");
    assert!(slots.apply(&bundle).status.success());
    // The centre offers it once more: it lies there, and that is no refusal.
    let incoming = slots.at("var/lib/onepress/update/incoming");
    fs::create_dir_all(&incoming).expect("made");
    let name = Path::new(&bundle).file_name().expect("a name");
    fs::copy(slots.at("").join(name), incoming.join(name)).expect("copied");
    let again = slots.incoming();
    assert!(again.status.success(), "{}", said(&again));
    let state = slots.at(STATE);
    let text = fs::read_to_string(&state).expect("read");
    assert!(text.contains("\"state\": \"staged\""), "what the centre is told: {text}");
    // systemd-boot's count has run out, and version 1 was started.
    slots.was_started_anew(text);
    assert!(slots.update("settle").contains("2 did not become healthy"));
    let told = fs::read_to_string(&state).expect("read");
    assert!(told.contains("\"state\": \"rolled-back\"") && told.contains("\"number\": 3"), "{told}");

    let again = slots.apply(&slots.bundle("2"));
    assert_eq!(again.status.code(), Some(5), "{}", said(&again));
    let told = fs::read_to_string(&state).expect("read");
    assert!(told.contains("\"state\": \"refused\"") && told.contains("\"number\": 4"), "{told}");
    assert!(said(&again).contains("was tried here"), "{}", said(&again));

    let output = slots.apply(&slots.bundle("3"));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(slots.partitions(), ["verity_1", "root_1", "verity_3", "root_3"]);
    assert_eq!(slots.kernels(), ["onepress-rack_1.efi", "onepress-rack_3+3-0.efi"]);
}

#[test]
fn a_kernel_that_a_power_cut_left_empty_is_not_taken_for_installed() {
    let slots = Slots::new("1");
    let bundle = slots.bundle("2");
    assert!(slots.apply(&bundle).status.success());
    // FAT had the new name and not yet where its content is; the update was not remembered as whole.
    let kernel = slots.at("boot/EFI/Linux/onepress-rack_2+3-0.efi");
    let whole = fs::read(&kernel).expect("there");
    fs::write(&kernel, "").expect("written");
    let text = fs::read_to_string(slots.at(STATE)).expect("read");
    assert!(text.contains("\"whole\": true"), "{text}");
    slots.was_started_anew(text.replace("\"whole\": true", "\"whole\": false"));
    let told = slots.update("settle");
    assert!(told.contains("cut off"), "{told}");

    let output = slots.apply(&bundle);
    assert!(output.status.success(), "{}", said(&output));
    assert!(fs::read(&kernel).expect("there") == whole, "the kernel is as long as nothing");
    assert_eq!(slots.partitions(), ["verity_1", "root_1", "verity_2", "root_2"]);
    assert!(slots.holds("root", "2", 3_000_000) && slots.holds("verity", "2", 100_000));
}

#[test]
fn a_slot_that_cannot_be_written_leaves_what_runs_and_no_trace() {
    let slots = Slots::new("1");
    let mut files = files(RACK, "2", &[".efi"]);
    // A root larger than its slot.
    let large = signer::files(RACK, "2", &[]).remove(0);
    files[0] = (large.0, signer::xz(&vec![1; 9 << 20]));
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

#[test]
fn a_pi_tries_the_other_slot_once_keeps_it_when_it_is_healthy_and_takes_nothing_new_before() {
    let pi = Slots::pi("1");
    let output = pi.apply(&pi.bundle("2"));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("reboot \"0 tryboot\""), "{}", said(&output));
    assert_eq!(pi.partitions()[3..], ["verity_1", "root_1", "verity_2", "root_2"]);
    assert_eq!(pi.read(3, "kernel8.img"), b"kernel of version 2");
    assert_eq!(pi.started(), (Slot::A, b"kernel of version 1".to_vec()));

    pi.starts(Slot::B, "boot-2");
    pi.runs("2");
    assert!(pi.update("status").contains("onepress-edge-arm64 2, on trial"));
    let early = pi.apply(&pi.bundle("3"));
    assert_eq!(early.status.code(), Some(7), "{}", said(&early));
    assert_eq!(pi.partitions()[3..5], ["verity_1", "root_1"], "the way back is untouched");

    assert!(pi.update("settle").contains("slot B is started from now on"));
    assert_eq!(pi.started(), (Slot::B, b"kernel of version 2".to_vec()));
    let output = pi.apply(&pi.bundle("3"));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(pi.partitions()[3..], ["verity_3", "root_3", "verity_2", "root_2"]);
    assert_eq!(pi.read(2, "kernel8.img"), b"kernel of version 3");
    assert_eq!(pi.started(), (Slot::B, b"kernel of version 2".to_vec()));
}

#[test]
fn a_pi_whose_new_version_dies_is_back_and_does_not_try_it_again() {
    let pi = Slots::pi("1");
    assert!(pi.apply(&pi.bundle("2")).status.success());
    pi.starts(Slot::A, "boot-3");
    assert!(pi.update("settle").contains("2 did not become healthy"));
    assert_eq!(pi.started(), (Slot::A, b"kernel of version 1".to_vec()));
    assert_eq!(pi.apply(&pi.bundle("2")).status.code(), Some(5));
    assert!(pi.apply(&pi.bundle("3")).status.success());
    assert_eq!(pi.partitions()[3..], ["verity_1", "root_1", "verity_3", "root_3"]);
}
