use super::{eventually, launch, pause, tell, unpack};
use crate::lines::Lines;
use onepress::control;
use onepress::rig::{Daemon, Programs};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often each contact parts and touches again before it stays.
const BOUNCES: usize = 3;
/// Slower than a button does: the simulated interrupt comes with the kernel's tick of 10 ms and folds what is faster.
/// Quicker than the debounce of 30 ms.
const BOUNCE: Duration = Duration::from_millis(12);
/// How long a finger stays on a button.
const FINGER: Duration = Duration::from_millis(200);

/// The box at the school: `gate` is a momentary button in ordinary mode, `office` a latching one in silent mode.
pub(crate) struct School {
    pub(crate) lines: Lines,
    programs: Programs,
    dir: PathBuf,
    daemon: Option<Daemon>,
}

impl School {
    pub(super) fn new(programs: &Programs, dir: &Path, ticket: &str) -> Self {
        let (dir, lines) = unpack(programs, dir, "school", ticket);
        std::fs::write(dir.join("button.toml"), config(&dir)).expect("written");
        let school = Self { lines, programs: programs.clone(), dir, daemon: None };
        school.release("gate");
        school.release("office");
        school
    }

    /// Gives it power.
    pub(crate) fn start(&mut self) {
        let config = self.dir.join("button.toml");
        self.daemon = Some(launch(&self.programs, "onepress-button", &config, &self.dir));
        self.waits("a path", |status| status["paths"][0]["up"] == true);
    }

    /// As after an update: told to end, and started again.
    pub(crate) fn restart(&mut self) {
        let (status, _) = self.daemon().stop().expect("it ends in time");
        assert!(status.success(), "{status}");
        self.start();
    }

    /// As when the power fails.
    pub(crate) fn kill(&mut self) {
        self.daemon().kill();
    }

    /// Whether the process that was started is still there.
    pub(crate) fn has_never_ended(&mut self) -> bool {
        self.daemon().is_running()
    }

    /// A finger goes down.
    pub(crate) fn press(&self, point: &str) {
        self.contacts(point, true, false);
    }

    /// The finger goes, or the key turns.
    pub(crate) fn release(&self, point: &str) {
        self.contacts(point, false, true);
    }

    /// As contacts do: each touches and parts some times before it stays, first the one that parts.
    pub(crate) fn press_bouncing(&self, point: &str) {
        let (no, nc) = lines(point);
        self.bounce(nc, false);
        self.bounce(no, true);
        pause(FINGER);
    }

    /// Likewise on the way back.
    pub(crate) fn release_bouncing(&self, point: &str) {
        let (no, nc) = lines(point);
        self.bounce(no, false);
        self.bounce(nc, true);
    }

    fn bounce(&self, line: &str, closed_at_last: bool) {
        for _ in 0..BOUNCES {
            self.lines.pull(line, closed_at_last);
            pause(BOUNCE);
            self.lines.pull(line, !closed_at_last);
            pause(BOUNCE);
        }
        self.lines.pull(line, closed_at_last);
    }

    /// Somebody cuts the cable of a button.
    pub(crate) fn cut(&self, point: &str) -> Instant {
        self.contacts(point, false, false);
        Instant::now()
    }

    /// And somebody mends it.
    pub(crate) fn mend(&self, point: &str) {
        self.release(point);
    }

    fn contacts(&self, point: &str, open_closes: bool, closed_stays: bool) {
        let (no, nc) = lines(point);
        // The normally closed contact parts before the other one touches, and the other way on the way back.
        if closed_stays {
            self.lines.pull(no, open_closes);
        }
        self.lines.pull(nc, closed_stays);
        if !closed_stays {
            self.lines.pull(no, open_closes);
        }
    }

    /// Waits until the box says this of itself.
    pub(crate) fn waits(&self, what: &str, so: impl Fn(&Value) -> bool) {
        let socket = self.dir.join("button.sock");
        eventually(&format!("the school has {what}"), || {
            let status = control::ask(&socket, &json!({ "do": "status" })).ok()?;
            so(&status).then_some(())
        });
    }

    /// Waits for a sentence in its log.
    pub(crate) fn has_logged(&mut self, sentence: &str) {
        let daemon = self.daemon();
        eventually(sentence, || daemon.log().contains(sentence).then_some(()));
    }

    fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().expect("it has power")
    }
}

impl Drop for School {
    fn drop(&mut self) {
        if let Some(daemon) = &self.daemon {
            tell("school", &daemon.log());
        }
    }
}

/// The normally open contact and the normally closed one.
fn lines(point: &str) -> (&'static str, &'static str) {
    if point == "gate" { ("BTN1_NO", "BTN1_NC") } else { ("BTN2_NO", "BTN2_NC") }
}

fn config(dir: &Path) -> String {
    let at = |name: &str| dir.join(name);
    format!(
        r#"board = {:?}
state-dir = {dir:?}
ticket = {:?}
control = {:?}
[lamp]
output = "lamp"
[[path]]
id = "wired"
kind = "wired"
[[point]]
id = "gate"
mode = "ordinary"
no = "button-1-no"
nc = "button-1-nc"
repeat-s = 2
[[point]]
id = "office"
mode = "silent"
latching = true
no = "button-2-no"
nc = "button-2-nc"
"#,
        at("board.toml"),
        at("ticket"),
        at("button.sock"),
    )
}
