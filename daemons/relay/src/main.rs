//! `onepress-relay`: live media to the seats, and its recording.

const PROGRAM: unit::Program = unit::Program {
    name: "onepress-relay",
    about: "Brings cameras and voices to the seats, and records them.",
    version: env!("CARGO_PKG_VERSION"),
    config: "/etc/onepress/relay.toml",
};

fn main() -> std::process::ExitCode {
    unit::run::<relay::Raw>(&PROGRAM, async |config| relay::Daemon::open(config)?.run(unit::stop()).await)
}
