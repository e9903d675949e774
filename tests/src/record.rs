//! What the journal says, read by ourselves while no desk writes it.

use std::collections::BTreeMap;
use std::path::Path;

use alarm::event::Event;
use alarm::{BoxId, Notice, NoticeId, What};
use journal::{From, HeadKey, Sqlite, Store};
use onepress::rig::{Programs, Rack};

use crate::install::output;

/// The whole journal.
pub struct Record {
    events: Vec<Event>,
}

impl Record {
    /// Ends the desk, has the journal verified by the command line, and reads a copy.
    ///
    /// # Panics
    /// If the desk does not end well, or the journal is not what was written.
    #[must_use]
    pub fn of(rack: &mut Rack, programs: &Programs) -> Self {
        let (status, _) = rack.daemon().stop().expect("the desk ends in time");
        assert_eq!(status.code(), Some(0), "the desk ends well");
        let (whole, said) =
            output(programs.command("onepress").args(["journal", "verify"]).arg(rack.journal()));
        assert!(whole, "{said}");
        Self::read(rack.dir())
    }

    fn read(dir: &Path) -> Self {
        let event = |text: &String| serde_json::from_str(text).expect("an event");
        Self { events: lines(dir).expect("the journal").iter().map(event).collect() }
    }

    /// Everything that boxes told, in order.
    pub fn notices(&self) -> impl Iterator<Item = (&BoxId, &Notice)> {
        self.events.iter().filter_map(|event| {
            if let Event::Received { notice, from, .. } = event { Some((from, notice)) } else { None }
        })
    }

    /// How often a point of a box was pressed: alarms and their repeats, each for itself.
    #[must_use]
    pub fn presses(&self, name: &str, point: &str) -> usize {
        let here = |notice: &Notice| notice.point.as_ref().is_some_and(|of| of.as_str() == point);
        let pressed = |notice: &Notice| matches!(notice.what, What::Alarm { .. } | What::Repeat { .. });
        self.notices()
            .filter(|(from, notice)| from.as_str() == name && here(notice) && pressed(notice))
            .count()
    }

    /// No notice stands in it twice.
    ///
    /// # Panics
    /// If one does; names them.
    pub fn assert_nothing_twice(&self) {
        let mut times: BTreeMap<NoticeId, usize> = BTreeMap::new();
        self.notices().for_each(|(_, notice)| *times.entry(notice.id).or_default() += 1);
        times.retain(|_, times| *times > 1);
        assert!(times.is_empty(), "received more than once: {times:?}");
    }
}

/// The lines of the journal in a state directory, as JSON. A desk may be writing it: a copy is read.
///
/// # Errors
/// If it cannot be read.
pub fn lines(dir: &Path) -> anyhow::Result<Vec<String>> {
    let copy = tempfile::tempdir()?;
    for file in ["journal.key", "journal.db", "journal.db-wal"] {
        let copied = std::fs::copy(dir.join(file), copy.path().join(file));
        anyhow::ensure!(copied.is_ok() || file == "journal.db-wal", "{file}: {copied:?}");
    }
    let key = HeadKey::load_or_make(&copy.path().join("journal.key"))?;
    let lines = Sqlite::open(&copy.path().join("journal.db"), key)?.load(From::Start)?.lines;
    Ok(lines.into_iter().map(|line| line.text).collect())
}
