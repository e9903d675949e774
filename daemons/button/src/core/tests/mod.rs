//! The core under virtual time.

mod disk;
mod lamp;
mod press;
mod rig;
mod selftest;
