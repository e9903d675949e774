//! What of an image is shown on its files, without a virtual machine: seconds instead of minutes.

use crate::centre::{DISK, FIRST, built};
use crate::parts::copy;
use onepress_tests::install::workspace;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

/// Bounds that make a download over a school's line, and a slot, enough.
const ROOT_MAX: u64 = 150 << 20;
pub(crate) const EDGE_UPDATE_MAX: u64 = 120_000_000;
const ROLES: [&str; 2] = ["rack", "edge-x86"];

/// Runs one of the image's tools on a folder, which it sees as /job.
fn tool(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let done = Command::new(workspace().join("image/run.sh"))
        .arg(folder)
        .args(arguments)
        .output()
        .expect("image/run.sh");
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The hash of the root that stands in the signed kernel's arguments.
fn root_hash(profile: &str) -> String {
    let kernel =
        std::fs::read(built(profile, FIRST, &format!("onepress-{profile}_{FIRST}.efi"))).expect("the UKI");
    let text = String::from_utf8_lossy(&kernel);
    let from = text.find("roothash=").expect("a root hash") + "roothash=".len();
    text[from..].chars().take_while(char::is_ascii_hexdigit).collect()
}

#[test]
fn the_first_start_makes_the_second_slot_and_var_of_the_rest() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let image = built("rack", FIRST, &format!("onepress-rack_{FIRST}.raw"));
    copy(&image, &dir.path().join("disk.raw"), DISK);
    let definitions = workspace().join("image/mkosi.extra/usr/lib/repart.d");
    let copied = Command::new("cp").arg("-r").arg(definitions).arg(dir.path()).status();
    assert!(copied.expect("cp").success());
    let made = tool(
        dir.path(),
        &["systemd-repart", "--no-pager", "--dry-run=no", "--definitions=/job/repart.d", "/job/disk.raw"],
    );
    assert!(made.0, "{}", made.1);

    let table =
        Command::new("sfdisk").arg("--json").arg(dir.path().join("disk.raw")).output().expect("sfdisk");
    let table: serde_json::Value = serde_json::from_slice(&table.stdout).expect("a table");
    let parts = table["partitiontable"]["partitions"].as_array().expect("partitions");
    let names: Vec<_> = parts.iter().map(|part| part["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["esp", "verity_1", "root_1", "_empty", "_empty", "onepress-data"]);
    let size = |place: usize| parts[place]["size"].as_u64().expect("a size") * 512;
    assert_eq!((size(1), size(2)), (size(3), size(4)), "an update fits where the first version did");
    assert!(size(5) > 2 << 30, "/var has the rest");
}

#[test]
fn one_flipped_byte_of_the_root_is_found() {
    let dir = tempfile::tempdir().expect("temporary directory");
    for (part, name) in [("root-x86-64", "root"), ("root-x86-64-verity", "verity")] {
        let from = built("rack", FIRST, &format!("onepress-rack_{FIRST}.{part}.raw"));
        copy(&from, &dir.path().join(name), 0);
    }
    let hash = root_hash("rack");
    let look = || tool(dir.path(), &["veritysetup", "verify", "/job/root", "/job/verity", &hash]);
    let whole = look();
    assert!(whole.0, "{}", whole.1);

    let root = dir.path().join("root");
    let mut root = std::fs::File::options().read(true).write(true).open(root).expect("the root");
    let (place, mut byte) = (50_000_001, [0]);
    root.seek(SeekFrom::Start(place)).and_then(|_| root.read_exact(&mut byte)).expect("read");
    root.seek(SeekFrom::Start(place)).and_then(|_| root.write_all(&[byte[0] ^ 1])).expect("written");
    let flipped = look();
    assert!(!flipped.0 && flipped.1.contains("Verification failed at position 49999872"), "{}", flipped.1);
}

#[test]
fn sizes_are_within_their_bounds() {
    let dir = tempfile::tempdir().expect("temporary directory");
    for role in ROLES {
        copy(
            &built(role, FIRST, &format!("onepress-{role}_{FIRST}.root-x86-64.raw")),
            &dir.path().join(role),
            0,
        );
        let (good, said) = tool(dir.path(), &["dump.erofs", "-s", &format!("/job/{role}")]);
        assert!(good, "{said}");
        let blocks = said.lines().find_map(|line| line.strip_prefix("Filesystem blocks:")).expect("a number");
        let size = blocks.trim().parse::<u64>().expect("a number") * 4096;
        println!("{role}: root {:.1} MiB", size as f64 / f64::from(1 << 20));
        assert!(size <= ROOT_MAX, "{role}: {size}");
    }
    let bundle = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.bundle"));
    let size = std::fs::metadata(bundle).expect("the bundle").len();
    println!("edge-x86: update {:.1} MB", size as f64 / 1e6);
    assert!(size <= EDGE_UPDATE_MAX, "{size}");
}

#[test]
fn the_bill_of_materials_has_every_package_of_the_manifest_and_our_crates() {
    for role in ROLES {
        let read = |what: &str| {
            let text =
                std::fs::read(built(role, FIRST, &format!("onepress-{role}_{FIRST}.{what}"))).expect("read");
            serde_json::from_slice::<serde_json::Value>(&text).expect("JSON")
        };
        let (manifest, bill) = (read("manifest"), read("cdx.json"));
        let components = bill["components"].as_array().expect("components");
        let has = |name: &str| components.iter().any(|component| component["bom-ref"] == *name);
        let packages = manifest["packages"].as_array().expect("packages");
        assert!(packages.len() > 100, "{}", packages.len());
        for package in packages {
            let name = package["name"].as_str().expect("a name");
            assert!(has(&format!("deb:{name}")), "{role}: {name} is not in the bill of materials");
        }
        let quinn = components.iter().filter(|one| one["name"] == "quinn-proto").count();
        assert!(quinn >= 1 && !has("cargo:proptest"), "what is linked, and not what only tests use");
    }
}

#[test]
fn the_units_of_an_image_have_no_cycle_and_no_mistake() {
    for role in ROLES {
        let script = workspace().join("tests/tests/image/units.sh");
        let done = Command::new(script).arg(role).output().expect("units.sh");
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success(), "{role}: {said}");
        assert_eq!(said.trim(), "", "{role}");
    }
}
