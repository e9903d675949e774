//! `onepress flash`: writes an appliance image to a stick, and says what it will do before it does it.

use super::say;
use crate::flash::device::{Computer, Device};
use crate::flash::image::Image;
use crate::flash::readable;
use crate::flash::site::Site;
use crate::flash::write::{Stage, verify, write};
use crate::signed::KEYS;
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, IsTerminal, Write, stderr, stdin};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(500);

/// What goes where.
#[derive(Args)]
pub struct Arguments {
    /// The image: .raw, .raw.zst or .raw.xz, with SHA256SUMS and SHA256SUMS.gpg beside it; without it, devices are listed
    image: Option<PathBuf>,
    /// The device, such as /dev/sdb, or a file; without it, devices are listed
    device: Option<PathBuf>,
    /// Configuration of the site that goes with it
    #[arg(long)]
    site: Option<PathBuf>,
    /// Ticket that goes with it
    #[arg(long)]
    ticket: Option<PathBuf>,
    /// Keys that sign images
    #[arg(long, default_value = KEYS)]
    keys: PathBuf,
    /// Write to a disk that is mounted, built in, or the system's: its name once more
    #[arg(long)]
    really: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// JSON for other programs
    #[arg(long)]
    json: bool,
}

/// Lists devices, or writes.
///
/// # Errors
/// Why nothing was written, or what failed; each with the remedy.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let computer = Computer::this();
    let (Some(image), Some(target)) = (&arguments.image, &arguments.device) else {
        return list(&computer, arguments.json);
    };
    let site = Site::read(arguments.site.as_deref(), arguments.ticket.as_deref())?;
    say(format!("checking the signature of {} ...", image.display()));
    let image = Image::open(image, &arguments.keys)?;
    let target = Target::find(&computer, target, arguments.really.as_deref())?;
    confirm(&target, arguments.yes)?;
    target.check_again(&computer)?;
    let mut device = target.open()?;
    flash(&image, &mut device, &target, arguments.json)?;
    if !site.is_empty() {
        site.put(&mut device)?;
        say("the files of the site are on it");
    }
    drop(device);
    target.eject();
    say("done: written and read back; it may be taken out");
    Ok(())
}

fn list(computer: &Computer, as_json: bool) -> anyhow::Result<()> {
    let devices = computer.devices();
    if as_json {
        let each = |device: &Device| {
            let against: Vec<_> = device.against.iter().map(ToString::to_string).collect();
            json!({
                "device": device.path, "size": device.size, "model": device.model, "serial": device.serial,
                "bus": device.bus.to_string(), "against": against,
            })
        };
        say(serde_json::to_string_pretty(&devices.iter().map(each).collect::<Vec<_>>())?);
        return Ok(());
    }
    ensure!(!devices.is_empty(), "no disk was found: plug a stick in");
    for device in devices {
        let against: Vec<_> = device.against.iter().map(ToString::to_string).collect();
        let verdict = if against.is_empty() { "ready".into() } else { format!("no: {}", against.join(", ")) };
        let Device { path, size, bus, model, .. } = device;
        say(format!("{:<14} {:>9}  {:<5} {:<24} {verdict}", path.display(), readable(size), bus, model));
    }
    say("write with: onepress flash IMAGE DEVICE");
    Ok(())
}

/// Where the image goes.
struct Target {
    path: PathBuf,
    size: u64,
    /// None for a file.
    device: Option<Device>,
    exclusive: bool,
}

impl Target {
    fn find(computer: &Computer, path: &Path, really: Option<&str>) -> anyhow::Result<Self> {
        let meta = std::fs::metadata(path).with_context(|| format!("{}", path.display()))?;
        if meta.is_file() {
            return Ok(Self { path: path.to_owned(), size: meta.len(), device: None, exclusive: false });
        }
        ensure!(meta.file_type().is_block_device(), "{} is neither a disk nor a file", path.display());
        let real = path.canonicalize()?;
        let name = real.file_name().and_then(|name| name.to_str()).context("the device has no name")?;
        let device = computer.device(name);
        let device = device.with_context(|| {
            format!("{name} is not a whole disk with a medium in it: see `onepress flash`")
        })?;
        let told = really == Some(name);
        if let (Some(why), false) = (device.against.first(), told) {
            bail!("{name} is not written: {why}. If it has to be this one, add --really {name}");
        }
        Ok(Self { path: real, size: device.size, exclusive: !told, device: Some(device) })
    }

    /// Nothing has been plugged over since it was chosen.
    fn check_again(&self, computer: &Computer) -> anyhow::Result<()> {
        let Some(device) = &self.device else { return Ok(()) };
        let now = computer.device(&device.name);
        ensure!(
            now.as_ref() == Some(device),
            "{} is not what it was: look again with `onepress flash`",
            device.name
        );
        Ok(())
    }

    fn open(&self) -> anyhow::Result<File> {
        let mut options = File::options();
        options.read(true).write(true);
        if self.exclusive {
            // The kernel refuses a disk that has been mounted meanwhile.
            options.custom_flags(rustix::fs::OFlags::EXCL.bits().cast_signed());
        }
        options.open(&self.path).with_context(|| format!("opening {}: are you root?", self.path.display()))
    }

    fn told(&self) -> String {
        match &self.device {
            Some(device) => {
                format!(
                    "{} ({}, {}, {}, {})",
                    self.path.display(),
                    readable(self.size),
                    device.bus,
                    device.model,
                    device.serial
                )
            }
            None => format!("the file {} ({})", self.path.display(), readable(self.size)),
        }
    }

    /// Asks the kernel to let it go; a file has nothing to be taken out.
    fn eject(&self) {
        let Some(device) = &self.device else { return };
        if device.bus == crate::flash::device::Bus::Usb {
            let _ = std::fs::write(format!("/sys/block/{}/device/delete", device.name), "1");
        }
    }
}

fn confirm(target: &Target, yes: bool) -> anyhow::Result<()> {
    say(format!("everything on {} will be lost", target.told()));
    if yes {
        return Ok(());
    }
    let name = target.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    say(format!("type {name} to go on:"));
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    ensure!(line.trim() == name, "nothing was written");
    Ok(())
}

fn flash(image: &Image, device: &mut File, target: &Target, as_json: bool) -> anyhow::Result<()> {
    let mut unpacked = image.unpack()?;
    let total = image.map.as_ref().map(crate::flash::map::Map::mapped);
    let mut shown = Progress::new(Stage::Write, total, as_json);
    let written =
        write(&mut unpacked, image.map.as_ref(), device, target.size, &mut |done| shown.show(done))?;
    let total = written.iter().map(|range| range.bytes.end - range.bytes.start).sum();
    shown.end();
    let mut shown = Progress::new(Stage::Verify, Some(total), as_json);
    verify(device, &written, &mut |done| shown.show(done))?;
    shown.end();
    Ok(())
}

/// Rate and time left, on the terminal or as JSON.
struct Progress {
    stage: Stage,
    total: Option<u64>,
    begun: Instant,
    shown: Option<Instant>,
    done: u64,
    json: bool,
}

impl Progress {
    fn new(stage: Stage, total: Option<u64>, json: bool) -> Self {
        Self { stage, total, begun: Instant::now(), shown: None, done: 0, json }
    }

    fn show(&mut self, done: u64) {
        self.done = done;
        if self.shown.is_some_and(|shown| shown.elapsed() < SHOW_EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        self.print();
    }

    fn end(&self) {
        self.print();
        if !self.json && stderr().is_terminal() {
            let _ = writeln!(stderr());
        }
    }

    fn print(&self) {
        let text = if self.json {
            self.as_json()
        } else {
            told(self.stage, self.done, self.total, self.begun.elapsed())
        };
        let (before, after) =
            if self.json || !stderr().is_terminal() { ("", "\n") } else { ("\r\x1b[K", "") };
        let _ = write!(stderr(), "{before}{text}{after}");
    }

    fn as_json(&self) -> String {
        let stage = match self.stage {
            Stage::Write => "write",
            Stage::Verify => "verify",
        };
        json!({ "stage": stage, "done": self.done, "total": self.total, "seconds": self.begun.elapsed().as_secs_f64() })
            .to_string()
    }
}

fn told(stage: Stage, done: u64, total: Option<u64>, spent: Duration) -> String {
    let what = match stage {
        Stage::Write => "writing",
        Stage::Verify => "reading back",
    };
    let rate = done as f64 / spent.as_secs_f64().max(0.001);
    let mut text = format!("{what}: {}", readable(done));
    if let Some(total) = total.filter(|total| *total > 0) {
        let left = total.saturating_sub(done) as f64 / rate.max(1.0);
        text += &format!(
            " of {}, {:.0} %, {left:.0} s left",
            readable(total),
            100.0 * done as f64 / total as f64
        );
    }
    format!("{text}, {:.1} MB/s", rate / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_has_rate_and_time_left() {
        let text = told(Stage::Write, 50_000_000, Some(200_000_000), Duration::from_secs(5));
        assert_eq!(text, "writing: 50.0 MB of 200.0 MB, 25 %, 15 s left, 10.0 MB/s");
        let text = told(Stage::Verify, 1_000_000, None, Duration::from_secs(1));
        assert_eq!(text, "reading back: 1.0 MB, 1.0 MB/s");
    }

    #[test]
    fn a_file_is_a_device_to_try_with_and_a_folder_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("stick");
        std::fs::write(&file, [0; 512]).unwrap();
        assert_eq!(Target::find(&Computer::this(), &file, None).unwrap().size, 512);
        let error = Target::find(&Computer::this(), dir.path(), None).err().unwrap().to_string();
        assert!(error.contains("neither a disk nor a file"), "{error}");
    }
}
