//! Looking at a whole bundle: the list and its signature, which come before everything that they vouch for, and then
//! every file against the list.

use crate::contents::{Contents, NoUpdate};
use crate::signed::{self, BadSums, SIGNATURE, SUMS, Sums, hex};
use crate::tar::{self, Archive};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

/// Longest list, and longest signature: a few keys' signatures are some kilobytes.
const SIGNED_MAX: u64 = 64 << 10;
/// A piece while hashing.
const CHUNK: usize = 1 << 18;

/// What every bundle begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The list, as sha256sum writes it.
    pub sums: Vec<u8>,
    /// Its detached signature.
    pub signature: Vec<u8>,
}

/// Why a file is no bundle that anybody could put on.
#[derive(Debug, thiserror::Error)]
pub enum Bad {
    /// No tar archive, or a cut one.
    #[error(transparent)]
    Archive(#[from] tar::Bad),
    /// Something else comes first.
    #[error("it does not begin with {0}: take the file that `make bundle` made")]
    Beginning(&'static str),
    /// The list is none.
    #[error(transparent)]
    Sums(#[from] BadSums),
    /// What is listed is no update.
    #[error(transparent)]
    NoUpdate(#[from] NoUpdate),
    /// Nobody who is trusted here has signed it.
    #[error("{0}")]
    Signature(String),
    /// It is not what was listed.
    #[error("{0}: fetch it again")]
    Damaged(String),
}

impl From<io::Error> for Bad {
    fn from(error: io::Error) -> Self {
        Self::Archive(error.into())
    }
}

impl Beginning {
    /// Reads the first two members. Nothing is vouched for yet.
    ///
    /// # Errors
    /// [`Bad::Archive`], [`Bad::Beginning`].
    pub fn read<R: Read>(archive: &mut Archive<R>) -> Result<Self, Bad> {
        Ok(Self { sums: first(archive, SUMS)?, signature: first(archive, SIGNATURE)? })
    }

    /// Checks the signature with gpgv, for which both lie in `scratch` afterwards.
    ///
    /// # Errors
    /// [`Bad::Signature`]; [`Bad::Archive`] when `scratch` cannot be written.
    pub fn check(&self, keys: &Path, scratch: &Path) -> Result<(), Bad> {
        let (sums, signature) = (scratch.join(SUMS), scratch.join(SIGNATURE));
        std::fs::write(&sums, &self.sums)?;
        std::fs::write(&signature, &self.signature)?;
        let checked = signed::check(&sums, &signature, keys);
        checked.map(drop).map_err(|error| Bad::Signature(format!("{error:#}")))
    }

    /// What the list says.
    ///
    /// # Errors
    /// [`Bad::Sums`], [`Bad::NoUpdate`].
    pub fn contents(&self) -> Result<Contents, Bad> {
        Ok(Contents::of(&Sums::parse(&String::from_utf8_lossy(&self.sums))?)?)
    }
}

fn first<R: Read>(archive: &mut Archive<R>, name: &'static str) -> Result<Vec<u8>, Bad> {
    let member = archive.member()?.filter(|member| member.name == name && member.size <= SIGNED_MAX);
    let member = member.ok_or(Bad::Beginning(name))?;
    let mut bytes = Vec::new();
    archive.take(member.size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads every file that is left and compares it with the list: each is there once, and nothing else.
///
/// # Errors
/// [`Bad::Archive`], [`Bad::Damaged`].
pub fn compare<R: Read>(archive: &mut Archive<R>, contents: &Contents) -> Result<(), Bad> {
    let mut missing: BTreeMap<&str, &str> =
        contents.files.iter().map(|file| (file.name.as_str(), file.sum.as_str())).collect();
    while let Some(member) = archive.member()? {
        let name = member.name;
        let Some(listed) = missing.remove(name.as_str()) else {
            return Err(Bad::Damaged(format!("{name} is in it twice or is not in its list")));
        };
        if hash(archive)? != listed {
            return Err(Bad::Damaged(format!("{name} is not the file that was listed")));
        }
    }
    match missing.first_key_value() {
        Some((name, _)) => Err(Bad::Damaged(format!("{name} is missing"))),
        None => Ok(()),
    }
}

fn hash<R: Read>(archive: &mut Archive<R>) -> Result<String, Bad> {
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match archive.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&chunk[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::{archive, names, unsigned};

    fn look(bytes: &[u8]) -> Result<Contents, Bad> {
        let mut archive = Archive::new(bytes);
        let contents = Beginning::read(&mut archive)?.contents()?;
        compare(&mut archive, &contents)?;
        Ok(contents)
    }

    #[test]
    fn a_whole_bundle_says_its_release() {
        let bundle = unsigned("onepress-edge-x86_2.1", b"root");
        assert_eq!(look(&bundle).unwrap().release.to_string(), "onepress-edge-x86 2.1");
        let (keys, scratch) = (Path::new("/nowhere/keys.gpg"), tempfile::tempdir().unwrap());
        let beginning = Beginning::read(&mut Archive::new(&bundle[..])).unwrap();
        assert!(matches!(beginning.check(keys, scratch.path()), Err(Bad::Signature(_))));
    }

    /// A key that signs, and a list that it has signed.
    #[test]
    fn a_signature_is_good_for_the_list_that_was_signed_and_for_no_other() {
        let (home, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = |name: &str| home.path().join(name).display().to_string();
        let gpg = |arguments: &[&str]| {
            let mut gpg = std::process::Command::new("gpg");
            gpg.args(["--batch", "--quiet", "--yes", "--homedir"]).arg(home.path()).args(arguments);
            assert!(gpg.status().expect("tests/setup/trixie.sh installs gpg").success(), "{arguments:?}");
        };
        gpg(&["--passphrase", "", "--quick-gen-key", "test <test@example.org>", "ed25519", "sign", "never"]);
        gpg(&["--output", &path("keys.gpg"), "--export"]);
        let bundle = unsigned("onepress-edge-x86_2.1", b"root");
        let Beginning { sums, .. } = Beginning::read(&mut Archive::new(&bundle[..])).unwrap();
        std::fs::write(path("list"), &sums).unwrap();
        gpg(&["--output", &path("signature"), "--detach-sign", &path("list")]);
        let mut signed = Beginning { sums, signature: std::fs::read(path("signature")).unwrap() };
        let keys = home.path().join("keys.gpg");
        signed.check(&keys, scratch.path()).unwrap();
        signed.sums.push(b'\n');
        assert!(matches!(signed.check(&keys, scratch.path()), Err(Bad::Signature(_))));
    }

    #[test]
    fn what_is_no_whole_bundle_says_why() {
        let whole = unsigned("onepress-edge-x86_2", b"root");
        let at = |byte: &[u8]| whole.windows(byte.len()).rposition(|part| part == byte).unwrap();
        let mut flipped = whole.clone();
        flipped[at(b"kernel")] ^= 1;
        let more = [&whole[..whole.len() - 1_024], &archive(&[("more", b"x")])].concat();
        let list = format!("{:064}  {}\n", 1, names("onepress-edge-x86_2", &[]).join("\n"));
        let table: [(&[u8], &str); 7] = [
            (b"", "cut off"),
            (&[7; 2_000], "no tar archive"),
            (&whole[..whole.len() - 1_500], "cut off"),
            (&archive(&[("onepress.txt", b"x")]), "does not begin with SHA256SUMS"),
            (&archive(&[(SUMS, b"x"), (SIGNATURE, b"")]), "line 1"),
            (&flipped, "not the file that was listed"),
            (&more, "more is in it twice or is not in its list"),
        ];
        for (bytes, why) in table {
            let error = look(bytes).expect_err(why).to_string();
            assert!(error.contains(why), "{error}: {why}");
        }
        assert!(matches!(look(&archive(&[(SUMS, list.as_bytes()), (SIGNATURE, b"")])), Err(Bad::Sums(_))));
        assert!(matches!(look(&archive(&[(SUMS, b""), (SIGNATURE, b"")])), Err(Bad::NoUpdate(_))));
    }
}
