//! The smallest daemon there is: the test in tests/process.rs runs it as systemd would.

use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use unit::config::Wrong;

const PROGRAM: unit::Program = unit::Program {
    name: "minimal",
    about: "Does nothing, and says so.",
    version: env!("CARGO_PKG_VERSION"),
    config: "/etc/onepress/minimal.toml",
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    /// How often the one part beats, in ms.
    #[serde(default = "often")]
    beat_ms: u64,
}

fn often() -> u64 {
    10
}

impl unit::Config for Config {
    type Checked = Duration;

    fn check(self) -> Result<Duration, Wrong> {
        match self.beat_ms {
            0 => Err(Wrong::new("beat-ms", "is 0", "give 1 or more")),
            ms => Ok(Duration::from_millis(ms)),
        }
    }
}

fn main() -> ExitCode {
    unit::run::<Config>(&PROGRAM, async |beat| {
        let watchdog = unit::Watchdog::new();
        let mut tasks = unit::Tasks::new();
        let progress = watchdog.expects("beating", Duration::from_millis(200));
        tasks.spawn("beating", async move {
            loop {
                progress.beat();
                tokio::time::sleep(beat).await;
            }
        });
        tasks.spawn("watchdog", watchdog.feed());
        let stop = unit::stop();
        if let Some(link) = unit::sockets::udp("link") {
            unit::status(&format!("listening on {}", link.local_addr()?));
        }
        unit::ready();
        tasks.run_until(stop).await
    })
}
