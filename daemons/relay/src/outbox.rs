//! What the desk still has to write down, on disk: numbered, repeated until it says so, over restarts of either.
//!
//! One file of JSON lines: `{"next":N}`, then one line for each report. It is begun anew when nothing waits.

use alarm::media::Recorded;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

const FILE: &str = "outbox.jsonl";
/// Lines that are written down already and still in the file, at most: beyond it the file is begun anew.
const STALE_MAX: u64 = 4096;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", untagged)]
enum Line {
    Next { next: u64 },
    Report { number: u64, what: Recorded },
}

struct State {
    path: PathBuf,
    file: File,
    waiting: VecDeque<(u64, Recorded)>,
    next: u64,
    stale: u64,
}

/// The outbox. Clones are the same.
#[derive(Clone)]
pub(crate) struct Outbox {
    state: Arc<Mutex<State>>,
    newest: Arc<watch::Sender<u64>>,
}

impl Outbox {
    /// Reads what waits. A new outbox begins with the number `first`: not one that an earlier relay of the same name
    /// has used, or the desk would take it for written down.
    ///
    /// # Errors
    /// When the directory cannot be read or written.
    pub(crate) fn open(dir: &Path, first: u64) -> anyhow::Result<Self> {
        let path = dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let (mut next, mut waiting) = (first, VecDeque::new());
        for line in text.lines() {
            match serde_json::from_str(line) {
                Ok(Line::Next { next: said }) => next = said,
                Ok(Line::Report { number, what }) => {
                    next = number + 1;
                    waiting.push_back((number, what));
                }
                Err(error) => {
                    tracing::warn!(%error, "a torn line in the outbox: what it told is in the take's index")
                }
            }
        }
        let file =
            write_anew(&path, next, &waiting).with_context(|| format!("writing {}", path.display()))?;
        let state = State { path, file, waiting, next, stale: 0 };
        Ok(Self { state: Arc::new(Mutex::new(state)), newest: Arc::new(watch::Sender::new(next)) })
    }

    /// Adds a report. Blocks for the disk; when that fails, it waits in memory all the same.
    pub(crate) fn push(&self, what: Recorded) {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        let line = Line::Report { number, what: what.clone() };
        let stored = append(&mut state.file, &line).and_then(|()| state.file.sync_data());
        if let Err(error) = stored {
            tracing::error!(%error, "the outbox cannot be written");
        }
        state.waiting.push_back((number, what));
        drop(state);
        self.newest.send_replace(number + 1);
    }

    /// The desk has written down everything up to this number.
    pub(crate) fn written(&self, number: u64) {
        let mut state = self.lock();
        while state.waiting.front().is_some_and(|(waiting, _)| *waiting <= number) {
            state.waiting.pop_front();
            state.stale += 1;
        }
        if state.stale < STALE_MAX {
            return;
        }
        match write_anew(&state.path, state.next, &state.waiting) {
            Ok(file) => (state.file, state.stale) = (file, 0),
            Err(error) => tracing::warn!(%error, "the outbox cannot be begun anew"),
        }
    }

    /// The next `most` reports after this number.
    pub(crate) fn after(&self, number: Option<u64>, most: usize) -> Vec<(u64, Recorded)> {
        let state = self.lock();
        let unsaid = |(waiting, _): &&(u64, Recorded)| number.is_none_or(|number| *waiting > number);
        state.waiting.iter().filter(unsaid).take(most).cloned().collect()
    }

    /// Changes whenever there is something new.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}

fn write_anew(path: &Path, next: u64, waiting: &VecDeque<(u64, Recorded)>) -> io::Result<File> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    let first = waiting.front().map_or(next, |(number, _)| *number);
    append(&mut file, &Line::Next { next: first })?;
    for (number, what) in waiting {
        append(&mut file, &Line::Report { number: *number, what: what.clone() })?;
    }
    file.sync_all()?;
    fs::rename(&new, path)?;
    if let Some(dir) = path.parent() {
        File::open(dir)?.sync_all()?;
    }
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began(n: u64) -> Recorded {
        Recorded::Began { take: format!("school-1/gate/{n}") }
    }

    #[test]
    fn what_was_not_written_down_survives_a_restart_with_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path(), 100).unwrap();
        (0..3).for_each(|n| outbox.push(began(n)));
        outbox.written(100);
        drop(outbox);
        let again = Outbox::open(dir.path(), 5).unwrap();
        let waiting = again.after(Some(100), 9);
        assert_eq!(waiting, [(101, began(1)), (102, began(2))]);
        again.written(102);
        again.push(began(3));
        assert_eq!(again.after(None, 9), [(103, began(3))]);
        assert_eq!(again.after(Some(103), 9), []);
    }

    #[test]
    fn a_torn_line_costs_itself_only_and_no_number_comes_twice() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path(), 1).unwrap();
        outbox.push(began(0));
        (0..STALE_MAX).for_each(|n| {
            outbox.push(began(n));
        });
        outbox.written(u64::MAX);
        drop(outbox);
        let path = dir.path().join(FILE);
        let lines = fs::read_to_string(&path).unwrap();
        assert_eq!(lines.lines().count(), 1, "begun anew when nothing waits");
        fs::write(&path, format!("{lines}{{\"number\":9,\"wh")).unwrap();
        let again = Outbox::open(dir.path(), 1).unwrap();
        again.push(began(7));
        assert_eq!(again.after(None, 9), [(STALE_MAX + 2, began(7))]);
    }
}
