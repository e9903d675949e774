//! The journal in one SQLite file: write-ahead log, `synchronous=FULL`, one writer.

use crate::key::HeadKey;
use crate::store::{self, Appended, Error, Loaded, Secret, Store};
use alarm::Wall;
use alarm::chain::{Hash, Head, Line};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Given up when the disk is full, so that alarms can still be written: some 20,000 of them.
const RESERVE: usize = 8 * 1024 * 1024;
/// Another process may hold the file for a moment (a backup, `journal verify`).
const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS journal_incident ON journal (json_extract(text, '$.incident')) WHERE json_extract(text, '$.incident') IS NOT NULL;
CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL, signature BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS snapshot (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS secret (kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, name)) STRICT;
";

/// A journal in a SQLite file.
pub struct Sqlite {
    connection: Connection,
    key: HeadKey,
    reserve: PathBuf,
}

impl Sqlite {
    /// Opens or makes the journal at `path`; `key` signs its heads.
    ///
    /// # Errors
    /// [`Error::Medium`] names the file.
    pub fn open(path: &Path, key: HeadKey) -> Result<Self, Error> {
        let named = |error: rusqlite::Error| Error::Medium(format!("{}: {error}", path.display()));
        let connection = Connection::open(path).map_err(named)?;
        connection.busy_timeout(BUSY).map_err(named)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(named)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(named)?;
        connection.execute_batch(SCHEMA).map_err(named)?;
        let store = Self { connection, key, reserve: path.with_extension("reserve") };
        store.keep_reserve();
        Ok(store)
    }

    /// A full disk is not an error here: it is found when something is to be written.
    fn keep_reserve(&self) {
        let whole = fs::metadata(&self.reserve).is_ok_and(|meta| meta.len() == RESERVE as u64);
        if whole {
            return;
        }
        let filled = fs::File::create(&self.reserve).and_then(|mut file| {
            file.write_all(&vec![0; RESERVE])?;
            file.sync_all()
        });
        if filled.is_err() {
            let _ = fs::remove_file(&self.reserve);
        }
    }

    fn append_once(&mut self, expected: Head, lines: &[Line]) -> Result<(), Error> {
        let transaction = self.connection.transaction().map_err(medium)?;
        let found = read_head(&transaction)?;
        if found != expected {
            return Err(Error::Conflict { expected: expected.seq, found: found.seq });
        }
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO journal (seq, at, text, hash) VALUES (?1, ?2, ?3, ?4)")
                .map_err(medium)?;
            for line in lines {
                let row = params![signed(line.seq), line.at.millis(), line.text, line.hash.0];
                insert.execute(row).map_err(medium)?;
            }
        }
        let head = lines.last().map_or(expected, Head::after);
        let signature = self.key.sign(head);
        let row = params![signed(head.seq), head.hash.0, signature];
        transaction
            .execute("INSERT OR REPLACE INTO head (one, seq, hash, signature) VALUES (1, ?1, ?2, ?3)", row)
            .map_err(medium)?;
        transaction.commit().map_err(medium)
    }
}

impl Store for Sqlite {
    fn load(&mut self, from: store::From) -> Result<Loaded, Error> {
        let head = read_head(&self.connection)?;
        let snapshot: Option<(i64, String)> = self
            .connection
            .query_row("SELECT seq, text FROM snapshot", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(medium)?;
        let snapshot =
            snapshot.filter(|_| from == store::From::Snapshot).map(|(seq, text)| (unsigned(seq), text));
        let after = snapshot.as_ref().map_or(0, |(seq, _)| *seq);
        let lines = self.lines(
            "SELECT seq, at, text, hash FROM journal WHERE seq > ?1 ORDER BY seq",
            after,
            u64::MAX,
        )?;
        let last = lines.last().map_or(after, |line| line.seq);
        if last != head.seq {
            return Err(Error::Damaged(format!("it ends at line {last}, its head is line {}", head.seq)));
        }
        Ok(Loaded { snapshot, lines, head })
    }

    fn append(&mut self, expected: Head, lines: &[Line]) -> Result<Appended, Error> {
        match self.append_once(expected, lines) {
            Err(Error::Full) if self.reserve.exists() => {
                let _ = fs::remove_file(&self.reserve);
                self.append_once(expected, lines).map(|()| Appended::FromReserve)
            }
            Ok(()) if !self.reserve.exists() => {
                self.keep_reserve();
                Ok(if self.reserve.exists() { Appended::Plainly } else { Appended::FromReserve })
            }
            other => other.map(|()| Appended::Plainly),
        }
    }

    fn snapshot(&mut self, seq: u64, text: &str) -> Result<(), Error> {
        let row = params![signed(seq), text];
        let put = "INSERT OR REPLACE INTO snapshot (one, seq, text) VALUES (1, ?1, ?2)";
        self.connection.execute(put, row).map(|_| ()).map_err(medium)
    }

    fn about_incident(&mut self, incident: u64, most: usize) -> Result<Vec<Line>, Error> {
        let query = "SELECT seq, at, text, hash FROM journal WHERE json_extract(text, '$.incident') = ?1 ORDER BY seq LIMIT ?2";
        self.lines(query, incident, u64::try_from(most).unwrap_or(u64::MAX))
    }

    fn keep_secret(&mut self, kind: Secret, name: &str, value: &[u8]) -> Result<(), Error> {
        let put = "INSERT OR REPLACE INTO secret (kind, name, value) VALUES (?1, ?2, ?3)";
        self.connection.execute(put, params![word(kind), name, value]).map(|_| ()).map_err(medium)
    }

    fn secret(&mut self, kind: Secret, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let get = "SELECT value FROM secret WHERE kind = ?1 AND name = ?2";
        self.connection.query_row(get, params![word(kind), name], |row| row.get(0)).optional().map_err(medium)
    }

    fn secrets(&mut self, kind: Secret) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let get = "SELECT name, value FROM secret WHERE kind = ?1 ORDER BY name";
        let mut statement = self.connection.prepare_cached(get).map_err(medium)?;
        let rows = statement.query_map([word(kind)], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.and_then(Iterator::collect).map_err(medium)
    }

    fn forget_secret(&mut self, kind: Secret, name: &str) -> Result<(), Error> {
        let delete = "DELETE FROM secret WHERE kind = ?1 AND name = ?2";
        self.connection.execute(delete, params![word(kind), name]).map(|_| ()).map_err(medium)
    }
}

impl Sqlite {
    /// Runs a query of `(seq, at, text, hash)` with one number, and a limit when the query has a second place.
    fn lines(&self, query: &str, first: u64, most: u64) -> Result<Vec<Line>, Error> {
        let mut statement = self.connection.prepare_cached(query).map_err(medium)?;
        let lines = if statement.parameter_count() == 2 {
            statement.query_map(params![signed(first), signed(most)], line)
        } else {
            statement.query_map(params![signed(first)], line)
        };
        lines.and_then(Iterator::collect).map_err(medium)
    }
}

/// Where the stored journal ends, by its own word.
pub(crate) fn read_head(connection: &Connection) -> Result<Head, Error> {
    let head = connection
        .query_row("SELECT seq, hash FROM head", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?))
        })
        .optional()
        .map_err(medium)?;
    Ok(head.map_or_else(Head::default, |(seq, hash)| Head { seq: unsigned(seq), hash: Hash(hash) }))
}

/// One row of `(seq, at, text, hash)`.
pub(crate) fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    let at = Wall::from_millis(row.get(1)?);
    Ok(Line { seq: unsigned(row.get(0)?), at, text: row.get(2)?, hash: Hash(row.get(3)?) })
}

fn word(kind: Secret) -> &'static str {
    match kind {
        Secret::Ticket => "ticket",
        Secret::Password => "password",
        Secret::Session => "session",
    }
}

/// SQLite has signed integers only; journal numbers never come near their end.
fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

pub(crate) fn medium(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Damaged(error.to_string()),
        Some(_) | None => Error::Medium(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(dir: &Path) -> Sqlite {
        let key = HeadKey::load_or_make(&dir.join("journal.key")).unwrap();
        Sqlite::open(&dir.join("journal.db"), key).unwrap()
    }

    fn lines(mut head: Head, n: u64) -> Vec<Line> {
        (0..n)
            .map(|n| {
                let line =
                    head.next(Wall::from_millis(5), format!(r#"{{"event":"x","incident":{}}}"#, n % 3));
                head = Head::after(&line);
                line
            })
            .collect()
    }

    #[test]
    fn what_is_appended_is_there_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let first = lines(Head::default(), 9);
        opened(dir.path()).append(Head::default(), &first).unwrap();
        let mut again = opened(dir.path());
        let loaded = again.load(store::From::Snapshot).unwrap();
        assert_eq!((loaded.lines.len(), loaded.head), (9, Head::after(&first[8])));
        let about = again.about_incident(1, 2).unwrap();
        assert_eq!(about.iter().map(|line| line.seq).collect::<Vec<_>>(), [2, 5]);
        again.snapshot(4, "{}").unwrap();
        let loaded = again.load(store::From::Snapshot).unwrap();
        assert_eq!((loaded.snapshot, loaded.lines.len()), (Some((4, "{}".into())), 5));
        assert_eq!(again.load(store::From::Start).unwrap().lines.len(), 9);
    }

    #[test]
    fn an_append_that_does_not_follow_is_a_conflict_and_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut two) = (opened(dir.path()), opened(dir.path()));
        let first = lines(Head::default(), 2);
        one.append(Head::default(), &first).unwrap();
        let late = two.append(Head::default(), &first);
        assert!(matches!(late, Err(Error::Conflict { expected: 0, found: 2 })), "{late:?}");
        let head = Head::after(&first[1]);
        two.append(head, &lines(head, 1)).unwrap();
        assert_eq!(one.load(store::From::Snapshot).unwrap().lines.len(), 3);
    }

    #[test]
    fn a_full_disk_gives_up_the_reserve_and_then_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = opened(dir.path());
        assert!(store.reserve.exists());
        let pages: i64 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        store.connection.pragma_update(None, "max_page_count", pages + 20).unwrap();
        let mut head = Head::default();
        let full = loop {
            let more = lines(head, 50);
            match store.append(head, &more) {
                Ok(_) => head = Head::after(&more[49]),
                Err(error) => break error,
            }
        };
        assert!(matches!(full, Error::Full) && !store.reserve.exists(), "{full}");
        assert_eq!(
            store.load(store::From::Snapshot).unwrap().head,
            head,
            "what was appended before is whole"
        );
        store.connection.pragma_update(None, "max_page_count", pages + 10_000).unwrap();
        let more = lines(head, 50);
        assert_eq!(store.append(head, &more).unwrap(), Appended::Plainly);
        assert!(store.reserve.exists(), "the reserve is kept again when there is room");
    }

    #[test]
    fn secrets_stay_beside_the_journal() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = opened(dir.path());
        store.keep_secret(Secret::Password, "li", b"hash").unwrap();
        assert_eq!(store.secret(Secret::Password, "li").unwrap(), Some(b"hash".to_vec()));
        assert_eq!(store.secret(Secret::Ticket, "li").unwrap(), None);
        assert_eq!(store.secrets(Secret::Password).unwrap(), [("li".to_owned(), b"hash".to_vec())]);
        store.forget_secret(Secret::Password, "li").unwrap();
        assert_eq!(store.secret(Secret::Password, "li").unwrap(), None);
        assert!(store.load(store::From::Snapshot).unwrap().lines.is_empty());
    }
}
