use quinn::{ConnectionError, VarInt};
use std::fmt;

/// What a loop should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It may pass by itself: try again after the back-off.
    Retryable,
    /// Somebody has to do something. Try again all the same, at the slow end of the back-off, and raise a fault.
    Fatal,
}

/// Why an end closes a connection: the QUIC application error code (RFC 9000 section 20.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// 0: nothing more to say.
    Done,
    /// 1: a planned restart; come back at once.
    BackAtOnce,
    /// 2: the box is not (or no longer) in the register.
    NotRegistered,
    /// 3: the same box has come back over the same path.
    Replaced,
    /// 4: an enrolled box's connection without a certificate.
    NoCertificate,
    /// 5: too many of this kind at once.
    Busy,
    /// 6: what was asked for did not come in time.
    TooSlow,
    /// Of a newer version.
    Other(u64),
}

impl Reason {
    /// The code on the wire.
    pub fn code(self) -> u64 {
        match self {
            Self::Done => 0,
            Self::BackAtOnce => 1,
            Self::NotRegistered => 2,
            Self::Replaced => 3,
            Self::NoCertificate => 4,
            Self::Busy => 5,
            Self::TooSlow => 6,
            Self::Other(code) => code,
        }
    }

    /// Reads the code.
    pub fn from_code(code: u64) -> Self {
        match code {
            0 => Self::Done,
            1 => Self::BackAtOnce,
            2 => Self::NotRegistered,
            3 => Self::Replaced,
            4 => Self::NoCertificate,
            5 => Self::Busy,
            6 => Self::TooSlow,
            other => Self::Other(other),
        }
    }

    pub(crate) fn var(self) -> VarInt {
        VarInt::from_u64(self.code()).unwrap_or(VarInt::MAX)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("nothing more to say"),
            Self::BackAtOnce => f.write_str("planned restart"),
            Self::NotRegistered => f.write_str("the box is not in the rack's register: give it a new ticket"),
            Self::Replaced => f.write_str("the same box has come back over the same path"),
            Self::NoCertificate => f.write_str("no certificate was shown"),
            Self::Busy => f.write_str("too many at once"),
            Self::TooSlow => f.write_str("too slow"),
            Self::Other(code) => write!(f, "reason {code} of a newer version"),
        }
    }
}

/// Why a connection has gone, or never came to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// Nothing was heard for the idle timeout.
    #[error("nothing was heard from the other side in time")]
    TimedOut,
    /// The other side has restarted and does not know the connection (stateless reset).
    #[error("the other side has restarted")]
    Reset,
    /// The other side said why.
    #[error("the other side closed the connection: {0}")]
    ByPeer(Reason),
    /// This side did.
    #[error("closed here")]
    ByUs,
    /// The other side does not accept our certificate (TLS alert, RFC 8446 section 6.2).
    #[error("the other side does not accept our certificate (TLS alert {0})")]
    Distrusted(u8),
    /// We do not accept the certificate of the other side.
    #[error("the other side is not who it should be: {0}")]
    Untrusted(String),
    /// Anything else that QUIC or TLS found.
    #[error("{0}")]
    Transport(String),
}

impl Closed {
    /// What a loop should do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::ByPeer(Reason::NotRegistered | Reason::NoCertificate)
            | Self::Distrusted(_)
            | Self::Untrusted(_) => Class::Fatal,
            Self::TimedOut | Self::Reset | Self::ByPeer(_) | Self::ByUs | Self::Transport(_) => {
                Class::Retryable
            }
        }
    }

    /// Whether the other side is there and expects us back.
    pub fn back_at_once(&self) -> bool {
        matches!(self, Self::Reset | Self::ByPeer(Reason::BackAtOnce))
    }
}

/// QUIC carries a TLS alert as error code 0x100 + alert (RFC 9001 section 4.8).
fn alert(code: u64) -> Option<u8> {
    (0x100..0x200).contains(&code).then(|| code.to_be_bytes()[7])
}

/// Alerts that are about a certificate: RFC 8446 section 6.2, bad_certificate (42) to certificate_unknown (46),
/// unknown_ca, access_denied, certificate_required.
fn about_certificate(alert: u8) -> bool {
    matches!(alert, 42..=46 | 48 | 49 | 116)
}

impl From<ConnectionError> for Closed {
    fn from(error: ConnectionError) -> Self {
        let text = error.to_string();
        match error {
            ConnectionError::TimedOut => Self::TimedOut,
            ConnectionError::Reset => Self::Reset,
            ConnectionError::LocallyClosed => Self::ByUs,
            ConnectionError::ApplicationClosed(close) => {
                Self::ByPeer(Reason::from_code(close.error_code.into_inner()))
            }
            ConnectionError::ConnectionClosed(close) => match alert(u64::from(close.error_code)) {
                Some(alert) if about_certificate(alert) => Self::Distrusted(alert),
                Some(_) | None => Self::Transport(text),
            },
            ConnectionError::TransportError(found) => match alert(u64::from(found.code)) {
                Some(alert) if about_certificate(alert) => Self::Untrusted(found.reason),
                Some(_) | None => Self::Transport(text),
            },
            ConnectionError::VersionMismatch | ConnectionError::CidsExhausted => Self::Transport(text),
        }
    }
}

/// A handle on a connection for those who do not hold its session. It does not end with the session: the
/// connection stays open as long as any of them, a stream or the session is held.
#[derive(Clone, Debug)]
pub struct Handle(pub(crate) quinn::Connection);

impl Handle {
    /// Closes the connection and all its streams.
    pub fn close(&self, reason: Reason) {
        self.0.close(reason.var(), b"");
    }

    /// Waits until the connection has gone.
    pub async fn closed(&self) -> Closed {
        self.0.closed().await.into()
    }

    /// Whether both are handles on one connection.
    pub fn same(&self, other: &Self) -> bool {
        self.0.stable_id() == other.0.stable_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back() {
        for code in 0..10 {
            assert_eq!(Reason::from_code(code).code(), code);
        }
        assert_eq!(Reason::BackAtOnce.code(), 1, "the codes are on the wire and never change");
        assert_eq!(Reason::TooSlow.code(), 6);
    }

    #[test]
    fn alerts_are_told_apart() {
        assert_eq!(alert(0x130), Some(48));
        assert_eq!(alert(0x200), None);
        assert!(about_certificate(116) && !about_certificate(120));
    }
}
