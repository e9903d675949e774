//! `onepress-desk`: journal, queue, seats and console of a centre.

use std::process::ExitCode;

const PROGRAM: unit::Program = unit::Program {
    name: "onepress-desk",
    about: "Takes alarms, writes the journal, and shows them to seats and walls.",
    version: env!("CARGO_PKG_VERSION"),
    config: "/etc/onepress/desk.toml",
};

fn main() -> ExitCode {
    unit::run::<desk::Config>(&PROGRAM, desk::run::run)
}
