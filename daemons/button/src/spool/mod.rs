//! The spool on the disk: `spool` in the state directory, and the thread that writes it. What stands in it and when
//! it is written is decided by [`crate::core`]; the format is `alarm::spool`'s.

mod file;
mod writer;

pub use file::{File, Locked, Opened};
pub use writer::{Done, Writer};

#[cfg(test)]
mod tests;
