//! An update bundle: one tar archive that begins with `SHA256SUMS` and `SHA256SUMS.gpg` and goes on with exactly the files
//! listed there. It is read once, from its beginning to its end; nothing is taken from it before its signature is good,
//! and nothing is left of it when it ends otherwise than it promised.

use super::contents::Contents;
use super::failure::Failure;
use super::tar::{self, Archive, Member};
use crate::flash::readable;
use crate::signed::{self, SIGNATURE, SUMS, hex};
use ::bundle::look::{Bad, Beginning};
use anyhow::Context;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// Largest file: twice the slot of a root file system, unpacked.
const MEMBER_MAX: u64 = 1 << 30;
/// What stays free while an update lies unpacked: presses and faults go on being spooled there.
const RESERVE: u64 = 64 << 20;
/// A piece while unpacking.
const CHUNK: usize = 1 << 18;

/// A bundle whose signature is good, and of which no file has been read yet.
pub struct Bundle {
    archive: Archive<BufReader<File>>,
    /// Bytes of the whole file.
    pub length: u64,
    /// What it holds.
    pub contents: Contents,
}

impl Bundle {
    /// Checks the signature. The list and its signature are written into `scratch`, where gpgv reads them and
    /// systemd-sysupdate does later.
    ///
    /// # Errors
    /// [`Failure`] when the bundle is to blame.
    pub fn open(path: &Path, keys: &Path, scratch: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("the bundle {}", path.display()))?;
        let length = file.metadata()?.len();
        let mut archive = Archive::new(BufReader::with_capacity(CHUNK, file));
        let beginning = Beginning::read(&mut archive).map_err(|bad| match bad {
            Bad::Archive(bad) => Failure::Archive(bad),
            bad @ (Bad::Beginning(_)
            | Bad::Sums(_)
            | Bad::NoUpdate(_)
            | Bad::Signature(_)
            | Bad::Damaged(_)) => Failure::Signature(bad.to_string()),
        })?;
        for (name, bytes) in [(SUMS, &beginning.sums), (SIGNATURE, &beginning.signature)] {
            fs::write(scratch.join(name), bytes).map_err(|error| space_or(error, name))?;
        }
        let sums = signed::check(&scratch.join(SUMS), &scratch.join(SIGNATURE), keys);
        let sums = sums.map_err(|error| Failure::Signature(format!("{error:#}")))?;
        let contents = Contents::of(&sums).map_err(Failure::NoUpdate)?;
        Ok(Self { archive, length, contents })
    }

    /// Reads the rest and checks every sum, and writes every file into `folder` if there is one.
    ///
    /// # Errors
    /// [`Failure`] when the bundle or the disk is to blame.
    pub fn unpack(mut self, folder: Option<&Path>) -> anyhow::Result<Contents> {
        if let Some(folder) = folder {
            room(folder, self.length)?;
        }
        let mut missing: BTreeSet<String> =
            self.contents.files.iter().map(|file| file.name.clone()).collect();
        while let Some(member) = self.archive.member().map_err(Failure::Archive)? {
            if !missing.remove(&member.name) {
                return Err(
                    Failure::Damaged(format!("{} is in it twice or was not signed", member.name)).into()
                );
            }
            self.take(&member, folder)?;
        }
        match missing.first() {
            Some(name) => Err(Failure::Damaged(format!("{name} is missing")).into()),
            None => Ok(self.contents),
        }
    }

    fn take(&mut self, member: &Member, folder: Option<&Path>) -> anyhow::Result<()> {
        let name = &member.name;
        if member.size > MEMBER_MAX {
            return Err(Failure::Damaged(format!("{name} is larger than {}", readable(MEMBER_MAX))).into());
        }
        let mut out = match folder {
            Some(folder) => Some(File::create_new(folder.join(name)).map_err(|error| space_or(error, name))?),
            None => None,
        };
        let (mut sum, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
        loop {
            let count = self.archive.read(&mut chunk).map_err(tar::Bad::from).map_err(Failure::Archive)?;
            if count == 0 {
                break;
            }
            sum.update(&chunk[..count]);
            if let Some(out) = &mut out {
                out.write_all(&chunk[..count]).map_err(|error| space_or(error, name))?;
            }
        }
        let signed = self.contents.files.iter().find(|file| file.name == *name).map(|file| file.sum.as_str());
        if signed != Some(hex(&sum.finalize()).as_str()) {
            return Err(Failure::Damaged(format!("{name} is not the file that was signed")).into());
        }
        Ok(())
    }
}

/// There is room for so much beside what presses may need.
fn room(folder: &Path, bytes: u64) -> anyhow::Result<()> {
    let disk =
        rustix::fs::statvfs(folder).with_context(|| format!("asking for space at {}", folder.display()))?;
    let free = disk.f_bavail * disk.f_frsize;
    if free < bytes + RESERVE {
        let need = format!("{} are free, {} are needed", readable(free), readable(bytes + RESERVE));
        return Err(Failure::NoSpace(format!("{need} at {}", folder.display())).into());
    }
    Ok(())
}

fn space_or(error: io::Error, name: &str) -> anyhow::Error {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Failure::NoSpace(format!("the disk filled while {name} was unpacked")).into();
    }
    anyhow::Error::from(error).context(format!("unpacking {name}"))
}

/// A folder that is empty at first, and gone at the end, whatever the end is. One that a power cut left is emptied.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(path: &Path) -> anyhow::Result<Self> {
        if path.exists() {
            fs::remove_dir_all(path).with_context(|| format!("emptying {}", path.display()))?;
        }
        fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Where.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
