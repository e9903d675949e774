//! The file of a spool on a disk that may lose its supply: what was not synced is kept up to any byte.

use super::rng::Rng;

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    bytes: Vec<u8>,
    synced: usize,
}

impl Disk {
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn sync(&mut self, upto: usize) {
        self.synced = self.synced.max(upto.min(self.bytes.len()));
    }

    /// Written beside, synced and renamed: whole or not at all.
    pub(super) fn replace(&mut self, bytes: Vec<u8>) {
        self.synced = bytes.len();
        self.bytes = bytes;
    }

    /// Cut at the end, as after a replay that found it torn; synced.
    pub(super) fn truncate(&mut self, to: usize) {
        self.bytes.truncate(to);
        self.synced = self.bytes.len();
    }

    /// The supply fails. Of what was not synced a part is kept, and a byte of it may be garbage.
    pub(super) fn power_cut(&mut self, rng: &mut Rng) {
        let unsynced = self.bytes.len() - self.synced;
        let kept = if rng.chance(40) { unsynced } else { rng.place(unsynced + 1) };
        self.bytes.truncate(self.synced + kept);
        if kept > 0 && rng.chance(30) {
            let spoiled = self.synced + rng.place(kept);
            self.bytes[spoiled] ^= 0x01;
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
