//! A piece of memory that is never swapped to a disk and is wiped when it is given back: pictures of a classroom
//! that nobody pressed a button for are nobody's.

use std::collections::VecDeque;

/// Memory in which the oldest piece gives way to the newest.
pub(crate) struct Arena {
    memory: Locked,
    /// Pieces in use, the oldest first.
    used: VecDeque<Place>,
}

/// A piece of an [`Arena`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    from: usize,
    len: usize,
}

impl Arena {
    /// `bytes` long. It works all the same when the kernel does not lock it: ask [`Arena::is_locked`].
    pub(crate) fn new(bytes: usize) -> Self {
        Self { memory: Locked::new(bytes), used: VecDeque::new() }
    }

    /// It cannot be swapped out.
    pub(crate) fn is_locked(&self) -> bool {
        self.memory.locked
    }

    /// Its whole length.
    pub(crate) fn len(&self) -> usize {
        self.memory.bytes.len()
    }

    /// Puts bytes in; `None` when there is no room until something older is given back.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Option<Place> {
        let from = self.room(bytes.len())?;
        let place = Place { from, len: bytes.len() };
        self.memory.bytes[from..from + bytes.len()].copy_from_slice(bytes);
        self.used.push_back(place);
        Some(place)
    }

    /// What lies there.
    pub(crate) fn get(&self, place: Place) -> &[u8] {
        &self.memory.bytes[place.from..place.from + place.len]
    }

    /// Gives the oldest piece back, and wipes it.
    pub(crate) fn give_back(&mut self) {
        if let Some(Place { from, len }) = self.used.pop_front() {
            self.memory.bytes[from..from + len].fill(0);
        }
    }

    /// Where so many bytes fit behind the newest piece, or from the beginning.
    fn room(&self, len: usize) -> Option<usize> {
        let (Some(oldest), Some(newest)) = (self.used.front(), self.used.back()) else {
            return (len <= self.len()).then_some(0);
        };
        let (tail, head) = (oldest.from, newest.from + newest.len);
        if newest.from < tail {
            return (head + len <= tail).then_some(head);
        }
        match (head + len <= self.len(), len <= tail) {
            (true, _) => Some(head),
            (false, true) => Some(0),
            (false, false) => None,
        }
    }
}

struct Locked {
    bytes: Vec<u8>,
    locked: bool,
}

impl Locked {
    #[expect(unsafe_code, reason = "mlock(2) and madvise(2) take a pointer")]
    fn new(len: usize) -> Self {
        // Written once, so that every page is there before it is locked.
        let mut bytes = vec![1_u8; len];
        bytes.fill(0);
        let from = bytes.as_mut_ptr().cast();
        // SAFETY: the range is this vector's own; its length never changes, and it is unlocked before it is freed.
        let locked = unsafe { rustix::mm::mlock(from, len) }.is_ok();
        Self { bytes, locked }
    }
}

impl Drop for Locked {
    #[expect(unsafe_code, reason = "munlock(2) takes a pointer")]
    fn drop(&mut self) {
        self.bytes.fill(0);
        if self.locked {
            // SAFETY: the range that `new` locked. Failing leaves it locked, which harms nobody.
            let _ = unsafe { rustix::mm::munlock(self.bytes.as_mut_ptr().cast(), self.bytes.len()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way_and_is_wiped() {
        let mut arena = Arena::new(10);
        let first = arena.put(b"aaaa").unwrap();
        let second = arena.put(b"bbbb").unwrap();
        assert_eq!(arena.put(b"cccc"), None);
        arena.give_back();
        assert_eq!(arena.get(first), [0; 4]);
        let third = arena.put(b"ccc").unwrap();
        assert_eq!((arena.get(second), arena.get(third)), (&b"bbbb"[..], &b"ccc"[..]));
        assert_eq!(arena.put(b"dd"), None, "it would touch the oldest");
        assert_eq!(arena.put(b"d").map(|place| place.from), Some(3));
    }

    #[test]
    fn what_is_longer_than_all_of_it_never_fits() {
        let mut arena = Arena::new(4);
        assert_eq!(arena.put(b"12345"), None);
        assert!(arena.put(b"1234").is_some());
        arena.give_back();
        assert!(arena.put(b"4321").is_some());
    }

    /// Any order of lengths: what is in it reads back, nothing overlaps.
    #[test]
    fn what_is_in_it_reads_back() {
        let mut arena = Arena::new(1000);
        let mut known: VecDeque<(Place, Vec<u8>)> = VecDeque::new();
        for n in 0..5000_usize {
            let bytes = vec![u8::try_from(n % 251).unwrap(); n * 7919 % 300];
            let place = loop {
                if let Some(place) = arena.put(&bytes) {
                    break place;
                }
                arena.give_back();
                known.pop_front();
            };
            known.push_back((place, bytes));
            assert!(known.iter().all(|(place, bytes)| arena.get(*place) == bytes), "{n}");
        }
    }
}
