//! `onepress-button`; see the library.

use button::{Button, PROGRAM, config};
use std::process::ExitCode;

fn main() -> ExitCode {
    unit::run::<config::Raw>(&PROGRAM, async |config| Button::open(config)?.run(unit::stop()).await)
}
