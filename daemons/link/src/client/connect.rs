use super::race::{self, Failure};
use super::socket::{self, Bind};
use super::{Rack, Session};
use crate::cert::Leaf;
use crate::identity::Identity;
use crate::{Class, Clock, Keys, TlsError, tls, transport};
use alarm::PathId;
use alarm::path::{KEEP_ALIVE_METERED, KEEP_ALIVE_WIRED};
use quinn::{ClientConfig, Connection, Endpoint, TokioRuntime};
use rustls::pki_types::CertificateDer;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// One way to the rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Its name.
    pub name: PathId,
    /// What its socket is held to.
    pub bind: Bind,
    /// Whether bytes cost money: signs of life are then further apart.
    pub metered: bool,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The path's interface or source address cannot be used now.
    #[error("path {path} has no socket: {error}")]
    Socket {
        /// Which path.
        path: PathId,
        /// Why.
        error: io::Error,
    },
    /// No address answered as it should.
    #[error("the rack cannot be reached: {}", list(.0))]
    Failed(Vec<Failure>),
    /// The box's own certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

fn list(failures: &[Failure]) -> String {
    let each: Vec<String> = failures.iter().map(|(at, why)| format!("{at}: {why}")).collect();
    each.join("; ")
}

impl ConnectError {
    /// What a loop should do about it: fatal when somebody has to act at every address.
    pub fn class(&self) -> Class {
        match self {
            Self::Tls(_) => Class::Fatal,
            Self::Failed(failures) if failures.iter().all(|(_, why)| why.class() == Class::Fatal) => {
                Class::Fatal
            }
            Self::Socket { .. } | Self::Failed(_) => Class::Retryable,
        }
    }
}

/// Makes the connections of one box, on every path. Clones share the identity, so that a renewal on one path
/// holds for the next connection on all.
#[derive(Clone, Debug)]
pub struct Connector {
    identity: Arc<Mutex<Identity>>,
    keys: Keys,
    clock: Clock,
    paths: Vec<PathId>,
    software: String,
}

impl Connector {
    /// `paths` is every path that the box is set up for, `software` the version that the rack shows.
    pub fn new(identity: Identity, keys: Keys, clock: Clock, paths: Vec<PathId>, software: String) -> Self {
        Self { identity: Arc::new(Mutex::new(identity)), keys, clock, paths, software }
    }

    /// The identity in use.
    pub fn identity(&self) -> Identity {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses another from the next connection on.
    pub fn set_identity(&self, identity: Identity) {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// Connects over one path to the first of the rack's addresses that answers. Every connection has a socket of
    /// its own, so that a new address or interface is found by trying again. A rack that does not accept the
    /// box's certificate may say so only after this has returned: [`Session::closed`] then tells.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(&self, path: &Path) -> Result<Session, ConnectError> {
        let identity = self.identity();
        let endpoint = self.endpoint(path)?;
        let config = config(&identity, path, &self.clock)?;
        let raced = race::first(&endpoint, &config, identity.racks()).await;
        let connection = raced.map_err(ConnectError::Failed)?;
        let rack = Rack::new(&connection, &self.clock);
        Ok(Session::new(endpoint, connection, rack, self.about(path)))
    }

    fn endpoint(&self, path: &Path) -> Result<Endpoint, ConnectError> {
        let failed = |error| ConnectError::Socket { path: path.name.clone(), error };
        let socket = socket::open(&path.bind).map_err(failed)?;
        Endpoint::new(self.keys.endpoint(), None, socket, Arc::new(TokioRuntime)).map_err(failed)
    }

    fn about(&self, path: &Path) -> super::session::About {
        super::session::About {
            path: path.name.clone(),
            paths: self.paths.clone(),
            software: self.software.clone(),
            clock: self.clock.clone(),
        }
    }
}

fn config(identity: &Identity, path: &Path, clock: &Clock) -> Result<ClientConfig, TlsError> {
    let keep_alive = if path.metered { KEEP_ALIVE_METERED } else { KEEP_ALIVE_WIRED };
    let mut config = ClientConfig::new(Arc::new(tls::enrolled(identity, clock)?));
    config.transport_config(Arc::new(transport::client(keep_alive)));
    Ok(config)
}

/// The rack's leaf, which the verifier has accepted.
pub(super) fn leaf(connection: &Connection) -> Option<Leaf> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    Leaf::read(chain.first()?).ok()
}
