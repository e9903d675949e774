//! One track of a take: joins the order of groups, the fragments and the files. Blocks for the disk.

use super::folder::{Folder, Track as Files, file_name, init_path, millis};
use super::line::{Line, Outcome};
use super::recover::{self, Progress};
use super::{Trouble, mp4};
use alarm::media::SEGMENT_MAX;
use media::Frame;
use media::follow::{Group, Track};
use media::mp4::Writer;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// Media that was missing and is collected before it is written in one piece, bytes.
const FILL_MAX: usize = 8 * 1024 * 1024;
/// Different tracks of one name within a take: a publisher that changes its codec again and again.
const SAME_NAME_MAX: u32 = 16;

/// A track that is being recorded.
pub(crate) struct Recording {
    line: Line,
    writer: Writer,
    files: Files,
    trouble: Trouble,
    fills: BTreeMap<u64, Vec<Frame>>,
    fill_bytes: usize,
    wrote: Instant,
    length: Duration,
}

impl Recording {
    /// Begins or goes on. `number` is the track's number in the file; with `whole`, the take is expected from its
    /// first group on.
    ///
    /// # Errors
    /// When the codec's parameters cannot stand in a file, or the disk says no.
    pub(crate) fn begin(
        folder: &Folder,
        track: &Track,
        number: u32,
        whole: bool,
        trouble: Trouble,
    ) -> anyhow::Result<Self> {
        let writer = Writer::new(track, number)?;
        let init = writer.init()?;
        let (name, known) = place(folder, &file_name(&track.name), &init)?;
        let (files, line) = match known {
            None => {
                let files = Files::create(folder, &name, &init)?;
                (files, Line::new(whole.then_some(0), Duration::ZERO))
            }
            Some(Progress { segments, chain, next, end, missing }) => {
                let mut line = Line::new(Some(next), end);
                for (numbers, from, to) in missing {
                    line.handle_known_gap(numbers, from, to);
                }
                (Files::resume(folder, &name, segments, chain), line)
            }
        };
        let (fills, wrote, length) = (BTreeMap::new(), Instant::now(), Duration::ZERO);
        Ok(Self { line, writer, files, trouble, fills, fill_bytes: 0, wrote, length })
    }

    /// The group that is expected next.
    pub(crate) fn next(&self) -> Option<u64> {
        self.line.next()
    }

    /// The next group to ask for again.
    pub(crate) fn missing(&self, after: Option<u64>) -> Option<u64> {
        let first = self.line.missing(after)?;
        // What is collected already is not asked for again.
        let collected = |number: &u64| self.fills.contains_key(number);
        let mut number = Some(first);
        while let Some(one) = number.filter(collected) {
            number = self.line.missing(Some(one));
        }
        number
    }

    /// The end of what was written, as time of the take.
    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// A group has come.
    pub(crate) fn handle(&mut self, group: Group, now: Instant) {
        self.line.handle(group, now);
        self.drain(now);
    }

    /// Whether time alone has something to do.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.line.deadline().is_some_and(|deadline| now >= deadline) || now >= self.wrote + SEGMENT_MAX
    }

    /// Time has passed: a segment that stands open without growing is closed.
    pub(crate) fn handle_time(&mut self, now: Instant) {
        self.line.handle_time(now);
        self.drain(now);
        if now >= self.wrote + SEGMENT_MAX {
            self.wrote = now;
            let closed = self.files.close();
            self.tell(closed);
        }
    }

    /// The track has broken off; with `over`, for good.
    pub(crate) fn handle_end(&mut self, over: bool, now: Instant) {
        self.line.handle_end(over);
        self.drain(now);
        if over {
            self.write_fills();
        }
        let closed = self.files.close();
        self.tell(closed);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(outcome) = self.line.poll() {
            match outcome {
                Outcome::Write { number, frames, until } => {
                    self.wrote = now;
                    self.write_live(number, &frames, until);
                }
                Outcome::Gap { from, to } => {
                    tracing::warn!(track = self.files.name(), from = millis(from), to = millis(to), "gap");
                    let stated = self.files.gap(from, to);
                    self.tell(stated);
                }
                Outcome::Fill { number, frames } => self.fill(number, frames),
            }
        }
    }

    fn write_live(&mut self, number: u64, frames: &[Frame], until: Option<Duration>) {
        if let Err(error) = self.write(number, frames, until) {
            let times = || frames.iter().map(|frame| frame.time);
            let from = times().min().unwrap_or_default();
            let to = until.or_else(|| times().max()).unwrap_or(from);
            self.line.handle_unwritten(number, from, to);
            let stated = self.files.gap(from, to);
            tracing::error!(track = self.files.name(), number, %error, "a group could not be recorded");
            self.tell(stated);
            self.trouble.say(true);
        }
    }

    fn write(&mut self, number: u64, frames: &[Frame], until: Option<Duration>) -> anyhow::Result<()> {
        self.trouble.check()?;
        let Some(fragment) = self.writer.fragment(frames, until)? else { return Ok(()) };
        let mut bytes = fragment.data.to_vec();
        mp4::number(&mut bytes, number);
        self.files.append(&bytes, (fragment.from, fragment.to), SEGMENT_MAX)?;
        self.trouble.wrote(bytes.len());
        self.length = self.length.max(fragment.to);
        Ok(())
    }

    fn fill(&mut self, number: u64, frames: Vec<Frame>) {
        if !self.line.is_missing(number) {
            return;
        }
        self.fill_bytes += frames.iter().map(|frame| frame.data.len()).sum::<usize>();
        self.fills.insert(number, frames);
        let collected = |number: u64| self.fills.contains_key(&number);
        let whole = self.line.is_whole_with(number, collected);
        if whole || self.fill_bytes > FILL_MAX {
            self.write_fills();
        }
    }

    /// Writes what was missing into segments of its own, then says which gaps are closed.
    fn write_fills(&mut self) {
        if self.fills.is_empty() {
            return;
        }
        let closed = self.files.close();
        self.tell(closed);
        self.fill_bytes = 0;
        let mut closed_gaps = Vec::new();
        for (number, frames) in std::mem::take(&mut self.fills) {
            match self.write(number, &frames, None) {
                Ok(()) => closed_gaps.extend(self.line.handle_filled(number)),
                Err(error) => tracing::warn!(number, %error, "what was missing could not be written"),
            }
        }
        let closed = self.files.close();
        self.tell(closed);
        for gap in closed_gaps {
            let stated = self.files.filled(gap.from, gap.to);
            self.tell(stated);
        }
    }

    fn tell(&self, done: std::io::Result<()>) {
        if let Err(error) = done {
            tracing::error!(track = self.files.name(), %error, "the recording cannot be written");
            self.trouble.say(true);
        }
    }
}

/// The name under which a track is stored, and how far it got if it is there already.
fn place(folder: &Folder, base: &str, init: &[u8]) -> anyhow::Result<(String, Option<Progress>)> {
    for number in 1..=SAME_NAME_MAX {
        let name = if number == 1 { base.to_owned() } else { format!("{base}_{number}") };
        match fs::read(init_path(&folder.dir, &name)) {
            Ok(known) if known == init => {
                let progress = recover::progress(&folder.dir, &name)?;
                return Ok((name, Some(progress)));
            }
            Ok(_) => {}
            Err(_) => return Ok((name, None)),
        }
    }
    anyhow::bail!("track {base} has changed its parameters more than {SAME_NAME_MAX} times")
}
