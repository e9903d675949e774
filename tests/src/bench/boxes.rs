//! Boxes without a daemon: link clients that enrol, send notices and wait for the ACK.

use alarm::ticket::Ticket;
use alarm::wire::{Purpose, ToBox, ToRack};
use alarm::{Mode, Nature, Notice, NoticeId, PathId, PointId, Wall, What};
use anyhow::Context;
use link::client::{self, Bind, Connector, Receiver, Sender, Session};
use link::identity::Identity;
use link::{Clock, Keys};
use onepress::api::Desk;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Registrations and enrolments side by side: they share fsyncs, and the rack takes sixteen at once.
const ABREAST: usize = 8;
/// How often a path gives a sign of life, and from where on loopback it comes.
const WAYS: [(&str, &str, bool); 2] = [("wired", "127.0.0.1", false), ("cellular", "127.0.0.2", true)];

/// What is to be registered.
pub(crate) struct Plan<'a> {
    pub(crate) boxes: usize,
    /// Boxes of one site.
    pub(crate) per_site: usize,
    pub(crate) dir: &'a Path,
}

/// Name of a box.
pub(crate) fn name(number: usize) -> String {
    format!("box-{number:04}")
}

/// Registers and enrols boxes; each identity lies in a folder of its own under `dir`.
pub(crate) fn enrol(runtime: &Runtime, desk: &Desk, plan: &Plan<'_>) -> anyhow::Result<()> {
    for site in 0..plan.boxes.div_ceil(plan.per_site) {
        desk.post("/api/sites", &json!({ "id": format!("site-{site}"), "name": format!("第 {site} 小学") }))?;
    }
    std::thread::scope(|scope| {
        let worker = |first: usize| {
            scope.spawn(move || {
                (first..plan.boxes).step_by(ABREAST).try_for_each(|n| one(runtime, desk, plan, n))
            })
        };
        let workers: Vec<_> = (0..ABREAST).map(worker).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| anyhow::anyhow!("a thread that enrols boxes has died"))?
        })
    })
}

fn one(runtime: &Runtime, desk: &Desk, plan: &Plan<'_>, number: usize) -> anyhow::Result<()> {
    let name = name(number);
    let site = format!("site-{}", number / plan.per_site);
    let ticket = Ticket::from_text(&desk.new_box(&name, Some(&site))?)?;
    with_ticket(runtime, &ticket, &plan.dir.join(&name)).with_context(|| format!("enrolling {name}"))
}

/// Enrols one box into a folder.
pub(crate) fn with_ticket(runtime: &Runtime, ticket: &Ticket, dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)?;
    runtime.block_on(client::enrol(ticket, &Bind::default(), dir))?;
    Ok(())
}

/// The ways of a box to its rack.
pub(crate) fn ways() -> anyhow::Result<Vec<client::Path>> {
    let way = |(name, source, metered): (&str, &str, bool)| {
        let bind = Bind { source: Some(source.parse()?), ..Bind::default() };
        Ok(client::Path { name: PathId::new(name)?, bind, metered })
    };
    WAYS.into_iter().map(way).collect()
}

/// Who connects, from the folder of an enrolled box.
pub(crate) fn connector(dir: &Path) -> anyhow::Result<Connector> {
    let identity = Identity::load(dir)?.with_context(|| format!("no identity in {}", dir.display()))?;
    let paths = ways()?.into_iter().map(|way| way.name).collect();
    Ok(Connector::new(identity, Keys::random(), Clock::system(), paths, "bench".into()))
}

/// One box with its alarm stream open on the first way.
pub(crate) struct Client {
    session: Session,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
}

impl Client {
    pub(crate) async fn open(dir: &Path) -> anyhow::Result<Self> {
        let way = ways()?.into_iter().next().context("a box has a way")?;
        let session = connector(dir)?.connect(&way).await?;
        let (sender, receiver) = session.open(Purpose::Alarm).await?.split();
        Ok(Self { session, sender, receiver })
    }

    /// Sender and receiver for two tasks, and the connection to be kept meanwhile.
    pub(crate) fn apart(self) -> (Sender, Receiver, Session) {
        (self.sender, self.receiver, self.session)
    }

    pub(crate) fn together(sender: Sender, receiver: Receiver, session: Session) -> Self {
        Self { session, sender, receiver }
    }

    pub(crate) async fn acked(&mut self, id: NoticeId) -> anyhow::Result<()> {
        acked(&mut self.receiver, id).await
    }
}

/// Waits for one ACK.
async fn acked(receiver: &mut Receiver, id: NoticeId) -> anyhow::Result<()> {
    while let Some(message) = receiver.recv().await? {
        if message == (ToBox::Ack { id }) {
            return Ok(());
        }
    }
    anyhow::bail!("the rack has ended the stream")
}

/// A press.
pub(crate) fn press(number: u64) -> anyhow::Result<Notice> {
    let at = now();
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    Ok(Notice {
        id: NoticeId::new(at.millis(), random),
        point: Some(PointId::new("gate")?),
        at,
        clock_sure: true,
        what: What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false },
    })
}

/// Bytes of a press on the wire, which is what the floor's frames have too.
pub(crate) fn press_bytes() -> anyhow::Result<usize> {
    Ok(alarm::wire::encode(&ToRack::Notice(press(0)?))?.len())
}

fn now() -> Wall {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
    Wall::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
