//! `SHA256SUMS` and its signature `SHA256SUMS.gpg`: what an image, an update and systemd-sysupdate are all checked
//! against. What the listed files are does not belong here.

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

/// The list.
pub const SUMS: &str = "SHA256SUMS";
/// Its detached signature.
pub const SIGNATURE: &str = "SHA256SUMS.gpg";
/// Where packages put the public keys that sign images and updates.
pub const KEYS: &str = "/usr/share/onepress/image-keys.gpg";
/// Most lines: a release of every profile has some dozen files.
const LINES_MAX: usize = 256;
/// A chunk while hashing.
const CHUNK: usize = 1 << 20;
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// The files that somebody has signed, by name, with the SHA-256 of each in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    files: Vec<(String, String)>,
}

/// Why a list is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSums {
    /// A line that sha256sum does not write.
    #[error("line {0} of SHA256SUMS is no sum and file name")]
    Line(usize),
    /// One name with two sums.
    #[error("SHA256SUMS lists {0} twice")]
    Twice(String),
    /// Above its limit.
    #[error("SHA256SUMS has more than {LINES_MAX} lines")]
    Long,
}

impl Sums {
    /// Reads the list as sha256sum writes it.
    ///
    /// # Errors
    /// The line that is wrong.
    pub fn parse(text: &str) -> Result<Self, BadSums> {
        let mut files: Vec<(String, String)> = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (sum, name) = entry(line).ok_or(BadSums::Line(number + 1))?;
            if files.iter().any(|(known, _)| known == name) {
                return Err(BadSums::Twice(name.to_owned()));
            }
            if files.len() == LINES_MAX {
                return Err(BadSums::Long);
            }
            files.push((name.to_owned(), sum.to_ascii_lowercase()));
        }
        Ok(Self { files })
    }

    /// The sum of a file; `None` when nobody has signed it.
    pub fn of(&self, name: &str) -> Option<&str> {
        self.files.iter().find(|(known, _)| known == name).map(|(_, sum)| sum.as_str())
    }

    /// All names, in the list's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }
}

fn entry(line: &str) -> Option<(&str, &str)> {
    let (sum, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*']).unwrap_or(name);
    let good = sum.len() == DIGITS && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    (good && !name.is_empty() && !name.starts_with(char::is_whitespace)).then_some((sum, name))
}

/// Checks the signature of the file `sums` with gpgv, and reads it.
///
/// # Errors
/// What is missing, what gpgv says, or the line that is wrong.
pub fn check(sums: &Path, signature: &Path, keys: &Path) -> anyhow::Result<Sums> {
    for file in [sums, signature] {
        ensure!(file.exists(), "{} is missing: put it beside the image", file.display());
    }
    ensure!(keys.exists(), "{} is missing: give the keys that sign images with --keys", keys.display());
    // gpgv looks for a name without a slash in a home folder.
    let keys = keys.canonicalize()?;
    let checked = Command::new("gpgv").arg("--keyring").arg(keys).arg(signature).arg(sums).output();
    let checked = checked.context("starting gpgv, which checks signatures: install it")?;
    if !checked.status.success() {
        let said = String::from_utf8_lossy(&checked.stderr);
        bail!("the signature of {} is not good: {}", sums.display(), said.trim());
    }
    Ok(Sums::parse(&std::fs::read_to_string(sums)?)?)
}

/// The SHA-256 of all that can be read, in lower-case hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sum(mut from: impl Read) -> io::Result<String> {
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match from.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&chunk[..count]),
        }
    }
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";

    #[test]
    fn sums_are_read_as_sha256sum_writes_them() {
        let sums = Sums::parse(&format!("{SUM}  a.raw\n{SUM} *b.raw.xz\n")).unwrap();
        assert_eq!(sums.of("a.raw"), Some(SUM.to_ascii_lowercase().as_str()));
        assert_eq!(sums.names().collect::<Vec<_>>(), ["a.raw", "b.raw.xz"]);
        assert_eq!(sums.of("c.raw"), None);
    }

    #[test]
    fn a_list_that_is_none_is_refused_by_its_line() {
        let table = [
            ("ab01  a.raw".to_owned(), BadSums::Line(1)),
            (format!("{SUM}  a\n{SUM}"), BadSums::Line(2)),
            (format!("{SUM}   a"), BadSums::Line(1)),
            (format!("{SUM}  a\n{SUM} *a"), BadSums::Twice("a".into())),
            ((0..=LINES_MAX).map(|n| format!("{SUM}  {n}\n")).collect(), BadSums::Long),
        ];
        for (text, error) in table {
            assert_eq!(Sums::parse(&text), Err(error));
        }
    }

    #[test]
    fn a_sum_is_that_of_sha256sum() {
        assert_eq!(sum(&b""[..]).unwrap(), SUM.to_ascii_lowercase());
    }
}
