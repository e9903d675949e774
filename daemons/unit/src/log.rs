//! Logs: plain lines to standard error, with a syslog level in front when the journal reads them.
//!
//! Levels are for people: WARN is worth waking someone, a packet is TRACE.

mod journal;

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Sets the level: `error` to `trace`, or `info,link=debug` by crate. Wins over the configuration file.
pub const LEVEL_VARIABLE: &str = "ONEPRESS_LOG";

const USUAL_LEVEL: &str = "info";

/// Libraries that say at INFO what is a DEBUG to us: heard from WARN on, unless they are asked for by name.
const CHATTY: &[&str] = &["moq_mux", "moq_net"];

/// Starts the log for the whole process; `configured` is what the configuration file says of the level.
/// A second call is a no-op, so that tests may call it.
pub fn start(configured: Option<&str>) {
    let asked = std::env::var(LEVEL_VARIABLE).ok();
    let asked = asked.as_deref().or(configured).unwrap_or(USUAL_LEVEL);
    let (levels, refused) = levels(asked);
    // Only a second call can fail here, and then the first one's log is in force.
    let _ = tracing_subscriber::registry().with(lines().with_filter(levels)).try_init();
    if refused {
        tracing::warn!(asked, used = USUAL_LEVEL, "log level not understood");
    }
}

/// The last words of a process that may have no log yet.
pub(crate) fn fatal(message: &str) {
    use std::io::Write;
    let line =
        if journal_reads() { journal::line(tracing::Level::ERROR, message) } else { format!("{message}\n") };
    // Nobody is left to tell when standard error is gone.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn lines<S>() -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    if journal_reads() { layer.event_format(journal::Lines).boxed() } else { layer.boxed() }
}

fn levels(asked: &str) -> (Targets, bool) {
    match Targets::from_str(asked) {
        Ok(levels) => {
            let quiet = CHATTY.iter().filter(|name| !asked.contains(**name));
            let loud = levels.default_level() > Some(tracing::Level::INFO.into());
            let quiet = quiet.map(|name| (*name, tracing::Level::WARN)).filter(|_| !loud);
            (levels.with_targets(quiet), false)
        }
        Err(_) => (Targets::new().with_default(tracing::Level::INFO), true),
    }
}

/// Whether standard error is the very stream that `JOURNAL_STREAM` names, as `<device>:<inode>`
/// (systemd.exec(5)); the variable alone is inherited by everything started from a unit.
fn journal_reads() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stderr) = std::io::stderr().as_fd().try_clone_to_owned() else { return false };
    let Ok(metadata) = std::fs::File::from(stderr).metadata() else { return false };
    named == format!("{}:{}", metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_a_word_or_a_word_for_each_crate() {
        let (by_crate, refused) = levels("info,link=debug");
        assert!(!refused);
        assert!(by_crate.would_enable("link", &tracing::Level::DEBUG));
        assert!(!by_crate.would_enable("button", &tracing::Level::DEBUG));
    }

    #[test]
    fn libraries_that_talk_too_much_are_heard_when_asked_for() {
        let (usual, asked, all) = (levels("info").0, levels("info,moq_net=info").0, levels("debug").0);
        assert!(!usual.would_enable("moq_net", &tracing::Level::INFO));
        assert!(usual.would_enable("moq_net", &tracing::Level::WARN));
        assert!(asked.would_enable("moq_net", &tracing::Level::INFO));
        assert!(all.would_enable("moq_net", &tracing::Level::DEBUG));
    }

    #[test]
    fn a_level_nobody_knows_is_info_and_said_so() {
        let (levels, refused) = levels("link=loud");
        assert!(refused);
        assert!(levels.would_enable("button", &tracing::Level::INFO));
        assert!(!levels.would_enable("button", &tracing::Level::DEBUG));
    }
}
