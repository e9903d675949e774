use alarm::{BoxId, SiteId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Who a certificate of the site CA speaks for, as its one URI subject alternative name (RFC 5280 section
/// 4.2.1.6).
///
/// | who | URI |
/// |---|---|
/// | edge box | `urn:onepress:box:<site>/<box>` |
/// | wall | `urn:onepress:wall/<box>` |
/// | rack | `urn:onepress:rack` |
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Name {
    /// The edge box of a site.
    Box {
        /// Its site.
        site: SiteId,
        /// Which.
        name: BoxId,
    },
    /// A wall: it belongs to the centre and has no site.
    Wall {
        /// Which.
        name: BoxId,
    },
    /// The rack itself.
    Rack,
}

/// A URI that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a box, a wall or the rack")]
pub struct BadName(String);

const BOX: &str = "urn:onepress:box:";
const WALL: &str = "urn:onepress:wall/";
const RACK: &str = "urn:onepress:rack";

impl Name {
    /// A box with a site is an edge box; without one it is a wall.
    pub fn of(name: BoxId, site: Option<SiteId>) -> Self {
        match site {
            Some(site) => Self::Box { site, name },
            None => Self::Wall { name },
        }
    }

    /// The box or wall and its site; `None` for the rack.
    pub fn parts(self) -> Option<(BoxId, Option<SiteId>)> {
        match self {
            Self::Box { site, name } => Some((name, Some(site))),
            Self::Wall { name } => Some((name, None)),
            Self::Rack => None,
        }
    }

    /// What people read in the certificate's subject: at most 63 letters (X.520 allows 64).
    pub(crate) fn common_name(&self) -> &str {
        match self {
            Self::Box { name, .. } | Self::Wall { name } => name.as_str(),
            Self::Rack => "Onepress rack",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Box { site, name } => write!(f, "{BOX}{site}/{name}"),
            Self::Wall { name } => write!(f, "{WALL}{name}"),
            Self::Rack => f.write_str(RACK),
        }
    }
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(uri: &str) -> Result<Self, BadName> {
        let bad = |_| BadName(uri.chars().take(200).collect());
        if uri == RACK {
            return Ok(Self::Rack);
        }
        if let Some(name) = uri.strip_prefix(WALL) {
            return Ok(Self::Wall { name: BoxId::new(name).map_err(bad)? });
        }
        match uri.strip_prefix(BOX).and_then(|rest| rest.split_once('/')) {
            Some((site, name)) => {
                Ok(Self::Box { site: SiteId::new(site).map_err(bad)?, name: BoxId::new(name).map_err(bad)? })
            }
            None => Err(BadName(uri.chars().take(200).collect())),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(uri: String) -> Result<Self, BadName> {
        uri.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for uri in ["urn:onepress:box:school-1/gate", "urn:onepress:wall/hall", "urn:onepress:rack"] {
            assert_eq!(uri.parse::<Name>().unwrap().to_string(), uri);
        }
    }

    #[test]
    fn nobody_else_is_named() {
        for uri in [
            "",
            "urn:onepress:box:school-1",
            "urn:onepress:box:/gate",
            "urn:onepress:box:a/b/c",
            "urn:onepress:box:a/B",
            "urn:onepress:wall/",
            "urn:onepress:rack/",
            "urn:onepress:box:a/b ",
        ] {
            assert!(uri.parse::<Name>().is_err(), "{uri}");
        }
    }
}
