//! Group commit: one thread owns the store, takes what waits, and writes it with one fsync.

use crate::store::{Appended, Error, Secret, Store};
use alarm::chain::{Head, Line};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Most lines of one commit: a storm of 2,000 presses takes two, and nobody waits for more than that.
pub const BATCH_MAX: usize = 1_024;
/// How long a store that fails is left alone before the next try.
const RETRY: Duration = Duration::from_millis(250);

/// What the writer has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything up to this line is on the disk.
    Durable(u64),
    /// As [`Progress::Durable`], but only the reserve made it possible: the disk is full.
    Reserve(u64),
    /// Nothing could be written; it is tried again, nothing is forgotten.
    Failing(String),
    /// Another desk writes to this journal, or it is damaged: this process must end.
    Fatal(String),
}

type Answer<T> = Box<dyn FnOnce(Result<T, Error>) + Send>;

enum Job {
    Append(Vec<Line>),
    Snapshot(u64, String),
    About(u64, usize, Answer<Vec<Line>>),
    KeepSecret(Secret, String, Vec<u8>, Answer<()>),
    GetSecret(Secret, String, Answer<Option<Vec<u8>>>),
    ForgetSecret(Secret, String, Answer<()>),
}

/// The thread that owns a store. Dropping it writes what waits and ends the thread.
pub struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. The journal ends at `head`; `tell` hears of every commit, on the writer's thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        store: Box<dyn Store>,
        head: Head,
        tell: impl FnMut(Progress) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, waiting) = channel();
        let mut desk = Clerk { store, head, tell: Box::new(tell), waiting, lines: Vec::new() };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || desk.work())?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Queues lines for the next commit. They must follow each other and all that was queued before.
    pub fn append(&self, lines: Vec<Line>) {
        self.send(Job::Append(lines));
    }

    /// Queues a snapshot made after line `seq`.
    pub fn snapshot(&self, seq: u64, text: String) {
        self.send(Job::Snapshot(seq, text));
    }

    /// Lines about one incident, oldest first, at most `most`; `answer` is called on the writer's thread.
    pub fn about_incident(
        &self,
        incident: u64,
        most: usize,
        answer: impl FnOnce(Result<Vec<Line>, Error>) + Send + 'static,
    ) {
        self.send(Job::About(incident, most, Box::new(answer)));
    }

    /// Keeps a secret; `answer` is called when it is on the disk.
    pub fn keep_secret(
        &self,
        kind: Secret,
        name: &str,
        value: &[u8],
        answer: impl FnOnce(Result<(), Error>) + Send + 'static,
    ) {
        self.send(Job::KeepSecret(kind, name.to_owned(), value.to_vec(), Box::new(answer)));
    }

    /// Reads a secret.
    pub fn secret(
        &self,
        kind: Secret,
        name: &str,
        answer: impl FnOnce(Result<Option<Vec<u8>>, Error>) + Send + 'static,
    ) {
        self.send(Job::GetSecret(kind, name.to_owned(), Box::new(answer)));
    }

    /// Forgets a secret.
    pub fn forget_secret(
        &self,
        kind: Secret,
        name: &str,
        answer: impl FnOnce(Result<(), Error>) + Send + 'static,
    ) {
        self.send(Job::ForgetSecret(kind, name.to_owned(), Box::new(answer)));
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread ends only after a fatal word to `tell`, which ends the process.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Clerk {
    store: Box<dyn Store>,
    head: Head,
    tell: Box<dyn FnMut(Progress) + Send>,
    waiting: Receiver<Job>,
    /// Lines that are not on the disk yet.
    lines: Vec<Line>,
}

impl Clerk {
    fn work(&mut self) {
        while let Some(job) = self.next() {
            self.take(job);
            while self.lines.len() < BATCH_MAX
                && let Ok(more) = self.waiting.try_recv()
            {
                self.take(more);
            }
            if !self.commit() {
                return;
            }
        }
    }

    /// The next job; while lines wait for a failing disk, only as long as the retry takes.
    fn next(&mut self) -> Option<Job> {
        if self.lines.is_empty() {
            return self.waiting.recv().ok();
        }
        match self.waiting.recv_timeout(RETRY) {
            Ok(job) => Some(job),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Some(Job::Append(Vec::new())),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Append(lines) => self.lines.extend(lines),
            // A snapshot that cannot be kept costs a longer start, nothing else.
            Job::Snapshot(seq, text) => drop(self.store.snapshot(seq, &text)),
            Job::About(incident, most, answer) => answer(self.store.about_incident(incident, most)),
            Job::KeepSecret(kind, name, value, answer) => answer(self.store.keep_secret(kind, &name, &value)),
            Job::GetSecret(kind, name, answer) => answer(self.store.secret(kind, &name)),
            Job::ForgetSecret(kind, name, answer) => answer(self.store.forget_secret(kind, &name)),
        }
    }

    /// Writes what waits. False when there is no going on.
    fn commit(&mut self) -> bool {
        let Some(last) = self.lines.last() else { return true };
        let head = Head::after(last);
        let outcome = self.store.append(self.head, &self.lines);
        match outcome {
            Ok(appended) => {
                self.head = head;
                self.lines.clear();
                (self.tell)(match appended {
                    Appended::Plainly => Progress::Durable(head.seq),
                    Appended::FromReserve => Progress::Reserve(head.seq),
                });
                true
            }
            Err(error @ (Error::Full | Error::Medium(_))) => {
                (self.tell)(Progress::Failing(error.to_string()));
                true
            }
            Err(error @ (Error::Conflict { .. } | Error::Damaged(_))) => {
                (self.tell)(Progress::Fatal(error.to_string()));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Loaded;
    use alarm::Wall;
    use std::sync::{Arc, Mutex, mpsc};

    /// A store whose disk can fail.
    #[derive(Clone, Default)]
    struct Shelf(Arc<Mutex<Content>>);

    #[derive(Default)]
    struct Content {
        lines: Vec<Line>,
        fails: bool,
        batches: Vec<usize>,
    }

    impl Store for Shelf {
        fn load(&mut self, _: crate::store::From) -> Result<Loaded, Error> {
            Ok(Loaded::default())
        }
        fn append(&mut self, expected: Head, lines: &[Line]) -> Result<Appended, Error> {
            let mut shelf = self.0.lock().unwrap();
            let found = shelf.lines.last().map_or(0, |line| line.seq);
            if shelf.fails {
                return Err(Error::Full);
            }
            if found != expected.seq {
                return Err(Error::Conflict { expected: expected.seq, found });
            }
            shelf.lines.extend_from_slice(lines);
            shelf.batches.push(lines.len());
            Ok(Appended::Plainly)
        }
        fn snapshot(&mut self, _: u64, _: &str) -> Result<(), Error> {
            Ok(())
        }
        fn about_incident(&mut self, _: u64, _: usize) -> Result<Vec<Line>, Error> {
            Ok(vec![])
        }
        fn keep_secret(&mut self, _: Secret, _: &str, _: &[u8]) -> Result<(), Error> {
            Ok(())
        }
        fn secret(&mut self, _: Secret, _: &str) -> Result<Option<Vec<u8>>, Error> {
            Ok(None)
        }
        fn secrets(&mut self, _: Secret) -> Result<Vec<(String, Vec<u8>)>, Error> {
            Ok(vec![])
        }
        fn forget_secret(&mut self, _: Secret, _: &str) -> Result<(), Error> {
            Ok(())
        }
    }

    fn next(head: &mut Head) -> Vec<Line> {
        let line = head.next(Wall::default(), "{}".into());
        *head = Head::after(&line);
        vec![line]
    }

    fn started(shelf: &Shelf) -> (Writer, mpsc::Receiver<Progress>) {
        let (tell, told) = mpsc::channel();
        let writer =
            Writer::start(Box::new(shelf.clone()), Head::default(), move |p| drop(tell.send(p))).unwrap();
        (writer, told)
    }

    #[test]
    fn what_was_queued_is_written_before_the_writer_ends() {
        let (shelf, mut head) = (Shelf::default(), Head::default());
        let (writer, _told) = started(&shelf);
        (0..3000).for_each(|_| writer.append(next(&mut head)));
        drop(writer);
        let shelf = shelf.0.lock().unwrap();
        assert_eq!(shelf.lines.len(), 3000);
        assert!(shelf.batches.len() < 3000, "commits are grouped");
    }

    #[test]
    fn a_failing_disk_delays_and_loses_nothing() {
        let (shelf, mut head) = (Shelf::default(), Head::default());
        shelf.0.lock().unwrap().fails = true;
        let (writer, told) = started(&shelf);
        writer.append(next(&mut head));
        assert!(matches!(told.recv().unwrap(), Progress::Failing(_)));
        writer.append(next(&mut head));
        assert!(matches!(told.recv().unwrap(), Progress::Failing(_)));
        shelf.0.lock().unwrap().fails = false;
        let last = std::iter::from_fn(|| told.recv().ok()).find(|p| !matches!(p, Progress::Failing(_)));
        assert_eq!(last, Some(Progress::Durable(2)));
    }

    #[test]
    fn another_writer_is_fatal() {
        let (shelf, mut head) = (Shelf::default(), Head::default());
        let (writer, told) = started(&shelf);
        writer.append(next(&mut head));
        assert_eq!(told.recv().unwrap(), Progress::Durable(1));
        shelf.0.lock().unwrap().lines.extend(next(&mut head.clone()));
        writer.append(next(&mut head));
        assert!(matches!(told.recv().unwrap(), Progress::Fatal(_)));
    }
}
