//! `/etc/onepress/relay.toml`: raw in, checked out.

use alarm::PathId;
use alarm::wire::PATHS_MAX;
use link::client::{self, Bind};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use unit::config::Wrong;

/// Other relays that one relay may know: a centre has a handful.
const PEERS_MAX: usize = 16;
/// Longest keep time: ten years.
const KEEP_DAYS_MAX: u64 = 3650;
const GB: u64 = 1_000_000_000;
/// The usual port of the media plane.
const PORT: u16 = 4443;

/// The file as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Raw {
    /// Address and port, UDP and TCP.
    #[serde(default = "listen")]
    listen: SocketAddr,
    /// The name by which browsers find it.
    #[serde(default)]
    host: String,
    /// PEM file for the TCP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<PathBuf>,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    private_key: Option<PathBuf>,
    /// TCP without TLS.
    #[serde(default)]
    plain_http: bool,
    /// Where recordings go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recordings: Option<PathBuf>,
    /// Below this a fault is raised.
    #[serde(default = "warn_gb")]
    warn_gb: u64,
    /// Below this old takes give way.
    #[serde(default = "reserve_gb")]
    reserve_gb: u64,
    /// How long a take is kept at least.
    #[serde(default = "keep_days")]
    keep_days: u64,
    /// Where a new relay's ticket is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<PathBuf>,
    /// Where key and certificate are kept.
    #[serde(default = "state_dir")]
    state_dir: PathBuf,
    /// Log level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// The ways to the desk.
    path: Vec<RawPath>,
    /// Other relays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    peer: Vec<Peer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPath {
    id: PathId,
    #[serde(default)]
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    Wired,
    Metered,
}

/// Another relay of the centre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Peer {
    /// `host:port`.
    pub address: String,
    /// Which way media goes.
    pub direction: Direction,
}

/// Which way media goes between two relays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// What the other has can be had here.
    Pull,
    /// What is here can be had there.
    Push,
    /// Both.
    Both,
}

/// What the daemon works with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address and port, UDP and TCP.
    pub listen: SocketAddr,
    /// The name by which browsers find it; empty: the rack's own.
    pub host: String,
    /// PEM files of certificate and key for the TCP port.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// TCP without TLS.
    pub plain_http: bool,
    /// Where recordings go.
    pub recordings: PathBuf,
    /// Bytes; below this a fault is raised.
    pub warn: u64,
    /// Bytes; below this old takes give way.
    pub reserve: u64,
    /// How long a take is kept at least.
    pub keep: Duration,
    /// Where a new relay's ticket is looked for.
    pub ticket: PathBuf,
    /// Where key and certificate are kept.
    pub state_dir: PathBuf,
    /// The ways to the desk, at least one.
    pub paths: Vec<client::Path>,
    /// Other relays.
    pub peers: Vec<Peer>,
}

fn listen() -> SocketAddr {
    SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), PORT)
}

fn warn_gb() -> u64 {
    50
}

fn reserve_gb() -> u64 {
    10
}

fn keep_days() -> u64 {
    90
}

fn state_dir() -> PathBuf {
    unit::state_dir("/var/lib/onepress/relay")
}

impl unit::Config for Raw {
    type Checked = Config;

    fn check(self) -> Result<Config, Wrong> {
        self.check_http()?;
        self.check_disk()?;
        let certificate = certificate(self.certificate, self.private_key)?;
        let keep = Duration::from_secs(self.keep_days * 24 * 3600);
        Ok(Config {
            listen: self.listen,
            host: self.host,
            certificate,
            plain_http: self.plain_http,
            recordings: self.recordings.unwrap_or_else(|| self.state_dir.join("recordings")),
            warn: self.warn_gb * GB,
            reserve: self.reserve_gb * GB,
            keep,
            ticket: self.ticket.unwrap_or_else(|| self.state_dir.join("ticket")),
            state_dir: self.state_dir,
            paths: paths(self.path)?,
            peers: peers(self.peer)?,
        })
    }

    fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }
}

impl Raw {
    fn check_http(&self) -> Result<(), Wrong> {
        if self.plain_http && !self.listen.ip().to_canonical().is_loopback() {
            let reason = format!("is on, and {} is not loopback", self.listen);
            return Err(Wrong::new("plain-http", reason, "listen on 127.0.0.1, or leave plain-http out"));
        }
        if self.host.contains(['/', ':', ' ']) {
            let reason = format!("{:?} is not a host name", self.host);
            return Err(Wrong::new(
                "host",
                reason,
                "give a bare name such as media.example.org, or leave it out",
            ));
        }
        Ok(())
    }

    fn check_disk(&self) -> Result<(), Wrong> {
        if self.warn_gb < self.reserve_gb || self.warn_gb > u64::MAX / GB {
            let reason = format!("is {} with reserve-gb {}", self.warn_gb, self.reserve_gb);
            return Err(Wrong::new(
                "warn-gb",
                reason,
                "give at least reserve-gb, so that the warning comes first",
            ));
        }
        if !(1..=KEEP_DAYS_MAX).contains(&self.keep_days) {
            let reason = format!("is {}", self.keep_days);
            return Err(Wrong::new("keep-days", reason, format!("give 1 to {KEEP_DAYS_MAX}")));
        }
        Ok(())
    }
}

fn certificate(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<(PathBuf, PathBuf)>, Wrong> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Wrong::new("private-key", "is missing", "give it beside certificate")),
        (None, Some(_)) => Err(Wrong::new("certificate", "is missing", "give it beside private-key")),
    }
}

fn paths(raw: Vec<RawPath>) -> Result<Vec<client::Path>, Wrong> {
    if raw.is_empty() || raw.len() > PATHS_MAX {
        return Err(Wrong::new("path", format!("{} paths", raw.len()), format!("give 1 to {PATHS_MAX}")));
    }
    let mut paths: Vec<client::Path> = Vec::new();
    for (place, path) in raw.into_iter().enumerate() {
        if paths.iter().any(|known| known.name == path.id) {
            let reason = format!("{} is there already", path.id);
            return Err(Wrong::new(format!("path.{place}.id"), reason, "give every path a name of its own"));
        }
        let bind = Bind { interface: path.interface, source: path.source };
        paths.push(client::Path { name: path.id, bind, metered: path.kind == Kind::Metered });
    }
    Ok(paths)
}

fn peers(peers: Vec<Peer>) -> Result<Vec<Peer>, Wrong> {
    if peers.len() > PEERS_MAX {
        return Err(Wrong::new(
            "peer",
            format!("{} peers", peers.len()),
            format!("give at most {PEERS_MAX}"),
        ));
    }
    let whole = |peer: &Peer| {
        peer.address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    match peers.iter().position(|peer| !whole(peer)) {
        Some(place) => {
            let reason = format!("{:?} is no address", peers[place].address);
            Err(Wrong::new(format!("peer.{place}.address"), reason, "give host:port"))
        }
        None => Ok(peers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unit::Config as _;

    const EXAMPLE: &str = include_str!("../relay.toml.example");

    fn checked(added: &str) -> Result<Config, Wrong> {
        let raw: Raw = toml::from_str(&format!("{added}\n{EXAMPLE}")).unwrap();
        raw.check()
    }

    #[test]
    fn the_example_is_a_good_configuration_of_defaults() {
        let config = checked("").unwrap();
        assert_eq!((config.listen.port(), config.paths.len(), config.peers.len()), (4443, 1, 0));
        assert_eq!((config.warn, config.reserve), (50 * GB, 10 * GB));
        let raw: Raw = toml::from_str(EXAMPLE).unwrap();
        let said = toml::to_string(&raw).unwrap();
        for line in EXAMPLE.lines().filter_map(|line| line.strip_prefix('#')) {
            let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) else {
                continue;
            };
            let known = said.lines().find(|l| l.starts_with(&format!("{key} = ")));
            assert!(known.is_none_or(|l| l == format!("{key} = {value}")), "{line} but {known:?}");
        }
    }

    #[test]
    fn what_cannot_work_names_key_reason_and_remedy() {
        for (added, key) in [
            ("plain-http = true", "plain-http: is on, and [::]:4443 is not loopback; listen"),
            ("warn-gb = 5", "warn-gb: is 5 with reserve-gb 10; give"),
            ("keep-days = 0", "keep-days: is 0; give 1 to 3650"),
            ("certificate = '/x'", "private-key: is missing; give"),
            ("private-key = '/x'", "certificate: is missing; give"),
            ("host = 'https://x/'", "host: \"https://x/\" is not a host name; give"),
            (
                "peer = [{ address = 'relay-2', direction = 'pull' }]",
                "peer.0.address: \"relay-2\" is no address",
            ),
        ] {
            let wrong = checked(added).expect_err(added).to_string();
            assert!(wrong.starts_with(key), "{wrong}");
        }
        let twice = checked("").unwrap().paths.len();
        let more = format!("{EXAMPLE}\n[[path]]\nid = 'wired'\n");
        let raw: Raw = toml::from_str(&more).unwrap();
        assert_eq!(twice, 1);
        assert!(raw.check().unwrap_err().to_string().starts_with("path.1.id: wired is there already; give"));
    }
}
