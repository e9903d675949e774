//! What may be written in the register: sites, appliances, tickets, accounts.

use super::Centre;
use super::decide::Refused;
use crate::event::{Actor, Event};
use crate::register::{Account, Appliance, Enrolment, Site};
use crate::role::{Action, Role};
use crate::wire::EnrolRefusal;
use crate::{BoxId, PathId, SiteId, UserId, Wall};

type Decided = Result<Vec<Event>, Refused>;

impl Centre {
    /// Registers a new site.
    ///
    /// # Errors
    /// [`Refused::Exists`], [`Refused::Entry`].
    pub fn register_site(&self, site: Site, by: Actor) -> Decided {
        if self.sites.contains_key(&site.id) {
            return Err(Refused::Exists { what: "site", name: site.id.to_string() });
        }
        site.check()?;
        Ok(vec![Event::SiteWritten { site, by }])
    }

    /// Rewrites a site's entry.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Entry`].
    pub fn change_site(&self, site: Site, by: Actor) -> Decided {
        self.site_known(&site.id)?;
        site.check()?;
        Ok(vec![Event::SiteWritten { site, by }])
    }

    /// Registers a box at a site, or a wall.
    ///
    /// # Errors
    /// [`Refused::Exists`], [`Refused::NotFound`], [`Refused::Revoked`].
    pub fn register_box(&self, name: BoxId, site: Option<SiteId>, by: Actor) -> Decided {
        match self.boxes.get(&name).map(|appliance| &appliance.enrolment) {
            Some(Enrolment::Revoked) => return Err(Refused::Revoked(name)),
            Some(_) => return Err(Refused::Exists { what: "box", name: name.to_string() }),
            None => {}
        }
        site.as_ref().map_or(Ok(()), |site| self.site_known(site))?;
        Ok(vec![Event::BoxRegistered { name, site, by }])
    }

    /// Issues a ticket for an appliance, also for one that has a certificate and is to get a new one.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Revoked`].
    pub fn issue_ticket(&self, name: &BoxId, number: String, expires: Wall, by: Actor) -> Decided {
        self.in_service(name)?;
        Ok(vec![Event::TicketIssued { number, name: name.clone(), expires, by }])
    }

    /// Puts an appliance out of service.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Revoked`].
    pub fn revoke(&self, name: &BoxId, by: Actor) -> Decided {
        self.in_service(name)?;
        Ok(vec![Event::BoxRevoked { name: name.clone(), by }])
    }

    pub(super) fn in_service(&self, name: &BoxId) -> Result<(), Refused> {
        match self.boxes.get(name).map(|appliance| &appliance.enrolment) {
            None => Err(Refused::NotFound { what: "box", name: name.to_string() }),
            Some(Enrolment::Revoked) => Err(Refused::Revoked(name.clone())),
            Some(_) => Ok(()),
        }
    }

    /// Whether a key that has proved a ticket's secret may enrol with it. The same key may ask again: its first
    /// answer was perhaps lost.
    ///
    /// # Errors
    /// [`EnrolRefusal`].
    pub fn may_enrol(&self, ticket: &str, key: &str, now: Wall) -> Result<&BoxId, EnrolRefusal> {
        let known = self.tickets.get(ticket).ok_or(EnrolRefusal::UnknownTicket)?;
        match &known.used_by {
            Some(user) if user == key => Ok(&known.name),
            Some(_) => Err(EnrolRefusal::Used),
            None if now >= known.expires => Err(EnrolRefusal::Expired),
            None => Ok(&known.name),
        }
    }

    /// The appliance has shown its ticket and gets a certificate for `key` until `until`.
    pub fn enrol(&self, name: &BoxId, ticket: &str, key: &str, until: Wall) -> Vec<Event> {
        vec![Event::BoxEnrolled { name: name.clone(), ticket: ticket.to_owned(), key: key.to_owned(), until }]
    }

    /// The appliance says which paths it is set up for. Nothing when that is known.
    pub fn declare_paths(&self, name: &BoxId, paths: &[PathId]) -> Vec<Event> {
        let known = self.boxes.get(name).is_none_or(|appliance| appliance.paths == paths);
        if known { vec![] } else { vec![Event::PathsDeclared { name: name.clone(), paths: paths.to_vec() }] }
    }

    /// An appliance has come with `key`: when that is its renewed one, the key before is retired.
    pub fn confirm_renewal(&self, name: &BoxId, key: &str) -> Vec<Event> {
        let retires = |entry: &Appliance| matches!(&entry.enrolment, Enrolment::Enrolled { key: known, previous: Some(_), .. } if known == key);
        let due = self.boxes.get(name).is_some_and(retires);
        if due { vec![Event::RenewalConfirmed { name: name.clone() }] } else { vec![] }
    }

    /// The appliance gets a certificate for a new key.
    pub fn renew(&self, name: &BoxId, key: &str, until: Wall) -> Vec<Event> {
        vec![Event::CertificateRenewed { name: name.clone(), key: key.to_owned(), until }]
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`Refused::Exists`], [`Refused::Entry`].
    pub fn make_account(&self, account: Account, by: Actor) -> Decided {
        if self.accounts.contains_key(&account.user) {
            return Err(Refused::Exists { what: "account", name: account.user.to_string() });
        }
        if account.name.trim().is_empty() {
            return Err(crate::register::BadEntry::Empty("name").into());
        }
        if account.name.chars().count() > crate::register::TEXT_MAX {
            return Err(crate::register::BadEntry::Long("name").into());
        }
        Ok(vec![Event::AccountMade { account, by }])
    }

    /// Notes that a password was changed.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn change_password(&self, user: &UserId, by: Actor) -> Decided {
        self.account_known(user)?;
        Ok(vec![Event::PasswordChanged { user: user.clone(), by }])
    }

    /// Removes an account. The last one that may keep accounts stays.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::LastAdministrator`].
    pub fn remove_account(&self, user: &UserId, by: Actor) -> Decided {
        let role = self.account_known(user)?;
        let keepers = self.accounts.values().filter(|account| account.role.may(Action::Accounts)).count();
        if role.may(Action::Accounts) && keepers == 1 {
            return Err(Refused::LastAdministrator(user.clone()));
        }
        Ok(vec![Event::AccountRemoved { user: user.clone(), by }])
    }

    fn account_known(&self, user: &UserId) -> Result<Role, Refused> {
        let missing = || Refused::NotFound { what: "account", name: user.to_string() };
        self.accounts.get(user).map(|account| account.role).ok_or_else(missing)
    }
}
