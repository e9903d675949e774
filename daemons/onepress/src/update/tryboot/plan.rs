//! What `autoboot.txt` says and what it is made to say. No disk here.
//!
//! ```text
//!                stage: b's files       restart "0 tryboot"             healthy: commit
//!  Settled(a) ─────────────────▶ Settled(a) ─────────────▶ Trial(b) ──────────────────▶ Settled(b)
//!  usual=a trial=b                  ▲                        │                          usual=b trial=a
//!                                   └────────────────────────┘
//!                                    crash, hang (watchdog), power cut, any plain restart: the flag is for once
//! ```
//!
//! The change from one settled state to the other is one write of one block, in which two digits differ. Torn anywhere
//! between, the file still names a boot partition that is whole: before the first digit the old one, after it the new
//! one, which has been found healthy. Only a block that a card loses altogether is beyond help: the firmware then finds
//! nothing to start on partition 1.
//!
//! Raspberry Pi documentation, "autoboot.txt" and "tryboot".

use std::fmt;

/// One of the two boot partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Partition 2.
    A,
    /// Partition 3.
    B,
}

impl Slot {
    /// As the firmware counts.
    pub fn partition(self) -> u32 {
        match self {
            Self::A => 2,
            Self::B => 3,
        }
    }

    /// The slot of a partition.
    pub fn of(partition: u32) -> Option<Self> {
        [Self::A, Self::B].into_iter().find(|slot| slot.partition() == partition)
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// Longest `autoboot.txt` that the firmware reads: one block.
pub const AUTOBOOT_MAX: usize = 512;

/// What `autoboot.txt` says. Either can be lost in a torn or strange file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoboot {
    /// Started after power-on and a plain restart.
    pub usual: Option<Slot>,
    /// Started once after `reboot "0 tryboot"`.
    pub trial: Option<Slot>,
}

impl Autoboot {
    /// The one that goes with a slot.
    pub fn settled(usual: Slot) -> Self {
        Self { usual: Some(usual), trial: Some(usual.other()) }
    }

    /// Reads the text as the firmware does: what a filter leads in counts, the last word on a key wins.
    pub fn read(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&text[..text.len().min(AUTOBOOT_MAX)]);
        let (mut of_trial, mut of_usual) = (true, true);
        let mut found = Self { usual: None, trial: None };
        let mut pairs = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                (of_usual, of_trial) = (line == "[all]", line == "[all]" || line == "[tryboot]");
            } else if let Some(number) = line.strip_prefix("boot_partition=") {
                let slot = number.parse().ok().and_then(Slot::of);
                found.usual = if of_usual { slot } else { found.usual };
                found.trial = if of_trial { slot } else { found.trial };
            } else if line == "tryboot_a_b=1" {
                pairs |= of_trial;
            }
        }
        // Without it the firmware would look for tryboot.txt in the partition.
        if pairs { found } else { Self { trial: None, ..found } }
    }

    /// The text, of this length so that it takes the place of another without a change of the folder.
    ///
    /// # Errors
    /// The shortest length there is.
    pub fn text(usual: Slot, length: usize) -> Result<Vec<u8>, usize> {
        let (usual, trial) = (usual.partition(), usual.other().partition());
        let text =
            format!("[all]\ntryboot_a_b=1\nboot_partition={usual}\n[tryboot]\nboot_partition={trial}\n");
        let mut text = text.into_bytes();
        if text.len() > length {
            return Err(text.len());
        }
        text.resize(length, b'\n');
        Ok(text)
    }
}

/// How the Pi came up, and what the file says now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The slot whose kernel runs.
    pub booted: Slot,
    /// The file.
    pub autoboot: Autoboot,
}

/// Where the Pi is in the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// What runs is what would be started again.
    Settled(Slot),
    /// What runs was started for once.
    Trial(Slot),
}

/// What a healthy boot has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// It is what is started.
    AlreadySo(Slot),
    /// The file has to say so.
    Write(Slot),
}

impl Seen {
    /// Where it is.
    pub fn state(self) -> State {
        if self.autoboot.usual == Some(self.booted) {
            State::Settled(self.booted)
        } else {
            State::Trial(self.booted)
        }
    }

    /// What a healthy boot does. It also mends a file that was torn.
    pub fn healthy(self) -> Commit {
        if self.autoboot == Autoboot::settled(self.booted) {
            Commit::AlreadySo(self.booted)
        } else {
            Commit::Write(self.booted)
        }
    }

    /// Where an update goes. `None` during a trial: the other slot is the one to come back to.
    pub fn target(self) -> Option<Slot> {
        match self.state() {
            State::Settled(slot) => Some(slot.other()),
            State::Trial(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Slot::{A, B};
    use super::*;
    use proptest::prelude::*;

    fn says(usual: Option<Slot>, trial: Option<Slot>) -> Autoboot {
        Autoboot { usual, trial }
    }

    #[test]
    fn the_whole_table() {
        // what runs, what the file says; where that is, where an update goes, what a healthy boot does
        let table = [
            (A, says(Some(A), Some(B)), State::Settled(A), Some(B), Commit::AlreadySo(A)),
            (B, says(Some(A), Some(B)), State::Trial(B), None, Commit::Write(B)),
            (B, says(Some(B), Some(A)), State::Settled(B), Some(A), Commit::AlreadySo(B)),
            (A, says(Some(B), Some(A)), State::Trial(A), None, Commit::Write(A)),
            // torn between the two digits
            (B, says(Some(B), Some(B)), State::Settled(B), Some(A), Commit::Write(B)),
            (A, says(Some(A), Some(A)), State::Settled(A), Some(B), Commit::Write(A)),
            // by hand, or lost
            (A, says(None, None), State::Trial(A), None, Commit::Write(A)),
            (A, says(Some(A), None), State::Settled(A), Some(B), Commit::Write(A)),
            (B, says(None, Some(B)), State::Trial(B), None, Commit::Write(B)),
        ];
        for (booted, autoboot, state, target, commit) in table {
            let seen = Seen { booted, autoboot };
            assert_eq!((seen.state(), seen.target(), seen.healthy()), (state, target, commit), "{seen:?}");
        }
    }

    #[test]
    fn texts_as_the_firmware_reads_them() {
        let table = [
            ("[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n", says(Some(A), Some(B))),
            ("tryboot_a_b=1\nboot_partition=3\n", says(Some(B), Some(B))),
            ("[all]\nboot_partition=2\n[tryboot]\nboot_partition=3\n", says(Some(A), None)),
            ("[pi5]\ntryboot_a_b=1\nboot_partition=3\n", says(None, None)),
            ("tryboot_a_b=1\r\nboot_partition=2\r\n", says(Some(A), Some(A))),
            ("boot_partition=1\n", says(None, None)),
            ("", says(None, None)),
        ];
        for (text, autoboot) in table {
            assert_eq!(Autoboot::read(text.as_bytes()), autoboot, "{text:?}");
        }
    }

    #[test]
    fn a_text_is_as_long_as_the_one_before_and_one_block_at_most() {
        let least = Autoboot::text(A, 0).unwrap_err();
        assert!(least < AUTOBOOT_MAX);
        for length in [least, least + 1, AUTOBOOT_MAX] {
            let (a, b) = (Autoboot::text(A, length).unwrap(), Autoboot::text(B, length).unwrap());
            assert_eq!((a.len(), b.len()), (length, length));
            assert_eq!(Autoboot::read(&a), Autoboot::settled(A));
            assert_eq!(a.iter().zip(&b).filter(|(a, b)| a != b).count(), 2, "two digits differ");
        }
        assert_eq!(Autoboot::text(A, least - 1), Err(least));
    }

    #[test]
    fn a_file_torn_at_any_byte_from_either_end_names_a_whole_partition() {
        let (old, new) = (Autoboot::text(A, 128).unwrap(), Autoboot::text(B, 128).unwrap());
        for cut in 0..=old.len() {
            for torn in [[&new[..cut], &old[cut..]].concat(), [&old[..cut], &new[cut..]].concat()] {
                assert!(Autoboot::read(&torn).usual.is_some(), "{cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Autoboot::read(&text);
        }
    }
}
