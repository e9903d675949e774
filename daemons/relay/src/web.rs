//! The certificates that browsers know by their hash: the present one and, before it ends, the next.

use alarm::Wall;
use base64::prelude::{BASE64_STANDARD, Engine};
use link::Clock;
use link::media::{WEB_LIFE, WebCertificate};
use std::time::Duration;
use tokio::sync::watch;

/// How often their age is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// The next one is made this long before the present one ends: consoles have days to hear of it.
const NEXT_BEFORE: Duration = Duration::from_secs(4 * 24 * 3600);
/// The present one gives way this long before it ends.
const SWITCH_BEFORE: Duration = Duration::from_secs(24 * 3600);

/// SHA-256 of a certificate.
pub(crate) type Hash = [u8; 32];

/// The present certificate and the next.
pub(crate) struct Certificates {
    names: Vec<String>,
    present: WebCertificate,
    next: Option<WebCertificate>,
    shown: watch::Sender<WebCertificate>,
    hashes: watch::Sender<Vec<Hash>>,
}

/// What follows from their age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    MakeNext,
    Switch,
}

impl Certificates {
    /// Makes the first one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make(now: Wall, names: Vec<String>) -> anyhow::Result<Self> {
        let present = WebCertificate::make(now, &names)?;
        let (shown, hashes) = (watch::Sender::new(present.clone()), watch::Sender::default());
        let certificates = Self { names, present, next: None, shown, hashes };
        certificates.hashes.send_replace(certificates.both());
        Ok(certificates)
    }

    /// The one that is shown.
    pub(crate) fn shown(&self) -> watch::Receiver<WebCertificate> {
        self.shown.subscribe()
    }

    /// The hashes of both, the present one first.
    pub(crate) fn hashes(&self) -> watch::Receiver<Vec<Hash>> {
        self.hashes.subscribe()
    }

    fn both(&self) -> Vec<Hash> {
        let both = [Some(&self.present), self.next.as_ref()];
        both.into_iter().flatten().map(|certificate| *certificate.hash.as_bytes()).collect()
    }

    fn due(&self, now: Wall) -> Due {
        // A clock that has jumped by more than a life says nothing about the certificate: a new one is made.
        let left = self.present.until.since(now).min(WEB_LIFE);
        match &self.next {
            None if left < NEXT_BEFORE => Due::MakeNext,
            Some(_) if left < SWITCH_BEFORE => Due::Switch,
            None | Some(_) => Due::Nothing,
        }
    }

    fn tend(&mut self, now: Wall) -> anyhow::Result<()> {
        match self.due(now) {
            Due::Nothing => return Ok(()),
            Due::MakeNext => self.next = Some(WebCertificate::make(now, &self.names)?),
            Due::Switch => {
                if let Some(next) = self.next.take() {
                    self.shown.send_replace(next.clone());
                    self.present = next;
                }
            }
        }
        self.hashes.send_replace(self.both());
        Ok(())
    }

    /// Renews them until the daemon ends.
    ///
    /// # Errors
    /// When one cannot be made.
    pub(crate) async fn keep(mut self, clock: Clock) -> anyhow::Result<()> {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.tend(clock.now())?;
        }
    }
}

/// As the desk passes them on to browsers.
pub(crate) fn to_base64(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect()
}

/// Hexadecimal, as the browsers' library asks for it.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_is_known_days_before_it_is_shown() {
        let day = Duration::from_secs(24 * 3600);
        let start = Wall::from_millis(1_800_000_000_000);
        let mut certificates = Certificates::make(start, vec!["localhost".into()]).unwrap();
        assert_eq!(certificates.due(start + day * 7), Due::Nothing);
        assert_eq!(certificates.due(start + day * 9), Due::MakeNext);
        let now = start + day * 9;
        certificates.tend(now).unwrap();
        let both = certificates.hashes().borrow().clone();
        assert_eq!(both.len(), 2);
        assert_eq!(certificates.due(now), Due::Nothing);
        certificates.tend(start + day * 12).unwrap();
        assert_eq!(*certificates.hashes().borrow(), both[1..]);
        assert_eq!(certificates.shown().borrow().hash.as_bytes(), &both[1]);
    }
}
