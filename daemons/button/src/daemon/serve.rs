//! The loop between the core and everything that moves bytes. No rule is here.

use super::teller::{self, News};
use crate::clock::Clock;
use crate::control::{Answer, Ask, Overview, PathState, Request, Watched};
use crate::core::{Action, Core, Heard, Now, Supervised};
use crate::inputs::{Looker, Report};
use crate::lamp::Lamp;
use crate::links::{Enrolled, Event, Nudge, Nudger, Outgoing};
use crate::relays::{Relays, Switched};
use crate::spool::{Done, Writer};
use alarm::wire::Status;
use alarm::{Fault, NoticeId, PathId, delivery};
use hw::Line;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use unit::Progress;

/// How long alarms that no desk has written down hold up the end of the daemon. They stay in the spool.
const FLUSH_LIMIT: Duration = Duration::from_millis(1500);
/// The loop looks around at least this often: the clock may have become sure.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the loop is connected to.
pub(super) struct Wires {
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) done: mpsc::Receiver<Done>,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) watched: Watched,
    pub(super) lamp_fails: watch::Receiver<bool>,
    pub(super) switched: mpsc::Receiver<Switched>,
    pub(super) looker: Looker,
    pub(super) relays: Relays,
    pub(super) writer: Writer,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) nudger: Nudger,
    pub(super) lamp: Lamp,
    pub(super) status: watch::Sender<Status>,
    pub(super) enrolled: Enrolled,
    /// Why the identity cannot be used, if it cannot.
    pub(super) unusable: watch::Receiver<Option<String>>,
}

pub(super) struct Serve {
    core: Core,
    clock: Clock,
    wires: Wires,
    /// Lines that have not been read yet, nor found unreadable.
    unheard: BTreeSet<Line>,
    up: BTreeSet<PathId>,
    /// The name that the box had when the core was told last.
    named: Option<String>,
    /// The centre's last question for a self-test.
    question: Option<u64>,
    asked: BTreeMap<NoticeId, oneshot::Sender<Answer>>,
    news: watch::Sender<News>,
    progress: Progress,
}

impl Serve {
    pub(super) fn new(
        core: Core,
        clock: Clock,
        wires: Wires,
        points: &[Supervised],
        progress: Progress,
    ) -> Self {
        let unheard = points.iter().flat_map(|point| point.contacts.lines()).cloned().collect();
        let (up, asked) = (BTreeSet::new(), BTreeMap::new());
        let news = watch::Sender::new(News::default());
        tokio::spawn(teller::tell(news.subscribe()));
        Self { core, clock, wires, unheard, up, named: None, question: None, asked, news, progress }
    }

    /// Until `stop`, and then until all alarms are delivered or [`FLUSH_LIMIT`] is over.
    pub(super) async fn run(&mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            self.act();
            tokio::select! {
                () = self.step() => {}
                () = &mut stop => break,
            }
        }
        self.wires.reports.close();
        let end = Instant::now() + FLUSH_LIMIT;
        self.act();
        while !self.is_flushed() && timeout_at(end, self.step()).await.is_ok() {
            self.act();
        }
    }

    /// Waits for one thing to happen, and tells the core. Cancel safe: what was received has been told.
    async fn step(&mut self) {
        let deadline = self.deadline();
        let wires = &mut self.wires;
        tokio::select! {
            Some(report) = wires.reports.recv() => self.handle_report(report),
            Some(Done(written)) = wires.done.recv() => self.core.handle_written(written, self.clock.now()),
            Some(event) = wires.events.recv() => self.handle_event(event),
            Some(ask) = wires.asks.recv() => self.handle_ask(ask),
            Ok(()) = wires.lamp_fails.changed() => self.handle_lamp(),
            Some(switched) = wires.switched.recv() => self.handle_switched(&switched),
            () = sleep_until(deadline) => {}
        }
    }

    fn deadline(&self) -> Instant {
        let look = Instant::now() + LOOK_EVERY;
        self.core.deadline().map_or(look, |due| Instant::from_std(self.clock.instant(due)).min(look))
    }

    /// Does what the core wants done.
    fn act(&mut self) {
        let now = self.clock.now();
        self.tell_name();
        self.core.handle_time(now);
        while let Some(action) = self.core.poll_action(now) {
            self.act_one(action);
        }
        while let Some(alarm) = self.core.poll_raised() {
            self.wires.watched.tell(&alarm);
        }
        self.show(now);
        self.progress.beat();
    }

    fn act_one(&mut self, action: Action) {
        match action {
            Action::Write(write) => self.wires.writer.write(write),
            Action::Send(send) => self.send(send),
            Action::Hurry => self.wires.nudger.nudge(Nudge::Alarm),
            Action::Lamp(lit) => self.wires.lamp.switch(lit),
            Action::Look(true) => self.wires.looker.look(),
            Action::Look(false) => self.wires.looker.rest(),
            Action::Relay { output, on } => self.wires.relays.switch(output, on),
            Action::Answer { id, on_disk } => {
                if let Some(answer) = self.asked.remove(&id) {
                    // Whoever pressed may have gone; the press has not.
                    let _ = answer.send(Answer::Pressed { alarm: id, spooled: on_disk });
                }
            }
        }
    }

    fn send(&self, send: delivery::Send) {
        let Some(outgoing) = self.wires.outgoing.iter().find(|outgoing| outgoing.path == send.path) else {
            return;
        };
        if outgoing.notices.try_send(send.notice).is_err() {
            tracing::debug!(path = %send.path, "path is busy; the outbox sends it again");
        }
    }

    fn handle_report(&mut self, report: Report) {
        let now = self.clock.now();
        match report {
            Report::Levels { at, levels } => {
                self.hear(levels.iter().map(|(line, _)| line));
                self.core.handle_heard(Heard::Levels(levels), self.clock.mono(at), now);
            }
            Report::Edges(edges) => {
                for edge in edges {
                    let heard = Heard::Edge { line: edge.line, active: edge.active, missed: edge.missed };
                    self.core.handle_heard(heard, self.clock.mono(edge.at), now);
                }
            }
            Report::Held(held) => self.core.handle_held(held, now),
            Report::Unreadable { at, lines } => {
                self.hear(lines.iter());
                self.core.handle_heard(Heard::Unreadable(lines), self.clock.mono(at), now);
            }
        }
    }

    /// Every input is to be heard of once, if only that it cannot be read.
    fn hear<'a>(&mut self, lines: impl Iterator<Item = &'a Line>) {
        for line in lines {
            self.unheard.remove(line);
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Up(path) => {
                self.up.insert(path.clone());
                self.core.handle_path_up(path);
            }
            Event::Down(path) => {
                self.up.remove(&path);
                self.core.handle_path_down(&path);
            }
            Event::SelfTest(number) if self.question.replace(number) != Some(number) => {
                tracing::info!(number, "the centre wants a self-test");
                self.core.handle_selftest_asked();
            }
            Event::SelfTest(_) => {}
            Event::Ack(id) => {
                tracing::debug!(notice = %id, "written down by the desk");
                self.core.handle_ack(id, self.clock.now());
            }
        }
    }

    fn handle_ask(&mut self, ask: Ask) {
        let now = self.clock.now();
        match ask.request {
            // A watch is the socket's own matter; asked here it is a question after the present.
            Request::Status | Request::Watch => {
                drop(ask.answer.send(Answer::Status(self.overview(now))));
            }
            Request::SelfTest => {
                self.core.handle_selftest_asked();
                drop(ask.answer.send(Answer::Testing));
            }
            Request::Press { point, mode, nature } => {
                match self.core.handle_press(point, mode, nature, now) {
                    Ok(id) => drop(self.asked.insert(id, ask.answer)),
                    Err(error) => drop(ask.answer.send(Answer::Error { error: error.to_string() })),
                }
            }
        }
    }

    fn handle_switched(&mut self, switched: &Switched) {
        let now = self.clock.now();
        let at = self.clock.mono(switched.at);
        self.core.handle_relay(&switched.output, switched.on, switched.done, at, now);
    }

    /// A box with a name is enrolled, and tests its points.
    fn tell_name(&mut self) {
        let name = self.wires.enrolled.borrow().as_ref().map(|identity| identity.name().to_string());
        if let Some(name) = name.filter(|name| self.named.as_ref() != Some(name)) {
            self.core.handle_named(&name);
            self.named = Some(name);
        }
    }

    fn handle_lamp(&mut self) {
        let fails = *self.wires.lamp_fails.borrow_and_update();
        self.core.handle_condition(Fault::OutputFailed, fails, self.clock.now());
    }

    /// Tells the links and the service manager how the box is, when it has changed.
    fn show(&mut self, now: Now) {
        let status = self.core.status(now);
        let waiting = status.waiting;
        self.wires.status.send_if_modified(|known| {
            let same = *known == Status { now: known.now, ..status.clone() };
            *known = status;
            !same
        });
        let said = match self.wires.enrolled.borrow().is_some() {
            true => format!("{} of {} paths up, {waiting} waiting", self.up.len(), self.wires.outgoing.len()),
            false => format!("not enrolled: run `onepress enrol TICKET`; {waiting} waiting"),
        };
        let news = News { ready: self.unheard.is_empty(), status: said };
        self.news.send_if_modified(|known| std::mem::replace(known, news.clone()) != news);
    }

    fn overview(&self, now: Now) -> Overview {
        let status = self.core.status(now);
        let identity = self.wires.enrolled.borrow();
        let path = |outgoing: &Outgoing| PathState {
            path: outgoing.path.clone(),
            up: self.up.contains(&outgoing.path),
        };
        Overview {
            software: env!("CARGO_PKG_VERSION").into(),
            enrolled: identity.is_some(),
            name: identity.as_ref().map(|identity| identity.name().to_string()),
            unusable: self.wires.unusable.borrow().clone(),
            paths: self.wires.outgoing.iter().map(path).collect(),
            points: status.points,
            waiting: status.waiting,
            faults: status.faults,
        }
    }

    fn is_flushed(&self) -> bool {
        let now = self.clock.now().mono;
        let settling = self.core.is_settling(now);
        let heard = self.wires.reports.is_empty();
        heard && !settling && self.core.is_kept() && self.core.no_alarm_waits()
    }
}
