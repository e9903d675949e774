//! `/etc/onepress/desk.toml`.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use unit::config::Wrong;

/// As it stands in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Name of the centre, as consoles show it.
    centre: String,
    /// Where journal, keys and CA are kept.
    #[serde(default = "state_dir")]
    state_dir: PathBuf,
    /// Keys that sign updates.
    #[serde(default = "update_keys")]
    update_keys: PathBuf,
    /// Log level.
    #[serde(default)]
    log: Option<String>,
    link: Link,
    #[serde(default)]
    console: Console,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Link {
    #[serde(default = "link_listen")]
    listen: SocketAddr,
    addresses: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Console {
    #[serde(default = "console_listen")]
    listen: SocketAddr,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    plain_http: bool,
}

impl Default for Console {
    fn default() -> Self {
        Self { listen: console_listen(), names: vec![], plain_http: false }
    }
}

fn state_dir() -> PathBuf {
    unit::state_dir("/var/lib/onepress/desk")
}

fn update_keys() -> PathBuf {
    PathBuf::from(bundle::signed::KEYS)
}

fn link_listen() -> SocketAddr {
    SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 4110))
}

fn console_listen() -> SocketAddr {
    SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 443))
}

/// Checked.
#[derive(Debug)]
pub struct Checked {
    /// Name of the centre.
    pub centre: String,
    /// Where journal, keys and CA are kept.
    pub state_dir: PathBuf,
    /// Keys that sign updates; where the file is missing, only the boxes look at signatures.
    pub update_keys: PathBuf,
    /// Where boxes connect, unless systemd passes a socket.
    pub link_listen: SocketAddr,
    /// Addresses of this rack as boxes reach it, `host:port`: what tickets carry.
    pub link_addresses: Vec<String>,
    /// Where consoles connect, unless systemd passes a socket.
    pub console_listen: SocketAddr,
    /// Host names and IP addresses in the console's certificate.
    pub console_names: Vec<String>,
    /// HTTP instead of HTTPS, on loopback only.
    pub plain_http: bool,
}

impl unit::Config for Config {
    type Checked = Checked;

    fn check(self) -> Result<Checked, Wrong> {
        if self.centre.trim().is_empty() || self.centre.chars().count() > 100 {
            return Err(Wrong::new(
                "centre",
                "is empty or longer than 100 characters",
                "give the name of the centre",
            ));
        }
        if self.link.addresses.is_empty() || self.link.addresses.len() > 4 {
            let remedy = "give one to four addresses as boxes reach this rack, such as \"10.0.0.1:4110\"";
            return Err(Wrong::new(
                "link.addresses",
                format!("has {} addresses", self.link.addresses.len()),
                remedy,
            ));
        }
        for (place, address) in self.link.addresses.iter().enumerate() {
            let port = address
                .rsplit_once(':')
                .and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
            if port.is_none_or(|port| port == 0) {
                let key = format!("link.addresses.{place}");
                return Err(Wrong::new(
                    key,
                    format!("{address:?} has no host and port"),
                    "write host:port, such as \"10.0.0.1:4110\"",
                ));
            }
        }
        if self.console.plain_http && !self.console.listen.ip().to_canonical().is_loopback() {
            let reason = format!(
                "is true and console.listen is {}: passwords would travel in the clear",
                self.console.listen
            );
            return Err(Wrong::new(
                "console.plain-http",
                reason,
                "listen on 127.0.0.1, or leave plain-http out",
            ));
        }
        Ok(Checked {
            centre: self.centre,
            state_dir: self.state_dir,
            update_keys: self.update_keys,
            link_listen: self.link.listen,
            link_addresses: self.link.addresses,
            console_listen: self.console.listen,
            console_names: self.console.names,
            plain_http: self.console.plain_http,
        })
    }

    fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unit::Config as _;

    fn check(text: &str) -> Result<Checked, String> {
        toml::from_str::<Config>(text)
            .map_err(|error| error.to_string())?
            .check()
            .map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn the_example_is_good() {
        let checked = check(include_str!("../desk.toml.example")).unwrap();
        assert!(!checked.plain_http);
        assert_eq!(checked.console_listen.port(), 443);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = "centre = \"x\"\n[link]\naddresses = [\"h:1\"]\n";
        assert!(check(good).is_ok());
        let table = [
            ("centre = \"\"\n[link]\naddresses = [\"h:1\"]", "centre"),
            ("centre = \"x\"\n[link]\naddresses = []", "link.addresses"),
            ("centre = \"x\"\n[link]\naddresses = [\"h\"]", "link.addresses.0"),
            ("centre = \"x\"\n[link]\naddresses = [\"h:0\"]", "link.addresses.0"),
            ("centre = \"x\"\ncolour = 1\n[link]\naddresses = [\"h:1\"]", "colour"),
            ("[link]\naddresses = [\"h:1\"]", "centre"),
            (&format!("{good}[console]\nplain-http = true"), "console.plain-http"),
        ];
        for (text, key) in table {
            let said = check(text).unwrap_err();
            assert!(said.contains(key), "{text}: {said}");
        }
        assert!(check(&format!("{good}[console]\nplain-http = true\nlisten = \"127.0.0.1:80\"")).is_ok());
    }
}
