//! Where the key is kept, and how it comes out.

use super::creds::{Vault, With};
use anyhow::{Context, ensure};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Length of the key in bytes.
pub const LENGTH: usize = 32;

/// The folder of the sealed key, `/var/lib/onepress/seal`.
pub struct Kept(PathBuf);

/// The key.
#[derive(Debug, PartialEq, Eq)]
pub struct Unlocked {
    /// What the daemons' keys are sealed with.
    pub key: [u8; LENGTH],
    /// What it is bound to itself.
    pub with: With,
    /// For the log: what was not as it should be, though the key is there.
    pub told: Option<String>,
}

/// A key that is there and does not come out.
#[derive(Debug, thiserror::Error)]
#[error(
    "{path} cannot be unsealed ({why}): this is not the TPM or not the disk that it was sealed with. What the daemons \
     keep sealed stays closed until it is; presses are taken and kept. Put the old board back; or, if you have its \
     recovery key, `onepress seal --restore -`; else `onepress seal --new` and enrol this machine again with new tickets"
)]
pub struct Lost {
    /// Which file.
    path: String,
    /// Why not.
    why: String,
}

impl Kept {
    /// In this folder, which is made where it is not there.
    pub fn below(folder: PathBuf) -> Self {
        Self(folder)
    }

    fn path(&self, with: With) -> PathBuf {
        self.0.join(format!("key.{}", with.word()))
    }

    /// Whether there is a key, opened or not.
    pub fn is_there(&self) -> bool {
        [With::Tpm, With::Host].iter().any(|with| self.path(*with).exists())
    }

    /// Unseals the key, or makes one where there has been none. One that was made without a TPM is bound to the TPM that
    /// has come.
    ///
    /// # Errors
    /// [`Lost`] for a key that does not come out; else why none could be made.
    pub fn unlock(
        &self,
        vault: &impl Vault,
        fresh: impl FnOnce() -> [u8; LENGTH],
    ) -> anyhow::Result<Unlocked> {
        let mut lost = None;
        for with in [With::Tpm, With::Host] {
            let path = self.path(with);
            if !path.exists() {
                continue;
            }
            match read(vault, &path) {
                Ok(key) => return Ok(self.bound(vault, key, with)),
                Err(error) => {
                    let why = format!("{error:#}");
                    lost.get_or_insert(Lost { path: path.display().to_string(), why });
                }
            }
        }
        match lost {
            Some(lost) => Err(lost.into()),
            None => self.put(vault, &fresh()),
        }
    }

    fn bound(&self, vault: &impl Vault, key: [u8; LENGTH], with: With) -> Unlocked {
        if with == With::Tpm || !vault.has_tpm() {
            return Unlocked { key, with, told: None };
        }
        match self.put(vault, &key) {
            Ok(bound) => bound,
            Err(error) => Unlocked { key, with, told: Some(format!("{error:#}")) },
        }
    }

    /// Keeps this key: bound to the TPM, or to the disk alone where there is none or it does not work.
    ///
    /// # Errors
    /// When neither can be done; what was kept before is kept still.
    pub fn put(&self, vault: &impl Vault, key: &[u8; LENGTH]) -> anyhow::Result<Unlocked> {
        let mut told = None;
        if vault.has_tpm() {
            match self.write(vault, With::Tpm, key) {
                Ok(()) => {
                    forget(&self.path(With::Host))?;
                    return Ok(Unlocked { key: *key, with: With::Tpm, told });
                }
                Err(error) => told = Some(format!("the TPM does not seal: {error:#}")),
            }
        }
        self.write(vault, With::Host, key)?;
        forget(&self.path(With::Tpm))?;
        Ok(Unlocked { key: *key, with: With::Host, told })
    }

    /// In its place only when it has come out again.
    fn write(&self, vault: &impl Vault, with: With, key: &[u8; LENGTH]) -> anyhow::Result<()> {
        let (path, draft) = (self.path(with), self.0.join("key.new"));
        let put = || -> std::io::Result<()> {
            fs::create_dir_all(&self.0)?;
            let sealed = vault.seal(with, key).map_err(std::io::Error::other)?;
            save(&draft, &sealed)
        };
        put().with_context(|| format!("writing {}", draft.display()))?;
        ensure!(read(vault, &draft)? == *key, "what was sealed came out otherwise");
        fs::rename(&draft, &path).and_then(|()| File::open(&self.0)?.sync_all())?;
        Ok(())
    }
}

fn read(vault: &impl Vault, path: &Path) -> anyhow::Result<[u8; LENGTH]> {
    let key = vault.unseal(path)?;
    key.try_into().map_err(|key: Vec<u8>| anyhow::anyhow!("it holds {} bytes, not {LENGTH}", key.len()))
}

fn save(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn forget(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine: what it seals is its number, what with, and the secret.
    #[derive(Clone, Copy)]
    struct Played {
        tpm: Option<u8>,
        disk: u8,
        works: bool,
    }

    impl Vault for Played {
        fn has_tpm(&self) -> bool {
            self.tpm.is_some()
        }

        fn seal(&self, with: With, secret: &[u8]) -> anyhow::Result<Vec<u8>> {
            ensure!(with == With::Host || self.works, "the TPM is broken");
            let tpm = if with == With::Tpm { self.tpm.context("no TPM")? } else { 0 };
            Ok([&[self.disk, tpm], secret].concat())
        }

        fn unseal(&self, credential: &Path) -> anyhow::Result<Vec<u8>> {
            let sealed = fs::read(credential)?;
            let mine = sealed[0] == self.disk && (sealed[1] == 0 || Some(sealed[1]) == self.tpm);
            ensure!(mine, "sealed elsewhere");
            Ok(sealed[2..].to_vec())
        }
    }

    const WITH: Played = Played { tpm: Some(1), disk: 1, works: true };
    const WITHOUT: Played = Played { tpm: None, disk: 1, works: true };

    fn unlocked(with: With) -> Unlocked {
        Unlocked { key: [7; LENGTH], with, told: None }
    }

    fn never() -> [u8; LENGTH] {
        panic!("there is a key already")
    }

    #[test]
    fn a_key_is_made_once_and_comes_out_at_every_start() {
        for (vault, with) in [(WITH, With::Tpm), (WITHOUT, With::Host)] {
            let dir = tempfile::tempdir().unwrap();
            let kept = Kept::below(dir.path().join("seal"));
            assert!(!kept.is_there());
            assert_eq!(kept.unlock(&vault, || [7; LENGTH]).unwrap(), unlocked(with));
            assert_eq!(kept.unlock(&vault, never).unwrap(), unlocked(with));
            assert!(kept.is_there());
        }
    }

    #[test]
    fn a_tpm_that_comes_later_is_used_from_then_on() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::below(dir.path().into());
        kept.unlock(&WITHOUT, || [7; LENGTH]).unwrap();
        assert_eq!(kept.unlock(&WITH, never).unwrap(), unlocked(With::Tpm));
        assert!(!dir.path().join("key.host").exists());
        assert!(kept.unlock(&WITHOUT, never).unwrap_err().is::<Lost>());
    }

    #[test]
    fn a_tpm_that_does_not_work_is_told_and_done_without() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::below(dir.path().into());
        let broken = Played { works: false, ..WITH };
        let there = kept.unlock(&broken, || [7; LENGTH]).unwrap();
        assert_eq!((there.with, there.key), (With::Host, [7; LENGTH]));
        assert!(there.told.unwrap().contains("the TPM is broken"));
    }

    #[test]
    fn another_tpm_or_disk_loses_the_key_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::below(dir.path().into());
        kept.unlock(&WITH, || [7; LENGTH]).unwrap();
        for other in [Played { tpm: Some(2), ..WITH }, Played { disk: 2, ..WITH }, WITHOUT] {
            let error = kept.unlock(&other, never).unwrap_err();
            assert!(error.is::<Lost>(), "{error:#}");
            let told = error.to_string();
            assert!(told.contains("key.host+tpm2") && told.contains("sealed elsewhere"), "{told}");
            assert!(told.contains("--restore") && told.contains("new tickets"), "{told}");
        }
        assert_eq!(kept.unlock(&WITH, never).unwrap(), unlocked(With::Tpm), "the old board is back");
    }

    #[test]
    fn a_key_put_on_another_board_is_bound_to_that() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::below(dir.path().into());
        kept.unlock(&WITH, || [7; LENGTH]).unwrap();
        let other = Played { tpm: Some(2), ..WITH };
        kept.put(&other, &[7; LENGTH]).unwrap();
        assert_eq!(kept.unlock(&other, never).unwrap(), unlocked(With::Tpm));
        assert!(kept.unlock(&WITH, never).is_err());
    }
}
