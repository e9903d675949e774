//! `site.toml`: all that differs between two appliances of one image, in one file that travels on the stick.
//!
//! ```toml
//! hostname = "school-1"
//! [network]                      # without it: DHCP on every wired network
//! interface = "eth0"             # without it: every wired one
//! address = "10.1.2.3/24"
//! gateway = "10.1.2.1"
//! dns = ["10.1.0.53"]
//! [time]
//! servers = ["10.1.0.1"]         # without it: the racks that the ticket or the certificate names
//! [install]
//! disk = "nvme0n1"               # where there are several
//! erase = true                   # over an installation that is there
//! [lamp]
//! led = "green:status"           # without it: the first status light that is known
//! [technician]                   # without it nobody can log in, ever
//! keys = ["ssh-ed25519 AAAA... li"]   # who may become root on the serial line, by a signature
//! [button]                       # and camera, desk, relay, wall: what /etc/onepress/button.toml is to be
//! board = "/usr/share/onepress/boards/x86-serial.toml"
//! ```

use super::technician::Keys;
use serde::Deserialize;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use unit::config::Wrong;

/// Longest name of a computer (RFC 1035, section 2.3.4).
const HOSTNAME_MAX: usize = 63;
/// As many as resolved and timesyncd take turns over.
const SERVERS_MAX: usize = 4;

/// The file as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Site {
    hostname: Option<String>,
    network: Option<Network>,
    time: Time,
    /// What the installer is told.
    pub install: Install,
    /// What shows how the installation stands.
    pub lamp: Lamp,
    technician: Technician,
    button: Option<toml::Table>,
    camera: Option<toml::Table>,
    desk: Option<toml::Table>,
    relay: Option<toml::Table>,
    wall: Option<toml::Table>,
}

/// What the installer is told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Install {
    /// The disk, as the kernel names it.
    pub disk: Option<String>,
    /// An installation that is there may be lost.
    pub erase: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Network {
    interface: Option<String>,
    address: String,
    gateway: Option<IpAddr>,
    #[serde(default)]
    dns: Vec<IpAddr>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Time {
    servers: Vec<String>,
}

/// What shows how the installation stands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lamp {
    /// The light, as the kernel names it in `/sys/class/leds`.
    pub led: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Technician {
    keys: Vec<String>,
}

/// Where the service of the serial line finds the keys; without the file it does not start.
pub const TECHNICIANS: &str = "/run/onepress/technician.keys";

/// A file that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Where.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

impl Site {
    /// Reads and checks the text of the file.
    ///
    /// # Errors
    /// Key, reason and remedy.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let site: Self = toml::from_str(text)?;
        site.check()?;
        Ok(site)
    }

    fn check(&self) -> Result<(), Wrong> {
        if let Some(name) = &self.hostname {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty()
                || name.len() > HOSTNAME_MAX
                || !name.chars().all(good)
                || name.starts_with('-')
            {
                return Err(Wrong::new(
                    "hostname",
                    format!("is {name:?}"),
                    "give up to 63 small letters, digits and hyphens",
                ));
            }
        }
        if let Some(network) = &self.network {
            network.check()?;
        }
        if self.time.servers.len() > SERVERS_MAX {
            return Err(Wrong::new("time.servers", "are more than four", "give at most four"));
        }
        self.time.servers.iter().try_for_each(|name| word("time.servers", name))?;
        self.lamp.led.iter().try_for_each(|name| word("lamp.led", name))?;
        self.technicians().map(drop)
    }

    fn technicians(&self) -> Result<Keys, Wrong> {
        Keys::parse(self.technician.keys.iter().map(String::as_str))
    }

    /// The name of the computer, if the site gives one.
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref()
    }

    /// The files of the running system that follow from it, for timesyncd of a box and chrony of a rack, and the keys of
    /// its technicians; `racks` are `host:port` as the ticket or certificate has them.
    pub fn system(&self, racks: &[String]) -> Vec<Rendered> {
        let mut files = Vec::new();
        if let Some(network) = &self.network {
            let path = "/run/systemd/network/10-site.network".into();
            files.push(Rendered { path, text: network.render() });
        }
        let mut servers = self.time.servers.clone();
        if servers.is_empty() {
            servers = racks.iter().filter_map(|rack| host(rack)).collect();
        }
        if !servers.is_empty() {
            let path = "/run/systemd/timesyncd.conf.d/10-site.conf".into();
            files.push(Rendered { path, text: format!("[Time]\nNTP={}\n", servers.join(" ")) });
            let path = "/run/onepress/time/site.sources".into();
            let text = servers.iter().map(|server| format!("server {server} iburst\n")).collect();
            files.push(Rendered { path, text });
        }
        let technicians = self.technicians().unwrap_or_default();
        if !technicians.is_empty() {
            files.push(Rendered { path: TECHNICIANS.into(), text: technicians.to_text() });
        }
        files
    }

    /// The daemons' files below a folder such as `/etc/onepress`, for those that the site says anything about.
    ///
    /// # Errors
    /// When a table cannot be written as TOML.
    pub fn daemons(&self, folder: &std::path::Path) -> anyhow::Result<Vec<Rendered>> {
        let tables = [
            ("button", &self.button),
            ("camera", &self.camera),
            ("desk", &self.desk),
            ("relay", &self.relay),
            ("wall", &self.wall),
        ];
        let mut files = Vec::new();
        for (name, table) in tables {
            let Some(table) = table else { continue };
            let text = format!("# From site.toml: change it there.\n{}", toml::to_string(table)?);
            files.push(Rendered { path: folder.join(format!("{name}.toml")), text });
        }
        Ok(files)
    }
}

impl Network {
    fn check(&self) -> Result<(), Wrong> {
        let remedy = "give an address and its prefix, such as \"10.1.2.3/24\"";
        let wrong =
            |reason: &str| Wrong::new("network.address", format!("{:?} {reason}", self.address), remedy);
        let (address, prefix) = self.address.split_once('/').ok_or_else(|| wrong("has no prefix"))?;
        let address: IpAddr = address.parse().map_err(|_| wrong("is no address"))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = prefix.parse().map_err(|_| wrong("has a wrong prefix"))?;
        if prefix == 0 || prefix > most {
            return Err(wrong("has a wrong prefix"));
        }
        if self.dns.len() > SERVERS_MAX {
            return Err(Wrong::new("network.dns", "are more than four", "give at most four"));
        }
        self.interface.iter().try_for_each(|name| word("network.interface", name))
    }

    /// systemd.network(5).
    fn render(&self) -> String {
        let which = match &self.interface {
            Some(name) => format!("Name={name}"),
            None => "Type=ether\nKind=!*".into(),
        };
        let mut text = format!("[Match]\n{which}\n\n[Network]\nAddress={}\n", self.address);
        let rest = self.gateway.iter().map(|at| ("Gateway", at)).chain(self.dns.iter().map(|at| ("DNS", at)));
        for (key, address) in rest {
            let _ = writeln!(text, "{key}={address}");
        }
        text
    }
}

/// Goes into a file of systemd's: one word, nothing that could begin another line or setting.
fn word(key: &str, text: &str) -> Result<(), Wrong> {
    let good = |c: char| c.is_ascii_alphanumeric() || ".-:_".contains(c);
    if text.is_empty() || !text.chars().all(good) {
        return Err(Wrong::new(key, format!("has {text:?}"), "give a plain name or address"));
    }
    Ok(())
}

/// The host of `host:port`, `[::1]:4110` too.
fn host(rack: &str) -> Option<String> {
    let (host, _) = rack.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    word("rack", host).ok().map(|()| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_whole_file_becomes_the_files_it_stands_for() {
        let site = Site::parse(
            r#"
            hostname = "school-1"
            [network]
            address = "10.1.2.3/24"
            gateway = "10.1.2.1"
            dns = ["10.1.0.53"]
            [button]
            board = "/b.toml"
            [[button.point]]
            id = "gate"
            "#,
        )
        .unwrap();
        let system = site.system(&["10.9.9.9:4110".into(), "[fd00::1]:4110".into()]);
        let expected = "[Match]\nType=ether\nKind=!*\n\n[Network]\nAddress=10.1.2.3/24\nGateway=10.1.2.1\nDNS=10.1.0.53\n";
        assert_eq!(system[0].text, expected);
        assert_eq!(system[1].text, "[Time]\nNTP=10.9.9.9 fd00::1\n");
        assert_eq!(system[2].text, "server 10.9.9.9 iburst\nserver fd00::1 iburst\n");
        let daemons = site.daemons(Path::new("/etc/onepress")).unwrap();
        assert_eq!((daemons.len(), daemons[0].path.to_str()), (1, Some("/etc/onepress/button.toml")));
        let again: toml::Table = toml::from_str(&daemons[0].text).unwrap();
        assert_eq!(again["point"][0]["id"].as_str(), Some("gate"));
    }

    #[test]
    fn technicians_are_those_that_it_names_and_nobody_else() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ li";
        let site = Site::parse(&format!("[technician]\nkeys = ['{key}']")).unwrap();
        assert_eq!(site.system(&[]), [Rendered { path: TECHNICIANS.into(), text: format!("{key}\n") }]);
        assert!(Site::parse("[technician]\nkeys = []").unwrap().system(&[]).is_empty());
    }

    #[test]
    fn an_empty_file_is_a_site_with_nothing_special() {
        let site = Site::parse("").unwrap();
        assert!(site.system(&[]).is_empty() && site.daemons(Path::new("/x")).unwrap().is_empty());
        assert_eq!(site.hostname(), None);
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (text, key) in [
            ("hostname = 'Schule 1'", "hostname"),
            ("hostname = ''", "hostname"),
            ("[network]\naddress = '10.1.2.3'", "network.address"),
            ("[network]\naddress = '10.1.2.3/33'", "network.address"),
            ("[network]\naddress = '10.1.2.3/0'", "network.address"),
            ("[network]\naddress = '10.1.2.3/24'\ninterface = \"a\\nb\"", "network.interface"),
            ("[time]\nservers = ['a b']", "time.servers"),
            ("[time]\nservers = ['a', 'b', 'c', 'd', 'e']", "time.servers"),
            ("[doorbell]", "doorbell"),
            ("[lamp]\nled = '../../power'", "lamp.led"),
            ("[technician]\nkeys = ['ssh-ed25519 AAAA li']", "technician.keys"),
            ("[technician]\npassword = 'x'", "password"),
            ("[install]\ndisc = 'sda'", "disc"),
        ] {
            let error = format!("{:#}", Site::parse(text).unwrap_err());
            assert!(error.contains(key), "{text}: {error}");
        }
    }
}
