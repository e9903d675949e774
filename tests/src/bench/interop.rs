//! The stock relay beside ours in one centre: it dials ours with a certificate of the centre, pulls what ours has and
//! pushes what it has itself. Clients of both are of the stock library.

use super::boxes;
use super::fanout::STOCK;
use crate::centre::Centre;
use crate::crowd::Plan;
use crate::crowd::ends::{connect, hear, millis, send};
use alarm::ticket::Ticket;
use anyhow::{Context, ensure};
use link::Clock;
use link::identity::Identity;
use media::session::{Grant, alpns};
use media::{Kind, Origin, Scope, Session};
use onepress::rig::{Relay, free_both};
use quinn::crypto::rustls::QuicClientConfig;
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{sleep, timeout};

/// What the section of the results begins with.
pub(crate) const TITLE: &str = "## With a relay that nobody here wrote";
/// Name of the other relay in the register.
const OTHER: &str = "relay-2";
/// What is sent each way.
const SENT: Plan = Plan { incidents: 1, span: Duration::from_secs(6), fps: 5, sounds: 10 };
/// A relay that has to come up, a session, a broadcast that has to be announced.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs it, and says it as a section of the results.
///
/// # Errors
/// What did not pass from one to the other.
pub(crate) fn section(dir: &Path, say: impl Fn(&str)) -> anyhow::Result<String> {
    if !Path::new(STOCK).exists() {
        return Ok(format!("{TITLE}\n\nNot run: `make peers` installs moq-relay.\n"));
    }
    say("beside the stock relay ...");
    let centre = Centre::start(0, &onepress::rig::Plan::default());
    let ticket = centre.desk.new_box("relay", None)?;
    let ours = Relay::start(&centre.programs, &centre.dir.path().join("relay"), &ticket)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (own, boxes) = (dir.join(OTHER), dir.join("boxes"));
    let ticket = Ticket::from_text(&centre.desk.new_box(OTHER, None)?)?;
    boxes::with_ticket(&runtime, &ticket, &own)?;
    super::enrol(&runtime, &centre.desk, 1, &boxes)?;
    let stock = Stock::start(dir, &own, ours.port())?;
    let [pulled, pushed] = runtime.block_on(both_ways(&stock, ours.port(), &own, &boxes))?;
    let sent = SENT.fps * SENT.span.as_secs();
    for (what, came) in [("pulled from ours", pulled), ("pushed to ours", pushed)] {
        ensure!(came * 10 >= sent * 9, "{what}: {came} pictures of {sent}");
    }
    Ok(format!(
        "{TITLE}\n\nmoq-relay 0.17.10 dials our relay with a certificate of the centre (mutual TLS, raw QUIC, as a second \
         relay would). A box publishes at ours and a client of the stock library watches at moq-relay: {pulled} of {sent} \
         pictures. A client publishes at moq-relay and another watches at ours: {pushed} of {sent}. The first ones fall \
         before the watcher has asked.\n"
    ))
}

async fn both_ways(stock: &Stock, ours: u16, own: &Path, boxes: &Path) -> anyhow::Result<[u64; 2]> {
    let member = |dir: &Path| -> anyhow::Result<Arc<QuicClientConfig>> {
        let identity = Identity::load(dir)?.context("enrolled")?;
        Ok(Arc::new(link::media::to_relay(&identity, &Clock::system(), alpns())?))
    };
    let name = boxes::name(0);
    let from_box = Publishes { tls: member(&boxes.join(&name))?, port: ours, name: name.clone() };
    let at_stock = Watches { tls: anybody()?, port: stock.port };
    let pulled = pass(from_box, at_stock).await.context("from ours to moq-relay")?;
    let at_stock = Publishes { tls: anybody()?, port: stock.port, name: "elsewhere".into() };
    let pushed = pass(at_stock, Watches { tls: member(own)?, port: ours }).await;
    Ok([pulled, pushed.context("from moq-relay to ours")?])
}

struct Publishes {
    tls: Arc<QuicClientConfig>,
    port: u16,
    name: String,
}

struct Watches {
    tls: Arc<QuicClientConfig>,
    port: u16,
}

/// How many pictures come through.
async fn pass(publishes: Publishes, watches: Watches) -> anyhow::Result<u64> {
    let prefix = format!("box/{}", publishes.name);
    let near = Origin::new();
    let may = Grant { see: Scope::below([&prefix])?, publish: Scope::nothing() };
    let connection = connect(publishes.tls, publishes.port).await?;
    let _near = timeout(LIMIT, Session::connect(connection, &near, &may)).await??;
    let far = Origin::new();
    let may = Grant { see: Scope::nothing(), publish: Scope::below([&prefix])? };
    let connection = connect(watches.tls, watches.port).await?;
    let _far = timeout(LIMIT, Session::connect(connection, &far, &may)).await??;
    // Whoever listens first hears all.
    let heard = tokio::spawn(hear(far, prefix.clone(), Kind::Video, SENT.span));
    sleep(Duration::from_secs(1)).await;
    let began = SystemTime::now();
    send(&near, &format!("{prefix}/cam/gate/{}", millis(began)), began, true, SENT).await?;
    Ok(timeout(LIMIT + SENT.span, heard).await???.frames)
}

/// Takes the stock relay's own certificate.
fn anybody() -> anyhow::Result<Arc<QuicClientConfig>> {
    let mut tls = crate::stranger::trusting();
    tls.alpn_protocols = alpns();
    Ok(Arc::new(QuicClientConfig::try_from(tls)?))
}

/// The stock relay.
struct Stock {
    child: Child,
    port: u16,
}

impl Stock {
    /// It dials `peer` as the member whose identity lies in `own`.
    fn start(dir: &Path, own: &Path, peer: u16) -> anyhow::Result<Self> {
        let identity: Value = serde_json::from_slice(&std::fs::read(own.join("identity.json"))?)?;
        let (chain, key) = (dir.join("chain.pem"), dir.join("key.pem"));
        std::fs::write(&key, identity["key"].as_str().context("a key")?)?;
        let each = identity["chain"].as_array().context("a chain")?.iter().filter_map(Value::as_str);
        std::fs::write(&chain, each.map(pem).collect::<String>())?;
        let port = free_both()?;
        let config = dir.join("second-relay.toml");
        std::fs::write(
            &config,
            format!(
                "[listen]\nbind = \"127.0.0.1:{port}\"\n[listen.tls]\ngenerate = [\"localhost\"]\n\
                 [auth]\npublic = \"**\"\n[cluster]\nconnect = [\"moqt://127.0.0.1:{peer}\"]\n\
                 [connect.tls]\ncert = {chain:?}\nkey = {key:?}\ninsecure = true\n"
            ),
        )?;
        let log = std::fs::File::create(dir.join("second-relay.log"))?;
        let mut command = Command::new(STOCK);
        command.arg(&config).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn()?;
        onepress::rig::pause(Duration::from_secs(3));
        if child.try_wait()?.is_some() {
            anyhow::bail!("moq-relay ends: {}", std::fs::read_to_string(dir.join("second-relay.log"))?);
        }
        Ok(Self { child, port })
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pem(base64: &str) -> String {
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_box_is_its_own() {
        let name = alarm::BoxId::new(boxes::name(0)).unwrap();
        assert_eq!(alarm::media::box_prefix(&name), format!("box/{}", boxes::name(0)));
    }
}
