//! What the tests across crates share: an installed tree and a kernel to run it in.
//! The tests themselves are in `tests/`; nothing here is shipped.

pub mod bench;
pub mod cable;
pub mod centre;
pub mod crowd;
pub mod dice;
pub mod film;
pub mod install;
pub mod keeper;
pub mod page;
pub mod plug;
pub mod record;
pub mod sandbox;
pub mod sim;
pub mod storm;
pub mod stranger;
pub mod studio;
pub mod uml;
pub mod updater;
