//! What the fuzz targets share: how bytes become a story, and what every configuration owes its reader.

use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::io::{Seek, Write};
use std::time::Duration;
use tempfile::NamedTempFile;

/// One step of a story: what to do, and with which bytes.
pub type Step<'a> = (u8, &'a [u8]);

/// Longest number that a step's bytes tell, so that a story spans hours and not ages.
const NUMBER_BYTES: usize = 3;

/// Cuts bytes into steps: what, how many bytes, the bytes. The last step takes what is left.
pub fn steps(mut bytes: &[u8]) -> impl Iterator<Item = Step<'_>> {
    std::iter::from_fn(move || {
        let (&[what, length], rest) = bytes.split_first_chunk()?;
        let (own, rest) = rest.split_at(rest.len().min(length.into()));
        bytes = rest;
        Some((what, own))
    })
}

/// The number that a step's first bytes tell, big endian.
pub fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(NUMBER_BYTES).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The time that a step's bytes tell: milliseconds, up to some hours.
pub fn span(bytes: &[u8]) -> Duration {
    Duration::from_millis(number(bytes))
}

thread_local! {
    static FILE: RefCell<NamedTempFile> = RefCell::new(NamedTempFile::new().expect("a temporary file"));
}

/// Loads a configuration as a daemon does at its start: it is taken, or the reader is told where and why not.
pub fn configure<C: unit::Config + DeserializeOwned>(text: &str) -> Option<C::Checked> {
    FILE.with_borrow_mut(|file| {
        let place = file.path().to_owned();
        let inner = file.as_file_mut();
        inner.set_len(0).expect("emptied");
        inner.rewind().expect("at its start");
        inner.write_all(text.as_bytes()).expect("written");
        let checked = unit::config::load::<C>(&place).and_then(|raw| unit::config::check(raw, &place));
        checked.map_err(|error| judge(&error, text)).ok()
    })
}

/// Whoever has to mend a file needs the key, a line that is there, one line of reason, and a remedy.
fn judge(error: &unit::ConfigError, text: &str) {
    match error {
        unit::ConfigError::Unreadable { .. } => panic!("a text file is readable: {error}"),
        unit::ConfigError::Wrong { line, wrong, .. } => {
            assert!(line.is_none_or(|line| (1..=text.split('\n').count()).contains(&line)), "{error}");
            readable([&wrong.key, &wrong.reason, &wrong.remedy], text);
        }
    }
}

/// The parts of a message: none is empty, none needs more than one line, unless the file itself gave a name that does.
pub fn readable(parts: [&str; 3], text: &str) {
    let may_break = ["\\", "\"\"\"", "'''"].iter().any(|mark| text.contains(mark));
    for part in parts {
        assert!(!part.trim().is_empty() && (may_break || !part.contains('\n')), "{parts:?}");
    }
}
