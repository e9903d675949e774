use alarm::chain::{Head, Line};

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else has appended since `expected`.
    #[error("the journal ends at line {found}, not at line {expected}: another desk writes to it")]
    Conflict {
        /// Where the caller thought that it ends.
        expected: u64,
        /// Where it ends.
        found: u64,
    },
    /// No room left, the reserve used up as well.
    #[error("no room left on the journal's disk: free some, nothing is lost yet")]
    Full,
    /// Any other trouble of the medium; trying again may help.
    #[error("the journal cannot be written: {0}")]
    Medium(String),
    /// What is stored makes no sense.
    #[error("the journal is damaged: {0}; `onepress journal verify` names the place")]
    Damaged(String),
}

/// What the store held when it was opened.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The newest snapshot: the line after which it was made, and its text.
    pub snapshot: Option<(u64, String)>,
    /// All lines after it.
    pub lines: Vec<Line>,
    /// Where the journal ends.
    pub head: Head,
}

/// An append that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// As it should be.
    Plainly,
    /// Only after the reserve was given up: the disk is full.
    FromReserve,
}

/// The kinds of secrets that are kept beside the journal and never in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// SHA-256 of a ticket's secret.
    Ticket,
    /// Argon2 hash of a password, PHC string.
    Password,
    /// A signed-in console, under the SHA-256 of its token, so that a desk that restarts asks nobody to sign in.
    Session,
}

/// From where to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The newest snapshot, if there is one.
    Snapshot,
    /// The first line, because the snapshot is of another version.
    Start,
}

/// A journal on some medium. One writer.
pub trait Store: Send {
    /// Everything needed to rebuild the state: the newest snapshot and the lines after it, or all lines.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Medium`].
    fn load(&mut self, from: From) -> Result<Loaded, Error>;

    /// Appends `lines`, which follow `expected`, and returns when they are on the disk. All or nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the journal does not end at `expected`; [`Error::Full`], [`Error::Medium`].
    fn append(&mut self, expected: Head, lines: &[Line]) -> Result<Appended, Error>;

    /// Keeps a snapshot made after line `seq`; older ones may go.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Medium`].
    fn snapshot(&mut self, seq: u64, text: &str) -> Result<(), Error>;

    /// Lines about one incident, oldest first, at most `most`.
    ///
    /// # Errors
    /// [`Error::Medium`].
    fn about_incident(&mut self, incident: u64, most: usize) -> Result<Vec<Line>, Error>;

    /// Keeps a secret under a name, in place of an older one.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Medium`].
    fn keep_secret(&mut self, kind: Secret, name: &str, value: &[u8]) -> Result<(), Error>;

    /// The secret kept under a name.
    ///
    /// # Errors
    /// [`Error::Medium`].
    fn secret(&mut self, kind: Secret, name: &str) -> Result<Option<Vec<u8>>, Error>;

    /// All secrets of a kind with their names.
    ///
    /// # Errors
    /// [`Error::Medium`].
    fn secrets(&mut self, kind: Secret) -> Result<Vec<(String, Vec<u8>)>, Error>;

    /// Forgets a secret.
    ///
    /// # Errors
    /// [`Error::Medium`].
    fn forget_secret(&mut self, kind: Secret, name: &str) -> Result<(), Error>;
}
