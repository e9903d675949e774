//! A client of the desk's HTTP interface.

use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::time::Duration;
use ureq::Agent;
use ureq::http::header::SET_COOKIE;

/// The desk answers at once, or says after two seconds that the disk does not take it.
const LIMIT: Duration = Duration::from_secs(15);
/// For what is uploaded: a bundle of some hundred megabytes over a slow line, and the look at its signature.
const UPLOAD_LIMIT: Duration = Duration::from_secs(1_800);

/// A desk, and who we are there.
#[derive(Clone)]
pub struct Desk {
    url: String,
    agent: Agent,
    cookie: Option<String>,
}

/// One server-sent event.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its name: `incident`, `box`, `tick` and so on.
    pub name: String,
    /// What it says.
    pub data: Value,
}

impl Desk {
    /// The desk at `url`, such as `http://127.0.0.1:8110`.
    pub fn at(url: &str) -> Self {
        // No connection is used twice: the desk may close one whose request body it had no use for.
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(LIMIT));
        let config = config.max_idle_connections(0).build();
        Self { url: url.trim_end_matches('/').to_owned(), agent: config.into(), cookie: None }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks for something.
    ///
    /// # Errors
    /// When the desk cannot be reached, or refuses: its word and its sentence.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let request = request.header("Cookie", self.cookie.as_deref().unwrap_or_default());
        read(path, &mut request.call().with_context(|| format!("asking {} for {path}", self.url))?)
    }

    /// Sends something.
    ///
    /// # Errors
    /// As [`Desk::get`].
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        read(path, &mut self.send("POST", path, body)?)
    }

    /// Sends bytes that are no JSON.
    ///
    /// # Errors
    /// As [`Desk::get`].
    pub fn upload(&self, path: &str, bytes: &[u8]) -> anyhow::Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("X-Onepress", "1");
        let request = request.config().timeout_global(Some(UPLOAD_LIMIT)).build();
        let request = request.header("Cookie", self.cookie.as_deref().unwrap_or_default());
        read(path, &mut request.send(bytes).with_context(|| format!("sending {path} to {}", self.url))?)
    }

    /// Takes something away.
    ///
    /// # Errors
    /// As [`Desk::get`].
    pub fn delete(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.delete(format!("{}{path}", self.url)).header("X-Onepress", "1");
        let request = request.header("Cookie", self.cookie.as_deref().unwrap_or_default());
        read(path, &mut request.call().with_context(|| format!("asking {} to delete {path}", self.url))?)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<ureq::http::Response<ureq::Body>> {
        let request = match method {
            "PUT" => self.agent.put(format!("{}{path}", self.url)),
            _ => self.agent.post(format!("{}{path}", self.url)),
        };
        let request =
            request.header("X-Onepress", "1").header("Cookie", self.cookie.as_deref().unwrap_or_default());
        request.send_json(body).with_context(|| format!("sending {path} to {}", self.url))
    }

    /// Makes the first account with the one-time code.
    ///
    /// # Errors
    /// As [`Desk::get`].
    pub fn set_up(&self, code: &str, user: &str, name: &str, password: &str) -> anyhow::Result<()> {
        let body = json!({ "code": code, "user": user, "name": name, "password": password });
        self.post("/api/setup", &body).map(drop)
    }

    /// Signs in at a workplace; the requests that follow are this person's.
    ///
    /// # Errors
    /// As [`Desk::get`].
    pub fn sign_in(&mut self, user: &str, password: &str, seat: &str) -> anyhow::Result<()> {
        let body = json!({ "user": user, "password": password, "seat": seat });
        let mut answer = self.send("POST", "/api/session", &body)?;
        let cookie = answer.headers().get(SET_COOKIE).and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        read("/api/session", &mut answer)?;
        self.cookie = Some(cookie.context("the desk gave no cookie")?);
        Ok(())
    }

    /// The whole state.
    ///
    /// # Errors
    /// As [`Desk::get`].
    pub fn state(&self) -> anyhow::Result<Value> {
        self.get("/api/state")
    }

    /// Registers a box at a site (or a wall, without one) and gives the text of its ticket.
    ///
    /// # Errors
    /// As [`Desk::get`].
    pub fn new_box(&self, name: &str, site: Option<&str>) -> anyhow::Result<String> {
        self.post("/api/boxes", &json!({ "id": name, "site": site }))?;
        self.ticket(name)
    }

    /// A ticket for a registered box.
    ///
    /// # Errors
    /// As [`Desk::get`].
    pub fn ticket(&self, name: &str) -> anyhow::Result<String> {
        let ticket = self.post(&format!("/api/boxes/{name}/ticket"), &json!({}))?;
        Ok(ticket["text"].as_str().context("the ticket has no text")?.to_owned())
    }

    /// The stream of events. Ends when the desk does.
    ///
    /// # Errors
    /// As [`Desk::get`].
    pub fn events(&self) -> anyhow::Result<impl Iterator<Item = Told> + Send + use<>> {
        let request = self.agent.get(format!("{}/api/events", self.url));
        let request = request.config().timeout_global(None).build();
        let request = request.header("Cookie", self.cookie.as_deref().unwrap_or_default());
        let mut answer = request.call().context("opening the stream of events")?;
        if answer.status() != 200 {
            read("/api/events", &mut answer)?;
        }
        let mut lines = BufReader::new(answer.into_body().into_reader()).lines();
        Ok(std::iter::from_fn(move || next_event(&mut lines)))
    }
}

/// Server-sent events (HTML Living Standard, section 9.2): `event:` and `data:` lines, then an empty one.
fn next_event(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Option<Told> {
    let (mut name, mut data) = (String::new(), String::new());
    loop {
        let line = lines.next()?.ok()?;
        if let Some(text) = line.strip_prefix("event:") {
            text.trim().clone_into(&mut name);
        } else if let Some(text) = line.strip_prefix("data:") {
            data.push_str(text.trim());
        } else if line.is_empty() && !name.is_empty() {
            return Some(Told { name, data: serde_json::from_str(&data).unwrap_or_default() });
        }
    }
}

fn read(path: &str, answer: &mut ureq::http::Response<ureq::Body>) -> anyhow::Result<Value> {
    let status = answer.status();
    let body: Value =
        answer.body_mut().read_json().with_context(|| format!("{path}: answer {status} is no JSON"))?;
    if !status.is_success() {
        let word = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        bail!("{path}: refused ({status}): {}: {}", word("error"), word("detail"));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_come() {
        let text =
            "event: tick\nid: 4\ndata: {\"seq\":4}\n\n: comment\n\nevent:reload\ndata:{}\n\nevent: cut";
        let mut lines = text.lines().map(|line| Ok(line.to_owned()));
        let first = next_event(&mut lines).unwrap();
        assert_eq!((first.name.as_str(), &first.data["seq"]), ("tick", &json!(4)));
        assert_eq!(next_event(&mut lines).unwrap().name, "reload");
        assert!(next_event(&mut lines).is_none());
    }
}
