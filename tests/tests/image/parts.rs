//! Disks as files: their partitions, and what is in them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A partition, in bytes.
pub(crate) struct Part {
    pub name: String,
    pub start: u64,
    pub size: u64,
}

impl Part {
    /// A file that holds what a partition would.
    pub(crate) fn alone(file: &Path) -> Self {
        Self { name: String::new(), start: 0, size: file.metadata().expect("a file").len() }
    }

    /// How mtools call it.
    pub(crate) fn volume(&self, disk: &Path) -> String {
        format!("{}@@{}", disk.display(), self.start)
    }
}

/// All of a disk; none where its table cannot be read.
pub(crate) fn parts(disk: &Path) -> Option<Vec<Part>> {
    let table = run(Command::new("sfdisk").arg("--json").arg(disk));
    let table: serde_json::Value = serde_json::from_slice(&table.stdout).ok()?;
    let parts = table["partitiontable"]["partitions"].as_array()?.iter();
    let bytes = |value: &serde_json::Value| value.as_u64().map(|sectors| sectors * 512);
    parts
        .map(|part| {
            let name = part["name"].as_str().unwrap_or_default().to_owned();
            Some(Part { name, start: bytes(&part["start"])?, size: bytes(&part["size"])? })
        })
        .collect()
}

/// The one with this name, on a disk that has it.
pub(crate) fn part(disk: &Path, name: &str) -> Part {
    let all = parts(disk).unwrap_or_else(|| panic!("{} has no partition table", disk.display()));
    let found = all.into_iter().find(|part| part.name == name);
    found.unwrap_or_else(|| panic!("{} has no partition {name}", disk.display()))
}

/// Whether the content of two partitions is the same, as far as the first goes.
pub(crate) fn same(one: &Path, of_one: &Part, other: &Path, of_other: &Part) -> bool {
    let (one, other) = (File::open(one).expect("opened"), File::open(other).expect("opened"));
    let (mut mine, mut theirs) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    (0..of_one.size).step_by(mine.len()).all(|at| {
        let long = mine.len().min(usize::try_from(of_one.size - at).expect("small"));
        one.read_exact_at(&mut mine[..long], of_one.start + at).expect("read");
        other.read_exact_at(&mut theirs[..long], of_other.start + at).expect("read");
        mine[..long] == theirs[..long]
    })
}

/// Runs one of the tools that look at disks.
pub(crate) fn run(command: &mut Command) -> Output {
    command.output().expect("tests/setup/image.sh")
}

/// A disk of this size, whose first part is an image; the image itself is not touched.
pub(crate) fn disk(dir: &Path, name: &str, image: Option<&Path>, size: u64) -> PathBuf {
    let path = dir.join(name);
    match image {
        Some(image) => {
            copy(image, &path, size);
            without_keys(&path);
        }
        None => File::create(&path).and_then(|file| file.set_len(size)).expect("a disk"),
    }
    path
}

/// A copy that takes no more of the disk than what it copies, and is `size` long if that is more.
pub(crate) fn copy(from: &Path, to: &Path, size: u64) {
    let copied = Command::new("cp").args(["--sparse=always", "--dereference"]).arg(from).arg(to).status();
    assert!(copied.expect("cp").success(), "copying {}", from.display());
    let file = File::options().write(true).open(to).expect("the copy");
    let long = file.metadata().expect("its length").len();
    file.set_len(size.max(long)).expect("room for a disk");
}

/// Takes the keys off that a virtual machine's firmware would enrol: under Secure Boot the kernel hears nothing from
/// the laboratory.
pub(crate) fn without_keys(disk: &Path) {
    let at = part(disk, "esp").volume(disk);
    let done = Command::new("mdeltree").args(["-i", &at, "::/loader/keys"]).status();
    assert!(done.expect("mtools").success(), "no keys on {}", disk.display());
}

/// A FAT file system with these files, as on a stick.
pub(crate) fn media(dir: &Path, files: &[&Path]) -> PathBuf {
    let path = dir.join("media.raw");
    let long: u64 = files.iter().map(|file| file.metadata().expect("a file").len()).sum();
    File::create(&path).and_then(|file| file.set_len(long + (64 << 20))).expect("a medium");
    let made = Command::new("mkfs.vfat").args(["-F", "32"]).arg(&path).output().expect("dosfstools");
    assert!(made.status.success(), "{made:?}");
    let copied = Command::new("mcopy").arg("-i").arg(&path).args(files).arg("::").status();
    assert!(copied.expect("mtools").success());
    path
}
