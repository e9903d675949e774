//! The check that a journal is what was written: `onepress journal verify`.

use crate::key::PublicKey;
use crate::sqlite::{line, read_head};
use crate::store::Error;
use alarm::chain::{Broken, Head, Walk};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::path::Path;

/// Why a journal is not to be trusted, and where.
#[derive(Debug, thiserror::Error)]
pub enum NotTrue {
    /// The chain is broken.
    #[error(transparent)]
    Chain(#[from] Broken),
    /// The head is not signed by this rack's key.
    #[error("the head (line {0}) is not signed by this key")]
    Signature(u64),
    /// There are lines and no head.
    #[error("the journal has no signed head")]
    NoHead,
    /// The file itself is damaged.
    #[error("the file is damaged after line {after}: {reason}")]
    File {
        /// Last line that could be read and is true.
        after: u64,
        /// What the database says.
        reason: String,
    },
}

/// Walks the whole journal at `path`, read-only, and compares its end with the head signed by `key`.
///
/// # Errors
/// [`NotTrue`] names the first place that does not hold.
pub fn verify(path: &Path, key: &PublicKey) -> Result<Head, NotTrue> {
    let mut walk = Walk::default();
    let outcome = walk_all(path, key, &mut walk);
    outcome.map_err(|error| match error {
        Stop::NotTrue(not_true) => not_true,
        Stop::File(reason) => NotTrue::File { after: walk.head().seq, reason },
    })
}

enum Stop {
    NotTrue(NotTrue),
    File(String),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error.to_string())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::File(error.to_string())
    }
}

impl From<NotTrue> for Stop {
    fn from(error: NotTrue) -> Self {
        Self::NotTrue(error)
    }
}

impl From<Broken> for Stop {
    fn from(error: Broken) -> Self {
        Self::NotTrue(error.into())
    }
}

fn walk_all(path: &Path, key: &PublicKey, walk: &mut Walk) -> Result<Head, Stop> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // One transaction: the head and the lines are of the same moment, also while the desk writes.
    connection.execute_batch("BEGIN")?;
    let mut statement = connection.prepare("SELECT seq, at, text, hash FROM journal ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        walk.step(&line(row)?)?;
    }
    let head = read_head(&connection)?;
    let end = walk.end(head)?;
    let signature: Option<Vec<u8>> =
        connection.query_row("SELECT signature FROM head", [], |row| row.get(0)).optional()?;
    match signature {
        Some(signature) if key.signed(head, &signature) => Ok(sound(&connection, end)?),
        Some(_) => Err(NotTrue::Signature(head.seq).into()),
        None => Err(NotTrue::NoHead.into()),
    }
}

/// The database's own check, for pages that hold no line.
fn sound(connection: &Connection, end: Head) -> Result<Head, Stop> {
    let word: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if word == "ok" { Ok(end) } else { Err(Stop::File(word)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HeadKey, Sqlite, Store};
    use alarm::Wall;
    use alarm::chain::Line;
    use std::fs;

    fn journal(dir: &Path, lines: u64) -> PublicKey {
        let key = HeadKey::load_or_make(&dir.join("journal.key")).unwrap();
        let public = key.public();
        let mut store = Sqlite::open(&dir.join("journal.db"), key).unwrap();
        let mut head = Head::default();
        for n in 0..lines {
            let text = format!(r#"{{"event":"progressed","incident":{n},"note":"报警 {}"}}"#, "x".repeat(40));
            let line = head.next(Wall::from_millis(1_700_000_000_000 + i64::try_from(n).unwrap()), text);
            store.append(head, std::slice::from_ref(&line)).unwrap();
            head = Head::after(&line);
        }
        public
    }

    fn content(path: &Path) -> Option<Vec<Line>> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        let mut statement =
            connection.prepare("SELECT seq, at, text, hash FROM journal ORDER BY seq").ok()?;
        statement.query_map([], line).ok()?.collect::<Result<_, _>>().ok()
    }

    #[test]
    fn a_true_journal_is_true_and_another_key_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let public = journal(dir.path(), 20);
        assert_eq!(verify(&dir.path().join("journal.db"), &public).unwrap().seq, 20);
        let other = tempfile::tempdir().unwrap();
        let stranger = HeadKey::load_or_make(&other.path().join("k")).unwrap().public();
        assert!(matches!(verify(&dir.path().join("journal.db"), &stranger), Err(NotTrue::Signature(20))));
    }

    #[test]
    fn what_a_database_tool_can_do_is_found() {
        let tricks: [(&str, u64); 7] = [
            ("UPDATE journal SET text = replace(text, 'progressed', 'xrogressed') WHERE seq = 7", 7),
            ("UPDATE journal SET at = at + 1 WHERE seq = 7", 7),
            ("DELETE FROM journal WHERE seq = 7", 7),
            ("DELETE FROM journal WHERE seq = 20", 19),
            ("UPDATE journal SET seq = 21 WHERE seq = 7", 7),
            ("INSERT INTO journal SELECT 21, at, text, hash FROM journal WHERE seq = 20", 21),
            (
                "DELETE FROM journal WHERE seq > 10; UPDATE head SET seq = 10, hash = (SELECT hash FROM journal WHERE seq = 10)",
                10,
            ),
        ];
        for (trick, place) in tricks {
            let dir = tempfile::tempdir().unwrap();
            let public = journal(dir.path(), 20);
            let path = dir.path().join("journal.db");
            Connection::open(&path).unwrap().execute_batch(trick).unwrap();
            let said = verify(&path, &public).unwrap_err().to_string();
            assert!(said.contains(&format!("line {place}")), "{trick}: {said}");
        }
    }

    /// Every byte of the file in turn: either the check fails, or not one byte of what the journal says changed.
    #[test]
    fn no_flipped_byte_of_the_file_alters_the_journal_unseen() {
        let dir = tempfile::tempdir().unwrap();
        let public = journal(dir.path(), 12);
        let path = dir.path().join("journal.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE; VACUUM")
            .unwrap();
        let (whole, truth) = (fs::read(&path).unwrap(), content(&path).unwrap());
        let (mut found, step) = (0, 3);
        for place in (0..whole.len()).step_by(step) {
            let mut bad = whole.clone();
            bad[place] ^= 1 << (place % 8);
            fs::write(&path, &bad).unwrap();
            match verify(&path, &public) {
                Err(_) => found += 1,
                Ok(_) => assert_eq!(
                    content(&path).unwrap(),
                    truth,
                    "byte {place} of {} changed something",
                    whole.len()
                ),
            }
        }
        assert!(
            found > 500,
            "the flips must hit the journal: only {found} of {} were found",
            whole.len() / step
        );
    }
}
