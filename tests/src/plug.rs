//! USB serial parts that are not there: udev meets them in a sysfs made by umockdev, in a namespace of its own.
//! `tests/setup/udev.sh` installs what this needs.

use std::fmt::Write;

use crate::install::Installed;
use crate::sandbox;

/// A USB part whose every interface is a serial port: interface 0 is ttyUSB0, and so on.
pub struct Part {
    /// `2c7c`.
    pub vendor: &'static str,
    /// `0125`.
    pub product: &'static str,
    /// What is written into it, if anything.
    pub serial: Option<&'static str>,
    /// How many ports it has.
    pub ports: u8,
}

/// What udev made of a device: its log and the properties at its end.
pub struct Verdict(String);

const DEVICE: &str = "/devices/usb/1-1";

impl Part {
    /// Plugs it in, as far as the whole USB device goes.
    #[must_use]
    pub fn plug(&self, installed: &Installed) -> Verdict {
        self.judge(installed, DEVICE)
    }

    /// Plugs it in, as far as one of its ports goes.
    #[must_use]
    pub fn plug_port(&self, installed: &Installed, port: u8) -> Verdict {
        self.judge(installed, &port_path(port))
    }

    /// The installed rules and groups stand beside the machine's own.
    fn judge(&self, installed: &Installed, device: &str) -> Verdict {
        let part = installed.at("/part.umockdev");
        std::fs::write(&part, self.description()).expect("written");
        let script = format!(
            "mkdir /run/root && cp -r $ROOT/usr $ROOT/etc /run/root && cp /etc/passwd /etc/group /run/root/etc
            systemd-sysusers --root=/run/root
            mount --bind /run/root/etc/group /etc/group
            mkdir -p /run/udev
            cp -r $ROOT/usr/lib/udev/rules.d /run/udev
            umockdev-run -d $PART -- udevadm test --action=add /sys{device} 2>&1"
        );
        let (good, said) = sandbox::run(&script, &[("PART", &part), ("ROOT", &installed.root())]);
        assert!(good, "{said}");
        Verdict(said)
    }

    /// The form of umockdev-record(1).
    fn description(&self) -> String {
        let Self { vendor, product, serial, ports } = self;
        let mut text = format!("P: {DEVICE}\nN: bus/usb/001/002\nE: DEVTYPE=usb_device\nE: SUBSYSTEM=usb\n");
        write!(text, "A: idVendor={vendor}\\n\nA: idProduct={product}\\n\nA: power/control=auto\\n\n")
            .expect("a string");
        text += &serial.map(|serial| format!("A: serial={serial}\\n\n")).unwrap_or_default();
        for port in 0..*ports {
            text += &port_description(port);
        }
        text
    }
}

impl Verdict {
    /// A property as it stands at the end, empty when there is none.
    #[must_use]
    pub fn property(&self, name: &str) -> &str {
        let start = format!("{name}=");
        self.0.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default()
    }

    /// The names below /dev/onepress/ it got.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.property("DEVLINKS")
            .split_whitespace()
            .filter_map(|link| link.strip_prefix("/dev/onepress/"))
            .collect()
    }

    /// Whether a line of our rules did this: `MODE 0660`, or the writing of an attribute.
    #[must_use]
    pub fn did(&self, what: &str) -> bool {
        self.0.lines().any(|line| line.contains("70-onepress.rules:") && line.contains(what))
    }

    /// What udev has to say against our rules; a line that is well is only ever named with what it did.
    #[must_use]
    pub fn complaints(&self) -> Vec<&str> {
        self.0
            .lines()
            .filter(|line| line.contains("70-onepress.rules:") && !line.contains(": /run/"))
            .collect()
    }
}

fn port_path(port: u8) -> String {
    format!("{DEVICE}/1-1:1.{port}/ttyUSB{port}/tty/ttyUSB{port}")
}

fn port_description(port: u8) -> String {
    format!(
        "
P: {DEVICE}/1-1:1.{port}
E: DEVTYPE=usb_interface
E: SUBSYSTEM=usb
A: bInterfaceNumber={port:02}\\n
A: bInterfaceClass=ff\\n

P: {DEVICE}/1-1:1.{port}/ttyUSB{port}
E: SUBSYSTEM=usb-serial

P: {}
N: ttyUSB{port}
E: SUBSYSTEM=tty
E: DEVNAME=/dev/ttyUSB{port}
E: MAJOR=188
E: MINOR={port}
A: dev=188:{port}\\n
",
        port_path(port)
    )
}
