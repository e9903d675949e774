//! The members of a tar archive, one after the other, from anything that can be read: plain files without folders, as
//! `tar --format=ustar` and GNU tar write short names. All else an archive may hold (links, devices, folders, long
//! names) has no place in an update and is refused.
//!
//! POSIX.1-2017, pax, "ustar Interchange Format".

use std::io::{self, Read};

/// Of headers and of padding.
pub const BLOCK: usize = 512;

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// A file name: letters, digits and `._+-`, and no dot at its beginning.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// Why an archive cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum Bad {
    /// It ends within a member or without its end mark.
    #[error("the file is cut off: fetch it again")]
    Truncated,
    /// A header with a wrong check sum.
    #[error("the file is no tar archive, or damaged: fetch it again")]
    Header,
    /// Not a plain file.
    #[error("it holds {0:?}, which is not a plain file")]
    Kind(String),
    /// A name that could lead elsewhere, or that no tool of ours writes.
    #[error("it holds a file with the unusual name {0:?}")]
    Name(String),
    /// The disk below.
    #[error(transparent)]
    Read(io::Error),
}

impl From<io::Error> for Bad {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Truncated } else { Self::Read(error) }
    }
}

/// An archive that is read from its beginning to its end.
pub struct Archive<R> {
    from: R,
    /// Bytes of the current member, then of its padding, that have not been read.
    left: u64,
    padding: u64,
}

impl<R: Read> Archive<R> {
    /// Begins.
    pub fn new(from: R) -> Self {
        Self { from, left: 0, padding: 0 }
    }

    /// The next member, past what was not read of the one before; `None` at the end mark.
    ///
    /// # Errors
    /// Why there is no more to be had.
    pub fn member(&mut self) -> Result<Option<Member>, Bad> {
        let rest = self.left + self.padding;
        if io::copy(&mut (&mut self.from).take(rest), &mut io::sink())? < rest {
            return Err(Bad::Truncated);
        }
        (self.left, self.padding) = (0, 0);
        let mut block = [0; BLOCK];
        self.from.read_exact(&mut block)?;
        let member = header(&block)?;
        if let Some(member) = &member {
            self.left = member.size;
            self.padding = member.size.next_multiple_of(BLOCK as u64) - member.size;
        }
        Ok(member)
    }
}

/// The current member's bytes. An archive that is cut off is an error, not an early end.
impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let count = self.from.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Reads a header; `None` for an end mark.
fn header(block: &[u8; BLOCK]) -> Result<Option<Member>, Bad> {
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    if &block[257..262] != b"ustar" || octal(&block[148..156]) != Some(check_sum(block)) {
        return Err(Bad::Header);
    }
    let text = |field: &[u8]| String::from_utf8_lossy(until_nul(field)).into_owned();
    let name = text(&block[..100]);
    if !matches!(block[156], b'0' | 0) {
        return Err(Bad::Kind(name));
    }
    // A prefix is a folder, and GNU's old headers keep times there.
    let folder = &block[257..263] == b"ustar\0" && block[345] != 0;
    if folder || !plain(&name) {
        return Err(Bad::Name(name));
    }
    let size = octal(&block[124..136]).ok_or(Bad::Header)?;
    Ok(Some(Member { name, size }))
}

/// The sum of all bytes, those of the sum itself taken as blanks.
pub(crate) fn check_sum(block: &[u8; BLOCK]) -> u64 {
    let of = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    of(&block[..148]) + 8 * u64::from(b' ') + of(&block[156..])
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(until_nul(field)).ok()?.trim();
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| u64::from_str_radix(text, 8).ok())
        .flatten()
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A name that cannot lead out of a folder or be taken for an option.
pub fn plain(name: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    !name.is_empty() && !name.starts_with(['.', '-']) && name.bytes().all(usual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::{archive, head};
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Bad> {
        let (mut archive, mut found) = (Archive::new(bytes), Vec::new());
        while let Some(member) = archive.member()? {
            let mut body = Vec::new();
            archive.read_to_end(&mut body)?;
            assert_eq!(body.len() as u64, member.size);
            found.push((member.name, body));
        }
        Ok(found)
    }

    #[test]
    fn what_tar_writes_is_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.txt"), "one\n").unwrap();
        std::fs::write(folder.path().join("b"), vec![7; 1_300]).unwrap();
        for format in ["ustar", "gnu", "v7"] {
            let mut tar = std::process::Command::new("tar");
            tar.arg(format!("--format={format}")).args(["-cf", "-", "a.txt", "b"]).current_dir(folder.path());
            let found = read(&tar.output().unwrap().stdout);
            if format == "v7" {
                assert!(matches!(found, Err(Bad::Header)), "older than names of 100 bytes are safe in");
                continue;
            }
            assert_eq!(found.unwrap(), [("a.txt".into(), b"one\n".to_vec()), ("b".into(), vec![7; 1_300])]);
        }
    }

    #[test]
    fn what_is_no_plain_file_is_refused_by_name() {
        let refused = |block: [u8; BLOCK]| read(&block).unwrap_err().to_string();
        for kind in *b"123456789xgLK" {
            assert!(refused(head("a", 0, kind)).contains("\"a\""));
        }
        for name in ["../a", "/a", "a/b", ".a", "-a", "a b", "ä", ""] {
            assert!(refused(head(name, 0, b'0')).contains("unusual name"), "{name:?}");
        }
        let mut prefixed = head("a", 0, b'0');
        prefixed[345] = b'x';
        let sum = check_sum(&prefixed);
        prefixed[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(refused(prefixed).contains("unusual name"));
    }

    #[test]
    fn an_archive_cut_off_anywhere_says_so() {
        let whole = archive(&[("a", b"one"), ("b", &[1; 600])]);
        for length in 0..whole.len() - 2 * BLOCK {
            assert!(matches!(read(&whole[..length]), Err(Bad::Truncated)), "{length}");
        }
    }

    proptest! {
        #[test]
        fn members_come_back_as_they_were_put(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_100), 0..4),
        ) {
            let names: Vec<_> = (0..bodies.len()).map(|at| format!("m{at}")).collect();
            let members: Vec<_> = names.iter().map(String::as_str).zip(bodies.iter().map(Vec::as_slice)).collect();
            let found = read(&archive(&members)).unwrap();
            prop_assert_eq!(found, names.iter().cloned().zip(bodies.clone()).collect::<Vec<_>>());
        }

        #[test]
        fn a_flipped_bit_of_a_header_is_found(at in 0usize..BLOCK, bit in 0u8..8) {
            let mut bytes = archive(&[("member", b"body")]);
            bytes[at] ^= 1 << bit;
            match read(&bytes) {
                Err(_) => {}
                // Only the blanks and zeros after the check sum's digits count for nothing.
                Ok(found) => prop_assert!((148..156).contains(&at) && found[0].0 == "member"),
            }
        }
    }
}
