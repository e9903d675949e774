//! One event, one line, the syslog level in front: `<4>link: path lost path=cellular` (sd-daemon(3)).

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The format for the journal, which has its own clock and colours.
pub(super) struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = format!("{}: ", event.metadata().target());
        ctx.format_fields(Writer::new(&mut text), event)?;
        out.write_str(&line(*event.metadata().level(), &text))
    }
}

/// Line breaks are escaped: a value from outside must not be able to begin a line, and with it a level, of its own.
pub(super) fn line(level: Level, text: &str) -> String {
    format!("<{}>{}\n", priority(level), text.replace('\n', "\\n").replace('\r', "\\r"))
}

/// RFC 5424 section 6.2.1.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_has_its_syslog_number() {
        for (level, expected) in [
            (Level::ERROR, "<3>x\n"),
            (Level::WARN, "<4>x\n"),
            (Level::INFO, "<6>x\n"),
            (Level::DEBUG, "<7>x\n"),
            (Level::TRACE, "<7>x\n"),
        ] {
            assert_eq!(line(level, "x"), expected);
        }
    }

    #[test]
    fn a_value_cannot_begin_a_line_of_its_own() {
        assert_eq!(line(Level::INFO, "name=a\n<0>forged"), "<6>name=a\\n<0>forged\n");
    }
}
