//! The register: sites, appliances, accounts, tickets. Being in it is the authorisation; there is no other list.

use crate::commission::Commissioned;
use crate::role::Role;
use crate::{BoxId, PathId, PointId, SiteId, UserId, Wall};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most contacts of one site.
pub const CONTACTS_MAX: usize = 8;
/// Longest name, address or phone, in characters.
pub const TEXT_MAX: usize = 200;

/// An enrolled school or enterprise (联网单位).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// Its name as people say it.
    pub name: String,
    /// Street address.
    #[serde(default)]
    pub address: String,
    /// Surveyed position, WGS-84.
    #[serde(default)]
    pub position: Option<Position>,
    /// Whom to call there, at most [`CONTACTS_MAX`].
    #[serde(default)]
    pub contacts: Vec<Contact>,
    /// Where each point is.
    #[serde(default)]
    pub places: BTreeMap<PointId, String>,
}

/// A place on earth, WGS-84, degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// North positive, -90 to 90.
    pub latitude: f64,
    /// East positive, -180 to 180.
    pub longitude: f64,
}

/// A site contact (单位联系人).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Name.
    pub name: String,
    /// Telephone number.
    pub phone: String,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// Empty where it may not be.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Too long.
    #[error("{0} is longer than {TEXT_MAX} characters")]
    Long(&'static str),
    /// Too many contacts.
    #[error("more than {CONTACTS_MAX} contacts")]
    Contacts,
    /// Not on earth.
    #[error("the position is not on earth: latitude -90 to 90, longitude -180 to 180 degrees")]
    Position,
}

fn text(what: &'static str, text: &str) -> Result<(), BadEntry> {
    if text.chars().count() > TEXT_MAX { Err(BadEntry::Long(what)) } else { Ok(()) }
}

impl Site {
    /// Checks lengths and ranges.
    ///
    /// # Errors
    /// [`BadEntry`] names the field.
    pub fn check(&self) -> Result<(), BadEntry> {
        if self.name.trim().is_empty() {
            return Err(BadEntry::Empty("name"));
        }
        text("name", &self.name)?;
        text("address", &self.address)?;
        if self.contacts.len() > CONTACTS_MAX {
            return Err(BadEntry::Contacts);
        }
        for contact in &self.contacts {
            text("contact name", &contact.name)?;
            text("contact phone", &contact.phone)?;
        }
        self.places.values().try_for_each(|place| text("place of a point", place))?;
        let on_earth =
            |p: &Position| (-90.0..=90.0).contains(&p.latitude) && (-180.0..=180.0).contains(&p.longitude);
        if self.position.as_ref().is_some_and(|position| !on_earth(position)) {
            return Err(BadEntry::Position);
        }
        Ok(())
    }
}

/// Where an appliance stands with its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Enrolment {
    /// Registered; has not shown a ticket yet.
    Waiting,
    /// Has a certificate.
    Enrolled {
        /// SHA-256 of its public key (SPKI), hex.
        key: String,
        /// The key before a renewal, good until the new one is first used.
        previous: Option<String>,
        /// When the certificate ends.
        until: Wall,
    },
    /// Put out of service.
    Revoked,
}

/// A box at a site, or a wall (without a site).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Appliance {
    /// Its name.
    pub name: BoxId,
    /// Its site.
    pub site: Option<SiteId>,
    /// Where it stands.
    pub enrolment: Enrolment,
    /// The paths that it says it is set up for.
    #[serde(default)]
    pub paths: Vec<PathId>,
    /// When it came into service, if it has.
    #[serde(default)]
    pub commissioned: Option<Commissioned>,
}

impl Appliance {
    /// Whether a key with this fingerprint may speak for it.
    pub fn knows(&self, fingerprint: &str) -> bool {
        match &self.enrolment {
            Enrolment::Enrolled { key, previous, .. } => {
                key == fingerprint || previous.as_deref() == Some(fingerprint)
            }
            Enrolment::Waiting | Enrolment::Revoked => false,
        }
    }
}

/// A ticket that was issued. Its secret is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ticket {
    /// The appliance that it makes.
    pub name: BoxId,
    /// When it ends.
    pub expires: Wall,
    /// Fingerprint of the key that used it.
    pub used_by: Option<String>,
}

/// An account of the console. Its password is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Account {
    /// User.
    pub user: UserId,
    /// The person's name.
    pub name: String,
    /// Role.
    pub role: Role,
}
