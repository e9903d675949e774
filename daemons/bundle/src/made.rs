//! Bundles as an image build makes them, but for a signature that counts: for tests and simulations.

use crate::signed::{SIGNATURE, SUMS, Sums, sum};
use crate::tar::{BLOCK, check_sum};

/// The partitions of every bundle here.
pub const UUID: &str = "8a3f2b1c-0d4e-4f5a-9b6c-7d8e9f0a1b2c";

/// A header as `tar --format=ustar` writes it. The name is at most 100 bytes.
pub fn head(name: &str, size: u64, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum = check_sum(&block);
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// A whole archive of these files.
pub fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, body) in members {
        bytes.extend(head(name, body.len() as u64, b'0'));
        bytes.extend(*body);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

/// The files of an update, `release` being profile and version with `_` between.
pub fn names(release: &str, ends: &[&str]) -> Vec<String> {
    let mut names: Vec<_> =
        ["root", "verity"].iter().map(|part| format!("{release}_{UUID}.{part}.raw.xz")).collect();
    names.extend(ends.iter().map(|end| format!("{release}{end}")));
    names
}

/// The list of files of these names, all with one sum.
///
/// # Panics
/// When a name is there twice.
pub fn listed(names: &[String]) -> Sums {
    let lines: String = names.iter().map(|name| format!("{:064}  {name}\n", 1)).collect();
    Sums::parse(&lines).expect("names of files, each once")
}

/// A bundle whose root file system is `root`: whole and in order, with a signature that nobody has made.
///
/// # Panics
/// Never: bytes in memory can be read.
pub fn unsigned(release: &str, root: &[u8]) -> Vec<u8> {
    let names = names(release, &[".efi", ".boot.tar"]);
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .zip([root, b"verity", b"kernel", b"boot"])
        .map(|(name, bytes)| (name.as_str(), bytes))
        .collect();
    let line = |(name, bytes): &(&str, &[u8])| format!("{}  {name}\n", sum(*bytes).expect("in memory"));
    let sums: String = files.iter().map(line).collect();
    let signed = [(SUMS, sums.as_bytes()), (SIGNATURE, &b"no signature"[..])];
    archive(&signed.into_iter().chain(files).collect::<Vec<_>>())
}
