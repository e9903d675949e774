//! `onepress install`: what the installation stick runs. It shows what it will do, waits, does it, says how it ended.

use crate::appliance::choose;
use crate::appliance::install::{Plan, release, version};
use crate::appliance::lamp::{LEDS, Lamp, Pattern};
use clap::Args;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Screen and serial line; what is not there is passed by.
const SCREENS: [&str; 3] = ["/dev/tty1", "/dev/ttyS0", "/dev/ttyAMA0"];
/// Time to pull the stick or the plug when it is the wrong machine.
const PAUSE: Duration = Duration::from_secs(10);

/// Nothing to say: all is on the stick.
#[derive(Args)]
pub struct Arguments {
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Installs.
///
/// # Errors
/// Why nothing was installed, or the step that failed; on all screens too.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut lamp = if arguments.dry_run { Lamp::none() } else { Lamp::find(Path::new(LEDS), None) };
    let done = install(arguments, &mut lamp);
    if let Err(error) = &done {
        lamp.show(Pattern::Refused);
        show(&format!("NOT INSTALLED: {error:#}"));
        show("Switch off, take the stick out, mend this, and start again.");
        lamp.hold();
    }
    done
}

fn install(arguments: &Arguments, lamp: &mut Lamp) -> anyhow::Result<()> {
    lamp.show(Pattern::Announcing);
    show(&format!("{} {}: installation", release("IMAGE_ID")?, version()?));
    let plan = Plan::make(&mut |given| {
        if let (Some(led), false) = (&given.site.lamp.led, arguments.dry_run) {
            lamp.show(Pattern::Dark);
            *lamp = Lamp::find(Path::new(LEDS), Some(led));
            lamp.show(Pattern::Announcing);
        }
    })?;
    show(&format!("status lamp: {}", lamp.name().unwrap_or("none")));
    show(&format!("to disk {}: all that is on it will be lost", choose::name(&plan.disk)));
    show(&plan.given.told());
    if arguments.dry_run {
        return Ok(());
    }
    show(&format!("beginning in {} s; switch off to stop it", PAUSE.as_secs()));
    crate::rig::pause(PAUSE);
    lamp.show(Pattern::Writing);
    plan.carry_out(&mut |step| show(&format!("{step} ...")))?;
    lamp.show(Pattern::Done);
    show("INSTALLED and read back. Switching off: take the stick out, then switch on.");
    Ok(())
}

fn show(line: &str) {
    super::say(line);
    for screen in SCREENS {
        if let Ok(mut screen) = File::options().write(true).open(screen) {
            let _ = write!(screen, "onepress: {line}\r\n");
        }
    }
}
