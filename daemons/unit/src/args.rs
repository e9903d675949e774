//! The command line every daemon has; what it does with it is in `program`.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::Program;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Serve, with this file.
    Run {
        config: PathBuf,
    },
    /// Read and check this file, print it with its defaults filled in, and end.
    Check {
        config: PathBuf,
    },
    Version,
    Help,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgsError {
    #[error("`--config` needs a path after it")]
    NoPath,
    #[error("unknown argument `{0}`; `--help` lists what there is")]
    Unknown(String),
}

pub(crate) fn parse(
    args: impl IntoIterator<Item = OsString>,
    default_config: &str,
) -> Result<Invocation, ArgsError> {
    let mut args = args.into_iter();
    let mut config = PathBuf::from(default_config);
    let mut check = false;
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--config") => config = args.next().ok_or(ArgsError::NoPath)?.into(),
            Some("--check") => check = true,
            Some("--version" | "-V") => return Ok(Invocation::Version),
            Some("--help" | "-h") => return Ok(Invocation::Help),
            other => config = glued_path(other).ok_or_else(|| unknown(&arg))?,
        }
    }
    Ok(if check { Invocation::Check { config } } else { Invocation::Run { config } })
}

pub(crate) fn help(program: &Program) -> String {
    let Program { name, about, config, .. } = program;
    format!(
        "{about}\n\n\
         Usage: {name} [--config PATH] [--check]\n\n\
         \x20 --config PATH  configuration file (default {config})\n\
         \x20 --check        print the effective configuration and end: 0 good, 78 wrong\n\
         \x20 --version, -V  print the version\n\
         \x20 --help, -h     print this\n\n\
         ONEPRESS_LOG sets the log level: error, warn, info, debug, trace, or `info,link=debug`.\n"
    )
}

/// `--config=PATH`.
fn glued_path(arg: Option<&str>) -> Option<PathBuf> {
    arg?.strip_prefix("--config=").filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn unknown(arg: &OsString) -> ArgsError {
    ArgsError::Unknown(arg.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, ArgsError> {
        parse(line.split_whitespace().map(OsString::from), "/etc/x.toml")
    }

    #[test]
    fn every_form_of_the_command_line() {
        let path = |p: &str| PathBuf::from(p);
        for (line, expected) in [
            ("", Ok(Invocation::Run { config: path("/etc/x.toml") })),
            ("--config a.toml", Ok(Invocation::Run { config: path("a.toml") })),
            ("--config=a.toml", Ok(Invocation::Run { config: path("a.toml") })),
            ("--check", Ok(Invocation::Check { config: path("/etc/x.toml") })),
            ("--check --config a.toml", Ok(Invocation::Check { config: path("a.toml") })),
            ("--config a.toml --check", Ok(Invocation::Check { config: path("a.toml") })),
            ("--version", Ok(Invocation::Version)),
            ("--check -h", Ok(Invocation::Help)),
            ("--config", Err(ArgsError::NoPath)),
            ("--config=", Err(ArgsError::Unknown("--config=".into()))),
            ("--chekc", Err(ArgsError::Unknown("--chekc".into()))),
            ("a.toml", Err(ArgsError::Unknown("a.toml".into()))),
        ] {
            assert_eq!(parsed(line), expected, "{line:?}");
        }
    }
}
