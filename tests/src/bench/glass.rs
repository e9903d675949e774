//! How old a picture is when a browser shows it, and how long the first one takes: the console beside Janus, on the same
//! played camera, in turn.

use super::numbers::{Times, ratio, text};
use crate::studio::Studio;
use anyhow::Context;
use onepress::rig::{Button, PASSWORD, USER, pause, wait_for};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What the section of the results begins with.
pub(crate) const TITLE: &str = "## Glass to glass: a camera in a browser";
/// What both look at: without sound, because Janus gets none either.
const STREAM: &str = "/h264";
/// A program that has to come up.
const READY: Duration = Duration::from_secs(30);
/// What is shown within this of the first picture is not counted: players find their pace.
const SETTLING: i64 = 3_000;
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/janus/serve.sh");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser/glass.mjs");

/// How much of it.
pub(crate) struct Size {
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
}

/// For the results.
pub(crate) const FULL: Size = Size { rounds: 2, seconds: 12 };
/// For a glance.
pub(crate) const SHORT: Size = Size { rounds: 1, seconds: 8 };

/// What a browser showed.
#[derive(Default)]
struct Shown {
    age: Times,
    first: Times,
}

/// Measures, and says it as a section of the results. `say` hears of the progress.
///
/// # Errors
/// What does not come up.
pub(crate) fn section(size: &Size, dir: &Path, say: impl Fn(&str)) -> anyhow::Result<String> {
    let mut studio = Studio::open(&[("gate", STREAM)], "");
    let log = dir.join("pictures");
    studio.cameras.order(&format!("log {}", log.display()))?;
    let janus = Janus::start(dir, &studio.cameras.url(STREAM))?;
    studio.wait_ring(Duration::from_secs(31));
    let (mut ours, mut theirs) = (Shown::default(), Shown::default());
    for round in 1..=size.rounds {
        say(&format!("glass to glass, round {round} of {} ...", size.rounds));
        let told = page(&["janus", &janus.url()], size.seconds)?;
        theirs.add(&told, &log)?;
        studio.press(Button::Gate);
        let seat = format!("glass-{round}");
        let told = page(&["onepress", &studio.centre.rack.url(), USER, PASSWORD, &seat], size.seconds)?;
        ours.add(&told, &log)?;
        close(&studio)?;
        // The next press is another incident.
        pause(Duration::from_secs(3));
    }
    Ok(table(&ours, &theirs, size))
}

fn close(studio: &Studio) -> anyhow::Result<()> {
    for incident in studio.centre.state()["incidents"].as_array().into_iter().flatten() {
        let (id, desk) = (&incident["id"], &studio.centre.desk);
        // The page's seat owned it; the rig's takes it over.
        let _ = desk.post(&format!("/api/incidents/{id}/answer"), &json!({}));
        wait_for("the seat gives it back", READY, || {
            let _ = desk.post(&format!("/api/incidents/{id}/answer"), &json!({}));
            desk.post(&format!("/api/incidents/{id}/close"), &json!({ "outcome": "handled", "note": "" }))
                .ok()
        })?;
    }
    Ok(())
}

/// What the page says, line by line.
fn page(arguments: &[&str], seconds: u64) -> anyhow::Result<Vec<Value>> {
    let mut command = Command::new("node");
    command.arg(PAGE).args(arguments).arg(seconds.to_string()).stderr(Stdio::inherit());
    let output = command.output().context("node is missing: run tests/setup/base.sh")?;
    anyhow::ensure!(output.status.success(), "the page of {} failed", arguments[0]);
    String::from_utf8(output.stdout)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

impl Shown {
    fn add(&mut self, told: &[Value], log: &Path) -> anyhow::Result<()> {
        let made = made(log)?;
        let asked = told.iter().find_map(|line| line["asked"].as_i64()).context("it was not asked")?;
        let shown: Vec<(i64, i64)> = told
            .iter()
            .filter_map(|line| Some((line["number"].as_i64()?, line["at"].as_i64()?)))
            .filter(|(_, at)| *at >= asked)
            .collect();
        let first = shown.first().context("no picture was shown")?.1;
        self.first.push(millis(first - asked));
        for (number, at) in shown.iter().filter(|(_, at)| *at > first + SETTLING) {
            let made = made.get(number).with_context(|| format!("nobody made picture {number}"))?;
            self.age.push(millis(at - made));
        }
        Ok(())
    }
}

/// When each picture was made. Numbers are of 16 bits; no bench shows so many.
fn made(log: &Path) -> anyhow::Result<HashMap<i64, i64>> {
    let text = std::fs::read_to_string(log)?;
    let pair = |line: &str| {
        let (number, at) = line.split_once(' ')?;
        Some((number.parse().ok()?, at.parse().ok()?))
    };
    Ok(text.lines().filter_map(pair).collect())
}

fn millis(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}

/// Janus, which lives as long as this.
struct Janus {
    child: Child,
    port: u16,
}

impl Janus {
    fn start(dir: &Path, camera: &str) -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = dir.join("janus");
        std::fs::create_dir_all(&folder)?;
        let log = std::fs::File::create(folder.join("log"))?;
        let mut command = Command::new("sh");
        command.arg(PEER).arg(&folder).args([&port.to_string(), camera]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn()?;
        let janus = Self { child, port };
        wait_for("Janus listens", READY, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok())
            .with_context(|| std::fs::read_to_string(folder.join("log")).unwrap_or_default())?;
        Ok(janus)
    }

    fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Janus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn table(ours: &Shown, theirs: &Shown, size: &Size) -> String {
    let mut page = format!(
        "{TITLE}\n\n| | pictures | age min | p50 | p99 | max | first picture, median | worst |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    for (name, shown) in [("the console (MoQ, WebTransport)", ours), ("Janus 1.1.2 (WebRTC)", theirs)] {
        let _ = writeln!(
            page,
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            shown.age.len(),
            text(shown.age.min()),
            text(shown.age.percentile(50)),
            text(shown.age.percentile(99)),
            text(shown.age.max()),
            text(shown.first.percentile(50)),
            text(shown.first.max()),
        );
    }
    let of = |percent| ratio(ours.age.percentile(percent), theirs.age.percentile(percent));
    let first = ratio(ours.first.percentile(50), theirs.first.percentile(50));
    let _ = writeln!(page, "| ratio | | | {} | {} | | {first} | |", of(50), of(99));
    let _ = writeln!(page, "\n{} rounds of {} s each, in turn. {METHOD}", size.rounds, size.seconds);
    page
}

const METHOD: &str = "One camera of GStreamer's RTSP server (320 by 240, 15 pictures a second, a key frame every \
second) is read by both at once. Each picture carries its number; its age is from when the camera made it to when the \
page first finds it on the screen, by one machine's clock. Chromium without a screen or a graphics card shows both. \
First picture: from the answer in the console, or the request to Janus, to the first picture on the screen. The \
console also records, and shows what was before the press; Janus does neither.";
