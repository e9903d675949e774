//! What the played rack does with what it hears.

use super::*;

#[derive(Clone)]
pub(super) struct Attend {
    pub(super) heard: mpsc::UnboundedSender<Heard>,
    pub(super) ca: Arc<Ca>,
    pub(super) acks: Arc<AtomicBool>,
    pub(super) renews: Arc<AtomicBool>,
    pub(super) seen: Arc<Mutex<Vec<NoticeId>>>,
}

pub(super) async fn serve(
    mut listener: Listener,
    attend: Attend,
    mut shut: tokio::sync::oneshot::Receiver<Reason>,
) {
    let mut sessions = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            incoming = listener.accept() => match incoming {
                Ok(Incoming::Box(session)) => { sessions.spawn(attend.clone().session(session)); }
                Ok(Incoming::Enrolment(session)) => { sessions.spawn(attend.clone().enrolment(session)); }
                Err(_) => return,
            },
            reason = &mut shut => return listener.shut(reason.unwrap_or(Reason::Done)).await,
        }
    }
}

impl Attend {
    async fn session(self, mut session: Session) {
        let mut streams = tokio::task::JoinSet::new();
        while let Ok(stream) = session.accept_stream().await {
            streams.spawn(self.clone().stream(stream));
        }
    }

    async fn stream(self, mut stream: Stream) {
        let path = stream.hello().path.to_string();
        while let Ok(Some(message)) = stream.recv().await {
            let answer = match message {
                ToRack::Notice(notice) | ToRack::Report(notice) => self.notice(&path, notice),
                ToRack::Status(status) => {
                    assert_eq!(stream.purpose(), Purpose::Status);
                    let _ = self.heard.send(Heard::Status(path.clone(), status));
                    Some(ToBox::Seen { now: now() })
                }
                ToRack::Renew { csr } => {
                    let certificate = || ToBox::Certificate { chain: self.issue(&csr) };
                    self.renews.load(Ordering::SeqCst).then(certificate)
                }
                other @ (ToRack::Hello { .. }
                | ToRack::Wall(_)
                | ToRack::Acknowledge { .. }
                | ToRack::Recorded { .. }
                | ToRack::Relay(_)
                | ToRack::Unknown) => {
                    panic!("unexpected {other:?}")
                }
            };
            if let Some(answer) = answer
                && stream.send(&answer).await.is_err()
            {
                return;
            }
        }
    }

    async fn enrolment(self, mut session: EnrolSession) {
        let Ok(request) = session.request().await else { return };
        let secret = SecretHash::of(&ticket::encode(&SECRET)).unwrap();
        let answer = match session.proves(&secret, &request) {
            true => EnrolAnswer::Enrolled { chain: self.issue(&request.csr) },
            false => EnrolAnswer::Refused { reason: EnrolRefusal::UnknownTicket },
        };
        session.answer(answer).await;
    }

    fn issue(&self, csr: &str) -> Vec<String> {
        let request = Request::from_base64(csr).unwrap();
        to_wire(&self.ca.issue_box(&request, &name(), now()).unwrap())
    }

    fn notice(&self, path: &str, notice: Notice) -> Option<ToBox> {
        let id = notice.id;
        if matches!(notice.what, What::Alarm { .. }) {
            let mut seen = self.seen.lock().unwrap();
            if !seen.contains(&id) {
                seen.push(id);
            }
        }
        let _ = self.heard.send(Heard::Notice(path.into(), notice));
        self.acks.load(Ordering::SeqCst).then_some(ToBox::Ack { id })
    }
}
