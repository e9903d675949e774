//! `onepress-wall`: beacon and siren.

const PROGRAM: unit::Program = unit::Program {
    name: "onepress-wall",
    about: "Shows on beacon and siren what the desk says, and that there is no desk.",
    version: env!("CARGO_PKG_VERSION"),
    config: "/etc/onepress/wall.toml",
};

fn main() -> std::process::ExitCode {
    unit::run::<wall::Raw>(&PROGRAM, async |config| wall::Daemon::open(config)?.run(unit::stop()).await)
}
