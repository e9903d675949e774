//! Who may begin a handshake: pure, a table of three counts.
//!
//! A handshake costs the rack one signature and some 36 kB until it ends; who has not proved its address may be
//! a forger of addresses, and who has may still be one host that opens many. Whoever is turned away without an
//! answer repeats its first packet by itself after a moment.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Handshakes under way at once: with 2 ms of work each, all are done well within the limit of one.
pub const HANDSHAKES_MAX: usize = 256;
/// Above this many, an address has to prove itself first (Retry, RFC 9000 section 8.1.2): more than the boxes
/// that come by themselves in one second, fewer than all that come after a restart.
pub const RETRY_ABOVE: usize = 64;
/// Handshakes of one address while there is a crowd, so that one host cannot take every place.
pub const FROM_ONE_ADDRESS: usize = 64;

/// First packets that wait unread: boxes of a whole centre coming back at once.
pub(super) const WAITING_MAX: usize = 2048;
/// Bytes kept for each of them: a first flight is one or two packets.
pub(super) const WAITING_BYTES: u64 = 8 * 1024;
/// Bytes kept for all of them.
pub(super) const WAITING_BYTES_ALL: u64 = 4 * 1024 * 1024;

/// What to do with a first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Begin the handshake.
    Enter,
    /// Let the address prove itself.
    Retry,
    /// Say nothing; it will knock again.
    Later,
}

/// The handshakes under way.
#[derive(Debug, Default)]
pub(super) struct Door {
    inside: usize,
    from: BTreeMap<IpAddr, usize>,
}

impl Door {
    /// Judges a first packet; [`Answer::Enter`] counts until [`Door::leave`].
    pub(super) fn knock(&mut self, from: IpAddr, proved: bool) -> Answer {
        let answer = self.judge(from, proved);
        if answer == Answer::Enter {
            self.inside += 1;
            *self.from.entry(from).or_default() += 1;
        }
        answer
    }

    /// A handshake of this address has ended.
    pub(super) fn leave(&mut self, from: IpAddr) {
        self.inside = self.inside.saturating_sub(1);
        if let Some(count) = self.from.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                self.from.remove(&from);
            }
        }
    }

    fn judge(&self, from: IpAddr, proved: bool) -> Answer {
        let crowd = self.inside >= RETRY_ABOVE;
        let here = self.from.get(&from).copied().unwrap_or(0);
        match (crowd, proved) {
            (false, _) => Answer::Enter,
            (true, false) => Answer::Retry,
            (true, true) if self.inside >= HANDSHAKES_MAX || here >= FROM_ONE_ADDRESS => Answer::Later,
            (true, true) => Answer::Enter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn the_first_enter_unproved_then_addresses_are_proved() {
        let mut door = Door::default();
        for _ in 0..RETRY_ABOVE {
            assert_eq!(door.knock(address(1), false), Answer::Enter);
        }
        assert_eq!(door.knock(address(2), false), Answer::Retry);
        assert_eq!(door.knock(address(2), true), Answer::Enter);
    }

    #[test]
    fn one_host_cannot_take_every_place() {
        let mut door = Door::default();
        while door.knock(address(1), true) == Answer::Enter {}
        assert_eq!(door.inside, FROM_ONE_ADDRESS);
        assert_eq!(door.knock(address(2), true), Answer::Enter);
    }

    #[test]
    fn a_full_house_lets_in_who_comes_when_another_leaves() {
        let mut door = Door::default();
        for host in 0..=255 {
            door.knock(address(host), true);
        }
        assert_eq!(door.inside, HANDSHAKES_MAX);
        let late = IpAddr::from([10, 0, 1, 0]);
        assert_eq!(door.knock(late, true), Answer::Later);
        door.leave(address(9));
        assert_eq!(door.knock(late, true), Answer::Enter);
        for host in 0..=255 {
            door.leave(address(host));
        }
        assert_eq!(door.from.keys().collect::<Vec<_>>(), [&late]);
    }
}
