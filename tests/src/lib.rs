//! What the tests across crates share: an installed tree and a kernel to run it in.
//! The tests themselves are in `tests/`; nothing here is shipped.

pub mod bench;
pub mod install;
pub mod plug;
pub mod sandbox;
pub mod uml;
