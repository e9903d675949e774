//! The demo's terminal: a story that scrolls, one status line at the foot, single keys. Without a terminal it
//! prints lines and reads letters, so that a script can play the demo.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr};
use std::io::{Stdin, Write, stdin, stdout};
use std::time::Duration;

/// What was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Letter(char),
}

pub(super) struct Screen {
    input: Stdin,
    before: Option<Termios>,
    terminal: bool,
    status: String,
}

impl Screen {
    pub(super) fn open() -> std::io::Result<Self> {
        let input = stdin();
        let before = if isatty(&input) { Some(tcgetattr(&input)?) } else { None };
        if let Some(before) = &before {
            let mut single = before.clone();
            // Ctrl-C comes as a letter too, so that the daemons are told to stop in order.
            single.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
            single.special_codes[SpecialCodeIndex::VMIN] = 0;
            single.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(&input, OptionalActions::Now, &single)?;
        }
        Ok(Self { input, before, terminal: isatty(stdout()), status: String::new() })
    }

    /// Adds a line to the story.
    pub(super) fn say(&mut self, line: &str) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        let _ = writeln!(stdout(), "{clear}{line}");
        self.paint();
    }

    /// Shows the status line.
    pub(super) fn status(&mut self, status: &str) {
        if self.status == status {
            return;
        }
        status.clone_into(&mut self.status);
        if self.terminal { self.paint() } else { drop(writeln!(stdout(), "{status}")) }
    }

    fn paint(&self) {
        if self.terminal {
            let _ = write!(stdout(), "\r\x1b[K\x1b[7m {} \x1b[0m", self.status);
        }
        let _ = stdout().flush();
    }

    /// The next key within `limit`. The end of the input quits.
    pub(super) fn key(&mut self, limit: Duration) -> Option<Key> {
        let limit = Timespec::try_from(limit).ok()?;
        let mut waited = [PollFd::new(&self.input, PollFlags::IN)];
        if poll(&mut waited, Some(&limit)).ok()? == 0 {
            return None;
        }
        let mut byte = [0];
        match rustix::io::read(&self.input, &mut byte) {
            Ok(0) => Some(Key::Quit),
            Ok(_) => key(byte[0]),
            Err(_) => None,
        }
    }
}

/// 3 is Ctrl-C, 4 is Ctrl-D.
fn key(byte: u8) -> Option<Key> {
    match byte {
        b'q' | b'Q' | 3 | 4 => Some(Key::Quit),
        b'\n' | b'\r' | b' ' => None,
        letter => Some(Key::Letter(char::from(letter).to_ascii_lowercase())),
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(&self.input, OptionalActions::Now, before);
        }
        if self.terminal {
            let _ = writeln!(stdout());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_the_ways_to_quit() {
        assert_eq!(key(b'B'), Some(Key::Letter('b')));
        assert_eq!(key(b'\n'), None);
        for quit in [b'q', 3, 4] {
            assert_eq!(key(quit), Some(Key::Quit));
        }
    }
}
