//! The journal's hash chain: what was written holds, and one change anywhere is found, at its line.
//!
//! Text: the first line tells the change (two characters: what, and where), the others are the journal's lines.

#![no_main]

use alarm::Wall;
use alarm::chain::{Broken, Head, Line, Walk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((&[what, place, ..], journal)) =
        text.split_once('\n').map(|(first, rest)| (first.as_bytes(), rest))
    else {
        return;
    };
    let (lines, head) = written(journal);
    assert_eq!(verify(&lines, head), Ok(head));
    let place = usize::from(place) % lines.len();
    if let Some((altered, line)) = alter(lines, what, place) {
        let broken = verify(&altered, head).expect_err("a change is found");
        assert_eq!(named(&broken), line, "{broken}");
    }
});

fn written(journal: &str) -> (Vec<Line>, Head) {
    let mut head = Head::default();
    let write = |(n, text): (usize, &str)| {
        let at = Wall::from_millis(i64::try_from(n).expect("few lines") * 1000);
        let line = head.next(at, text.to_owned());
        head = Head::after(&line);
        line
    };
    (journal.split('\n').enumerate().map(write).collect(), head)
}

fn verify(lines: &[Line], head: Head) -> Result<Head, Broken> {
    let mut walk = Walk::default();
    lines.iter().try_for_each(|line| walk.step(line))?;
    walk.end(head)
}

/// The journal with one change, and the line that must be named. `None` when this would change nothing.
fn alter(mut lines: Vec<Line>, what: u8, place: usize) -> Option<(Vec<Line>, u64)> {
    let seq = lines[place].seq;
    let last = lines.len() - 1;
    match what {
        b'a' => lines[place].text.push('x'),
        b'e' => drop(lines[place].text.pop()?),
        b't' => lines[place].at = Wall::from_millis(lines[place].at.millis() + 1),
        b'h' => lines[place].hash.0[place % 32] ^= 1,
        b'n' => lines[place].seq = u64::MAX - seq,
        b'd' => lines.insert(place, lines[place].clone()),
        b'c' => lines.truncate(place),
        b'o' => drop(lines.remove(place)),
        b's' if place < last => lines.swap(place, place + 1),
        _ => return None,
    }
    // A line too many or too few shows at the place of the next one.
    let line = match what {
        b'd' => seq + 1,
        b'c' => seq - 1,
        b'o' if place == last => seq - 1,
        _ => seq,
    };
    Some((lines, line))
}

fn named(broken: &Broken) -> u64 {
    match *broken {
        Broken::Order { expected, .. } => expected,
        Broken::Altered(seq) | Broken::Added(seq) | Broken::Head(seq) => seq,
        Broken::Cut { found, .. } => found,
    }
}
