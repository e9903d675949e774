//! Where the journal is kept: the [`Store`] behind which SQLite (or, for a centre with several racks, a shared
//! database) stands, the [`Writer`] thread that commits in groups, and the check that nothing was altered.
//!
//! What a line *means* does not belong here: that is `alarm::event` and `alarm::centre`.

mod key;
mod sqlite;
mod store;
mod verify;
mod writer;

pub use key::{BadKey, HeadKey, PublicKey};
pub use sqlite::Sqlite;
pub use store::{Appended, Error, From, Loaded, Secret, Store};
pub use verify::{NotTrue, verify};
pub use writer::{BATCH_MAX, Progress, Writer};
