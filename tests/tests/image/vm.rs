//! A virtual machine that runs an appliance image: QEMU with emulated processors (TCG), UEFI firmware, a serial line
//! that is kept, and a shell for the laboratory.
//!
//! The image is the shipped one. The shell is a unit that the virtual machine's firmware passes as a credential
//! (SMBIOS type 11, systemd.system-credentials(7); on a Pi in the kernel's arguments); nothing in the image knows of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A start takes a minute where nothing else runs, and up to ten where much does.
pub(crate) const BOOT: Duration = Duration::from_secs(900);
/// A command of the laboratory's.
pub(crate) const COMMAND: Duration = Duration::from_secs(240);
/// A question that is asked again: one that is lost in a restart is not waited for long.
const QUESTION: Duration = Duration::from_secs(45);
/// How often a machine is looked at.
const GLANCE: Duration = Duration::from_millis(500);
/// Firmware that does not enforce Secure Boot until keys are enrolled, and its empty variables.
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// The same, and what it enforces cannot be changed from within.
const SECURE: &str = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

const SHELL: &str = "[Unit]
Description=Shell of the laboratory
DefaultDependencies=no
ConditionPathExists=!/etc/initrd-release
# While nobody is at the other end, a shell reads the end of its input at once.
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'until [ -e /dev/virtio-ports/lab ]; do sleep 0.2; done; exec /bin/sh <>/dev/virtio-ports/lab >&0 2>&0'
Restart=always
RestartSec=2s
OOMScoreAdjust=-1000
";
/// What systemd takes from the firmware or from the kernel's arguments (systemd.system-credentials(7)).
const LABORATORY: [(&str, &str); 2] = [
    ("systemd.extra-unit.lab.service", SHELL),
    ("systemd.unit-dropin.sysinit.target~lab", "[Unit]\nWants=lab.service\n"),
];
/// How long a line of arguments a kernel for arm64 reads (COMMAND_LINE_SIZE, with the zero at its end).
const ARGUMENTS_MAX: usize = 2048;

/// The same for arm64.
const ARM_FIRMWARE: &str = "/usr/share/AAVMF/AAVMF_CODE.fd";
const ARM_VARIABLES: &str = "/usr/share/AAVMF/AAVMF_VARS.fd";

/// A PC of no maker's.
const PC: [&str; 5] = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "Nehalem"];
/// A board of no maker's, with the processors of a Pi 4.
pub(crate) const ARM: [&str; 5] = ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72"];

/// What kind of computer it is.
enum Kind {
    /// A PC with UEFI.
    Pc,
    /// A PC that can enforce Secure Boot, and remembers it in this file.
    Secure(PathBuf),
    /// A board with UEFI, arm64.
    Arm,
    /// What a Raspberry Pi's kernel sees once its firmware has started it with these files ([`crate::pi`]).
    Pi(PathBuf),
}

/// A machine to be.
pub(crate) struct Plan {
    name: &'static str,
    kind: Kind,
    arguments: Vec<String>,
    extra: String,
    shell: bool,
    typed: bool,
}

impl Plan {
    /// A machine with firmware, a serial line and the shell, and nothing else.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, kind: Kind::Pc, arguments: Vec::new(), extra: String::new(), shell: true, typed: false }
    }

    /// The same, with processors of arm64.
    pub(crate) fn arm(name: &'static str) -> Self {
        Self { kind: Kind::Arm, ..Self::new(name) }
    }

    /// The same, started as a Pi's firmware does it, with the files of a boot partition; off instead of starting anew,
    /// for what comes next is the firmware's to say.
    pub(crate) fn pi(name: &'static str, boot: &Path) -> Self {
        Self { kind: Kind::Pi(boot.to_owned()), ..Self::new(name) }.with(&["-no-reboot"])
    }

    /// With firmware that takes the keys on the disk if `variables` holds none, and enforces them from then on.
    pub(crate) fn secure(mut self, variables: &Path) -> Self {
        self.kind = Kind::Secure(variables.to_owned());
        self
    }

    /// More of QEMU's arguments.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// More of the kernel's arguments, on a PC.
    pub(crate) fn arguments(mut self, extra: &str) -> Self {
        extra.clone_into(&mut self.extra);
        self
    }

    /// The disk that is built in, NVMe.
    pub(crate) fn disk(self, file: &Path) -> Self {
        let drive = format!("if=none,id=disk,format=raw,cache=unsafe,file={}", file.display());
        self.with(&["-drive", &drive, "-device", "nvme,drive=disk,serial=disk0,bootindex=2"])
    }

    /// The disk that is built in, virtio, every write to which is written down in `log`: `/dev/vda`.
    pub(crate) fn logged(self, file: &Path, log: &Path) -> Self {
        let node = |name: &str, path: &Path| {
            format!("driver=file,node-name={name},filename={},cache.no-flush=on", path.display())
        };
        let plan = self.with(&["-blockdev", &node("below", file), "-blockdev", &node("written", log)]);
        let plan = plan.with(&["-blockdev", "driver=blklogwrites,node-name=disk,file=below,log=written"]);
        // Merged requests have more pieces than the log can write at once; QEMU 7.2 then says that the disk is broken.
        plan.with(&[
            "-device",
            "virtio-blk-pci,drive=disk,discard=off,write-zeroes=off,request-merging=off,bootindex=2",
        ])
    }

    /// The disk that is built in, virtio: `/dev/vda`.
    pub(crate) fn virtio(self, file: &Path) -> Self {
        let drive = format!("if=none,id=disk,format=raw,cache=unsafe,file={}", file.display());
        self.with(&["-drive", &drive, "-device", "virtio-blk-pci,drive=disk,bootindex=2"])
    }

    /// An SD card, a Pi's disk: `/dev/mmcblk0`. Its length is a power of two; QEMU's erases slowly, as a bad one does.
    pub(crate) fn card(self, file: &Path) -> Self {
        let drive = format!("if=none,id=card,format=raw,cache=unsafe,file={}", file.display());
        self.with(&["-drive", &drive, "-device", "sdhci-pci", "-device", "sd-card,drive=card"])
    }

    /// A stick in a USB socket; the firmware tries it first.
    pub(crate) fn stick(self, file: &Path) -> Self {
        let drive = format!("if=none,id=stick,format=raw,cache=unsafe,file={}", file.display());
        let device = "usb-storage,bus=usb.0,drive=stick,removable=on,bootindex=1";
        self.with(&["-drive", &drive, "-device", device])
    }

    /// A second medium, as [`media`] makes it: the next virtio disk, `/dev/vda` where there is no other.
    pub(crate) fn media(self, file: &Path) -> Self {
        let drive = format!("if=none,id=media,format=raw,readonly=on,file={}", file.display());
        self.with(&["-drive", &drive, "-device", "virtio-blk-pci,drive=media"])
    }

    /// A serial adapter in a USB socket, with the number that is written into it and what hangs on it.
    pub(crate) fn adapter(self, number: &str, line: &Path) -> Self {
        let chardev = format!("serial,id={number},path={}", line.display());
        let device = format!("usb-serial,bus=usb.0,chardev={number},serial={number},always-plugged=on");
        self.with(&["-chardev", &chardev, "-device", &device])
    }

    /// A cable to another machine: `enp0s16`.
    pub(crate) fn cable(self, here: u16, there: u16) -> Self {
        let side = |port| format!("type=inet,host=127.0.0.1,port={port}");
        let dgram = format!(
            "dgram,id=cable,{},{}",
            side(here)
                .replace("type", "local.type")
                .replace("host", "local.host")
                .replace("port", "local.port"),
            side(there)
                .replace("type", "remote.type")
                .replace("host", "remote.host")
                .replace("port", "remote.port"),
        );
        let mac = format!(
            "virtio-net-pci,netdev=cable,addr=0x10,mac=52:54:00:77:{:02x}:{:02x}",
            here >> 8,
            here & 255
        );
        self.with(&["-netdev", &dgram, "-device", &mac])
    }

    /// A cable to this computer's loopback, on which the machine's port 443 is there as `port`: `enp0s17`.
    pub(crate) fn console(self, port: u16) -> Self {
        let user = format!("user,id=console,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:443");
        self.with(&["-netdev", &user, "-device", "virtio-net-pci,netdev=console,addr=0x11"])
    }

    /// As a customer has it: no shell for anybody.
    pub(crate) fn without_shell(mut self) -> Self {
        self.shell = false;
        self
    }

    /// With somebody at the other end of the serial line: [`Machine::line`].
    pub(crate) fn typed(mut self) -> Self {
        self.typed = true;
        self
    }

    /// Switches it on.
    pub(crate) fn boot(self) -> Machine {
        let dir = tempfile::tempdir().expect("temporary directory");
        let variables = match self.kind {
            Kind::Pc => Some(VARIABLES),
            Kind::Arm => Some(ARM_VARIABLES),
            Kind::Secure(_) | Kind::Pi(_) => None,
        };
        if let Some(variables) = variables {
            fs::copy(variables, dir.path().join("variables")).expect("firmware: tests/setup/image.sh");
        }
        let child = self.command(dir.path()).spawn().expect("QEMU: tests/setup/image.sh");
        let _ = writeln!(
            std::io::stderr(),
            "{}: on, serial line in {}",
            self.name,
            dir.path().join("serial").display()
        );
        Machine { name: self.name, child, dir, shell: None, marks: 0, begun: Instant::now() }
    }

    fn command(&self, dir: &Path) -> Command {
        let at = |name: &str| dir.join(name).display().to_string();
        // One machine among others on a busy computer; ONEPRESS_NICE=0 for somebody who waits for it.
        let nice = std::env::var("ONEPRESS_NICE").unwrap_or_else(|_| "10".into());
        let mut command = Command::new("nice");
        command.args(["-n", &nice]);
        self.computer(&mut command, dir);
        command.args(["-smp", "2", "-m", "1024", "-nodefaults", "-display", "none"]);
        if self.typed {
            let line =
                format!("socket,id=line,server=on,wait=off,path={},logfile={}", at("line"), at("serial"));
            command.args(["-chardev", &line, "-serial", "chardev:line"]);
        } else {
            command.args(["-serial", &format!("file:{}", at("serial"))]);
        }
        command.args([
            "-device",
            "virtio-rng-pci",
            "-device",
            "qemu-xhci,id=usb",
            "-device",
            "virtio-serial-pci",
        ]);
        if self.shell {
            command.args(["-chardev", &format!("socket,id=lab,server=on,wait=off,path={}", at("lab"))]);
            command.args(["-device", "virtserialport,chardev=lab,name=lab"]);
            // A Pi's firmware passes arguments only ([`Self::computer`]).
            for (name, text) in LABORATORY.iter().filter(|_| !matches!(self.kind, Kind::Pi(_))) {
                let given = format!("io.systemd.credential.binary:{name}={}", BASE64.encode(text));
                command.args(["-smbios", &format!("type=11,value={given}")]);
            }
        }
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        command
    }

    /// Processors and what starts first.
    fn computer(&self, command: &mut Command, dir: &Path) {
        let flash = |path: &str, kept: bool| {
            let readonly = if kept { "off" } else { "on" };
            format!("if=pflash,format=raw,readonly={readonly},file={path}")
        };
        let variables = dir.join("variables").display().to_string();
        let uefi = |command: &mut Command, firmware, variables: &str| {
            command.args(["-drive", &flash(firmware, false), "-drive", &flash(variables, true)]);
        };
        match &self.kind {
            Kind::Pc => {
                command.args(PC).args(["-machine", "q35"]);
                uefi(command, FIRMWARE, &variables);
                // A busy host's timers come too late for the kernel's own check of them. And QEMU 7.2 has lost wake-ups of
                // an idle processor, for which another then waited for ever: with a tick it wakes up by itself.
                let extra =
                    format!("io.systemd.stub.kernel-cmdline-extra=no_timer_check nohz=off {}", self.extra);
                command.args(["-smbios", &format!("type=11,value={}", extra.trim_end())]);
            }
            Kind::Secure(kept) => {
                command.args(PC).args(["-machine", "q35,smm=on"]);
                command.args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
                uefi(command, SECURE, &kept.display().to_string());
            }
            Kind::Arm => {
                command.args(ARM).args(["-accel", "tcg,thread=multi"]);
                uefi(command, ARM_FIRMWARE, &variables);
            }
            Kind::Pi(boot) => {
                let shipped = fs::read_to_string(boot.join("cmdline.txt")).expect("the kernel's arguments");
                let mut arguments = shipped.trim().to_owned();
                for (name, text) in LABORATORY {
                    let given = format!(" systemd.set_credential_binary={name}:{}", BASE64.encode(text));
                    arguments += &given;
                }
                assert!(arguments.len() < ARGUMENTS_MAX, "{} bytes: {arguments}", arguments.len());
                command.args(ARM).args(["-accel", "tcg,thread=multi", "-append", &arguments]);
                for (option, file) in [("-kernel", "Image.gz"), ("-initrd", "initrd"), ("-dtb", "tree.dtb")] {
                    command.arg(option).arg(boot.join(file));
                }
            }
        }
    }
}

/// A machine that is on.
pub(crate) struct Machine {
    name: &'static str,
    child: Child,
    dir: TempDir,
    shell: Option<UnixStream>,
    marks: u32,
    begun: Instant,
}

impl Machine {
    /// All that has come over the serial line.
    pub(crate) fn serial(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("serial")).unwrap_or_default())
            .replace('\r', "")
    }

    /// The other end of the serial line, to type at, of a machine that was planned so. What comes is in [`Machine::serial`].
    pub(crate) fn line(&self) -> UnixStream {
        let line = UnixStream::connect(self.dir.path().join("line")).expect("the serial line");
        // Each byte comes alone, and a few hundred that nobody reads stop the machine's line.
        let mut read = line.try_clone().expect("a descriptor");
        std::thread::spawn(move || std::io::copy(&mut read, &mut std::io::sink()));
        line
    }

    /// Waits for a text on the serial line.
    pub(crate) fn says(&mut self, text: &str, limit: Duration) {
        self.until(&format!("says {text:?}"), limit, |machine| machine.serial().contains(text));
    }

    /// Waits until it has switched itself off.
    pub(crate) fn off(mut self, limit: Duration) -> String {
        let end = Instant::now() + limit;
        while self.child.try_wait().expect("asked").is_none() {
            assert!(Instant::now() < end, "{}: never off\n{}", self.name, self.tail());
            onepress::rig::pause(GLANCE);
        }
        let _ = writeln!(std::io::stderr(), "{}: off after {:?}", self.name, self.begun.elapsed());
        self.serial()
    }

    /// Since it was switched on.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Runs a command as root; its output, when it succeeds.
    pub(crate) fn run(&mut self, command: &str) -> String {
        self.run_for(command, COMMAND)
    }

    /// The same, of a command that takes its time.
    pub(crate) fn run_for(&mut self, command: &str, limit: Duration) -> String {
        let (code, said) = self
            .try_run(command, limit)
            .unwrap_or_else(|| panic!("{}: no answer to {command}\n{}", self.name, self.tail()));
        assert_eq!(code, 0, "{}: {command}\n{said}\n{}", self.name, self.tail());
        said
    }

    /// Runs a command until it succeeds.
    pub(crate) fn eventually(&mut self, command: &str, limit: Duration) -> String {
        let end = Instant::now() + limit;
        let mut last = String::new();
        while Instant::now() < end {
            match self.try_run(command, QUESTION) {
                Some((0, said)) => return said,
                Some((_, said)) => last = said,
                None => {}
            }
            let ended = self.child.try_wait().expect("asked");
            assert!(ended.is_none(), "{}: it is off: {ended:?}\n{}", self.name, self.tail());
            onepress::rig::pause(GLANCE);
        }
        panic!("{}: never: {command}\n{last}\n{}", self.name, self.tail());
    }

    /// Waits until it has started as far as it goes.
    pub(crate) fn started(&mut self) {
        self.eventually("systemctl is-active multi-user.target", BOOT);
        let _ = writeln!(std::io::stderr(), "{}: multi-user after {:?}", self.name, self.age());
    }

    /// Writes a file in there.
    pub(crate) fn write(&mut self, path: &str, text: &str) {
        self.write_bytes(path, text.as_bytes());
    }

    /// Writes a file of any kind in there, a piece at a time: a shell reads a line whole.
    pub(crate) fn write_bytes(&mut self, path: &str, bytes: &[u8]) {
        self.run(&format!(": >{path}"));
        for piece in bytes.chunks(48_000) {
            self.run(&format!("printf %s {} | base64 -d >>{path}", BASE64.encode(piece)));
        }
    }

    fn until(&mut self, what: &str, limit: Duration, mut there: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + limit;
        while !there(self) {
            let ended = self.child.try_wait().expect("asked");
            assert!(ended.is_none() && Instant::now() < end, "{}: never {what}\n{}", self.name, self.tail());
            onepress::rig::pause(GLANCE);
        }
    }

    /// Runs a command as root: its exit code and its output, if it ends in time. (The shell has no prompt and no echo:
    /// what comes before the mark is what the command said.)
    pub(crate) fn try_run(&mut self, command: &str, limit: Duration) -> Option<(i32, String)> {
        self.marks += 1;
        let _ = writeln!(std::io::stderr(), "{} {:.0?}: {:.160}", self.name, self.age(), command);
        let mark = format!("mark-{}-{}", std::process::id(), self.marks);
        let mut shell = match self.shell.take() {
            Some(shell) => shell,
            None => UnixStream::connect(self.dir.path().join("lab")).ok()?,
        };
        shell.set_read_timeout(Some(GLANCE)).ok()?;
        shell.write_all(format!("{{ {command}\n}} </dev/null 2>&1; echo {mark} $?\n").as_bytes()).ok()?;
        let end = Instant::now() + limit;
        let (mut said, mut piece) = (Vec::new(), [0; 65_536]);
        while Instant::now() < end {
            if self.child.try_wait().expect("asked").is_some() {
                return None;
            }
            let Ok(count) = shell.read(&mut piece) else { continue };
            said.extend_from_slice(&piece[..count]);
            let text = String::from_utf8_lossy(&said).into_owned();
            if let Some((before, after)) = text.split_once(&mark)
                && after.ends_with('\n')
            {
                self.shell = Some(shell);
                // What an earlier command, given up on, still had to say.
                let before = before.rsplit("mark-").next().unwrap_or_default();
                return Some((after.trim().parse().ok()?, before.to_owned()));
            }
        }
        None
    }

    fn tail(&self) -> String {
        let serial = self.serial();
        let lines: Vec<_> = serial.lines().rev().take(40).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let kept = std::env::temp_dir().join(format!("onepress-serial-{}", self.name));
            let _ = fs::copy(self.dir.path().join("serial"), &kept);
            let _ =
                writeln!(std::io::stderr(), "{}: the serial line is kept in {}", self.name, kept.display());
        }
    }
}
