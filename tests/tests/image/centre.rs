//! A rack and a box in two virtual machines, a cable between them; the box's buttons and the wall's relays are
//! simulated parts on serial lines, as they are in the rig.

use crate::parts::disk;
use crate::vm::{BOOT, Machine, Plan};
use hw::modbus::{self, Slave};
use hw::{pty, serialbox};
use onepress::api::Desk;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Closed at rest: both buttons' normally closed contacts, the enclosure, the mains.
const AT_REST: u8 = 0b0011_1010;
/// Room for two slots and a /var.
pub(crate) const DISK: u64 = 4 << 30;
/// Where `make image` puts what it built.
const BUILT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.cache/image/out");
/// On the rack's relay board: x86-serial.toml.
const SIREN: usize = 4;
/// The version that the tests install first.
pub(crate) const FIRST: &str = "1";

/// What the rack's site.toml says.
const RACK: &str = r#"
hostname = "rack"
[network]
interface = "enp0s16"
address = "10.77.0.1/24"
[desk]
centre = "Laboratory"
state-dir = "/var/lib/onepress/desk"
[desk.link]
listen = "[::]:4110"
addresses = ["10.77.0.1:4110"]
[desk.console]
listen = "[::]:443"
names = ["10.77.0.1"]
"#;

/// What the box's says: its board, and what of it is a button.
pub(crate) fn site_toml(board: &str, contacts: &str) -> String {
    format!(
        r#"
hostname = "school-1"
[network]
interface = "enp0s16"
address = "10.77.0.2/24"
[button]
board = "{board}"
ticket = "/var/lib/onepress/button/ticket"
[[button.path]]
id = "wired"
kind = "wired"
[[button.point]]
id = "gate"
{contacts}
"#
    )
}

/// That of a box with buttons on a serial line.
pub(crate) fn serial_site() -> String {
    site_toml("/usr/share/onepress/boards/x86-serial.toml", "no = \"button-1-no\"\nnc = \"button-1-nc\"")
}

/// An image that was built.
pub(crate) fn built(profile: &str, version: &str, what: &str) -> PathBuf {
    let path = Path::new(BUILT).join(profile).join(version).join(what);
    assert!(path.exists(), "{} is not there: make image PROFILE={profile} VERSION={version}", path.display());
    path
}

/// The rack's machine, its relay board and its console on loopback.
pub(crate) struct Rack {
    /// The machine.
    pub machine: Machine,
    board: modbus::Simulated,
    tunnel: Child,
    url: String,
}

impl Rack {
    /// Switched on for the first time, with a disk as `onepress flash` writes one.
    pub(crate) fn boot(dir: &Path, cable: (u16, u16)) -> Self {
        let image = built("rack", FIRST, &format!("onepress-rack_{FIRST}.raw"));
        let disk = disk(dir, "rack.raw", Some(&image), DISK);
        let line = pty::open().expect("a pseudo-terminal");
        let (https, http) = (free(), free());
        let plan = Plan::new("rack").disk(&disk).cable(cable.0, cable.1).console(https);
        let machine = plan.adapter("onepress-relay0", line.path()).boot();
        let board = modbus::Simulated::start(line, Slave::new(1, 8, 8));
        // The rig's client speaks HTTP; the certificate is the rack's own, which nobody here knows.
        let listen = format!("TCP-LISTEN:{http},bind=127.0.0.1,reuseaddr,fork");
        let mut socat = Command::new("socat");
        socat.args([&listen, &format!("OPENSSL:127.0.0.1:{https},verify=0")]).stderr(Stdio::null());
        let tunnel = socat.spawn().expect("socat: tests/setup/image.sh");
        Self { machine, board, tunnel, url: format!("http://127.0.0.1:{http}") }
    }

    /// Gives it its site's file, as the installer does, makes the first account, signs in.
    pub(crate) fn set_up(&mut self) -> Desk {
        self.machine.started();
        self.machine.write("/etc/onepress/site.toml", RACK);
        self.machine.run("onepress site && networkctl reload && systemctl restart onepress-desk");
        let code = self.machine.eventually("cat /var/lib/onepress/desk/setup-code", BOOT);
        let mut desk = Desk::at(&self.url);
        wait("the rack's console opens", || desk.set_up(code.trim(), "wang", "Wang", "laboratory").ok());
        desk.sign_in("wang", "laboratory", "lab").expect("signed in");
        desk
    }

    /// The siren's relay on the Modbus board.
    pub(crate) fn siren(&self) -> bool {
        self.board.with(|board| board.coil(SIREN))
    }
}

impl Drop for Rack {
    fn drop(&mut self) {
        let _ = self.tunnel.kill();
        let _ = self.tunnel.wait();
    }
}

/// The box's button.
pub(crate) struct Buttons(serialbox::Simulated, PathBuf);

impl Buttons {
    /// At rest.
    pub(crate) fn new() -> Self {
        let line = pty::open().expect("a pseudo-terminal");
        let path = line.path().to_owned();
        Self(serialbox::Simulated::start(line, AT_REST), path)
    }

    /// Where a machine finds it.
    pub(crate) fn line(&self) -> &Path {
        &self.1
    }

    /// A finger goes down, or up.
    pub(crate) fn press(&self, down: bool) {
        self.0.set(1, !down);
        self.0.set(0, down);
    }
}

/// Two ports for the two ends of a cable.
pub(crate) fn cable() -> (u16, u16) {
    let one = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let other = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = |socket: &UdpSocket| socket.local_addr().expect("an address").port();
    (port(&one), port(&other))
}

/// A port of this computer's that nobody uses.
pub(crate) fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

/// Waits for something outside the machines.
pub(crate) fn wait<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + BOOT;
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(Instant::now() < end, "never: {what}");
        // Each question to a rack is a TLS handshake of an emulated processor.
        onepress::rig::pause(Duration::from_secs(2));
    }
}
