//! What the console sees: the shapes of the HTTP interface. Times are Unix milliseconds. Words (kinds, states,
//! faults, outcomes) are the kebab-case words of the journal; the console translates them.

mod fleet;
mod media;
mod updates;

pub use fleet::{Commission, Missing, Proof, SelfTest};
pub use media::{
    Announcement, Camera, Gap, Hold, NewLoop, NewName, NewWatch, Pass, Playing, RelayState, Snapshot, Take,
    Watching,
};
pub use updates::{Bundle, NewRollout, Rollout, Software, Updating};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everything a screen needs, in one piece. Changes follow as server-sent events.
#[derive(Debug, Serialize, ToSchema)]
pub struct State {
    /// Journal number up to which this is true.
    pub seq: u64,
    /// The desk's clock.
    pub now: i64,
    /// Name of the centre.
    pub centre: String,
    /// Open incidents in queue order.
    pub incidents: Vec<Incident>,
    /// The register of sites.
    pub sites: Vec<Site>,
    /// Boxes and walls with their health.
    pub boxes: Vec<Appliance>,
    /// Logged-on seats.
    pub seats: Vec<Seat>,
    /// Faults of the desk itself, such as `journal-unwritable`.
    pub faults: Vec<Fault>,
    /// Answering figures of the last 24 hours.
    pub figures: Figures,
    /// Recorded messages for looped broadcast.
    pub announcements: Vec<Announcement>,
    /// Bundles that can be rolled out.
    pub bundles: Vec<Bundle>,
    /// The roll-out that goes on, or else the last one.
    pub rollout: Option<Rollout>,
}

/// One incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Incident {
    /// Number, from 1.
    pub id: u64,
    /// `hold-up` or `tamper`.
    pub kind: String,
    /// `silent` or `ordinary`.
    pub mode: String,
    /// `real`, `test` or `drill`.
    pub nature: String,
    /// 1 (highest) to 4.
    pub priority: u8,
    /// `ringing`, `answered`, `verified`, `dispatched`, `en-route`, `arrived`, `closed`.
    pub step: String,
    /// When the first alarm was received.
    pub received: i64,
    /// When the newest alarm or repeat was received.
    pub newest: i64,
    /// False until the journal has it on disk.
    pub durable: bool,
    /// Where it comes from.
    pub site: Option<String>,
    /// The box it comes from.
    pub r#box: String,
    /// Alarms in it.
    pub alarms: Vec<Alarm>,
    /// Presses in all, repeats included.
    pub presses: u32,
    /// Somebody has seen it: user name, or `wall`.
    pub acknowledged_by: Option<String>,
    /// When.
    pub acknowledged: Option<i64>,
    /// The seat that owns it (the host of its room).
    pub seat: Option<String>,
    /// When it was answered.
    pub answered: Option<i64>,
    /// A transfer is offered to this seat.
    pub offered_to: Option<String>,
    /// Nobody answered in time.
    pub escalated: bool,
    /// The seat that owned it has gone; it rings again.
    pub requeued: bool,
    /// `handled`, `mistaken`, `false`, `nuisance`, `test`, `drill`, `abandoned`, `duplicate`; absent while open.
    pub outcome: Option<String>,
    /// The note written on closing.
    pub note: Option<String>,
    /// When it was closed.
    pub closed: Option<i64>,
    /// Boxes whose cameras belong to it.
    pub boxes: Vec<String>,
    /// What was recorded of it.
    pub takes: Vec<Take>,
    /// Its recordings are kept until somebody says otherwise.
    pub held: bool,
    /// The announcement that its host plays into the site.
    pub playing: Option<Playing>,
}

/// One alarm of an incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Alarm {
    /// The notice's UUID.
    pub id: String,
    /// The point that was pressed.
    pub point: Option<String>,
    /// The box's clock when it was pressed.
    pub at: i64,
    /// When the desk had it.
    pub received: i64,
    /// The path that brought it first.
    pub path: String,
    /// False when the box had no trusted time.
    pub clock_sure: bool,
    /// The button was found pressed when the box started.
    pub at_start: bool,
    /// Presses that it stands for.
    pub count: u32,
    /// When the button went back, if it has.
    pub restored: Option<i64>,
}

/// One enrolled school or enterprise.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Site {
    /// Identifier: small letters, digits, hyphens.
    pub id: String,
    /// Name as people say it.
    pub name: String,
    /// Street address.
    #[serde(default)]
    pub address: String,
    /// WGS-84 latitude in degrees.
    #[serde(default)]
    pub latitude: Option<f64>,
    /// WGS-84 longitude in degrees.
    #[serde(default)]
    pub longitude: Option<f64>,
    /// Site contacts, at most 8.
    #[serde(default)]
    pub contacts: Vec<Contact>,
    /// Where each point is, such as "gate house, left of the window".
    #[serde(default)]
    pub places: std::collections::BTreeMap<String, String>,
    /// End of the open test window, if one is open. Ignored in requests.
    #[serde(default)]
    pub test_until: Option<i64>,
}

/// A person to call at a site.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// Name.
    pub name: String,
    /// Telephone number.
    pub phone: String,
}

/// A box at a site, or a wall.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Appliance {
    /// Identifier.
    pub id: String,
    /// Its site; absent for a wall.
    pub site: Option<String>,
    /// `waiting` (ticket issued, not enrolled), `enrolled`, `revoked`.
    pub enrolment: String,
    /// Each path and whether it is up.
    pub paths: Vec<Path>,
    /// Each point and what it has settled on.
    pub points: Vec<Point>,
    /// Standing faults.
    pub faults: Vec<Fault>,
    /// Notices that the box still holds.
    pub waiting: u32,
    /// Version of its software.
    pub software: Option<String>,
    /// Which appliance image of which version runs there; absent where none does.
    pub image: Option<Software>,
    /// When its certificate ends.
    pub certificate_until: Option<i64>,
    /// For a wall: what beacon and siren show.
    pub shown: Option<Shown>,
    /// Whether it is in service; absent for a wall.
    pub commission: Option<Commission>,
    /// Its last self-test.
    pub selftest: Option<SelfTest>,
    /// Its cameras, as relays know them.
    pub cameras: Vec<Camera>,
    /// Seats that look at its cameras without a press.
    pub watching: Vec<Watching>,
    /// For a relay: what it says of itself while it is linked.
    pub relay: Option<RelayState>,
}

/// One path of a box.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Path {
    /// Identifier, such as `wired`.
    pub id: String,
    /// Whether a connection is there.
    pub up: bool,
    /// Since when, if known.
    pub since: Option<i64>,
}

/// One supervised input of a box.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Point {
    /// Identifier.
    pub id: String,
    /// `hold-up`, `tamper`, `mains`, `battery`.
    pub kind: String,
    /// `antivalent`, `normally-open`, `normally-closed`.
    pub wiring: String,
    /// `unknown`, `rest`, `active`, `faulty`.
    pub state: String,
    /// What a technician must know about this wiring.
    pub warning: Option<String>,
}

/// A standing fault.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fault {
    /// The point it concerns.
    pub point: Option<String>,
    /// The path it concerns.
    pub path: Option<String>,
    /// The camera it concerns.
    pub camera: Option<String>,
    /// `wire-cut`, `wire-short`, `input-unreadable`, `path-lost`, `tampered`, …
    pub fault: String,
    /// Since when.
    pub since: i64,
}

/// What beacon and siren of a wall show.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Shown {
    /// `off`, `steady`, `flashing`.
    pub red: String,
    /// `off`, `steady`, `flashing`.
    pub amber: String,
    /// `off`, `steady`, `flashing`.
    pub blue: String,
    /// `off`, `steady`, `flashing`.
    pub green: String,
    /// Sounding.
    pub siren: bool,
    /// Cut by its limit.
    pub siren_cut: bool,
}

/// A logged-on seat.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Seat {
    /// Identifier of the workplace.
    pub id: String,
    /// Who sits there.
    pub user: String,
    /// The person's name.
    pub name: String,
    /// `auxiliary`, `regular`, `supervisor`, `commander`, `technician`, `administrator`.
    pub role: String,
    /// Since when.
    pub since: i64,
}

/// Answering figures, computed from the journal: real incidents of the last 24 hours.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Figures {
    /// Incidents received.
    pub received: u32,
    /// Of them answered.
    pub answered: u32,
    /// Answered within 15 s, per cent (NENA-STA-020: 90).
    pub within_15_s: Option<u8>,
    /// Answered within 20 s, per cent (NENA-STA-020: 95).
    pub within_20_s: Option<u8>,
    /// Median time to answer, milliseconds.
    pub median_ms: Option<u64>,
}

/// Whether the first account is still to be made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Setup {
    /// True until the first account exists.
    pub needed: bool,
    /// Name of the centre.
    pub centre: String,
}

/// Makes the first account (an administrator).
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewSetup {
    /// The one-time code from the rack's screen and log.
    pub code: String,
    /// User: small letters, digits, hyphens.
    pub user: String,
    /// The person's name.
    pub name: String,
    /// At least 10 characters.
    pub password: String,
}

/// Signs in at a workplace.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SignIn {
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
    /// The workplace: small letters, digits, hyphens.
    pub seat: String,
}

/// Who is signed in here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// User.
    pub user: String,
    /// The person's name.
    pub name: String,
    /// Role.
    pub role: String,
    /// Workplace.
    pub seat: String,
    /// What the role may do: `acknowledge`, `answer`, `transfer`, `progress`, `close`, `test`, `register`,
    /// `enrol`, `accounts`, `watch`, `hold`, `announce`, `update`.
    pub may: Vec<String>,
}

/// Offers the incident to another seat.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Offer {
    /// The seat that is to take it.
    pub to: String,
}

/// Moves the incident on.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Progress {
    /// `verified`, `dispatched`, `en-route`, `arrived`.
    pub step: String,
}

/// Closes the incident.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Close {
    /// `handled`, `mistaken`, `false`, `nuisance`, `test`, `drill`, `abandoned`, `duplicate`.
    pub outcome: String,
    /// At most 2,000 characters.
    #[serde(default)]
    pub note: String,
}

/// Opens a test window at a site.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TestWindow {
    /// 1 to 30.
    pub minutes: u32,
}

/// Registers a box or a wall.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewBox {
    /// Identifier.
    pub id: String,
    /// Its site; absent for a wall.
    #[serde(default)]
    pub site: Option<String>,
}

/// A ticket for a new box. Shown once.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ticket {
    /// The line of text for the file on the USB stick.
    pub text: String,
    /// The same as a QR code, SVG.
    pub qr: String,
    /// When it ends.
    pub expires: i64,
    /// Name for the file.
    pub file: String,
}

/// An account.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Account {
    /// User.
    pub user: String,
    /// The person's name.
    pub name: String,
    /// Role.
    pub role: String,
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewAccount {
    /// User.
    pub user: String,
    /// The person's name.
    pub name: String,
    /// Role.
    pub role: String,
    /// At least 10 characters.
    pub password: String,
}

/// A new password for oneself or, for an administrator, for anybody.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewPassword {
    /// At least 10 characters.
    pub password: String,
}

/// One line of the journal, as an incident's history shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Line {
    /// Journal number.
    pub seq: u64,
    /// When it was written.
    pub at: i64,
    /// The event: `event` names it, the rest are its fields.
    pub event: serde_json::Value,
}

/// Why a request was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A stable word for the console to translate.
    pub error: String,
    /// English, for logs and other programs, with the remedy.
    pub detail: String,
}
