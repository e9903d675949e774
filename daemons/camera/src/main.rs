//! `onepress-camera`: the cameras of a site.

const PROGRAM: unit::Program = unit::Program {
    name: "onepress-camera",
    about: "Keeps the last half minute of every camera, and sends it and what follows when somebody presses.",
    version: env!("CARGO_PKG_VERSION"),
    config: "/etc/onepress/camera.toml",
};

fn main() -> std::process::ExitCode {
    unit::run::<camera::Raw>(&PROGRAM, async |config| camera::Daemon::open(config)?.run(unit::stop()).await)
}
