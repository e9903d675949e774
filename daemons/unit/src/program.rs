//! The frame around a daemon: command line in, exit code out.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::args::{self, Invocation};
use crate::config::{self, Config, ConfigError};
use crate::{log, notify};

/// Who a daemon is.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The binary's name, `onepress-button`.
    pub name: &'static str,
    /// One sentence for `--help`.
    pub about: &'static str,
    /// `env!("CARGO_PKG_VERSION")` of the daemon.
    pub version: &'static str,
    /// Where its configuration lies unless `--config` says otherwise.
    pub config: &'static str,
}

/// Wrong use of the command line: `EX_USAGE` of sysexits.h.
const EX_USAGE: u8 = 64;

/// Wrong configuration: `EX_CONFIG` of sysexits.h.
const EX_CONFIG: u8 = 78;

/// How long blocking work (a serial read, a name look-up) may hold up the exit once the daemon has ended.
/// It is lost work by then, and systemd's own limit is ten times as long.
const BLOCKING_GRACE: Duration = Duration::from_secs(1);

/// Runs a daemon: reads the command line and the configuration, starts the log and a tokio runtime, runs
/// `body`, and turns its end into an exit code.
///
/// Codes: 0 ended well; 64 wrong command line; 78 wrong configuration, that is a [`ConfigError`] anywhere in
/// the chain of causes; 1 all else. The chain is printed once, outermost first.
pub fn run<C: Config>(
    program: &Program,
    body: impl AsyncFnOnce(C::Checked) -> anyhow::Result<()>,
) -> ExitCode {
    match args::parse(std::env::args_os().skip(1), program.config) {
        Ok(Invocation::Run { config }) => exit_code(serve::<C>(program, &config, body)),
        Ok(Invocation::Check { config }) => exit_code(check::<C>(&config)),
        Ok(Invocation::Version) => exit_code(print(&format!("{} {}\n", program.name, program.version))),
        Ok(Invocation::Help) => exit_code(print(&args::help(program))),
        Err(error) => {
            log::fatal(&error.to_string());
            ExitCode::from(EX_USAGE)
        }
    }
}

/// Prints what went wrong, if anything did, and gives the exit code for it: the end of every `main`, also of
/// programs that are not daemons.
#[must_use]
pub fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    exit_code_by(result, |_| None)
}

/// As [`exit_code`], for a program with codes of its own: `own` gives the code of an error it knows.
#[must_use]
pub fn exit_code_by(result: anyhow::Result<()>, own: impl Fn(&anyhow::Error) -> Option<u8>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    log::fatal(&chain(&error));
    ExitCode::from(own(&error).unwrap_or_else(|| code(&error)))
}

fn serve<C: Config>(
    program: &Program,
    file: &Path,
    body: impl AsyncFnOnce(C::Checked) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let raw: C = config::load(file)?;
    log::start(raw.log());
    let checked = config::check(raw, file)?;
    tracing::info!(version = program.version, config = %file.display(), "{} starts", program.name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(body(checked));
    notify::stopping();
    runtime.shutdown_timeout(BLOCKING_GRACE);
    result
}

fn check<C: Config>(file: &Path) -> anyhow::Result<()> {
    let raw: C = config::load(file)?;
    let effective = toml::to_string_pretty(&raw)?;
    config::check(raw, file)?;
    print(&effective)
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

fn chain(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

fn code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.is::<ConfigError>()) { EX_CONFIG } else { 1 }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_configuration_error_is_78_however_deep_it_lies() {
        let wrong = config::load::<toml::Table>(Path::new("/no/such/file")).expect_err("absent");
        let deep = Err::<(), _>(wrong).context("opening inputs").context("starting").expect_err("wrong");
        assert_eq!(code(&deep), EX_CONFIG);
        assert_eq!(code(&anyhow::anyhow!("disk on fire")), 1);
    }

    #[test]
    fn the_chain_of_causes_is_one_line_outermost_first() {
        let error = anyhow::anyhow!("no such line").context("opening panel-1");
        assert_eq!(chain(&error), "opening panel-1: no such line");
    }
}
