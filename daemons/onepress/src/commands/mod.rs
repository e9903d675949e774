//! One module for each command.

pub mod demo;
pub mod enrol;
pub mod flash;
pub mod health;
pub mod install;
pub mod journal;
pub mod press;
mod screen;
pub mod seal;
pub mod site;
pub mod status;
pub mod technician;
pub mod update;

use std::io::Write;

/// Prints a line. A reader that has gone away (`| head`) is no error.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
