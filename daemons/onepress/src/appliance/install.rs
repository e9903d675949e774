//! From the stick onto the disk: what stands in the way of it, the steps, and that each was taken.

use super::{choose, copy, site::Site};
use crate::flash::device::{Computer, Device};
use crate::flash::site::{PARTITION, SITE_FILE, TICKET_FILE};
use alarm::ticket::Ticket;
use anyhow::{Context, bail, ensure};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the stick, the new disk's state and its boot partition are mounted.
const AT: &str = "/run/onepress/install";
/// What is made on the disk, repart.d(5).
const DEFINITIONS: &str = "/usr/lib/onepress/repart.install.d";
/// The root as dm-verity lets it be read: what is wrong on the stick cannot be read at all.
const ROOT: &str = "/dev/mapper/root";
/// On the stick only: what makes it install, and a seed that no two machines may share.
const LEFT_OUT: [&str; 2] = ["loader/addons", "loader/random-seed"];
/// Name of the partition for /var.
const DATA: &str = "onepress-data";
/// On that partition from the first start on: the machine's id.
const STARTED: &str = "lib/onepress-machine-id";
/// Longest site file, as `onepress flash` has it.
const SITE_MAX: u64 = 256 * 1024;

/// What the site has on the stick.
pub struct Given {
    text: Option<String>,
    ticket: Option<String>,
    /// The site's file, checked.
    pub site: Site,
}

/// What is going to be done, before any of it is.
pub struct Plan {
    /// The disk that will be lost.
    pub disk: Device,
    /// What the site has.
    pub given: Given,
    stick: String,
}

impl Plan {
    /// Looks at the stick and at the disks; changes nothing. `seen` hears what the site has on the stick, before a disk is
    /// chosen.
    ///
    /// # Errors
    /// Why nothing can be installed, with the remedy.
    pub fn make(seen: &mut dyn FnMut(&Given)) -> anyhow::Result<Self> {
        let provision = mount(&by_label(PARTITION)?, "stick", "vfat")?;
        let given = Given::read(&provision)?;
        seen(&given);
        let stick = disk_of(PARTITION)?;
        let devices: Vec<_> =
            Computer::this().devices().into_iter().filter(|device| device.name != stick).collect();
        let wanted = given.site.install.disk.as_deref();
        let disk = choose::choose(&devices, lived, wanted, given.site.install.erase)?;
        Ok(Self { disk, given, stick })
    }

    /// Does it. `tell` hears of each step.
    ///
    /// # Errors
    /// The step that failed, and why.
    pub fn carry_out(self, tell: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
        tell("writing partitions and system");
        let device = self.disk.path.display().to_string();
        let definitions = format!("--definitions={DEFINITIONS}");
        run("systemd-repart", &["--dry-run=no", "--empty=force", "--discard=no", &definitions, &device])?;
        run("udevadm", &["settle"])?;
        tell("reading back");
        self.verify()?;
        tell("copying the site's files");
        self.provide()?;
        run("sync", &[])
    }

    /// Compared with what dm-verity vouches for, from the disk and not from memory.
    fn verify(&self) -> anyhow::Result<()> {
        run("sync", &[])?;
        fs::write("/proc/sys/vm/drop_caches", "3").context("emptying the page cache")?;
        let version = version()?;
        let root = self.part(&format!("root_{version}"))?;
        copy::same(Path::new(ROOT), &root)?;
        let label = format!("verity_{version}");
        let original = partition(&self.stick, &label).with_context(|| format!("the stick has no {label}"))?;
        copy::same(&original, &self.part(&label)?)?;
        let esp = mount(&self.part("esp")?, "esp", "vfat")?;
        ensure!(esp.join("EFI/BOOT/BOOTX64.EFI").exists(), "the boot partition has no EFI/BOOT/BOOTX64.EFI");
        copy::same_tree(Path::new("/boot"), &esp, &LEFT_OUT)?;
        ensure!(!esp.join(LEFT_OUT[0]).exists(), "the new system would install itself again");
        run("umount", &[&esp.display().to_string()])
    }

    /// The site's file and the ticket go where the new system looks; then the ticket is gone from the stick.
    fn provide(&self) -> anyhow::Result<()> {
        let data = mount(&self.part(DATA)?, "data", "ext4")?;
        let ours = data.join("lib/onepress");
        let config = ours.join("config");
        fs::create_dir_all(&config)?;
        if let Some(text) = &self.given.text {
            put(&config.join("site.toml"), text, 0o644, None)?;
        }
        if let Some(ticket) = &self.given.ticket {
            let owner = user("onepress-button")?;
            let home = ours.join("button");
            fs::DirBuilder::new().mode(0o750).create(&home)?;
            chown(&home, Some(owner.0), Some(owner.1))?;
            put(&home.join("ticket"), ticket, 0o600, Some(owner))?;
        }
        File::open(&ours)?.sync_all()?;
        run("umount", &[&data.display().to_string()])?;
        if self.given.ticket.is_some() {
            erase(&Path::new(AT).join("stick").join(TICKET_FILE))
                .context("erasing the ticket on the stick")?;
        }
        run("umount", &[&format!("{AT}/stick")])
    }

    fn part(&self, label: &str) -> anyhow::Result<PathBuf> {
        partition(&self.disk.name, label)
            .with_context(|| format!("{} has no partition {label}", self.disk.name))
    }
}

impl Given {
    fn read(stick: &Path) -> anyhow::Result<Self> {
        let text = text(&stick.join(SITE_FILE))?;
        let site = Site::parse(text.as_deref().unwrap_or_default())
            .with_context(|| format!("{SITE_FILE} on the stick"))?;
        let ticket = self::text(&stick.join(TICKET_FILE))?;
        if let Some(ticket) = &ticket {
            ensure!(
                user("onepress-button").is_ok() && edge(),
                "{TICKET_FILE} is on the stick: only a box takes one"
            );
            Ticket::from_text(ticket).with_context(|| format!("{TICKET_FILE} on the stick"))?;
        }
        Ok(Self { text, ticket, site })
    }

    /// For the screen; never the ticket's secret.
    pub fn told(&self) -> String {
        let have = |there: bool| if there { "yes" } else { "no" };
        format!("site file: {}, ticket: {}", have(self.text.is_some()), have(self.ticket.is_some()))
    }
}

fn edge() -> bool {
    release("IMAGE_ID").is_ok_and(|id| id.starts_with("onepress-edge"))
}

/// The version that is installed: that of the stick.
///
/// # Errors
/// When os-release has none.
pub fn version() -> anyhow::Result<String> {
    release("IMAGE_VERSION")
}

/// A line of os-release(5).
///
/// # Errors
/// When it is not there.
pub fn release(key: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string("/usr/lib/os-release").context("reading os-release")?;
    let mut values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let value = values.next().map(|value| value.trim_matches('"').to_owned());
    value.with_context(|| format!("os-release has no {key}: this is no image of ours"))
}

fn text(path: &Path) -> anyhow::Result<Option<String>> {
    let Ok(meta) = fs::metadata(path) else { return Ok(None) };
    let length = meta.len();
    ensure!(length <= SITE_MAX, "{} has {length} bytes: at most {SITE_MAX}", path.display());
    fs::read_to_string(path).map(Some).with_context(|| format!("reading {}", path.display()))
}

fn put(path: &Path, text: &str, mode: u32, owner: Option<(u32, u32)>) -> anyhow::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    if let Some((user, group)) = owner {
        chown(path, Some(user), Some(group))?;
    }
    file.sync_all().with_context(|| format!("writing {}", path.display()))
}

/// Written over before it is removed: a flash chip may keep the old block, but no program reads it any more.
fn erase(path: &Path) -> anyhow::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len())?;
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    Ok(fs::remove_file(path)?)
}

fn user(name: &str) -> anyhow::Result<(u32, u32)> {
    let table = fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
    let line = table.lines().find(|line| line.split(':').next() == Some(name));
    let mut words = line.with_context(|| format!("no user {name}"))?.split(':').skip(2);
    let mut number = || words.next()?.parse().ok();
    number().zip(number()).with_context(|| format!("the user {name} has no number"))
}

fn by_label(label: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new("/dev/disk/by-partlabel").join(label);
    ensure!(path.exists(), "no partition {label} is here: was the stick made with `onepress flash`?");
    Ok(path)
}

/// Whether an appliance has started from this disk, whose alarms may be on it. What an installation left that was cut
/// off, or that never started, is nobody's loss: the stick does it again without being told to. What cannot be read is
/// taken for somebody's.
fn lived(device: &Device) -> bool {
    let Some(data) = partition(&device.name, DATA) else { return false };
    let Ok(at) = mount(&data, "old", "ext4") else { return true };
    let lived = at.join(STARTED).exists();
    // It is overwritten only when it is free; what stays mounted is told by the step that meets it.
    let _ = run("umount", &[&at.display().to_string()]);
    lived
}

/// The disk that holds the partition of this name.
fn disk_of(label: &str) -> anyhow::Result<String> {
    let mut disks = fs::read_dir("/sys/block")?.flatten().map(|entry| entry.file_name());
    let holds = |disk: &std::ffi::OsString| partition(&disk.to_string_lossy(), label).is_some();
    let disk = disks.find(holds).with_context(|| format!("no disk has a partition {label}"))?;
    Ok(disk.to_string_lossy().into_owned())
}

/// The partition of a disk with this name, as sysfs has it.
fn partition(disk: &str, label: &str) -> Option<PathBuf> {
    let parts = fs::read_dir(Path::new("/sys/block").join(disk)).ok()?.flatten();
    let texts = parts.filter_map(|part| fs::read_to_string(part.path().join("uevent")).ok());
    let value =
        |text: &str, key: &str| text.lines().find_map(|line| Some(line.strip_prefix(key)?.to_owned()));
    let mut found = texts.filter(|text| value(text, "PARTNAME=").as_deref() == Some(label));
    found.find_map(|text| value(&text, "DEVNAME=")).map(|name| Path::new("/dev").join(name))
}

fn mount(device: &Path, name: &str, kind: &str) -> anyhow::Result<PathBuf> {
    let at = Path::new(AT).join(name);
    fs::create_dir_all(&at)?;
    run("mount", &["-t", kind, &device.display().to_string(), &at.display().to_string()])?;
    Ok(at)
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let done =
        Command::new(program).args(arguments).output().with_context(|| format!("starting {program}"))?;
    if !done.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}
