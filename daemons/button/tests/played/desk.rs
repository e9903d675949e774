//! What the played rack does with what it hears.

use super::*;

#[derive(Clone)]
pub(super) struct Attend {
    pub(super) heard: mpsc::UnboundedSender<Heard>,
    pub(super) ca: Arc<Ca>,
    pub(super) acks: Arc<AtomicBool>,
    pub(super) renews: Arc<AtomicBool>,
    pub(super) seen: Arc<Mutex<Vec<NoticeId>>>,
    pub(super) shelf: Arc<Mutex<Bundles>>,
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
                    let offer = self.shelf.lock().unwrap().offer.clone();
                    if stream.send(&ToBox::Update { offer }).await.is_err() {
                        return;
                    }
                    Some(ToBox::Seen { now: now() })
                }
                ToRack::Fetch { from, .. } => return self.hand_over(stream, from).await,
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

    /// Sends what is asked for, slowly; where it is to be cut, no more than so many bytes at a time.
    async fn hand_over(self, mut stream: Stream, from: u64) {
        let (bytes, cut_after) = {
            let mut shelf = self.shelf.lock().unwrap();
            shelf.asked.push(from);
            (shelf.bytes.clone(), shelf.cut_after)
        };
        let rest = &bytes[usize::try_from(from).unwrap()..];
        stream.send(&ToBox::Bundle { bytes: u64::try_from(bytes.len()).unwrap() }).await.unwrap();
        let mut body = stream.into_body();
        for piece in rest[..rest.len().min(cut_after)].chunks(50_000) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if body.send(piece).await.is_err() {
                return;
            }
        }
        body.finish();
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
