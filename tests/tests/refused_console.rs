//! What the console's interface does not take: each refusal has a status, a stable word, and a sentence.

use onepress::rig::{PASSWORD, Rack, USER};
use onepress_tests::centre::{Centre, folder, programs};
use serde_json::{Value, json};
use ureq::Agent;

const OTHERS_PASSWORD: &str = "another-password";

#[test]
fn nobody_does_anything_without_signing_in() {
    let console = Console::open();
    for path in ["/api/state", "/api/events", "/api/session", "/api/accounts", "/api/incidents/1/journal"] {
        assert_eq!(console.get(path).told(), (401, "unauthorised".into()), "{path}");
    }
    for path in CHANGES {
        assert_eq!(console.post(path, "{}").told(), (401, "unauthorised".into()), "{path}");
    }
    let made_up = Console { cookie: "onepress=made-up".into(), ..console };
    assert_eq!(made_up.get("/api/state").told(), (401, "unauthorised".into()));
}

#[test]
fn another_site_cannot_press_buttons_in_our_name() {
    let console = Console::open().signed_in(USER, PASSWORD);
    let foreign = Console { own_page: false, ..console };
    for path in CHANGES.iter().chain(&["/api/session", "/api/setup"]) {
        assert_eq!(foreign.post(path, "{}").told(), (403, "forbidden".into()), "{path}");
    }
    assert_eq!(foreign.get("/api/state").status, 200, "reading is harmless");
}

#[test]
fn a_role_does_what_it_may_and_no_more() {
    let console = Console::open().signed_in(USER, PASSWORD);
    let account = json!({ "user": "li", "name": "李", "role": "auxiliary", "password": OTHERS_PASSWORD });
    assert_eq!(console.post("/api/accounts", &account.to_string()).status, 200);
    let auxiliary = console.signed_in("li", OTHERS_PASSWORD);
    let site = json!({ "id": "site-1", "name": "x" }).to_string();
    let named = json!({ "id": "box-1", "site": null }).to_string();
    let refused = [
        ("/api/sites", site.as_str()),
        ("/api/boxes", named.as_str()),
        ("/api/boxes/box-1/ticket", "{}"),
        ("/api/accounts", &account.to_string()),
        ("/api/sites/site-1/test", r#"{"minutes":5}"#),
        ("/api/incidents/1/close", r#"{"outcome":"handled"}"#),
    ];
    for (path, body) in refused {
        assert_eq!(auxiliary.post(path, body).told(), (403, "forbidden".into()), "{path}");
    }
    assert_eq!(auxiliary.get("/api/accounts").told(), (403, "forbidden".into()));
    assert_eq!(auxiliary.get("/api/state").status, 200);
}

#[test]
fn bodies_that_make_no_sense() {
    let console = Console::open().signed_in(USER, PASSWORD);
    let long = "x".repeat(300 * 1024);
    let much = json!({ "id": "site-1", "name": long }).to_string();
    let account =
        json!({ "user": "li", "name": "li", "role": "emperor", "password": OTHERS_PASSWORD }).to_string();
    let table: &[(&str, &str, u16, &str)] = &[
        ("/api/sites", "{", 400, "bad-request"),
        ("/api/sites", "[]", 422, "bad-request"),
        ("/api/sites", "{}", 422, "bad-request"),
        ("/api/sites", &much, 413, "bad-request"),
        ("/api/sites", r#"{"id":"Site 1","name":"x"}"#, 400, "bad-request"),
        ("/api/sites", r#"{"id":"site-1","name":" "}"#, 400, "bad-request"),
        ("/api/sites", r#"{"id":"site-1","name":"x","latitude":91,"longitude":0}"#, 400, "bad-request"),
        ("/api/boxes", r#"{"id":"box-1","site":"nowhere"}"#, 404, "not-found"),
        ("/api/boxes/nobody/ticket", "{}", 404, "not-found"),
        ("/api/incidents/1/answer", "{}", 404, "not-found"),
        ("/api/incidents/one/answer", "{}", 400, "bad-request"),
        ("/api/incidents/1/progress", r#"{"step":"teleported"}"#, 400, "bad-request"),
        ("/api/incidents/1/close", r#"{"outcome":"forgotten"}"#, 400, "bad-request"),
        ("/api/accounts", &account, 400, "bad-request"),
        (
            "/api/accounts",
            r#"{"user":"li","name":"x","role":"regular","password":"short"}"#,
            400,
            "weak-password",
        ),
        ("/api/nothing", "{}", 404, "not-found"),
    ];
    for (path, body, status, word) in table {
        let shown = &body[..body.len().min(60)];
        assert_eq!(console.post(path, body).told(), (*status, (*word).into()), "{path} {shown}");
    }
    assert_eq!(console.get("/api/state").body["sites"], json!([]), "nothing came of it");
}

#[test]
fn wrong_passwords_lock_the_guesser_out_and_nobody_else() {
    let console = Console::open();
    let account =
        json!({ "user": "li", "name": "李", "role": "regular", "password": OTHERS_PASSWORD }).to_string();
    assert_eq!(console.signed_in(USER, PASSWORD).post("/api/accounts", &account).status, 200);
    for _ in 0..5 {
        assert_eq!(console.sign_in("li", "guessed-it?").told(), (401, "wrong-password".into()));
    }
    let right = console.sign_in("li", OTHERS_PASSWORD);
    assert_eq!(right.told(), (429, "locked-out".into()), "also with the right one, for a while");
    assert!(right.body["detail"].as_str().unwrap().contains("wait"), "{}", right.body);
    assert_eq!(console.sign_in(USER, PASSWORD).status, 200, "another user from the same place");
    assert_eq!(
        console.sign_in("nobody", PASSWORD).told(),
        (401, "wrong-password".into()),
        "no word on who exists"
    );
}

#[test]
fn a_wrong_code_makes_no_first_account_and_wears_the_code_out() {
    let dir = folder();
    let rack = Rack::start(&programs(), &dir.path().join("desk"), 0).unwrap();
    let console = Console::at(rack.url());
    let setup = |code: &str, password: &str| {
        let body = json!({ "code": code, "user": "mallory", "name": "M", "password": password });
        console.post("/api/setup", &body.to_string())
    };
    let code = rack.code().unwrap();
    assert_eq!(setup(&code, "short").told(), (400, "weak-password".into()));
    for _ in 0..5 {
        assert_eq!(setup("AAAA-AAAA-AAAA", PASSWORD).told(), (403, "wrong-code".into()));
    }
    assert_eq!(setup(&rack.code().unwrap(), PASSWORD).told(), (429, "locked-out".into()));
    assert_ne!(rack.code().unwrap(), code, "a code that was guessed at is replaced");
    assert_eq!(console.get("/api/setup").body["needed"], json!(true));
}

#[test]
fn the_first_account_is_made_once() {
    let console = Console::open();
    let body = json!({ "code": "AAAA-AAAA-AAAA", "user": "mallory", "name": "M", "password": PASSWORD });
    assert_eq!(console.post("/api/setup", &body.to_string()).told(), (409, "setup-done".into()));
}

/// Requests that change something, all of which need a signed-in person.
const CHANGES: [&str; 11] = [
    "/api/sites",
    "/api/boxes",
    "/api/boxes/box-1/ticket",
    "/api/accounts",
    "/api/incidents/1/answer",
    "/api/incidents/1/acknowledge",
    "/api/sites/site-1/test",
    "/api/incidents/1/pass",
    "/api/incidents/1/snapshots",
    "/api/boxes/box-1/watch",
    "/api/boxes/box-1/pass",
];

/// A console that sends what it likes.
struct Console {
    _centre: Option<std::rc::Rc<Centre>>,
    url: String,
    cookie: String,
    own_page: bool,
}

struct Answer {
    status: u16,
    cookie: String,
    body: Value,
}

impl Console {
    fn open() -> Self {
        let (programs, dir) = (programs(), folder());
        let rack = Rack::start(&programs, &dir.path().join("desk"), 0).expect("a rack");
        let centre = Centre::around(rack, programs, dir);
        Self { url: centre.rack.url(), _centre: Some(centre.into()), cookie: String::new(), own_page: true }
    }

    fn at(url: String) -> Self {
        Self { _centre: None, url, cookie: String::new(), own_page: true }
    }

    fn sign_in(&self, user: &str, password: &str) -> Answer {
        let body = json!({ "user": user, "password": password, "seat": format!("seat-of-{user}") });
        self.post("/api/session", &body.to_string())
    }

    fn signed_in(&self, user: &str, password: &str) -> Self {
        let answer = self.sign_in(user, password);
        assert_eq!(answer.status, 200, "{}", answer.body);
        Self { _centre: self._centre.clone(), url: self.url.clone(), cookie: answer.cookie, own_page: true }
    }

    fn get(&self, path: &str) -> Answer {
        let request = agent().get(format!("{}{path}", self.url)).header("Cookie", &self.cookie);
        read(request.call())
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        let request = agent().post(format!("{}{path}", self.url)).header("Cookie", &self.cookie);
        let request = request.header("Content-Type", "application/json");
        let request = if self.own_page { request.header("X-Onepress", "1") } else { request };
        read(request.send(body))
    }
}

impl Answer {
    fn told(&self) -> (u16, String) {
        (self.status, self.body["error"].as_str().unwrap_or_default().to_owned())
    }
}

fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).build().into()
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut answer = answer.expect("an answer");
    let cookie = answer.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
    let cookie = cookie.and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned();
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let body = serde_json::from_str(&text).unwrap_or_else(|_| json!({ "not-json": text }));
    Answer { status: answer.status().as_u16(), cookie, body }
}
