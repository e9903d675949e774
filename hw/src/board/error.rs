//! What can be wrong with a board file.

use std::path::PathBuf;

/// A wrong board file, or a name that it does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {key}: {reason}; {remedy}", .file.display())]
pub struct ConfigError {
    /// The board file.
    pub file: PathBuf,
    /// The key or the line.
    pub key: String,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

/// Why lines could not be opened: the two kinds end a daemon in different ways.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration is wrong; exit with 78.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device is wrong; see [`crate::Error::severity`].
    #[error(transparent)]
    Device(#[from] crate::Error),
}
