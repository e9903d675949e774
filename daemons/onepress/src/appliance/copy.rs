//! Whether what was written is what was meant: devices and folders, byte for byte.

use anyhow::{Context, ensure};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Read at once; large enough that a disk streams.
const PIECE: usize = 4 << 20;

/// The first bytes of `copy` are all of `original`. Tells how many.
///
/// # Errors
/// Where they differ, or what cannot be read.
pub fn same(original: &Path, copy: &Path) -> anyhow::Result<u64> {
    let mut one = File::open(original).with_context(|| format!("opening {}", original.display()))?;
    let mut other = File::open(copy).with_context(|| format!("opening {}", copy.display()))?;
    let (mut left, mut right) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    loop {
        let count = fill(&mut one, &mut left).with_context(|| format!("reading {}", original.display()))?;
        if count == 0 {
            return Ok(at);
        }
        let found =
            fill(&mut other, &mut right[..count]).with_context(|| format!("reading {}", copy.display()))?;
        let differs = (0..count).find(|place| *place >= found || left[*place] != right[*place]);
        if let Some(place) = differs {
            anyhow::bail!(
                "{} reads back otherwise than it was written, from byte {}",
                copy.display(),
                at + place as u64
            );
        }
        at += count as u64;
    }
}

/// Each file below `original` is below `copy` too, with the same content; but for those that `left_out` names.
///
/// # Errors
/// The first that is not.
pub fn same_tree(original: &Path, copy: &Path, left_out: &[&str]) -> anyhow::Result<()> {
    for entry in fs::read_dir(original).with_context(|| format!("reading {}", original.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), copy.join(entry.file_name()));
        if left_out.iter().any(|left| from.ends_with(left)) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            same_tree(&from, &to, left_out)?;
        } else {
            let length = same(&from, &to)?;
            ensure!(fs::metadata(&to)?.len() == length, "{} is longer than it was written", to.display());
        }
    }
    Ok(())
}

fn fill(from: &mut File, into: &mut [u8]) -> std::io::Result<usize> {
    let mut count = 0;
    while count < into.len() {
        match from.read(&mut into[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_flipped_byte_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        let mut bytes = vec![7; PIECE + 100];
        fs::write(&one, &bytes).unwrap();
        bytes.extend_from_slice(b"more room on a disk than was written");
        fs::write(&other, &bytes).unwrap();
        assert_eq!(same(&one, &other).unwrap(), PIECE as u64 + 100);
        bytes[PIECE + 50] ^= 1;
        fs::write(&other, &bytes).unwrap();
        let error = same(&one, &other).unwrap_err().to_string();
        assert!(error.contains(&format!("from byte {}", PIECE + 50)), "{error}");
        fs::write(&other, &bytes[..50]).unwrap();
        assert!(same(&one, &other).unwrap_err().to_string().contains("from byte 50"));
    }

    #[test]
    fn a_tree_with_a_file_missing_changed_or_longer_is_not_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        for root in [&one, &other] {
            fs::create_dir_all(root.join("EFI/Linux")).unwrap();
            fs::write(root.join("EFI/Linux/a.efi"), "kernel").unwrap();
        }
        fs::create_dir_all(one.join("loader/addons")).unwrap();
        assert!(same_tree(&one, &other, &["loader"]).is_ok());
        fs::write(other.join("EFI/Linux/a.efi"), "kernel and more").unwrap();
        assert!(same_tree(&one, &other, &["loader"]).unwrap_err().to_string().contains("longer"));
        fs::remove_file(other.join("EFI/Linux/a.efi")).unwrap();
        assert!(same_tree(&one, &other, &["loader"]).is_err());
    }
}
