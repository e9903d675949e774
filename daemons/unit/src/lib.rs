//! What every daemon owes systemd, and nothing about alarms.
//!
//! Here belong: start and exit codes, the configuration file, logs, readiness, the watchdog, sockets and
//! secrets handed over by the service manager, the stop signal, and the set of named tasks. This is the only
//! crate that names systemd; every part also works without it, from a shell.
//!
//! A daemon's whole `main`:
//!
//! ```no_run
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Serialize, Deserialize)] struct Config {}
//! # impl unit::Config for Config {
//! #     type Checked = Self;
//! #     fn check(self) -> Result<Self, unit::config::Wrong> { Ok(self) }
//! # }
//! const PROGRAM: unit::Program = unit::Program {
//!     name: "onepress-button",
//!     about: "Turns inputs into alarms and delivers them.",
//!     version: env!("CARGO_PKG_VERSION"),
//!     config: "/etc/onepress/button.toml",
//! };
//!
//! fn main() -> std::process::ExitCode {
//!     unit::run::<Config>(&PROGRAM, async |config| {
//!         let watchdog = unit::Watchdog::new();
//!         let mut tasks = unit::Tasks::new();
//!         let scan = watchdog.expects("input scan", std::time::Duration::from_secs(2));
//!         tasks.spawn("input scan", async move { loop { scan.beat(); /* read inputs */ } });
//!         tasks.spawn("watchdog", watchdog.feed());
//!         unit::ready();
//!         tasks.run_until(unit::stop()).await
//!     })
//! }
//! ```

mod args;
pub mod config;
pub mod control;
mod dirs;
pub mod log;
mod notify;
mod program;
pub mod sockets;
mod stop;
mod tasks;
pub mod watchdog;

pub use config::{Config, ConfigError};
pub use dirs::{credential, runtime_dir, state_dir};
pub use notify::{ready, status, stopping};
pub use program::{Program, exit_code, exit_code_by, run};
pub use stop::stop;
pub use tasks::{Ended, Tasks};
pub use watchdog::{Progress, Watchdog};
