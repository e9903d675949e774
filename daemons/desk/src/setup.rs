//! The first account: made with a one-time code that is shown on the rack's own screen, in its log and in a file
//! that only the rack's administrator can read. There is no default password.

use crate::random;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Wrong codes before a new one is made.
const TRIES: u32 = 5;
/// Letters that nobody mistakes for another.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const LENGTH: usize = 12;

/// The code, while there is no account.
#[derive(Debug)]
pub(crate) struct Setup {
    state: Mutex<Option<(String, u32)>>,
    file: PathBuf,
}

impl Setup {
    /// Makes a code when there is no account yet.
    pub(crate) fn new(needed: bool, state_dir: &Path) -> Self {
        let setup = Self { state: Mutex::new(None), file: state_dir.join("setup-code") };
        if needed {
            setup.renew();
        } else {
            setup.end();
        }
        setup
    }

    pub(crate) fn is_needed(&self) -> bool {
        self.lock().is_some()
    }

    /// Whether this is the code. After [`TRIES`] wrong ones there is a new code.
    pub(crate) fn try_code(&self, given: &str) -> bool {
        let plain =
            |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
        let worn_out = {
            let mut state = self.lock();
            let Some((code, tries)) = state.as_mut() else { return false };
            if plain(code) == plain(given) {
                return true;
            }
            *tries += 1;
            *tries >= TRIES
        };
        if worn_out {
            self.renew();
        }
        false
    }

    /// The first account exists.
    pub(crate) fn end(&self) {
        *self.lock() = None;
        let _ = fs::remove_file(&self.file);
    }

    fn renew(&self) {
        let code = make();
        tracing::warn!(%code, file = %self.file.display(), "no account yet: make the first one in the console with this code");
        if let Err(error) = write(&self.file, &code) {
            tracing::warn!(%error, "the code could not be written to its file");
        }
        *self.lock() = Some((code, 0));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(String, u32)>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make() -> String {
    let letters =
        random::bytes::<LENGTH>().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

fn write(file: &Path, code: &str) -> std::io::Result<()> {
    let _ = fs::remove_file(file);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(file, "{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(setup: &Setup) -> String {
        fs::read_to_string(&setup.file).unwrap().trim().to_owned()
    }

    #[test]
    fn the_code_works_however_it_is_typed_and_wears_out() {
        let dir = tempfile::tempdir().unwrap();
        let setup = Setup::new(true, dir.path());
        let first = code(&setup);
        assert_eq!(first.len(), 14);
        assert!(setup.try_code(&first.to_lowercase().replace('-', " ")));
        (0..TRIES).for_each(|_| assert!(!setup.try_code("AAAA-AAAA-AAAA")));
        assert!(!setup.try_code(&first), "a guessed-at code is replaced");
        assert!(setup.try_code(&code(&setup)));
        setup.end();
        assert!(!setup.is_needed() && !setup.file.exists());
    }
}
