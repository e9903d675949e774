//! One TOML file per daemon: raw in, checked out, and errors that a technician can act on.
//!
//! Secrets do not belong in the file; see [`crate::credential`].

mod place;

use std::fmt::Display;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A hand-written file is some kilobytes; a megabyte is something else given the wrong name.
const MAX_BYTES: u64 = 1 << 20;

/// The raw shape of a configuration file, as serde reads it.
///
/// Carry `#[serde(deny_unknown_fields, rename_all = "kebab-case")]` and give every optional key its default,
/// so that `--check` prints what is in force.
pub trait Config: Serialize + DeserializeOwned {
    /// What the daemon works with: durations, addresses, line names that are known to make sense together.
    type Checked;

    /// Turns the raw shape into the checked one.
    ///
    /// # Errors
    /// The first key whose value cannot be worked with.
    fn check(self) -> Result<Self::Checked, Wrong>;

    /// The log level the file asks for, as `ONEPRESS_LOG` would have it. The environment goes first.
    fn log(&self) -> Option<&str> {
        None
    }
}

/// One value that parses and yet cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}; {remedy}")]
pub struct Wrong {
    /// The dotted path in the file: `inputs.2.line`; list places count from 0.
    pub key: String,
    /// What is the matter: `is 0 ms`.
    pub reason: String,
    /// What to do: `give 20 to 50`.
    pub remedy: String,
}

impl Wrong {
    /// `Wrong::new("inputs.2.debounce-ms", "is 0", "give 20 to 50")`.
    pub fn new(key: impl Display, reason: impl Display, remedy: impl Display) -> Self {
        Self { key: key.to_string(), reason: reason.to_string(), remedy: remedy.to_string() }
    }
}

/// Why a configuration file cannot be used. Exit code 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is absent, forbidden, not text or beyond all size.
    #[error("{}: cannot be read: {reason}; an example lies in /usr/share/doc/onepress", .file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is not TOML, or a key is unknown, absent, of the wrong type or of a useless value.
    #[error("{}{}: {wrong}", .file.display(), at(*.line))]
    Wrong {
        /// Which file.
        file: PathBuf,
        /// The line in it, from 1, where one can be named.
        line: Option<usize>,
        /// The key, the reason and the remedy.
        wrong: Wrong,
    },
}

/// Reads the raw shape.
///
/// # Errors
/// [`ConfigError`], naming file, line, key, reason and remedy.
pub fn load<T: DeserializeOwned>(file: &Path) -> Result<T, ConfigError> {
    let text = read(file)?;
    toml::from_str(&text).map_err(|error| ConfigError::Wrong {
        file: file.to_owned(),
        line: error.span().map(|span| place::line(&text, span.start)),
        wrong: not_parsed(&text, &error),
    })
}

/// Checks the raw shape that came from `file`, adding file and line to what is found wrong.
///
/// # Errors
/// [`ConfigError::Wrong`] as [`Config::check`] has it.
pub fn check<C: Config>(raw: C, file: &Path) -> Result<C::Checked, ConfigError> {
    raw.check().map_err(|wrong| ConfigError::Wrong {
        file: file.to_owned(),
        line: read(file).ok().and_then(|text| place::line_of_key(&text, &wrong.key)),
        wrong,
    })
}

fn read(file: &Path) -> Result<String, ConfigError> {
    let unreadable = |reason: String| ConfigError::Unreadable { file: file.to_owned(), reason };
    let opened = std::fs::File::open(file).map_err(|error| unreadable(error.to_string()))?;
    let mut text = String::new();
    opened.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(unreadable(format!("it is longer than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

fn not_parsed(text: &str, error: &toml::de::Error) -> Wrong {
    let key = error.span().and_then(|span| place::key_at(text, span.start));
    let reason = error.message().trim().replace('\n', ", ");
    Wrong::new(
        key.unwrap_or_else(|| "(file)".into()),
        reason,
        "`--check` shows what is in force once it parses",
    )
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
