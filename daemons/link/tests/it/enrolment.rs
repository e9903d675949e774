//! Tickets, proofs and certificate requests.

use crate::boxes::{alarm_stream, press, registered, wired};
use crate::centre::Centre;
use crate::rogue;
use alarm::ticket;
use alarm::wire::{self, EnrolAnswer, EnrolRefusal, EnrolRequest};
use base64::prelude::{BASE64_STANDARD, Engine};
use link::client::{Bind, EnrolError, enrol, enrol_with};
use link::identity::{Identity, Key};
use link::proof::{self, SecretHash};
use link::{CertificateDer, Class, Closed, Reason};
use quinn::Connection;
use rcgen::{CertificateParams, KeyPair};

async fn refusal(ticket: &ticket::Ticket, key: &Key) -> EnrolRefusal {
    match enrol_with(ticket, &Bind::default(), key).await {
        Err(EnrolError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lost_answer_may_be_asked_for_again_with_the_same_key_only() {
    let centre = Centre::start();
    let ticket = centre.remains.ticket("gate");
    let key = Key::generate();
    let first = enrol_with(&ticket, &Bind::default(), &key).await.unwrap();
    let again = enrol_with(&ticket, &Bind::default(), &key).await.unwrap();
    assert_eq!(first.fingerprint(), again.fingerprint());
    assert_eq!(refusal(&ticket, &Key::generate()).await, EnrolRefusal::Used);
}

#[tokio::test]
async fn a_box_that_restarts_while_it_enrols_asks_with_the_same_key() {
    let disk = tempfile::tempdir().unwrap();
    let centre = Centre::start();
    let ticket = centre.remains.ticket("gate");
    let lost = enrol_with(&ticket, &Bind::default(), &Key::pending(disk.path()).unwrap()).await.unwrap();
    assert!(Identity::load(disk.path()).unwrap().is_none(), "the power went before it was stored");
    let identity = enrol(&ticket, &Bind::default(), disk.path()).await.unwrap();
    assert_eq!(identity.fingerprint(), lost.fingerprint());
    let stored = Identity::load(disk.path()).unwrap().unwrap();
    assert_eq!(stored.fingerprint(), identity.fingerprint());
    assert_ne!(Key::pending(disk.path()).unwrap().fingerprint(), identity.fingerprint());
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_ticket_are_the_same_to_the_asker() {
    let centre = Centre::start();
    let mut guessed = centre.remains.ticket("gate");
    guessed.secret = ticket::encode(&[8; 32]);
    assert_eq!(refusal(&guessed, &Key::generate()).await, EnrolRefusal::UnknownTicket);
    let mut unknown = centre.remains.ticket("gate");
    unknown.number = "another".into();
    assert_eq!(refusal(&unknown, &Key::generate()).await, EnrolRefusal::UnknownTicket);
}

#[tokio::test]
async fn the_addresses_are_tried_in_turn() {
    let centre = Centre::start();
    let mut ticket = centre.remains.ticket("gate");
    ticket.addresses = vec!["no.such.host.invalid:1".into(), centre.address().to_string()];
    enrol_with(&ticket, &Bind::default(), &Key::generate()).await.unwrap();
}

/// Somebody who holds the ticket's secret and shows it as he likes.
struct Asker {
    connection: Connection,
    csr: Vec<u8>,
}

impl Asker {
    async fn new(centre: &Centre, csr: &[u8]) -> Self {
        let connection = rogue::connect(centre.address(), wire::ALPN_ENROL, None).await;
        Self { connection, csr: csr.to_vec() }
    }

    fn proof(&self) -> String {
        let mut exporter = [0; 32];
        self.connection.export_keying_material(&mut exporter, proof::LABEL, b"").unwrap();
        proof::prove(&SecretHash::of(&ticket::encode(&[7; 32])).unwrap(), &exporter, &self.csr)
    }

    fn request(&self, proof: String) -> EnrolRequest {
        let csr = BASE64_STANDARD.encode(&self.csr);
        EnrolRequest { version: wire::VERSION, ticket: "ticket-of-gate".into(), proof, csr }
    }

    async fn ask(&self, request: &EnrolRequest) -> EnrolAnswer {
        self.say(&wire::encode(request).unwrap()).await
    }

    async fn say(&self, bytes: &[u8]) -> EnrolAnswer {
        let (_send, mut recv) = rogue::say(&self.connection, bytes).await;
        rogue::hear(&mut recv).await
    }
}

fn refused(reason: EnrolRefusal) -> EnrolAnswer {
    EnrolAnswer::Refused { reason }
}

#[tokio::test]
async fn a_proof_is_worth_nothing_garbled_or_on_another_connection() {
    let centre = Centre::start();
    centre.remains.ticket("gate");
    let csr = Key::generate().request();

    let first = Asker::new(&centre, &csr).await;
    let overheard = first.proof();
    let garbled = format!("AAAA{}", &overheard[4..]);
    let unknown = refused(EnrolRefusal::UnknownTicket);
    assert_eq!(first.ask(&first.request(garbled)).await, unknown);
    let second = Asker::new(&centre, &csr).await;
    assert_eq!(second.ask(&second.request(overheard)).await, unknown);
    let other_key = Asker::new(&centre, &Key::generate().request()).await;
    let mut swapped = other_key.request(other_key.proof());
    swapped.csr = BASE64_STANDARD.encode(&csr);
    assert_eq!(other_key.ask(&swapped).await, unknown);

    let honest = Asker::new(&centre, &csr).await;
    let answer = honest.ask(&honest.request(honest.proof())).await;
    assert!(matches!(answer, EnrolAnswer::Enrolled { .. }), "{answer:?}");
}

#[tokio::test]
async fn names_and_powers_in_the_request_are_ignored() {
    let centre = Centre::start();
    centre.remains.ticket("gate");
    let mut greedy = CertificateParams::new(vec!["rack.example".into()]).unwrap();
    greedy.subject_alt_names.push(rcgen::SanType::URI("urn:onepress:rack".try_into().unwrap()));
    greedy.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    greedy.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let csr = greedy.serialize_request(&KeyPair::generate().unwrap()).unwrap();

    let asker = Asker::new(&centre, csr.der()).await;
    let answer = asker.ask(&asker.request(asker.proof())).await;
    let EnrolAnswer::Enrolled { chain } = answer else { panic!("{answer:?}") };
    let der = CertificateDer::from(BASE64_STANDARD.decode(&chain[0]).unwrap());
    let (_, leaf) = x509_parser::parse_x509_certificate(&der).unwrap();
    let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(format!("{names:?}"), r#"[URI("urn:onepress:box:school-1/gate")]"#);
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
    assert!(!leaf.is_ca());
}

#[tokio::test]
async fn a_request_for_a_foreign_kind_of_key_is_refused() {
    let centre = Centre::start();
    centre.remains.ticket("gate");
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap();
    let asker = Asker::new(&centre, csr.der()).await;
    assert_eq!(asker.ask(&asker.request(asker.proof())).await, refused(EnrolRefusal::BadRequest));
}

#[tokio::test]
async fn what_no_desk_could_take_is_answered_by_the_link() {
    let centre = Centre::start();
    let asker = Asker::new(&centre, b"").await;
    let mut newer = asker.request(String::new());
    newer.version = 99;
    assert_eq!(asker.ask(&newer).await, refused(EnrolRefusal::UnknownVersion));
    for bytes in [&b"\x00\x00\x00\x02{}"[..], b"\xff\xff\xff\xff"] {
        let asker = Asker::new(&centre, b"").await;
        assert_eq!(asker.say(bytes).await, refused(EnrolRefusal::BadRequest));
    }
}

#[tokio::test]
async fn a_crowd_of_askers_keeps_no_box_out() {
    let centre = Centre::start();
    let mut crowd = Vec::new();
    for _ in 0..link::rack::ENROLMENTS_MAX {
        crowd.push(Asker::new(&centre, b"").await);
    }
    let late = Asker::new(&centre, b"").await;
    let why = Closed::from(late.connection.closed().await);
    assert_eq!((why.class(), &why), (Class::Retryable, &Closed::ByPeer(Reason::Busy)));
    let session = registered(&centre, "gate").connect(&wired()).await.unwrap();
    press(&mut alarm_stream(&session).await, 1).await;
}
