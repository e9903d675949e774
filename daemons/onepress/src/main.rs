//! `onepress`: what a technician types.

use clap::{Parser, Subcommand};
use onepress::commands::{
    demo, enrol, flash, health, install, journal, press, seal, site, status, technician, update,
};
use std::process::ExitCode;

/// Police-alarm appliances: demo, press, enrol, status, health, flash, update, journal.
#[derive(Parser)]
#[command(name = "onepress", version, arg_required_else_help = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a whole centre and a school on this computer, with a button to press
    Demo(demo::Arguments),
    /// Press a button of this box by software
    Press(press::Arguments),
    /// Make this computer an enrolled box or wall, with a ticket from the console
    Enrol(enrol::Arguments),
    /// Show how the daemons on this computer are
    Status(status::Arguments),
    /// Say whether this appliance does its work, by local facts only
    Health(health::Arguments),
    /// List sticks and disks, or write an appliance image to one
    Flash(flash::Arguments),
    /// Look at update bundles, and put them on
    #[command(subcommand)]
    Update(update::Command),
    /// Install this stick's system on the one disk of this computer
    Install(install::Arguments),
    /// Make this appliance what site.toml says
    Site(site::Arguments),
    /// Give the daemons the key that seals their private keys
    Seal(seal::Arguments),
    /// Let a technician in on the serial line, by a signature
    Technician(technician::Arguments),
    /// Look after a journal
    #[command(subcommand)]
    Journal(journal::Command),
}

fn main() -> ExitCode {
    let done = match Line::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Press(arguments) => press::run(&arguments),
        Command::Enrol(arguments) => enrol::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::Flash(arguments) => flash::run(&arguments),
        Command::Update(command) => update::run(&command),
        Command::Install(arguments) => install::run(&arguments),
        Command::Site(arguments) => site::run(&arguments),
        Command::Seal(arguments) => seal::run(&arguments),
        Command::Technician(arguments) => technician::run(&arguments),
        Command::Journal(command) => journal::run(&command),
    };
    unit::exit_code_by(done, |error| update::code(error).or_else(|| technician::code(error)))
}
