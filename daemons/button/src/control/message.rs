use alarm::wire::PointStatus;
use alarm::{Fault, Mode, Nature, Notice, NoticeId, PathId, PointId, Wall, What};
use serde::{Deserialize, Serialize};

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// A press by software: a full alarm like any other. Answered when it is in the spool.
    Press {
        /// The button; none for the box itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        point: Option<PointId>,
        /// How the site is treated; by default as the button's configuration has it, else silent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<Mode>,
        /// Real, test or drill.
        #[serde(default)]
        nature: Nature,
    },
    /// Every point is to prove itself now. The results go to the desk.
    SelfTest,
    /// How the box is.
    Status,
    /// Every alarm of the last minutes and from now on, on this connection, which answers nothing else then.
    Watch,
}

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Told {
    /// An alarm was raised. It is in the spool, unless that is damaged.
    Raised {
        /// Its id.
        alarm: NoticeId,
        /// The button; none for the box itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        point: Option<PointId>,
        /// How the site is treated.
        mode: Mode,
        /// Real, test or drill.
        nature: Nature,
        /// When, by the box's clock, Unix milliseconds.
        at: Wall,
    },
    /// All that was before has been told; from here on it is new.
    Watching,
    /// A sign of life.
    Alive,
}

impl Told {
    /// Of an alarm; `None` of any other notice.
    pub fn of(notice: &Notice) -> Option<Self> {
        let What::Alarm { mode, nature, .. } = notice.what else { return None };
        Some(Self::Raised { alarm: notice.id, point: notice.point.clone(), mode, nature, at: notice.at })
    }

    /// One line.
    pub fn to_line(&self) -> Vec<u8> {
        line(self)
    }
}

fn line(said: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(said).unwrap_or_default();
    line.push(b'\n');
    line
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Answer {
    /// The alarm has been raised.
    Pressed {
        /// Its id.
        alarm: NoticeId,
        /// It is on the disk. If not, the spool is damaged and it is on its way from memory.
        spooled: bool,
    },
    /// The points are being tested.
    Testing,
    /// How the box is.
    Status(Overview),
    /// Nothing was done.
    Error {
        /// Why.
        error: String,
    },
}

/// How the box is, for a technician.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Overview {
    /// Version of the daemon.
    pub software: String,
    /// The box has an identity.
    pub enrolled: bool,
    /// Its name, as its certificate has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why the identity that is there cannot be used, and what helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
    /// Every path and whether it is up.
    pub paths: Vec<PathState>,
    /// Every point and what it has settled on.
    pub points: Vec<PointStatus>,
    /// Notices that the desk has not written down.
    pub waiting: u32,
    /// Faults of the box itself that stand.
    pub faults: Vec<Fault>,
}

/// One path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PathState {
    /// Which.
    pub path: PathId,
    /// Its alarm stream is open.
    pub up: bool,
}

impl Request {
    /// Reads one line.
    ///
    /// # Errors
    /// The place and what was expected there.
    pub fn read(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }
}

impl Answer {
    /// One line.
    pub fn to_line(&self) -> Vec<u8> {
        line(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_as_the_command_writes_them() {
        let point = PointId::new("gate").ok();
        let table = [
            (
                r#"{"do":"press","point":"gate","mode":"silent"}"#,
                Request::Press { point: point.clone(), mode: Some(Mode::Silent), nature: Nature::Real },
            ),
            (
                r#"{"do":"press","point":"gate","nature":"test"}"#,
                Request::Press { point, mode: None, nature: Nature::Test },
            ),
            (r#"{"do":"press"}"#, Request::Press { point: None, mode: None, nature: Nature::Real }),
            (r#"{"do":"self-test"}"#, Request::SelfTest),
            (r#"{"do":"status"}"#, Request::Status),
            (r#"{"do":"watch"}"#, Request::Watch),
        ];
        for (line, request) in table {
            assert_eq!(Request::read(line.as_bytes()).unwrap(), request, "{line}");
        }
    }

    #[test]
    fn malformed_requests_are_not_understood() {
        for line in [
            "",
            "{",
            "[]",
            r#"{"do":"disarm"}"#,
            r#"{"do":"press","point":"Gate"}"#,
            r#"{"do":"press","x":1}"#,
        ] {
            assert!(Request::read(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn an_answer_is_one_line() {
        let answer = Answer::Pressed { alarm: NoticeId::new(1, [1; 10]), spooled: true };
        let line = String::from_utf8(answer.to_line()).unwrap();
        assert_eq!(
            line,
            "{\"is\":\"pressed\",\"alarm\":\"00000000-0001-7101-8101-010101010101\",\"spooled\":true}\n"
        );
    }
}
